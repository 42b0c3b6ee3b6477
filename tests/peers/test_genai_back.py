#!/usr/bin/env python3
"""Folders of ONNX Runtime GenAI back to checkpoints: ours and the official builder's, of every family."""
import json
import sys

import peers
import numpy as np
from safetensors.numpy import load_file

from onnx_decoder import load, longrope, phi3, reference, write

work = peers.scratch()


def configs():
    """Name -> config. Rotary dimensions that are no multiple of 16 are rotated outside of attention."""
    tok = phi3.plain_tokenizer(500)
    base = dict(hidden_size=256, intermediate_size=320, num_attention_heads=4, vocab_size=576, partial_rotary_factor=1.0,
                num_hidden_layers=2, sliding_window=None)
    plain = dict(max_position_embeddings=4096, original_max_position_embeddings=4096)
    yield "phi3-mini", phi3.config(tok, **{**base, **plain, "sliding_window": 64}, num_key_value_heads=4,
                                   tie_word_embeddings=False)
    yield "phi3-longrope", phi3.config(tok, **base, num_key_value_heads=4, tie_word_embeddings=False,
                                       rope_scaling=longrope(64, 1.0, 512))
    yield "phi4", phi3.config(tok, **{**base, **plain, "hidden_size": 320, "num_attention_heads": 10},
                              rope_theta=250000.0, num_key_value_heads=2, tie_word_embeddings=False)
    yield "phi4-mini", phi3.config(tok, **{**base, "hidden_size": 384, "num_attention_heads": 3, "partial_rotary_factor": 0.75},
                                   num_key_value_heads=1, rope_scaling=longrope(128, 0.75, 512))
    yield "rotary-24", phi3.config(tok, **{**base, "num_attention_heads": 8, "partial_rotary_factor": 0.75},
                                   num_key_value_heads=2, rope_scaling=longrope(32, 0.75, 512))
    yield "phi2", phi3.phi2_config(tok, hidden_size=320, num_attention_heads=4, num_key_value_heads=4,
                                   partial_rotary_factor=0.4)
    yield "phimoe", phi3.phimoe_config(tok, num_local_experts=6, num_key_value_heads=2, rope_scaling={
        **longrope(32, 1.0, 512), "short_mscale": 1.2431, "long_mscale": 1.2431})


def equal(name, folder, source):
    """Tensors byte for byte."""
    got, want = load_file(folder / "model.safetensors"), load_file(source / "model.safetensors")
    unlike = [n for n in want if n not in got or got[n].dtype != want[n].dtype or got[n].tobytes() != want[n].tobytes()]
    peers.check(not unlike and len(got) == len(want), f"{name}: {len(want)} tensors are the checkpoint's",
                f"{unlike[:3]} {sorted(set(got) - set(want))[:3]}")


def ours(name, source):
    made, back = work / f"{name}-ours", work / f"{name}-back"
    peers.tool("phi-repack", source, "-f", "onnx", "-o", f"{made}/")
    peers.tool("phi-repack", made, "-f", "hf", "-o", f"{back}/")
    equal(f"{name}, ours", back, source)
    for file in sorted(f.name for f in source.iterdir() if f.suffix != ".safetensors"):
        peers.check((back / file).read_bytes() == (source / file).read_bytes(), f"{name}, ours: {file} is the checkpoint's")
    peers.tool("phi-diff", "--strict", made, source)
    peers.check(True, f"{name}, ours: phi-diff --strict sees no difference")


def ours_quantized(name, source, recipe):
    """What comes back is what the codes stand for; a GGUF of it is that of the decoded checkpoint."""
    made, back = work / f"{name}-{recipe}", work / f"{name}-{recipe}-back"
    peers.tool("phi-quant", "-t", recipe, "-f", "onnx", source, "-o", f"{made}/")
    peers.tool("phi-repack", made, "-f", "hf", "-o", f"{back}/")
    peers.tool("phi-diff", made, back)
    for file, of in ("a", made), ("b", back):
        peers.tool("phi-quant", "-t", "f32", "-f", "gguf", "--name", "x", of, "-o", work / f"{name}-{recipe}-{file}.gguf")
    same = (work / f"{name}-{recipe}-a.gguf").read_bytes() == (work / f"{name}-{recipe}-b.gguf").read_bytes()
    peers.check(same, f"{name}, {recipe}: the GGUF is that of what the codes stand for")


def main():
    only = sys.argv[1:]
    for seed, (name, cfg) in enumerate(configs(), 21):
        if only and name not in only:
            continue
        source = write(work / name, cfg, seed)
        steps = [("ours", ours, ()), ("int4", ours_quantized, ("int4",)), ("int8", ours_quantized, ("int8",))]
        for what, step, args in steps:
            try:
                step(name, source, *args)
            except Exception as e:
                peers.check(False, f"{name}, {what}", f"{type(e).__name__}: {str(e).splitlines()[0]}")


main()
peers.finish()
