#!/usr/bin/env python3
"""The reference libraries read what we write, and we read what they do: every small fixture through safetensors
and GGUF; phi-tiny and the random checkpoints as stream and folder through transformers; the stream's checksums
through xxhsum."""
import subprocess
import sys

import peers
import convert  # its gguf knows all types
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

import reference

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import checkpoints  # noqa: E402

logging.disable_progress_bar()
work = peers.scratch()
small = peers.ROOT / "fixtures" / "small"
tiny = peers.ROOT / "fixtures" / "phi-tiny"
UNREADABLE = {"v1.gguf", "big-endian.gguf"}  # the first by gguf-py at all, the second's tensors come in file order
# Read in test_numpy.py, in test_mlx.py and mlx.bats, in onnx.bats, and in test_torch_forms.py, whose reference knows modules and
# quantized tensors.
ELSEWHERE = {"numpy", "mlx", "onnx", "module.pt", "odd.pt", "odd5.pt", "odd.tensors"}


def read(path):
    """A small fixture as its library reads it."""
    if path.is_dir():
        return {k: v for shard in sorted(path.glob("*.safetensors")) for k, v in reference.of_safetensors(shard).items()}
    if path.suffix == ".gguf":
        return reference.of_gguf(path)
    if path.suffix == ".safetensors":
        return reference.of_safetensors(path)
    return reference.of_script(path) if path.name == "script.pt" else reference.of_pytorch(path)


def repack(path, suffix, what):
    """The fixture in another container, or None when we say that it cannot hold a type."""
    out = work / f"out{suffix}"
    try:
        peers.tool("phi-repack", "--no-sync", "--force", path, "-o", out)
        return out
    except peers.Failure as e:
        peers.check("cannot hold" in str(e), f"{what}: refused, with the type named", str(e))
        return None


def fixtures():
    paths = [p for p in sorted(small.glob("*/*")) if not {p.name, p.parent.name} & (UNREADABLE | ELSEWHERE)]
    for path in paths:
        name = str(path.relative_to(small))
        try:
            want, have = read(path), reference.ours(path)
            if path.name == "script.pt":
                have = {n: have[n] for n in have if n in want}
            wrong = reference.difference(want, have)
            peers.check(not wrong, f"{name}: read as its library does ({len(want)} tensors)", wrong)
            out = repack(path, ".safetensors", f"{name} to safetensors")
            if out:
                kept = {n: t for n, t in want.items() if n != "head.weight" or path.suffix == ".safetensors"}  # tied
                wrong = reference.difference(kept, reference.of_safetensors(out))
                peers.check(not wrong, f"{name} to safetensors: the library reads it", wrong)
            out = repack(path, ".gguf", f"{name} to GGUF")
            if out:
                have = reference.of_gguf(out)
                alike = {n: t for n, t in want.items() if n in have and list(t[1]) == list(have[n][1])}
                wrong = reference.difference(alike, {n: have[n] for n in alike})
                peers.check(not wrong and len(have) in (len(want), len(want) - 1), f"{name} to GGUF: gguf-py reads it",
                            wrong or f"{len(have)} of {len(want)} tensors")
        except peers.Failure as e:
            peers.check(False, name, str(e))


def weights(folder):
    return {n: reference.of_tensor(t) for n, t in AutoModelForCausalLM.from_pretrained(folder, dtype="auto").state_dict()
            .items()}


def loads(folder, like, what):
    """transformers loads weights and tokenizer of a folder just as it does those of another."""
    wrong = reference.difference(weights(like), weights(folder))
    peers.check(not wrong, f"{what}: transformers loads the same weights", wrong)
    texts = ["The lighthouse stands.", "<|user|> Größe 12345\n\n  x<|end|>", "…日本語 \U0001f30a"]
    ids = [[AutoTokenizer.from_pretrained(f)(t)["input_ids"] for t in texts] for f in (like, folder)]
    peers.check(ids[0] == ids[1], f"{what}: transformers loads the same tokenizer")


def untar(data, name, *flags):
    folder = work / name
    folder.mkdir()
    subprocess.run(["tar", "-x", *flags, "-C", folder], input=data, check=True)
    return folder


def folders():
    loads(untar(peers.tool("phi-repack", tiny), "stream"), tiny, "stream of phi-tiny, unpacked by tar")
    loads(untar(peers.tool("phi-repack", "-z", tiny), "stream-z", "--zstd"), tiny, "its zstd stream")
    peers.tool("phi-repack", "--no-sync", tiny, "-f", "hf", "-o", work / "hf")
    loads(work / "hf", tiny, "phi-tiny as a new folder")
    for name, folder in checkpoints.make(work / "random").items():
        peers.tool("phi-repack", "--no-sync", folder, "-f", "hf", "-o", work / f"hf-{name}")
        loads(work / f"hf-{name}", folder, f"{name} as a new folder")
    wide = untar(peers.tool("phi-quant", "-t", "f32", tiny), "wide")
    model = AutoModelForCausalLM.from_pretrained(wide, dtype=torch.float32)
    exact = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    same = all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), exact.state_dict().values()))
    stored = {dtype for dtype, _, _ in reference.of_safetensors(wide / "model.safetensors").values()}
    peers.check(same and stored == {"F32", "BF16"}, "stream as f32 (norms as they were): transformers loads the same values")


def sums():
    """Every line of model.xxh3 is what xxhsum computes: of a member; of the weights' header, and of every tensor."""
    folder = work / "stream"
    lines = dict(reversed(line.split("  ", 1)) for line in (folder / "model.xxh3").read_text().splitlines())
    data = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "model.xxh3"}
    weights = data.pop("model.safetensors")
    data["model.safetensors#"] = weights[:8 + int.from_bytes(weights[:8], "little")]
    for t in peers.inspect(folder / "model.safetensors")["tensors"]:
        data[f"model.safetensors#{t['name']}"] = weights[t["offset"]:t["offset"] + t["nbytes"]]
    peers.check(set(lines) == set(data), "model.xxh3 lists every member and tensor", str(set(lines) ^ set(data))[:200])
    wrong = [n for n in lines if n in data and lines[n] != subprocess.run(
        ["xxhsum", "-H128", "-"], input=data[n], capture_output=True, text=False).stdout.decode().split()[0]]
    peers.check(not wrong, f"xxhsum computes the same {len(lines)} sums", str(wrong[:3]))


fixtures()
folders()
sums()
peers.finish()
