#!/usr/bin/env python3
"""Hostile files and the tools: tests/hostile/run.py BUILD [PATTERN]

Each case of cases.py is given to phi-inspect --json --sum, phi-repack (to GGUF, or as the case says, and through a
pipe where it is one file) and phi-diff, within limits of time, memory and file size. Wanted: exit 2, one line on stderr
that names the input and what the case expects, nothing on stdout from phi-repack, nothing left behind. -v lists the
messages.
"""
import concurrent.futures
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import build as b
import cases

SECONDS, MEMORY = 20, 2 << 30
arguments = [a for a in sys.argv[1:] if not a.startswith("-")]
bin_ = Path(arguments[0]).resolve()
pattern = arguments[1] if len(arguments) > 1 else ""
verbose = "-v" in sys.argv
sanitized = "san" in bin_.name or "+" in bin_.name or "address" in bin_.name or "thread" in bin_.name


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    if not sanitized:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def run(line, cwd, stdin=None):
    env = {"PATH": str(bin_), "LC_ALL": "C", "TMPDIR": str(cwd / "tmp"),
           "ASAN_OPTIONS": "exitcode=99:allocator_may_return_null=1", "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99"}
    try:
        done = subprocess.run([str(bin_ / line[0]), *line[1:]], cwd=cwd, env=env, capture_output=True, preexec_fn=limits,
                              stdin=stdin or subprocess.DEVNULL, timeout=2 * SECONDS)
    except subprocess.TimeoutExpired:
        return None, b"", "hangs"
    return done.returncode, done.stdout, done.stderr.decode(errors="backslashreplace")


def judge(name, regex, line, result, may_pass, must_pass):
    status, out, err = result
    if must_pass or (may_pass and status in (0, 1)):
        return None if status in (0, 1) else "exit %s: %s" % (status, err)
    if status != 2:
        return "exit %s: %s" % (status, err[:1500])
    lines = err.splitlines()
    if len(lines) != 1 or not lines[0].startswith(line[0] + ": "):
        return "stderr is not one line: %s" % err[:500]
    if re.search(r"[^\x20-\x7e]", lines[0]) or len(lines[0]) > 600:
        return "not fit to print: %r" % lines[0][:800]
    if name not in lines[0]:
        return "does not name %s: %s" % (name, lines[0])
    if regex and not re.search(regex, lines[0][lines[0].index(name) + len(name):]):
        return "does not say %s: %s" % (regex, lines[0])
    if line[0] == "phi-repack" and out:
        return "%d bytes on stdout" % len(out)
    return None


def left_behind(cwd):
    return [p.name for p in list(cwd.iterdir()) + list((cwd / "tmp").iterdir()) if p.name not in ("tmp", "good.gguf")]


def run_case(scratch, number, one):
    klass, path, files, regex, options = one
    where = scratch / str(number)
    cwd = where / "a" / "b"
    (cwd / "tmp").mkdir(parents=True)
    inputs = where / "a" / "in"
    inputs.mkdir()
    cases.put(str(inputs), files)
    operand = "../in/" + path
    target = options.get("to", "gguf")
    inspect = ["phi-inspect", "-q", "--json", "--sum", operand]
    repack = ["phi-repack", "-q", operand, "-o", "out." + target]
    lines = [(inspect, None)]
    if "warns" in options:
        lines.append((["phi-inspect", operand], None))
    if not options.get("only_inspect"):
        lines += [(repack, None), (["phi-diff", "-q", operand, "good.gguf"], None)]
        if (inputs / path).is_file() and not os.path.islink(inputs / path):
            lines.append((["phi-repack", "-q", "-o", "out." + target], inputs / path))
            lines.append((["cat"], inputs / path))
    if "via" in options:  # an option's argument, not a model
        quant = ["phi-quant", "-q", "-t", "q4_0", options["via"], operand, "good.gguf", "-o", "out.gguf"]
        lines = [line for line in lines if line[0] == inspect and not options.get("only_via")] + [(quant, None)]
    if "/" in path:
        operand = path
        lines = [([a.replace("../in/", "") for a in line], stdin) for line, stdin in lines]
    (cwd / "good.gguf").write_bytes(b.gguf())
    results = []
    for line, stdin in lines:
        name = "stdin" if stdin else operand
        may = options.get("may_pass") or (options.get("inspect_may_pass") and line[0] != "phi-repack")
        if line == ["cat"]:
            # A true pipe: stdin that is a file is read as one.
            line = ["phi-repack", "-q", "-f", "safetensors"]
            cat = subprocess.Popen(["/bin/cat", str(stdin)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            result = run(line, cwd, cat.stdout)
            cat.stdout.close()
            cat.kill()
            cat.wait()
            # What is not said of the data itself may be said of the other target.
            said = ""
            result = (result[0], b"", result[2])
            may = may or options.get("inspect_may_pass")
        else:
            said = regex
            handle = open(stdin, "rb") if stdin else None
            result = run(line, cwd, handle)
            if handle:
                handle.close()
        wrong = judge(name, said, line, result, may, options.get("must_pass"))
        if line[0] == "phi-inspect" and "-q" not in line:
            wrong = None if result[0] == 0 and options["warns"] in result[2] else "does not warn: %s" % result[2]
        for p in left_behind(cwd):
            if result[0] not in (0, 1):
                wrong = wrong or "left behind: %s" % p
            shutil.rmtree(cwd / p) if (cwd / p).is_dir() else (cwd / p).unlink(missing_ok=True)
        results.append(("%s (%s): %s%s" % (klass, path, " ".join(line), " < it" if stdin else ""), wrong, result[2].strip()))
    shutil.rmtree(where)
    return results


def stream(*options):
    with tempfile.TemporaryDirectory() as t:
        (Path(t) / "f").mkdir()
        for name, data in b.folder().items():
            (Path(t) / "f" / name).write_bytes(data)
        done = subprocess.run([bin_ / "phi-repack", "-q", "-f", "stream", *options, "f"], cwd=t, capture_output=True)
        return done.stdout if done.returncode == 0 else None


def main():
    chosen = [c for c in cases.all_cases(stream(), stream("-z")) if pattern in c[0] + " " + c[1]]
    scratch = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None, prefix="phi-hostile-"))
    passed = failed = 0
    try:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for results in pool.map(lambda x: run_case(scratch, *x), enumerate(chosen)):
                for name, wrong, said in results:
                    if wrong:
                        failed += 1
                        print("FAILED %s: %s" % (name, wrong))
                    else:
                        passed += 1
                    if verbose:
                        print("%s\n    %s" % (name, said))
    finally:
        shutil.rmtree(scratch)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


sys.exit(main())
