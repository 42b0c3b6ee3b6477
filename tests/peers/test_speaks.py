#!/usr/bin/env python3
"""libllama loads our F32 GGUF and computes what transformers computes: logits within 0.2 % of their range,
the same 16 greedy tokens. On phi-tiny and the random checkpoints, a short prompt and one beyond the original context.
Of phimoe only that it loads and computes: libllama computes another function (RMS norms, other routing), whoever made
the file; what it is given is the converter's file byte for byte (test_same_bytes.py)."""
import sys

import peers
import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

import ggml

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402

work = peers.scratch()
torch.set_num_threads(2)
logging.disable_progress_bar()


def reference(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


@torch.no_grad()
def check(name, model, gguf, ids, n_ctx):
    there = ggml.Model(gguf, n_ctx)
    want = model(torch.tensor([ids])).logits[0].numpy()
    have = there.logits(ids)
    worst = float(np.abs(have - want).max() / (want.max() - want.min()))
    peers.check(worst < 0.002, f"{name}: logits of {len(ids)} tokens, largest difference {worst:.1e}")
    out = list(ids)
    for _ in range(16):
        out.append(int(model(torch.tensor([out])).logits[0, -1].argmax()))
    greedy = there.greedy(ids, 16)
    end = len(greedy)
    peers.check(greedy == out[len(ids):len(ids) + end] and end, f"{name}: greedy tokens after {len(ids)}",
                f"{greedy} for {out[len(ids):]}")


folders = {"phi-tiny": peers.ROOT / "fixtures" / "phi-tiny", **checkpoints.make(work)}
for name, folder in folders.items():
    gguf = work / "f32.gguf"
    try:
        peers.tool("phi-quant", "--no-sync", "--force", "-t", "f32", folder, "-o", gguf)
        model = reference(folder)
        vocab = model.config.vocab_size
        ids = np.random.Generator(np.random.PCG64(5)).integers(0, vocab - 30, 700).tolist()
        if model.config.model_type == "phimoe" and model.config.tie_word_embeddings:
            continue  # libllama wants a head of its own
        if model.config.model_type == "phimoe":
            have = ggml.Model(gguf, 256).logits(ids[:24])
            peers.check(have.shape == (24, vocab) and np.isfinite(have).all(), f"{name}: runs in libllama")
            continue
        check(name, model, gguf, ids[:24], 256)
        if model.config.rope_parameters["rope_type"] == "longrope":
            check(name, model, gguf, ids, 1024)
    except peers.Failure as e:
        peers.check(False, name, str(e))
peers.finish()
