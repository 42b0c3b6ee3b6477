#!/usr/bin/env python3
"""Makes each allocation, or each system call of the store and the outputs, fail in turn:
tests/faults/sweep.py BUILD alloc|io|short [--every] [PATTERN]

For each command, PHI_FAIL_ALLOC=k (PHI_FAIL_IO=k) for k = 1, 2, ... and "k+" (all from the k-th on) until the
command does not meet its k-th any more. Each run must end as it does unharmed, with the same bytes (some
failures may be survived: fewer threads, a page cache hint), or with exit status 2, one line on stderr and nothing
left behind. How many calls a command makes is found by bisecting "k+". All k up to DENSE are tried, beyond them a
sample that thins out; --every leaves none out. "short": PHI_SHORT_IO=1, one byte a call and EINTR in between.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "hostile"))
import build as b  # noqa: E402

DENSE, SAMPLES, TIMEOUT = 300, 60, 60
VARIABLE = {"alloc": "PHI_FAIL_ALLOC", "io": "PHI_FAIL_IO"}
bin_ = Path(sys.argv[1]).resolve()
kind = sys.argv[2]
every = "--every" in sys.argv
pattern = next((a for a in sys.argv[3:] if not a.startswith("--")), "")
passed, failed = 0, 0
lock = threading.Lock()


def report(name, message):
    """A failed check, unless message is None."""
    global passed, failed
    with lock:
        if message is None:
            passed += 1
        else:
            failed += 1
            if failed <= 40:
                print("FAILED %s: %s" % (name, message), flush=True)


class Command:
    """What runs, with which stdin, and the name of its output in the folder it runs in (None: stdout)."""

    def __init__(self, line, stdin=None, out=None, pipe=True):
        self.line, self.stdin, self.out, self.pipe = line, stdin, out, pipe
        self.name = line + (" < " + stdin if stdin else "")

    def run(self, folder, inputs, fault):
        """(status, stdout, stderr, {file: bytes}) of one run; leaves the folder empty."""
        env = {"PATH": str(bin_), "LC_ALL": "C", "TMPDIR": str(folder / "tmp"), "IN": str(inputs),
               "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1:exitcode=99",
               "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99"}
        env.update(fault)
        argv = [a.replace("IN/", str(inputs) + "/") for a in self.line.split()]
        argv[0] = str(bin_ / argv[0])
        data = (inputs / self.stdin).read_bytes() if self.stdin else b""
        try:
            done = subprocess.run(argv, input=data, capture_output=True, cwd=folder, env=env, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return "hangs", b"", b"", {}
        left = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                left[str(path.relative_to(folder))] = path.read_bytes()
            elif path != folder / "tmp":
                left[str(path.relative_to(folder))] = None
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / "tmp").mkdir()
        return done.returncode, done.stdout, done.stderr, left


def judge(run, good):
    """None, or what is wrong with a run."""
    status, out, err, left = run
    if status == good[0]:
        if left != good[3]:
            return "exit %s with other output: %s" % (status, sorted(left))
        if out != good[1]:
            return "exit %s with other bytes on stdout" % status
        return None
    if status != 2:
        return "exit %s: %s" % (status, err.decode(errors="replace")[:2000])
    if left:
        return "left behind: %s" % sorted(left)
    lines = err.decode(errors="replace").splitlines()
    if len(lines) != 1 or not lines[0].startswith("phi-") or ": " not in lines[0]:
        return "stderr is not one line: %s" % lines
    return None


def reaches(command, folder, inputs, good, k):
    """Does the command meet its k-th call?"""
    return command.run(folder, inputs, {VARIABLE[kind]: "%d+" % k})[0] != good[0]


def count_calls(command, folder, inputs, good):
    high = 1
    while reaches(command, folder, inputs, good, high):
        high *= 2
    low = high // 2
    while low + 1 < high:
        middle = (low + high) // 2
        if reaches(command, folder, inputs, good, middle):
            low = middle
        else:
            high = middle
    return high


def places(calls):
    """Every k, or the first ones, a sample, and the last ones."""
    if every or calls <= DENSE + SAMPLES:
        return range(1, calls + 1)
    step = max(1, (calls - DENSE) // SAMPLES)
    return sorted({*range(1, DENSE + 1), *range(DENSE, calls, step), *range(calls - 20, calls + 1)})


def sweep(command, inputs, scratch):
    folder = Path(tempfile.mkdtemp(dir=scratch))
    (folder / "tmp").mkdir()
    good = command.run(folder, inputs, {})
    if good[0] not in (0, 1) or good[2]:
        return report(command.name, "unharmed: exit %s: %s" % (good[0], good[2].decode()))
    if kind == "short":
        return report(command.name, judge(command.run(folder, inputs, {"PHI_SHORT_IO": "1"}), good))
    calls = count_calls(command, folder, inputs, good)
    for i, k in enumerate(places(calls)):
        for fault in (str(k), "%d+" % k) if i % 4 == 0 else (str(k),):
            wrong = judge(command.run(folder, inputs, {VARIABLE[kind]: fault}), good)
            report(command.name, wrong and "%s=%s: %s" % (VARIABLE[kind], fault, wrong))
    print("%6d calls  %s" % (calls, command.name), flush=True)


def graphs(folder):
    """ONNX models, and folders that a decoder of ONNX Runtime GenAI can be made of."""
    o = b.onnx
    inner = o.graph([o.node("Identity", ["v"], ["z"])], [o.tensor("v", o.FLOAT, [64], b.floats(64))], [], [o.value("z", o.FLOAT, [64])])
    function = o.text(1, "f") + o.text(4, "a") + o.text(5, "b") + b.field(7, o.node("Relu", ["a"], ["b"])) + o.text(10, "d")
    nodes = [o.node("If", ["c"], ["y"], [o.attribute("then_branch", 6, inner, 5)], "branch"), o.node("Neg", ["y"], ["x2"]),
             o.node("MatMulNBits", ["x", "w_Q4", "w_scales"], ["n"], [o.ints("K", 32), o.ints("N", 2), o.ints("bits", 4),
                                                                     o.ints("block_size", 16)], "", "com.microsoft")]
    wide = o.tensor("w", o.FLOAT, [512], more=o.external("w.bin", 0, 2048))
    files = {"g.onnx": o.small(o.tensor("i", o.INT64, [3], more=o.packed(7, [1, -2, 300])), o.tensor("w_Q4", o.UINT8, [2, 2, 8], bytes(32)),
                               o.tensor("w_scales", o.FLOAT, [4], b.floats(4)), nodes=nodes, more=b.field(25, function) + b.field(99, b"k")),
             "m.onnx": o.model(o.graph([o.node("MatMul", ["x", "w"], ["y"], name="product"), o.node("Gather", ["rows", "i"], ["z"])],
                                       [o.tensor("w", o.FLOAT, [32, 4], b.floats(128)), o.tensor("rows", o.FLOAT, [8, 32], b.floats(256))],
                                       [o.value("x", o.FLOAT, [1, 32]), o.value("i", o.INT64, [1])], [o.value("y", o.FLOAT, [1, 4]), o.value("z", o.FLOAT, [1, 32])])),
             "ranges.json": b'{"x": [-1, 1], "y": [-8, 8], "z": [0, 2]}',
             "e.onnx": o.small(wide, o.tensor("v", o.FLOAT, [512], more=o.external("w.bin", 0))), "w.bin": b.floats(512),
             "q.onnx": o.model(o.graph([o.node("Gemm", ["x", "k", "b"], ["g"], [o.ints("transB", 1)], "fc"), o.node("Relu", ["g"], ["y"]),
                                        o.node("Gather", ["t", "i"], ["z"]), o.node("Add", ["g2", "t"], ["s"])],
                                       [o.tensor("k", o.FLOAT, [2, 8], b.floats(16)), o.tensor("b", o.FLOAT, [2], b.floats(2)),
                                        o.tensor("t", o.FLOAT, [4, 2], b.floats(8)), o.tensor("i", o.INT64, [1], bytes(8))],
                                       [o.value("x", o.FLOAT, [1, 8])], [o.value("y", o.FLOAT, [1, 2]), o.value("z", o.FLOAT, [1, 2])])),
             "r.json": b'{"x": [-1, 2], "g": [-3, 3], "y": [0, 3], "s": [-1, 3]}'}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    rope = {"type": "longrope", "long_factor": [1.5] * 8, "short_factor": [1] * 8}
    shape = dict(num_attention_heads=2, num_key_value_heads=1, rope_scaling=rope, max_position_embeddings=40, original_max_position_embeddings=20)
    members = {"dense": {**b.folder(), "config.json": b.config(**shape)},
               "moe": b.moe(num_experts_per_tok=2, lm_head_bias=False, attention_bias=False, **shape)}
    for name, files in members.items():
        (folder / name).mkdir()
        for member, data in files.items():
            (folder / name / member).write_bytes(data)


def make_inputs(folder):
    graphs(folder)
    for name, data in {"a.safetensors": b.safetensors(b.plain()), "a.gguf": b.gguf(), "a.pt": b.torch(),
                       "z.pt": b.torch(method=b.zipfile.ZIP_DEFLATED), "a.npy": b.npy("<f4", (2, 3), b.floats(6), fortran=True),
                       "a.npz": b.npz(), "z.npz": b.npz(b.zipfile.ZIP_DEFLATED),
                       "w.imatrix": b.imatrix({"blk.0.ffn_down.weight": (2, [1.0, 3.0] * 16),
                                               "model.layers.0.mlp.gate_up_proj.weight": (0, [2.0] * 32)}, 4, b"x.txt"),
                       "recipe.json": b'{"recipe": "q4_0", "rules": [{"name": "*attn*", "dtype": "Q5_1"}], '
                                      b'"items": [{"name": "header"}, {"name": "token_embd.weight", "dtype": "F16"}]}',
                       "f.tar": b.tar(sorted(b.folder().items()))}.items():
        (folder / name).write_bytes(data)
    pieces = {k: v for k, v in b.folder().items() if k != "tokenizer.json"}
    pieces.update({"tokenizer.model": b.sentencepiece(), "added_tokens.json": b'{"<|end|>": 3}'})
    for name, members in {"phi3": b.folder(), "sharded": b.sharded(), "pieces": pieces}.items():
        (folder / name).mkdir()
        for member, data in members.items():
            (folder / name / member).write_bytes(data)
    env = {"PATH": str(bin_)}
    for name, line in {"phi3.gguf": "phi-quant -q -t q8_0 phi3 -o phi3.gguf",
                       "mlx": "phi-quant -q -t mlx:4 --group 32 phi3 -o mlx/",
                       "genai": "phi-quant -q -t int4 -f onnx dense -o genai/", "genai16": "phi-quant -q -t f16 -f onnx moe -o genai16/",
                       "s.tar": "phi-repack -q -f stream phi3 -o s.tar",
                       "s.tar.zst": "phi-repack -q -z -f stream phi3 -o s.tar.zst"}.items():
        argv = line.split()
        subprocess.run([bin_ / argv[0], *argv[1:]], cwd=folder, env=env, check=False, capture_output=True)
    if (folder / "mlx").is_dir():
        (folder / "mlx.tar").write_bytes(b.tar((p.name, p.read_bytes()) for p in sorted((folder / "mlx").iterdir())))


def commands(inputs):
    every_input = ["phi3", "sharded", "a.safetensors", "a.gguf", "phi3.gguf", "f.tar", "s.tar", "s.tar.zst", "a.pt",
                   "z.pt", "a.npy", "a.npz", "z.npz", "mlx", "mlx.tar"]
    readable = [i for i in every_input if (inputs / i).exists() and
                subprocess.run([bin_ / "phi-inspect", inputs / i], capture_output=True).returncode == 0]
    formats = subprocess.run([bin_ / "phi-repack", "--help"], capture_output=True, text=True).stdout
    stream = "s.tar" in readable and "stream" in formats
    for i in readable:
        yield Command("phi-inspect -q --json --sum IN/" + i)
        if not (inputs / i).is_dir() and i != "phi3.gguf":
            yield Command("phi-repack -q -f safetensors --only " + ("*" if i == "a.npy" else "*[aw]*"), i)
    yield Command("phi-inspect IN/phi3 -o report.txt")
    yield Command("phi-inspect -q --full", "phi3.gguf")
    yield Command("phi-inspect -q -j2 --stats --jsonl IN/phi3")
    yield Command("phi-inspect -q -j1 --stats --sum --csv", "phi3.gguf")
    for i in ("a.npz", "a.npy", "z.pt", "sharded", "s.tar"):
        if i in readable:
            yield Command("phi-inspect -q --check IN/" + i)
            yield Command("phi-inspect -q --layout IN/" + i)
    for i, o in (("phi3", "o.gguf"), ("phi3", "o.safetensors"), ("phi3", "o/"), ("sharded", "o/"), ("a.gguf", "o.gguf"),
                 ("a.safetensors", "o.safetensors"), ("a.safetensors", "o.gguf"), ("a.pt", "o.safetensors"), ("a.pt", "o.pt"), ("phi3", "o.pt"),
                 ("f.tar", "o.gguf"), ("s.tar", "o.gguf"), ("s.tar.zst", "o/"), ("z.npz", "o.npz"),
                 ("a.npy", "o.npy")):
        if i in readable:
            yield Command("phi-repack -q -j1 IN/%s -o %s" % (i, o))
    yield Command("phi-repack -q -j1 IN/pieces -o o.gguf")
    yield Command("phi-repack -q -j1 -f hf-bin --shard-size 20K IN/phi3 -o o/")
    yield Command("phi-repack -q -j1 -f pytorch IN/phi3")
    yield Command("phi-quant -q -j1 -t q8_0 IN/phi3 -o o.gguf")
    yield Command("phi-quant -q -j1 -t mlx:4 --group 32 --rule *down*=MLX6_G32_F16 IN/phi3 -o o/")
    if "mlx" in readable:
        yield Command("phi-repack -q -j1 IN/mlx -f mlx -o o")
        yield Command("phi-repack -q -j1 IN/mlx.tar -o o/")
    yield Command("phi-quant -q -j3 -t q8_0 --rule *down*=F16 --keep *norm* IN/phi3 -o o.gguf")
    yield Command("phi-quant -q -j1 --pure -t q4_0 -o o.gguf", "phi3.gguf")
    yield Command("phi-quant -q -n --json -t f16 IN/phi3 -o o.gguf")
    yield Command("phi-quant -q -j1 --imatrix IN/w.imatrix --recipe IN/recipe.json --rule /qkv/=Q8_0 IN/phi3 -o o.gguf")
    yield Command("phi-quant -q -n --explain -t q4_k_m --imatrix IN/w.imatrix IN/phi3.gguf -o o.gguf")
    yield Command("phi-inspect -q --check IN/w.imatrix")
    yield Command("phi-quant -q -j1 -t bf16 -f gguf IN/phi3")
    if stream:
        yield Command("phi-repack -q -j1 IN/phi3")
        yield Command("phi-repack -q -j1 -z IN/phi3")
        yield Command("phi-quant -q -j1 -t q8_0", "s.tar")
        yield Command("phi-repack -q -j1 -o o.gguf", "s.tar")
    for line in ("--json --sum IN/g.onnx", "--json --sum IN/e.onnx", "--check IN/g.onnx", "--scan IN/g.onnx", "--layout IN/e.onnx",
                 "--graph IN/g.onnx"):
        yield Command("phi-inspect -q " + line)
    yield Command("phi-repack -q -f onnx", "g.onnx")
    for line in ("IN/g.onnx -o o.onnx", "IN/e.onnx -o o.onnx", "--external-data IN/e.onnx -o o.onnx", "-f stream IN/g.onnx",
                 "-f safetensors IN/g.onnx", "-f onnx IN/dense -o o/"):
        yield Command("phi-repack -q -j1 " + line)
    yield Command("phi-repack -q -j1 --template IN/m.onnx IN/m.onnx -o o.onnx")
    yield Command("phi-repack -q -j1 --lossless IN/phi3.gguf -f onnx -o o/")
    for line in ("-t int4 -f onnx IN/dense -o o/", "-t f16 -f onnx IN/moe -o o/", "-t int4 --qdq --asym --for cuda -f onnx IN/dense -o o/"):
        yield Command("phi-quant -q -j1 " + line)
    for line in ("-t int4 --asym", "-t int8 --qdq --group 16", "-t int4 --algo k_quant", "-t int8_dynamic", "-t w8a8 --ranges IN/ranges.json",
                 "-t f16", "-t int4 --search"):
        yield Command("phi-quant -q -j1 " + line + " IN/m.onnx -o o.onnx")
    for name in ("genai", "genai16"):
        if (inputs / name).is_dir():
            for line in ("phi-inspect -q --json --sum IN/%s", "phi-repack -q -j1 -f hf IN/%s -o o/", "phi-repack -q -j1 IN/%s -o o.gguf",
                         "phi-diff -q IN/%s IN/dense"):
                yield Command(line % name)
    for line in ("-t int8_dynamic --per-channel", "-t w8a8 --ranges IN/r.json", "-t w8a16 --for qnn --ranges IN/r.json"):
        yield Command(f"phi-quant -q -j1 {line} IN/q.onnx -o o.onnx")
    yield Command("phi-diff -q -j1 IN/g.onnx IN/e.onnx")
    yield Command("phi-diff -q -j1 IN/phi3 IN/phi3.gguf")
    yield Command("phi-diff -q -j1 --stats --blocks 3 --heatmap --tensors IN/phi3 IN/phi3.gguf")
    yield Command("phi-diff -q -j3 --json IN/phi3/model.safetensors IN/phi3.gguf")


def main():
    scratch = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None, prefix="phi-faults-"))
    try:
        inputs = scratch / "in"
        inputs.mkdir()
        make_inputs(inputs)
        chosen = [c for c in commands(inputs) if pattern in c.name]
        # libarchive ends the process when an allocation of its own fails, but those are not ours to fail.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda c: sweep(c, inputs, scratch), chosen))
    finally:
        shutil.rmtree(scratch)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


sys.exit(main())
