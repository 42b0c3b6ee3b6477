#!/usr/bin/env python3
"""phi-quant's options against llama_model_quantize's, whole files: --pure, --output-type, --embedding-type, --rule,
copy, --keep-split, --compat; and from a Hugging Face folder in one pass, direct and piped."""
import shutil
import subprocess
import sys
from pathlib import Path

import peers
from convert import convert
import gguf
import numpy as np

import ggml
from quantizable import Model, quotient, work, write_gguf

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402


def ours(*args, out=work / "ours.gguf"):
    peers.tool("phi-quant", "-q", "--no-sync", "--force", *args, "-o", out)


def same(what, theirs, args, a=work / "ours.gguf", b=work / "theirs.gguf"):
    """One file of theirs, made by a function, one of ours."""
    try:
        theirs()
        ours(*args)
    except peers.Failure as e:
        peers.check(False, what, str(e))
        return
    wrong = peers.first_difference(a, b)
    peers.check(not wrong, what, wrong)


def compare(what, model, recipe, args, **options):
    options.setdefault("pure", False)
    same(what, lambda: ggml.quantize_file(model.path, work / "theirs.gguf", recipe, **options),
         ["-t", recipe, *args, model.path])


def choices(model):
    for recipe in ("q4_k_m", "q5_0", "iq4_xs", "mxfp4_moe", "q3_k_l"):
        n = f"{model.name} {recipe}"
        compare(f"{n} pure", model, recipe, ["--pure"], pure=True)
        compare(f"{n} output q8_0", model, recipe, ["--output-type", "Q8_0"], output="q8_0")
        compare(f"{n} embedding q5_k, output q4_0", model, recipe, ["--embedding-type", "q5_K", "--output-type", "Q4_0"],
                output="q4_0", embedding="q5_k")
        compare(f"{n} rules", model, recipe, ["--compat", "llama.cpp", "--rule", r"/blk\.[0-3]\.ffn_down/=Q5_1",
                                              "--rule", "*attn_v.weight=Q8_0"],
                rules=[("attn_v.weight$", "q8_0"), (r"blk\.[0-3]\.ffn_down", "q5_1")])
        compare(f"{n} leave output", model, recipe, ["--keep", "output.weight"], keep_output=True)
    compare(f"{model.name} copy", model, "copy", [], copy=True)


def unnamed():
    """A copy of a file that does not say its type."""
    for dtype in (np.float16, np.float32):
        model = Model("unnamed", layers=2, dtype=dtype, file_type=None)
        compare(f"copy of an unnamed {dtype.__name__} file", model, "copy", [], copy=True)


def quantized_already(model):
    """From files whose weights are blocks: decoded, then quantized as any."""
    for first in ("q8_0", "q4_k_m", "q3_k_s", "iq4_nl", "tq2_0", "mxfp4_moe"):
        source = work / "blocks.gguf"
        ours("-t", first, model.path, out=source)
        for recipe in ("q4_k_m", "q5_1"):
            same(f"{first} to {recipe}", lambda: ggml.quantize_file(source, work / "theirs.gguf", recipe, pure=False),
                 ["-t", recipe, "--from-quantized", source])


def split():
    model = Model("split", layers=5, experts=4)
    folder = work / "parts"
    folder.mkdir()
    peers.tool("phi-repack", "--split-count", 4, model.path, "-o", folder / "m.gguf")
    first = folder / "m-00001-of-00004.gguf"
    of = {n: quotient(v, 7) for n, v in model.importance(False).items()}
    write_gguf(work / "split.imatrix", model.importance(False))
    keys = [("quantize.imatrix.file", str(work / "split.imatrix")), ("quantize.imatrix.dataset", "calibration.txt"),
            ("quantize.imatrix.entries_count", len(of)), ("quantize.imatrix.chunks_count", 11)]
    for what, args, options in (("", [], {}), (" with importance", ["--imatrix", work / "split.imatrix"],
                                               {"imatrix": of, "keys": keys})):
        try:
            ggml.quantize_file(first, folder / "theirs", "q4_0", pure=False, keep_split=True, **options)
            ours("-t", "q4_0", "--keep-split", *args, first, out=folder / "ours.gguf")
        except peers.Failure as e:
            peers.check(False, f"keep-split{what}", str(e))
            continue
        for i in range(1, 5):
            end = f"-{i:05d}-of-00004.gguf"
            wrong = peers.first_difference(folder / f"ours{end}", folder / f"theirs{end}")
            peers.check(not wrong, f"keep-split{what}: part {i}", wrong)
    same("a split input to one file", lambda: ggml.quantize_file(first, work / "theirs.gguf", "q5_k_m", pure=False),
         ["-t", "q5_k_m", first])


def faults():
    """What is wrong there: the same with --compat, right without."""
    model = Model("aligned", layers=3, alignment=64)
    compare("alignment 64, as llama-quantize", model, "q8_0", ["--compat", "llama.cpp"])
    ours("-t", "f32", model.path)
    have = {t.name: t.data for t in gguf.GGUFReader(work / "ours.gguf").tensors}
    want = {t.name: t.data.astype(np.float32) for t in gguf.GGUFReader(model.path).tensors}
    peers.check(all(np.array_equal(have[n], want[n]) for n in want), "alignment 64: the data is where readers look")
    model = Model("nul", layers=2, text="ab\0cd", texts=["a\0b", "c"])
    compare("NUL in strings, as llama-quantize", model, "q8_0", ["--compat", "llama.cpp"])
    ours("-t", "q8_0", model.path)
    said = peers.inspect(work / "ours.gguf")["metadata"]
    peers.check(said["test.text"] == "ab\0cd" and said["test.texts"] == ["a\0b", "c"], "NUL in strings: kept")


def zeros_in_iq3_s():
    """A sub-block of zeros: there, all after it in its block is wrong; here only with --compat."""
    model = Model("zeros", layers=2, zeros=True)
    args = ["-t", "iq3_s", "--pure"]
    compare("IQ3_S with a sub-block of zeros, as llama-quantize", model, "iq3_s", ["--pure", "--compat", "llama.cpp"],
            pure=True)
    errors = []
    for extra in ([], ["--compat", "llama.cpp"]):
        ours(*args, *extra, model.path)
        ours("-t", "f32", "--from-quantized", work / "ours.gguf", out=work / "back.gguf")
        have, want = ({t.name: t.data.astype(np.float64) for t in gguf.GGUFReader(p).tensors}
                      for p in (work / "back.gguf", model.path))
        x, y = have["blk.0.ffn_up.weight"], want["blk.0.ffn_up.weight"]
        errors.append(float(np.sqrt(((x - y)**2).mean() / (y**2).mean())))
    peers.check(errors[0] < 0.2 < 0.5 < errors[1], "IQ3_S with a sub-block of zeros, right by default", str(errors))


def rules_change_no_others(model):
    """The default: what no rule names is as without it."""
    args = ["--rule", "blk.0.attn_v.weight=Q5_0"]
    types = []
    for extra in ([], args):
        ours("-t", "q4_k_m", *extra, model.path)
        types.append({t.name: t.tensor_type.name for t in gguf.GGUFReader(work / "ours.gguf").tensors})
    differ = {n for n in types[0] if types[0][n] != types[1][n]}
    peers.check(differ == {"blk.0.attn_v.weight"}, "a rule changes what it names", str(differ))


def before_2026():
    """attn_qkv of Phi-3 as Microsoft's own file has it (facts/gguf.md 0.4): 32 Q5_K."""
    model = Model("phi3-32", arch="phi3", fused=True, layers=32)
    ours("-t", "q4_k_m", "--compat", "llama.cpp-2025", model.path)
    count = {}
    for t in gguf.GGUFReader(work / "ours.gguf").tensors:
        count[t.tensor_type.name] = count.get(t.tensor_type.name, 0) + 1
    peers.check((count["Q4_K"], count["Q5_K"], count["Q6_K"]) == (81, 32, 17), "phi3 q4_k_m before 2026", str(count))


def weighed(what, folder):
    """The same with importance for every matrix but those of the first layer."""
    sizes = {t.name: int(t.shape[0]) for t in gguf.GGUFReader(work / "lossless.gguf").tensors
             if t.name.startswith("blk.") and not t.name.startswith("blk.0.") and len(t.shape) == 2}
    rng = np.random.Generator(np.random.PCG64(3))
    of = {n: rng.exponential(1, (1, k)).astype(np.float32) for n, k in sizes.items()}
    write_gguf(work / "hf.imatrix", of)
    keys = [("quantize.imatrix.file", str(work / "hf.imatrix")), ("quantize.imatrix.dataset", "calibration.txt"),
            ("quantize.imatrix.entries_count", len(of)), ("quantize.imatrix.chunks_count", 11)]
    same(f"{what} with importance", lambda: ggml.quantize_file(
        work / "lossless.gguf", work / "theirs.gguf", "q4_k_m", pure=False, keys=keys,
        imatrix={n: quotient(v, 7) for n, v in of.items()}),
         ["-t", "q4_k_m", "--imatrix", work / "hf.imatrix", folder])
    ggml.quantize_file(work / "lossless.gguf", work / "theirs.gguf", "q4_k_m", pure=False)


def folders():
    """HF folder to a recipe in one pass = the converter's lossless file, quantized there; direct and piped."""
    folders = {"phi-tiny": peers.ROOT / "fixtures" / "phi-tiny", **checkpoints.make(work / "hf")}
    lossless = {"Phi-3-mini-4k-test": "f32", "phi-4": "f16", "phi-2": "f16"}
    for name, folder in folders.items():
        outtype = lossless.get(name, "bf16")
        try:
            convert(folder, work / "lossless.gguf", outtype, checkpoints.PRE.get(name, "gpt-4o"))
        except peers.Failure as e:
            peers.check(False, f"{name}: the converter", str(e))
            continue
        for recipe in ("q4_k_m", "q5_1", "iq4_nl", "q2_k"):
            what = f"{name} ({outtype}) to {recipe} in one pass"
            same(what, lambda: ggml.quantize_file(work / "lossless.gguf", work / "theirs.gguf", recipe, pure=False),
                 ["-t", recipe, folder])
            if recipe == "q4_k_m":
                weighed(what, folder)
            piped = subprocess.run(f"'{peers.TOOLS}/phi-repack' -q '{folder}' | '{peers.TOOLS}/phi-quant' -q -t {recipe} | "
                                   f"'{peers.TOOLS}/phi-repack' -q --force -o '{work}/piped.gguf'", shell=True,
                                   capture_output=True, text=True)
            wrong = piped.stderr or peers.first_difference(work / "piped.gguf", work / "theirs.gguf")
            peers.check(not wrong, f"{what}, piped", wrong)


gqa, tied, moe, fused = (Model("gqa", heads=8, kv=2, layers=17), Model("tied", kv=4, layers=9, tied=True),
                         Model("moe", experts=8, layers=8), Model("fused", arch="phi3", fused=True, layers=10))
for m in (gqa, tied, moe, fused):
    choices(m)
unnamed()
quantized_already(moe)
split()
faults()
zeros_in_iq3_s()
rules_change_no_others(gqa)
before_2026()
folders()
peers.finish()
