#!/usr/bin/env python3
"""The decoders we build for ONNX Runtime GenAI, against transformers: logits of a prompt, of steps with the cache, past
the sliding window, below and above the original context; and 16 greedy tokens from onnxruntime-genai."""
import json
import sys

import peers
import numpy as np
import onnx
import onnxruntime as ort
import onnxruntime_genai as genai
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402
import phi3  # noqa: E402

BAR = 1e-4  # of the spread of the reference's logits
work = peers.scratch()


def end(tok):
    return phi3.token_id(tok, "<|endoftext|>")


def longrope(head, partial, original):
    return {**phi3.longrope(head, partial, 16), "original_max_position_embeddings": original}


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


def write(folder, name, cfg, seed):
    folder.mkdir()
    tok = phi3.plain_tokenizer(500)
    cfg["torch_dtype"] = "float32"
    phi3.write_json(folder / "config.json", cfg)
    phi3.write_tokenizer(folder, tok)
    phi3.write_generation_config(folder, tok)
    save_file(checkpoints.tensors(cfg, seed, torch.float32), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


class Runtime:
    """onnxruntime with the cache kept between steps."""

    def __init__(self, folder):
        self.session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        self.float = np.float16 if "16" in self.session.get_outputs()[0].type else np.float32

        self.places = any(i.name == "position_ids" for i in self.session.get_inputs())

    def start(self):
        self.past = {i.name: np.zeros((1, i.shape[1], 0, i.shape[3]), self.float)
                     for i in self.session.get_inputs() if i.name.startswith("past")}
        self.length = 0

    def feed(self, ids):
        places = np.arange(self.length, self.length + len(ids), dtype=np.int64)[None]
        self.length += len(ids)
        given = {"position_ids": places} if self.places else {}
        out = self.session.run(None, {"input_ids": np.array([ids], np.int64), **given,
                                      "attention_mask": np.ones((1, self.length), np.int64), **self.past})
        self.past = dict(zip(self.past, out[1:]))
        return out[0][0].astype(np.float32)


def worst(got, want):
    return np.abs(got - want).max() / (want.max() - want.min())


def reference(model, ids):
    if model.config.model_type == "phimoe":
        # transformers 5.23 forgets the length there, and takes the short factors at any.
        rope = model.model.rotary_emb
        plain = getattr(rope, "plain", rope.rope_init_fn)
        rope.plain, rope.rope_init_fn = plain, lambda config: plain(config, seq_len=len(ids))
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].float().numpy()


def greedy_reference(model, ids, n):
    ids = list(ids)
    for _ in range(n):
        ids.append(int(reference(model, ids)[-1].argmax()))
    return ids[-n:]


def greedy_genai(folder, ids, n):
    model = genai.Model(str(folder))
    params = genai.GeneratorParams(model)
    params.set_search_options(max_length=len(ids) + n, min_length=len(ids) + n, do_sample=False)
    generator = genai.Generator(model, params)
    generator.append_tokens(ids)
    while not generator.is_done():
        generator.generate_next_token()
    return list(map(int, generator.get_sequence(0)))[len(ids):]


def compare(name, model, folder, lengths, bar=BAR):
    runtime = Runtime(folder)
    rng = np.random.default_rng(7)
    for length in lengths:
        ids = [int(i) for i in rng.integers(10, model.config.vocab_size - 80, length)]
        want = reference(model, ids)
        runtime.start()
        far = worst(runtime.feed(ids), want)
        peers.check(far < bar, f"{name}: a prompt of {length}: {far:.2g} of the spread", f"bar {bar}")
        if length == lengths[0] or length < 300:
            runtime.start()
            half = length // 2
            got = [runtime.feed(ids[:half])] + [runtime.feed([i]) for i in ids[half:]]
            far = worst(np.concatenate(got), want)
            peers.check(far < bar, f"{name}: {length} in steps: {far:.2g} of the spread", f"bar {bar}")
    return ids[:24]


def decoded(folder):
    """Canonical name -> what the weights in blocks stand for."""
    model = onnx.load(folder / "model.onnx")
    values = {t.name: t for t in model.graph.initializer}
    out = {}
    for name, t in values.items():
        canonical = next((p.value for p in t.metadata_props if p.key == "phi.name"), None)
        at = name.rfind("_Q")
        if not canonical or at < 0:
            continue
        bits, codes = int(name[at + 2:]), onnx.numpy_helper.to_array(t)
        scales = onnx.numpy_helper.to_array(values[name[:at] + "_scales"]).astype(np.float32)
        shifts = np.arange(0, 8, bits)
        q = ((codes[..., None] >> shifts) & (2 ** bits - 1)).reshape(*codes.shape[:2], -1).astype(np.float32)
        out[canonical] = ((q - 2 ** (bits - 1)) * scales[..., None]).reshape(codes.shape[0], -1)
    return out


def load_decoded(model, weights):
    """Puts them into transformers' model, fused where that has them fused."""
    state = model.state_dict()
    fused = {"gate_up_proj": ["gate_proj", "up_proj"], "qkv_proj": ["q_proj", "k_proj", "v_proj"]}
    for name in state:
        parts = next(([name.replace(whole, p) for p in parts] for whole, parts in fused.items() if whole in name), [])
        if parts and parts[0] in weights:
            weights[name] = np.concatenate([weights.pop(p) for p in parts])
    for name, w in weights.items():
        state[name].copy_(torch.from_numpy(w))
    return len(weights)


def quantized(name, source, lengths):
    """The nodes compute what the blocks stand for, and with 8 bits that is near the checkpoint."""
    for recipe in ("int4", "int8"):
        out = work / f"{name}-{recipe}"
        peers.tool("phi-quant", "-t", recipe, "-f", "onnx", source, "-o", f"{out}/")
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
        n = load_decoded(model, decoded(out))
        peers.check(n > 4, f"{name}: {n} weights in blocks of {recipe}")
        compare(f"{name} {recipe}", model, out, lengths[:1])


def main():
    only = sys.argv[1:]
    for seed, (name, cfg, lengths) in enumerate(configs(), 11):
        if only and name not in only:
            continue
        source, out = write(work / name, name, cfg, seed), work / f"{name}-onnx"
        try:
            peers.tool("phi-repack", source, "-f", "onnx", "-o", f"{out}/")
            model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
            ids = compare(name, model, out, lengths)
            want, got = greedy_reference(model, ids, 16), greedy_genai(out, ids, 16)
            same = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), len(got))
            half = work / f"{name}-f16"
            peers.tool("phi-quant", "-t", "f16", "-f", "onnx", source, "-o", f"{half}/")
            if cfg["model_type"] == "phimoe":  # of two experts of nearly the same score F16 may take the other
                runtime, logits = Runtime(half), reference(model, ids)
                runtime.start()
                far = np.abs(runtime.feed(ids) - logits).max(axis=1) / (logits.max() - logits.min())
                peers.check(np.median(far) < 0.02, f"{name} f16: {np.median(far):.2g} of the spread at the median token")
            else:
                compare(f"{name} f16", model, half, lengths[:1], 0.02)
            if cfg["model_type"] != "phimoe":
                quantized(name, source, lengths)
            peers.check(want == got, f"{name}: {same} of 16 greedy tokens from onnxruntime-genai", f"{want} {got}")
        except Exception as e:
            peers.check(False, name, f"{type(e).__name__}: {str(e).splitlines()[0]}")


main()
peers.finish()
