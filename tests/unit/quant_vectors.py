#!/usr/bin/env python3
"""Makes quant_vectors.def: what ggml, MLX and ONNX Runtime encode and decode, as the first half of the SHA-256 of its bytes; of types
that are neither's, what NumPy, and ml_dtypes for the small floats, make of the codes.

    PHI_PEERS=... tests/unit/quant_vectors.py > tests/unit/quant_vectors.def      (needs ml_dtypes 0.5 as well)

Inputs are those of quant_inputs.py, CODES are bytes of any kind; "weigh" is encoding in rows of ROW with
importance; "rtn" and "k_quant" are encoding by these of ONNX Runtime's algorithms ("encode" by its default). NaNs of decoded values are written as 0x7FC00000:
their payload is not ggml's to say.
"""
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import ggml
import mlx_blocks
import numpy as np
import onnx_blocks
from quant_inputs import codes, importance, inputs

N, ROW = 8192, 2048
TYPES = {"F16": 1, "BF16": 30, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12,
         "Q5_K": 13, "Q6_K": 14, "IQ4_NL": 20, "IQ4_XS": 23, "TQ1_0": 34, "TQ2_0": 35, "MXFP4": 39, "NVFP4": 40,
         "Q1_0": 41, "Q2_0": 42, "IQ2_S": 22, "IQ3_XXS": 18, "IQ3_S": 21, "IQ1_M": 29}
DEMANDING = {"IQ2_XXS": 16, "IQ2_XS": 17, "IQ1_S": 19}  # not made without importance
IQ = {*DEMANDING, "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_M"}
ABORTS = {"1E30", "BITS", "BLOCK_SCALES"}  # ggml, where all distances to points of an IQ grid are infinite
WEIGHTED = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", *IQ}


# Of MLX's types: what tells the rules of encoding apart.
MLX_KINDS = {"GAUSSIAN", "CONSTANT", "1E_7", "SPIKES", "TIES", "GRID_16", "GRID_255", "ZERO_BLOCKS",
             "POSITIVE", "OFFSET", "BOTH_ZEROS"}

# Of ONNX's types: every width and mark, and of each block size and type of scale some. Rows are NumPy's: the sums of
# k_quant are those of a matrix with more than one block in a row.
ONNX_ENCODED = {name for name in onnx_blocks.TYPES if "_G32_" in name or name in (
    "ONNX4_G16_F32", "ONNX4A_G16_F16", "ONNX4A_G64_F32", "ONNX8_G64_F16", "ONNX4_G128_F16", "ONNX4A_G128_F32", "ONNX2_G256_F32",
    "ONNX4A_G256_F16", "ONNX8A_G256_F32")}
ONNX_KINDS = {"GAUSSIAN", "WEIGHTS", "ZEROS", "NEGATIVE_ZEROS", "BOTH_ZEROS", "CONSTANT", "1E_7", "SPIKES", "HALF_ZERO", "TIES", "SIGNS",
              "GRID_16", "GRID_255", "ZERO_BLOCKS", "POSITIVE", "OFFSET"}


def canonical(x):
    b = x.view(np.uint32).copy()
    b[np.isnan(x)] = 0x7FC00000
    return b.tobytes()


def line(name, direction, what, data):
    print(f'VECTOR({name}, {direction}, {what}, "{hashlib.sha256(data).hexdigest()[:32]}")')


PLAIN = {"F64": "<f8", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U8": "u1", "U16": "<u2", "U32": "<u4",
         "U64": "<u8", "BOOL": "?"}
SMALL = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
         "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu", "F6_E2M3": "float6_e2m3fn",
         "F6_E3M2": "float6_e3m2fn", "F4": "float4_e2m1fn", "I4": "int4", "U4": "uint4", "I2": "int2", "U2": "uint2"}


def decoded(name):
    """N numbers of a type from the codes, as F32."""
    import ml_dtypes
    if name in PLAIN:
        dtype = np.dtype(PLAIN[name])
        data = codes(N * dtype.itemsize)
        return (data != 0).astype(np.float32) if name == "BOOL" else data.view(dtype).astype(np.float32)
    bits = ml_dtypes.iinfo(SMALL[name]).bits if name[0] in "IU" else int(name[1])
    stream = np.unpackbits(codes(N * bits // 8), bitorder="little").reshape(N, bits)
    numbers = (stream << np.arange(bits)).sum(1).astype(np.uint8)
    if bits == 8 or name[0] == "F":
        return numbers.view(getattr(ml_dtypes, SMALL[name])).astype(np.float32)
    signed = name[0] == "I"
    return (numbers.astype(np.int32) - (signed & (numbers >> bits - 1)) * (1 << bits)).astype(np.float32)


def main():
    print("/* Made by quant_vectors.py. VECTOR(type, direction, input, digest of the reference's bytes) */")
    with np.errstate(over="ignore"):
        for name in [*PLAIN, *SMALL]:
            line(name, "decode", "CODES", canonical(decoded(name)))
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
    for name in mlx_blocks.TYPES:
        for what, x in inputs(N):
            if what in MLX_KINDS:
                line(name, "encode", what, mlx_blocks.quantize(name, x).tobytes())
        how, own = mlx_blocks.form(name)
        block = how["bits"] * how["group_size"] // 8 + (2 * (4 if own == "F32" else 2) if own else 1)
        line(name, "decode", "CODES", canonical(mlx_blocks.dequantize(name, codes(N // how["group_size"] * block).tobytes())))
    for name in onnx_blocks.TYPES:
        onnx_lines(name)


def onnx_lines(name):
    bits, block, dtype, zero = onnx_blocks.form(name)
    for what, x in inputs(N) if name in ONNX_ENCODED else ():
        for algorithm in ("default", "rtn", "k_quant") if what in ONNX_KINDS else ():
            if zero or algorithm != "k_quant":
                with np.errstate(all="ignore"):
                    blocks = onnx_blocks.quantize(name, x.reshape(-1, ROW), algorithm)
                line(name, "encode" if algorithm == "default" else algorithm, what, blocks.tobytes())
    size = block * bits // 8 + np.dtype(dtype).itemsize + zero
    with np.errstate(all="ignore"):
        line(name, "decode", "CODES", canonical(onnx_blocks.dequantize(name, codes(N // block * size).tobytes())))


if __name__ == "__main__":
    main()
