"""Runs a check of number types once on each level of the kernels that the machine has."""
import argparse
import os
import subprocess
import sys

import peers


def main(library_of, check, whose, weights, step):
    """check(library, weights) with the library that library_of opens; weights are rounded down to steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library", nargs="?", default=str(peers.TOOLS / "libphitools.so"))
    parser.add_argument("--weights", type=int, default=weights)
    parser.add_argument("--here", action="store_true", help="at the level PHI_CPU= names, and no other")
    args = parser.parse_args()
    if args.here:
        lib = library_of(os.path.abspath(args.library))
        if os.environ["PHI_CPU"] != lib.lib.phi_quant_cpu().decode():
            return  # not on this machine
        try:
            check(lib, args.weights // step * step)
        except peers.Failure as failure:
            peers.check(False, str(failure))
        peers.finish()
    for level in ("scalar", "sse2", "avx2", "avx512", "neon"):
        status = subprocess.run([sys.executable, sys.argv[0], args.library, "--here", "--weights", str(args.weights)],
                                env=dict(os.environ, PHI_CPU=level))
        peers.check(status.returncode == 0, f"{level}: bytes as {whose}, or not on this machine")
    peers.finish()
