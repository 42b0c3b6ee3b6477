#!/usr/bin/env python3
"""convert_hf_to_gguf with the pre-tokenizer named: convert.py [--pre NAME] DIR --outtype T --outfile F

The converter knows pre-tokenizers by a hash over published vocabularies, so it refuses a folder with
a vocabulary of its own. Here it is told the name (gpt-4o unless given); nothing else is changed.
"""
import runpy
import sys

import peers

pre = "gpt-4o"
if "--pre" in sys.argv:
    at = sys.argv.index("--pre")
    pre = sys.argv[at + 1]
    del sys.argv[at:at + 2]

tree = peers.PEERS / "llama.cpp"
sys.path.insert(0, str(tree))
sys.path.insert(1, str(tree / "gguf-py"))

import conversion.base  # noqa: E402

conversion.base.TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
sys.argv[0] = str(tree / "convert_hf_to_gguf.py")
runpy.run_path(sys.argv[0], run_name="__main__")
