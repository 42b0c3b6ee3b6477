#!/usr/bin/env python3
"""A model of more than 2 GiB, most of it holes: its weights go to a file beside it whether asked for or not; onnx.checker
takes it, onnxruntime computes what it must, phi-diff sees no difference, and phi-repack stays small."""
import subprocess
import sys

import peers
import numpy as np
import onnx
import onnxruntime as ort

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import onnx_file as o  # noqa: E402

ort.set_default_logger_severity(4)
work = peers.scratch("/tmp")
ROWS, COLUMNS = 5372, 51200  # two of them are 2.2 GB
SIZE = 4 * ROWS * COLUMNS
weights = [o.tensor(n, o.FLOAT, [ROWS, COLUMNS], more=o.external("w.bin", i * SIZE, SIZE)) for i, n in enumerate("ab")]
nodes = [o.node("Gather", [n, "x"], ["row_" + n]) for n in "ab"] + [o.node("Add", ["row_a", "row_b"], ["y"])]
(work / "big.onnx").write_bytes(o.model(o.graph(nodes, weights, [o.value("x", o.INT64, [])], [o.value("y", o.FLOAT, [COLUMNS])])))
with open(work / "w.bin", "wb") as f:
    f.truncate(2 * SIZE)
    for at, value in ((0, b"\0\0\x80\x3f"), (SIZE - 4, b"\0\0\0\x40"), (2 * SIZE - 4, b"\0\0\x40\x40")):  # 1, 2, 3
        f.seek(at)
        f.write(value)


subprocess.run(["cc", "-D_GNU_SOURCE", "-o", work / "measure", peers.ROOT / "tests/bench/measure.c"], check=True)


def run(*argv):
    """Status, and MiB at most."""
    status = subprocess.run([work / "measure", work / "used", *argv], cwd=work, stdout=subprocess.DEVNULL).returncode
    return status, int((work / "used").read_text().split()[-2]) / 1024


for options in ([], ["--external-data"]):
    what = "repacked " + (" ".join(options) or "as it comes")
    out = work / "out.onnx"
    status, most = run(peers.TOOLS / "phi-repack", "-q", "--no-sync", *options, "big.onnx", "-o", "out.onnx")
    peers.check(status == 0 and out.stat().st_size < 1000 and (work / "out.onnx.data").stat().st_size >= 2 * SIZE,
                f"{2 * SIZE} bytes of weights, {what}: beside the graph", str(status))
    peers.check(most < 32, f"{what}: {most:.1f} MiB", "more than 32 MiB")
    if not options:
        onnx.checker.check_model(str(out))
        session = ort.InferenceSession(out, providers=["CPUExecutionProvider"])
        first, last = (session.run(None, {"x": np.array(i)})[0] for i in (0, ROWS - 1))
        peers.check(first[0] == 1 and last[-1] == 5 and not first[1:].any() and not last[:-1].any(), "onnxruntime reads it")
        del session
        status, most = run(peers.TOOLS / "phi-diff", "-q", "big.onnx", "out.onnx")
        peers.check(status == 0, f"phi-diff sees no difference: {most:.1f} MiB", str(status))
    out.unlink()
    (work / "out.onnx.data").unlink()
peers.finish()
