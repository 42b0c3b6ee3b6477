#!/usr/bin/env python3
"""Our MLX types against mlx.core.quantize on a CPU, byte for byte, and dequantize to the bit.

    test_mlx_types.py [LIBRARY] [--weights N]

Every level this machine runs is tried, in a process of its own (PHI_CPU). Left out is where MLX wraps around: scales of
MX types below 2^-127 (its byte becomes that of 2^128), and weights beyond 448 * 6 in NVFP4, among which MLX finds no
nearest; input that is not finite as a half is left out of F16.
"""
import sys

import levels
import peers
import mlx_blocks as mlx
import numpy as np
from test_quant import Library, differing, finite_nans

sys.path.insert(0, str(peers.ROOT / "tests" / "unit"))
from quant_inputs import codes, inputs  # noqa: E402


def as_dtype(x, dtype):
    return np.array(mlx.array(x, dtype).astype(mlx.mx.float32))


def fits(name, x, dtype):
    """The groups of x that MLX encodes without wrapping around."""
    groups = as_dtype(x, dtype).reshape(-1, mlx.form(name)[0]["group_size"])
    with np.errstate(over="ignore"):
        most, span = np.abs(groups).max(1), groups.max(1) - groups.min(1)
    if name in mlx.AFFINE:
        return np.isfinite(span) & np.isfinite(most)
    if name == "MLX_NVFP4":
        return most <= 448 * 6
    least = {"MLX_MXFP4": 6, "MLX_MXFP8": 448}[name] * 2.0 ** -127
    return np.isfinite(most) & ((most == 0) | (most >= least))


def check(lib, weights):
    for name in mlx.TYPES:
        own = mlx.form(name)[1]
        compared = 0
        for kind, x in inputs(weights):
            for dtype in (own,) if own else mlx.DTYPES:
                compared += check_input(lib, name, kind, x, dtype)
        data = codes(weights // lib.type(name).contents.elements * lib.type(name).contents.bytes)
        ours = lib.convert(name, "F32", data, weights)
        theirs = mlx.dequantize(name, data.tobytes())
        differing(finite_nans(ours), finite_nans(theirs.view(np.uint8)).tobytes(), f"{name} to F32, bytes of any kind")
        peers.check(True, f"{lib.lib.phi_quant_cpu().decode()}: {name}: 0 bytes differ in {compared / 1e6:.1f} M weights")


def check_input(lib, name, kind, x, dtype):
    """F32 to an affine type (which rounds first), else from the dtype itself; and whatever dtype to an affine one."""
    affine, compared = name in mlx.AFFINE, 0
    good = fits(name, x, dtype)
    theirs = mlx.quantize(name, x, dtype).reshape(good.size, -1)[good]
    for source in {"F32", dtype} if affine else {dtype}:
        data = x if source == "F32" else np.array(mlx.array(x, dtype).view(mlx.mx.uint16))
        ours = lib.convert(source, name, data, x.size).reshape(good.size, -1)[good]
        differing(ours.reshape(-1), theirs.tobytes(), f"{source} ({dtype}) to {name}, {kind}")
        compared += int(good.sum()) * (x.size // good.size)
    return compared


if __name__ == "__main__":
    levels.main(Library, check, "MLX's", 1 << 15, 4096)
