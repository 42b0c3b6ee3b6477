#!/usr/bin/env python3
"""phi-inspect --check against the safetensors library: what it refuses has a finding, and what it loads is called
unreadable only where two readers could see two files."""
import subprocess
import sys

import peers
from safetensors import safe_open

sys.path.insert(0, str(peers.ROOT / "tests" / "hostile"))
import build  # noqa: E402
import cases  # noqa: E402

work = peers.scratch()


def takes(path):
    try:
        with safe_open(path, framework="pt") as f:
            for name in f.keys():
                f.get_tensor(name)
        return True
    except Exception:  # SafetensorError, and what torch raises of odd types
        return False


def check(path):
    run = subprocess.run([peers.TOOLS / "phi-inspect", "--check", path], capture_output=True, text=True)
    return run.returncode, run.stdout


cases.safetensors_cases()
silent, strict = [], []
for klass, name, files, _, options in cases.CASES:
    cases.put(work, files)
    status, said = check(work / name)
    theirs = takes(work / name)
    if not theirs and status != 1:
        silent.append((klass, status))
    if theirs and "model.unreadable" in said:
        strict.append(klass.removeprefix("safetensors: "))
    (work / name).unlink()
peers.check(not silent, f"what the library refuses of {len(cases.CASES)} files has a finding", str(silent))
# Names that two readers take for two, an empty name, and eight dimensions.
known = {"header does not begin with a brace", "a tensor twice", "a tensor twice, once escaped", "empty name", "a field twice",
         "a thousand dimensions"}
peers.check(set(strict) <= known, f"{len(strict)} of those it takes are refused on purpose", str(sorted(set(strict) - known)))

good = work / "good.safetensors"
good.write_bytes(build.safetensors(build.plain(), {"format": "pt"}))
data = good.read_bytes()
start = 8 + int.from_bytes(data[:8], "little")
wrong = []
for i in range(start):  # every byte of the header, replaced by several others
    for byte in (0, 0x20, 0x22, 0x2c, 0x30, 0x39, 0x7b, 0x7d, 0xff):
        if data[i] == byte:
            continue
        path = work / "bad.safetensors"
        path.write_bytes(data[:i] + bytes([byte]) + data[i + 1:])
        if not takes(path) and check(path)[0] != 1:
            wrong.append((i, byte))
peers.check(not wrong, f"{9 * start} damaged headers: each that the library refuses has a finding", str(wrong[:5]))
peers.finish()
