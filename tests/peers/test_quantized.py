#!/usr/bin/env python3
"""Q8_0 and Q4_0 against libggml and llama_model_quantize: whole files and blocks of nasty numbers, both ways."""
import sys

import peers
from convert import convert  # its gguf is the one with all types
import gguf
import numpy as np

import ggml

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402

work = peers.scratch()
TYPES = {"q8_0": ggml.Q8_0, "q4_0": ggml.Q4_0}


def nasty(columns):
    """F32 rows of what breaks quantizers: ties, zeros, signs, denormals, extremes of F16, one large element."""
    rng = np.random.Generator(np.random.PCG64(11))
    n = columns
    rows = [np.zeros(n), -np.zeros(n), np.ones(n), -np.ones(n), np.arange(n) - n / 2, np.where(np.arange(n) % 2, 1, -1),
            np.full(n, 65504.0), np.full(n, 1e-8), np.full(n, 6e-8), np.full(n, 1e-40), np.full(n, -1e-45),
            np.tile([127.0, -127.0, 0.5, -0.5, 1.5, 2.5, 63.5, -63.5], n // 8),
            np.tile([8.0, -8.0, 7.0, 0.5, -0.5, 3.5, -3.5, 4.5], n // 8),
            np.eye(1, n, 3)[0] * 1000, np.eye(1, n, n - 1)[0] * -1000, np.linspace(-1, 1, n), np.geomspace(1e-30, 1, n)]
    rows += [rng.standard_normal(n) * s for s in (1e-38, 1e-30, 1e-6, 1e-3, 1, 300, 8000)]
    rows += [rng.integers(-8, 9, n) for _ in range(8)] + [rng.integers(-127, 128, n) / 2 for _ in range(8)]
    rows += [rng.standard_t(2, n) for _ in range(32)]
    return np.array(rows, np.float32)


def whole_files():
    folders = {"phi-tiny": peers.ROOT / "fixtures" / "phi-tiny", **checkpoints.make(work)}
    for name, folder in folders.items():
        for source in ("f16", "bf16", "f32"):
            try:
                convert(folder, work / "source.gguf", source, checkpoints.PRE.get(name, "gpt-4o"))
            except peers.Failure as e:
                peers.check(False, f"{name} {source}", str(e))
                continue
            for recipe in TYPES:
                what = f"{name} {source} GGUF to {recipe}, whole file"
                try:
                    ggml.quantize_file(work / "source.gguf", work / "theirs.gguf", recipe)
                    peers.tool("phi-quant", "--no-sync", "--force", "--pure", "-t", recipe, work / "source.gguf",
                               "-o", work / "ours.gguf")
                except peers.Failure as e:
                    peers.check(False, what, str(e))
                    continue
                wrong = peers.first_difference(work / "ours.gguf", work / "theirs.gguf")
                peers.check(not wrong, what, wrong)


def blocks():
    """The same rows through a GGUF of one tensor; then back to F32."""
    for dtype in (np.float32, np.float16):
        rows = np.vstack([nasty(2048)] * 2)
        with np.errstate(over="ignore"):
            rows = np.nan_to_num(rows.astype(dtype), posinf=65504, neginf=-65504)
        writer = gguf.GGUFWriter(work / "rows.gguf", "test")
        writer.add_tensor("rows.weight", rows)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        for recipe, type_id in TYPES.items():
            what = f"{recipe} of {rows.size} nasty {rows.dtype} numbers"
            want = ggml.quantize_rows(type_id, rows.astype(np.float32))
            try:
                peers.tool("phi-quant", "--no-sync", "--force", "--pure", "-t", recipe, work / "rows.gguf",
                           "-o", work / "q.gguf")
                have = gguf.GGUFReader(work / "q.gguf").tensors[0].data.tobytes()
                wrong = [i for i, (a, b) in enumerate(zip(have, want)) if a != b]
                peers.check(have == want, f"{what}: blocks", f"{len(wrong)} bytes differ, first {wrong[:1]}")
                peers.tool("phi-quant", "--no-sync", "--force", "-t", "f32", work / "q.gguf", "-o", work / "f.gguf")
                back = gguf.GGUFReader(work / "f.gguf").tensors[0].data.tobytes()
                peers.check(back == ggml.dequantize(type_id, want).tobytes(), f"{what}: decoded")
            except peers.Failure as e:
                peers.check(False, what, str(e))


whole_files()
blocks()
peers.finish()
