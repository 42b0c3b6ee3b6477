#!/usr/bin/env python3
"""Token ids of 300 texts for each kind of tokenizer of the families, in small vocabularies (the published ones are
test_published.py's, SentencePiece's variants test_sentencepiece.py's)."""
import sys

import peers
from convert import convert

import token_ids

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402

work = peers.scratch()
folders = {"phi-tiny": peers.ROOT / "fixtures" / "phi-tiny", **checkpoints.make(work)}
for name in ("phi-tiny", "phi-2", "phi-1_5", "phi-4", "Phi-3.5-MoE-instruct", "Phi-3-mini-spm", "Phi-9-tiny-128k-instruct"):
    ours = work / "ours.gguf"
    try:
        theirs = convert(folders[name], work / "theirs.gguf", "f16", checkpoints.PRE.get(name, "gpt-4o"))
        peers.tool("phi-quant", "-q", "--no-sync", "--force", "-t", "f16", folders[name], "-o", ours)
        token_ids.check(name, folders[name], ours, theirs)
    except peers.Failure as e:
        peers.check(False, name, str(e))
peers.finish()
