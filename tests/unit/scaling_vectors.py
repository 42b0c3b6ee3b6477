#!/usr/bin/env python3
"""Makes scaling_vectors.def: scales, zero points and codes of onnxruntime.quantization.quant_utils 1.32, one line
{ type, rule, reduced, {numbers' bits}, the scale's bits, zero point, {codes} }.

Needs onnxruntime: $PHI_PEERS/venv/bin/python tests/unit/scaling_vectors.py > tests/unit/scaling_vectors.def
"""
import numpy as np
from onnx import TensorProto
from onnxruntime.quantization import quant_utils as q

rng = np.random.default_rng(7)
TYPES = {"I8": TensorProto.INT8, "U8": TensorProto.UINT8, "I16": TensorProto.INT16, "U16": TensorProto.UINT16}


def bits(x):
    return f"0x{np.float32(x).view(np.uint32):08x}"


def inputs():
    yield np.array([-1, 0.5, 0.25, 1, 2, -3, 127, -128], np.float32)
    yield np.arange(1, 9, dtype=np.float32) / 16         # all above 0
    yield -np.arange(1, 9, dtype=np.float32) / 7         # all below
    yield np.zeros(8, np.float32)
    yield np.full(8, 1e-38, np.float32) * np.arange(8, dtype=np.float32) / 50   # a scale that is subnormal
    yield (np.arange(8, dtype=np.float32) - 3.5) * np.float32(127 / 3.5) / 127  # halves
    yield np.array([3.4e38, -3.4e38, 1, 0, 2, 3, 4, 5], np.float32)
    for scale in (1e-3, 0.3, 40):
        yield (rng.standard_normal(8) * scale).astype(np.float32)


print("/* Made by scaling_vectors.py. */")
for name, dtype in TYPES.items():
    for symmetric in (True, False):
        for reduced in (False, True):
            for x in inputs():
                zero, scale, codes = q.quantize_data(x, dtype, symmetric, reduce_range=reduced)
                rule = "SYMMETRIC" if symmetric else "AFFINE"
                print(f"{{ PHI_{name}, PHI_SCALING_{rule}, {str(reduced).lower()}, {{ {', '.join(map(bits, x))} }}, "
                      f"{bits(scale)}, {int(zero)}, {{ {', '.join(str(int(c)) for c in codes)} }} }},")
