#!/usr/bin/env python3
"""Makes quant_vectors.def: what ggml encodes and decodes, as the first half of the SHA-256 of its bytes.

    PHI_PEERS=... tests/unit/quant_vectors.py > tests/unit/quant_vectors.def

Inputs are those of quant_inputs.py, CODES are bytes of any kind; "weigh" is encoding in rows of ROW with
importance. NaNs of decoded values are written as 0x7FC00000:
their payload is not ggml's to say.
"""
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import ggml
import numpy as np
from quant_inputs import codes, importance, inputs

N, ROW = 8192, 2048
TYPES = {"F16": 1, "BF16": 30, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12,
         "Q5_K": 13, "Q6_K": 14, "IQ4_NL": 20, "IQ4_XS": 23, "TQ1_0": 34, "TQ2_0": 35, "MXFP4": 39, "NVFP4": 40,
         "Q1_0": 41, "Q2_0": 42, "IQ2_S": 22, "IQ3_XXS": 18, "IQ3_S": 21, "IQ1_M": 29}
DEMANDING = {"IQ2_XXS": 16, "IQ2_XS": 17, "IQ1_S": 19}  # not made without importance
IQ = {*DEMANDING, "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_M"}
ABORTS = {"1E30", "BITS", "BLOCK_SCALES"}  # ggml, where all distances to points of an IQ grid are infinite
WEIGHTED = {"Q4_0", "Q5_0", *IQ}


def canonical(x):
    b = x.view(np.uint32).copy()
    b[np.isnan(x)] = 0x7FC00000
    return b.tobytes()


def line(name, direction, what, data):
    print(f'VECTOR({name}, {direction}, {what}, "{hashlib.sha256(data).hexdigest()[:32]}")')


def main():
    print("/* Made by quant_vectors.py. VECTOR(type, direction, input, digest of ggml's bytes) */")
    for name, type_id in {**TYPES, **DEMANDING}.items():
        traits = ggml.base.ggml_get_type_traits(type_id).contents
        fit = [(what, x) for what, x in inputs(N) if name not in IQ or what not in ABORTS]
        for what, x in fit if name in TYPES else ():
            blocks = ggml.quantize_rows(type_id, x.reshape(1, -1))
            line(name, "encode", what, blocks)
            line(name, "decode", what, canonical(ggml.dequantize(type_id, blocks)))
        for what, x in fit if name in WEIGHTED else ():
            blocks = ggml.quantize_rows(type_id, x.reshape(-1, ROW), importance(ROW))
            line(name, "weigh", what, blocks)
        data = codes(N // traits.blck_size * traits.type_size).tobytes()
        line(name, "decode", "CODES", canonical(ggml.dequantize(type_id, data)))


if __name__ == "__main__":
    main()
