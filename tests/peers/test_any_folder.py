#!/usr/bin/env python3
"""Random phi3 folders: what we make of one is what convert_hf_to_gguf makes of it, byte for byte.

    test_any_folder.py [FIRST [COUNT]]      60 folders from seed 1 on

The folders differ in everything that decides a key, a token's kind or the order of a tensor: both
generations of config.json, absent keys, longrope, tied heads, shards, added tokens in and out of the
vocabulary, post-processors, special tokens as texts and objects, chat templates, generation_config.json,
model cards, names. Where the converter itself fails (transformers refuses the config, and the raw one lacks a key) there
is nothing to compare; more than half of the folders must convert.
"""
import copy
import json
import random
import sys

import peers
from convert import convert

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402
import phi3  # noqa: E402

TEXTS = ["<|endoftext|>", "<|user|>", "<|end|>", "<s>", "</s>", "<tool>", "\u2581x", "\u0120\u00e9", "<\u00e9>", "[PAD3]",
         "<unused1>", "a", "th", "\u00e9\u200b", "<pad>", "\u0127", "a b", "<|x y|>", " "]
NAMES = ["Phi-4-mini", "m", "phi-3.5-mini-instruct", "My Model", "x-7b-chat", "Phi-0.1M-v2"]
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SAMPLING = {"temperature": [1, 0.6, None], "top_p": [0.9, 1], "top_k": [50, 0, None], "min_p": [0.05],
            "repetition_penalty": [1.1, 1], "penalty_repeat": [1.2], "penalty_last_n": [64], "mirostat": [2],
            "mirostat_tau": [5.0], "sequence": ["edkypmt", ""], "xtc_probability": [0.5]}
DTYPES = [torch.bfloat16, torch.float16, torch.float32]

base = phi3.plain_tokenizer(300)
for token in base["added_tokens"]:
    base["model"]["vocab"].pop(token["content"], None)


def template(r, texts):
    """A TemplateProcessing with any of: a token before, after, between."""
    piece = lambda: {"SpecialToken": {"id": r.choice(texts), "type_id": 0}}  # noqa: E731
    single = [{"Sequence": {"id": "A", "type_id": 0}}]
    pair = [single[0], {"Sequence": {"id": "B", "type_id": 1}}]
    for chance in (0.5, 0.3):
        if r.random() < chance:
            pair.insert(1, piece())
    if r.random() < 0.6:
        single.insert(0, piece())
        pair.insert(0, single[0])
    if r.random() < 0.5:
        single.append(piece())
        pair.append(single[-1])
    special = {t: {"id": t, "ids": [1], "tokens": [t]} for t in texts}
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}


def tokenizer(r):
    """tokenizer.json, the added texts, the name of the pre-tokenizer."""
    tok = copy.deepcopy(base)
    vocab = tok["model"]["vocab"]
    pre, name = r.choice([(tok["pre_tokenizer"], "gpt-4o"), (BYTES, "phi-2"), (None, "dbrx")])
    if pre is None:
        tok["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = checkpoints.CL100K
    else:
        tok["pre_tokenizer"] = pre
    if r.random() < 0.5:
        tok["model"]["merges"] = [m.split(" ") for m in tok["model"]["merges"]]
    texts, inside, tok["added_tokens"] = r.sample(TEXTS, r.randint(1, 8)), r.random() < 0.6, []
    at = max(vocab.values()) + 1
    for text in texts:
        number = vocab.get(text, at)
        if text not in vocab:
            at += r.choice([1, 1, 3]) if inside else 1
            if inside:
                vocab[text] = number
        tok["added_tokens"].append({
            "id": number, "content": text, "single_word": False, "lstrip": r.random() < 0.2,
            "rstrip": r.random() < 0.2, "normalized": r.random() < 0.4, "special": r.random() < 0.6})
    tok["post_processor"] = r.choice([
        None, BYTES, template(r, texts), {"type": "Sequence", "processors": [BYTES, template(r, texts)]}])
    if r.random() < 0.1:
        tok["decoder"] = None
    return tok, texts, name


def tokenizer_config(r, tok, texts):
    out = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 10 ** 30}
    texts = texts + (["newtok", "<|new|>", "b"] if r.random() < 0.2 else [])
    for kind in ("bos", "eos", "unk", "pad", "sep", "cls", "mask"):
        if r.random() < 0.5:
            text = r.choice(texts)
            out[kind + "_token"] = text if r.random() < 0.7 else {
                "__type": "AddedToken", "content": text, "lstrip": False, "rstrip": False,
                "normalized": r.random() < 0.5, "single_word": False, "special": r.random() < 0.5}
        if r.random() < 0.2:
            out[f"add_{kind}_token"] = r.random() < 0.5
    if r.random() < 0.5:
        flip = lambda v: not v if r.random() < 0.2 else v  # noqa: E731
        out["added_tokens_decoder"] = {
            str(t["id"]): {k: flip(v) if k in ("special", "normalized") else v for k, v in t.items() if k != "id"}
            for t in tok["added_tokens"] if r.random() < 0.9}
    if r.random() < 0.3:
        out["additional_special_tokens"] = r.sample(texts, min(2, len(texts)))
    chat = r.choice([0, 0, "{{ x }}\r\n\u00e9", None, "", [{"name": "default", "template": "D"},
                                                         {"name": "rag \u00e9-x", "template": "R"}][:r.randint(1, 2)]])
    if chat != 0:
        out["chat_template"] = chat
    return out


def config(r):
    hidden, heads = r.choice([64, 96]), r.choice([2, 4])
    cfg = {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": hidden,
           "intermediate_size": r.choice([64, 96, 40]), "num_hidden_layers": r.choice([1, 2, 11]),
           "num_attention_heads": heads, "vocab_size": r.choice([400, 352])}
    for key, chance, values in (
            ("num_key_value_heads", 0.8, [None, 1, 2]), ("max_position_embeddings", 0.8, [512, 2048, 4096, 131072]),
            ("original_max_position_embeddings", 0.7, [512, 2048, 4096]), ("rms_norm_eps", 0.7, [1e-5, 1e-6, 1.234e-5]),
            ("sliding_window", 0.6, [None, 2047, 262144]), ("tie_word_embeddings", 0.7, [True, False]),
            ("_name_or_path", 0.2, ["microsoft/Phi-4-mini-instruct", "/a/b/c", "x", "", "phi-2"])):
        if r.random() < chance:
            cfg[key] = r.choice(values)
    for kind in ("bos", "eos", "pad", "unk", "sep"):
        if r.random() < 0.4:
            cfg[kind + "_token_id"] = r.choice([1, 5, None, 299] + ([[1, 2]] if kind == "eos" else []))
    part, theta, rope = r.choice([None, None, 0.5, 0.75]), r.choice([10000.0, 250000, None]), {}
    half = int((part or 1.0) * hidden) // heads // 2
    scaled, new = r.random() < 0.6, r.random() < 0.5
    if scaled:
        rope = {k: [r.choice([1, 1.5, round(r.uniform(1, 50), 6)]) for _ in range(half)]
                for k in ("long_factor", "short_factor")}
        rope["rope_type" if new else "type"] = r.choice(["longrope", "longrope", "yarn"])
    elif new:
        rope["rope_type"] = "default"
    there = rope if new else cfg
    if theta:
        there["rope_theta"] = theta
    if part:
        there["partial_rotary_factor"] = part
    if new and r.random() < 0.5:
        rope["original_max_position_embeddings"] = r.choice([512, 1024])
    cfg["rope_parameters" if new else "rope_scaling"] = rope or None
    cfg["dtype" if new else "torch_dtype"] = "bfloat16"
    return cfg


def weights(r, folder, cfg):
    full = {**cfg, "num_key_value_heads": cfg.get("num_key_value_heads") or cfg["num_attention_heads"],
            "tie_word_embeddings": cfg.get("tie_word_embeddings", False)}
    repeated = full["tie_word_embeddings"] and r.random() < 0.2
    dtype = r.choice(DTYPES)
    data = {k: torch.from_numpy(v).to(dtype) for k, v in phi3.random_weights(full, 1).items()}
    if repeated:  # the head is there all the same, as a copy
        data["lm_head.weight"] = data["model.embed_tokens.weight"].clone()
    kind = r.choice(["one", "one", "shards", "pickle"])
    if kind == "pickle":
        torch.save(data, folder / "pytorch_model.bin")
    elif kind == "one":
        save_file(data, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        checkpoints.save_sharded(folder, dict(r.sample(list(data.items()), len(data))), r.randint(2, 3))


IDS = ["microsoft/Phi-4-mini-instruct", "phi-2", "./x/y-7b", "org/Name-v1.2-8x7B-chat", "Some Model", "/x", "org/a/b", "",
       "https://huggingface.co/microsoft/phi-4", "http://huggingface.co/a/b/c", "https://example.org/m", "ssh://git/x",
       "https://huggingface.co/a b/c-2", "org/m\u00fcll-instruct"]
PLAIN = ["mit", "Phi 4", "'1.0'", '"x: y"', "a # b", "v2", "1.2.3", "\u00e9t\u00e9", "''", "~", "null", "", "0x", "1_a", "other",
         "|\n  two\n  lines", ">-\n  folded\n  text", "https://example.org/#a", "\"\\u00fc\\n\"", "3.x", "1e5", "no-", "2024-1"]
TEXTS_OF = ["name", "author", "version", "organization", "description", "finetune", "basename", "size_label", "url", "doi",
            "uuid", "repo_url"]
CARD = [*TEXTS_OF, *("model_" + t for t in TEXTS_OF), "model_creator", "model_type", "license_name", "license_link"]


def listed(r, values, quoted):
    """A text, a block list, a flow list, nothing."""
    pick = [json.dumps(v, ensure_ascii=r.random() < 0.5) if quoted or r.random() < 0.3 else v
            for v in r.sample(values, r.randint(1, min(3, len(values))))]
    return r.choice([pick[0], "[" + ", ".join(json.dumps(json.loads(v) if v[:1] == '"' else v) for v in pick) + "]",
                     "".join(f"\n- {v}" for v in pick), "".join(f"\n  -   {v}" for v in pick), "[]", ""])


def relatives(r):
    if r.random() < 0.3:
        return "".join("\n- " + "\n  ".join(f"{k}: {r.choice(['x', 'Y z', json.dumps('1')])}"
                                           for k in r.sample([*TEXTS_OF, "extra"], r.randint(1, 5)))
                       for _ in range(r.randint(1, 3)))
    return listed(r, IDS, True)


def card(r):
    """README.md: front matter as people write it, mostly."""
    lines = [f"{k}: {r.choice(PLAIN)}" for k in r.sample(CARD, r.choice([0, 1, 3, 8]))]
    for key, chance, value in (
            ("license", 0.7, lambda: listed(r, ["mit", "apache-2.0", "other"], False)),
            ("tags", 0.6, lambda: listed(r, ["nlp", "code", "math", "c++", "text-generation"], False)),
            ("pipeline_tag", 0.4, lambda: "text-generation"),
            ("language", 0.5, lambda: listed(r, ["en", "de", "fr", "multilingual"], False)),
            ("languages", 0.1, lambda: "\n- no\n- en"), ("base_model", 0.4, lambda: relatives(r)),
            ("base_models", 0.1, lambda: relatives(r)), ("datasets", 0.3, lambda: relatives(r)),
            ("dataset", 0.1, lambda: relatives(r)), ("widget", 0.2, lambda: "\n- messages:\n\t- role: user\n\t  content: x"),
            ("anchor", 0.1, lambda: "&a [x, y]\ntags: *a")):
        if r.random() < chance:
            lines.append(f"{key}: {value()}")
    r.shuffle(lines)
    end = r.choice(["\n", "\n", "\r\n"])
    text = "\n".join(["---", *lines, *r.choice([["---", "# Card", "--- x"], ["---"], []])]) + r.choice(["\n", ""])
    return r.choice(["", "", "", "\n"])[:r.random() < 0.1] + text.replace("\n", end)


def make(seed, root):
    """A folder, and the name of its pre-tokenizer."""
    r = random.Random(seed)
    folder = root / str(seed) / r.choice(NAMES)
    folder.mkdir(parents=True)
    tok, texts, pre = tokenizer(r)
    cfg = config(r)
    phi3.write_json(folder / "tokenizer.json", tok)
    phi3.write_json(folder / "tokenizer_config.json", tokenizer_config(r, tok, texts))
    phi3.write_json(folder / "config.json", cfg)
    if r.random() < 0.5:
        phi3.write_json(folder / "generation_config.json", {
            "eos_token_id": [1, 2], **{k: r.choice(v) for k, v in SAMPLING.items() if r.random() < 0.3}})
    if r.random() < 0.4:
        (folder / "chat_template.jinja").write_bytes(b"j\r\rk\r\n")
    weights(r, folder, cfg)
    if seed % 4:
        (folder / "README.md").write_bytes(card(random.Random(seed)).encode())
    return folder, pre


def main():
    first, count = int((sys.argv[1:] or [1])[0]), int((sys.argv[2:] or [60])[0])
    work, refused = peers.scratch(), 0
    for seed in range(first, first + count):
        folder, pre = make(seed, work)
        outtype = random.Random(seed).choice(["auto", "f32", "f16", "bf16", "q8_0"])
        ours, theirs = work / f"{seed}.ours.gguf", work / f"{seed}.theirs.gguf"
        try:
            convert(folder, theirs, outtype, pre)
        except peers.Failure:
            refused += 1
            continue
        try:
            if outtype == "auto":
                peers.tool("phi-repack", "--no-sync", folder, "-f", "gguf", "-o", ours)
            else:
                peers.tool("phi-quant", "--no-sync", "-t", outtype, folder, "-o", ours)
            wrong = peers.first_difference(ours, theirs)
        except peers.Failure as e:
            wrong = str(e)
        peers.check(not wrong, f"seed {seed}: {json.dumps(folder.name)} to {outtype}", wrong)
        ours.unlink(missing_ok=True)
        theirs.unlink()
    peers.check(refused <= count // 2, f"the converter converts most of the folders ({count - refused} of {count})")
    peers.finish()


if __name__ == "__main__":
    main()
