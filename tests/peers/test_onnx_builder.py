#!/usr/bin/env python3
"""Our decoders beside those of onnxruntime-genai's own model builder: nodes by name and attributes, weights bit for bit
(codes, scales, zero points; floats; rope caches), genai_config.json. What differs on purpose is in the lists below."""
import collections
import json
import sys

import peers
import numpy as np

import onnx_builder
from onnx_decoder import longrope, phi3, write
from onnx_builder import Graph

work = peers.scratch()


def configs():
    tok = phi3.plain_tokenizer(500)
    base = dict(hidden_size=384, intermediate_size=640, vocab_size=576, num_hidden_layers=9, num_attention_heads=3,
                num_key_value_heads=1, sliding_window=None)
    plain = dict(partial_rotary_factor=1.0, max_position_embeddings=4096, original_max_position_embeddings=4096)
    yield "phi4-mini", phi3.config(tok, **base, partial_rotary_factor=0.75, rope_scaling=longrope(128, 0.75, 512))
    yield "phi3", phi3.config(tok, **{**base, **plain, "num_attention_heads": 12, "num_key_value_heads": 12},
                              tie_word_embeddings=False)
    yield "phi4", phi3.config(tok, **{**base, **plain, "hidden_size": 320, "num_attention_heads": 10,
                                      "num_key_value_heads": 2}, rope_theta=250000.0, tie_word_embeddings=False)
    yield "phi2", phi3.phi2_config(tok, hidden_size=320, num_attention_heads=4, num_key_value_heads=4,
                                   partial_rotary_factor=0.4)


# The builder's precision, device and options; ours.
BOTH = [("int4", "cpu", {}, "int4 --accuracy-level 4"),
        ("int4", "cpu", {"algo_config": "rtn"}, "int4 --algo rtn --accuracy-level 4"),
        ("int4", "cpu", {"algo_config": "k_quant"}, "int4 --algo k_quant --accuracy-level 4"),
        ("int4", "cpu", {"algo_config": "k_quant_mixed"}, "int4_mixed --algo k_quant --accuracy-level 4"),
        ("int4", "cpu", {"algo_config": "rtn_last"}, "int4_last --algo rtn --accuracy-level 4"),
        ("int4", "cpu", {"is_symmetric": False}, "int4 --asym --accuracy-level 4"),
        ("int4", "cpu", {"algo_config": "rtn", "is_symmetric": False}, "int4 --algo rtn --asym --accuracy-level 4"),
        ("int4", "cpu", {"block_size": 64, "accuracy_level": 1}, "int4 --group 64 --accuracy-level 1"),
        ("int4", "cpu", {"use_qdq": True}, "int4 --qdq"),
        ("int4", "cpu", {"use_qdq": True, "is_symmetric": False}, "int4 --qdq --asym"),
        ("int8", "cpu", {}, "int8 --accuracy-level 4"),
        ("fp32", "cpu", {}, "f32"), ("fp16", "cuda", {}, "f16 --for cuda"), ("int4", "cuda", {}, "int4 --for cuda"),
        ("int4", "dml", {}, "int4 --for dml"), ("fp16", "dml", {}, "f16 --for dml")]

def expected(name):
    """Is this difference one that we mean?"""
    tail = name.rsplit("/", 1)[1]
    return (name.startswith("/model/embed_tokens/") or tail == "Identity"  # the tied embedding; numbers beside the graph
            or name == "/lm_head/MatMul/Transpose"  # it again
            or "/attn/qkv_proj/" in name or any(f"/attn/{x}_proj/" in name for x in "qkv")  # phi2's are not fused
            or any(x in name for x in ("residual_add", "attn_mlp", "mlp/act_fn/", "mlp/fc2/")))  # phi2: order, names, bits


def same_attributes(kind, name, theirs, ours):
    if kind == "phi2":  # the builder does not read the configuration's epsilon
        for a in (theirs, ours):
            a.pop("epsilon", None)
    if name == "/lm_head/MatMul":  # FusedMatMul of the embedding as it is
        ours.pop("transB", None)
    return theirs == ours


def nodes(kind, label, theirs, ours):
    a, b = theirs.nodes, ours.nodes
    alone = [n for n in a if n not in b] + [n for n in b if n not in a]
    odd = [n for n in alone if not expected(n)]
    peers.check(not odd, f"{label}: {len(set(a) & set(b))} nodes of one name, {len(alone)} by themselves", str(odd[:5]))
    unlike = [n for n in a if n in b and not same_attributes(kind, n, theirs.attributes(n), ours.attributes(n))]
    peers.check(not unlike, f"{label}: attributes", str([(n, theirs.attributes(n), ours.attributes(n)) for n in unlike[:2]]))


def quantized(label, theirs, ours):
    """MatMulNBits by MatMulNBits, DequantizeLinear by DequantizeLinear: codes, scales, zero points."""
    count, odd = collections.Counter(), []
    for name, node in theirs.nodes.items():
        if node.op_type not in ("MatMulNBits", "DequantizeLinear") or name not in ours.nodes:
            continue
        a, b = [[x for x in g.inputs(name) if x is not None] for g in (theirs, ours)]
        equal = len(a) == len(b) and all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(a, b))
        count[len(a)] += 1
        if not equal:
            odd.append(name)
    if count:
        peers.check(not odd, f"{label}: {sum(count.values())} weights in blocks, bit for bit", str(odd[:5]))


def floats(label, theirs, ours):
    odd, n = [], 0
    for name, array in theirs.arrays.items():
        if name in ours.arrays and array.dtype.kind == "f" and not any(x in name for x in ("_scale", "_cache")):
            n += 1
            if array.dtype != ours.arrays[name].dtype or array.tobytes() != ours.arrays[name].tobytes():
                odd.append(name)
    peers.check(not odd and n, f"{label}: {n} vectors and matrices of floats, bit for bit", str(odd[:5]))


def cache(graph, name):
    return next((v for k, v in graph.arrays.items() if k.endswith(name) or k.endswith(name + "/Constant")), None)


def caches(label, theirs, ours):
    """The builder's powers and sines are torch's, right to a unit of the last place: so is an angle, and what it gives."""
    for name in (f"{wave}_cache{size}" for size in ("", "_small", "_large") for wave in ("cos", "sin")):
        a, b = cache(theirs, name), cache(ours, name)
        if a is None and b is None:
            continue
        half = a.dtype == np.float16
        angle = np.arange(len(a))[:, None] / 10000.0 ** (np.arange(a.shape[1]) / a.shape[1])
        far = (np.abs(a.astype(np.float64) - b) / (1 if half else 1 + angle)).max()
        same = (a == b).mean()
        peers.check(a.dtype == b.dtype and far <= (1e-3 if half else 2.5e-7) and same > (0.999 if half else 0.7),
                    f"{label}: {name}: {same:.2%} equal, the others by a unit of the last place", f"{far:.2g}")


def config(label, theirs, ours):
    a, b = [json.loads((f / "genai_config.json").read_text()) for f in (theirs, ours)]
    peers.check(a == b, f"{label}: genai_config.json", f"{a}\n{b}")


def settings():
    """What a checkpoint may say of tokens and of sampling: name -> changes of config.json, generation_config.json and
    tokenizer_config.json; None: there is none."""
    yield "no generation_config.json", {}, None, {}
    yield "ends in config.json alone", {"eos_token_id": [3, 7]}, None, {}
    yield "the tokenizer ends texts otherwise", {"eos_token_id": 3}, {"eos_token_id": 5}, {}
    yield "a list with the tokenizer's end", {}, {"eos_token_id": [502, 500], "do_sample": True, "temperature": 0.6,
                                                  "top_p": 0.9, "top_k": 20}, {}
    yield "no ids at all", {"bos_token_id": None, "eos_token_id": 3, "pad_token_id": None}, None, {}


def configurations():
    base, cfg = next(c for c in configs() if c[0] == "phi3")
    for i, (name, own, generation, tokenizer) in enumerate(settings()):
        source, theirs, ours = (work / f"settings-{i}-{x}" for x in ("source", "theirs", "ours"))
        write(source, {**cfg, **own, "num_hidden_layers": 1}, 5)
        file = source / "generation_config.json"
        if generation is None:
            file.unlink()
        else:
            file.write_text(json.dumps({**json.loads(file.read_text()), **generation}))
        peers.tool("phi-quant", "-t", "int4", "-f", "onnx", source, "-o", f"{ours}/")
        onnx_builder.build(source, theirs)
        config(name, theirs, ours)


def main():
    only = sys.argv[1:]
    if not only or "settings" in only:
        configurations()
    for seed, (name, cfg) in enumerate(configs(), 51):
        if only and name not in only:
            continue
        source = write(work / name, cfg, seed)
        for i, (precision, device, options, recipe) in enumerate(BOTH):
            label = f"{name} {precision} {device} {','.join(f'{k}={v}' for k, v in options.items())}".strip()
            theirs, ours = work / f"{name}-{i}-theirs", work / f"{name}-{i}-ours"
            if options.get("use_qdq") and cfg["tie_word_embeddings"]:
                continue  # the builder fails: "Gather only supports QOperator format"
            try:
                peers.tool("phi-quant", "-t", *recipe.split(), "-f", "onnx", source, "-o", f"{ours}/")
                onnx_builder.build(source, theirs, precision, device, **options)
                a, b = Graph(theirs), Graph(ours)
                nodes(name, label, a, b)
                quantized(label, a, b)
                floats(label, a, b)
                caches(label, a, b)
                config(label, theirs, ours)
            except Exception as e:
                peers.check(False, label, f"{type(e).__name__}: {str(e).splitlines()[0]}")


main()
peers.finish()
