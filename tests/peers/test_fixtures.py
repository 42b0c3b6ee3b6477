#!/usr/bin/env python3
"""Makes the committed fixtures again in a scratch folder and compares bytes; checks the digests of phi-tiny."""
import subprocess
import sys

import peers

here = peers.ROOT / "fixtures"
made = peers.scratch() / "small"
subprocess.run([sys.executable, "-W", "ignore", here / "small.py", made], check=True)
names = {p.relative_to(root) for root in (made, here / "small") for p in root.rglob("*") if p.is_file()}
for name in sorted(names):
    old, new = here / "small" / name, made / name
    same = old.is_file() and new.is_file() and old.read_bytes() == new.read_bytes()
    peers.check(same, f"small/{name} made again", "differs, or is in one place only")

listed = {}
for line in (here / "phi-tiny.sha256").read_text().splitlines():
    digest, name = line.split()
    listed[name] = digest
    peers.check(peers.sha256(here / name) == digest, f"{name} has its recorded digest")
there = {str(p.relative_to(here)) for p in (here / "phi-tiny").iterdir()}
peers.check(there | {"corpus.txt"} == set(listed), "phi-tiny holds what is recorded", str(there ^ set(listed)))
size = sum(p.stat().st_size for p in here.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
peers.check(size < 5_000_000, "all fixtures take less than 5 MB", str(size))
peers.finish()
