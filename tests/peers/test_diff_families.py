#!/usr/bin/env python3
"""phi-diff pairs tensors by canonical name whoever made the files: experts apart and stacked, q, k and v apart and fused,
tied heads said once or twice. Which pairs there are, and each pair's figures against numpy, on the random checkpoints."""
import json
import re
import shutil
import sys

import peers
from convert import convert  # first: its tree has the gguf package that it needs

import gguf
import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter, quants
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402
import phi3  # noqa: E402

work = peers.scratch()
# GGUF's name in a layer -> Hugging Face's, or its parts in order; {} is the expert.
LAYER = {
    "attn_norm": ["input_layernorm"], "ffn_norm": ["post_attention_layernorm"], "ffn_gate_inp": ["block_sparse_moe.gate"],
    "attn_q": ["self_attn.q_proj"], "attn_k": ["self_attn.k_proj"], "attn_v": ["self_attn.v_proj"],
    "ffn_gate_exps": ["block_sparse_moe.experts.{}.w1"], "ffn_down_exps": ["block_sparse_moe.experts.{}.w2"],
    "ffn_up_exps": ["block_sparse_moe.experts.{}.w3"]}
PHI3 = {"attn_qkv": ["self_attn.qkv_proj"], "attn_output": ["self_attn.o_proj"], "ffn_up": ["mlp.gate_up_proj"],
        "ffn_down": ["mlp.down_proj"]}
PHI2 = {"attn_output": ["self_attn.dense"], "ffn_up": ["mlp.fc1"], "ffn_down": ["mlp.fc2"]}
FUSED = {"attn_qkv": [f"self_attn.{p}_proj" for p in "qkv"]}
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def of_folder(folder):
    out = {}
    for file in sorted(folder.glob("*.safetensors")):
        out.update(load_file(file))
    for file in sorted(folder.glob("*.bin")):
        out.update(torch.load(file))
    return {k: v.float().numpy() for k, v in out.items()}


def of_gguf(path, like):
    """The tensors of a GGUF under the names of `like`, cut as those are."""
    reader, out = GGUFReader(path), {}
    arch = bytes(reader.fields["general.architecture"].parts[-1]).decode()
    names = {**LAYER, **PHI3, **({} if arch == "phi3" else FUSED), **(PHI2 if arch == "phi2" else {})}
    for t in reader.tensors:
        values = quants.dequantize(t.data, t.tensor_type).reshape(list(reversed(t.shape)))
        m = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", t.name)
        if not m:
            module, kind = t.name.rsplit(".", 1)
            if module in TOP:
                name = "model.final_layernorm" if arch == "phi2" and module == "output_norm" else TOP[module]
                out[f"{name}.{kind}"] = values
            continue
        layer, module, kind = m.groups()
        whole = [f"model.layers.{layer}.{p}.{kind}" for p in names[module]]
        if "{}" in whole[0]:
            out.update({whole[0].format(e): values[e] for e in range(len(values))})
        elif len(whole) > 1:
            for name in whole:
                out[name], values = np.split(values, [len(like[name])])
        else:
            out[whole[0]] = values
    return out


def of_mlx(folder):
    """The tensors of an MLX folder of 4 bits, groups of 64, under Hugging Face's names."""
    stored, out = load_file(folder / "model.safetensors"), {}
    for name, w in stored.items():
        module, kind = name.rsplit(".", 1)
        if kind in ("scales", "biases"):
            continue
        values = w.float().numpy()
        if module + ".scales" in stored and kind == "weight":
            codes = w.contiguous().view(torch.uint8).numpy()
            codes = np.stack([codes & 15, codes >> 4], -1).reshape(*codes.shape[:-1], -1, 64).astype(np.float32)
            scale, bias = (stored[f"{module}.{k}"].float().numpy()[..., None] for k in ("scales", "biases"))
            values = (codes * scale + bias).reshape(*codes.shape[:-2], -1)
        stack = re.fullmatch(r"(.*\.block_sparse_moe)\.switch_mlp\.(gate|down|up)_proj", module)
        if stack:
            part = {"gate": "w1", "down": "w2", "up": "w3"}[stack[2]]
            out.update({f"{stack[1]}.experts.{e}.{part}.{kind}": v for e, v in enumerate(values)})
        else:
            out[name] = values
    return out


def check(what, a, b, want_a, want_b):
    """Every pair that there should be, and no other; the figures of each."""
    try:
        for x, y, p, q in ((a, b, want_a, want_b), (b, a, want_b, want_a)):
            said = json.loads(peers.tool("phi-diff", "--json", "--tensors", x, y, status=(0, 1)))["tensors"]
            said = {t["name"]: t for t in said if not t["name"].startswith("rope_factors")}
            names = set(p) | set(q)
            wrong = [f"pairs: {sorted(names ^ set(said))[:4]}"] if names != set(said) else []
            for name in sorted(names & set(said)):
                t = said[name]
                if name not in p or name not in q:
                    wrong += [] if t["state"].startswith("only in") else [f"{name}: {t['state']}"]
                    continue
                d = p[name].astype(np.float64) - q[name]
                rmse, most = float(np.sqrt((d * d).mean())), float(np.abs(d).max())
                if (t["state"] == "equal") != (not d.any()) or not np.isclose(t.get("rmse") or 0, rmse, rtol=1e-6, atol=0) \
                        or (t.get("max_abs") or 0) != np.float32(most) and not np.isclose(t["max_abs"], most, rtol=1e-6):
                    wrong.append(f"{name}: {t['state']}, rmse {t.get('rmse')} for {rmse}")
            peers.check(not wrong, f"{what}: {len(said)} pairs{'' if x is a else ', the other way'}", "; ".join(wrong[:3]))
    except peers.Failure as e:
        peers.check(False, what, str(e))


def ours(folder, recipe, out):
    peers.tool("phi-quant", "-q", "--no-sync", "--force", "-t", recipe, folder, "-o", work / out)
    return work / out


def in_parts(folder, out):
    """A phi3 folder with q, k and v, gate and up apart, as files in Llama's manner have them."""
    shutil.copytree(folder, out)
    cfg = json.loads((folder / "config.json").read_text())
    head = cfg["hidden_size"] // cfg["num_attention_heads"]
    kv, weights = head * cfg["num_key_value_heads"], {}
    for name, w in load_file(folder / "model.safetensors").items():
        if "qkv_proj" in name:
            q, k, v = w.split([cfg["hidden_size"], kv, kv])
            weights.update({name.replace("qkv_proj", f"{n}_proj"): t.contiguous() for n, t in zip("qkv", (q, k, v))})
        elif "gate_up_proj" in name:
            gate, up = w.chunk(2)
            weights.update({name.replace("gate_up", n): t.contiguous() for n, t in (("gate", gate), ("up", up))})
        else:
            weights[name] = w
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    return out


def gguf_in_parts(path, out, rows):
    """A GGUF whose attn_qkv are three tensors."""
    reader, writer = GGUFReader(path), GGUFWriter(out, "phi3")
    for f in reader.fields.values():
        if not f.name.startswith(("GGUF.", "general.architecture", "tokenizer.")):
            kind = f.types[0]
            writer.add_key_value(f.name, f.contents(), kind, f.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for t in reader.tensors:
        parts = np.split(t.data, np.cumsum(rows)[:-1]) if "attn_qkv" in t.name else [t.data]
        for n, data in zip("qkv" if len(parts) > 1 else [""], parts):
            writer.add_tensor(t.name.replace("qkv", n) if n else t.name, data, raw_dtype=t.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


folders = checkpoints.make(work)
for name in ("Phi-3.5-MoE-instruct", "phi-tiny-MoE", "phi-2", "phi-4", "Phi-9-tiny-128k-instruct"):
    folder = folders[name]
    want = of_folder(folder)
    for recipe in ("bf16", "q4_0"):
        try:
            file = ours(folder, recipe, "x.gguf")
        except peers.Failure as e:
            peers.check(False, f"{name} and its {recipe}", str(e))
            continue
        check(f"{name} and its {recipe}", folder, file, want, of_gguf(file, want))

# MLX stacks experts under names of its own.
for name in ("Phi-3.5-MoE-instruct", "phi-2", "Phi-3-mini-spm"):
    folder, mlx = folders[name], work / f"{name}-mlx"
    want = of_folder(folder)
    try:
        peers.tool("phi-quant", "-q", "--no-sync", "-t", "mlx:4", folder, "-o", f"{mlx}/")
        file = ours(folder, "q8_0", "x.gguf")
    except peers.Failure as e:
        peers.check(False, f"{name}: MLX", str(e))
        continue
    values = of_mlx(mlx)
    check(f"{name} and MLX of 4 bits", folder, mlx, want, values)
    if name != "Phi-3.5-MoE-instruct":  # both stack their experts
        check(f"{name}: MLX of 4 bits and its q8_0", mlx, file, values, of_gguf(file, want))

# What the converter fuses if it is told to.
for name in ("phi-2", "Phi-3.5-MoE-instruct"):
    folder, file = folders[name], work / "fused.gguf"
    want = of_folder(folder)
    convert(folder, file, "q8_0", checkpoints.PRE[name], "--fuse-qkv")
    peers.check(any("attn_qkv" in t.name for t in GGUFReader(file).tensors), f"{name}: the converter fuses")
    check(f"{name} and a fused q8_0", folder, file, want, of_gguf(file, want))
    plain = ours(folder, "q4_0", "x.gguf")
    if name == "phi-2":  # of two GGUFs experts are stacked on both sides
        check(f"{name}: q4_0 and a fused q8_0", plain, file, of_gguf(plain, want), of_gguf(file, want))
    said = peers.tool("phi-inspect", "--check", file)
    peers.check(b"model." not in said, f"{name}: --check takes the fused file for one of the family", said.decode())

# Parts of Phi-3's fused tensors.
folder = folders["phi-4"]
want = of_folder(folder)
parts = in_parts(folder, work / "parts")
rows = [192, 64, 64]
apart = of_folder(parts)
cut = ours(folder, "q4_0", "x.gguf")
fused = of_gguf(cut, want)
for p in (want, fused):
    for i in range(2):
        at = f"model.layers.{i}."
        p.update(zip([f"{at}self_attn.{n}_proj.weight" for n in "qkv"], np.split(p.pop(at + "self_attn.qkv_proj.weight"), [192, 256])))
        p.update(zip([f"{at}mlp.{n}_proj.weight" for n in ("gate", "up")], np.split(p.pop(at + "mlp.gate_up_proj.weight"), 2)))
check("phi-4 and a folder in parts", folder, parts, want, apart)
check("a folder in parts and a q4_0", parts, cut, apart, fused)
whole = of_folder(folder)
three = gguf_in_parts(cut, work / "three.gguf", rows)
values = of_gguf(cut, whole)
for p in (whole, values):
    for i in range(2):
        at = f"model.layers.{i}."
        p.update(zip([f"{at}self_attn.{n}_proj.weight" for n in "qkv"], np.split(p.pop(at + "self_attn.qkv_proj.weight"), [192, 256])))
check("phi-4 and a q4_0 in parts", folder, three, whole, values)
check("a q4_0 and the same in parts", cut, three, values, values)

# A tied head that one side has twice.
folder = peers.ROOT / "fixtures" / "phi-tiny"
twice = work / "phi-tiny-twice"
shutil.copytree(folder, twice)
weights = load_file(folder / "model.safetensors")
save_file({**weights, "lm_head.weight": weights["model.embed_tokens.weight"].clone()}, twice / "model.safetensors",
          metadata={"format": "pt"})
want = of_folder(folder)
both = {**want, "lm_head.weight": want["model.embed_tokens.weight"]}
once, two = ours(folder, "q4_k_m", "once.gguf"), ours(twice, "q4_k_m", "twice.gguf")
of_once, of_two = of_gguf(once, want), of_gguf(two, want)
check("tied, and its q4_k_m without a head", folder, once, want, of_once)
check("tied, and a q4_k_m with a head", folder, two, both, of_two)
check("tied with a head, and a q4_k_m without", twice, once, both, {**of_once, "lm_head.weight": of_once["model.embed_tokens.weight"]})
check("q4_k_m without and with a head", once, two, {**of_once, "lm_head.weight": of_once["model.embed_tokens.weight"]}, of_two)
peers.finish()
