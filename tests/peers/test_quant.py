#!/usr/bin/env python3
"""Our number types against ggml's, byte for byte, in both directions.

    test_quant.py [LIBRARY] [--weights N]

LIBRARY is libphitools.so (build/gcc/libphitools.so). Every level this machine runs is tried, in a process of its
own (PHI_CPU). Prints a line a type: weights compared, differing bytes; fails on the first that differs.
"""
import ctypes as C
import sys

import levels
import peers
import ggml
import numpy as np

sys.path.insert(0, str(peers.ROOT / "tests" / "unit"))
from quant_inputs import codes, importance, inputs  # noqa: E402

FAIL, CLAMP, KEEP = 0, 1, 2
BLOCKS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS",
          "TQ1_0", "TQ2_0", "MXFP4", "NVFP4", "Q1_0", "Q2_0", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_M"]
DEMANDING = ["IQ2_XXS", "IQ2_XS", "IQ1_S"]  # not made without importance
IQ = {"IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_M", *DEMANDING}
WEIGHTED = ["Q4_0", "Q5_0", *sorted(IQ)]
ABORTS = {"1E30", "BITS", "BLOCK_SCALES"}  # ggml, where all distances to points of an IQ grid are infinite
ROW = 2048  # of weighted rows


class Convert(C.Structure):
    pass


Convert._fields_ = [("from_", C.c_void_p), ("to", C.c_void_p),
                    ("run", C.CFUNCTYPE(C.c_int, C.POINTER(Convert), C.c_void_p, C.c_void_p, C.c_uint64, C.c_uint64,
                                        C.c_void_p, C.c_int, C.POINTER(C.c_uint64))),
                    ("decoder", C.c_void_p), ("encoder", C.c_void_p), ("searcher", C.c_void_p), ("importance", C.c_int),
                    ("lossless", C.c_bool), ("fault", C.c_char_p)]


class Type(C.Structure):
    _fields_ = [("id", C.c_int), ("name", C.c_char_p), ("elements", C.c_uint), ("bytes", C.c_uint),
                ("cls", C.c_int), ("ggml", C.c_int)]


class Library:
    def __init__(self, path):
        self.lib = C.CDLL(path)
        self.lib.phi_type_named.restype = C.POINTER(Type)
        self.lib.phi_type_named.argtypes = [C.c_char_p]
        self.lib.phi_quant_cpu.restype = C.c_char_p
        find = C.CFUNCTYPE(C.c_int, C.c_void_p, C.c_void_p, C.POINTER(Convert), C.c_void_p)
        self.find = find.in_dll(self.lib, "phi_quant_as_llama")

    def type(self, name):
        t = self.lib.phi_type_named(name.encode())
        if not t:
            raise peers.Failure(f"no type {name}")
        return t

    def can(self, a, b):
        return self.find(C.cast(self.type(a), C.c_void_p), C.cast(self.type(b), C.c_void_p), C.byref(Convert()),
                         None) == 0

    def convert(self, a, b, data, n, policy=KEEP, row=None, weights=None):
        """n elements of type a in `data` (bytes or array) to a uint8 array of type b."""
        c, bad = Convert(), C.c_uint64()
        to = self.type(b).contents
        if self.find(C.cast(self.type(a), C.c_void_p), C.cast(self.type(b), C.c_void_p), C.byref(c), None):
            raise peers.Failure(f"no way from {a} to {b}")
        src = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else np.ascontiguousarray(data)
        out = np.empty(n // to.elements * to.bytes, np.uint8)
        if c.run(C.byref(c), src.ctypes.data, out.ctypes.data, n, row or n,
                 None if weights is None else weights.ctypes.data, policy, C.byref(bad)):
            raise peers.Failure(f"{a} to {b}: element {bad.value}")
        return out


def differing(ours, theirs, what):
    ours, theirs = np.asarray(ours), np.frombuffer(theirs, np.uint8)
    bad = int((ours != theirs).sum())
    if bad:
        at = int(np.flatnonzero(ours != theirs)[0])
        raise peers.Failure(f"{what}: {bad} bytes differ, first at {at}: {ours[at]} != {theirs[at]}")


def finite_nans(f):
    """F32 bytes with every NaN made the same: ggml's own builds differ in its payload."""
    f = f.view(np.float32).copy()
    f[np.isnan(f)] = np.nan
    return f.view(np.uint8)


def check_exhaustive(lib):
    halves = np.arange(1 << 16, dtype=np.uint16)
    for name, type_id in (("F16", ggml.F16), ("BF16", ggml.BF16)):
        ours = lib.convert(name, "F32", halves, halves.size)
        theirs = ggml.dequantize(type_id, halves.tobytes())
        differing(ours, theirs.tobytes(), f"all {name} to F32")
        back = lib.convert("F32", name, ours, halves.size).view(np.uint16)
        numbers = ~np.isnan(ours.view(np.float32))
        if not np.array_equal(back[numbers], halves[numbers]):
            raise peers.Failure(f"{name} -> F32 -> {name} is not the same")


def fitting(name, weights):
    """Inputs for a type."""
    return [(kind, x) for kind, x in inputs(weights) if name not in IQ or kind not in ABORTS]


def check_weighted(lib, name, weights):
    t, columns, compared = lib.type(name).contents, importance(ROW), 0
    for kind, x in fitting(name, weights):
        for n in (x.size, x.size - 3 * ROW):
            theirs = ggml.quantize_rows(t.ggml, x[:n].reshape(-1, ROW), columns)
            ours = lib.convert("F32", name, x[:n], n, row=ROW, weights=columns)
            differing(ours, theirs, f"F32 to {name} with importance, {kind}")
            compared += n
    peers.check(True, f"{lib.lib.phi_quant_cpu().decode()}: {name}: 0 bytes differ in {compared / 1e6:.1f} M weights "
                "with importance")


def check(lib, weights):
    check_exhaustive(lib)
    for name in ["F16", "BF16"] + BLOCKS:
        t = lib.type(name).contents
        compared = 0
        for kind, x in fitting(name, weights // 4 if name in IQ else weights):
            for shift in (0, t.elements):  # whole groups, and a tail
                n = x.size - shift
                theirs = ggml.quantize_rows(t.ggml, x[:n].reshape(1, -1))
                if lib.can("F32", name):
                    ours = lib.convert("F32", name, x[:n], n)
                    differing(ours, theirs, f"F32 to {name}, {kind}")
            if lib.can(name, "F32"):
                ours = lib.convert(name, "F32", theirs, n)
                differing(ours, ggml.dequantize(t.ggml, theirs).tobytes(), f"{name} to F32, {kind}")
            compared += 2 * n
        compared += check_codes(lib, name, weights)
        peers.check(True, f"{lib.lib.phi_quant_cpu().decode()}: {name}: 0 bytes differ in {compared / 1e6:.1f} M weights, "
                    "both ways")
    for name in DEMANDING:
        compared = check_codes(lib, name, 16 * weights)
        peers.check(True, f"{lib.lib.phi_quant_cpu().decode()}: {name}: 0 bytes differ in {compared / 1e6:.1f} M weights, "
                    "read")
    for name in WEIGHTED:
        check_weighted(lib, name, weights // 4)


def check_codes(lib, name, weights):
    """Decodes blocks of any bytes; returns how many weights were compared."""
    t = lib.type(name).contents
    data = codes(weights // t.elements * t.bytes).tobytes()
    ours = lib.convert(name, "F32", data, weights)
    differing(finite_nans(ours), finite_nans(ggml.dequantize(t.ggml, data)).tobytes(),
              f"{name} to F32, bytes of any kind")
    return weights


if __name__ == "__main__":
    levels.main(Library, check, "ggml's", 1 << 17, 4096)
