#!/usr/bin/env python3
"""Quantized weights of ONNX Runtime's own quantizers, decoded by us: what the model multiplies with, seen through an
identity matrix in onnxruntime."""
import logging

import peers
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T, helper, numpy_helper
from onnxruntime.quantization import QuantType, matmul_nbits_quantizer as nbits, quantize_dynamic
from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer
from safetensors.numpy import load_file

logging.disable(logging.CRITICAL)
ort.set_default_logger_severity(4)
work = peers.scratch()
rng = np.random.default_rng(1)


def matmul(k, n):
    w = rng.standard_normal((k, n)).astype(np.float32)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"], name="m")], "g",
                              [helper.make_tensor_value_info("x", T.FLOAT, [None, k])],
                              [helper.make_tensor_value_info("y", T.FLOAT, [None, n])], [numpy_helper.from_array(w, "w")])
    path = work / "base.onnx"
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)]), path)
    return path, w


def decoded(path, what):
    out = work / "decoded.safetensors"
    peers.tool("phi-quant", "-q", "-t", "f32", "-f", "safetensors", "--force", "--no-sync", "-o", out, path)
    tensors = load_file(out)
    peers.check(list(tensors) == ["w"], f"{what}: one tensor, w", list(tensors))
    return next(iter(tensors.values()))


def compare(path, k, what, most=0.0):
    ours = decoded(path, what)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    want = session.run(None, {"x": np.eye(k, dtype=np.float32)})[0]
    ours = ours.T if ours.shape != want.shape else ours
    peers.check(ours.shape == want.shape and np.abs(ours - want).max() <= most, f"{what}: decoded as it computes")


for k in (80, 72):  # 72: the last block of a row is padded
    base, _ = matmul(k, 48)
    for bits in (2, 4, 8):
        for block in (16, 32):
            for symmetric in (True, False):
                q = nbits.MatMulNBitsQuantizer(onnx.load(base), bits=bits, block_size=block, is_symmetric=symmetric,
                                               accuracy_level=1)
                q.process()
                path = work / "nbits.onnx"
                q.model.save_model_to_file(str(path))
                compare(path, k, f"MatMulNBits {bits} bits, {block}, {'sym' if symmetric else 'asym'}, K {k}", 1e-6)
base, w = matmul(80, 48)
for symmetric in (True, False):
    q = nbits.MatMulNBitsQuantizer(onnx.load(base), bits=4, block_size=16, is_symmetric=symmetric,
                                   quant_format=nbits.QuantFormat.QDQ)
    q.process()
    path = work / "qdq.onnx"
    q.model.save_model_to_file(str(path))
    compare(path, 80, f"DequantizeLinear in blocks, {'sym' if symmetric else 'asym'}", 1e-6)
for per_channel, kind in ((False, QuantType.QUInt8), (True, QuantType.QInt8), (False, QuantType.QInt8)):
    path = work / "dynamic.onnx"
    quantize_dynamic(base, path, per_channel=per_channel, weight_type=kind)
    m = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    want = (m["w_quantized"].astype(np.float32) - m["w_zero_point"].astype(np.float32)) * m["w_scale"]
    ours = decoded(path, f"quantize_dynamic {kind}, per channel {per_channel}")
    peers.check(np.array_equal(ours, want), f"quantize_dynamic {kind}, per channel {per_channel}: decoded")
base, _ = matmul(64, 48)
for kind, name in ((0, "FP4"), (1, "NF4")):
    q = MatMulBnb4Quantizer(onnx.load(base), kind, 32)
    q.process()
    path = work / "bnb.onnx"
    q.model.save_model_to_file(str(path))
    compare(path, 64, f"MatMulBnb4 {name}")
peers.finish()
