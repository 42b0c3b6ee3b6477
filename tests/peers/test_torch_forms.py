#!/usr/bin/env python3
"""Whatever form torch.save gives a tensor, ours reads the numbers that torch does.

Every form is made here by torch, in five containers: zip files of the pickle protocols 2 to 5, and the files of
before PyTorch 1.6. Tensors are compared by name, dtype, shape and the digest of their bytes; what has no row of
numbers of its own (sparse, nested, quantized) by the rules of phi-types(7).
"""
import argparse
import collections
import dataclasses
import io
import sys
import types
import warnings
import zipfile
from pathlib import Path

import peers
import numpy as np
import torch

import reference

warnings.simplefilter("ignore")
work = peers.scratch()
torch.manual_seed(1)
forms = {}
RANDOM = np.random.Generator(np.random.PCG64(1))


def form(make):
    """Registers a function that returns what to save and, where that is not what flatten says, the tensors."""
    forms[make.__name__] = make
    return make


def raw(dtype, *shape):
    """Random bits as numbers of a type: every code is met, NaN too."""
    if not all(shape):
        return torch.empty(shape, dtype=dtype)
    width = torch.empty(0, dtype=dtype).element_size()
    n = int(np.prod(shape, dtype=np.int64)) * width
    data = torch.from_numpy(RANDOM.integers(0, 2 if dtype == torch.bool else 256, n, np.uint8))
    return data.view(dtype).reshape(shape)


def array(a):
    """What is expected of a NumPy array."""
    kinds = {"f": "F", "i": "I", "u": "U", "c": "C"}
    a = np.asarray(a)
    dtype = "BOOL" if a.dtype.kind == "b" else f"{kinds[a.dtype.kind]}{8 * a.dtype.itemsize}"
    little = np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<"))
    return dtype, list(a.shape), reference.digest(little.tobytes())


def tensors(tree):
    return {name: reference.of_tensor(t) for name, t in reference.flatten(tree)}


# --- dense ----------------------------------------------------------------------------------------

DTYPES = ("float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool uint16 uint32 uint64 float8_e4m3fn "
          "float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2 complex32 complex64 complex128 "
          "bits8 bits1x8 bits2x4 bits4x2 bits16").split()


@form
def dtypes():
    return {d: raw(getattr(torch, d), 3, 4) for d in DTYPES}


@form
def shapes():
    tree = {}
    for d in ("float32", "float16", "int64", "bool", "uint16", "float8_e5m2", "complex64"):
        t = raw(getattr(torch, d), 3, 4)
        tree[d] = {"scalar": t[1, 2].clone(), "one": t[:1, :1].clone(), "empty": t[:0].clone(),
                   "hollow": raw(getattr(torch, d), 2, 0, 3), "deep": raw(getattr(torch, d), 2, 1, 3, 1, 2, 2)}
    return tree


@form
def views():
    tree = {}
    for d in ("float32", "bfloat16", "uint16", "float8_e4m3fn", "float4_e2m1fn_x2", "complex64", "uint8"):
        t = raw(getattr(torch, d), 5, 6, 4)
        tree[d] = {"whole": t, "turned": t[0].t(), "permuted": t.permute(2, 0, 1), "offset": t[2:], "inner": t[1:4, 2:5, 1:3],
                   "stepped": t[::2, ::3], "column": t[:, 3], "row": t[1, 2], "expanded": t[:, :1].expand(5, 6, 4),
                   "again": t, "element": t[4, 5, 3], "diagonal": t[0].diagonal() if d != "float4_e2m1fn_x2" else t[0, 0],
                   "zeros": t[0, 0, 0].expand(7, 3)}
    image = raw(torch.float32, 2, 3, 4, 5)
    tree["channels_last"] = image.contiguous(memory_format=torch.channels_last)
    tree["unfolded"] = raw(torch.float32, 10).unfold(0, 4, 2)
    tree["strided"] = torch.as_strided(raw(torch.float32, 100), (3, 4, 2), (7, 0, 20), 5)
    return tree


def numbers(dtype, *shape):
    """Complex numbers, none NaN: torch may change the bits of a NaN whose sign it flips."""
    half = torch.randn(*shape, 2, dtype=torch.float64).to(torch.empty(0, dtype=dtype).real.dtype)
    return half.view(dtype)[..., 0]


@form
def conjugated():
    tree = {}
    for d in ("complex32", "complex64", "complex128"):
        t = numbers(getattr(torch, d), 4, 6)
        tree[d] = {"plain": t, "conj": t.conj(), "turned": t.conj().t(), "part": t.conj()[1:3, ::2], "twice": t.conj().conj()}
        if d != "complex32":
            tree[d]["negated"] = torch._neg_view(t)
            tree[d]["both"] = torch._neg_view(t.conj())
            tree[d]["empty"] = t[:0].conj()
    return tree


@form
def negated():
    t, d = numbers(torch.complex64, 4, 6).conj(), numbers(torch.complex128, 5)
    return {"imag": t.imag, "part": t.imag[1:, ::2], "double": torch._neg_view(d.real.clone()),
            "half": torch._neg_view(torch.randn(3).half()), "conj": d.conj().imag}


# --- containers of Python -------------------------------------------------------------------------

Pair = collections.namedtuple("Pair", "left right")


@dataclasses.dataclass
class Record:
    weight: torch.Tensor
    inner: dict


class Slots:
    __slots__ = ("weight", "bias")


@form
def nesting():
    slots = Slots()
    slots.weight, slots.bias = raw(torch.float32, 3), raw(torch.float32, 2)
    pair = Pair(raw(torch.float32, 2), {"x": raw(torch.int64, 1)})
    tree = {"dict": {"a": {"b": {"c": raw(torch.float32, 2)}}}, "list": [raw(torch.float32, 1), [raw(torch.float32, 2)]],
            "tuple": (raw(torch.float32, 1), (), (raw(torch.float32, 2),)),
            "ordered": collections.OrderedDict(a=raw(torch.float32, 2)),
            "default": collections.defaultdict(list, {"k": [raw(torch.float32, 2)]}),
            "deque": collections.deque([raw(torch.float32, 2)]), "pair": pair, "size": torch.Size([1, 2]),
            "space": types.SimpleNamespace(w=raw(torch.float32, 2)), "arguments": argparse.Namespace(w=raw(torch.float32, 2)),
            "record": Record(raw(torch.float32, 2), {"a": raw(torch.float32, 1)}), "slots": slots, 7: raw(torch.float32, 1),
            "none": None, "text": "x" * 300, "big": 1 << 80, "float": 0.5, "set": {1, 2}, "frozen": frozenset({3}),
            "bytes": b"abc", "array": bytearray(b"x"), "complex": 1j, "device": torch.device("cpu"), "dtype": torch.float16,
            "path": Path("x"), "slice": slice(1, 2), "range": range(3), "type": int, "function": len}
    want = tensors({k: v for k, v in tree.items()})
    want |= {f"deque.{i}": reference.of_tensor(t) for i, t in enumerate(tree["deque"])}
    want |= {"space.w": reference.of_tensor(tree["space"].w), "arguments.w": reference.of_tensor(tree["arguments"].w),
             "record.weight": reference.of_tensor(tree["record"].weight),
             "record.inner.a": reference.of_tensor(tree["record"].inner["a"]),
             "slots.weight": reference.of_tensor(slots.weight), "slots.bias": reference.of_tensor(slots.bias)}
    return tree, want


@form
def keys():
    one, two = raw(torch.float32, 2), raw(torch.float32, 3)
    tree = {1: one, "1": two, "a.b": one, "a": {"b": two}, True if False else "True": one, None: two, 0.5: one, -3: two,
            "dots..": one, "": {"": two}, "räksmörgås": one, b"raw": two}
    want = {name: reference.of_tensor(t) for name, t in (
        ("1", one), ("1~2", two), ("a.b", one), ("a.b~3", two), ("True", one), ("None", two), ("0.5", one), ("-3", two),
        ("dots..", one), ("räksmörgås", one), ("raw", two))}
    want["tensor"] = reference.of_tensor(two)
    return tree, want


@form
def roots():
    return raw(torch.float32, 3, 4), None, "tensor"


@form
def root_list():
    return [raw(torch.float32, 3), {"w": raw(torch.float32, 2)}]


@form
def tied():
    w = torch.nn.Parameter(raw(torch.float32, 4, 4))
    return {"a": w, "b": w, "c": w.data, "d": w.detach()[1:], "e": w.data.t()}


# --- modules and training -------------------------------------------------------------------------

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(5, 4)
        self.rnn = torch.nn.LSTM(4, 3, num_layers=2, bidirectional=True)
        self.norm = torch.nn.BatchNorm1d(3)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(4, 4), torch.nn.Sequential(torch.nn.Linear(4, 2, bias=False))])
        self.attention = torch.nn.MultiheadAttention(4, 2)
        self.head = torch.nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("steps", torch.tensor(3))
        self.register_buffer("cache", torch.ones(9), persistent=False)
        self.register_parameter("nothing", None)
        self.values = torch.nn.ParameterList([torch.ones(2), torch.zeros(3)])
        self.named = torch.nn.ParameterDict({"x": torch.nn.Parameter(torch.ones(2))})
        self.loose = torch.full((2,), 7.0)


@form
def module():
    net = Net()
    return net, tensors(dict(net.state_dict())) | {"loose": reference.of_tensor(net.loose)}


@form
def module_in_dict():
    net = Net()
    return {"net": net, "step": 4}, tensors({"net": dict(net.state_dict())}) | {"net.loose": reference.of_tensor(net.loose)}


@form
def parameters():
    p = torch.nn.Parameter(raw(torch.float32, 3))
    p.grad = torch.ones(3)
    tagged = torch.nn.Parameter(raw(torch.float32, 3), requires_grad=False)
    tagged.tag = {"scale": 1}
    return {"grad": p, "tagged": tagged, "buffer": torch.nn.Buffer(raw(torch.float32, 2)),
            "leaf": raw(torch.float32, 3).requires_grad_()}


def trained():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    best = torch.optim.AdamW(net.parameters(), lr=1e-3, amsgrad=True)
    for _ in range(2):
        net(torch.randn(5, 3)).square().sum().backward()
        best.step()
    return net, best


@form
def optimizer():
    return trained()[1].state_dict()


@form
def sgd():
    net, _ = trained()
    best = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    best.step()
    return {"best": best.state_dict(), "plan": torch.optim.lr_scheduler.StepLR(best, 2).state_dict()}


class Config:
    """A class that no reader has."""

    def __init__(self, **keys):
        self.__dict__.update(keys)


@form
def lightning():
    net, best = trained()
    tree = {"epoch": 3, "global_step": 40, "pytorch-lightning_version": "2.5.0", "state_dict": net.state_dict(),
            "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": Config(total=Config(ready=1))}},
            "callbacks": {"ModelCheckpoint{'monitor': 'loss'}": {"best_model_score": torch.tensor(0.5), "dirpath": Path("x")}},
            "optimizer_states": [best.state_dict()], "lr_schedulers": [], "hparams_name": "config",
            "hyper_parameters": Config(lr=1e-3, net=Config(width=4)), "datamodule": collections.Counter(a=1)}
    return tree, tensors(net.state_dict())


@form
def checkpoint():
    net, best = trained()
    ema = {k: v * 2 for k, v in net.state_dict().items()}
    tree = {"model": net.state_dict(), "ema": ema, "optimizer": best.state_dict(), "args": argparse.Namespace(a=1)}
    want = tensors({k: tree[k] for k in ("model", "ema", "optimizer")})
    return tree, want


# --- tensors of other kinds -----------------------------------------------------------------------

@form
def subclasses():
    class_ = Tagged
    t = raw(torch.float32, 4, 5).as_subclass(class_)
    t.note = raw(torch.float32, 2)
    return {"tagged": t, "plain": raw(torch.float32, 2).as_subclass(class_)}


class Tagged(torch.Tensor):
    pass


class Wrapped(torch.Tensor):
    """A wrapper: the numbers are in other tensors, as quantizing libraries do it."""

    @staticmethod
    def __new__(cls, codes, scale):
        return torch.Tensor._make_wrapper_subclass(cls, codes.shape, dtype=torch.float32)

    def __init__(self, codes, scale):
        self.codes, self.scale = codes, scale

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function, types, args, kwargs=None):
        raise NotImplementedError(function)


@form
def wrappers():
    t = Wrapped(raw(torch.int8, 3, 4), raw(torch.float32, 3))
    return {"w": t, "b": raw(torch.float32, 2)}, None, "wrappers"


def parts(t, name=""):
    """The tensors that a sparse one is shown as."""
    names = {torch.sparse_coo: "indices values", torch.sparse_csr: "crow_indices col_indices values",
             torch.sparse_csc: "ccol_indices row_indices values"}
    names[torch.sparse_bsr], names[torch.sparse_bsc] = names[torch.sparse_csr], names[torch.sparse_csc]
    of = {"indices": t._indices, "values": t._values} if t.layout == torch.sparse_coo else {}
    shown = {n: of.get(n) or getattr(t, n) for n in names[t.layout].split()}
    shown = {n: reference.of_tensor(read()) for n, read in shown.items()}
    shown["size"] = reference.of_tensor(torch.tensor(list(t.shape)))
    return {f"{name}.{n}": v for n, v in shown.items()}


@form
def sparse():
    t = torch.eye(4) * torch.arange(1, 5) + torch.diag(torch.ones(2), 2)
    twice = torch.sparse_coo_tensor([[1, 1, 0], [2, 2, 3]], [1.0, 2.0, 3.0], (2, 4))
    tree = {"coo": t.to_sparse(), "uncoalesced": twice, "hybrid": torch.ones(3, 2, 4).to_sparse(1), "csr": t.to_sparse_csr(),
            "csc": t.to_sparse_csc(), "bsr": t.to_sparse_bsr((2, 2)), "bsc": t.to_sparse_bsc((2, 2)),
            "empty": torch.sparse_coo_tensor(size=(3, 4)), "half": t.half().to_sparse(), "dense": t}
    want = {"dense": reference.of_tensor(t)}
    for name, s in tree.items():
        if name != "dense":
            want |= parts(s, name)
    return tree, want


@form
def nested():
    t = torch.nested.nested_tensor([torch.ones(2, 3), torch.arange(12.).reshape(4, 3)])
    jagged = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)], layout=torch.jagged)
    want = {"old.values": t.values(), "old.sizes": t._nested_tensor_size(), "old.strides": t._nested_tensor_strides(),
            "old.offsets": t._nested_tensor_storage_offsets()}
    want = {n: reference.of_tensor(v) for n, v in want.items()}
    return {"old": t, "jagged": jagged}, want, "nested"


@form
def meta():
    return {"m": torch.empty(3, 4, device="meta"), "w": raw(torch.float32, 2)}, "w"


@form
def storages():
    t, h = raw(torch.float32, 3, 4), raw(torch.float16, 6)
    tree = {"typed": t.storage(), "untyped": h.untyped_storage(), "tensor": t}
    return tree, {"typed": reference.of_tensor(t.reshape(-1)), "untyped": reference.of_tensor(h.view(torch.uint8)),
                  "tensor": reference.of_tensor(t)}


# --- NumPy ----------------------------------------------------------------------------------------

@form
def arrays():
    kinds = "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 ? c8 c16 >f4 >i2 >c8".split()
    tree = {k: RANDOM.integers(0, 2 if k == "?" else 100, (3, 4)).astype(k) for k in kinds}
    a = tree["f4"]
    tree |= {"fortran": np.asfortranarray(a), "turned": a.T, "strided": a[::2, 1:], "scalar": np.array(3.5), "hollow": a[:0],
             "row": a[0], "big": np.asfortranarray(tree[">f4"])}
    want = {k: array(v) for k, v in tree.items()}
    tree |= {"objects": np.array([1, "x"], dtype=object), "strings": np.array(["a", "bc"]), "number": np.float32(1.5),
             "dates": np.array(["2024-01-01"], "M8[D]"), "records": np.zeros(2, [("a", "f4"), ("b", "i2")]), "t": raw(torch.float32, 2)}
    return tree, want | {"t": reference.of_tensor(tree["t"])}


# --- quantized ------------------------------------------------------------------------------------

@form
def quantized():
    x = torch.randn(6, 5, 3, 2) * 4
    tree = {}
    for d in (torch.qint8, torch.quint8):
        name = str(d).removeprefix("torch.")
        zero = 3 if d == torch.qint8 else 130
        tree[f"{name}.tensor"] = torch.quantize_per_tensor(x, 0.1, zero, d)
        tree[f"{name}.turned"] = torch.quantize_per_tensor(x, 0.37, zero, d).permute(3, 1, 0, 2)
        tree[f"{name}.last"] = torch.quantize_per_tensor(x, 0.1, zero, d).contiguous(memory_format=torch.channels_last)
        tree[f"{name}.scalar"] = torch.quantize_per_tensor(x[0, 0, 0, 0], 0.1, zero, d)
        tree[f"{name}.row"] = torch.quantize_per_tensor(x[0, 0, 0], 0.1, zero, d)
        tree[f"{name}.part"] = torch.quantize_per_tensor(x, 0.1, zero, d)[2:4]
        for axis in range(4):
            n = x.shape[axis]
            tree[f"{name}.axis{axis}"] = torch.quantize_per_channel(x, torch.rand(n) + .05, torch.arange(n) + zero, axis, d)
    tree["floats"] = torch.quantize_per_channel(x, torch.rand(6) + .05, torch.rand(6), 0, torch.quint8)
    for rows, columns in ((3, 5), (4, 8), (1, 7)):
        for d in (torch.quint4x2, torch.quint2x4):
            t = torch.randn(rows, columns)
            tree[f"{str(d)[6:]}.{columns}"] = torch.quantize_per_channel(t, torch.rand(rows) + .1, torch.rand(rows), 0, d)
    return tree, None, "quantized"


@form
def quantized_integers():
    q = torch.quantize_per_tensor(torch.randn(3, 4) * 9, 0.01, 5, torch.qint32)
    e = torch.quantize_per_tensor(torch.empty(0, 4), 0.1, 5, torch.qint8)
    return {"q": q, "e": e}, {"q": reference.of_tensor(q.int_repr()), "e": reference.of_tensor(e.int_repr())}


def check_quantized(path, tree, what):
    """Names, and the numbers as safetensors: dequantize()'s, bit for bit (an ulp where a scale is an F64)."""
    out = work / "out.safetensors"
    peers.tool("phi-repack", "-q", "--force", "--no-sync", path, "-o", out)
    have = load(out)
    wrong = [f"{n}: {have.get(n)} for {t.dequantize()}" for n, t in tree.items()
             if n not in have or have[n].dtype != torch.float32 or not torch.equal(have[n], t.dequantize())]
    shown = {t["name"]: t for t in peers.inspect(path)["tensors"]}
    wrong += [n for n, t in tree.items() if shown[n]["shape"] != list(t.shape) or
              shown[n]["dtype"] != f"{str(t.dtype)[6:].upper()} "
              f"{'TENSOR' if t.qscheme() == torch.per_tensor_affine else 'CHANNEL'} F32 ZP"]
    peers.check(not wrong and set(shown) == set(tree), f"{what}: {len(tree)} tensors", str(wrong[:1]))


def load(path):
    from safetensors.torch import load_file
    return load_file(path)


# --- the containers -------------------------------------------------------------------------------

def big_endian(tree, path):
    """Saves the tree as a big-endian machine does: each number of each storage in the other order, and a record."""
    buffer = io.BytesIO()
    torch.save(tree, buffer)
    source = zipfile.ZipFile(buffer)
    by_content = {}
    for _, t in reference.flatten(tree):
        by_content[bytes(t.untyped_storage())] = t.element_size() // (2 if t.dtype.is_complex else 1)
    with zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            if "/data/" in info.filename and data:
                data = np.frombuffer(data, f"u{by_content[data]}").byteswap().tobytes()
            elif info.filename.endswith("/byteorder"):
                data = b"big"
            target.writestr(info.filename, data)


def deflate(path):
    source = zipfile.ZipFile(path)
    entries = [(i.filename, source.read(i)) for i in source.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in entries:
            target.writestr(name, data)


CONTAINERS = {"zip": {}, "protocol 3": {"pickle_protocol": 3}, "protocol 4": {"pickle_protocol": 4},
              "protocol 5": {"pickle_protocol": 5}, "legacy": {"_use_new_zipfile_serialization": False},
              "legacy 4": {"_use_new_zipfile_serialization": False, "pickle_protocol": 4}, "deflated": {}}


def expected(made):
    """(tree, what is to be seen, how to check it) of what a form returns."""
    tree, want, kind = (*made, None, None)[:3] if isinstance(made, tuple) and len(made) > 1 else (made, None, None)
    if want is None and kind in (None, "tensor"):
        want = {name or "tensor": reference.of_tensor(t) for name, t in reference.flatten(tree)}
    elif isinstance(want, str):
        want = {want: reference.of_tensor(tree[want])}
    return tree, want, kind


def compare(path, tree, want, kind, what):
    if kind == "quantized":
        return check_quantized(path, tree, what)
    have = reference.ours(path)
    if kind == "wrappers":
        want = {"b": reference.of_tensor(tree["b"]), "w.codes": reference.of_tensor(tree["w"].codes),
                "w.scale": reference.of_tensor(tree["w"].scale)}
    if kind == "nested":
        jagged = tree["jagged"]
        want = dict(want, **{"jagged.values": reference.of_tensor(jagged.values()),
                             "jagged.offsets": reference.of_tensor(jagged.offsets())})
        have = {n: v for n, v in have.items() if n in want or not n.startswith("jagged.")}
    wrong = reference.difference(want, have)
    peers.check(not wrong, f"{what}: {len(want)} tensors", wrong)


def run(name, make):
    for container, options in CONTAINERS.items():
        what, path = f"{name}, {container}", work / "form.pt"
        try:
            tree, want, kind = expected(make())
            torch.save(tree, path, **options)
            if container == "deflated":
                deflate(path)
        except Exception as e:  # what torch itself cannot save in this way is no form
            print(f"none   {what}: torch: {str(e)[:80]}")
            continue
        try:
            compare(path, tree, want, kind, what)
        except peers.Failure as e:
            peers.check(False, what, str(e))


def orders():
    for name in ("dtypes", "views", "conjugated", "negated", "parameters", "optimizer"):
        try:
            tree, want, _ = expected(forms[name]())
            big_endian(tree, work / "big.pt")
            wrong = reference.difference(want, reference.ours(work / "big.pt"))
            peers.check(not wrong, f"{name}, big-endian: {len(want)} tensors", wrong)
        except peers.Failure as e:
            peers.check(False, f"{name}, big-endian", str(e))


class Script(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = torch.nn.Linear(4, 3)
        self.register_buffer("table", raw(torch.int64, 5))
        self.many = torch.nn.ModuleList([torch.nn.Conv1d(3, 2, 1), torch.nn.BatchNorm1d(2)])

    def forward(self, x):
        return self.many[1](self.many[0](self.lin(x).unsqueeze(-1))) + self.table.sum() + torch.ones(1)


def scripts():
    net = Script().eval()
    made = {"scripted": torch.jit.script(net), "traced": torch.jit.trace(net, torch.ones(2, 4))}
    for name, script in made.items():
        for deflated in (False, True):
            what, path = f"TorchScript, {name}{', deflated' if deflated else ''}", work / "script.pt"
            script.save(str(path))
            if deflated:
                deflate(path)
            try:
                want, have = reference.of_script(path), reference.ours(path)
                own = {n: v for n, v in have.items() if not n.startswith("constants.")}
                peers.check(not (wrong := reference.difference(want, own)), f"{what}: {len(want)} tensors", wrong)
            except peers.Failure as e:
                peers.check(False, what, str(e))
    frozen = torch.jit.freeze(made["scripted"])
    frozen.save(str(work / "frozen.pt"))
    want = sorted(reference.of_tensor(t) for t in net.state_dict().values() if t.numel() in (12, 3))
    have = sorted(v for n, v in reference.ours(work / "frozen.pt").items() if v in want)
    peers.check(have == want, "TorchScript, frozen: the weights are among the constants", f"{have} for {want}")
    made["scripted"]._save_for_lite_interpreter(str(work / "lite.ptl"))
    try:
        want = tensors(dict(net.state_dict()))
        have = {n: v for n, v in reference.ours(work / "lite.ptl").items() if not n.startswith("constants.")}
        peers.check(not (wrong := reference.difference(want, have)), "TorchScript, .ptl", wrong)
    except peers.Failure as e:
        peers.check(False, "TorchScript, .ptl", str(e))


def refused():
    """Each says what it is, in one line."""
    from torch.package import PackageExporter
    with PackageExporter(work / "package.pt") as out:
        out.save_pickle("model", "weights.pkl", {"w": torch.ones(2)})
    try:
        peers.tool("phi-inspect", work / "package.pt")
        peers.check(False, "a torch.package is refused")
    except peers.Failure as e:
        peers.check("torch.package" in str(e), "a torch.package is refused", str(e))
    torch.save({"none": 1}, work / "none.pt")
    try:
        peers.tool("phi-inspect", work / "none.pt")
        peers.check(False, "a file without tensors is refused")
    except peers.Failure as e:
        peers.check("no tensor" in str(e), "a file without tensors is refused", str(e))


names = sys.argv[1:]
for name, make in forms.items():
    if not names or name in names:
        run(name, make)
for extra in (orders, scripts, refused):
    if not names or extra.__name__ in names:
        extra()
peers.finish()
