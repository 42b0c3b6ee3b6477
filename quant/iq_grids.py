#!/usr/bin/env python3
"""Makes iq_grids.c: the points of the IQ types' grids, read off ggml's decoders (the format is defined by them).

    PHI_PEERS=... quant/iq_grids.py > quant/iq_grids.c

Each point is one number: its coordinates, as indices of the grid's few values, two bits each (eight of them), or
three bits each (four) for IQ3. The digests are those of the tables in ggml-quants.c (facts of the format).
"""
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "peers"))
import ggml
import numpy as np

ONE = np.array([1], np.float16).view(np.uint8)  # the scale d


def blocks(n, size):
    """n zeroed blocks of `size` bytes with d = 1 at their start."""
    b = np.zeros((n, size), np.uint8)
    b[:, :2] = ONE
    return b



def points(type_id, entries, size, place, factor, width, values, shift=0.0):
    """Decodes `entries` points, one for each `width` weights of the blocks that place() fills."""
    per = 256 // width
    index = np.arange(entries).reshape(-1, per)
    b = blocks(entries // per, size)
    place(b, index)
    x = (ggml.dequantize(type_id, b.tobytes()) - np.float32(shift)) * factor
    codes = np.searchsorted(values, np.rint(x).astype(np.int64)).reshape(entries, width)
    assert np.array_equal(np.asarray(values)[codes], np.rint(x).astype(np.int64).reshape(entries, width))
    bits = 2 if width == 8 else 3
    return (codes << bits * np.arange(width)).sum(1).astype(np.uint16)


def place_2xxs(b, i):
    b[:, 2:].reshape(len(b), 8, 8)[:, :, :4] = i.reshape(-1, 8, 4)


def place_2xs(b, i):
    b[:, 2:66] = i.astype("<u2").view(np.uint8).reshape(len(b), 64)


def place_2s(b, i):
    b[:, 2:34] = i & 255
    high = (i >> 8).reshape(-1, 8, 4)
    b[:, 66:74] = (high << 2 * np.arange(4)).sum(2)


def place_3xxs(b, i):
    b[:, 2:66] = i


def place_3s(b, i):
    b[:, 2:66] = i & 255
    b[:, 66:74] = ((i >> 8).reshape(-1, 8, 8) << np.arange(8)).sum(2)


def place_1s(b, i):
    b[:, 2:34] = i & 255
    high = ((i >> 8).reshape(-1, 8, 4) << 3 * np.arange(4)).sum(2)
    b[:, 34:50] = high.astype("<u2").view(np.uint8).reshape(len(b), 16)


def table(name, what, data, digest):
    assert hashlib.sha256(data.astype("<u2").tobytes()).hexdigest()[:16] == digest, name
    print(f"\n/* {what} */\nconst uint16_t phi_grid_{name}[{len(data)}] = {{")
    for at in range(0, len(data), 12):
        print("\t" + " ".join(f"{v}," for v in data[at:at + 12]))
    print("};")


def main():
    print('/* The points of the IQ types\' grids; made by iq_grids.py. */\n#include "quant/iq_grids.h"')
    three = [8, 25, 43]
    table("2xxs", "IQ2_XXS: values 8, 25, 43", points(16, 256, 66, place_2xxs, 8, 8, three), "915952ebc4af8ddb")
    table("2xs", "IQ2_XS: values 8, 25, 43", points(17, 512, 74, place_2xs, 8, 8, three), "f66435966ca8d64e")
    table("2s", "IQ2_S: values 8, 25, 43", points(22, 1024, 82, place_2s, 8, 8, three), "e6e75e121b65e8af")
    table("1", "IQ1_S and IQ1_M: values -1, 0, 1", points(19, 2048, 50, place_1s, 1, 8, [-1, 0, 1], .125),
          "e9ffebfc997ad602")
    table("3xxs", "IQ3_XXS: values 4, 12, 20, 28, 36, 44, 52, 62",
          points(18, 256, 98, place_3xxs, 4, 4, [4, 12, 20, 28, 36, 44, 52, 62]), "c9678803c61b2210")
    table("3s", "IQ3_S: values 1, 3, 5, ... 15", points(21, 512, 110, place_3s, 1, 4, list(range(1, 16, 2))),
          "353274c58dd7d8dc")


if __name__ == "__main__":
    main()
