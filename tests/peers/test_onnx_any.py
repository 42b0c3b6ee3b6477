#!/usr/bin/env python3
"""Weights in blocks of any graph: what phi-quant makes is what onnxruntime.quantization.matmul_nbits_quantizer makes.

    test_onnx_any.py [--quick]

Real files of small packages on PyPI, and graphs made here: rows that are no whole blocks, F16, weights of several nodes,
in the bodies of an If, in Constants. For 4 and 8 bits, with zero points and without, default, rtn and k_quant: the same
nodes are quantized, codes, scales and zero points are equal byte for byte, both models compute the same. ONNX Runtime's
tool knows MatMul and initializers only, so it is given Gemm as MatMul and Add, and Constants as initializers; what it
cannot pack (an odd number of blocks in a row, rtn and k_quant) is packed here, a row by itself. k_quant's sums are those
of rows of several blocks also where a row is one block, of which the tool adds up one number after the other.
--search: the weights' error is 4 % lower at least, at the same size.
"""
import itertools
import logging
import sys
from pathlib import Path

import peers
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import matmul_nbits_quantizer as nbits
from onnxruntime.quantization.neural_compressor import weight_only

import onnx_blocks
from test_onnx_files import PACKAGES, feeds, graphs

logging.disable(logging.CRITICAL)
ort.set_default_logger_severity(4)
work = peers.scratch()
rng = np.random.default_rng(7)
quick = "--quick" in sys.argv


def session(model):
    return ort.InferenceSession(model if isinstance(model, (str, Path)) else model.SerializeToString(),
                                providers=["CPUExecutionProvider"])


# Graphs

def weight(name, *shape, dtype=np.float32):
    return numpy_helper.from_array((rng.standard_normal(shape) * 0.1).astype(dtype), name)


def model(nodes, weights, k, n, dtype=TensorProto.FLOAT, outputs=(), opset=17):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", dtype, ["b", k])],
                              [helper.make_tensor_value_info("y", dtype, ["b", n]), *outputs], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def branches():
    f = TensorProto.FLOAT
    def body(name, w, weights):
        return helper.make_graph([helper.make_node("MatMul", ["x", w], [f"{name}_y"], name=f"{name}/MatMul")], name, [],
                                 [helper.make_tensor_value_info(f"{name}_y", f, ["b", 32])], weights)
    node = helper.make_node("If", ["c"], ["y"], name="choice", then_branch=body("then", "outer", []),
                            else_branch=body("else", "inner", [weight("inner", 64, 32)]))
    return model([helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True))), node],
                 [weight("outer", 64, 32)], 64, 32)


def synthetic():
    node = helper.make_node
    yield "layers", model([node("MatMul", ["x", "W1"], ["h"], name="/l1/MatMul"), node("Relu", ["h"], ["r"]),
                           node("MatMul", ["r", "W2"], ["y"], name="/l2/MatMul")],
                          [weight("W1", 128, 96), weight("W2", 96, 65)], 128, 65)
    yield "ragged", model([node("MatMul", ["x", "W1"], ["h"]), node("MatMul", ["h", "W2"], ["y"])],
                          [weight("W1", 257, 63), weight("W2", 63, 33)], 257, 33)
    yield "f16", model([node("MatMul", ["x", "W"], ["y"], name="m")], [weight("W", 96, 40, dtype=np.float16)], 96, 40,
                       TensorProto.FLOAT16)
    yield "shared", model([node("MatMul", ["x", "W"], ["a"], name="m1"), node("Tanh", ["a"], ["t"]),
                           node("MatMul", ["t", "V"], ["c"], name="m3"), node("ReduceSum", ["V"], ["s"], name="sum"),
                           node("Add", ["c", "s"], ["y"], name="add")], [weight("W", 64, 64), weight("V", 64, 32)], 64, 32)
    yield "gemm", model([node("Gemm", ["x", "W1", "b1"], ["h"], name="fc1", transB=1),
                         node("Gemm", ["h", "W2", "b2"], ["r"], name="fc2"), node("Gemm", ["r", "W3"], ["s"], name="fc3"),
                         node("Gemm", ["s", "W4", "b1"], ["y"], name="fc4", alpha=0.5)],
                        [weight("W1", 96, 64), weight("b1", 96), weight("W2", 96, 32), weight("b2", 1, 32),
                         weight("W3", 32, 64), weight("W4", 64, 96)], 64, 96)
    yield "branches", branches()
    yield "constant", model([node("Constant", [], ["K"], value=weight("", 64, 48)),
                             node("MatMul", ["x", "K"], ["y"], name="m")], [], 64, 48)


# What ONNX Runtime's tool is given, and what it makes

def plain_gemm(node, values):
    a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
    return (node.op_type == "Gemm" and a.get("alpha", 1) == 1 and not a.get("transA", 0) and
            (a.get("beta", 1) == 1 or len(node.input) < 3) and node.input[1] in values and values[node.input[1]].ndim == 2)


def split_gemm(m, node, values):
    if not plain_gemm(node, values):
        return [onnx.NodeProto.FromString(node.SerializeToString())]
    trans = any(a.name == "transB" and a.i for a in node.attribute)
    w = node.input[1] + ("_turned" if trans else "")
    if w not in values:
        values[w] = np.ascontiguousarray(values[node.input[1]].T)
        m.graph.initializer.append(numpy_helper.from_array(values[w], w))
    bias = len(node.input) > 2 and node.input[2]
    out = node.output[0] + "_product" if bias else node.output[0]
    nodes = [helper.make_node("MatMul", [node.input[0], w], [out], name=node.name + "_MatMul")]
    return nodes + [helper.make_node("Add", [out, node.input[2]], [node.output[0]])] if bias else nodes


def prepared(source):
    """Constants as initializers, Gemm as MatMul and Add."""
    m = onnx.ModelProto()
    m.CopyFrom(source)
    for graph, _ in graphs(m.graph):
        for node in [n for n in graph.node if n.op_type == "Constant" and n.attribute[0].name == "value"]:
            t = node.attribute[0].t
            if t.ByteSize() >= 256 and t.data_type == TensorProto.FLOAT:
                graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(t), node.output[0]))
                graph.node.remove(node)
    values = {t.name: numpy_helper.to_array(t) for g, _ in graphs(m.graph) for t in g.initializer}
    for graph, _ in reversed(list(graphs(m.graph))):
        nodes = [made for node in graph.node for made in split_gemm(m, node, values)]
        del graph.node[:]
        graph.node.extend(nodes)
    return m


def default(m, bits, asym, block):
    quantizer = nbits.MatMulNBitsQuantizer(m, bits=bits, block_size=block, is_symmetric=not asym, accuracy_level=0)
    quantizer.process()
    return quantizer.model.model


def by_rows(m, bits, asym, algorithm, block):
    """rtn and k_quant of every MatMul with their own functions, in all graphs; a row's zero points by themselves."""
    made = onnx.ModelProto()
    made.CopyFrom(m)
    values = {t.name: (t, g) for g, _ in graphs(made.graph) for t in g.initializer}
    for graph, _ in graphs(made.graph):
        for i, node in enumerate(graph.node):
            t, owner = values.get(node.input[1], (None, None)) if node.op_type == "MatMul" else (None, None)
            if t is None or len(t.dims) != 2:
                continue
            w = numpy_helper.to_array(t)
            k, n = w.shape
            groups = -(-k // block)
            padded = weight_only.pad_tensor(w.copy(), block, groups)
            if algorithm == "k_quant":
                # of rows of one block NumPy sums another way, since the matrix lies by columns then: not here
                q, scale, zp = weight_only.quant_tensor_k_quant_cpu(np.ascontiguousarray(padded.T), bits, block)
            else:
                q, scale, zp = weight_only.quant_tensor(padded.T, bits, block, "asym" if asym else "sym", "uint")
            codes = onnx_blocks.pack(q.astype(np.uint8), bits).reshape(n, groups, block * bits // 8)
            names = [t.name + f"_Q{bits}G{block}", t.name + "_scale", t.name + "_zp"]
            arrays = [codes, scale.astype(w.dtype).reshape(n, groups)]
            if asym or algorithm == "k_quant":
                zeros = np.full((n, -(-groups * bits // 8) * 8 // bits), 1 << bits - 1, np.uint8)
                zeros[:, :groups] = zp.reshape(n, groups)
                arrays.append(onnx_blocks.pack(zeros, bits))
            for name, a in zip(names, arrays):
                if name not in [x.name for x in owner.initializer]:
                    owner.initializer.append(numpy_helper.from_array(a, name))
            graph.node[i].CopyFrom(helper.make_node(
                "MatMulNBits", [node.input[0], *names[:len(arrays)]], node.output, f"{node.name}_Q{bits}" if node.name else "", domain="com.microsoft",
                K=k, N=n, bits=bits, block_size=block))
    if not any(o.domain == "com.microsoft" for o in made.opset_import):
        made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return made


def theirs(m, bits, asym, algorithm, block):
    copy = onnx.ModelProto()
    copy.CopyFrom(m)
    return default(copy, bits, asym, block) if algorithm == "default" else by_rows(copy, bits, asym, algorithm, block)


# Comparing

def quantized(m):
    """output -> (attributes, codes, scales, zero points) of the MatMulNBits nodes; what a Gemm was has one name."""
    values = {t.name: t for g, _ in graphs(m.graph) for t in g.initializer}
    found = {}
    for graph, _ in graphs(m.graph):
        for node in graph.node:
            if node.op_type == "MatMulNBits":
                arrays = [numpy_helper.to_array(values[i]) for i in node.input[1:4] if i]
                key = node.output[0].removesuffix("_product")
                found[key] = ({a.name: a.i for a in node.attribute}, arrays)
    return found


def different(ours, want):
    a, b = quantized(ours), quantized(want)
    if a.keys() != b.keys():
        return f"other nodes: {sorted(a.keys() ^ b.keys())[:4]}"
    for key in a:
        if a[key][0] != b[key][0]:
            return f"{key}: {a[key][0]}, not {b[key][0]}"
        for what, x, y in zip(("codes", "scales", "zero points"), a[key][1], b[key][1]):
            if x.dtype != y.dtype or x.shape != y.shape or x.tobytes() != y.tobytes():
                return f"{key}: {what} of {x.shape} differ in {np.count_nonzero(x.reshape(-1) != y.reshape(-1)) if x.shape == y.shape else y.shape}"
        if len(a[key][1]) != len(b[key][1]):
            return f"{key}: {len(a[key][1])} and {len(b[key][1])} initializers"
    return ""


def computes(path, made, want, name):
    x = feeds(session(path), name)
    a, b = session(made).run(None, x), session(want).run(None, x)
    worst = max(float(np.abs(p.astype(np.float64) - q.astype(np.float64)).max(initial=0)) /
                max(1.0, float(np.abs(q.astype(np.float64)).max(initial=0))) for p, q in zip(a, b))
    return len(a) == len(b) and worst <= 1e-6, worst


def run(path, label, name, ways):
    source = onnx.load(path)
    ready = prepared(source)
    block = 32
    for bits, asym, algorithm in ways:
        args = ["-t", f"int{bits}", "--asym" if asym else "--sym"]
        if algorithm != "default":
            args += ["--algo", algorithm]
        made = work / "made.onnx"
        peers.tool("phi-quant", "-q", "--no-sync", "--force", *args, path, "-o", made)
        onnx.checker.check_model(str(made))
        ours, want = onnx.load(made), theirs(ready, bits, asym, algorithm, block)
        what = f"{label}, int{bits} {'asym' if asym else 'sym'} {algorithm}"
        fault = different(ours, want)
        if not peers.check(not fault, f"{what}: {len(quantized(want))} nodes, equal", fault):
            continue
        same, worst = computes(path, made, want, name)
        peers.check(same, f"{what}: outputs within {worst:.1e}")


def searched(path, label):
    """--search: the same size, a lower error of the weights. Of all matrices together."""
    source = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in onnx.load(path).graph.initializer}
    made, error = work / "made.onnx", {}
    for how in ([], ["--search"]):
        peers.tool("phi-quant", "-q", "--no-sync", "--force", "-t", "int4", *how, path, "-o", made)
        total = 0.0
        values = {t.name: numpy_helper.to_array(t) for t in onnx.load(made).graph.initializer}
        for attributes, (codes, scales) in quantized(onnx.load(made)).values():
            name = next(n for n, v in source.items() if v.ndim == 2 and values.get(n + "_scales") is not None and
                        np.array_equal(values[n + "_scales"], scales))
            decoded = (onnx_blocks.unpack(codes.reshape(-1, codes.shape[2]), 4).reshape(*codes.shape[:2], 32) - 8.0) * scales[..., None]
            w = source[name].T if source[name].shape[0] == attributes["K"] and source[name].shape[1] == attributes["N"] else source[name]
            total += float(((decoded.reshape(attributes["N"], -1)[:, :attributes["K"]] - w) ** 2).sum())
        error["search" if how else "default"] = (total ** 0.5, made.stat().st_size)
    gain = 1 - error["search"][0] / error["default"][0]
    peers.check(gain >= 0.04 and error["search"][1] == error["default"][1],
                f"{label}: --search has {100 * gain:.1f} % less error at the same size", error)


WAYS = [(4, False, "default"), (4, True, "default"), (8, False, "default"), (8, True, "default"), (4, False, "rtn"),
        (4, True, "rtn"), (8, True, "rtn"), (4, True, "k_quant"), (8, True, "k_quant")]

if __name__ == "__main__":
    for label, made in synthetic():
        path = work / f"{label}.onnx"
        onnx.save(made, path)
        run(path, label, label, WAYS)
        if label in ("layers", "ragged"):
            searched(path, label)
    for pin, globs in {} if quick else PACKAGES.items():
        for path in peers.fetch(pin, globs):
            run(path, path.stem, path.name, WAYS[:2] + WAYS[4:5] + WAYS[7:8])
    peers.finish()
