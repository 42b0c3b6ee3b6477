#!/usr/bin/env python3
"""Tokenizers of the SentencePiece kind: GGUF with them equals convert_hf_to_gguf's, whichever of the files are there;
libllama gives 300 texts the ids it gives them with the
converter's file; where it differs from transformers is listed.
On a tokenizer of our own, on Phi-3's vocabulary (llama.cpp's ggml-vocab-phi-3) and on Mistral's tokenizers. What
SentencePiece refuses, we do."""
import json
import shutil
import sys

import peers
import sentencepiece
import torch
from safetensors.torch import save_file

import ggml
from convert import TREE, convert  # its gguf is the one to have
from gguf import GGUFReader

import token_ids

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import phi3  # noqa: E402
import spm  # noqa: E402

work = peers.scratch()
TEXTS = token_ids.TEXTS


def folder_of(name, model, rows, bos=False):
    """A small model with these pieces."""
    folder = work / name
    folder.mkdir()
    tok = spm.write_tokenizer(folder, model, bos)
    end = phi3.token_id(tok, "<|endoftext|>")
    cfg = phi3.config(tok, hidden_size=32, intermediate_size=64, num_attention_heads=2, num_key_value_heads=2,
                      num_hidden_layers=1, vocab_size=rows, sliding_window=None, bos_token_id=1, eos_token_id=end,
                      pad_token_id=end, partial_rotary_factor=1.0)
    phi3.write_json(folder / "config.json", cfg)
    weights = {k: torch.from_numpy(v).to(torch.bfloat16) for k, v in phi3.random_weights(cfg, 7).items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def published():
    """Phi-3's tokenizer.model, put together from the vocabulary that llama.cpp's tests have of it."""
    fields = GGUFReader(TREE / "models" / "ggml-vocab-phi-3.gguf").fields
    column = {k: fields["tokenizer.ggml." + k] for k in ("tokens", "scores", "token_type")}
    tokens = [bytes(column["tokens"].parts[i]).decode() for i in column["tokens"].data][:32000]
    scores = [float(column["scores"].parts[i][0]) for i in column["scores"].data]
    kinds = [int(column["token_type"].parts[i][0]) for i in column["token_type"].data]
    entries = [("<unk>", 0, spm.UNKNOWN), ("<s>", 0, spm.CONTROL), ("</s>", 0, spm.CONTROL)]
    return spm.write(entries + list(zip(tokens, scores, kinds))[3:])


def both(what, folder):
    """Our file and the converter's, or None where one of them is missing."""
    ours, theirs = work / "ours.gguf", work / "theirs.gguf"
    ours.unlink(missing_ok=True)
    try:
        convert(folder, theirs, "f16", None)
        peers.tool("phi-quant", "-q", "--no-sync", "-t", "f16", folder, "-o", ours)
    except peers.Failure as e:
        peers.check(False, what, str(e))
        return None
    wrong = peers.first_difference(ours, theirs)
    peers.check(not wrong, f"{what}: the converter's file", wrong)
    return ours, theirs


def json_alone(what, source, same):
    """Without tokenizer.model scores come from the merges: the same ids, where SentencePiece trained it the same file."""
    folder, out = work / "alone" / source.name, work / "alone.gguf"
    shutil.copytree(source, folder)
    (folder / "tokenizer.model").unlink()
    try:
        peers.tool("phi-quant", "-q", "--no-sync", "--force", "-t", "f16", folder, "-o", out)
        peers.tool("phi-quant", "-q", "--no-sync", "--force", "-t", "f16", source, "-o", work / "ours.gguf")
    except peers.Failure as e:
        peers.check(False, f"{what}: tokenizer.json alone", str(e))
        return
    if same:
        wrong = peers.first_difference(out, work / "ours.gguf")
        peers.check(not wrong, f"{what}: tokenizer.json alone gives the same file", wrong)
    have, want = ggml.Model(out), ggml.Model(work / "ours.gguf")
    unlike = [t for t in TEXTS if have.tokenize(t) != want.tokenize(t)]
    peers.check(not unlike, f"{what}: tokenizer.json alone gives {len(TEXTS)} texts the same ids", repr(unlike[:3]))


def variant(what, source, change):
    folder = work / "variant"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    change(folder)
    both(what, folder)


def edit(name, change):
    def run(folder):
        value = json.loads((folder / name).read_text())
        change(value)
        phi3.write_json(folder / name, value)
    return run


own = spm.train(520)
small = folder_of("small", own, 576)
for what, folder in (("our own", small), ("our own, begun with <s>", folder_of("begun", own, 531, bos=True)),
                     ("Phi-3's", folder_of("published", published(), 32064))):
    files = both(what, folder)
    if files:
        token_ids.check(what, folder, *files)
    json_alone(what, folder, folder.name != "published")

# Tokenizers of Mistral's, as its package has them: other files of Llama's kind, 32000 and 32768 pieces.
try:
    for path in peers.fetch("mistral-common==1.12.0", ["*/data/tokenizer.model.v1", "*_240323.model.v3"]):
        folder = folder_of(path.name, path.read_bytes(), 32832)
        both(path.name, folder)
        json_alone(path.name, folder, False)
except peers.Failure as e:
    peers.check(False, "mistral-common", str(e))

for name in ("tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json"):
    variant(f"without {name}", small, lambda f: (f / name).unlink())
variant("tokenizer.model alone", small, lambda f: [(f / n).unlink() for n in (
    "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json")])
variant("added tokens beyond the rows", small, edit("added_tokens.json", lambda v: v.update({"far": 9999})))
variant("a special id beyond the rows", small, edit("config.json", lambda v: v.update(sep_token_id=9999)))
variant("a piece replaced", small, edit("tokenizer.json", lambda v: v["added_tokens"][2].update(content="<end>")))
variant("the last of two with one id", small, edit("tokenizer.json", lambda v: v["added_tokens"].append(
    {**v["added_tokens"][4], "content": "<|again|>", "special": False})))
entries = spm.pieces(own)
entries[300] = (entries[300][0], -7.25, spm.USER_DEFINED)
entries[301] = (entries[301][0], entries[301][1], spm.UNUSED)
variant("pieces of all kinds", small, lambda f: (f / "tokenizer.model").write_bytes(spm.write(entries)))

plain = [("<unk>", 0, spm.UNKNOWN), ("a", -1, spm.NORMAL), ("b", -2, spm.NORMAL)]
for what, model in {
        "nothing": b"", "text": b"hello", "no unknown": spm.write(plain[1:], byte_fallback=0), "two unknown": spm.write(
            plain + [("u", 0, spm.UNKNOWN)], byte_fallback=0), "twice": spm.write(plain + plain[1:2], byte_fallback=0),
        "empty piece": spm.write(plain + [("", 0, spm.NORMAL)], byte_fallback=0), "no byte pieces": spm.write(plain),
        "byte pieces only": spm.write(plain + [("<0x0A>", 0, spm.BYTE)], byte_fallback=0),
        "no byte": spm.write(plain + [("c", 0, spm.BYTE)]), "cut": own[:-300], "a length too long": own[:3] + b"\x7f" + own[4:],
        }.items():
    (work / "bad.model").write_bytes(model)
    try:
        sentencepiece.SentencePieceProcessor(model_proto=model) if model else None
        loads = bool(model) and sentencepiece.SentencePieceProcessor().LoadFromFile(str(work / "bad.model"))
    except Exception:
        loads = False
    folder = work / "bad"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(small, folder)
    (folder / "tokenizer.model").write_bytes(model)
    try:
        peers.tool("phi-repack", "-q", "--no-sync", folder, "-f", "gguf", "-o", work / "bad.gguf", status=2)
        wrong = ""
    except peers.Failure as e:
        wrong = str(e)
    peers.check(not loads and not wrong, f"{what}: refused by both", wrong or "SentencePiece takes it")
peers.finish()
