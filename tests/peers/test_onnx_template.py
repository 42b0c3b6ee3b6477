#!/usr/bin/env python3
"""--template: another checkpoint's weights in a graph that is there give what a graph made of them gives."""
import subprocess

import peers
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

K, H, N = 48, 48, 32
work = peers.scratch()


def weights(seed):
    rng = np.random.default_rng(seed)
    return {"fc1.weight": rng.normal(size=(64, K)).astype(np.float32), "fc1.bias": rng.normal(size=64).astype(np.float32),
            "fc2.weight": rng.normal(size=(H, 64)).astype(np.float32), "out.weight": rng.normal(size=(N, H)).astype(np.float32)}


def graph(w):
    """fc1 by MatMul, transposed as exporters fold it; fc2 by Gemm with transB; out by MatMul."""
    t = {"fc1.weight": w["fc1.weight"].T, "fc1.bias": w["fc1.bias"], "fc2.weight": w["fc2.weight"],
         "out.weight": w["out.weight"].T, "scale": np.float32([0.5])}
    nodes = [helper.make_node("MatMul", ["x", "fc1.weight"], ["a"]), helper.make_node("Add", ["a", "fc1.bias"], ["b"]),
             helper.make_node("Gemm", ["b", "fc2.weight"], ["c"], transB=1), helper.make_node("Mul", ["c", "scale"], ["d"]),
             helper.make_node("MatMul", ["d", "out.weight"], ["y"])]
    g = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", K])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", N])],
                          [numpy_helper.from_array(np.ascontiguousarray(v), n) for n, v in t.items()])
    return helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(path):
    x = np.random.default_rng(9).normal(size=(5, K)).astype(np.float32)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


old, new = weights(1), weights(2)
onnx.save(graph(old), work / "old.onnx")
onnx.save(graph(new), work / "want.onnx")
save_file(new, work / "new.safetensors")
peers.tool("phi-repack", "-q", "--template", work / "old.onnx", work / "new.safetensors", "-o", work / "got.onnx")
onnx.checker.check_model(str(work / "got.onnx"))
peers.check(np.array_equal(run(work / "got.onnx"), run(work / "want.onnx")), "outputs are those of a fresh export")
peers.check(not np.allclose(run(work / "got.onnx"), run(work / "old.onnx")), "and not the template's")
save_file({n: v.astype(np.float16) for n, v in new.items()}, work / "half.safetensors")
peers.tool("phi-repack", "-q", "--template", work / "old.onnx", work / "half.safetensors", "-o", work / "half.onnx")
half = {n: v.astype(np.float16).astype(np.float32) for n, v in new.items()}
onnx.save(graph(half), work / "want_half.onnx")
peers.check(np.array_equal(run(work / "half.onnx"), run(work / "want_half.onnx")), "F16 weights get the graph's F32")
peers.tool("phi-repack", "-q", "--template", work / "old.onnx", work / "want.onnx", "-o", work / "same.onnx")
peers.check(np.array_equal(run(work / "same.onnx"), run(work / "want.onnx")), "weights of another graph stay as that has them")

square = {**new, "out.weight": np.eye(H, dtype=np.float32)}
onnx.save(graph({**old, "out.weight": np.ones((H, H), np.float32)}), work / "square.onnx")
save_file(square, work / "square.safetensors")
made = subprocess.run([peers.TOOLS / "phi-repack", "--template", work / "square.onnx", work / "square.safetensors", "-o",
                       work / "no.onnx"], capture_output=True, text=True)
peers.check(made.returncode == 2 and "square" in made.stderr and not (work / "no.onnx").exists(), "a square weight is refused",
            made.stderr)
peers.finish()
