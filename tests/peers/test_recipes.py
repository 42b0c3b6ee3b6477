#!/usr/bin/env python3
"""Every recipe against llama_model_quantize, whole files: models with and without grouped heads, experts, tied
embeddings, rows that no block divides; without importance, with it, with a part of it.

    test_recipes.py [RECIPE...]
"""
import itertools
import subprocess
import sys

import peers
import numpy as np

import ggml
from quantizable import Model, quotient, work, write_gguf, write_legacy


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
    yield Model("qwen2-72b", arch="qwen2", layers=80, heads=8, kv=2, row=256, ff=256)
    yield Model("olmo-70b", arch="olmo", layers=80, heads=8, kv=8, row=256, ff=256)
    yield Model("jais2-70b", arch="jais2", layers=68, heads=8, kv=8, row=256, ff=256)
    yield Model("latent", kv_b=True, layers=9, extra=[("per_layer_token_embd.weight", (8, 256)),
                                                       ("blk.0.ssm_conv1d.weight", (4, 256)), ("other.weight", (5, 256))])


def kinds(model):
    """Which tensors lack importance does not depend on how many layers there are: not tried on the deep ones."""
    return ["none", "full"] if model.layers > 40 else ["none", "full", "partial"]


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
    a, b = ({t["name"]: t["dtype"] for t in peers.inspect(work / f)["tensors"]} for f in ("ours.gguf", "theirs.gguf"))
    return "".join(f"; {n}: {a.get(n)} theirs {b[n]}" for n in b if a.get(n) != b[n])[:300]


def refused(model, recipe, args, what):
    """They refuse: for lack of importance, as we do, or since rows are no whole blocks, where we take F16."""
    run = subprocess.run([peers.TOOLS / "phi-quant", "-q", "--no-sync", "--force", "-t", recipe, *args, model.path,
                                "-o", work / "ours.gguf"], capture_output=True, text=True)
    if run.returncode == 0:
        types = {t["dtype"] for t in peers.inspect(work / "ours.gguf")["tensors"]}
        peers.check("F16" in types, f"{what}: refused there, F16 here", str(types))
    else:
        peers.check("is not made without importance" in run.stderr, f"{what}: refused there and here", run.stderr)


wanted = sys.argv[1:] or list(ggml.FTYPE)
for number, (model, recipe) in enumerate(itertools.product(models(), [r for r in wanted if r != "nvfp4"])):
    for kind in kinds(model):
        compare(model, recipe, kind, 1 if number % 2 else 8)
peers.finish()
