#!/usr/bin/env python3
"""Ratios of our tools and their peers, taken in alternation on one machine, median of five; run by run.sh.

    tests/bench/run.sh build/gcc [header repack legacy quant pipe memory scale]

Works in /dev/shm (about 10 GB at most), else in $TMPDIR: set PHI_BENCH to choose. A line a figure, with its bar.
Other load spoils the times; the ratios bear some of it.
"""
import json
import os
import statistics
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import peers  # noqa: E402
import numpy as np  # noqa: E402

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import phi3  # noqa: E402

RUNS = 5
work = peers.scratch(os.environ.get("PHI_BENCH"))
measured = work / "measured"
measure = peers.TOOLS / "tests-measure"


def run(command, clean=None):
    """Runs a line of shell in the work folder; M before a program measures it. Returns [(wall s, KiB, CPU s)]."""
    if clean:
        (work / clean).unlink(missing_ok=True)
    measured.unlink(missing_ok=True)
    command = command.replace("M ", f"{measure} {measured} ")
    env = {**os.environ, "PATH": f"{peers.TOOLS}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=work, env=env, capture_output=True)
    if done.returncode:
        raise peers.Failure(f"{command}: status {done.returncode}: {done.stderr.decode(errors='replace')[-200:]}")
    return [(float(s), int(k), float(c)) for s, k, c in map(str.split, measured.read_text().splitlines())]


def seconds(command, clean=None):
    """Wall and processor time of a line of shell with one program measured."""
    wall, _, cpu = run(command, clean)[0]
    return wall, cpu


def ratio(what, bar, ours, theirs, flip=False):
    """Alternates two callables that return wall and CPU seconds; the ratio of the medians of the wall times is
    ours/theirs, or with flip how many times faster. CPU time is shown: it suffers less from other load."""
    a, b = zip(*((ours(), theirs()) for _ in range(RUNS)))
    (x, cx), (y, cy) = (tuple(map(statistics.median, zip(*t))) for t in (a, b))
    r = y / x if flip else x / y
    peers.check(r >= bar if flip else r <= bar,
                f"{what}: ours {x:.3f} s ({cx:.3f} CPU), peer {y:.3f} s ({cy:.3f} CPU), {r:.2f}x "
                f"(bar: at {'least' if flip else 'most'} {bar}x)")


# --- inputs -------------------------------------------------------------------------------------

def safetensors_header(tensors, dtype="F16", width=2):
    """Bytes before the data of a safetensors file with (name, shape), and the size of the data."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        n = int(np.prod(shape)) * width
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, at


def gguf_header(tensors):
    """The same of a GGUF file of F16 tensors."""
    def string(s):
        return struct.pack("<Q", len(s)) + s.encode()
    out, at = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1), 0
    out += string("general.architecture") + struct.pack("<I", 8) + string("bench")
    for name, shape in tensors:
        out += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), 1, at)
        at += (int(np.prod(shape)) * 2 + 31) // 32 * 32
    return out + bytes(-len(out) % 32), at


def sparse(path, header, size):
    with open(path, "wb") as f:
        f.write(header)
        f.truncate(len(header) + size)


def filled(path, header, size):
    """Random F16 numbers, all finite."""
    rng = np.random.Generator(np.random.PCG64(1))
    with open(path, "wb") as f:
        f.write(header)
        for at in range(0, size, 1 << 26):
            n = min(1 << 26, size - at)
            f.write((rng.integers(0, 65536, n // 2, np.uint16) & 0xBBFF).tobytes())


def two_gb():
    path = work / "two.safetensors"
    if not path.exists():
        filled(path, *safetensors_header([(f"layers.{i}.weight", (4096, 4096)) for i in range(64)]))
    return path


def phi_folder(name, fill, **keys):
    """A phi3 checkpoint folder of a given size with F16 weights; fill is sparse or filled."""
    folder = work / name
    folder.mkdir()
    tok = phi3.plain_tokenizer(600)
    cfg = phi3.config(tok, torch_dtype="float16", tie_word_embeddings=True, **keys)
    phi3.write_json(folder / "config.json", cfg)
    phi3.write_tokenizer(folder, tok)
    fill(folder / "model.safetensors", *safetensors_header(sorted(phi3.shapes(cfg).items())))
    return folder


# --- figures ------------------------------------------------------------------------------------

def header():
    tensors = [(f"blk.{i}.weight", (16384, 4096)) for i in range(300)]
    for name, head in (("forty.gguf", gguf_header(tensors)), ("forty.safetensors", safetensors_header(tensors))):
        sparse(work / name, *head)
        runs = [run(f"M phi-inspect {name} >/dev/null")[0] for _ in range(RUNS)]
        wall, kib = statistics.median(s for s, _, _ in runs), max(k for _, k, _ in runs)
        peers.check(wall < 0.020 and kib < 20480, f"header of {name}, 40 GB, 300 tensors: {wall * 1e3:.1f} ms, "
                    f"{kib / 1024:.1f} MiB (bars: 20 ms, 20 MB)")
        (work / name).unlink()


def repack():
    two_gb()
    ratio("repack 2 GB safetensors to GGUF against cp", 1.2,
          lambda: seconds("M phi-repack -q --no-sync two.safetensors -f gguf -o out", "out"),
          lambda: seconds("M cp --reflink=never two.safetensors out", "out"))
    (work / "out").unlink(missing_ok=True)


def legacy():
    import torch
    rng = np.random.Generator(np.random.PCG64(1))
    weights = {f"model.layers.{i}.weight": torch.from_numpy(rng.standard_normal((512, 256), np.float32)) for i in range(2000)}
    torch.save(weights, work / "old.bin", _use_new_zipfile_serialization=False)
    runs = [run("M phi-inspect old.bin >/dev/null")[0] for _ in range(RUNS)]
    wall = statistics.median(s for s, _, _ in runs)
    peers.check(wall < 0.2, f"header of old.bin, 1 GB, 2,000 tensors, from before PyTorch 1.6: {wall * 1e3:.1f} ms (bar: 200 ms)")
    ratio("repack 1 GB of PyTorch before 1.6 to safetensors against cp", 1.3,
          lambda: seconds("M phi-repack -q --no-sync old.bin -f safetensors -o out", "out"),
          lambda: seconds("M cp --reflink=never old.bin out", "out"))
    for name in ("old.bin", "out"):
        (work / name).unlink(missing_ok=True)


def quant():
    phi_folder("wide", filled, hidden_size=2048, intermediate_size=5632, num_attention_heads=16,
               num_key_value_heads=8, num_hidden_layers=3, vocab_size=32000)
    run("M phi-quant -q --no-sync -t f16 wide -o wide.gguf")
    peer = (f"import sys; sys.path.insert(0, '{peers.ROOT}/tests/peers'); import ggml, time; ggml.llama(); "
            "t, c = time.monotonic(), time.process_time(); ggml.quantize_file('wide.gguf', 'theirs.gguf', sys.argv[1]); "
            "print(time.monotonic() - t, time.process_time() - c)")

    def theirs(recipe):
        (work / "theirs.gguf").unlink(missing_ok=True)
        said = subprocess.run([sys.executable, "-c", peer, recipe], cwd=work, check=True, capture_output=True).stdout
        return tuple(map(float, said.split()))

    for recipe in ("q8_0", "q4_0"):
        ratio(f"{recipe} of {(work / 'wide.gguf').stat().st_size / 2e6:.0f} M F16 weights, whole file, 2 threads, "
              "against llama_model_quantize", 5,
              lambda: seconds(f"M phi-quant -q -j 2 --no-sync --pure -t {recipe} wide.gguf -o ours.gguf", "ours.gguf"),
              lambda: theirs(recipe), flip=True)
        wrong = peers.first_difference(work / "ours.gguf", work / "theirs.gguf")
        peers.check(not wrong, f"{recipe}: the two files are equal", wrong)


def pipe():
    two_gb()
    ratio("three stages, same types, 2 GB, against cat | cat | cat", 1.2,
          lambda: seconds("M bash -c 'phi-repack -q two.safetensors | phi-repack -q | "
                          "phi-repack -q --no-sync -f safetensors -o out'", "out"),
          lambda: seconds("M bash -c 'cat two.safetensors | cat | cat > out'", "out"))
    (work / "out").unlink(missing_ok=True)


def sparse_pickle(path):
    """8.4 GB as torch.save lays them out, without a byte of weights written."""
    import torch
    weights = {f"model.layers.{i}.weight": torch.empty(4096, 4096, dtype=torch.float16) for i in range(250)}
    with torch.serialization.skip_data():
        torch.save(weights, path)


def memory():
    sparse_pickle(work / "eight.pt")
    folder = phi_folder("eight", sparse, hidden_size=4096, intermediate_size=14336, num_attention_heads=32,
                        num_key_value_heads=8, num_hidden_layers=17, vocab_size=100352)
    size = (folder / "model.safetensors").stat().st_size
    bar = 65536 + 10 * (folder / "tokenizer.json").stat().st_size / 1024
    for command in ("M phi-inspect --sum eight >/dev/null",
                    "M phi-quant -q --no-sync -t q8_0 eight -o out.gguf",
                    "M phi-diff -q eight out.gguf >/dev/null",
                    "M phi-quant -q --no-sync --pure -t q4_0 eight -o out.gguf",
                    "M phi-repack -q eight | M phi-quant -q -t q8_0 | M phi-repack -q --no-sync -o out.gguf",
                    "M phi-repack -q -z eight | M phi-quant -q -t q8_0 -f gguf >/dev/null",
                    "M phi-repack -q eight.pt -f safetensors >/dev/null",
                    "cat eight/model.safetensors | M phi-repack -q --no-sync -f gguf >/dev/null"):
        clean = None if "diff" in command else "out.gguf"
        what = command.replace("M ", "")
        try:
            peak = max(k for _, k, _ in run(command, clean))
            peers.check(peak < bar, f"{size / 1e9:.1f} GB sparse: {what}: {peak / 1024:.1f} MiB a process "
                        f"(bar {bar / 1024:.0f})")
        except peers.Failure as e:
            peers.check(False, what, str(e))
    (work / "out.gguf").unlink(missing_ok=True)


def scale():
    for n in (1000, 10000):
        tensors = [(f"model.layers.{i}.weight", (32, 32)) for i in range(n)]
        filled(work / f"{n}.gguf", *gguf_header(tensors))
        filled(work / f"{n}.safetensors", *safetensors_header(tensors))
    for command in ("phi-inspect N.gguf >/dev/null", "phi-inspect N.safetensors >/dev/null",
                    "phi-repack -q --no-sync N.safetensors -o out.gguf", "phi-repack -q N.gguf | cat >/dev/null",
                    "phi-quant -q --no-sync --pure -t q8_0 N.gguf -o out.gguf",
                    "phi-diff -q N.safetensors N.gguf >/dev/null"):
        small = statistics.median(seconds("M " + command.replace("N", "1000"), "out.gguf")[0] for _ in range(RUNS))
        large = statistics.median(seconds("M " + command.replace("N", "10000"), "out.gguf")[0] for _ in range(RUNS))
        peers.check(large <= 12 * small, f"1,000 to 10,000 tensors: {command}: {small * 1e3:.1f} ms to "
                    f"{large * 1e3:.1f} ms, {large / small:.1f}x (bar: at most 12x)")


figures = {f.__name__: f for f in (header, repack, legacy, quant, pipe, memory, scale)}
for name in sys.argv[1:] or figures:
    try:
        figures[name]()
    except peers.Failure as e:
        peers.check(False, name, str(e))
peers.finish()
