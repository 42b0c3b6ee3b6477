#!/usr/bin/env python3
"""Every recipe against llama_model_quantize, whole files: models with and without grouped heads, experts, tied
embeddings, rows that no block divides; without importance, with it, with a part of it.

    test_recipes.py [RECIPE...]
"""
import itertools
import struct
import sys

import peers
import gguf
import numpy as np

import ggml

work = peers.scratch()

# What cannot be compared: llama_model_quantize refuses it.
NEEDY = {"q2_k_s", "iq3_xs", "iq3_xxs", "iq2_m", "iq2_s", "iq2_xs", "iq2_xxs", "iq1_m", "iq1_s"}  # without importance


class Model:
    """A GGUF of small matrices with the names and keys of an architecture; importance for its matrices."""

    def __init__(self, name, arch="llama", layers=8, heads=8, kv=8, row=256, ff=512, experts=0, tied=False, fused=False,
                 kv_b=False, dtype=np.float16, seed=1, extra=()):
        self.path, self.name = work / f"{name}.gguf", name
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.dtype, self.shapes = dtype, {}
        self.w = w = gguf.GGUFWriter(self.path, arch)
        w.add_string("general.name", name)
        w.add_block_count(layers)
        w.add_context_length(512)
        w.add_embedding_length(row)
        w.add_feed_forward_length(ff)
        w.add_head_count(heads)
        w.add_head_count_kv(kv)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_layer_norm_eps(1e-5)
        w.add_rope_dimension_count(row // heads)
        if arch == "phi3":
            w.add_rope_scaling_orig_ctx_len(512)
        if experts:
            w.add_expert_count(experts)
            w.add_expert_used_count(2)
        w.add_file_type(1)
        w.add_tokenizer_model("none") if arch != "phi3" else None
        self.matrix("token_embd.weight", 24, row)
        if not tied:
            self.matrix("output.weight", 24, row)
        self.vector("output_norm.weight", row)
        for name, shape in extra:
            self.matrix(name, *shape)
        for i in reversed(range(layers)):  # an order that is not llama-quantize's
            self.layer(f"blk.{i}.", row, ff, experts, fused, kv_b)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()

    def layer(self, p, row, ff, experts, fused, kv_b):
        self.vector(p + "attn_norm.weight", row)
        if fused:
            self.matrix(p + "attn_qkv.weight", 6, row)
        else:
            for x in "qkv":
                self.matrix(f"{p}attn_{x}.weight", 3, row)
            self.vector(p + "attn_q.bias", 3)
        if kv_b:
            self.matrix(p + "attn_kv_b.weight", 2, row)
        self.matrix(p + "attn_output.weight", 4, row)
        self.vector(p + "ffn_norm.weight", row)
        if experts:
            self.matrix(p + "ffn_gate_inp.weight", experts, row, np.float32)
            for x, (rows, columns) in {"gate": (2, row), "up": (2, row), "down": (2, ff)}.items():
                self.matrix(f"{p}ffn_{x}_exps.weight", experts, rows, columns)
        else:
            if not fused:
                self.matrix(p + "ffn_gate.weight", 3, row)
            self.matrix(p + "ffn_up.weight", 3, row)
            self.matrix(p + "ffn_down.weight", 3, ff)

    def matrix(self, name, *shape):
        dtype = shape[-1] if isinstance(shape[-1], type) else self.dtype
        shape = [n for n in shape if not isinstance(n, type)]
        self.shapes[name] = shape
        self.w.add_tensor(name, (self.rng.standard_normal(shape) * 0.05).astype(dtype))

    def vector(self, name, n):
        self.w.add_tensor(name, self.rng.standard_normal(n).astype(np.float32))

    def importance(self, partial):
        """name -> F32 array; a part: every third matrix has none, of experts the second got no data."""
        rng = np.random.Generator(np.random.PCG64(5))
        of = {}
        for i, (name, shape) in enumerate(sorted(self.shapes.items())):
            values = rng.exponential(1, [shape[0] if len(shape) == 3 else 1, shape[-1]]).astype(np.float32)
            if name.startswith("blk.") and not (partial and i % 3 == 2):
                of[name] = values
        return of


def write_gguf(path, of, counts=7, unseen=()):
    """An imatrix as llama-imatrix writes it now: sums of squares and counts."""
    w = gguf.GGUFWriter(path, "")
    w.kv_data[0].clear()
    w.add_type("imatrix")
    w.add_array("imatrix.datasets", ["calibration.txt", "second.txt"])
    w.add_uint32("imatrix.chunk_count", 11)
    w.add_uint32("imatrix.chunk_size", 512)
    for name, values in sorted(of.items()):
        n = np.full((len(values), 1), counts, np.float32)
        if name in unseen:
            n[1] = 0
        w.add_tensor(name + ".in_sum2", values * np.float32(counts))
        w.add_tensor(name + ".counts", n)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_legacy(path, of, calls=3, dataset="calibration.txt"):
    with open(path, "wb") as f:
        f.write(struct.pack("<i", len(of)))
        for name, values in sorted(of.items()):
            f.write(struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", calls, values.size))
            f.write((values * np.float32(calls)).tobytes())
        f.write(struct.pack("<ii", 9, len(dataset)) + dataset.encode())


def quotient(values, n):
    """What llama-quantize makes of the sums in a file."""
    return values * np.float32(n) / np.float32(n)


def models():
    yield Model("mha")
    yield Model("gqa", heads=8, kv=2, layers=17)
    yield Model("bf16", heads=8, kv=4, layers=33, ff=256, dtype=np.float32)
    yield Model("tied", heads=6, kv=2, layers=12, row=384 * 2, tied=True)
    yield Model("phi3", arch="phi3", fused=True, layers=16, ff=768)
    yield Model("phi3-gqa-tied", arch="phi3", heads=8, kv=2, fused=True, tied=True, layers=33)
    yield Model("experts8", heads=8, kv=2, experts=8, layers=10)
    yield Model("experts16", arch="phimoe", heads=8, kv=2, experts=16, layers=9)
    yield Model("experts4", arch="qwen2moe", experts=4, layers=8)
    yield Model("odd", row=96, ff=320, layers=9)
    yield Model("odd-tied", row=320, ff=544, layers=8, tied=True, kv=2)
    yield Model("falcon", arch="falcon", fused=True, layers=33, heads=8, kv=8)
    yield Model("llama-70b", layers=80, heads=8, kv=1, row=256, ff=256)
    yield Model("llama-65b", layers=80, heads=8, kv=8, row=256, ff=256)
    yield Model("latent", kv_b=True, layers=9, extra=[("per_layer_token_embd.weight", (8, 256)),
                                                       ("blk.0.ssm_conv1d.weight", (4, 256)), ("other.weight", (5, 256))])


KINDS = ["none", "full", "partial"]


def compare(model, recipe, kind, jobs):
    """One file of theirs, one of ours."""
    what = f"{model.name} {recipe} importance {kind} -j{jobs}"
    of = {} if kind == "none" else model.importance(kind == "partial")
    args, keys = [], []
    if of:
        path = work / f"{model.name}-{kind}.imatrix"
        if kind == "full":
            unseen = [n for n, v in of.items() if len(v) > 1][:2]
            write_gguf(path, of, 7, unseen)
            of = {n: quotient(v, 7) for n, v in of.items()}
            for n in unseen:
                of[n][1] = 1
        else:
            write_legacy(path, of)
            of = {n: quotient(v, 3) for n, v in of.items()}
        args = ["--imatrix", path]
        keys = [("quantize.imatrix.file", str(path)), ("quantize.imatrix.dataset", "calibration.txt"),
                ("quantize.imatrix.entries_count", len(of)),
                ("quantize.imatrix.chunks_count", 11 if kind == "full" else 9)]
    try:
        ggml.quantize_file(model.path, work / "theirs.gguf", recipe, pure=False, imatrix=of, keys=keys)
    except peers.Failure:
        refused(model, recipe, args, what)
        return
    try:
        peers.tool("phi-quant", "-q", "--no-sync", "--force", "-j", jobs, "-t", recipe, *args, model.path, "-o",
                   work / "ours.gguf")
    except peers.Failure as e:
        peers.check(False, what, str(e))
        return
    wrong = peers.first_difference(work / "ours.gguf", work / "theirs.gguf")
    peers.check(not wrong, what, wrong + (types_differ() if wrong else ""))


def types_differ():
    a, b = ({t.name: t.tensor_type.name for t in gguf.GGUFReader(work / f).tensors} for f in ("ours.gguf", "theirs.gguf"))
    return "".join(f"; {n}: {a.get(n)} theirs {b[n]}" for n in b if a.get(n) != b[n])[:300]


def refused(model, recipe, args, what):
    """They refuse: for lack of importance, as we do, or since rows are no whole blocks, where we take F16."""
    run = peers.subprocess.run([peers.TOOLS / "phi-quant", "-q", "--no-sync", "--force", "-t", recipe, *args, model.path,
                                "-o", work / "ours.gguf"], capture_output=True, text=True)
    if run.returncode == 0:
        types = {t.tensor_type.name for t in gguf.GGUFReader(work / "ours.gguf").tensors}
        peers.check("F16" in types, f"{what}: refused there, F16 here", str(types))
    else:
        peers.check("is not made without importance" in run.stderr, f"{what}: refused there and here", run.stderr)


wanted = sys.argv[1:] or list(ggml.FTYPE)
for number, (model, recipe) in enumerate(itertools.product(models(), [r for r in wanted if r != "nvfp4"])):
    for kind in KINDS:
        compare(model, recipe, kind, 1 if number % 2 else 8)
peers.finish()
