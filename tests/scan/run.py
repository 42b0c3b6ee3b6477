#!/usr/bin/env python3
"""The files of cases.py under phi-inspect --scan: tests/scan/run.py BUILD [-v] [PATTERN]

Wanted is the exit status, and the rule where a case names one; whatever is not meant to be clean must not be."""
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import cases  # noqa: E402

arguments = [a for a in sys.argv[1:] if not a.startswith("-")]
tool = Path(arguments[0]).resolve() / "phi-inspect"
pattern = arguments[1] if len(arguments) > 1 else ""


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def put(where, content):
    if isinstance(content, bytes):
        where.write_bytes(content)
        return
    for name, data in content.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(data)


def judge(path, status, rule):
    done = subprocess.run([tool, "--scan", "--json", path], capture_output=True, preexec_fn=limits)
    if done.stderr:
        return "says %s" % done.stderr[:600]
    try:
        findings = json.loads(done.stdout)["findings"]
    except ValueError:
        return "exit %d, no JSON: %r" % (done.returncode, done.stdout[:200])
    said = "; ".join("%s: %s" % (f["rule"], f["text"]) for f in findings)
    if "-v" in sys.argv:
        print("    " + said)
    if done.returncode != status:
        return "exit %d, not %d: %s" % (done.returncode, status, said)
    if rule and rule not in [f["rule"] for f in findings]:
        return "no %s: %s" % (rule, said)
    return None


def main():
    passed = failed = 0
    scratch = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None, prefix="phi-scan-"))
    os.environ["TMPDIR"] = str(scratch)
    try:
        for number, (name, content, status, rule) in enumerate(cases.all_cases()):
            if pattern not in name:
                continue
            path = scratch / ("%d.bin" % number)
            put(path, content)
            if "-v" in sys.argv:
                print(name)
            wrong = judge(path, status, rule)
            if wrong:
                failed += 1
                print("FAILED %s: %s" % (name, wrong))
            else:
                passed += 1
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        left = list(scratch.iterdir())
        if left:
            failed += 1
            print("FAILED left behind: %s" % left)
    finally:
        shutil.rmtree(scratch)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


sys.exit(main())
