#!/usr/bin/env python3
"""Every dtype that the safetensors package knows is read and written; which those are, its own message says."""
import json
import re
import struct

import peers
import numpy as np
import safetensors

import reference

work = peers.scratch()
BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E8M0": 8}
RANDOM = np.random.Generator(np.random.PCG64(1))


def known():
    """The dtypes, out of what is said of one that is none."""
    try:
        safetensors.deserialize(container({"x": ("NONE", [1], b"")}))
    except Exception as e:
        return re.findall(r"`(\w+)`", str(e).split("expected one of")[1])


def container(tensors):
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def bits(dtype):
    return BITS.get(dtype) or int(re.match(r"[A-Z]+(\d+)", dtype)[1])


def main():
    dtypes = known()
    peers.check(len(dtypes) >= 22, f"safetensors {safetensors.__version__} has {len(dtypes)} dtypes: {' '.join(dtypes)}")
    every = {}
    for dtype in dtypes:
        shape = [3, 8]
        raw = RANDOM.integers(0, 2 if dtype == "BOOL" else 256, 24 * bits(dtype) // 8, np.uint8).tobytes()
        every[f"t.{dtype}"] = (dtype, shape, raw)
    want = {n: (d, s, reference.digest(raw)) for n, (d, s, raw) in every.items()}
    for dtype in dtypes:
        one = {n: t for n, t in every.items() if t[0] == dtype}
        path, out = work / "one.safetensors", work / "out.safetensors"
        path.write_bytes(container(one))
        try:
            wrong = reference.difference({n: want[n] for n in one}, reference.ours(path))
            peers.tool("phi-repack", "-q", "--force", "--no-sync", path, "-o", out)
            have = {n: (t["dtype"], list(t["shape"]), reference.digest(bytes(t["data"])))
                    for n, t in safetensors.deserialize(out.read_bytes())}
            wrong = wrong or reference.difference({n: want[n] for n in one}, have)
            peers.check(not wrong, f"{dtype}: read, and written as the package reads it", wrong)
        except peers.Failure as e:
            peers.check(False, dtype, str(e))
    path = work / "all.safetensors"
    path.write_bytes(container(every))
    wrong = reference.difference(want, reference.ours(path))
    peers.check(not wrong, f"all {len(every)} in one file", wrong)
    peers.tool("phi-repack", "-q", "--force", "--no-sync", "-o", work / "piped.safetensors",
               stdin=peers.tool("phi-repack", "-q", path))
    wrong = reference.difference(want, reference.ours(work / "piped.safetensors"))
    peers.check(not wrong, "and through the pipe", wrong)


main()
peers.finish()
