#!/usr/bin/env python3
"""Ratios of our tools and their peers, taken in alternation on one machine, median of five; run by run.sh.

    tests/bench/run.sh build/gcc [FIGURE[=ROW,ROW...]...]          make bench BENCH='kernels quant=q4_k_m,iq4_xs threads'

Figures: header repack legacy kernels mlx quant imatrix threads whole onnx pipe memory experts scale. Rows: recipes of quant and
imatrix, types of kernels. All of quantization (kernels quant imatrix threads experts) takes about 15 minutes: recipes
that the peer is slow at are run fewer times, once at least, and those marked below only by name.

Works in /dev/shm (about 10 GB at most), else in $TMPDIR: set PHI_BENCH to choose. A line a figure, with its bar.
Other load spoils the times; the ratios bear some of it.
"""
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import peers  # noqa: E402
import numpy as np  # noqa: E402

sys.path.insert(0, str(peers.ROOT / "fixtures"))
import phi3  # noqa: E402

BUDGET = 16  # seconds of a recipe's row, but for what one run takes
RUNS = int(os.environ.get("PHI_BENCH_RUNS", "5"))
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


def alternated(ours, theirs, budget):
    """The results of both, RUNS times or fewer if that would take more than so many seconds."""
    pairs, began = [], time.monotonic()
    while len(pairs) < RUNS:
        pairs.append((ours(), theirs()))
        if (time.monotonic() - began) * (len(pairs) + 1) / len(pairs) > budget:
            break
    return zip(*pairs)


def ratio(what, bar, ours, theirs, flip=False, budget=float("inf")):
    """Alternates two callables that return wall and CPU seconds; the ratio of the medians of the wall times is
    ours/theirs, or with flip how many times faster. CPU time is shown: it suffers less from other load."""
    a, b = alternated(ours, theirs, budget)
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


def gguf_header(tensors, dtype=1, width=2):
    """The same of a GGUF file of tensors of one ggml type, F16 as a rule."""
    def string(s):
        return struct.pack("<Q", len(s)) + s.encode()
    out, at = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1), 0
    out += string("general.architecture") + struct.pack("<I", 8) + string("bench")
    for name, shape in tensors:
        out += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), dtype, at)
        at += (int(np.prod(shape)) * width + 31) // 32 * 32
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


def phi_folder(name, fill, dtype="float16", **keys):
    """A phi3 checkpoint folder of a given size with weights of 16 bits; fill is sparse or filled."""
    folder = work / name
    folder.mkdir(exist_ok=True)
    tok = phi3.plain_tokenizer(600)
    cfg = phi3.config(tok, torch_dtype=dtype, tie_word_embeddings=True, **keys)
    phi3.write_json(folder / "config.json", cfg)
    phi3.write_tokenizer(folder, tok)
    fill(folder / "model.safetensors", *safetensors_header(sorted(phi3.shapes(cfg).items()), {"float16": "F16", "bfloat16": "BF16"}[dtype]))
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


# recipe: how many times faster than llama_model_quantize at least; and whether for all tensors alike
RECIPES = [("q8_0", 8, True), ("q4_0", 6, True), ("q4_1", 6, True), ("q5_0", 6, True), ("q5_1", 6, True),
           ("q4_k_s", 8, True), ("q4_k_m", 8, False), ("q5_k_s", 8, True), ("q5_k_m", 8, False), ("q6_k", 8, True),
           ("q2_k", 5, True), ("q3_k_m", 5, True), ("iq4_nl", 15, True), ("iq4_xs", 15, True), ("iq3_s", 4, True)]
# With importance; none pure. The peer makes its tables at the start: that is part of the job.
WEIGHTED = [("q4_0", 5), ("q4_1", 5), ("q5_0", 5), ("q5_1", 5), ("q2_k", 5), ("q3_k_m", 5), ("q4_k_m", 5), ("q5_k_m", 5),
            ("q6_k", 5), ("iq4_nl", 5), ("iq4_xs", 5), ("iq3_s", 5), ("iq2_xxs", 5), ("iq1_s", 5)]
BY_NAME = [("iq3_xxs", 5), ("iq2_xs", 5), ("iq2_s", 5), ("iq2_m", 5), ("iq1_m", 5)]  # minutes each

# Prints wall and processor time of llama_model_quantize: recipe, pure, importance (an .npz) and its keys as JSON.
PEER = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import ggml, numpy
ggml.llama()
imatrix = dict(numpy.load(sys.argv[4])) if len(sys.argv) > 4 else None
keys = [tuple(k) for k in json.loads(sys.argv[5])] if imatrix else ()
t, c = time.monotonic(), time.process_time()
ggml.quantize_file("wide.gguf", "theirs.gguf", sys.argv[2], pure=sys.argv[3] == "1", imatrix=imatrix, keys=keys)
print(time.monotonic() - t, time.process_time() - c)
"""


def gaussian(path, header, size):
    """Weights as a model has them, F16."""
    rng = np.random.Generator(np.random.PCG64(1))
    with open(path, "wb") as f:
        f.write(header)
        for at in range(0, size, 1 << 26):
            n = min(1 << 26, size - at) // 2
            f.write((rng.standard_normal(n, np.float32) * 0.02).astype(np.float16).tobytes())


def wide():
    if not (work / "wide.gguf").exists():
        phi_folder("wide", gaussian, hidden_size=2048, intermediate_size=5632, num_attention_heads=16,
                   num_key_value_heads=8, num_hidden_layers=3, vocab_size=32000)
        run("M phi-quant -q --no-sync -t f16 wide -o wide.gguf")
    return (work / "wide.gguf").stat().st_size / 2e6


def quantized(recipe, bar, pure, weights=()):
    """One recipe's figure, and whether the files are equal. weights: what the peer is told of importance."""
    def theirs():
        (work / "theirs.gguf").unlink(missing_ok=True)
        said = subprocess.run([sys.executable, "-c", PEER, str(peers.ROOT / "tests/peers"), recipe, str(int(pure)),
                               *weights], cwd=work, check=True, capture_output=True).stdout
        return tuple(map(float, said.split()))

    options = ("--pure " if pure else "") + ("--imatrix wide.imatrix " if weights else "")
    with_importance = " with importance" if weights else ""
    ratio(f"{recipe}{with_importance}, {wide():.0f} M F16 weights, whole file, 2 threads, against llama_model_quantize", bar,
          lambda: seconds(f"M phi-quant -q -j 2 --no-sync {options}-t {recipe} wide.gguf -o ours.gguf", "ours.gguf"),
          theirs, flip=True, budget=BUDGET)
    wrong = peers.first_difference(work / "ours.gguf", work / "theirs.gguf")
    peers.check(not wrong, f"{recipe}{with_importance}: the two files are equal", wrong)


def quant(rows):
    for recipe, bar, pure in RECIPES:
        if not rows or recipe in rows:
            quantized(recipe, bar, pure)


def rounded(path, header, size):
    """The same numbers as gaussian, BF16: the upper halves of floats."""
    rng = np.random.Generator(np.random.PCG64(1))
    with open(path, "wb") as f:
        f.write(header)
        for at in range(0, size, 1 << 26):
            n = min(1 << 26, size - at) // 2
            f.write((rng.standard_normal(n, np.float32) * 0.02).view(np.uint32).__rshift__(16).astype(np.uint16).tobytes())


def whole():
    """The main job: a BF16 folder to Q4_K_M, against the converter and then llama_model_quantize, two threads each."""
    folder = phi_folder("whole", rounded, "bfloat16", hidden_size=2048, intermediate_size=5632, num_attention_heads=16,
                        num_key_value_heads=8, num_hidden_layers=3, vocab_size=32000)
    weights = (folder / "model.safetensors").stat().st_size / 2e6
    bar = 65536 + 10 * (folder / "tokenizer.json").stat().st_size / 1024
    (work / "peer.py").write_text(PEER)
    peaks = []

    def timed(command, clean):
        wall, kib, cpu = run("M " + command, clean)[0]
        peaks.append(kib)
        return np.array((wall, cpu))

    def ours():
        return timed("phi-quant -q -j 2 --no-sync -t q4_k_m whole -o ours.gguf", "ours.gguf")

    def theirs():  # PEER quantizes wide.gguf to theirs.gguf
        both = timed(f"{peers.PYTHON} {peers.ROOT}/tests/peers/convert.py whole --outtype auto --outfile wide.gguf", "wide.gguf") \
            + timed(f"{peers.PYTHON} peer.py {peers.ROOT}/tests/peers q4_k_m 0", "theirs.gguf")
        return tuple(both)

    ratio(f"BF16 folder to q4_k_m, {weights:.0f} M weights, 2 threads, against convert_hf_to_gguf and llama_model_quantize", 8,
          lambda: tuple(ours()), theirs, flip=True)
    wrong = peers.first_difference(work / "ours.gguf", work / "theirs.gguf")
    peers.check(not wrong, "BF16 folder to q4_k_m: the two files are equal", wrong)
    mine, others = max(peaks[::3]), max(peaks[1::3] + peaks[2::3])
    peers.check(mine < bar, f"BF16 folder to q4_k_m: {mine / 1024:.1f} MiB (bar {bar / 1024:.0f}), peer {others / 1024:.0f} MiB")
    for name in ("wide.gguf", "theirs.gguf", "ours.gguf"):
        (work / name).unlink()


# Prints wall and processor time of the builder of onnxruntime-genai, what it imports aside.
BUILDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
import onnx_builder
t, c = time.monotonic(), time.process_time()
onnx_builder.build("phi3", "theirs-onnx", "int4", "cpu")
print(time.monotonic() - t, time.process_time() - c)
"""


def onnx():
    """A BF16 folder to the folder of ONNX Runtime GenAI, int4, against that runtime's builder, two threads each."""
    folder = phi_folder("phi3", rounded, "bfloat16", hidden_size=2048, intermediate_size=5632, num_attention_heads=16,
                        num_key_value_heads=8, num_hidden_layers=3, vocab_size=32000, max_position_embeddings=4096,
                        original_max_position_embeddings=4096)
    weights = (folder / "model.safetensors").stat().st_size / 2e6
    (work / "builder.py").write_text(BUILDER)
    peaks = {"ours": [], "theirs": []}

    def ours():
        wall, kib, cpu = run("rm -rf ours-onnx; M phi-quant -q -j 2 --no-sync -t int4 --accuracy-level 4 -f onnx phi3 -o ours-onnx/")[0]
        peaks["ours"].append(kib)
        return wall, cpu

    def theirs():
        _, kib, _ = run(f"rm -rf theirs-onnx*; OMP_NUM_THREADS=2 M {peers.PYTHON} builder.py {peers.ROOT}/tests/peers >took")[0]
        peaks["theirs"].append(kib)
        return tuple(map(float, (work / "took").read_text().split()))

    ratio(f"BF16 folder to int4 for ONNX Runtime GenAI, {weights:.0f} M weights, 2 threads, against its builder without "
          "its imports", 10, ours, theirs, flip=True)
    mine, others = (max(peaks[k]) / 1024 for k in ("ours", "theirs"))
    peers.check(mine < 100, f"BF16 folder to int4 for ONNX Runtime GenAI: {mine:.1f} MiB (bar 100), peer {others:.0f} MiB")
    import onnx_builder
    a, b = (onnx_builder.Graph(work / f"{who}-onnx") for who in ("theirs", "ours"))
    same = [n for n, node in a.nodes.items() if node.op_type == "MatMulNBits" and all(
        np.array_equal(x, y) for x, y in zip(a.inputs(n)[1:], b.inputs(n)[1:]))]
    peers.check(len(same) == 3 * 5 + 1, f"int4 for ONNX Runtime GenAI: codes and scales of {len(same)} matrices are equal")
    for name in ("ours-onnx", "theirs-onnx", "phi3"):
        shutil.rmtree(work / name)


def imatrix(rows):
    import gguf
    import quantizable
    wide()
    rng = np.random.Generator(np.random.PCG64(5))
    of = {t.name: rng.exponential(1, [1, int(t.shape[0])]).astype(np.float32)
          for t in gguf.GGUFReader(work / "wide.gguf").tensors if len(t.shape) == 2}
    quantizable.write_legacy(work / "wide.imatrix", of)
    np.savez(work / "wide.npz", **{name: quantizable.quotient(v, 3) for name, v in of.items()})
    keys = [("quantize.imatrix.file", "wide.imatrix"), ("quantize.imatrix.dataset", "calibration.txt"),
            ("quantize.imatrix.entries_count", len(of)), ("quantize.imatrix.chunks_count", 9)]
    for recipe, bar in WEIGHTED + BY_NAME:
        if recipe in rows or not rows and (recipe, bar) in WEIGHTED:
            quantized(recipe, bar, False, (str(work / "wide.npz"), json.dumps(keys)))


def threads():
    """Best of alternated runs: two threads need both processors, which others may use meanwhile."""
    weights, best = wide(), {}
    for _ in range(2 * RUNS):
        for jobs in (1, 2):
            wall, _ = seconds(f"M phi-quant -q -j {jobs} --no-sync -t q4_k_m wide.gguf -o ours.gguf", "ours.gguf")
            best[jobs] = min(wall, best.get(jobs, wall))
    peers.check(best[1] / best[2] >= 1.85, f"q4_k_m, {weights:.0f} M F16 weights, whole file, best of {2 * RUNS}: "
                f"one thread {best[1]:.3f} s, two {best[2]:.3f} s, {best[1] / best[2]:.2f}x (bar: at least 1.85x)")


def kernels(rows):
    """Each number type against ggml's code for it, one thread; the table says the rest."""
    lib = peers.PEERS / "llama" / "libggml-base.so"
    done = subprocess.run([peers.TOOLS / "tests-kernels", lib, *rows], capture_output=True, text=True)
    print(done.stdout, end="")
    peers.check(done.returncode == 0, "kernels: ggml's bytes", done.stderr)


def mlx():
    """MLX's quantize on a CPU against the kernel of that type, one thread each, a bfloat16, float16 or float32 matrix of
    4 million weights in memory."""
    import time
    import mlx.core as mx
    import mlx_blocks
    from test_quant import Library
    lib = Library(str(peers.TOOLS / "libphitools.so"))
    n = 1 << 22
    x = np.random.Generator(np.random.PCG64(1)).standard_normal(n, np.float32)

    def timed(f):
        def seconds():
            wall, cpu = time.perf_counter(), time.process_time()
            f()
            return time.perf_counter() - wall, time.process_time() - cpu
        return seconds
    for name, source, bar in (("MLX4_G64_BF16", "BF16", 3), ("MLX4_G64_F16", "F16", 3), ("MLX4_G64_F32", "F32", 3),
                              ("MLX3_G64_BF16", "BF16", 3), ("MLX8_G64_BF16", "BF16", 3), ("MLX_MXFP4", "BF16", 3),
                              ("MLX_MXFP8", "BF16", 1), ("MLX_NVFP4", "BF16", 3)):
        array = mlx_blocks.array(x, source).reshape(-1, 4096)
        mx.eval(array)
        data = x if source == "F32" else np.array(array.view(mx.uint16))
        how = mlx_blocks.form(name)[0]
        ratio(f"{n >> 20} Mi weights of {source} to {name} against mlx.core.quantize, kernels alone", bar,
              timed(lambda: lib.convert(source, name, data, n)), timed(lambda: mx.eval(mx.quantize(array, **how))), True)


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


def experts():
    """The peak where importance is large: 755 MB of it, for 180 stacks of 256 experts."""
    names = [f"blk.{i}.ffn_{what}_exps.weight" for i in range(60) for what in ("up", "gate", "down")]
    sparse(work / "experts.gguf", *gguf_header([(name, (256, 8, 4096)) for name in names]))
    sparse(work / "experts.imatrix", *gguf_header(
        [(name + end, shape) for name in names for end, shape in ((".in_sum2", (256, 4096)), (".counts", (256, 1)))], 0, 4))
    size = (work / "experts.imatrix").stat().st_size
    for command in ("M phi-quant -q --no-sync --pure -t q4_0 --imatrix experts.imatrix experts.gguf -o out.gguf",
                    "cat experts.imatrix | M phi-quant -q -n --target-bpw 4.5 --imatrix /dev/stdin experts.gguf",
                    "M phi-diff -q --imatrix experts.imatrix experts.gguf out.gguf >/dev/null; true",
                    "M phi-inspect --check experts.imatrix >/dev/null"):
        clean = "out.gguf" if "-o" in command else None
        peak = max(k for _, k, _ in run(command, clean))
        peers.check(peak < 65536, f"importance of {size / 1e6:.0f} MB: {command.replace('M ', '')}: {peak / 1024:.1f} MiB "
                    "(bar 64)")
    for name in ("experts.gguf", "experts.imatrix", "out.gguf"):
        (work / name).unlink(missing_ok=True)


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


figures = {f.__name__: f for f in (header, repack, legacy, kernels, mlx, quant, imatrix, threads, whole, onnx, pipe, memory, experts, scale)}
for wanted in sys.argv[1:] or figures:
    name, _, rows = wanted.partition("=")
    try:
        if figures[name].__code__.co_argcount:
            figures[name](rows.split(",") if rows else [])
        else:
            figures[name]()
    except peers.Failure as e:
        peers.check(False, name, str(e))
peers.finish()
