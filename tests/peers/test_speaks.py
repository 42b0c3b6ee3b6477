#!/usr/bin/env python3
"""libllama loads our F32 GGUF and computes what transformers computes: logits within 0.2 % of their range,
the same 16 greedy tokens. On phi-tiny and the random checkpoints, a short prompt and one beyond the original context.
Of phimoe libllama computes another function (RMS norms, other routing), whoever made the file: there the logits are
those of the converter's file."""
import sys

import peers
from convert import convert

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

import ggml

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402

work = peers.scratch()
logging.disable_progress_bar()


def reference(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


@torch.no_grad()
def check(name, model, gguf, ids, n_ctx):
    there = ggml.Model(gguf, n_ctx)
    first = model(torch.tensor([ids]), use_cache=True)
    want = first.logits[0].numpy()
    have = there.logits(ids)
    worst = float(np.abs(have - want).max() / (want.max() - want.min()))
    peers.check(worst < 0.002, f"{name}: logits of {len(ids)} tokens, largest difference {worst:.1e}")
    out, last = [], first
    for _ in range(16):
        out.append(int(last.logits[0, -1].argmax()))
        last = model(torch.tensor([out[-1:]]), past_key_values=last.past_key_values, use_cache=True)
    greedy = there.greedy(ids, 16)
    peers.check(greedy == out[:len(greedy)] and greedy, f"{name}: {len(greedy)} greedy tokens after {len(ids)}",
                f"{greedy} for {out}")


def check_experts(name, gguf, theirs, ids):
    """libllama of our file against libllama of the converter's."""
    want = ggml.Model(theirs, 256).logits(ids)
    have = ggml.Model(gguf, 256).logits(ids)
    peers.check(np.isfinite(want).all() and (have == want).all(), f"{name}: logits of the converter's file")


# convert.py keeps torch to one thread, for the sake of its children.
MOE = "Phi-3.5-MoE-instruct"
folders = {"phi-tiny": peers.ROOT / "fixtures" / "phi-tiny", **checkpoints.make(work)}
theirs = convert(folders[MOE], work / "theirs.gguf", "f32", checkpoints.PRE[MOE])
for name, folder in folders.items():
    if name == "phi-bin":  # the weights of another
        continue
    gguf = work / "f32.gguf"
    try:
        peers.tool("phi-quant", "--no-sync", "--force", "-t", "f32", folder, "-o", gguf)
        model = reference(folder)
        vocab = model.config.vocab_size
        ids = np.random.Generator(np.random.PCG64(5)).integers(0, vocab - 30, 700).tolist()
        if model.config.model_type == "phimoe" and model.config.tie_word_embeddings:
            continue  # libllama wants a head of its own
        if model.config.model_type == "phimoe":
            check_experts(name, gguf, theirs, ids[:24])
            continue
        check(name, model, gguf, ids[:24], 256)
        if model.config.rope_parameters["rope_type"] == "longrope":
            check(name, model, gguf, ids, 1024)
    except peers.Failure as e:
        peers.check(False, name, str(e))
peers.finish()
