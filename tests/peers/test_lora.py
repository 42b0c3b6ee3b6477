#!/usr/bin/env python3
"""phi-repack --lora against torch: W + s B A of phi-tiny's weights, from PEFT folders and a GGUF adapter, into
safetensors, GGUF and a folder."""
import json

import peers
import numpy as np
import torch
from safetensors.torch import load_file, save_file

import gguf

tmp = peers.scratch()
TINY = peers.ROOT / "fixtures" / "phi-tiny"
base = load_file(TINY / "model.safetensors")
rng = np.random.default_rng(7)
RANK = 8
MODULES = [f"model.layers.{i}.{m}" for i in range(2) for m in ("self_attn.qkv_proj", "self_attn.o_proj", "mlp.down_proj")]
GGUF = {"self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output", "mlp.down_proj": "ffn_down"}

factors = {}
for m in MODULES:
    out, cols = base[f"{m}.weight"].shape
    factors[m] = (torch.tensor(rng.standard_normal((RANK, cols)), dtype=torch.float32) * 0.1,
                  torch.tensor(rng.standard_normal((out, RANK)), dtype=torch.float32) * 0.1)


def adapter(name, dtype=torch.float32, **config):
    folder = tmp / name
    folder.mkdir()
    save_file({f"base_model.model.{m}.lora_{k}.weight": f.to(dtype).contiguous()
               for m, pair in factors.items() for k, f in zip("AB", pair)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(
        {"peft_type": "LORA", "r": RANK, "lora_alpha": 16, "bias": "none", "fan_in_fan_out": False,
         "target_modules": ["qkv_proj"], "modules_to_save": None, "rank_pattern": {}, **config}))
    return folder


def expected(scale, dtype=torch.float32):
    want = dict(base)
    for m, (a, b) in factors.items():
        w = base[f"{m}.weight"].double() + scale * (b.to(dtype).double() @ a.to(dtype).double())
        want[f"{m}.weight"] = w
    return want


def close(path, scale, dtype=torch.float32):
    """Each adapted weight is the exact sum rounded once, but for the errors of F32 sums; the rest is untouched."""
    got, want = load_file(path), expected(scale, dtype)
    worst = 0
    for name, w in want.items():
        if name[:-len(".weight")] not in factors:
            if not torch.equal(got[name], base[name]):
                return False, f"{name} changed"
            continue
        g = got[name].double()
        step = torch.finfo(got[name].dtype).eps
        worst = max(worst, ((g - w).abs() / (w.abs() * step / 2 + 2e-6)).max().item())
    return worst <= 1.01, f"{worst:.2f} half steps"


for name, lora, scale, dtype in (("plain", adapter("plain"), 2.0, torch.float32),
                                 ("rslora", adapter("rslora", use_rslora=True), 16 / 8**0.5, torch.float32),
                                 ("bf16", adapter("bf16", torch.bfloat16), 2.0, torch.bfloat16),
                                 ("f16", adapter("f16", torch.float16), 2.0, torch.float16)):
    out = tmp / f"{name}.safetensors"
    peers.tool("phi-repack", "-q", TINY, "--lora", lora, "-o", out)
    peers.check(*[close(out, scale, dtype)[0], f"{name}: W + s B A", close(out, scale, dtype)[1]])
    peers.tool("phi-repack", "-q", "-j1", TINY, "--lora", lora, "-o", tmp / "j1.safetensors", "--force")
    peers.check(out.read_bytes() == (tmp / "j1.safetensors").read_bytes(), f"{name}: the same with one thread")
peers.tool("phi-repack", "-q", TINY, "--lora", f"{tmp / 'plain'}:0.25", "-o", tmp / "quarter.safetensors")
peers.check(close(tmp / "quarter.safetensors", 0.25)[0], "a scale of one's own")

# Into a GGUF; the same adapter as a GGUF; both ways give the same file.
peers.tool("phi-repack", "-q", TINY, "-o", tmp / "base.gguf")
w = gguf.GGUFWriter(str(tmp / "adapter.gguf"), "phi3")
w.add_string("general.type", "adapter")
w.add_string("adapter.type", "lora")
w.add_float32("adapter.lora.alpha", 16)
for m, pair in factors.items():
    _, _, layer, module = m.split(".", 3)
    for k, f in zip("ab", pair):
        w.add_tensor(f"blk.{layer}.{GGUF[module]}.weight.lora_{k}", f.numpy())
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
peers.tool("phi-repack", "-q", TINY, "--lora", tmp / "plain", "-o", tmp / "a.gguf")
peers.tool("phi-repack", "-q", tmp / "base.gguf", "--lora", tmp / "plain", "-o", tmp / "b.gguf")
peers.tool("phi-repack", "-q", tmp / "base.gguf", "--lora", tmp / "adapter.gguf", "-o", tmp / "c.gguf")
peers.check((tmp / "a.gguf").read_bytes() == (tmp / "b.gguf").read_bytes(), "before and after conversion: one file")
peers.check((tmp / "b.gguf").read_bytes() == (tmp / "c.gguf").read_bytes(), "a GGUF adapter gives that file, too")
peers.tool("phi-repack", "-q", TINY, "--lora", tmp / "plain", "-f", "hf", "-o", tmp / "hf")
peers.check(load_file(tmp / "hf" / "model.safetensors").keys() == base.keys(), "a folder, with all tensors")
peers.finish()
