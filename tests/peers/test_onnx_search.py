#!/usr/bin/env python3
"""--search at the same size against ONNX Runtime's default, on the trained fixture: the error of the weights, and how far
the distribution of the next token is from that of the checkpoint (Kullback-Leibler, nats a token, over the corpus)."""
import sys

import peers
import numpy as np
import torch
from transformers import AutoTokenizer
from transformers.utils import logging

from onnx_decoder import Runtime, decoded, load

WINDOW, LEAST = 256, 0.04  # tokens at a time; how much lower the error of the weights has to be
work = peers.scratch()
logging.disable_progress_bar()
source = peers.ROOT / "fixtures" / "phi-tiny"
FORMS = ["int4", "int4 --group 128", "int4 --asym", "int4_mixed", "int2 --group 16", "int8"]
PARTS = {"q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj", "gate_proj": "gate_up_proj",
         "up_proj": "gate_up_proj"}


def log_softmax(x):
    x = x.astype(np.float64) - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def distances(want, folder, pieces):
    """Kullback-Leibler of each token."""
    runtime, out = Runtime(folder), []
    for ids, p in zip(pieces, want):
        runtime.start()
        q = log_softmax(runtime.feed(ids))
        out.append((np.exp(p) * (p - q)).sum(-1))
    return np.concatenate(out)


def originals(weights):
    """The checkpoint's, cut as these are: rows of a fused matrix follow each other in the order of their names here."""
    state, out, at = {k: v.numpy() for k, v in load(source).state_dict().items()}, {}, {}
    for name, w in weights.items():
        module = name.split(".")[-2]
        whole = name.replace(module, PARTS[module]) if module in PARTS else name
        first = at.get(whole, 0)
        out[name], at[whole] = state[whole][first:first + len(w)], first + len(w)
    return out


def error(weights, folder):
    """Root of the mean square over all weights in blocks."""
    square = count = 0
    for name, w in decoded(folder).items():
        d = w.astype(np.float64) - weights[name]
        square, count = square + (d * d).sum(), count + d.size
    return (square / count) ** 0.5


def main():
    tokenizer = AutoTokenizer.from_pretrained(source)
    ids = tokenizer(open(peers.ROOT / "fixtures" / "corpus.txt").read())["input_ids"]
    pieces = [ids[i:i + WINDOW] for i in range(0, len(ids) - 1, WINDOW)]
    model = load(source)
    with torch.no_grad():
        want = [log_softmax(model(torch.tensor([p])).logits[0].numpy()) for p in pieces]
    peers.tool("phi-repack", source, "-f", "onnx", "-o", f"{work}/f32/")
    print(f"       {len(ids)} tokens; F32: KL {distances(want, work / 'f32', pieces).mean():.2g}")
    for form in sys.argv[1:] or FORMS:
        folders = {}
        for how in ("default", "search"):
            out = folders[how] = work / f"{how}-{form.replace(' ', '')}"
            options = [*form.split(), *(["--search"] if how == "search" else [])]
            peers.tool("phi-quant", "-t", *options, "-f", "onnx", source, "-o", f"{out}/")
        weights = originals(decoded(folders["default"]))
        sizes = {k: sum(f.stat().st_size for f in v.iterdir()) for k, v in folders.items()}
        rmse = {k: error(weights, v) for k, v in folders.items()}
        kl = {k: distances(want, v, pieces).mean() for k, v in folders.items()}
        less = 1 - rmse["search"] / rmse["default"]
        peers.check(sizes["search"] == sizes["default"], f"{form}: the same size, {sizes['search']} bytes")
        peers.check(less >= LEAST, f"{form}: error of the weights {rmse['default']:.3e}, with --search {rmse['search']:.3e}, "
                    f"{less:.1%} lower (bar: {LEAST:.0%})")
        peers.check(kl["search"] < kl["default"], f"{form}: KL {kl['default']:.4g}, with --search {kl['search']:.4g}, "
                    f"{1 - kl['search'] / kl['default']:.1%} lower")
        if form == "int4 --asym":  # k_quant has zero points, too
            other = work / "k_quant"
            peers.tool("phi-quant", "-t", "int4", "--algo", "k_quant", "-f", "onnx", source, "-o", f"{other}/")
            theirs = error(weights, other), distances(want, other, pieces).mean()
            peers.check(rmse["search"] < theirs[0] and kl["search"] < theirs[1], f"{form} --search against k_quant: error "
                        f"{1 - rmse['search'] / theirs[0]:.1%} lower, KL {1 - kl['search'] / theirs[1]:.1%} lower")


main()
peers.finish()
