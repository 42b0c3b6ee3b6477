#!/usr/bin/env python3
"""GGUF back to a folder that transformers loads: every tensor, the logits, the token ids of 300 texts.

Of each random checkpoint and phi-tiny, through a GGUF in the checkpoint's own type: with what a GGUF says alone (values
and logits equal; token ids equal, but for what the file has lost, which is counted), and with --keep-all (side files
byte for byte). The published vocabularies of llama.cpp: ids as transformers' and libllama's from the same file."""
import sys

import peers
import numpy as np
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

sys.path.insert(0, str(peers.ROOT / "fixtures"))
sys.dont_write_bytecode = True
import checkpoints  # noqa: E402
import texts  # noqa: E402

work = peers.scratch()
torch.set_num_threads(2)
logging.disable_progress_bar()
logging.set_verbosity_error()
TEXTS = texts.make()


def tensors(folder):
    """Every tensor of a folder, by name."""
    out = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as f:
            out.update({n: f.get_tensor(n) for n in f.keys()})
    for file in sorted(folder.glob("*.bin")):
        out.update(torch.load(file, weights_only=True))
    return out


def first_other(a, b):
    """What differs between two sets of tensors, or ''."""
    if a.keys() != b.keys():
        return f"other names: {sorted(a.keys() ^ b.keys())[:3]}"
    for name in a:
        if a[name].dtype != b[name].dtype or not torch.equal(a[name], b[name]):
            return f"{name}: {a[name].dtype} {b[name].dtype}"
    return ""


@torch.no_grad()
def logits(folder, ids):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    return model(torch.tensor([ids])).logits[0].numpy()


def other_ids(a, b):
    return [t for t in TEXTS if a(t)["input_ids"] != b(t)["input_ids"]]


def recipe_of(want):
    """The checkpoint's own type: auto would make F16 of F32, as convert_hf_to_gguf does."""
    return {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}[next(iter(want.values())).dtype]


def check_sides(name, folder, back):
    for side in sorted(folder.iterdir()):
        if side.suffix in (".safetensors", ".bin") or side.name.endswith(".index.json"):
            continue
        there = back / side.name
        peers.check(there.is_file() and there.read_bytes() == side.read_bytes(), f"{name}: {side.name} with --keep-all")


def convert(*args, tool="phi-repack"):
    peers.tool(tool, "-q", "--no-sync", "--force", *args)


def check_folder(name, folder):
    want = tensors(folder)
    rows = want["model.embed_tokens.weight"].shape[0]
    ids = np.random.Generator(np.random.PCG64(3)).integers(0, rows - 1, 40).tolist()
    before, tok = logits(folder, ids), AutoTokenizer.from_pretrained(folder)
    for keep in ([], ["--keep-all"]):
        what = f"{name}{' with ' + keep[0] if keep else ''}"
        back, gguf = work / f"back{len(keep)}" / name, work / f"{name}{len(keep)}.gguf"
        back.parent.mkdir(exist_ok=True)
        convert("-t", recipe_of(want), *keep, folder, "-o", gguf, tool="phi-quant")
        convert(gguf, "-f", "hf", "-o", back)
        wrong = first_other(want, tensors(back))
        peers.check(not wrong, f"{what}: {len(want)} tensors", wrong)
        after = logits(back, ids)
        peers.check(np.array_equal(before, after), f"{what}: logits", f"{np.abs(before - after).max()}")
        wrong = other_ids(tok, AutoTokenizer.from_pretrained(back))
        lost = 0 if keep else LOST.get(name, 0)
        peers.check(len(wrong) == lost, f"{what}: token ids of {len(TEXTS) - lost} of {len(TEXTS)} texts",
                    f"{len(wrong)} differ: {wrong[:3]}")
        again = work / "again.gguf"
        convert("-t", recipe_of(want), *keep, back, "-o", again, tool="phi-quant")
        if (folder / "model.safetensors").is_file():
            wrong = peers.first_difference(gguf, again)
        else:  # shards and pickles have an order of their own, and so has their GGUF
            peers.tool("phi-diff", "--brief", *(["--strict"] if keep else []), gguf, again)
            wrong = ""
        peers.check(not wrong, f"{what}: the GGUF made of that", wrong)
    check_sides(name, folder, back)


def check_quantized(folder):
    """Values are gguf-py's, in F32 as they are, in the checkpoint's type rounded once; through a pipe the same."""
    from gguf import GGUFReader, dequantize
    gguf = work / "quantized.gguf"
    for recipe in ("q8_0", "q4_k_m"):
        convert("-t", recipe, folder, "-o", gguf, tool="phi-quant")
        convert("-t", "f32", gguf, "-f", "hf", "-o", work / "f32", tool="phi-quant")
        convert(gguf, "-f", "hf", "-o", work / "bf16")
        whole, half = tensors(work / "f32"), tensors(work / "bf16")
        down = next(t for t in GGUFReader(gguf).tensors if t.name == "blk.1.ffn_down.weight")
        want = torch.from_numpy(dequantize(down.data, down.tensor_type))
        name = "model.layers.1.mlp.down_proj.weight"
        peers.check(torch.equal(whole[name], want), f"{recipe} to F32: the values of gguf-py")
        peers.check(torch.equal(half[name], want.bfloat16()), f"{recipe} to BF16: those, rounded once")
        peers.check({t.dtype for t in half.values()} == {torch.bfloat16}, f"{recipe}: all in torch_dtype's type")
        peers.check(np.isfinite(logits(work / "bf16", [1, 2, 3])).all(), f"{recipe}: runs")
        piped = peers.tool("phi-repack", "-q", stdin=gguf.read_bytes())
        peers.tool("phi-repack", "-q", "--no-sync", "--force", "-f", "hf", "-o", work / "piped", stdin=piped)
        wrong = peers.first_difference(work / "piped" / "model.safetensors", work / "bf16" / "model.safetensors")
        peers.check(not wrong, f"{recipe}: through a pipe", wrong)
    convert(gguf, "-f", "hf-bin", "-o", work / "bin")
    wrong = first_other(half, tensors(work / "bin"))
    peers.check(not wrong, "as pickles: the same tensors", wrong)


def around(vocabulary, out):
    """A small phi3 GGUF with the tokenizer of one that has only that."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter
    import phi3
    fields = GGUFReader(vocabulary).fields
    rows = len(fields["tokenizer.ggml.tokens"].data)
    w = GGUFWriter(out, "phi3")
    w.add_name(out.stem)  # where it says phi-3, libllama lets special tokens swallow white space
    for key, value in (("context_length", 4096), ("rope.scaling.original_context_length", 4096), ("embedding_length", 64),
                       ("feed_forward_length", 96), ("block_count", 1), ("attention.head_count", 4),
                       ("attention.head_count_kv", 2), ("rope.dimension_count", 16), ("attention.sliding_window", 0)):
        w.add_uint32(f"phi3.{key}", value)
    w.add_float32("phi3.attention.layer_norm_rms_epsilon", 1e-5)
    w.add_float32("phi3.rope.freq_base", 10000.0)
    for key, field in fields.items():
        if key.startswith("tokenizer."):
            w.add_key_value(key, field.contents(), field.types[0],
                            field.types[1] if field.types[0] == GGUFValueType.ARRAY else None)
    cfg = {"model_type": "phi3", "hidden_size": 64, "intermediate_size": 96, "vocab_size": rows, "num_attention_heads": 4,
           "num_key_value_heads": 2, "num_hidden_layers": 1, "tie_word_embeddings": False}
    names = {"model.embed_tokens": "token_embd", "model.layers.0.self_attn.qkv_proj": "blk.0.attn_qkv",
             "model.layers.0.self_attn.o_proj": "blk.0.attn_output", "model.layers.0.mlp.gate_up_proj": "blk.0.ffn_up",
             "model.layers.0.mlp.down_proj": "blk.0.ffn_down", "model.layers.0.input_layernorm": "blk.0.attn_norm",
             "model.layers.0.post_attention_layernorm": "blk.0.ffn_norm", "model.norm": "output_norm",
             "lm_head": "output"}
    for name, value in phi3.random_weights(cfg, 9).items():
        w.add_tensor(names[name.removesuffix(".weight")] + ".weight", value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return out


def check_published(name, lost):
    import ggml
    gguf, back = around(peers.PEERS / "llama.cpp" / "models" / f"ggml-vocab-{name}.gguf", work / f"{name}.gguf"), work / name
    convert(gguf, "-f", "hf", "-o", back)
    tok, there = AutoTokenizer.from_pretrained(back), ggml.Model(gguf)
    wrong = [t for t in TEXTS if tok(t, add_special_tokens=False)["input_ids"] != there.tokenize(t)]
    peers.check(len(wrong) == lost, f"ggml-vocab-{name}: transformers' ids are libllama's for {len(TEXTS) - lost} texts",
                f"{len(wrong)} differ: {wrong[:4]}")
    model = AutoModelForCausalLM.from_pretrained(back, dtype=torch.float32)
    peers.check(model.config.vocab_size >= len(tok), f"ggml-vocab-{name}: {len(tok)} tokens, the model loads")


# Published phi-3: tokens swallow all white space there, that of ASCII in libllama.
def check_metaspace(folder):
    """tokenizer.json with Metaspace alone, as transformers 5 writes it, and no tokenizer.model."""
    import json
    import shutil
    import ggml
    copy = work / "metaspace"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("tokenizer.model", "added_tokens.json"))
    tok = json.loads((copy / "tokenizer.json").read_text())
    tok["normalizer"] = None
    tok["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}
    (copy / "tokenizer.json").write_text(json.dumps(tok))
    convert(copy, "-o", work / "metaspace.gguf")
    from tokenizers import Tokenizer
    there, have = ggml.Model(work / "metaspace.gguf"), Tokenizer.from_file(str(copy / "tokenizer.json"))
    plain = [t for t in TEXTS if t and t[0] not in " \u2581" and "<" not in t and "\0" not in t]
    wrong = [t for t in plain if have.encode(t, add_special_tokens=False).ids != there.tokenize(t)]
    peers.check(not wrong, f"Metaspace alone: ids of {len(plain)} texts", str(wrong[:4]))


# Texts whose ids are others after a GGUF that says only what GGUFs say. phi-2, phi-1_5: their special tokens swallow
# white space here, which those of the published ones do not.
LOST = {"phi-2": 8, "phi-1_5": 8}

folders = {"phi-tiny": peers.ROOT / "fixtures" / "phi-tiny", **checkpoints.make(work / "from")}
for name, folder in folders.items():
    try:
        check_folder(name, folder)
    except peers.Failure as e:
        peers.check(False, name, str(e))
check_quantized(folders["phi-tiny"])
check_metaspace(folders["Phi-3-mini-spm"])
for name, lost in (("gpt-2", 0), ("phi-3", 2), ("llama-spm", 0)):
    try:
        check_published(name, lost)
    except peers.Failure as e:
        peers.check(False, f"ggml-vocab-{name}", str(e))
peers.finish()
