#!/usr/bin/env python3
"""convert_hf_to_gguf with the pre-tokenizer named: convert.py [--pre NAME] DIR --outtype T --outfile F

The converter knows pre-tokenizers by a hash over published vocabularies, so it refuses a folder with
a vocabulary of its own. Here it is told the name (gpt-4o unless given); nothing else is changed.
"""
import os
import runpy
import sys
import tempfile

import peers

TREE = peers.PEERS / "llama.cpp"
sys.path[:0] = [str(TREE), str(TREE / "gguf-py")]

import conversion.base  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)  # a child inherits no pool of threads, and would wait for it


def run(pre, args):
    """Runs the converter's script in this process; pre None leaves it to find the name itself."""
    if pre:
        conversion.base.TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
    sys.argv = [str(TREE / "convert_hf_to_gguf.py"), *map(str, args)]
    runpy.run_path(sys.argv[0], run_name="__main__")


def convert(folder, out, outtype, pre="gpt-4o", *more):
    """Converts in a child process (torch is imported once for all of them), returns out."""
    with tempfile.TemporaryFile() as log:
        child = os.fork()
        if child == 0:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            status = 1
            try:
                run(pre, [folder, "--outtype", outtype, "--outfile", out, *more])
                status = 0
            except Exception as e:
                print(repr(e), file=sys.stderr)
            finally:
                sys.stderr.flush()
                os._exit(status)
        if os.waitpid(child, 0)[1] or not os.path.isfile(out):
            log.seek(0)
            raise peers.Failure("convert_hf_to_gguf: " + log.read().decode(errors="replace").strip().splitlines()[-1])
    return out


if __name__ == "__main__":
    pre = "gpt-4o"
    if "--pre" in sys.argv:
        at = sys.argv.index("--pre")
        pre = sys.argv[at + 1]
        del sys.argv[at:at + 2]
    run(pre, sys.argv[1:])
