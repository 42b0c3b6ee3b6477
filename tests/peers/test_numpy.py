#!/usr/bin/env python3
"""Arrays as NumPy writes them are read with its names, types, shapes and bytes: all dtypes, both orders of bytes
and elements, all versions, stored and deflated. What we write is numpy.save's and numpy.savez's, byte for byte. What
numpy.load refuses, we refuse."""
import io
import sys
import warnings
import zipfile

import peers
import numpy as np
import torch

import reference

sys.path.insert(0, str(peers.ROOT / "tests" / "hostile"))
import cases  # noqa: E402

work = peers.scratch()
warnings.simplefilter("ignore")
DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", "c8", "c16"]
SHAPES = [(), (0,), (1,), (7,), (3, 5), (5, 1), (2, 3, 4), (0, 3), (2, 1, 3, 1, 2), (1, 2, 1, 2, 1, 2, 1, 2)]
random = np.random.default_rng(7)


def values(dtype, shape):
    raw = random.integers(0, 256, (int(np.prod(shape)), np.dtype(dtype).itemsize), np.uint8)
    return ((raw & 1).view("b1") if dtype == "b1" else raw.view(dtype)).reshape(shape)


def arrays():
    """(name, array, version), every combination."""
    for dtype in DTYPES:
        for shape in SHAPES:
            for order in "<>":
                for layout in "CF":
                    for version in (1, 2, 3):
                        a = values(dtype, shape).astype(np.dtype(dtype).newbyteorder(order), order=layout)
                        name = f"{dtype}/{'x'.join(map(str, shape)) or 'scalar'}/{ord(order):x}{layout}{version}"
                        yield name, a, version


def npy(array, version):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, (version, 0))
    return out.getvalue()


def same(path, want, what):
    """phi-inspect's tensors against {name: array}."""
    wrong = reference.difference({n: reference.of_array(a) for n, a in want.items()}, reference.ours(path))
    peers.check(not wrong and want, f"{what}: {len(want)} arrays", wrong)


def reads():
    made = list(arrays())
    for method, what in ((zipfile.ZIP_STORED, "stored"), (zipfile.ZIP_DEFLATED, "deflated")):
        path = work / f"{what}.npz"
        with zipfile.ZipFile(path, "w", method) as z:
            for name, a, version in made:
                z.writestr(name + ".npy", npy(a, version))
        with np.load(path) as loaded:
            same(path, {n: loaded[n] for n in loaded.files}, f"every dtype, shape, order and version, {what}")
    for dtype in DTYPES:
        wrong = []
        for name, a, version in made:
            if not name.startswith(dtype + "/2x3x4/"):
                continue
            path = work / "lone.npy"
            path.write_bytes(npy(a, version))
            if reference.ours(path) != {"lone": reference.of_array(a)}:
                wrong.append(name)
        peers.check(not wrong, f"{dtype}: lone files", str(wrong))


def types_of_others():
    """What ml_dtypes 0.5 writes: NumPy spells its bfloat16 '<V2' and its float8_e5m2 '<f1'."""
    for descr, t in (("<V2", torch.bfloat16), ("|V2", torch.bfloat16), ("<f1", torch.float8_e5m2)):
        weights = torch.arange(24, dtype=torch.float32).reshape(4, 6).to(t)
        raw = weights.view(torch.uint8).numpy().tobytes()
        path = work / "other.npy"
        with open(path, "wb") as f:
            np.lib.format.write_array_header_1_0(f, {"descr": descr, "fortran_order": False, "shape": (4, 6)})
            f.write(raw)
        peers.check(reference.ours(path) == {"other": reference.of_tensor(weights)}, f"{descr} is {t}")


def writes():
    kept = {n.replace("/", "."): np.ascontiguousarray(a.astype(a.dtype.newbyteorder("<"))).reshape(a.shape)
            for n, a, version in arrays() if version == 1 and "/3c" in n}
    kept["Zürich/π"] = np.arange(3)
    path, out = work / "in.npz", work / "out.npz"
    np.savez(path, **kept)
    for jobs in (1, 8):
        peers.tool("phi-repack", "-q", "--force", "-j", jobs, path, "-o", out)
        peers.check(out.read_bytes() == path.read_bytes(), f"numpy.savez's bytes of {len(kept)} arrays, -j{jobs}")
    with np.load(out) as z:
        wrong = [n for n in kept if not (z[n].dtype == kept[n].dtype and z[n].shape == kept[n].shape and
                                         z[n].tobytes() == kept[n].tobytes())]
        peers.check(not wrong and z.files == list(kept), "numpy.load of what we wrote", str(wrong[:3]))
    found = peers.subprocess.run([peers.TOOLS / "phi-inspect", "--check", out], capture_output=True, text=True).stdout
    other = [line for line in found.splitlines() if "weights.not-finite" not in line]  # any bits are there
    peers.check(not other, "nothing to find in it but NaN", str(other[:3]))
    peers.tool("phi-repack", "-q", "--force", work / "deflated.npz", "-o", out)
    with np.load(out) as a, np.load(work / "deflated.npz") as b:
        wrong = [n for n in b.files if a[n].shape != b[n].shape or
                 a[n].astype(b[n].dtype).tobytes() != b[n].tobytes()]
        peers.check(a.files == b.files and not wrong, f"{len(b.files)} arrays out of a deflated archive", str(wrong[:3]))
    wrong = []
    for dtype in DTYPES:
        for shape in SHAPES:
            path, out = work / "a.npy", work / "out.npy"
            np.save(path, values(dtype, shape))
            peers.tool("phi-repack", "-q", "--force", path, "-o", out)
            piped = peers.tool("phi-repack", "-q", "-f", "numpy", stdin=path.read_bytes())
            if not out.read_bytes() == piped == path.read_bytes():
                wrong.append((dtype, shape))
    peers.check(not wrong, f"numpy.save's bytes of {len(DTYPES) * len(SHAPES)} arrays, through pipes too", str(wrong[:3]))


def large():
    """More than zip's 32 bits hold: sparse on disk, so that only the numbers in the headers are large."""
    path, out = work / "large.npy", work / "large.npz"
    n = (1 << 31) + 5
    with open(path, "wb") as f:
        np.lib.format.write_array_header_1_0(f, {"descr": "|u1", "fortran_order": False, "shape": (n,)})
        f.truncate(f.tell() + n)
    peers.tool("phi-repack", "-q", "--no-sync", path, "-o", out)
    path.unlink()
    with zipfile.ZipFile(out) as z:
        info = z.infolist()[0]
        with z.open(info) as f:
            head = f.read(128)
        peers.check(info.file_size == n + 128 and head.startswith(b"\x93NUMPY"), "an entry of more than 2 GiB, by zipfile")
    peers.check(peers.tool("phi-inspect", "--check", out) == b"", "its checksum")
    out.unlink()


def takes(path):
    """Does numpy.load read it, to the last array?"""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            for name in loaded.files:
                loaded[name]
        return True
    except Exception:  # whatever it raises: BadZipFile, ValueError, zlib.error, MemoryError ...
        return False


def refuses():
    cases.numpy_cases()
    lax, strict = [], []
    for klass, name, files, _, options in cases.CASES:
        folder = work / "hostile"
        cases.put(folder, files)
        theirs = takes(folder / name)
        run = peers.subprocess.run([peers.TOOLS / "phi-inspect", "--sum", folder / name], capture_output=True)
        if run.returncode == 0 and not theirs and not options.get("may_pass"):
            lax.append(klass)
        if run.returncode and theirs:
            strict.append(klass.removeprefix("NumPy: "))
        (folder / name).unlink()
    peers.check(not lax, f"what numpy.load refuses of {len(cases.CASES)} files is refused", str(lax))
    # Two readers would see two things; or no numbers; or more dimensions than any model has; or the
    # directory is wrong, and only as much was read as the array needs.
    known = {"header: twice", "header: shape-deep", "elements <U4", "elements |S8", "elements <M8[ns]", "elements |V0", "records",
             "header: after", "two entries of one name", "an entry twice", "an array without a name", "two entries over one range",
             "an entry beyond the file", "an entry larger than the file", "elements "}
    peers.check(set(strict) <= known, f"{len(strict)} more are refused on purpose", str(set(strict) - known))


for test in (reads, types_of_others, writes, large, refuses):
    try:
        test()
    except peers.Failure as e:
        peers.check(False, test.__name__, str(e))
peers.finish()
