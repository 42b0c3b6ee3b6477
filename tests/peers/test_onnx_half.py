#!/usr/bin/env python3
"""Graphs in F16, beside onnxruntime.transformers.float16: the same initializers bit for bit and the same operators, on
real files and on graphs of odd operators; onnx.checker and onnxruntime take them, outputs agree with F32. Back to F32:
the outputs of weights that were rounded."""
import collections
import logging

import peers
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T, helper, numpy_helper
from onnxruntime.transformers.float16 import convert_float_to_float16

from test_onnx_files import PACKAGES, feeds, graphs

logging.disable(logging.WARNING)
ort.set_default_logger_severity(4)
work = peers.scratch()
rng = np.random.default_rng(7)


def weights(model):
    """name -> (type, bytes) of initializers and of Constants."""
    found = {}
    for g, prefix in graphs(model.graph):
        for t in g.initializer:
            found[prefix + t.name] = (t.data_type, numpy_helper.to_array(t).tobytes())
        for node in g.node:
            for a in node.attribute:
                if a.HasField("t"):
                    found[prefix + node.output[0] + "." + a.name] = (a.t.data_type, numpy_helper.to_array(a.t).tobytes())
    return found


def operators(model):
    return collections.Counter(node.op_type for g, _ in graphs(model.graph) for node in g.node)


def session(model):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(model if isinstance(model, bytes) else str(model), options,
                                providers=["CPUExecutionProvider"])


def run(model, x):
    """The outputs for x, whose floats become what the model takes."""
    s = session(model)
    kinds = {"tensor(float16)": np.float16, "tensor(float)": np.float32}
    return s.run(None, {i.name: x[i.name].astype(kinds[i.type]) if i.type in kinds else x[i.name]
                        for i in s.get_inputs()})


def varied(x):
    """Inputs of several sizes: what a model makes of one of noise may be one number, whose spread says nothing."""
    for size in (0, 0.25, 1, 2, 4, 8):
        yield {n: (rng.normal(size=v.shape) * size).astype(v.dtype) if np.issubdtype(v.dtype, np.floating) and size else v
               for n, v in x.items()}


def runs(model, inputs):
    """Of each output what it is for all inputs."""
    return [np.stack(o) if isinstance(o[0], np.ndarray) and len({v.shape for v in o}) == 1 else o[0]
            for o in zip(*(run(model, x) for x in inputs))]


def distance(have, want):
    """The largest difference, of the spread."""
    worst = 0.0
    for a, b in zip(have, want):
        if not isinstance(b, np.ndarray) or b.dtype not in (np.float32, np.float16) or not b.size:
            continue
        a, b = np.float64(a), np.float64(b)
        spread = max(b.max() - b.min(), 1e-3 * np.abs(b).max(), 1e-30)
        worst = max(worst, float(np.abs(a - b).max() / spread))
    return worst


def convert(path, out, *options, recipe="f16"):
    peers.tool("phi-quant", "-q", "--no-sync", "--force", "-t", recipe, *options, path, "-o", out)
    return out


def tools_own(path, **options):
    """The tool's model, and whether it loads."""
    try:
        model = convert_float_to_float16(onnx.load(path), **options)
        session(model.SerializeToString())
        return model, True
    except Exception as e:
        print(f"       the tool's own fails: {str(e)[:150]}")
        try:
            return convert_float_to_float16(onnx.load(path), **options), False
        except Exception:
            return None, False


def round_floats(model, rounded):
    """The model with those floats rounded that are F16 in `rounded`."""
    halves = {name for name, (kind, _) in weights(rounded).items() if kind == T.FLOAT16}
    for g, prefix in graphs(model.graph):
        for name, t in [*((prefix + t.name, t) for t in g.initializer),
                        *((f"{prefix}{n.output[0]}.{a.name}", a.t) for n in g.node for a in n.attribute if a.HasField("t"))]:
            if t.data_type == T.FLOAT and name in halves:
                a = numpy_helper.to_array(t)
                name = t.name
                t.CopyFrom(numpy_helper.from_array(
                    np.where(a != 0, np.where(np.abs(a) < 5.96e-8, np.copysign(np.float32(5.96e-8), a), a), a)
                    .clip(-65504, 65504).astype(np.float16).astype(np.float32).reshape(a.shape), name))
    return model


def compare(path, inputs, what, bar=0.02, tool=True):
    for keep_io in (False, True):
        out = work / f"{path.stem}-f16.onnx"
        label = f"{what}{', --keep-io' if keep_io else ''}"
        try:
            convert(path, out, "--on-overflow=clamp", *(["--keep-io"] if keep_io else []))
            ours = onnx.load(out)
            onnx.checker.check_model(ours)
            have = runs(out, inputs)
        except Exception as e:
            peers.check(False, f"{label}: made, checked, run", str(e)[:300])
            continue
        want = runs(path, inputs)
        near = distance(have, want)
        own, loads = tools_own(path, keep_io_types=keep_io) if tool else (None, False)
        tools = runs(own.SerializeToString(), inputs) if loads else None
        theirs = distance(tools, want) if loads else 0
        peers.check(near < bar or near <= theirs,
                    f"{label}: {near:.2g} of the spread from F32, bar {bar}{f', the tool {theirs:.2g}' if loads else ''}")
        if loads:
            a, b = weights(own), weights(ours)
            wrong = [n for n in a if a[n] != b.get(n)]
            peers.check(not wrong, f"{label}: {len(a)} weights bit-equal to the tool's", wrong[:3])
            a, b = operators(own), operators(ours)
            peers.check(a == b, f"{label}: the tool's operators", (a - b, b - a))
            between = distance(have, tools)
            peers.check(between <= max(near, 1e-6), f"{label}: {between:.2g} from the tool's own model")
    out = work / f"{path.stem}-f16.onnx"
    convert(path, out, "--on-overflow=clamp")
    back = convert(out, work / f"{path.stem}-f32.onnx", recipe="f32")
    onnx.checker.check_model(str(back))
    rounded = round_floats(onnx.load(path), onnx.load(out)).SerializeToString()
    near = distance(runs(back, inputs), runs(rounded, inputs))
    # A sum of the runtime's may be taken in another order.
    peers.check(near < 1e-4, f"{what}: back in F32, {near:.2g} from F32 with rounded weights")
    left = [n for n, (kind, _) in weights(onnx.load(back)).items() if kind == T.FLOAT16]
    peers.check(not left, f"{what}: back in F32, nothing in F16", left[:3])


def floats(name, *shape, scale=1.0):
    return numpy_helper.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name)


def save(name, nodes, inputs, outputs, initializers, opset=17, value_info=(), domains=()):
    info = [helper.make_tensor_value_info(*i) for i in inputs], [helper.make_tensor_value_info(*o) for o in outputs]
    g = helper.make_graph(nodes, name, *info, initializers, value_info=list(value_info))
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)],
                          ir_version=8)
    path = work / f"{name}.onnx"
    onnx.save(m, path)
    return path


def branch(name, weight):
    return helper.make_graph([helper.make_node("Mul", ["h", weight], [f"{name}_m"], name=f"{name}_mul"),
                              helper.make_node("Min", [f"{name}_m", "top"], [f"{name}_y"], name=f"{name}_min")],
                             name, [], [helper.make_tensor_value_info(f"{name}_y", T.FLOAT, [4, 8])],
                             [floats(weight, 8)])


def made():
    """(name, path, inputs, compare with the tool)"""
    n = helper.make_node
    x = {"x": rng.standard_normal((4, 8)).astype(np.float32)}
    io = [("x", T.FLOAT, [4, 8])], [("y", T.FLOAT, ["a", "b"])]
    high = io[0], [("y", T.FLOAT, ["a", "b", "c", "d"])]
    odd = np.array([1e-8, -1e-8, 3e-8, 5.9e-8, 6e-8, 0, -0.0, 7e4], np.float32)
    yield "tiny and huge", save("tiny", [n("Add", ["x", "w"], ["a"]), n("Min", ["a", "top"], ["y"])], *io,
                                [numpy_helper.from_array(odd, "w"),
                                 numpy_helper.from_array(np.float32(4), "top")]), x, True
    yield "shared by both kinds", save("shared", [
        n("Max", ["x", "w"], ["a"], name="max"), n("Mul", ["a", "w"], ["b"], name="mul"),
        n("Min", ["b", "only"], ["c"], name="min"), n("Cast", ["c"], ["d"], to=T.FLOAT, name="cast"),
        n("TopK", ["d", "k"], ["e", "i"], name="top"), n("CumSum", ["e", "axis"], ["y"], name="sum")], *io,
        [floats("w", 8), floats("only", 8), numpy_helper.from_array(np.array([3], np.int64), "k"),
         numpy_helper.from_array(np.array(1, np.int64), "axis")]), x, True
    yield "constants", save("constants", [
        n("Constant", [], ["c"], value=floats("c", 8)), n("Constant", [], ["big"], value=floats("big", 4, 8, 8)),
        n("Shape", ["x"], ["s"]), n("ConstantOfShape", ["s"], ["zero"]),
        n("ConstantOfShape", ["s"], ["two"], value=numpy_helper.from_array(np.array([2], np.float32))),
        n("Add", ["x", "c"], ["a"]), n("Add", ["a", "zero"], ["b"]), n("Mul", ["b", "two"], ["d"]),
        n("Unsqueeze", ["d", "one"], ["u"]), n("MatMul", ["u", "big"], ["y"])], io[0],
        [("y", T.FLOAT, ["a", "b", "c"])],
        [numpy_helper.from_array(np.array([1], np.int64), "one")]), x, True
    yield "Constant of one float", save("value_float", [
        n("Constant", [], ["c"], value_float=0.25), n("Constant", [], ["d"], value_floats=[0.5] * 8),
        n("Mul", ["x", "c"], ["a"]), n("Add", ["a", "d"], ["y"])], *io, []), x, False
    yield "types made by operators", save("types", [
        n("Greater", ["x", "z"], ["g"]), n("Where", ["g", "x", "z"], ["a"]), n("Max", ["a", "z"], ["m"]),
        n("Identity", ["m"], ["i"]), n("Range", ["f0", "f8", "f1"], ["r"]), n("Add", ["i", "r"], ["y"])], *io,
        [numpy_helper.from_array(np.float32(0), "z"), *(numpy_helper.from_array(np.float32(v), f"f{v}") for v in (0, 1, 8))]),\
        x, True
    yield "Resize", save("resize", [n("Unsqueeze", ["x", "axes"], ["u"]), n("Resize", ["u", "", "scales"], ["y"])], *high,
                         [numpy_helper.from_array(np.array([0, 1], np.int64), "axes"),
                          numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")]), x, True
    branches = n("If", ["cond"], ["o"], then_branch=branch("then", "tw"), else_branch=branch("else", "ew"), name="if")
    yield "graphs within If", save("branches", [
        n("MatMul", ["x", "w"], ["h"], name="in"), n("ReduceSum", ["h"], ["t"], keepdims=0), n("Greater", ["t", "z"], ["cond"]),
        branches, n("Add", ["o", "x"], ["y"])], *io,
        [floats("w", 8, 8), floats("top", 8), numpy_helper.from_array(np.float32(0), "z")]), x, False
    body = helper.make_graph([n("Max", ["state", "w"], ["m"]), n("Mul", ["m", "f"], ["next"]), n("Identity", ["go"], ["on"])],
                             "body", [helper.make_tensor_value_info("i", T.INT64, []),
                                      helper.make_tensor_value_info("go", T.BOOL, []),
                                      helper.make_tensor_value_info("state", T.FLOAT, [4, 8])],
                             [helper.make_tensor_value_info("on", T.BOOL, []),
                              helper.make_tensor_value_info("next", T.FLOAT, [4, 8])], [floats("f", 8)])
    yield "Loop", save("loop", [n("Loop", ["count", "", "x"], ["y"], body=body, name="loop")], *io,
                       [numpy_helper.from_array(np.int64(3), "count"), floats("w", 8)]), x, False


def kept():
    path = work / "shared.onnx"
    x = {"x": rng.standard_normal((4, 8)).astype(np.float32)}
    out = convert(path, work / "kept.onnx", "--keep", "mul")
    own, loads = tools_own(path, node_block_list=["mul"])
    onnx.checker.check_model(str(out))
    have = weights(onnx.load(out))
    peers.check(loads and have == weights(own), "--keep NODE: the tool's weights with node_block_list")
    peers.check(operators(own) == operators(onnx.load(out)), "--keep NODE: the tool's operators")
    near = distance(run(out, x), run(path, x))
    peers.check(near < 0.02, f"--keep NODE: {near:.2g} from F32")
    out = convert(path, work / "kept.onnx", "--keep", "w")
    have = weights(onnx.load(out))
    peers.check(have["w"] == weights(onnx.load(path))["w"], "--keep WEIGHT: stays F32")
    onnx.checker.check_model(str(out))
    peers.check(distance(run(out, x), run(path, x)) < 0.02, "--keep WEIGHT: runs")


def main():
    for what, path, x, tool in made():
        compare(path, [x], what, tool=tool)
    kept()
    for pin, globs in PACKAGES.items():
        for path in peers.fetch(pin, globs):
            if path.stat().st_size < 1 << 25:
                compare(path, list(varied(feeds(session(path), path.name))), f"{pin}, {path.name}")
    peers.finish()


if __name__ == "__main__":
    main()
