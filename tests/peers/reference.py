"""What a model file holds, as the format's own library reads it: tensors as (dtype, shape, sha256 of the contiguous
little-endian bytes), by name. Trees of PyTorch are flattened depth first, keys joined by dots."""
import hashlib
import pickle
import types

import peers
import numpy as np
import torch
from safetensors import safe_open

TORCH = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
         "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL", "uint16": "U16", "uint32": "U32",
         "uint64": "U64", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "complex64": "C64",
         "complex128": "C128", "complex32": "C32", "float8_e4m3fnuz": "F8_E4M3FNUZ",
         "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e8m0fnu": "F8_E8M0", "float4_e2m1fn_x2": "F4",
         "bits8": "U8", "bits1x8": "U8", "bits2x4": "U8", "bits4x2": "U8", "bits16": "U16"}


def digest(data):
    return hashlib.sha256(data).hexdigest()


def of_tensor(t):
    t = t.detach()
    dtype, shape = TORCH[str(t.dtype).removeprefix("torch.")], list(t.shape)
    if dtype == "F4":  # pairs: a single one stays a byte
        dtype, shape = ("F4", shape[:-1] + [2 * shape[-1]]) if shape else ("U8", shape)
    elif not str(t.dtype).startswith("torch.bits"):
        t = t.resolve_conj().resolve_neg()
    if t.numel() and t.element_size() == 1:
        raw = t.view(torch.uint8).contiguous().reshape(-1).numpy().tobytes()
    elif dtype == "U16":
        raw = t.view(torch.uint16).contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    else:
        raw = t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b""
    return dtype, shape, digest(raw)


class Opaque:
    """Stands for every class that is not PyTorch's own; nothing of a package is imported or run."""

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        self.state = state

    def __hash__(self):
        return id(self)

    def append(self, item):
        pass

    def extend(self, items):
        pass

    def __setitem__(self, key, value):
        pass


class Dict(dict):
    """An OrderedDict that takes the attributes a state_dict brings along."""


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if module.split(".")[0] == "torch" and (name.startswith("_rebuild") or name.endswith("Storage") or
                                                isinstance(getattr(torch, name, None), torch.dtype) or
                                                name in ("Size", "device", "Tensor", "Parameter")):
            return super().find_class(module, name)
        if (module, name) == ("collections", "OrderedDict"):
            return Dict
        return type(name, (Opaque,), {})


loader = types.ModuleType("loader")
loader.Unpickler, loader.load = Unpickler, lambda file, **options: Unpickler(file, **options).load()

# Where a training checkpoint has one of these, and it holds tensors, that is the model; the rest is left out.
MODEL_KEYS = ("state_dict", "model_state_dict", "model", "module", "model_state", "net", "generator", "params",
              "params_ema", "ema")


def flatten(value, name=""):
    """(name, tensor) of every tensor in dicts, lists and tuples."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from flatten(item, f"{name}.{i}" if name else str(i))


def of_pytorch(path):
    tree = torch.load(path, map_location="cpu", pickle_module=loader, weights_only=False)
    def holds(value):
        return isinstance(value, dict) and any(isinstance(v, torch.Tensor) for v in value.values())
    views = [k for k in MODEL_KEYS if isinstance(tree, dict) and not holds(tree) and holds(tree.get(k))]
    return {name: of_tensor(t) for name, t in flatten(tree[views[0]] if len(views) == 1 else tree)}


def of_script(path):
    """Parameters and buffers; a TorchScript archive may hold more tensors than its module names."""
    return {name: of_tensor(t) for name, t in torch.jit.load(path, map_location="cpu").state_dict().items()}


def of_safetensors(path):
    with safe_open(path, framework="pt") as f:
        return {name: of_tensor(f.get_tensor(name)) for name in f.keys()}


NUMPY = {"f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64", "u1": "U8", "u2": "U16",
         "u4": "U32", "u8": "U64", "b1": "BOOL", "c8": "C64", "c16": "C128"}


def of_array(a):
    little = np.asarray(a, order="C").astype(a.dtype.newbyteorder("<"))
    return NUMPY[little.dtype.str[1:]], list(a.shape), digest(little.tobytes())


def of_numpy(path):
    with np.load(path, allow_pickle=False) as z:
        return {name: of_array(z[name]) for name in z.files}


def of_gguf(path):
    import gguf
    out = {}
    for t in gguf.GGUFReader(path).tensors:
        raw = np.ascontiguousarray(t.data).tobytes()
        out[t.name] = (t.tensor_type.name, [int(n) for n in reversed(t.shape)], digest(raw))
    return out


def gguf_keys(path):
    """Keys and values of a GGUF file, F32 as the nearest double of what phi-inspect prints."""
    import gguf
    F32 = gguf.GGUFValueType.FLOAT32
    out = {}
    for key, field in gguf.GGUFReader(path).fields.items():
        if key.startswith("GGUF."):
            continue
        value = field.contents()
        if F32 in field.types:
            value = [np.float32(v) for v in value] if isinstance(value, list) else np.float32(value)
        out[key] = value
    return out


def ours(path, *args):
    """The same of our own tools: phi-inspect --json --sum."""
    return {t["name"]: (t["dtype"], t["shape"], t["sha256"]) for t in peers.inspect(path, "--sum", *args)["tensors"]}


def difference(want, have):
    """'' or one line: which names are missing or too many, else the first tensor that differs."""
    missing, extra = [n for n in want if n not in have], [n for n in have if n not in want]
    if missing or extra:
        return f"missing {missing[:3]} ({len(missing)}), too many {extra[:3]} ({len(extra)})"
    return next((f"{n}: {have[n]} for {want[n]}" for n in want if have[n] != want[n]), "")
