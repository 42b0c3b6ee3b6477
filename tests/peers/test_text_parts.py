#!/usr/bin/env python3
"""The text models of Phi-3-vision, Phi-4-multimodal and Phi-4-reasoning-vision: towers and LoRA are left out and said, the
rest is the file that convert_hf_to_gguf makes of the text model alone (of the last: of the folder itself). And
transformers' own Phi4MultimodalForCausalLM: libllama computes of our file what that computes of text."""
import json
import shutil
import subprocess
import sys

import peers
from convert import convert

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import ggml

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402
import phi3  # noqa: E402

work = peers.scratch()
folders = checkpoints.make(work / "plain")


def extra(names):
    return {name: torch.full(shape, 0.5, dtype=torch.bfloat16) for name, shape in names.items()}


def phi3v(weights):
    tower = "model.vision_embed_tokens."
    return {**weights, **extra({
        tower + "glb_GN": (1, 1, 64), tower + "sub_GN": (1, 1, 1, 64), tower + "img_projection.0.bias": (128,),
        tower + "img_processor.vision_model.encoder.layers.0.self_attn.q_proj.weight": (64, 64)})}


def phi4mm(weights):
    out = extra({"model.embed_tokens_extend.image_embed.img_processor.encoder.layers.0.mlp.fc1.weight": (64, 32),
                 "model.embed_tokens_extend.audio_embed.encoder.encoders.0.conv.bias": (64,)})
    for name, w in weights.items():
        module = name.removesuffix(".weight")
        if not module.endswith("_proj"):
            out[name] = w
            continue
        out[module + ".base_layer.weight"] = w
        for kind in ("vision", "speech"):
            out.update(extra({f"{module}.lora_A.{kind}.weight": (8, w.shape[1]), f"{module}.lora_B.{kind}.weight": (w.shape[0], 8)}))
    return out


def reasoning(weights):
    return {**weights, **extra({"model.vision_tower.vision_tower.vision_model.post_layernorm.weight": (64,),
                                "model.mm_projector.0.weight": (128, 64), "model.mm_projector.0.bias": (128,)})}


def load(folder):
    out = {}
    for file in sorted(folder.glob("*.safetensors")):
        out.update(load_file(file))
    return out


def check(base, architecture, model_type, change, said, own=False):
    source, folder = folders[base], work / model_type / base
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.index.json"))
    cfg = json.loads((source / "config.json").read_text())
    cfg.update(architectures=[architecture], model_type=model_type)
    phi3.write_json(folder / "config.json", cfg)
    weights = load(source)
    save_file(weights, work / "text.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})
    # The text model alone, in one file as its bearer is.
    text = work / f"{model_type}-text" / base
    shutil.copytree(source, text, ignore=shutil.ignore_patterns("*.safetensors", "*.index.json"))
    save_file(weights, text / "model.safetensors", metadata={"format": "pt"})
    for outtype in ("f32", "f16", "bf16", "q8_0"):
        what = f"{architecture} to {outtype}"
        ours, theirs = work / "ours.gguf", work / "theirs.gguf"
        run = subprocess.run([peers.TOOLS / "phi-quant", "--no-sync", "--force", "-t", outtype, folder, "-o", ours],
                             capture_output=True, text=True)
        if run.returncode:
            peers.check(False, what, run.stderr)
            continue
        convert(folder if own else text, theirs, outtype, checkpoints.PRE[base])
        wrong = peers.first_difference(ours, theirs)
        peers.check(not wrong, what, wrong)
        left = [line for line in run.stderr.splitlines() if "left out" in line]
        peers.check(len(left) == 1 and left[0].endswith("left out: " + said), f"{what}: one warning", run.stderr)


check("Phi-3-mini-spm", "Phi3VForCausalLM", "phi3_v", phi3v, "vision tower (4 tensors)")
check("Phi-9-tiny-128k-instruct", "Phi4MMForCausalLM", "phi4mm", phi4mm,
      "vision tower (1 tensor), audio tower (1 tensor), LoRA (48 tensors)")
check("phi-4", "Phi4ForCausalLMV", "phi4-siglip", reasoning, "vision tower (1 tensor), projector (2 tensors)", own=True)


def speaks():
    """A random model of transformers' own class, its longrope factors in force from 512 tokens on."""
    from transformers import Phi4MultimodalConfig, Phi4MultimodalForCausalLM

    source, folder = folders["Phi-9-tiny-128k-instruct"], work / "Phi-4-multimodal-instruct"
    rope = json.loads((source / "config.json").read_text())["rope_parameters"]
    small = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 4}
    torch.manual_seed(3)
    model = Phi4MultimodalForCausalLM(Phi4MultimodalConfig(
        vocab_size=640, hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=4,
        max_position_embeddings=8192, original_max_position_embeddings=512, rope_parameters=rope, tie_word_embeddings=True,
        bos_token_id=600, eos_token_id=600, pad_token_id=600, attn_implementation="eager", initializer_range=0.1,
        vision_config={**small, "num_hidden_layers": 2, "image_size": 28, "patch_size": 14, "crop_size": 28},
        audio_config={**small, "num_blocks": 1, "ext_pw_out_channel": 64, "depthwise_separable_out_channel": 64,
                      "nemo_conv_channels": 64})).eval()
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(source / name, folder)
    peers.tool("phi-quant", "-q", "--no-sync", "-t", "f32", folder, "-o", work / "x.gguf")
    ids = np.random.Generator(np.random.PCG64(5)).integers(0, 600, 700).tolist()
    for n, n_ctx in ((24, 256), (700, 1024)):
        with torch.no_grad():
            want = model(torch.tensor([ids[:n]])).logits[0].float().numpy()
        have = ggml.Model(work / "x.gguf", n_ctx).logits(ids[:n])
        worst = float(np.abs(have - want).max() / (want.max() - want.min()))
        peers.check(worst < 0.002, f"Phi4MultimodalForCausalLM: logits of {n} tokens, largest difference {worst:.1e}")


try:
    speaks()
except peers.Failure as e:
    peers.check(False, "Phi4MultimodalForCausalLM", str(e))
peers.finish()
