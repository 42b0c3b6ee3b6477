#!/usr/bin/env python3
"""Signals in the middle of jobs: tests/faults/signals.py BUILD

A job that is killed at any time leaves its target absent, as it was, or complete; no temporary either, but
after SIGKILL, and then under a name that tells. It dies of the signal. A reader that leaves ends a tool quietly by
SIGPIPE. In a pipe of three stages, killing any one leaves no output and a failing status.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "hostile"))
import build as b  # noqa: E402

ROUNDS = 14  # kills of a job by one signal
ROWS = 6000  # of each of the big input's tensors: 6 MB
bin_ = Path(sys.argv[1]).resolve()
passed = failed = 0
TEMPORARY = re.compile(r"\.(o\.gguf|o|out\.safetensors)\.phi-[a-z0-5]{6}$")
rng = random.Random(3)


def check(name, wrong):
    global passed, failed
    if wrong:
        failed += 1
        print("FAILED %s: %s" % (name, wrong), flush=True)
    else:
        passed += 1


def argv(line):
    words = line.split()
    return [str(bin_ / words[0]), *words[1:]]


def default_signals():
    """What a shell's background jobs do not have: INT ignored would stay ignored."""
    for s in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(s, signal.SIG_DFL)


def start(line, **files):
    return subprocess.Popen(argv(line), stderr=subprocess.PIPE, preexec_fn=default_signals, **files)


def content(path):
    """A file's bytes, a folder's files with their bytes, or None."""
    if path.is_dir():
        return {p.name: p.read_bytes() for p in sorted(path.iterdir())}
    return path.read_bytes() if path.exists() else None


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def kill_rounds(name, line, target, old, want, took):
    """Kills one job again and again, each time a little later, some times beyond its end."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
        for i in range(ROUNDS):
            remove(target)
            if old is not None:
                target.write_bytes(old)
            job = start(line, stdout=subprocess.DEVNULL)
            time.sleep(took * 1.1 * (i + rng.random()) / ROUNDS)
            job.send_signal(number)
            err = job.communicate()[1].decode()
            have = content(target)
            others = [p for p in Path(".").iterdir() if p != target and not p.name.startswith("in")]
            strange = [p.name for p in others if number != signal.SIGKILL or not TEMPORARY.match(p.name)]
            wrong = None
            if job.returncode not in (0, -number):
                wrong = "exit %d: %s" % (job.returncode, err)
            elif have != want and have != old:
                wrong = "the target is neither absent, old nor complete"
            elif job.returncode == 0 and have != want:
                wrong = "exit 0 and no output"
            elif strange:
                wrong = "left behind: %s" % strange
            elif err:
                wrong = "said %s" % err
            check("%s, %s, round %d" % (name, number.name, i), wrong)
            for p in others:
                remove(p)
    remove(target)


def kills(has_stream):
    jobs = [("file to file", "phi-repack -q in.safetensors -o o.gguf", "o.gguf"),
            ("quantizing over an old file", "phi-quant -q --force -t q8_0 in.safetensors -f gguf -o o.gguf", "o.gguf"),
            ("folder", "phi-repack -q in.safetensors -o o/", "o")]
    if has_stream:
        jobs.append(("stream to a file", "phi-repack -q in.tar -o out.safetensors", "out.safetensors"))
    for name, line, target in jobs:
        target = Path(target)
        began = time.monotonic()
        done = subprocess.run(argv(line), capture_output=True)
        took = time.monotonic() - began
        want = content(target)
        if done.returncode or want is None:
            check(name, "unharmed: exit %d: %s" % (done.returncode, done.stderr.decode()))
            continue
        kill_rounds(name, line, target, b"old" if "--force" in line else None, want, took)


def pipe_readers():
    """A reader that takes one byte and leaves."""
    for line in ("phi-repack -q -f safetensors in.safetensors", "phi-repack -q -f gguf in.safetensors",
                 "phi-inspect --json in.many", "phi-diff in.many in.safetensors", "phi-repack -q -n -o x.gguf in.many"):
        job = start(line, stdout=subprocess.PIPE)
        job.stdout.read(1)
        job.stdout.close()
        err = job.stderr.read().decode()
        job.wait()
        # A short answer may fit into the pipe: then nobody notices.
        good = job.returncode == -signal.SIGPIPE or ("repack -q" not in line and job.returncode in (0, 1))
        check("| head -c 1: " + line, None if good and not err else "exit %d: %s" % (job.returncode, err))


def stages(lines, took):
    """Each stage of a pipe killed in turn, early and late."""
    for victim in range(len(lines)):
        for number in (signal.SIGKILL, signal.SIGTERM):
            for part in (0.0, 0.2, 0.5, 0.8):
                jobs, before = [], subprocess.DEVNULL
                for line in lines:
                    last = line is lines[-1]
                    job = start(line, stdin=before, stdout=subprocess.DEVNULL if last else subprocess.PIPE)
                    if before != subprocess.DEVNULL:
                        before.close()
                    before = job.stdout
                    jobs.append(job)
                time.sleep(took * part)
                jobs[victim].send_signal(number)
                errs = [job.stderr.read().decode() for job in jobs]
                statuses = [job.wait() for job in jobs]
                left = [p.name for p in Path(".").iterdir() if not p.name.startswith("in") and
                        not (number == signal.SIGKILL and victim == len(lines) - 1 and TEMPORARY.match(p.name))]
                wrong = None
                if not any(statuses):
                    wrong = None if left == ["o.gguf"] else "all exit 0, left %s" % left
                elif statuses[-1] == 0 and statuses[victim] == 0:
                    wrong = "statuses %s" % statuses
                elif left and not (left == ["o.gguf"] and statuses[-1] == 0):
                    wrong = "left behind: %s" % left
                elif statuses[victim] < 0 and statuses[-1] == 0 and victim < len(lines) - 1:
                    wrong = "stage %d was killed, the last one is content" % (victim + 1)
                elif any(len(e.splitlines()) > 1 for e in errs):
                    wrong = "said %s" % errs
                check("stage %d of %s, %s at %.1f" % (victim + 1, " | ".join(lines), number.name, part), wrong)
                for p in Path(".").iterdir():
                    if not p.name.startswith("in"):
                        remove(p)


def slow_input(line):
    """A stage before which a feeder sleeps: killed in mid-input for certain."""
    data = Path("in.safetensors").read_bytes()[:5 << 20]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        job = start(line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        job.stdin.write(data)
        job.stdin.flush()
        time.sleep(0.05)
        job.send_signal(number)
        job.wait()
        job.stdin.close()
        left = [p.name for p in Path(".").iterdir() if not p.name.startswith("in") and
                not (number == signal.SIGKILL and TEMPORARY.match(p.name))]
        check("half an input, %s: %s" % (number.name, line),
              "exit %d, left %s" % (job.returncode, left) if job.returncode != -number or left else None)
        for p in Path(".").iterdir():
            if not p.name.startswith("in"):
                remove(p)


def main():
    scratch = tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None, prefix="phi-signals-")
    os.chdir(scratch)
    try:
        os.mkdir("in.tmp")
        os.environ["TMPDIR"] = os.path.abspath("in.tmp")
        row = b.halves(512)
        Path("in.safetensors").write_bytes(b.safetensors(
            {"t%d.weight" % i: ("F16", [ROWS, 512], row * ROWS) for i in range(8)}))
        Path("in.many").write_bytes(b.safetensors({"tensor.%d.weight" % i: ("F32", [], bytes(4)) for i in range(9000)}))
        formats = subprocess.run(argv("phi-repack --help"), capture_output=True, text=True).stdout
        has_stream = re.search(r"^  stream", formats, re.M) is not None
        if has_stream:
            subprocess.run(argv("phi-repack -q -f stream in.safetensors -o in.tar"), check=False)
        kills(has_stream)
        pipe_readers()
        between = "" if has_stream else " -f safetensors"
        began = time.monotonic()
        lines = ["phi-repack -q%s in.safetensors" % between, "phi-quant -q%s -t f16" % between,
                 "phi-repack -q -o o.gguf"]
        if subprocess.run(" | ".join(str(bin_) + "/" + line for line in lines), shell=True).returncode:
            check("three stages", "they fail unharmed")
        took = time.monotonic() - began
        remove(Path("o.gguf"))
        stages(lines, took)
        slow_input("phi-repack -q -o o.gguf")
        slow_input("phi-quant -q -t f16 -o o.gguf")
    finally:
        os.chdir("/")
        shutil.rmtree(scratch)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


sys.exit(main())
