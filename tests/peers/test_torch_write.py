#!/usr/bin/env python3
"""What we write as PyTorch checkpoints, against torch: contiguous dicts equal torch.save's byte for byte, all of them
load with weights_only, mapped and not, and share what was shared; zipfile finds every checksum right; a file is
what a pipe gets, for any -j. Folders with pickles equal what transformers 4 wrote, and transformers loads them.

With --big also a sparse file of more than 4 GiB (in /dev/shm; some 9 GB for a minute)."""
import io
import json
import os
import subprocess
import sys
import zipfile

import peers
import torch
from huggingface_hub import split_torch_state_dict_into_shards
from transformers import Phi3ForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()
work = peers.scratch()
TINY = peers.ROOT / "fixtures" / "phi-tiny"
REPACK = peers.TOOLS / "phi-repack"


def saved(data):
    """The bytes of torch.save to a stream: there the archive has the name that ours has."""
    stream = io.BytesIO()
    torch.save(data, stream)
    return stream.getvalue()


def raw(tensor):
    """The bytes of its numbers in row-major order, of any dtype."""
    flat = tensor.contiguous().reshape(-1)
    return flat.view(torch.uint8) if flat.numel() else flat


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(raw(a), raw(b))


def repack(data, *options):
    """torch.save's file and ours, made of it."""
    theirs, ours = work / "theirs.pt", work / "ours.pt"
    theirs.write_bytes(data)
    peers.tool("phi-repack", "-q", "--no-sync", "--force", *options, theirs, "-o", ours)
    return theirs, ours


def loads(path, want, what):
    """torch takes the file, both ways, and finds these tensors; so does zipfile, and so do we."""
    plain = torch.load(path, weights_only=True)
    mapped = torch.load(path, weights_only=True, mmap=True)
    wrong = [n for n in want if n not in plain or not same(want[n], plain[n]) or not same(want[n], mapped[n])]
    peers.check(not wrong and list(plain) == list(want) == list(mapped), f"{what}: torch.load", ", ".join(wrong))
    with zipfile.ZipFile(path) as archive:
        peers.check(archive.testzip() is None, f"{what}: checksums")


def round_trip(data, what, identical=True):
    theirs, ours = repack(saved(data))
    loads(ours, data, what)
    peers.check((theirs.read_bytes() == ours.read_bytes()) == identical,
                f"{what}: {'the bytes of torch.save' if identical else 'only what is shown is kept'}")
    for source in (theirs, None):
        pipe = subprocess.run([REPACK, "-q", "-f", "pytorch", *([source] if source else [])], check=True,
                              input=None if source else theirs.read_bytes(), capture_output=True).stdout
        peers.check(pipe == ours.read_bytes(), f"{what}: a pipe gets what a file gets{'' if source else ', in too'}")
    run = subprocess.run([peers.TOOLS / "phi-diff", "-q", "--brief", "--strict", theirs, ours], capture_output=True)
    peers.check(run.returncode == 0, f"{what}: read back", run.stdout.decode())
    return torch.load(ours, weights_only=True)


def shapes():
    a = torch.arange(600.).reshape(20, 30)
    for n in (1, 2, 255, 256, 257, 999, 1000, 1001, 2000, 12000):  # the memo's width, the batches, the buckets
        round_trip({f"layers.{i}.weight": torch.full((i % 5 + 1, 2), float(i)) for i in range(n)}, f"{n} tensors")
    round_trip({"s": torch.tensor(3), "e": torch.zeros(0, 4), "f": torch.zeros(3, 0)}, "scalar and empty")
    round_trip({"w": torch.rand(2, 1, 3, 1, 2), "x" * 300: torch.zeros(70000, dtype=torch.uint8),
                "gr\u00f6\u00dfe\u4e2d": torch.zeros(300, 300)}, "ranks, numbers and names of all lengths")
    round_trip({"t": a.t(), "c": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
                "x": torch.rand(1, 4).expand(100, 4)}, "strides")
    back = round_trip({"a": a, "b": a.detach(), "rows": a.detach()[2:5], "columns": a.detach()[:, 3:9],
                       "none": a.detach()[:0], "other": torch.ones(3)}, "tied tensors and views")
    bases = {n: t.untyped_storage().data_ptr() for n, t in back.items()}
    peers.check(len({bases[n] for n in ("a", "b", "rows", "columns", "none")}) == 1 and bases["other"] != bases["a"],
                "tied tensors and views: one storage")
    back["a"][2, 3] = -1
    peers.check(back["b"][2, 3] == back["rows"][0, 3] == back["columns"][2, 0] == -1, "tied tensors and views: alive")
    back = round_trip({"rows": a[3:5], "gap": a[:, 3]}, "two slices", identical=False)
    peers.check(back["rows"].untyped_storage().nbytes() == (19 * 30 + 1) * 4, "two slices: from the first byte to the last")
    round_trip({"row": a[3:5]}, "a slice", identical=False)
    back = torch.load(repack(saved({"a": a, "b": a.detach()}), "--only", "b")[1], weights_only=True)
    peers.check(list(back) == ["b"] and torch.equal(back["b"], a), "one of two tied tensors alone")


def dtypes():
    skipped = {torch.qint8, torch.quint8, torch.qint32, torch.quint4x2, torch.quint2x4}  # not dense numbers
    skipped |= {torch.bits1x8, torch.bits2x4, torch.bits4x2, torch.bits8, torch.bits16}  # shown as U8 and U16
    known = {d for d in vars(torch).values() if isinstance(d, torch.dtype)} - skipped
    for dtype in sorted(known, key=str):
        try:
            tensor = torch.arange(64, dtype=torch.uint8).view(dtype)
            saved({"x": tensor})
        except (RuntimeError, KeyError, TypeError, AttributeError):
            continue  # torch itself cannot
        round_trip({"x": tensor, "y": tensor.reshape(2, -1)[1:]}, str(dtype))


def quantized():
    """What is converted on the way: tied tensors stay tied."""
    a = torch.rand(64, 32)
    theirs = work / "theirs.pt"
    theirs.write_bytes(saved({"a.weight": a, "b.weight": a.detach()}))
    peers.tool("phi-quant", "-q", "--force", "-t", "f16", "-f", "pytorch", theirs, "-o", work / "half.pt")
    back = torch.load(work / "half.pt", weights_only=True, mmap=True)
    peers.check(back["a.weight"].dtype == torch.float16 and torch.equal(back["b.weight"], a.half()), "as f16")
    peers.check(len({t.untyped_storage().data_ptr() for t in back.values()}) == 1, "as f16: still one storage")


def jobs():
    for j in ("1", "2", "8"):
        peers.tool("phi-repack", "-q", "--no-sync", "-j", j, TINY, "-o", work / f"j{j}.pt")
    peers.check(len({(work / f"j{j}.pt").read_bytes() for j in "128"}) == 1, "-j1, -j2, -j8: the same bytes")


def reference_folder(state, size, folder):
    """The weight files as save_pretrained of transformers 4 makes them with safe_serialization=False."""
    split = split_torch_state_dict_into_shards(state, filename_pattern="pytorch_model{suffix}.bin", max_shard_size=size)
    folder.mkdir()
    for name, tensors in split.filename_to_tensors.items():
        torch.save({t: state[t] for t in tensors}, folder / name)
    if split.is_sharded:
        total = sum(t.numel() for t in {t.data_ptr(): t for t in state.values()}.values())
        index = {"metadata": {"total_parameters": total, **split.metadata}, "weight_map": split.tensor_to_filename}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def folders():
    model = Phi3ForCausalLM.from_pretrained(TINY, dtype="auto")
    state = {n: t for n, t in model.state_dict().items()}
    names = [t["name"] for t in json.loads(peers.tool("phi-inspect", "--json", TINY))["tensors"]]
    plain = {n: state[n] for n in names}
    tied = {**plain, "lm_head.weight": plain["model.embed_tokens.weight"].detach()}
    for what, weights in (("phi-tiny", plain), ("tied", tied)):
        source = work / f"{what}-in"
        source.mkdir()
        for path in TINY.glob("*.json"):
            (source / path.name).write_bytes(path.read_bytes())
        torch.save(weights, source / "pytorch_model.bin")
        for size in ("5GB", "1MB", "300KB"):
            ours, theirs = work / f"{what}-{size}", work / f"{what}-{size}-reference"
            bytes_ = {"5GB": 5 * 10**9, "1MB": 10**6, "300KB": 3 * 10**5}[size]
            peers.tool("phi-repack", "-q", "--no-sync", "-f", "hf-bin", "--shard-size", bytes_, source, "-o", ours)
            reference_folder(weights, size, theirs)
            wrong = [p.name for p in theirs.iterdir() if not (ours / p.name).is_file() or
                     (ours / p.name).read_bytes() != p.read_bytes()]
            extra = {p.name for p in ours.iterdir()} - {p.name for p in [*theirs.iterdir(), *TINY.iterdir()]}
            peers.check(not wrong and not extra, f"{what} in files of {size}: the bytes of the reference",
                        ", ".join([*wrong, *extra]))
            loaded = Phi3ForCausalLM.from_pretrained(ours, dtype="auto", use_safetensors=False).state_dict()
            peers.check(all(same(state[n], loaded[n]) for n in state) and len(state) == len(loaded),
                        f"{what} in files of {size}: transformers loads it")


def big():
    """Sizes and offsets that need zip64."""
    size = 4_400_000_000
    sparse, theirs, ours, source = (f"/dev/shm/phi-big-{os.getpid()}.{s}" for s in ("raw", "theirs", "ours", "safetensors"))
    try:
        header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]},
                             "b": {"dtype": "F32", "shape": [3], "data_offsets": [size, size + 12]}}).encode()
        header += b" " * (-len(header) % 8)
        with open(source, "wb") as f:
            f.write(len(header).to_bytes(8, "little") + header)
            f.seek(size, 1)
            f.write(torch.ones(3).numpy().tobytes())
        open(sparse, "wb").truncate(size)
        peers.tool("phi-repack", "-q", "--no-sync", source, "-f", "pytorch", "-o", ours)
        with open(theirs, "wb") as f:
            torch.save({"a": torch.from_file(sparse, size=size, dtype=torch.uint8), "b": torch.ones(3)}, f)
        peers.check(subprocess.run(["cmp", theirs, ours]).returncode == 0, "4.4 GB: the bytes of torch.save")
        os.unlink(theirs)
        back = torch.load(ours, weights_only=True, mmap=True)
        peers.check(back["a"].numel() == size and torch.equal(back["b"], torch.ones(3)), "4.4 GB: torch.load")
        peers.check(subprocess.run(["unzip", "-tq", ours], capture_output=True).returncode == 0, "4.4 GB: unzip -t")
        peers.tool("phi-diff", "-q", "--brief", source, ours)
        pipe = subprocess.Popen([REPACK, "-q", "-f", "pytorch", source], stdout=subprocess.PIPE)
        equal = subprocess.run(["cmp", "-", ours], stdin=pipe.stdout).returncode
        peers.check(pipe.wait() == 0 and equal == 0, "4.4 GB: a pipe gets what a file gets")
    finally:
        for path in (sparse, theirs, ours, source):
            if os.path.exists(path):
                os.unlink(path)


shapes()
dtypes()
quantized()
jobs()
folders()
if "--big" in sys.argv:
    big()
peers.finish()
