#!/usr/bin/env python3
"""Our ONNX types against ONNX Runtime's quantizers, byte for byte, and their values.

    test_ort_types.py [LIBRARY] [--weights N]

The referees are onnxruntime.quantization.matmul_nbits_quantizer (MLAS) and neural_compressor.weight_only (rtn, k_quant).
Every level this machine runs is tried, in a process of its own (PHI_CPU). Rows that are no whole blocks are filled up
with zeros, as ONNX Runtime does; the default then leaves the codes beyond a row 0. Left out is input that is not finite
as a half of F16, and what k_quant and rtn make of ranges too small or too large to divide by.
"""
import ctypes as C
import sys

import levels
import peers
import onnx_blocks as onnx
import numpy as np
from test_quant import Convert, Library, differing, finite_nans

sys.path.insert(0, str(peers.ROOT / "tests" / "unit"))
from quant_inputs import codes, inputs  # noqa: E402

TABLES = {"default": "phi_quant_converters", "rtn": "phi_quant_rtn", "k_quant": "phi_quant_k_quant"}
ROW = 512
RAGGED = 300


def use(lib, algorithm):
    find = C.CFUNCTYPE(C.c_int, C.c_void_p, C.c_void_p, C.POINTER(Convert), C.c_void_p)
    lib.find = find.in_dll(lib.lib, TABLES[algorithm])


def good(name, x, algorithm):
    """Rows that the reference makes something of."""
    bits, block, dtype, zero = onnx.form(name)
    with np.errstate(over="ignore"):
        most, blocks = np.abs(x.astype(dtype).astype(np.float32)).max(1), x.astype(dtype).astype(np.float32).reshape(x.shape[0], -1, block)
        span = (blocks.max(2) - blocks.min(2))
    fine = np.isfinite(most)
    if algorithm == "rtn" and dtype is np.float16:
        fine &= most < 32768
    if algorithm == "k_quant":
        fine &= (most < 1e10) & ((span == 0) | (span > 1e-35)).all(1)
    return fine


def whole(lib, name, algorithm, x):
    bits, block, dtype, zero = onnx.form(name)
    fine = good(name, x, algorithm)
    x = x[fine]
    if not x.size:
        return 0
    with np.errstate(all="ignore"):
        theirs = onnx.quantize(name, x, algorithm)
    for source, data in {"F32": x, "F16": x.astype(np.float16)}.items() if dtype is np.float16 else {"F32": x}.items():
        differing(lib.convert(source, name, data, x.size), theirs.tobytes(), f"{source} to {name}, {algorithm}")
    return x.size


def ragged(lib, name, algorithm, x):
    """Rows of RAGGED numbers."""
    bits, block, dtype, zero = onnx.form(name)
    padded = np.zeros((x.shape[0], -(-RAGGED // block) * block), np.float32)
    padded[:, :RAGGED] = x[:, :RAGGED]
    with np.errstate(all="ignore"):
        theirs = onnx.quantize(name, x[:, :RAGGED], algorithm)
    ours = lib.convert("F32", name, padded, padded.size).reshape(x.shape[0], padded.shape[1] // block, -1)
    rest = RAGGED % block
    if algorithm == "default" and rest:
        numbers = onnx.unpack(ours[:, -1, :block * bits // 8], bits)
        numbers[:, rest:] = 0
        ours[:, -1, :block * bits // 8] = onnx.pack(numbers, bits)
    differing(ours.reshape(-1), theirs.tobytes(), f"{name}, {algorithm}, rows of {RAGGED}")


def check(lib, weights):
    for name in onnx.TYPES:
        compared, made = 0, []
        for algorithm in TABLES:
            if algorithm == "k_quant" and not onnx.form(name)[3]:
                continue
            use(lib, algorithm)
            for kind, x in inputs(weights):
                compared += whole(lib, name, algorithm, x.reshape(-1, ROW))
                if kind == "GAUSSIAN":
                    ragged(lib, name, algorithm, x.reshape(-1, ROW))
            made.append(algorithm)
        data = codes(weights // lib.type(name).contents.elements * lib.type(name).contents.bytes)
        with np.errstate(all="ignore"):
            theirs = onnx.dequantize(name, data.tobytes())
        differing(finite_nans(lib.convert(name, "F32", data, weights)), finite_nans(theirs.view(np.uint8)).tobytes(),
                  f"{name} to F32, bytes of any kind")
        peers.check(True, f"{lib.lib.phi_quant_cpu().decode()}: {name} ({', '.join(made)}): "
                          f"0 bytes differ in {compared / 1e6:.1f} M weights")


if __name__ == "__main__":
    levels.main(Library, check, "ONNX Runtime's", 1 << 14, 8192)
