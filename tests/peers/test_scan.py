#!/usr/bin/env python3
"""phi-inspect --scan against the scanners picklescan and fickling, and against false alarms.

Whatever picklescan calls dangerous, or fickling overtly malicious, we find too: on the files of tests/scan, none of
which is ever loaded. What torch.save, torch.jit.save and NumPy write, in every form, is clean, as are the real files
that test_real_files.py fetches; what is not clean there is named below, with the reason.
"""
import contextlib
import io
import logging
import pickle
import subprocess
import sys
import warnings
from collections import OrderedDict
from pathlib import Path

import peers
import numpy as np
import torch

sys.path.insert(0, str(peers.ROOT / "tests" / "scan"))
import cases  # noqa: E402

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
work = peers.scratch()
SCANNERS = ["picklescan==1.0.5", "fickling==0.1.12", "stdlib-list==0.12.0"]


def install():
    """The scanners, beside the venv: they are wanted here only."""
    folder = peers.PEERS / "scanners" / "+".join(SCANNERS)
    if not folder.is_dir():
        part = work / "scanners"
        run = subprocess.run([peers.PYTHON, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps",
                              "--target", part, *SCANNERS], capture_output=True, text=True)
        if run.returncode:
            raise peers.Failure(f"pip install: {(run.stderr.strip().splitlines() or ['?'])[-1]}")
        folder.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", part, folder], check=True)
    sys.path.append(str(folder))


def ours(path):
    run = subprocess.run([peers.TOOLS / "phi-inspect", "--scan", path], capture_output=True, text=True)
    return run.returncode, (run.stdout + run.stderr).strip()


def expect(path, what, status=0):
    have, said = ours(path)
    peers.check(have == status, what, f"exit {have}: {said[:300]}")


# ---- the scanners ------------------------------------------------------------------------------------


def compare_scanners():
    from fickling.analysis import Severity, check_safety
    from fickling.fickle import StackedPickle
    from picklescan.scanner import scan_file_path
    # fickling says much of broken pickles.
    with contextlib.redirect_stderr(io.StringIO()):
        files, found, missed = look(scan_file_path, lambda data: any(
            check_safety(p).severity >= Severity.LIKELY_OVERTLY_MALICIOUS for p in StackedPickle.load(io.BytesIO(data))))
    counts = ", ".join(f"{k} {v}" for k, v in found.items())
    peers.check(not missed, f"{files} files, found by: {counts}", "; ".join(missed[:5]))
    peers.check(found["picklescan"] > 700 and found["fickling"] > 300, "the scanners do scan", counts)


def look(picklescan, fickling):
    """Every file under all three: how many, how many each finds, and what we miss."""
    found = {"picklescan": 0, "fickling": 0, "ours": 0}
    files, missed = 0, []
    for number, (name, content, status, rule) in enumerate(cases.all_cases()):
        if not isinstance(content, bytes):
            continue
        gadget = name.startswith(("picklescan", "fickling", "others"))
        for suffix in (".pkl",) if gadget else (".pkl", ".bin", ".npy", ".zip"):
            path = work / f"{number}{suffix}"
            path.write_bytes(content)
            theirs = []
            try:
                if picklescan(str(path)).issues_count:
                    theirs.append("picklescan")
            except Exception:  # what it cannot read it does not judge
                pass
            try:
                if suffix == ".pkl" and fickling(content):
                    theirs.append("fickling")
            except Exception:
                pass
            have = ours(path)[0] != 0
            files += 1
            found["ours"] += have
            for scanner in theirs:
                found[scanner] += 1
                if not have:
                    missed.append(f"{scanner}: {name}{suffix}")
            path.unlink()
    return files, found, missed


# ---- false alarms -----------------------------------------------------------------------------------


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(4, 4)
        self.b = torch.nn.Conv2d(3, 4, 3)
        self.register_buffer("c", torch.arange(5))

    def forward(self, x):
        return self.a(x)


def checkpoints():
    """Everything that can be meant by the weights of a model: (what, object)."""
    dtypes = [d for d in vars(torch).values() if isinstance(d, torch.dtype)]
    tensors = {}
    for d in dtypes:
        try:
            tensors[str(d)] = torch.zeros(8, dtype=torch.uint8).view(d) if d.itemsize and "q" not in str(d) else None
        except (RuntimeError, TypeError):
            pass
    tensors = {k: t for k, t in tensors.items() if t is not None}
    base = torch.arange(24.).reshape(2, 3, 4)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.zeros(4)).sum().backward()
    optimizer.step()
    for name, t in tensors.items():
        yield name, {"t": t}
    yield "dtypes themselves", {str(d): d for d in dtypes}
    yield "views", {"t": base.T, "s": base[:, 1:, ::2], "e": base[:1].expand(2, 3, 4), "n": base.new_zeros(0), "0": torch.tensor(1.)}
    yield "conj and neg", {"c": torch.ones(3, dtype=torch.complex64).conj(), "n": torch.ones(3, dtype=torch.complex64).conj().imag}
    yield "channels last", torch.zeros(1, 2, 3, 4).to(memory_format=torch.channels_last)
    eye = torch.eye(4)
    yield "sparse", {"coo": eye.to_sparse(), "csr": eye.to_sparse_csr(), "csc": eye.to_sparse_csc(),
                     "bsr": eye.to_sparse_bsr((2, 2)), "bsc": eye.to_sparse_bsc((2, 2))}
    yield "quantized", {"t": torch.quantize_per_tensor(base, 0.1, 0, torch.qint8),
                        "c": torch.quantize_per_channel(eye, torch.ones(4), torch.zeros(4, dtype=torch.long), 0, torch.quint8)}
    yield "meta", torch.zeros(4, device="meta")
    yield "nested tensor", torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    yield "parameters", {"p": torch.nn.Parameter(base), "b": torch.nn.Buffer(base)}
    parameter = torch.nn.Parameter(base)
    parameter.note = "kept"
    yield "parameter with state", parameter
    yield "state dict", net.state_dict()
    yield "optimizer", {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "rng": torch.get_rng_state()}
    yield "Lightning-like", {"state_dict": net.state_dict(), "pytorch-lightning_version": "2.0", "epoch": 1, "loops": {},
                             "callbacks": {"ModelCheckpoint{'mode': 'min'}": {"best": torch.tensor(0.1)}},
                             "hyper_parameters": {"lr": 0.1, "betas": (0.9, 0.99)}, "lr_schedulers": []}
    yield "numbers", {"big": 1 << 100, "neg": -(1 << 70), "nan": float("nan"), "none": None, "set": {1, 2}, "frozen": frozenset((1,)),
                      "bytes": b"\xff\0", "array": bytearray(b"x"), "complex": 1j, "range": range(4), "size": base.shape}
    yield "containers", OrderedDict(a=[(1, 2), {"b": {"c": torch.zeros(2)}}])
    yield "numpy in it", {"a": np.arange(5.), "s": np.float32(2), "d": np.dtype("f4"), "b": np.array(True), "u": np.array(["x"])}
    yield "device", torch.device("cpu")
    yield "long strings", {"text": "line\nof text\n" * 5000, "latin": "\xe9\xff\x80" * 5000}
    yield "100,000 elements", {"list": list(range(100000)), "names": ["layer.%d.weight\n" % i for i in range(2000)]}


def torch_files():
    for what, value in checkpoints():
        for form, options in (("zip", {}), ("zip, protocol 4", {"pickle_protocol": 4}), ("zip, protocol 5", {"pickle_protocol": 5}),
                              ("zip, protocol 3", {"pickle_protocol": 3}), ("legacy", {"_use_new_zipfile_serialization": False})):
            path = work / "file.pt"
            try:
                torch.save(value, path, **options)
            except (RuntimeError, NotImplementedError, AttributeError, TypeError, KeyError):
                continue  # not to be saved in this form
            expect(path, f"torch.save: {what}, {form}")
    torch.serialization.set_crc32_options(False)
    torch.save(Net().state_dict(), work / "file.pt")
    torch.serialization.set_crc32_options(True)
    expect(work / "file.pt", "torch.save without checksums, which are then wrong", 1)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), work / "file.pt")
    expect(work / "file.pt", "TorchScript, which holds code", 1)
    torch.save(Net(), work / "file.pt")
    expect(work / "file.pt", "a whole model, which needs its class", 1)


def numpy_files():
    for what, a in {"numbers": np.arange(5.), "structured": np.zeros(3, "i4,f8"), "text": np.array(["Object", "O"]),
                    "objects": np.array([1, "a", None, [2.5]], dtype=object), "dates": np.array(["2020-01-01"], "M8[D]")}.items():
        np.save(work / "a.npy", a)
        expect(work / "a.npy", f"numpy.save: {what}")
        np.savez(work / "a.npz", a=a, b=a)
        expect(work / "a.npz", f"numpy.savez: {what}")
        np.savez_compressed(work / "a.npz", a=a, b=a)
        expect(work / "a.npz", f"numpy.savez_compressed: {what}")
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            (work / "a.pkl").write_bytes(pickle.dumps({"a": a, "n": list(a.shape)}, protocol))
            expect(work / "a.pkl", f"pickle.dumps: {what}, protocol {protocol}")


def random_weights():
    """Bytes of weights are opcodes too: 200 tensors of each kind, and not one alarm."""
    rng = np.random.default_rng(1)
    path = work / "random.pt"
    torch.save({f"{kind}.{i}": torch.from_numpy(rng.integers(0, 256, 1 << 16, np.uint8) if kind == "bytes" else
                                                rng.normal(0, 0.02, 1 << 14).astype(np.float16))
                for kind in ("bytes", "halves") for i in range(200)}, path)
    expect(path, "16 MiB of random weights")


JUSTIFIED = {
    "pytorch_model.bin": "omegaconf's and pytorch_lightning's classes",
    "silero_vad.jit": "TorchScript",
}


def real_files():
    files = sorted(p for p in (peers.PEERS / "real").rglob("*") if p.is_file())
    for path in files:
        expect(path, f"{path.name}{': ' + JUSTIFIED[path.name] if path.name in JUSTIFIED else ''}", int(path.name in JUSTIFIED))
    peers.check(len(files) > 10, "there are real files", f"{len(files)}: run test_real_files.py first")


try:
    install()
    compare_scanners()
except peers.Failure as e:
    peers.check(False, "scanners", str(e))
torch_files()
numpy_files()
random_weights()
real_files()
peers.finish()
