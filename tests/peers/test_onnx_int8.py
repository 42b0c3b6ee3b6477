#!/usr/bin/env python3
"""Weights with one scale in real ONNX models: int8_dynamic against onnxruntime's quantize_dynamic; w8a8 and w8a16
against quantize_static in its QDQ format and against its recipe for QNN, with the ranges that its calibration finds.
Every initializer that they write is there with the same bytes, and the outputs are the same.

The models are those of test_onnx_files.py. Paddle's keep weights in Constant nodes, which onnxruntime's tools do not
look into: for those theirs are made of a copy with initializers.
"""
import json
import logging

import peers
import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, qdq_quantizer, quantize
from onnxruntime.quantization import quantize_dynamic, quantize_static
from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config

import test_onnx_files as files

logging.disable(logging.CRITICAL)
ort.set_default_logger_severity(4)
np.seterr(all="ignore")
work = peers.scratch()
RUNS = 4
# Biases that several operators share: onnxruntime makes copies and quantizes them, ours leaves them floats. (Names
# are by which onnxruntime tells such copies, so they are made simple before.)
SHARED_BIAS = {"nmp.onnx"}
# Some weights of its convolutions are smaller than that: onnxruntime quantizes those as they are computed, ours does not.
BARS = {"ch_ppocr_mobile_v2.0_cls_infer.onnx": 0.01}
# A constant of minus infinity, for which onnxruntime writes NaN scales.
NOT_FINITE = {"model.onnx": "jax2tf_get_logits_/Const_26:0"}


def with_initializers(path):
    """A copy whose Constant nodes of 256 bytes and more are initializers (ours leaves what is smaller in its node), and
    whether there was one."""
    m = onnx.load(path)
    constants = [n for n in m.graph.node if n.op_type == "Constant" and n.attribute[0].HasField("t")
                 and numpy_helper.to_array(n.attribute[0].t).nbytes >= 256]
    for n in constants:
        t = m.graph.initializer.add()
        t.CopyFrom(n.attribute[0].t)
        t.name = n.output[0]
        m.graph.node.remove(n)
    out = work / path.name
    onnx.save(m, out)
    return out, bool(constants)


def named(path):
    """The file, or a copy with simple names."""
    if path.name not in SHARED_BIAS:
        return path
    m = onnx.load(path)
    names = {v.name: v.name for v in [*m.graph.input, *m.graph.output]}

    def other(name):
        return names.setdefault(name, f"v{len(names)}_") if name else ""
    for n in m.graph.node:
        n.input[:], n.output[:] = [other(v) for v in n.input], [other(v) for v in n.output]
    for t in m.graph.initializer:
        t.name = other(t.name)
    del m.graph.value_info[:]
    out = work / path.name
    onnx.save(m, out)
    return out


def session(path):
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def inputs(path, seed):
    x = files.feeds(session(path), path.name)
    rng = np.random.default_rng(seed)
    return {k: rng.random(v.shape).astype(v.dtype) * 2 - 1 if v.dtype == np.float32 else v for k, v in x.items()}


class Reader(CalibrationDataReader):
    def __init__(self, path):
        self.inputs = iter([inputs(path, seed) for seed in range(RUNS)])

    def get_next(self):
        return next(self.inputs, None)


def spread(a, b):
    """The largest difference of the outputs, over what each of them spans (or its magnitude, if it is one number)."""
    return max(np.abs(x.astype(np.float64) - y).max() / (np.ptp(x) or np.abs(x).max() or 1) for x, y in zip(a, b))


def initializers(path):
    return {t.name: (t.data_type, tuple(t.dims), numpy_helper.to_array(t).tobytes()) for t in onnx.load(path).graph.initializer}


def same(mine, theirs, path, what, bar):
    """`bar` of the outputs' spread; initializers are those of onnxruntime that the float model has not."""
    was, want, have = initializers(path), initializers(theirs), initializers(mine)
    want = {n: v for n, v in want.items() if n not in was}
    differ = [n for n, (dtype, dims, data) in want.items()
              if n not in have or have[n][0] != dtype or have[n][2] != data or (len(dims) and have[n][1] != dims
                                                                               and not n.endswith("_quantized_scale"))]
    peers.check(want and not differ, f"{what}: {len(want)} initializers", differ[:3])
    onnx.checker.check_model(str(mine))
    x = inputs(path, RUNS)
    d = spread(session(theirs).run(None, x), session(mine).run(None, x))
    peers.check(d <= bar, f"{what}: outputs within {d:.3g}", f"{d} of the spread")


def dynamic(path, source):
    for args, options in (([], {}), (["--per-channel"], {"per_channel": True}), (["--reduce-range"], {"reduce_range": True})):
        mine, theirs = work / "mine.onnx", work / "theirs.onnx"
        peers.tool("phi-quant", "--force", "--no-sync", "-t", "int8_dynamic", *args, path, "-o", mine)
        quantize_dynamic(source, theirs, **options)
        same(mine, theirs, source, " ".join([path.name, "int8_dynamic", *args]), BARS.get(path.name, 1e-6))


def ranges_of(function):
    """What calibration found for the quantizer that the function runs."""
    found, made = {}, qdq_quantizer.QDQQuantizer.__init__

    def init(self, model, per_channel, reduce_range, weight, activation, ranges, *rest, **named):
        found.update({n: [float(np.squeeze(v)) for v in r.range_value] for n, r in ranges.items()})
        made(self, model, per_channel, reduce_range, weight, activation, ranges, *rest, **named)
    qdq_quantizer.QDQQuantizer.__init__ = init
    try:
        function()
    finally:
        qdq_quantizer.QDQQuantizer.__init__ = made
    (work / "ranges.json").write_text(json.dumps(found))


def static(path):
    kinds = {"w8a8": QuantType.QUInt8, "w8a16": QuantType.QUInt16}
    for recipe, per_channel, qnn in (("w8a8", 0, 0), ("w8a8", 1, 0), ("w8a16", 0, 0), ("w8a8", 0, 1), ("w8a16", 0, 1)):
        mine, theirs, kind = work / "mine.onnx", work / "theirs.onnx", kinds[recipe]
        args = ["--per-channel"] * per_channel + ["--for", "qnn"] * qnn
        if qnn and path.name in NOT_FINITE:
            args += ["--keep", NOT_FINITE[path.name]]
        if qnn:
            ranges_of(lambda: quantize(str(path), theirs, get_qnn_qdq_config(
                str(path), Reader(path), activation_type=kind, weight_type=QuantType.QInt8)))
        else:
            ranges_of(lambda: quantize_static(
                path, theirs, Reader(path), quant_format=QuantFormat.QDQ, activation_type=kind, weight_type=QuantType.QInt8,
                per_channel=bool(per_channel), extra_options={"UseQDQContribOps": recipe == "w8a16"}))
        peers.tool("phi-quant", "--force", "--no-sync", "-t", recipe, *args, "--ranges", work / "ranges.json", path, "-o", mine)
        what = " ".join([path.name, recipe, *args[:2]])
        if qnn and path.name in NOT_FINITE:
            session(mine).run(None, inputs(path, RUNS))
            peers.check(True, f"{what}: runs")
        elif path.name in SHARED_BIAS:
            x = inputs(path, RUNS)
            d = spread(session(theirs).run(None, x), session(mine).run(None, x))
            peers.check(d <= 0.05, f"{what}: outputs within {d:.3g}", f"{d} of the spread")
        else:
            same(mine, theirs, path, what, 0.05)


def main():
    models = 0
    for pin, globs in files.PACKAGES.items():
        for path in peers.fetch(pin, globs):
            source, constants = with_initializers(path)
            if not constants and not any(n.op_type in ("MatMul", "Gemm", "Conv") for n in onnx.load(path).graph.node):
                continue  # all is in graphs within nodes
            dynamic(path, source if constants else path)
            if not constants:
                static(named(path))
            models += 1
    peers.check(models >= 10, f"{models} models")
    peers.finish()


if __name__ == "__main__":
    main()
