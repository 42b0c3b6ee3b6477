"""The inputs of quant_inputs.h, the same bits, as NumPy arrays."""
import numpy as np

F = np.float32
U = np.uint32


def bits(i, seed):
    with np.errstate(over="ignore"):
        h = i * U(0x9E3779B1) + U(seed * 0x85EBCA77 & 0xFFFFFFFF)
        h = (h ^ h >> U(16)) * U(0x7FEB352D)
        h = (h ^ h >> U(15)) * U(0x846CA68B)
        return h ^ h >> U(16)


def gaussian(i):
    total = np.full(i.shape, -131070, np.int32)
    for k in range(1, 5):
        total += (bits(i, k) & U(0xFFFF)).astype(np.int32)
    return total.astype(F) * F(2.0 ** -16)


def inputs(n, finite=True):
    """Yields (name, n floats) for each input, in the order and with the names of quant_inputs.h."""
    i = np.arange(n, dtype=U)
    h, block, g = bits(i, 9), bits(i // U(32), 10), gaussian(i)

    def grid(m, low):
        return ((h % U(m)).astype(np.int32) - low).astype(F)

    def of(b):
        return np.asarray(b, U).view(F)

    yield "GAUSSIAN", g
    yield "WEIGHTS", g * F(2.0 ** -6)
    yield "F16", of(g.view(U) & U(0xFFFFE000))
    yield "BF16", of(g.view(U) & U(0xFFFE0000))
    yield "ZEROS", np.zeros(n, F)
    yield "NEGATIVE_ZEROS", np.full(n, -0.0, F)
    yield "BOTH_ZEROS", np.where(h & U(1), F(-0.0), F(0))
    yield "ONES", np.ones(n, F)
    yield "CONSTANT", np.full(n, -3.7, F)
    yield "DENORMALS", of(h & U(0x807FFFFF))
    yield "FEW_ULPS", of((h & U(0x80000000)) | h % U(200))
    yield "1E_20", g * F(2.0 ** -66)
    yield "1E_38", g * F(2.0 ** -126)
    yield "1E_7", g * F(2.0 ** -24)
    yield "1E6", g * F(2.0 ** 20)
    yield "1E30", g * F(2.0 ** 100)
    yield "BLOCK_SCALES", g * of((U(67) + block % U(120)) << U(23))
    yield "SPIKES", np.where(i % U(32) == block % U(32), F(7), g * F(2.0 ** -10))
    yield "HALF_ZERO", np.where(h & U(1), F(0), g)
    yield "LOG_UNIFORM", of((h & U(0x807FFFFF)) | (U(107) + (h >> U(23) & U(0xFF)) % U(40)) << U(23))
    yield "BITS", of(np.where(h & U(0x7F800000) == U(0x7F800000), h & U(0x8FFFFFFF), h))
    yield "TIES", grid(17, 8) * F(0.5)
    yield "SIGNS", np.where(h & U(1), F(-1), F(1))
    yield "GRID_16", grid(16, 8)
    yield "GRID_255", grid(255, 127)
    yield "RAMP", ((i % U(4096)).astype(np.int32) - 2048).astype(F)
    yield "HALF_STEPS", grid(509, 254) * F(0.5) / F(127)
    yield "ZERO_BLOCKS", np.where(block & U(1), F(0), g)
    yield "POSITIVE", of(g.view(U) & U(0x7FFFFFFF))
    yield "OFFSET", g * F(2.0 ** -4) + F(3)
    yield "BELOW_POWERS", of((h & U(0x80000000)) | (U(100) + block % U(60)) << U(23) | (U(0x7FFFFF) - h % U(16)))
    yield "GRID_33", np.where(i % U(16) == 0, F(32.9), ((h % U(8) + U(17)).astype(F) + F(0.53125)) * np.where(h & U(64), F(1), F(-1)))
    yield "NEAR_ZERO", g * of((U(127 - 36) - i // U(256) % U(24)) << U(23))
    yield "SMALL_BLOCKS", g * of((U(127 - 52) + block % U(34)) << U(23))
    yield "LATE", gaussian(i % U(2048) + np.array([8192, 26624, 8120320, 0], U)[i // U(2048) % U(4)])
    if not finite:
        yield "NOT_FINITE", np.where(h % U(16), g, of(bits(i, 11) | U(0x7F800000) |
                                                      np.where(h & U(16), U(0), U(0x7FFFFF))))
        yield "RARELY_NOT_FINITE", np.where(h % U(3001), g, of((h & U(0x80000000)) | U(0x7F800000)))


def importance(n):
    """input_importance() of n columns."""
    i = np.arange(n, dtype=U)
    h = bits(i, 13)
    wide = ((h & U(0x7FFFFF)) | (U(107) + (h >> U(23) & U(0xFF)) % U(40)) << U(23)).view(F)
    usual = (gaussian(i + U(100000)).view(U) & U(0x7FFFFFFF)).view(F)
    none = (h % U(11) == 0) | (i // U(32) % U(5) == 3)
    return np.where(none, F(0), np.where(i // U(256) % U(3) == 1, wide, usual)).astype(F)


def codes(n):
    """n bytes of any kind: what a decoder may meet."""
    return (bits(np.arange(n, dtype=U), 12) & U(0xFF)).astype(np.uint8)
