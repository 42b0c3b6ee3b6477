#!/usr/bin/env python3
"""phi-inspect --stats and phi-diff --stats against numpy, for every type that torch and gguf-py can decode."""
import csv
import io
import json
import math

import peers
import gguf
import numpy as np
import torch
from safetensors.torch import save_file

work = peers.scratch()
rng = np.random.default_rng(5)
torch.manual_seed(5)


def expected(values):
    """The figures of an array, as float64, from numpy."""
    x = np.asarray(values, dtype=np.float64).ravel()
    finite = x[np.isfinite(x)]
    some = finite[finite != 0]
    want = {"nan": int(np.isnan(x).sum()), "inf": int(np.isinf(x).sum()), "zeros": int((finite == 0).sum()),
            "negative": int((finite < 0).sum())}
    if len(finite):
        want |= {"min": finite.min(), "max": finite.max(), "mean": finite.mean(), "std": finite.std()}
    if len(some):
        powers = np.clip(np.frexp(np.abs(some))[1] - 1, -150, 129)
        want["exponent"] = int(powers.min())
        want["histogram"] = np.bincount(powers - powers.min()).tolist()
    return want


def compare(have, want, what):
    wrong = []
    scale = max((abs(want.get(k, 0)) for k in ("min", "max")), default=0)
    for key, value in want.items():
        got = have.get(key)
        if key in ("mean", "std"):
            same = got is not None and math.isclose(got, value, rel_tol=1e-12, abs_tol=1e-12 * scale)
        else:
            same = got == value
        if not same:
            wrong.append(f"{key} {got}, numpy {value}")
    peers.check(not wrong, what, "; ".join(wrong)[:300])


def of_torch():
    """Every dtype of safetensors, of sizes that are no multiples of a tile, with what is not finite among them."""
    n = 3 * 65536 + 1001
    x = torch.randn(n, dtype=torch.float64) * torch.tensor(10.0, dtype=torch.float64) ** torch.randint(-6, 3, (n,))
    x[::997] = 0
    odd = x.clone()
    odd[5::1009], odd[6::2003], odd[7::3001] = math.nan, math.inf, -math.inf
    tensors = {}
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        tensors[f"{dtype}"[6:]] = x.clamp(-400, 400).to(dtype)
        tensors[f"{dtype}"[6:] + " odd"] = odd.to(dtype)
    for dtype in (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64):
        info = torch.iinfo(dtype)
        # What float64 holds exactly, where the type is wider.
        low, high = max(info.min, -2**53), min(info.max, 2**53)
        tensors[f"{dtype}"[6:]] = torch.from_numpy(rng.integers(low, high, n)).to(dtype)
    tensors["bool"] = torch.from_numpy(rng.integers(0, 2, n)).to(torch.bool)
    tensors["matrix"] = torch.randn(300, 700).to(torch.bfloat16)
    tensors["denormal"] = torch.tensor([2.0 ** -149, -(2.0 ** -140), 2.0 ** -126], dtype=torch.float32)
    tensors["one"], tensors["scalar"] = torch.tensor([3.5]), torch.tensor(-2.0)
    tensors["nothing finite"] = torch.tensor([math.nan, math.inf])
    save_file(tensors, work / "all.safetensors")
    have = {t["name"]: t for t in peers.inspect(work / "all.safetensors", "--stats")["tensors"]}
    for name, tensor in tensors.items():
        compare(have[name], expected(tensor.to(torch.float64).numpy()), f"torch {name}")
    piped = peers.tool("phi-inspect", "--stats", "--csv", "-j1", stdin=(work / "all.safetensors").read_bytes())
    named = peers.tool("phi-inspect", "--stats", "--csv", "-j8", work / "all.safetensors")
    figures = [[row[:3] + row[-10:] for row in csv.reader(io.StringIO(text.decode(), newline=""))] for text in (piped, named)]
    peers.check(figures[0] == figures[1] and len(figures[0]) == len(tensors) + 1, "from a pipe and with other threads: the same CSV")


def of_gguf():
    """Blocks of random bits of every quantized type gguf-py decodes."""
    rows = {}
    writer = gguf.GGUFWriter(work / "all.gguf", "test")
    for kind, (elements, size) in gguf.GGML_QUANT_SIZES.items():
        if elements == 1:
            continue
        blocks = rng.integers(0, 256, (33, 1024 // elements * 3, size), dtype=np.uint8)
        try:
            with np.errstate(all="ignore"):
                values = gguf.quants.dequantize(blocks.reshape(33, -1), kind)
        except NotImplementedError:
            continue
        rows[kind.name] = values
        writer.add_tensor(kind.name, blocks.reshape(33, -1), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    have = {t["name"]: t for t in peers.inspect(work / "all.gguf", "--stats")["tensors"]}
    for name, values in rows.items():
        compare(have[name], expected(values), f"gguf {name}, random blocks")
    peers.check(len(rows) >= 20, "at least twenty quantized types", str(sorted(rows)))


def of_both():
    """phi-diff: each side's figures are phi-inspect's."""
    folder = peers.ROOT / "fixtures" / "phi-tiny"
    peers.tool("phi-quant", "-q", "-t", "q4_k_m", folder, "-o", work / "q.gguf")
    peers.tool("phi-repack", "-q", folder, "-o", work / "f.gguf")
    a, b = ({t["name"]: t for t in peers.inspect(work / f, "--stats")["tensors"]} for f in ("f.gguf", "q.gguf"))
    pairs = json.loads(peers.tool("phi-diff", "--json", "--stats", work / "f.gguf", work / "q.gguf", status=1))["tensors"]
    figures = ("min", "max", "mean", "std", "zeros")
    by_values = {tuple(t[f] for f in figures) for t in a.values()}, {tuple(t[f] for f in figures) for t in b.values()}
    for pair in pairs:
        peers.check(all(tuple(pair[f"{f}_{side}"] for f in figures) in by_values[i] for i, side in enumerate("ab")),
                    f"phi-diff --stats {pair['name']}")


of_torch()
of_gguf()
of_both()
peers.finish()
