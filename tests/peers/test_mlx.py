#!/usr/bin/env python3
"""Our MLX folders against mlx_lm.convert's, and the way back.

Every recipe of mlx-lm on random folders of each family: codes, scales and biases equal, the same words about
quantization in config.json, the same index; in mlx-lm the same logits, to 1e-6. Then HF -> MLX -> HF: every tensor
equal, transformers loads the folder, token ids equal. And folders as others write them: forms that are null, paths that
are not quantized.

Where config.json says what mlx-lm does not read (rope_parameters of transformers 5) or leaves out what mlx-lm assumes to
be otherwise (the heads of keys of Phi-1.5), mlx-lm is given the folder with our config.json: it would rotate wrongly
without a word, or refuse.

    test_mlx.py [FOLDER | others]...
"""
import contextlib
import io
import json
import shutil
import struct
import sys

import peers
from peers import check, tool

import mlx.core as mx
import mlx_lm
import numpy as np
import torch
import transformers
from mlx_lm.utils import load_model
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402

mx.set_default_device(mx.cpu)
FOLDERS = ["Phi-3-mini-4k-test", "Phi-9-tiny-128k-instruct", "phi-4", "phi-2", "phi-1_5", "Phi-3.5-MoE-instruct",
           "Phi-3-mini-spm"]
RECIPES = [(f"mlx:{bits}", 64, dict(q_bits=bits)) for bits in (2, 3, 4, 5, 6, 8)]
RECIPES += [("mlx:4", 32, dict(q_bits=4)), ("mlx:int6", 128, dict(q_bits=6)), ("mlx:2", 32, dict(q_bits=2))]
RECIPES += [(f"mlx:{mode}", 0, dict(q_mode=mode)) for mode in ("mxfp4", "mxfp8", "nvfp4")]
RECIPES += [(f"mlx:{name}", 64, dict(quant_predicate=name)) for name in ("mixed_2_6", "mixed_3_4", "mixed_3_6", "mixed_4_6")]
TEXTS = ["Hello world", "def f(x):\n    return x + 1\n", "Grüße, 世界! <|user|> x", "  a  b\t\n"]


def tensors(folder):
    """name -> dtype, shape, bytes of all weights of a folder."""
    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        data = file.read_bytes()
        n = struct.unpack("<Q", data[:8])[0]
        for name, t in json.loads(data[8:8 + n]).items():
            if name != "__metadata__":
                found[name] = (t["dtype"], t["shape"], data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]])
    return found


def differing(a, b):
    """'' or what differs between two folders' weights."""
    a, b = tensors(a), tensors(b)
    if a.keys() != b.keys():
        return f"names: {sorted(a.keys() ^ b.keys())[:4]}"
    for name in a:
        if a[name][:2] != b[name][:2]:
            return f"{name}: {a[name][:2]} and {b[name][:2]}"
    bad = [name for name in a if a[name][2] != b[name][2]]
    return f"{len(bad)} of {len(a)} tensors, the first: {bad[0]}" if bad else ""


def official(source, out, **how):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        mlx_lm.convert(str(source), str(out), quantize=bool(how), **how)


def logits(folder, length=24):
    model, config = load_model(folder)
    ids = np.random.default_rng(5).integers(0, config["vocab_size"], (1, length))
    return np.array(model(mx.array(ids)).astype(mx.float32))


def said(folder):
    config = json.loads((folder / "config.json").read_text())
    return config.get("quantization"), config.get("quantization_config")


def read_json(file):
    return json.loads(file.read_text())


def convert_all(name, source, understood, work):
    for recipe, group, how in RECIPES:
        what = f"{name} {recipe}" + (f" group {group}" if group else "")
        ours, theirs = work / "ours", work / "theirs"
        try:
            official(understood, theirs, **how, **({"q_group_size": group} if group else {}))
        except ValueError as e:
            run = tool("phi-quant", "-q", "-t", recipe, source, "-o", f"{ours}/", status=2)
            check(not ours.exists() and run == b"", f"{what}: refused, as mlx_lm.convert does", str(e))
            shutil.rmtree(theirs, ignore_errors=True)
            continue
        tool("phi-quant", "-q", "-t", recipe, *(["--group", group] if group else []), source, "-o", f"{ours}/")
        why = differing(ours, theirs)
        check(not why, f"{what}: codes, scales, biases equal", why)
        if any(name.endswith(".scales") for name in tensors(ours)):
            check(said(ours) == said(theirs), f"{what}: config.json says the same of quantization")
        index = "model.safetensors.index.json"
        check(read_json(ours / index) == read_json(theirs / index), f"{what}: the same index")
        if recipe in ("mlx:4", "mlx:mixed_3_6", "mlx:nvfp4", "mlx:8"):
            run_both(what, ours, theirs)
        shutil.rmtree(ours)
        shutil.rmtree(theirs)


def run_both(what, ours, theirs):
    a, b = logits(ours), logits(theirs)
    check(np.isfinite(a).all() and np.abs(a - b).max() <= 1e-6, f"{what}: the same logits in mlx-lm",
          f"{np.abs(a - b).max()}")


def round_trip(name, source, understood, work):
    mlx, back = work / "mlx", work / "back"
    tool("phi-repack", "-q", source, "-f", "mlx", "-o", mlx)
    official(understood, work / "theirs")
    why = differing(mlx, work / "theirs")
    check(not why, f"{name}: unquantized, tensors as mlx_lm.convert's", why)
    tool("phi-repack", "-q", mlx, "-f", "hf", "-o", back)
    a, b = tensors(source), tensors(back)
    check(a == b, f"{name}: HF -> MLX -> HF, every tensor equal", f"{sorted(a.keys() ^ b.keys())[:3]}")
    model = transformers.AutoModelForCausalLM.from_pretrained(back, dtype=torch.float32)
    first = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    ids = torch.tensor(np.random.default_rng(6).integers(0, model.config.vocab_size, (1, 20)))
    with torch.no_grad():
        same = torch.equal(model(ids).logits, first(ids).logits)
    check(same, f"{name}: transformers loads what came back, the same logits")
    tokenizers = [transformers.AutoTokenizer.from_pretrained(f) for f in (source, back)]
    check(all(tokenizers[0].encode(t) == tokenizers[1].encode(t) for t in TEXTS), f"{name}: token ids equal")
    for folder in (mlx, back, work / "theirs"):
        shutil.rmtree(folder)


def readable(source, work):
    """The folder with a config.json that mlx-lm understands."""
    config = read_json(source / "config.json")
    if "rope_parameters" not in config and "num_key_value_heads" in config:
        return source
    ours, copy = work / "understood", work / "copies" / source.name
    tool("phi-repack", "-q", source, "-f", "mlx", "-o", ours)
    shutil.copytree(source, copy)
    shutil.copy(ours / "config.json", copy / "config.json")
    shutil.rmtree(ours)
    return copy


def refused(name, source, work):
    """What mlx-lm's class of the model has no place for, or needs: it would not load what we wrote."""
    run = tool("phi-repack", "-q", source, "-f", "mlx", "-o", work / "none", status=2)
    check(run == b"" and not (work / "none").exists(), f"{name}: no biases, no head: refused")


def towers(source, work):
    """The text of Phi-3-vision is a Phi-3 for mlx-lm: the same folder as that of the text alone."""
    vision, plain, out = work / "vision", work / "plain", work / "text"
    shutil.copytree(source, vision)
    weights = load_file(vision / "model.safetensors")
    weights["model.vision_embed_tokens.glb_GN"] = torch.full((1, 1, 64), 0.5, dtype=torch.bfloat16)
    save_file(weights, vision / "model.safetensors", metadata={"format": "pt"})
    config = read_json(vision / "config.json")
    config.update(architectures=["Phi3VForCausalLM"], model_type="phi3_v", auto_map={"AutoConfig": "x.Y"})
    (vision / "config.json").write_text(json.dumps(config))
    for folder, made in ((source, plain), (vision, out)):
        tool("phi-quant", "-q", "-t", "mlx:4", folder, "-o", f"{made}/")
    why = differing(plain, out) or ("" if read_json(plain / "config.json") == read_json(out / "config.json") else "config.json")
    check(not why and np.array_equal(logits(plain), logits(out)), "the text of Phi-3-vision: as the text alone", why)


def shared(work):
    """The fixture that stands for folders of others: mlx reads the same numbers out of it (its maker is mlx)."""
    small = peers.ROOT / "fixtures/small/mlx"
    tool("phi-repack", "-q", small / "shared", "-f", "safetensors", "-o", work / "shared.safetensors")
    ours, meant = mx.load(str(work / "shared.safetensors")), mx.load(str(small / "meant.safetensors"))
    check(ours.keys() == meant.keys() and all(mx.array_equal(meant[k].astype(v.dtype), v) for k, v in ours.items()),
          "a shared folder: every mode decoded as mlx does")


def main():
    work = peers.scratch()
    folders = checkpoints.make(work / "checkpoints")
    chosen = sys.argv[1:] or [*FOLDERS, "others"]
    for name in [n for n in chosen if n in FOLDERS]:
        try:
            understood = readable(folders[name], work)
            convert_all(name, folders[name], understood, work)
            round_trip(name, folders[name], understood, work)
        except peers.Failure as failure:
            check(False, name, str(failure))
            for folder in ("ours", "theirs", "mlx", "back"):
                shutil.rmtree(work / folder, ignore_errors=True)
    if "others" in chosen:
        refused("phi-tiny-MoE", folders["phi-tiny-MoE"], work)
        towers(folders["Phi-3-mini-spm"], work)
        shared(work)
    peers.finish()


if __name__ == "__main__":
    main()
