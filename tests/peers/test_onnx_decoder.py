#!/usr/bin/env python3
"""The decoders we build for ONNX Runtime GenAI, against transformers: logits of a prompt, of steps with the cache, past
the sliding window, below and above the original context; and 16 greedy tokens from onnxruntime-genai."""
import sys

import peers
import numpy as np
from transformers.utils import logging

from onnx_decoder import (Runtime, compare, greedy_genai, greedy_reference, load, load_decoded, longrope, phi3,
                          reference, write)

work = peers.scratch()
logging.disable_progress_bar()


def configs():
    """Name -> config, lengths of prompts. Rotary dimensions that are no multiple of 16 are rotated outside of attention."""
    tok = phi3.plain_tokenizer(500)
    base = dict(hidden_size=256, intermediate_size=320, num_attention_heads=4, vocab_size=576, partial_rotary_factor=1.0,
                num_hidden_layers=3, sliding_window=None)
    plain = dict(max_position_embeddings=4096, original_max_position_embeddings=4096)
    yield "phi3-mini", phi3.config(tok, **{**base, **plain, "sliding_window": 64}, num_key_value_heads=4,
                                   tie_word_embeddings=False), [24, 200]
    yield "phi3-longrope", phi3.config(tok, **base, num_key_value_heads=4, tie_word_embeddings=False,
                                       rope_scaling=longrope(64, 1.0, 512)), [24, 512, 600]
    yield "phi4", phi3.config(tok, **{**base, **plain, "hidden_size": 320, "num_attention_heads": 10},
                              rope_theta=250000.0, num_key_value_heads=2, tie_word_embeddings=False), [24]
    yield "phi4-mini", phi3.config(tok, **{**base, "hidden_size": 384, "num_attention_heads": 3, "partial_rotary_factor": 0.75},
                                   num_key_value_heads=1, rope_scaling=longrope(128, 0.75, 512)), [24, 600]
    yield "rotary-24", phi3.config(tok, **{**base, "num_attention_heads": 8, "partial_rotary_factor": 0.75},
                                   num_key_value_heads=2, rope_scaling=longrope(32, 0.75, 512)), [24, 512, 600]
    yield "rotary-10", phi3.config(tok, **{**base, **plain, "num_attention_heads": 16, "partial_rotary_factor": 0.65},
                                   num_key_value_heads=4, tie_word_embeddings=False), [24]
    yield "phi2", phi3.phi2_config(tok, hidden_size=320, num_attention_heads=4, num_key_value_heads=4,
                                   partial_rotary_factor=0.4), [24, 100]
    yield "phimoe", phi3.phimoe_config(tok, num_local_experts=6, num_key_value_heads=2, rope_scaling={
        **longrope(32, 1.0, 512), "short_mscale": 1.2431, "long_mscale": 1.2431}), [24, 300, 600]


def quantized(name, source, lengths):
    """The nodes compute what the blocks stand for."""
    for recipe in ("int4", "int8"):
        out = work / f"{name}-{recipe}"
        peers.tool("phi-quant", "-t", recipe, "-f", "onnx", source, "-o", f"{out}/")
        model, n = load_decoded(source, out)
        peers.check(n > 4, f"{name}: {n} weights in blocks of {recipe}")
        compare(f"{name} {recipe}", model, out, lengths[:1])


def routed(name, model, halved, folder, length):
    """In F16 a token whose scores are near each other may go to other experts: so it does in transformers, as often."""
    ids = [int(i) for i in np.random.default_rng(7).integers(10, model.config.vocab_size - 80, length)]
    want, runtime = reference(model, ids), Runtime(folder)
    runtime.start()
    far, theirs = (np.abs(x - want).max(axis=1) / (want.max() - want.min()) for x in (runtime.feed(ids), reference(halved, ids)))
    peers.check(np.median(far) < 0.005 and (far > 0.02).sum() <= 1.5 * (theirs > 0.02).sum() + 2,
                f"{name} f16: {(far > 0.02).sum()} of {length} tokens beyond 2 % of the spread, the median {np.median(far):.2g}; "
                f"of transformers in float16 {(theirs > 0.02).sum()}, {np.median(theirs):.2g}")


def main():
    only = sys.argv[1:]
    for seed, (name, cfg, lengths) in enumerate(configs(), 11):
        if only and name not in only:
            continue
        source, out = write(work / name, cfg, seed), work / f"{name}-onnx"
        try:
            peers.tool("phi-repack", source, "-f", "onnx", "-o", f"{out}/")
            model = load(source)
            ids = compare(name, model, out, lengths)
            want, got = greedy_reference(model, ids, 16), greedy_genai(out, ids, 16)
            same = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), len(got))
            half = work / f"{name}-f16"
            peers.tool("phi-quant", "-t", "f16", "-f", "onnx", source, "-o", f"{half}/")
            compare(f"{name} f16", model, half, lengths[:1], 0.02)
            if cfg["model_type"] == "phimoe":
                routed(name, model, load(source).half(), half, lengths[1])
            quantized(name, source, lengths)
            peers.check(want == got, f"{name}: {same} of 16 greedy tokens from onnxruntime-genai", f"{want} {got}")
        except Exception as e:
            peers.check(False, name, f"{type(e).__name__}: {str(e).splitlines()[0]}")


main()
peers.finish()
