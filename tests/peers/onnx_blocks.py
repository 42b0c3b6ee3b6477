"""ONNX Runtime's weight-only quantizers, their planes woven to blocks as our types have them: codes, scale, zero point."""
import numpy as np
from onnxruntime.quantization import matmul_nbits_quantizer as nbits
from onnxruntime.quantization.neural_compressor import weight_only

DTYPES = {"F32": np.float32, "F16": np.float16}
TYPES = [f"ONNX{bits}{mark}_G{block}_{dtype}" for bits in (2, 4, 8) for mark in ("", "A")
         for block in (16, 32, 64, 128, 256) for dtype in DTYPES]


def form(name):
    """Bits, block, dtype and whether there are zero points."""
    head, block, dtype = name.split("_")
    return int(head[4]), int(block[1:]), DTYPES[dtype], head.endswith("A")


def pack(codes, bits):
    """Rows of numbers as a stream of bits, the lowest first."""
    per = 8 // bits
    parts = codes.reshape(codes.shape[0], -1, per).astype(np.uint8) << np.arange(0, 8, bits, dtype=np.uint8)
    return np.bitwise_or.reduce(parts, axis=2).astype(np.uint8)


def unpack(planes, bits):
    """And back."""
    numbers = planes[..., None] >> np.arange(0, 8, bits, dtype=np.uint8) & (1 << bits) - 1
    return numbers.reshape(*planes.shape[:-1], -1).astype(np.uint8)


def weave(codes, scales, zeros):
    """Planes with a row a block."""
    columns = [codes, np.ascontiguousarray(scales).reshape(-1, 1).view(np.uint8)]
    if zeros is not None:
        columns.append(zeros.reshape(-1, 1).astype(np.uint8))
    return np.concatenate(columns, 1).reshape(-1)


def default(name, x):
    """Of a matrix, a row for each output: MLAS, by way of the quantizer's own class."""
    bits, block, dtype, zero = form(name)
    config = nbits.DefaultWeightOnlyQuantConfig(block_size=block, is_symmetric=not zero, bits=bits)
    codes, scales, zeros = nbits.DefaultWeightOnlyQuantizer(config).qbits_block_quant(
        np.ascontiguousarray(x.astype(dtype).T))
    count = -(-x.shape[1] // block)
    zeros = unpack(zeros, bits)[:, :count] if zero else None
    return weave(codes.reshape(-1, block * bits // 8), scales, zeros)


def by_numpy(name, x, algorithm):
    bits, block, dtype, zero = form(name)
    weight = weight_only.pad_tensor(x.astype(dtype).T, block, -(-x.shape[1] // block)).T
    if algorithm == "k_quant":
        codes, scales, zeros = weight_only.quant_tensor_k_quant_cpu(weight, bits, block)
    else:
        codes, scales, zeros = weight_only.quant_tensor(weight, bits, block, "asym" if zero else "sym", "uint")
    return weave(pack(codes.astype(np.uint8), bits), scales.astype(dtype), zeros if zero else None)


def quantize(name, x, algorithm):
    return default(name, x) if algorithm == "default" else by_numpy(name, x, algorithm)


def dequantize(name, blocks):
    """F32: (code - zero point) * scale."""
    bits, block, dtype, zero = form(name)
    size, codes = np.dtype(dtype).itemsize, block * bits // 8
    rows = np.frombuffer(blocks, np.uint8).reshape(-1, codes + size + zero)
    numbers = unpack(rows[:, :codes], bits).astype(np.float32)
    scales = np.ascontiguousarray(rows[:, codes:codes + size]).view(dtype).astype(np.float32)
    middle = rows[:, -1:].astype(np.float32) if zero else np.float32(1 << bits - 1)
    return ((numbers - middle) * scales).reshape(-1)
