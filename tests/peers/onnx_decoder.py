"""Random checkpoints, the decoders made of them at work in onnxruntime and onnxruntime-genai, and transformers beside
them."""
import shutil
import sys
import tempfile

import peers
import numpy as np
import onnx
import onnxruntime as ort
import onnxruntime_genai as genai
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402
import phi3  # noqa: E402

BAR = 1e-4  # of the spread of the reference's logits


def longrope(head, partial, original):
    return {**phi3.longrope(head, partial, 16), "original_max_position_embeddings": original}


def write(folder, cfg, seed):
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
        options = ort.SessionOptions()  # DequantizeLinear and MatMul become one operator, whose inputs else have 8 bits
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
        self.session = ort.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
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
    """Without the end of the text, which greedy_genai does not let come either."""
    ids, end = list(ids), np.atleast_1d(model.generation_config.eos_token_id)
    for _ in range(n):
        logits = reference(model, ids)[-1]
        logits[end] = -np.inf
        ids.append(int(logits.argmax()))
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


def codes_of(packed, bits):
    """Numbers of so many bits, the first in the lowest, along the last dimension."""
    shifts = np.arange(0, 8, bits)
    return ((packed[..., None] >> shifts) & (2 ** bits - 1)).reshape(*packed.shape[:-1], -1)


def blocks(folder):
    """Canonical name -> codes [rows, blocks, block], scales, zero points (or None), bits, of the weights in blocks."""
    model = onnx.load(folder / "model.onnx")
    values = {t.name: t for t in model.graph.initializer}
    array = {n: onnx.numpy_helper.to_array(values[n]) for n in values}
    used = {i for n in model.graph.node for i in n.input}
    out = {}
    for name, t in values.items():
        canonical = next((p.value for p in t.metadata_props if p.key == "phi.name"), None)
        at = name.rfind("_Q")
        if not canonical or at < 0:
            continue
        if name[:at].endswith("_DQ"):  # [K, N], with sign or zero points
            scales, zeros = array[name[:at] + "_scales"].T, array.get(name[:at] + "_zero_points")
            q = array[name].T.astype(np.int16).reshape(*scales.shape, -1)
            zero = np.zeros(scales.shape, np.int16) if zeros is None else zeros.T.astype(np.int16)
            out[canonical] = q, scales, zero, int(name[at + 2:])
            continue
        bits, scales, zeros = int(name[at + 2:].split("_")[0]), array[name[:at] + "_scales"], name[:at] + "_zero_points"
        q = codes_of(array[name].reshape(len(scales), -1), bits).reshape(*scales.shape, -1)
        zero = array[zeros] if zeros in used else None
        if zero is not None and zero.dtype == np.uint8:
            zero = codes_of(zero, bits)[:, :scales.shape[1]]
        out[canonical] = q, scales, zero, bits
    return out


def decoded(folder):
    """Canonical name -> what the weights in blocks stand for."""
    out = {}
    for name, (q, scales, zero, bits) in blocks(folder).items():
        middle = np.full(scales.shape, 2 ** (bits - 1)) if zero is None else zero
        w = (q.astype(np.float32) - middle[..., None].astype(np.float32)) * scales.astype(np.float32)[..., None]
        out[name] = w.reshape(len(w), -1)
    return out


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def load_decoded(source, folder):
    """The checkpoint's model with the weights that the blocks of a decoder stand for, fused where it has them fused; and
    how many those are."""
    weights, state = decoded(folder), load_file(source / "model.safetensors")
    count, fused = len(weights), {"gate_up_proj": ["gate_proj", "up_proj"], "qkv_proj": ["q_proj", "k_proj", "v_proj"]}
    for name in state:
        parts = next(([name.replace(whole, p) for p in parts] for whole, parts in fused.items() if whole in name), [])
        if parts and parts[0] in weights:
            weights[name] = np.concatenate([weights.pop(p) for p in parts])
    assert set(weights) <= set(state), set(weights) - set(state)
    state.update({name: torch.from_numpy(w) for name, w in weights.items()})
    with tempfile.TemporaryDirectory() as other:
        shutil.copy(source / "config.json", other)
        shutil.copy(source / "generation_config.json", other)
        save_file({k: v.float().contiguous() for k, v in state.items()}, f"{other}/model.safetensors", metadata={"format": "pt"})
        return load(other), count
