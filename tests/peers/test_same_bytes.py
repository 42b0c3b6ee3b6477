#!/usr/bin/env python3
"""GGUF made from a checkpoint folder equals convert_hf_to_gguf's byte for byte: phi-tiny and random ones of every
family."""
import sys

import peers
from convert import convert

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402

work = peers.scratch()
folders = {"phi-tiny": peers.ROOT / "fixtures" / "phi-tiny", **checkpoints.make(work)}
for name, folder in folders.items():
    pre = checkpoints.PRE.get(name, "gpt-4o")
    for outtype in ("f32", "f16", "bf16", "q8_0", "auto"):
        what = f"{name} to {outtype}"
        ours, theirs = work / "ours.gguf", work / "theirs.gguf"
        ours.unlink(missing_ok=True)
        try:
            convert(folder, theirs, outtype, pre)
            if outtype == "auto":
                peers.tool("phi-repack", "--no-sync", folder, "-f", "gguf", "-o", ours)
            else:
                peers.tool("phi-quant", "--no-sync", "-t", outtype, folder, "-o", ours)
        except peers.Failure as e:
            peers.check(False, what, str(e))
            continue
        wrong = peers.first_difference(ours, theirs)
        peers.check(not wrong, what, wrong)
peers.finish()
