#!/usr/bin/env python3
"""Folders of ONNX Runtime GenAI back to checkpoints: ours and the official builder's, of every family."""
import json
import sys

import peers
import numpy as np
from safetensors.numpy import load_file

import onnx
import torch

import ggml
from onnx_builder import build
from onnx_decoder import load, longrope, phi3, reference, worst, write

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
    yield "phi2", phi3.phi2_config(tok, hidden_size=320, intermediate_size=1280, num_attention_heads=4,
                                   num_key_value_heads=4, partial_rotary_factor=0.4)
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
    for form, suffix, file in ("gguf", ".gguf", ""), ("mlx", "-mlx/", "model.safetensors"):
        out = [f"{work}/{name}-{i}{suffix}" for i in "ab"]
        for folder, to in zip((made, source), out):
            peers.tool("phi-quant", "-t", "f32" if form == "gguf" else "mlx:4", "-f", form, "--name", "x", folder, "-o", to)
        a, b = (open(f"{to}{file}", "rb").read() for to in out)
        peers.check(a == b, f"{name}, ours: the {form} made of it is that of the checkpoint")


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


def caches(folder):
    """Last part of the name -> array, of rope caches wherever they are."""
    model, out = onnx.load(folder / "model.onnx"), {}

    def take(graph):
        for t in graph.initializer:
            out[t.name] = onnx.numpy_helper.to_array(t)
        for node in graph.node:
            if node.op_type == "Constant" and "cache" in node.output[0]:
                out[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
            for a in node.attribute:
                if a.type == onnx.AttributeProto.GRAPH:
                    take(a.g)
    take(model.graph)
    return {n.split("/")[-1]: a.astype(np.float64) for n, a in out.items() if "_cache" in n}


def tables(config, dtype):
    """What transformers makes of a config.json: places x frequencies, as `caches` of the builder's folder has them."""
    said = json.loads(config.read_text())
    heads = said["hidden_size"] // said["num_attention_heads"]
    rotary, theta = int(heads * said.get("partial_rotary_factor", 0.5 if said["model_type"] == "phi" else 1)), said["rope_theta"]
    power, rope, longest = theta ** (torch.arange(0, rotary, 2).float() / rotary), said["rope_scaling"], said["max_position_embeddings"]
    scale, kinds = 1.0, {"": (torch.ones(rotary // 2), longest)}
    if rope:
        original = said["original_max_position_embeddings"]
        scale = np.sqrt(1 + np.log(longest / original) / np.log(original))
        kinds = {f"_{k}": (torch.tensor(rope[f"{f}_factor"], dtype=torch.float32), n)
                 for k, f, n in (("small", "short", original), ("large", "long", longest))}
    out = {}
    for kind, (factors, places) in kinds.items():
        angles = torch.outer(torch.arange(places).float(), 1.0 / (factors * power))
        for name, x in ("cos", angles.cos()), ("sin", angles.sin()):
            out[f"{name}_cache{kind}"] = (x * scale).to(dtype).numpy().astype(np.float64)
    return out


def same_rope(name, made, back):
    """The caches that transformers makes of what comes back are those it was read from."""
    was = caches(made)
    half = all((a == a.astype(np.float16)).all() for a in was.values())
    now = tables(back / "config.json", torch.float16 if half else torch.float32)
    if set(was) != set(now):  # one after the other there
        was = {f"{n}_{k}": a[:512] if k == "small" else a[512:] for n, a in was.items() for k in ("small", "large")}
    far = max(np.abs(was[n] - now[n]).max() for n in now)
    bar = 2e-3 if half else 1e-6  # F16 above 1 has steps of 1e-3
    peers.check(far <= bar, f"{name}: its rope caches are made again, to {far:.2g}", f"bar {bar}")


def same_logits(name, back, source, bar):
    ids = [int(i) for i in np.random.default_rng(5).integers(10, 400, 40)]
    model, said = load(source), json.loads((back / "config.json").read_text())
    for module in model.modules():  # the builder does not write phi2's own epsilon
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = said["layer_norm_eps"]
    want = reference(model, ids)
    far = worst(reference(load(back), ids), want)
    peers.check(far < bar, f"{name}: transformers' logits agree to {far:.2g} of the spread", f"bar {bar}")


def same_gguf(name, made, source):
    """libllama's logits of both."""
    logits, ids = [], [int(i) for i in np.random.default_rng(5).integers(10, 400, 40)]
    for label, of in ("made", made), ("source", source):
        file = work / f"{name}-{label}.gguf"
        # libllama wants tokens of its own of what is called phi-3.
        peers.tool("phi-quant", "-t", "f32", "-f", "gguf", "--name", "tiny", of, "-o", file)
        logits.append(ggml.Model(str(file)).logits(ids))
    far = worst(*logits)
    bar = 1e-3 if name.startswith("phi2") else 1e-6  # the builder's epsilon of phi2 is another
    peers.check(far <= bar, f"{name}: libllama's logits of its GGUF agree to {far:.2g} of the spread", f"bar {bar}")


def theirs(name, source, precision, device, **options):
    """A folder of the official builder, which has no config.json."""
    label = "-".join([name, precision, device, *map(str, options.values())])
    made, back = build(source, work / label, precision, device, **options), work / f"{label}-back"
    wide = ("phi-quant", "--pure", "-t", "f32") if precision.startswith("int") else ("phi-repack",)
    peers.tool(*wide, made, "-f", "hf", "-o", f"{back}/")
    if precision == "fp32":
        equal(label, back, source)
        peers.tool("phi-diff", made, source)
        same_gguf(label, made, source)
    elif precision == "fp16":
        got, want = load_file(back / "model.safetensors"), load_file(source / "model.safetensors")
        unlike = [n for n in want if (got[n] != want[n].astype(np.float16)).any()]
        peers.check(not unlike, f"{label}: {len(want)} tensors are the checkpoint's in F16", str(unlike[:3]))
    else:
        peers.tool("phi-diff", made, back)
        bits = int(precision[3:])
        got, want = load_file(back / "model.safetensors"), load_file(source / "model.safetensors")
        far = max(np.abs(got[n] - want[n]).max() / np.abs(want[n]).max() for n in want if n in got)
        peers.check(far < 2.0 ** (1 - bits), f"{label}: decoded to {far:.2g} of the largest weight")
    same_rope(label, made, back)
    if precision == "fp32":
        same_logits(label, back, source, 1e-5)


BUILDS = [("fp32", "cpu", {}), ("int4", "cpu", {}), ("int8", "cpu", {}), ("fp16", "cuda", {}), ("fp16", "dml", {}),
          ("int4", "cpu", {"algo_config": "k_quant"}), ("int4", "cuda", {"is_symmetric": "false"}), ("int4", "cpu", {"use_qdq": "true"})]


def main():
    only = sys.argv[1:]
    for seed, (name, cfg) in enumerate(configs(), 21):
        if only and name not in only:
            continue
        source = write(work / name, cfg, seed)
        steps = [("ours", ours, ()), ("int4", ours_quantized, ("int4",)), ("int8", ours_quantized, ("int8",))]
        if name not in ("phimoe", "rotary-24"):  # which the builder, or the runtime, refuses
            # With an asymmetric tied head the builder's graph is invalid, with QDQ it makes none.
            steps += [(f"{p} {d} {o}", theirs, (p, d, o)) for p, d, o in BUILDS
                      if not ({"is_symmetric", "use_qdq"} & set(o) and cfg["tie_word_embeddings"])]
        for what, step, args in steps:
            try:
                options = args[2] if step is theirs else {}
                step(name, source, *args[:2], **options)
            except Exception as e:
                peers.check(False, f"{name}, {what}", f"{type(e).__name__}: {str(e).splitlines()[0]}")


main()
peers.finish()
