#!/usr/bin/env python3
"""Decoders in blocks with every option: what onnxruntime computes is what the blocks stand for (transformers with the
decoded weights), and onnxruntime-genai generates the same 16 tokens. Graphs for other devices run on the CPU here."""
import json
import sys

import peers
import numpy as np
from transformers.utils import logging

from onnx_decoder import (BAR, Runtime, compare, greedy_genai, greedy_reference, load_decoded, longrope, phi3,
                          write)

HALF = 0.02  # of the spread, where all that flows is F16
work = peers.scratch()
logging.disable_progress_bar()


def configs():
    tok = phi3.plain_tokenizer(500)
    base = dict(hidden_size=384, intermediate_size=640, vocab_size=576, num_hidden_layers=3, num_attention_heads=3,
                num_key_value_heads=1, sliding_window=None)
    yield "tied", phi3.config(tok, **base, partial_rotary_factor=0.75, rope_scaling=longrope(128, 0.75, 512))
    yield "untied", phi3.config(tok, **{**base, "num_attention_heads": 12, "num_key_value_heads": 12},
                                partial_rotary_factor=1.0, tie_word_embeddings=False, max_position_embeddings=4096,
                                original_max_position_embeddings=4096)
    yield "phi2", phi3.phi2_config(tok, hidden_size=320, num_attention_heads=4, num_key_value_heads=4,
                                   partial_rotary_factor=0.4)
    yield "phimoe", phi3.phimoe_config(tok, num_local_experts=4, num_key_value_heads=2, rope_scaling={
        **longrope(32, 1.0, 512), "short_mscale": 1.2431, "long_mscale": 1.2431})


# Blocks of 128 make rows of 3: an odd number of zero points.
SAME = ["int4 --group 128", "int4 --asym", "int4 --asym --group 128", "int4 --algo rtn", "int4 --algo rtn --asym",
        "int4 --algo k_quant", "int4 --algo k_quant --group 128", "int4 --search", "int8 --asym", "int2 --group 16",
        "int2 --asym --group 128", "int4_mixed", "int4_last", "int4 --rule *down_proj*=onnx8_g16_f32",
        "int4 --keep *o_proj* --keep *dense*", "int4 --embedding-type onnx4_g64_f32", "int4 --accuracy-level 1",
        "int4 --qdq", "int4 --qdq --asym --group 128", "int8 --qdq --asym"]
NEAR = [("int4 --accuracy-level 4", 0.1), ("int4 --for cuda", HALF), ("int4 --for dml", HALF), ("f16 --for dml", HALF),
        ("int4 --for cuda --algo k_quant", HALF), ("int8 --for dml --asym", HALF), ("int4 --qdq --for dml", HALF)]


def made(name, source, options):
    out = work / f"{name}-{'-'.join(options.replace('*', '').split())}"
    peers.tool("phi-quant", "-t", *options.split(), "-f", "onnx", source, "-o", f"{out}/")
    return out


def speaks(name, model, folder, ids):
    want, got = greedy_reference(model, ids, 16), greedy_genai(folder, ids, 16)
    peers.check(want == got, f"{name}: 16 greedy tokens from onnxruntime-genai", f"{want} {got}")


def beyond(name, model, folder):
    """Below and above the original context: 24 + 16 tokens, and 520 + 16 of 512."""
    rng = np.random.default_rng(3)
    for n in (24, 520):
        speaks(f"{name}, after {n}", model, folder, [int(i) for i in rng.integers(10, 490, n)])


def device(name, source, options, folder):
    """What the runtime of the device is told, and wants."""
    config = json.loads((folder / "genai_config.json").read_text())["model"]["decoder"]
    kind = options.split("--for ")[1].split()[0]
    told = [{"cuda": {"enable_cuda_graph": "0"}}] if kind == "cuda" else [{"dml": {"enable_graph_capture": "1"}}]
    peers.check(config["session_options"]["provider_options"] == told, f"{name}: provider_options for {kind}")
    peers.check(("position_ids" in config["inputs"]) == (kind == "dml"), f"{name}: position_ids for dml alone")
    peers.check(Runtime(folder).float == np.float16, f"{name}: F16 flows")


def main():
    only = sys.argv[1:]
    for seed, (name, cfg) in enumerate(configs(), 31):
        if only and name not in only:
            continue
        source = write(work / name, cfg, seed)
        near = [] if name == "phimoe" else NEAR  # whose tokens go to other experts (test_onnx_decoder.py)
        for options in SAME + [o for o, _ in near]:
            label = f"{name} {options}"
            try:
                folder = made(name, source, options)
                model, _ = load_decoded(source, folder)
                bar = dict(NEAR).get(options, BAR)
                ids = compare(label, model, folder, [24], bar)
                if bar == BAR and "--qdq" not in options:  # of its options genai passes on no accuracy
                    speaks(label, model, folder, ids)
                if "--for" in options:
                    device(label, source, options, folder)
                if name == "tied" and options == "int4 --asym":
                    beyond(label, model, folder)
            except Exception as e:
                peers.check(False, label, f"{type(e).__name__}: {str(e).splitlines()[0]}")


main()
peers.finish()
