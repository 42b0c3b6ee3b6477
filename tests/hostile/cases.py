"""Hostile files: each with the class of attack it stands for and what the message must say.

A case is (class, path of the operand, {path: content}, regex on the message[, options]). Content is bytes, or
("link", target), ("hardlink", path), ("fifo",), ("folder",), ("sparse", head bytes, size). Classes follow the sheet of
known attacks: one file for each rule a reader must keep, nothing that needs big files or long times to show.
"""
import json
import math
import os
import struct
import zlib

import build as b

M64 = 2**64 - 1
CASES = []


def case(klass, path, files, regex, **options):
    files = files if isinstance(files, dict) else {path: files}
    CASES.append((klass, path, files, regex, options))


# --- safetensors -------------------------------------------------------------------------------------


def st(name, klass, data, regex, **options):
    case("safetensors: " + klass, name + ".safetensors", data, regex, **options)


def header(text, data=b"", **kw):
    return b.safetensors_raw(text if isinstance(text, bytes) else text.encode(), data, **kw)


def entry(dtype='"F32"', shape="[2]", offsets="[0,8]", name='"a"', more=""):
    return '{%s:{"dtype":%s,"shape":%s,"data_offsets":%s%s}}' % (name, dtype, shape, offsets, more)


def safetensors_cases():
    eight = b.floats(2)
    st("short", "header length cut", b"\x10\0\0\0\0\0\0", "", )
    st("length-file", "header longer than the file", header("{}", length=100), "header|100")
    st("length-zero", "empty header", header("", length=0), "header|empty|JSON|no model format")
    st("length-signed", "header length 2^63", header("{}" * 10, length=2**63), "header|%d" % 2**63)
    st("length-wrap", "header length 2^64-1", header("{}" * 10, length=M64), "header|%d" % M64)
    st("length-wrap8", "header length that wraps with its own 8 bytes", header("{}" * 10, length=M64 - 7), "header")
    case("safetensors: header beyond the limit", "limit.safetensors",
         {"limit.safetensors": ("sparse", struct.pack("<Q", 100000001) + b"{", 100000100)}, "100000000|limit")
    st("not-object", "header is an array", header("[1,2]"), "JSON|\\{|no model format")
    st("space-first", "header does not begin with a brace", header("  {}"), "'{'|begin|no model format")
    st("garbage-after", "bytes after the object", header("{}x     "), "header")
    st("second-object", "two objects", header("{}{}    "), "JSON")
    st("nul", "NUL in the header", header("{}\0     "), "header")
    st("utf8", "invalid UTF-8 in a name", header(b'{"\xff":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', eight),
       "JSON byte")
    st("surrogate", "lone surrogate in a name", header(entry(name='"\\ud800"'), eight), "JSON byte")
    st("control", "control byte in a name", header(entry(name='"a\1"'), eight), "JSON byte")
    st("deep", "nested 200,000 deep", header('{"a":' + "[" * 200000 + "}"), "nested")
    st("deep-object", "objects nested 100 deep", header('{"a":' * 100 + "1" + "}" * 100), "nested")
    st("twice", "a tensor twice", header('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                                         '"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', eight), "a")
    st("twice-escaped", "a tensor twice, once escaped",
       header('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
              '"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', eight), "a")
    st("field-twice", "a field twice", header(entry(more=',"dtype":"I32"'), eight), "dtype|duplicate")
    st("field-missing", "no dtype", header('{"a":{"shape":[2],"data_offsets":[0,8]}}', eight), "tensor a.*dtype")
    st("field-extra", "unknown field", header(entry(more=',"x":1'), eight), "", may_pass=True)
    st("name-empty", "empty name", header(entry(name='""'), eight), "name")
    st("metadata-number", "metadata that is no text", header('{"__metadata__":{"a":1}}'), "__metadata__")
    st("metadata-list", "metadata that is no object", header('{"__metadata__":[]}'), "__metadata__")
    st("dtype", "unknown type", header(entry('"F33"'), eight), "tensor a.*F33")
    st("dtype-number", "type that is a number", header(entry("5"), eight), "tensor a.*dtype")
    st("shape-negative", "negative dimension", header(entry(shape="[-2]"), eight), "tensor a.*shape")
    st("shape-real", "dimension 2.0", header(entry(shape="[2.0]"), eight), "tensor a.*shape")
    st("shape-exponent", "dimension 2e0", header(entry(shape="[2e0]"), eight), "tensor a.*shape")
    st("shape-huge", "dimension beyond 64 bits", header(entry(shape="[36893488147419103234]"), eight), "JSON|shape")
    st("shape-wrap", "product that wraps to the right size", header(entry(shape="[4294967296,4294967296,2]"), eight),
       "tensor a")
    st("shape-wrap-bytes", "bytes that wrap", header(entry(shape="[4611686018427387906]"), eight), "tensor a")
    st("shape-zero-wrap", "wrap beside a zero", header(entry(shape="[0,4294967296,4294967296,4294967296]",
                                                            offsets="[0,8]"), eight), "tensor a")
    st("shape-deep", "a thousand dimensions", header(entry(shape="[" + ",".join("1" * 1000) + "]"), eight),
       "tensor a: shape: more than 8")
    st("shape-text", "shape that is a text", header(entry(shape='"2"'), eight), "tensor a.*shape")
    st("offsets-one", "one offset", header(entry(offsets="[0]"), eight), "tensor a.*offset")
    st("offsets-back", "end before start", header(entry(offsets="[8,0]"), eight), "tensor a")
    st("offsets-end", "data beyond the file", header(entry(offsets="[0,8]"), eight[:4]), "tensor a|end")
    st("offsets-wrap", "start near 2^64", header(entry(offsets="[%d,%d]" % (M64 - 7, M64))), "tensor a|JSON")
    st("offsets-negative", "negative offset", header(entry(offsets="[-8,0]"), eight), "tensor a.*offset")
    st("size", "range unlike the shape", header(entry(shape="[3]"), eight), "tensor a")
    two = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[%s]},"b":{"dtype":"F32","shape":[1],"data_offsets":[%s]}}'
    st("hole-front", "hole before the data", header(two % ("4,8", "8,12"), b"\0" * 12), "")
    st("hole-middle", "hole between tensors", header(two % ("0,4", "8,12"), b"\0" * 12), "")
    st("hole-end", "bytes after the data", header(two % ("0,4", "4,8"), b"\0" * 12), "")
    st("overlap", "overlapping tensors", header(two % ("0,4", "2,6"), b"\0" * 6), "")
    st("same-range", "one range for many tensors", header(two % ("0,4", "0,4"), b"\0" * 4), "")
    st("zip-after", "a zip behind the data", header(entry(), eight + b.torch()), "")
    st("only-zip-name", "a zip named safetensors, cut", b.torch()[:300], "")


# --- GGUF --------------------------------------------------------------------------------------------


def gg(name, klass, data, regex, **options):
    case("GGUF: " + klass, name + ".gguf", data, regex, **options)


def gguf_cases():
    arch = b.key("general.architecture", b.STRING, "phi3")
    good = [b.info("a", [32], 0, 0)]
    data = b.floats(32)

    def raw(keys=(), infos=good, body=data, **kw):
        return b.gguf_raw([arch, *keys], list(infos), body, **kw)

    gg("version-0", "version 0", raw(version=0), "version 0")
    gg("version-4", "version from the future", raw(version=4), "version 4")
    gg("version-huge", "version 2^32-1", raw(version=2**32 - 1), "version")
    for name, n in (("2-31", 2**31), ("2-60", 2**60), ("2-63", 2**63), ("all", M64), ("wrap-small", 2**61 + 1)):
        gg("keys-" + name, "number of keys that no file can hold", raw(nkeys=n), "keys")
        gg("tensors-" + name, "number of tensors that no file can hold", raw(ninfos=n), "tensors")
    gg("keys-more", "one key too few", raw(nkeys=2), "")
    gg("tensors-more", "one tensor too few", raw(ninfos=2), "")
    for name, n in (("all", M64), ("end", 10000), ("tib", 2**40), ("signed", 2**63)):
        gg("key-length-" + name, "length of a key's name", raw([struct.pack("<Q", n) + b"abc"]), "key")
        gg("string-length-" + name, "length of a string", raw([b.text("k") + struct.pack("<IQ", b.STRING, n) + b"abc"]),
           "key")
        gg("name-length-" + name, "length of a tensor's name", raw(infos=[struct.pack("<Q", n) + b"abc"]), "tensor")
        gg("array-length-" + name, "length of an array",
           raw([b.key("k", b.ARRAY, struct.pack("<IQ", b.F64, n) + bytes(16))]), "k")
        gg("array-strings-" + name, "number of strings in an array",
           raw([b.key("k", b.ARRAY, struct.pack("<IQ", b.STRING, n) + b.text("x"))]), "k")
    gg("array-wrap", "array of 8-byte values whose bytes wrap to 8",
       raw([b.key("k", b.ARRAY, struct.pack("<IQ", b.F64, 2**61 + 1) + bytes(8))]), "k")
    gg("array-nested", "array of arrays", raw([b.key("k", b.ARRAY, struct.pack("<IQ", b.ARRAY, 1) +
                                                     struct.pack("<IQ", b.ARRAY, 1) * 1000)]), "k")
    gg("array-kind", "array of an unknown kind", raw([b.key("k", b.ARRAY, struct.pack("<IQ", 99, 1) + bytes(8))]), "k")
    gg("kind", "unknown kind of value", raw([b.key("k", 99, bytes(8))]), "k")
    gg("bool", "a truth value of 2", raw([b.key("k", b.BOOL, b"\2")]), "k", may_pass=True)
    gg("key-twice", "a key twice", raw([b.key("k", b.U32, 1), b.key("k", b.U32, 2)]), "k")
    gg("key-empty", "an empty key", raw([b.key("", b.U32, 1)]), "key")
    gg("tensor-twice", "a tensor twice", raw(infos=good + [b.info("a", [32], 0, 128)], body=data * 2), "tensor a")
    gg("tensor-empty-name", "a tensor without a name", raw(infos=[b.info("", [32], 0, 0)]), "tensor")
    gg("name-nul", "NUL in a tensor's name", raw(infos=[b.info(b"a\0b", [32], 0, 0)]), "tensor")
    gg("name-utf8", "a tensor's name that is no UTF-8 and has an escape sequence",
       raw(infos=[b.info(b"\x1b[2J\xff", [2**62], 0, 0)]), r"\\x1b|\\e|\\033|\\u001b")
    for n in (5, 9, 2**31, 2**32 - 1):
        gg("rank-%d" % n, "number of dimensions", raw(infos=[b.info("a", [1] * min(n, 64), 0, 0, rank=n)]), "tensor a")
    for name, dims in (("zero", [2**32, 2**32]), ("small", [2**62 + 8, 4]), ("signed", [2**63 - 1, 2]),
                       ("mul", [2**42 + 1, 2**22]), ("bytes", [2**62]), ("four", [2**16] * 4), ("max", [M64])):
        gg("dims-" + name, "dimensions whose product wraps", raw(infos=[b.info("a", dims, 0, 0)]), "tensor a")
        gg("dims-zero-" + name, "such dimensions beside a zero", raw(infos=[b.info("a", [0] + dims[:3], 0, 0)]), "tensor a",
           may_pass=True)
    for t in (4, 5, 31, 32, 33, 36, 37, 38, 99, 255, 2**31, 2**32 - 1):
        gg("type-%d" % t, "a type removed or unknown", raw(infos=[b.info("a", [32], t, 0)]), "tensor a.*type")
    gg("type-row", "a row that is no whole number of blocks", raw(infos=[b.info("a", [33], 8, 0)], body=bytes(128)),
       "tensor a")
    for name, at in (("end", 128), ("far", 2**40), ("signed", 2**63), ("wrap", M64 - 31)):
        gg("offset-" + name, "data beyond the end", raw(infos=[b.info("a", [32], 0, at)]), "tensor a.*")
    gg("offset-odd", "data off its alignment", raw(infos=[b.info("a", [8], 0, 4)]), "tensor a.*", may_pass=True)
    gg("overlap", "overlapping tensors", raw(infos=[b.info("a", [16], 0, 0), b.info("b", [16], 0, 32)], body=data), "tensor b")
    gg("amplify", "one range for two tensors", raw(infos=[b.info("a", [32], 0, 0), b.info("b", [32], 0, 0)]), "tensor b")
    for n in (0, 1 << 31, 3, 2**32 - 1):
        gg("alignment-%d" % n, "alignment", raw([b.key("general.alignment", b.U32, n)]), "alignment")
    gg("alignment-text", "alignment that is a text", raw([b.key("general.alignment", b.STRING, "32")]), "alignment")
    gg("alignment-64", "alignment of 64 bits", raw([b.key("general.alignment", b.U64, struct.pack("<Q", 32))]), "alignment")
    gg("architecture-number", "architecture that is a number",
       b.gguf_raw([b.key("general.architecture", b.U32, 1)], good, data), "architecture", may_pass=True)
    gg("cut-padding", "cut before the data", raw(body=b""), "")
    gg("cut-data", "cut in the data", raw(body=data[:-1]), "tensor a")
    gg("split-parts", "a part of a set that is not there",
       raw([b.key("split.no", b.U16, b"\0\0"), b.key("split.count", b.U16, b"\2\0"),
            b.key("split.tensors.count", b.I32, struct.pack("<i", 2))]), "", may_pass=True)
    gg("empty-far", "an empty tensor beyond the end", raw(infos=good + [b.info("b", [4, 0], 0, 2**24)]), "")
    gg("many-dims-sum", "sizes whose sum wraps", raw(infos=[b.info("a%d" % i, [2**60 - 32], 0, i * 2**62 % 2**64) for i in range(5)]),
       "tensor a0")



# --- NumPy -------------------------------------------------------------------------------------------


def np_(name, klass, data, regex, suffix=".npy", **options):
    case("NumPy: " + klass, "np-" + name + suffix, data, regex, **options)


def ox(name, klass, data, regex, files=None, **options):
    files = {name + ".onnx": data, **(files or {})}
    # What comes through a pipe has no folder, and that is said first.
    case("ONNX: " + klass, name + ".onnx", files, regex + ("|from no folder" if name.startswith("ext-") else ""), **options)


def nested(n):
    g = b.onnx.graph([])
    for _ in range(n):
        g = b.onnx.graph([b.onnx.node("If", ["c"], ["y"], [b.onnx.attribute("then_branch", 6, g, 5)])])
    return b.onnx.model(g)


def sequences(n):
    t = b.field(1, b.field(1, 1))
    for _ in range(n):
        t = b.field(4, b.field(1, t))
    return t


def onnx_cases():
    o, field, w = b.onnx, b.field, struct.pack("<4f", 1, 2, 3, 4)
    good = o.small()

    def one(more=b"", raw=None, dims=(2, 2), kind=o.FLOAT):
        return o.small(o.tensor("w", kind, dims, raw, more))

    def out(location, offset=None, length=None, more=(), name="w", size=16):
        return o.tensor(name, o.FLOAT, [size // 4], more=o.external(location, offset, length, more))

    for n in (1, 9, 20, len(good) // 2, len(good) - 1):
        ox("cut-%d" % n, "cut", good[:n], "")
    ox("varint", "a number of 11 bytes", b"\x08" + b"\xff" * 10 + b"\1" + good[2:], "more than 64 bits|no model")
    ox("group", "a group", good + b"\x9b\x06\x9c\x06", "no known form")
    ox("group-inside", "a group in a tensor", one(b"\xf3\1\xf4\1", w), "no known form")
    ox("field-0", "field 0", good + b"\0\0", "field 0")
    ox("form", "a name that is a number", o.model(o.graph([]) + field(2, 5)), "form")
    ox("deep", "subgraphs 60 deep", nested(60), "within each other")
    ox("length", "a length beyond its message", o.model(b"\x0a\x7f" + o.graph([])), "bytes")
    ox("nul", "a NUL in a name", o.small(o.tensor("a\0b", o.FLOAT, [4], w)), "NUL")
    ox("graphs", "two graphs", good + field(7, o.graph([])), "twice")
    ox("no-graph", "no graph", field(1, 10) + field(8, field(2, 21)), "without a graph")
    ox("mark", "our own field", one(field(500000001, 0), w), "500000001")
    ox("both", "raw and typed data", one(o.floats(4, [1, 2, 3, 4]), w), "more than one way")
    ox("both-external", "raw and external data", one(o.external("x.bin"), w), "more than one way")
    ox("two-typed", "numbers in two fields", one(o.floats(4, [1] * 4) + o.packed(5, [1] * 4)), "two fields")
    ox("wrong-typed", "floats as integers", one(o.packed(5, [1] * 4)), "cannot be")
    ox("raw-twice", "raw data twice", one(field(9, w), w), "twice")
    ox("raw-short", "raw data too short", one(raw=w[:12]), "12 bytes")
    ox("raw-long", "raw data too long", one(raw=w + w), "32 bytes")
    ox("typed-few", "too few numbers", one(o.packed(7, [1, 2, 3]), kind=o.INT64), "3 numbers")
    ox("typed-cut", "half a float", one(field(4, w[:10])), "10 bytes")
    ox("nibbles", "4 bits, one byte too few", one(raw=b"\1", dims=(3,), kind=o.INT4), "1 byte")
    ox("none", "no numbers", one(), "no numbers")
    ox("negative", "a negative dimension", one(raw=w, dims=(2**64 - 1,)), "dimension")
    ox("wrap", "dimensions that wrap", one(raw=w, dims=(2**62, 2**62)), "64 bits")
    ox("rank", "100 dimensions", one(raw=w, dims=(1,) * 100), "dimensions")
    ox("type", "an unknown type", one(raw=w, kind=99), "99")
    ox("segment", "a segment", one(field(3, field(1, 0) + field(2, 1)), w), "segment")
    ox("name", "no name", o.small(o.tensor(None, o.FLOAT, [4], w)), "name")
    ox("name-twice", "a name twice", o.small(o.tensor("w", o.FLOAT, [4], w), o.tensor("w", o.FLOAT, [4], w)), "w")
    for name, location in (("climb", "../x.bin"), ("climb-inside", "a/../../x.bin"), ("absolute", "/etc/passwd"),
                           ("empty", ""), ("dot", "."), ("slash", "a//b")):
        ox("ext-" + name, "external data: " + name, o.small(out(location)), "external")
    eight = {"x.bin": w}
    ox("ext-missing", "external data that are not there", o.small(out("no.bin")), "no.bin")
    ox("ext-link", "external data through a link that leads out", o.small(out("l.bin")), "link",
       {"l.bin": ("link", "/etc/passwd")})
    ox("ext-fifo", "external data in a FIFO", o.small(out("f.bin")), "regular", {"f.bin": ("fifo",)})
    ox("ext-folder", "external data in a folder", o.small(out("d.bin")), "regular", {"d.bin": ("folder",)})
    ox("ext-beyond", "external data beyond the end", o.small(out("x.bin", 8)), "pass the end", eight)
    ox("ext-wrap", "an offset that wraps", o.small(out("x.bin", 2**64 - 8)), "pass the end", eight)
    ox("ext-length", "a length that disagrees", o.small(out("x.bin", 0, 12)), "12 bytes", eight)
    ox("ext-sign", "a negative offset", o.small(out("x.bin", -1)), "number", eight)
    ox("ext-hex", "an offset in hex", o.small(out("x.bin", "0x1")), "number", eight)
    ox("ext-big", "an offset beyond 64 bits", o.small(out("x.bin", 2**64)), "64 bits", eight)
    ox("ext-twice", "two locations", o.small(out("x.bin", more=[("location", "y.bin")])), "twice", eight)
    ox("ext-overlap", "ranges that overlap", o.small(out("x.bin", 0, 8, size=8), out("x.bin", 4, 8, name="v", size=8)),
       "overlap", eight)
    # Singular fields that are there twice, numbers of a wrong size, lengths of 2 GiB and more.
    for name, data in (("version", good + field(1, 10)), ("tensor-name", one(o.text(8, "v"), w)), ("tensor-type", one(field(2, 1), w)),
                       ("location", one(o.external("x.bin") + field(14, 1))), ("graph-name", o.model(o.graph([]) + o.text(2, "h"))),
                       ("op", o.small(nodes=[o.node("Neg", ["x"], ["y"]) + o.text(4, "Abs")]))):
        ox("twice-" + name, "a field twice: " + name, data, "twice|no folder")
    for name, n in (("2g", 2**31), ("2g-1", 2**31 - 1), ("4g", 2**32 + 8), ("63", 2**63), ("64", M64)):
        long = b.varint(n)
        ox("long-raw-" + name, "raw data of 2 GiB and more, which are not there", o.model(o.text(2, "g") + b"\x2a\x20\x10\1\x4a" + long + w), "bytes")
        ox("long-graph-" + name, "a graph of 2 GiB and more, which is not there", field(1, 10) + b"\x3a" + long + w, "bytes|no model")
        ox("long-floats-" + name, "packed floats of 2 GiB and more", o.model(b"\x2a\x20\x10\1\x22" + long + w), "bytes")
    ox("sparse-2g", "a tensor of 2 GiB with 16 bytes of it", one(raw=w, dims=(2**29,)), "16 bytes of raw data")
    ox("sparse-2e", "a tensor of 2 EiB with 16 bytes of it", one(raw=w, dims=(2**59,)), "16 bytes of raw data")
    ox("packed-4", "packed floats of 5 bytes", one(field(4, w[:5]), dims=(1,)), "5 bytes")
    ox("packed-pieces", "packed floats cut between two fields", one(field(4, w[:6]) + field(4, w[6:])), "4 bytes")
    ox("packed-8", "packed doubles of 12 bytes", one(field(10, w[:12]), dims=(1,), kind=o.DOUBLE), "12 bytes")
    ox("packed-varint", "a packed number that does not end", one(field(7, b"\1\2\x80"), dims=(3,), kind=o.INT64), "tensor w")
    ox("packed-varint-11", "a packed number of 11 bytes", one(field(7, b"\xff" * 10 + b"\1"), dims=(1,), kind=o.INT64), "64 bits")
    ox("dims-packed", "packed dimensions that do not end", o.small(field(1, b"\2\x80") + field(2, 1) + o.text(8, "w") + field(9, w)), "")
    ox("dims-negative", "packed dimensions, one of them negative", o.small(
        o.packed(1, [2, -2]) + field(2, 1) + o.text(8, "w") + field(9, w)), "dimension")
    ox("type-negative", "a type of -1", one(raw=w, kind=M64), "type")
    ox("bool-many", "too many truth values", one(o.packed(5, [1] * 5), kind=o.BOOL), "5 numbers")
    ox("graph-is-number", "a graph that is a number", field(1, 10) + field(7, 5), "form|no model")
    ox("key-29", "a field number beyond 29 bits", good + b"\xf8\xff\xff\xff\x7f\0", "field|bits")
    ox("types-deep", "sequences of sequences, 60 deep", o.model(o.graph([], more=field(11, o.text(1, "x") + field(2, sequences(60))))),
       "within each other")
    ox("unknown-many", "100,000 fields that nobody knows", good + field(99, 1) * 100000, "more than 65536")
    ox("tensors-many", "a name of each of 70,000 nodes twice", o.model(o.graph([o.node("Neg", ["x"], ["y"])] * 70000)), "", may_pass=True)
    # Operators that take weights: numbers that lie about them.
    for name, numbers in (("k-0", (0, 2, 4, 16)), ("k-63", (2**63 - 1, 2, 4, 16)), ("k-negative", (M64, 2, 4, 16)), ("n-63", (16, 2**63 - 1, 4, 16)),
                          ("block-0", (16, 2, 4, 0)), ("block-63", (16, 2, 4, 2**62)), ("bits", (16, 2, 5, 16)), ("few", (64, 2, 4, 16)),
                          ("many", (16, 1, 4, 16))):
        attributes = [o.ints(k, v) for k, v in zip(("K", "N", "bits", "block_size"), numbers)]
        ox("nbits-" + name, "MatMulNBits whose attributes lie", o.model(o.graph(
            [o.node("MatMulNBits", ["x", "w_Q4", "w_s"], ["y"], attributes, "", "com.microsoft")],
            [o.tensor("w_Q4", o.UINT8, [2, 1, 8], w), o.tensor("w_s", o.FLOAT, [2], w[:8])])), "", may_pass=True, to="onnx")
    for axis, block in ((M64, 0), (2**63 - 1, 0), (0, 2**62), (0, 3), (5, 1)):
        ox("dq-%d-%d" % (axis, block), "DequantizeLinear whose attributes lie", o.model(o.graph(
            [o.node("DequantizeLinear", ["q", "s", "z"], ["y"], [o.ints("axis", axis), o.ints("block_size", block)])],
            [o.tensor("q", o.INT8, [4, 4], w), o.tensor("s", o.FLOAT, [4], w), o.tensor("z", o.INT8, [4], w[:4])])), "", may_pass=True, to="onnx")
    for name, location in (("backslash", "..\\x.bin"), ("url", "https://example.com/x.bin"), ("file-url", "file:///etc/passwd"),
                           ("up", ".."), ("tail", "x.bin/"), ("proc", "/proc/self/environ"), ("device", "/dev/zero"), ("long", "a" * 1000),
                           ("long-parts", "a/" * 500 + "b")):
        ox("ext-" + name, "external data: " + name, o.small(out(location)), "external|regular|no such", {"x.bin": w})
    ox("ext-too-long", "a location of 2,000 bytes", o.small(out("a" * 2000)), "2000 bytes")
    ox("ext-nul", "a NUL in a location", o.small(out("x.bin\0y")), "NUL", eight)
    ox("ext-link-up", "external data through a link upwards", o.small(out("l.bin")), "link", {"l.bin": ("link", "../outside.bin")})
    ox("ext-link-folder", "external data through a folder that is a link", o.small(out("d/passwd")), "external|link",
       {"d": ("link", "/etc")})
    ox("ext-self", "external data in the model itself", o.small(out("ext-self.onnx")), "", may_pass=True)
    ox("ext-lengths", "two lengths", o.small(out("x.bin", 0, 16, more=[("length", "16")])), "twice", eight)
    ox("ext-keys", "keys that name things of a library", o.small(out("x.bin", more=[("basepath", "/etc"), ("__class__", "x")])), "", eight,
       may_pass=True)
    ox("ext-typed", "typed and external data", one(o.floats(4, [1] * 4) + o.external("x.bin")), "more than one way", eight)
    ox("ext-attribute", "text of a Constant in another file", o.small(nodes=[o.node("Constant", [], ["k"], [o.attribute(
        "value", 5, o.tensor("k", o.STRING, [1], more=o.external("x.bin")), 4)])]), "external", eight)
    ox("ext-file-short", "a file of nothing", o.small(out("e.bin")), "pass the end", {"e.bin": b""})
    ox("ext-chain", "100 ranges, each over the next one", o.small(*[out("x.bin", 4 * i, 8, name="t%d" % i, size=8) for i in range(100)]),
       "overlap", {"x.bin": bytes(408)})
    ox("ext-string", "text in another file", o.small(o.tensor("w", o.STRING, [1], more=o.external("x.bin"))), "external", eight)


def numpy_cases():
    def head(descr="'<f4'", fortran="False", shape="(2,)", more=""):
        return "{'descr': %s, 'fortran_order': %s, 'shape': %s, %s}" % (descr, fortran, shape, more)

    eight = b.floats(2)
    for name, text, regex in (
            ("call", head("__import__('os').system('x')"), "word"), ("name", head("exit"), "word"),
            ("lambda", "(lambda: 1)()", "'{'"), ("not-dict", "['descr']", "'{'"), ("empty", "", "'{'"),
            ("bytes-key", "{b'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "word"),
            ("twice", head(more="'shape': (1,)"), "twice"), ("extra", head(more="'x': 1"), "key"),
            ("missing", "{'descr': '<f4', 'shape': (2,)}", "fortran_order"),
            ("order", head(fortran="1"), "fortran_order"), ("shape-int", head(shape="2"), "tuple"),
            ("shape-list", head(shape="[2]"), "tuple"), ("shape-negative", head(shape="(-2,)"), "tuple"),
            ("shape-real", head(shape="(2.0,)"), "integer"), ("shape-text", head(shape="('2',)"), "tuple"),
            ("shape-huge", head(shape="(36893488147419103234,)"), "64 bits"),
            ("shape-wrap", head(shape="(4294967296, 4294967296, 2)"), "64 bits"),
            ("shape-bytes", head(shape="(4611686018427387906,)"), "64 bits"),
            ("shape-deep", head(shape="(" + "1," * 33 + ")"), "33 dimensions"),
            ("nested", head(shape="(" * 5000 + "2" + ")" * 5000), "nested"),
            ("brackets", head("[" * 30000), "nested"), ("unended", "{'descr': '<f4", "end"),
            ("comma", "{'descr': '<f4' 'shape': (2,)}", "comma"), ("after", head() + "x", "follows"),
            ("nul", head() + "\0", "follows"), ("more-data", head(shape="(3,)"), "pass the end")):
        np_(name, "header: " + name, b.npy_raw(text, eight), regex)
    np_("length", "header longer than the file", b.npy_raw(head(), eight, length=60000), "header")
    np_("length-2", "header of 4 GiB", b.npy_raw(head(), eight, version=2, length=2**32 - 1), "header")
    case("NumPy: header beyond the limit", "np-limit.npy",
         {"np-limit.npy": ("sparse", b.npy_raw("", version=2, length=2**21), 2**22)}, "more than 1048576")
    for version, minor in ((0, 0), (1, 1), (4, 0), (255, 255)):
        np_("version-%d-%d" % (version, minor), "unknown version", b.npy_raw(head(), eight, version, minor), "version")
    np_("cut", "cut in the prefix", b.npy_raw(head(), eight)[:9], "")
    for descr, regex in (("|O", "pickle"), ("<U4", "text"), ("|S8", "text"), ("<M8[ns]", "dates"), ("|V0", "bytes"),
                         ("<f3", "elements"), ("", "elements"), ("<", "elements")):
        np_("type-" + "".join(c if c.isalnum() else "_" for c in descr), "elements " + descr,
            b.npy(descr, (1,), eight), regex)
    np_("records", "records", b.npy_raw(head("[('a', '<f4'), ('b', '|O')]"), eight), "records")
    np_("pickle", "objects, and their pickle", b.npy("|O", (1,), b"\x80\x02cos\nsystem\nX\2\0\0\0id\x85R."), "pickle")
    np_("tail", "bytes behind the array", b.npy("<f4", (2,), eight + b"more"), "", may_pass=True)

    def archive(name, klass, data, regex="", **options):
        np_(name, klass, data, regex, ".npz", **options)

    good, array = b.npz(), b.npy("<f4", (2,), eight)
    end, directory = good.rindex(b"PK\5\6"), good.index(b"PK\1\2")
    archive("twice", "an entry twice", b.zip_([("a.npy", array), ("a.npy", array)]), "twice")
    archive("same", "two entries of one name", b.zip_([("a.npy", array), ("a", array)]), "a")
    archive("no-name", "an array without a name", b.zip_([(".npy", array)]), "name")
    archive("short", "an array longer than its entry", b.zip_([("a.npy", array[:-1])]), "pass the end")
    archive("short-deflated", "the same, deflated", b.zip_([("a.npy", array[:-1])], b.zipfile.ZIP_DEFLATED), "pass the end")
    archive("cut-end", "no end record", good[:end])
    archive("far", "an entry beyond the file", patch(good, directory + 42, struct.pack("<I", 2**30)))
    archive("size", "an entry larger than the file", patch(good, directory + 20, struct.pack("<II", 2**30, 2**30)))
    archive("overlap", "two entries over one range",
            patch(good, good.index(b"PK\1\2", directory + 4) + 42, struct.pack("<I", 0)))
    z = b.npz(b.zipfile.ZIP_DEFLATED)
    archive("bomb", "an entry that inflates beyond its size",
            patch(z, z.index(b"PK\1\2") + 24, struct.pack("<I", 8)))
    archive("climb", "a name that climbs", b.zip_([("../../a.npy", array)]), "", may_pass=True)
    archive("only-objects", "nothing but objects", b.zip_([("a.npy", b.npy("|O", (1,), b"\x80\x02N."))]), "", may_pass=True)


# --- PyTorch -----------------------------------------------------------------------------------------


def pt(name, klass, data, regex, **options):
    case("PyTorch: " + klass, name + ".pt", data, regex, **options)


def pickled(name, klass, pickle, regex, **options):
    pt(name, klass, b.torch(pickle), regex, **options)


def one(value):
    return b.state_dict([("w", value)])


def patch(data, at, new):
    return data[:at] + new + data[at + len(new):]


# --- importance and recipes: what phi-quant reads beside the model -------------------------------------


def quant_cases():
    def im(name, klass, data, regex, **options):
        case("imatrix: " + klass, name + ".dat", data, regex, via="--imatrix", **options)

    good = b.imatrix({"some.weight": (1, [1.0, 2.0])})
    im("count-huge", "number of entries that no file can hold", struct.pack("<i", 2**30) + good[4:], "entries|no model")
    im("count-more", "one entry too few", struct.pack("<i", 2) + good[4:], "entr")
    im("count-limit", "entries up to the limit", struct.pack("<i", 2**19) + good[4:], "entries")
    for name, n in (("huge", 2**31 - 1), ("negative", -1), ("all", -2**31)):
        im("name-" + name, "length of a name", good[:4] + struct.pack("<i", n) + good[8:], "characters|no model")
        im("values-" + name, "number of values", good[:23] + struct.pack("<i", n) + good[27:], "values|no model")
        im("dataset-" + name, "length of the data set's name", good + struct.pack("<ii", 1, n), "characters")
    im("values-wrap", "values whose bytes wrap", good[:23] + struct.pack("<I", 2**30) + good[27:], "values")
    im("calls", "negative number of calls", good[:19] + struct.pack("<i", -7) + good[23:], "calls|no model")
    im("twice", "a matrix twice", b.imatrix({"a.weight": (1, [1.0])}).replace(b"\1", b"\2", 1) +
       b.imatrix({"a.weight": (1, [1.0])})[4:], "a.weight")
    im("tail", "bytes after the end", good + struct.pack("<ii", 1, 1) + b"xx", "follow the end")
    for name, value in (("nan", "nan"), ("inf", "inf"), ("negative", "-1")):
        im("value-" + name, "a value that is %s" % value, b.imatrix({"a.weight": (1, [1.0, float(value)])}),
           "column 1 is", only_via=True)

    def sums(infos, data):
        return b.gguf_raw([b.key("general.type", b.STRING, "imatrix")], infos, data)

    im("gguf-counts", "sums without counts", sums([b.info("a.in_sum2", [4], 0, 0)], b.floats(4)), "counts", only_via=True)
    im("gguf-none", "a GGUF without sums", sums([b.info("a", [4], 0, 0)], b.floats(4)), "no imatrix", only_via=True)
    im("gguf-type", "sums of another type", sums([b.info("a.in_sum2", [4], 24, 0), b.info("a.counts", [1], 0, 32)],
                                                bytes(36)), "F32", only_via=True)
    im("gguf-odd", "sums no multiple of counts", sums([b.info("a.in_sum2", [4], 0, 0), b.info("a.counts", [3], 0, 32)],
                                                     bytes(48)), "sums", only_via=True)

    def recipe(name, klass, data, regex):
        case("recipe: " + klass, name + ".json", data, regex, via="--recipe", only_via=True)

    item = b'{"items": [{"name": "a", "dtype": %s}]}'
    recipe("empty", "an empty file", b"", "JSON|empty")
    recipe("list", "a list", b"[]", "object")
    recipe("none", "names nothing", b"{}", "no recipe")
    recipe("deep", "nested 100,000 deep", b'{"items":' + b"[" * 100000, "nested")
    recipe("items", "items that are no list", b'{"items": {}}', "items is no array")
    recipe("item", "an item that is a text", b'{"items": ["a"]}', r"items\[0\]")
    recipe("type", "an unknown type", item % b'"Q9"', "no such type")
    recipe("type-number", "a type that is a number", item % b"5", "dtype")
    recipe("type-not-made", "a type that cannot be made", item % b'"Q8_K"', "no way to make")
    recipe("name", "a recipe that is a number", b'{"recipe": 5}', "recipe")
    recipe("nul", "NUL in a name", b'{"items": [{"name": "a\\u0000b", "dtype": "F16"}]}', "JSON")
    recipe("binary", "no text at all", bytes(range(256)), "JSON")


def pytorch_cases():
    call = b"c%s\n%s\n(X\2\0\0\0idtR"
    for module, name in ((b"os", b"system"), (b"posix", b"system"), (b"builtins", b"eval"), (b"__builtin__", b"exec"),
                         (b"subprocess", b"Popen"), (b"torch._utils", b"_rebuild_tensor_v2 "),
                         (b"torch.storage", b"_load_from_bytes"), (b"pkgutil", b"resolve_name"), (b"torch", b"load")):
        pickled("call-%s-%s" % (module.decode(), name.decode().strip()), "a call of something else than a tensor",
                one(call % (module, name)), re_name(module))
        pickled("beside-%s-%s" % (module.decode(), name.decode().strip()), "such a call beside a tensor", b.state_dict(
            [("w", b.tensor(b.storage())), ("x", call % (module, name))]), "", must_pass=True, warns=re_name(module))
    pickled("call-inst", "INST", one(b"(X\2\0\0\0idios\nsystem\n"), "os")
    pickled("call-obj", "OBJ", one(b"(cos\nsystem\nX\2\0\0\0ido"), "os")
    pickled("call-newobj", "NEWOBJ", one(b"cos\nsystem\n)\x81"), "os", may_pass=True)
    pickled("stack-global", "STACK_GLOBAL", b"\x80\x04}X\1\0\0\0wX\2\0\0\0osX\6\0\0\0system\x93X\1\0\0\0a\x85Rs.", "os")
    pickled("stack-global-int", "STACK_GLOBAL of numbers", b"\x80\x04}X\1\0\0\0wK\1K\2\x93s.", "")
    pickled("extension", "EXT1", one(b"\x82\1"), "no tensor")
    pickled("build", "BUILD on a tensor", one(b.tensor(b.storage()) + b"}X\1\0\0\0aK\1sb"), "", may_pass=True)
    pickled("no-stop", "no STOP", b.torch_pickle()[:-1], "")
    pickled("empty", "empty pickle", b"", "")
    pickled("bad-opcode", "unknown opcode", b"\x80\x02}\xff.", "")
    pickled("underflow", "pop from nothing", b"\x80\x02000.", "")
    pickled("no-mark", "no MARK", b"\x80\x02}X\1\0\0\0au.", "")
    pickled("memo-missing", "GET of what was never put", b"\x80\x02h\7.", "")
    pickled("memo-huge", "memo at 2^31", b"\x80\x02}r\0\0\0\x80j\xff\xff\xff\xff.", "")
    pickled("length-huge", "text of 2 GiB", b"\x80\x02X\xff\xff\xff\x7fab.", "")
    pickled("length-64", "text of 2^63 bytes", b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"ab.", "")
    pickled("long-negative", "LONG4 of negative length", b"\x80\x02\x8b\xff\xff\xff\xffab.", "")
    pickled("long-huge", "a number of 255 bytes as a size", one(b.tensor(b.storage(elements=0)).replace(
        b"K\2K\3t", b"\x8a\xff" + b"\x7f" * 255 + b"K\3t", 1)), "")
    pickled("deep-tuples", "nested 100,000 deep", b"\x80\x02" + b")" + b"\x85" * 100000 + b".", "")
    pickled("deep-marks", "100,000 marks", b"\x80\x02" + b"(" * 100000 + b"t" * 100000 + b".", "")
    pickled("self", "a list within itself", b"\x80\x02]q\0h\0a.", "")
    pickled("self-dict", "a dictionary within itself", b"\x80\x02}q\0X\1\0\0\0ah\0s.", "")
    bomb = b"\x80\x02]q\0"
    for i in range(40):
        bomb += b"](" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1])
    pickled("shared", "2^40 paths through shared lists", bomb + b".", "")
    pickled("setitem-list", "SETITEMS on a list", b"\x80\x02](K\1K\2u.", "")
    pickled("setitem-tensor", "SETITEM on a tensor", one(b.tensor(b.storage()) + b"K\1K\2s"), "", may_pass=True)
    pickled("numbers-only", "no tensors", b"\x80\x02}X\1\0\0\0aK\1s.", "tensor")
    for name, change, klass in (
            ("numel-more", {"elements": 7}, "more elements than the record has"),
            ("numel-huge", {"elements": 2**62}, "elements whose bytes wrap"),
            ("numel-negative", {"elements": -1}, "negative number of elements"),
            ("storage-missing", {"name": "9"}, "a record that is not there"),
            ("storage-climbs", {"name": "../../../etc/passwd"}, "a record that climbs"),
            ("storage-kind", {"kind": "EvilStorage"}, "unknown kind of storage")):
        pickled(name, klass, one(b.tensor(b.storage(**change))), "w|data/|EvilStorage")
    for name, change, klass in (
            ("view-end", {"offset": 1}, "a view beyond its storage"),
            ("view-far", {"stride": (2**62, 1)}, "strides that wrap"),
            ("view-negative", {"stride": (-3, 1)}, "negative stride"),
            ("view-offset", {"offset": -1}, "negative offset"),
            ("view-offset-huge", {"offset": 2**63 - 1}, "offset that wraps"),
            ("view-size", {"size": (-2, 3)}, "negative size"),
            ("view-huge", {"size": (2**32, 2**32)}, "sizes that wrap to nothing"),
            ("view-broadcast", {"size": (2**40, 3), "stride": (0, 1)}, "few bytes seen as terabytes"),
            ("view-ranks", {"size": (2, 3), "stride": (1,)}, "fewer strides than sizes"),
            ("view-deep", {"size": (1,) * 70, "stride": (1,) * 70}, "70 dimensions")):
        pickled(name, klass, one(b.tensor(b.storage(), **change)), "w")
    pickled("name-number", "a name that is a number", b"\x80\x02}K\1" + b.tensor(b.storage()) + b"s.", "", may_pass=True)
    pickled("name-twice", "one name for two tensors", b"\x80\x02}(" + (b.unicode_("a.b") + b.tensor(b.storage())) +
            b.unicode_("a") + one(b.tensor(b.storage()))[2:-1].replace(b"X\1\0\0\0w", b"X\1\0\0\0b") + b"u.", "",
            may_pass=True)
    torch_forms()
    pt("byteorder", "unknown byte order", b.torch(byteorder=b"middle"), "middle|byteorder|byte order")
    pt("version-text", "version that is no number", b.torch(version=b"x"), "version", may_pass=True)
    good = b.torch()
    end = good.rindex(b"PK\5\6")
    directory = struct.unpack_from("<I", good, end + 16)[0]
    pt("zip-no-end", "no end record", good[:end], "")
    pt("zip-empty", "an empty zip", b"PK\5\6" + bytes(18), "")
    pt("zip-directory-far", "directory beyond the file", patch(good, end + 16, struct.pack("<I", 2**31)), "")
    pt("zip-directory-size", "directory larger than the file", patch(good, end + 12, struct.pack("<I", 2**31)), "")
    pt("zip-count", "more entries than there are", patch(good, end + 8, struct.pack("<HH", 999, 999)), "")
    pt("zip-disk", "part of a set of disks", patch(good, end + 4, struct.pack("<HH", 1, 1)), "")
    pt("zip-data-far", "an entry beyond the file", patch(good, directory + 42, struct.pack("<I", 2**30)), "")
    pt("zip-size", "an entry larger than the file", patch(good, directory + 20, struct.pack("<II", 2**30, 2**30)), "")
    pt("zip-encrypted", "an encrypted entry", patch(good, directory + 8, b"\1"), "")
    pt("zip-method", "an unknown method", patch(patch(good, directory + 10, b"\x63"), 8, b"\x63"), "")
    pt("zip-crc", "a wrong checksum", patch(good, directory + 16, b"\xde\xad\xbe\xef"), "", may_pass=True,
       warns="data.pkl: its checksum is wrong")
    pt("zip-local-name", "local and central names that differ", good.replace(b"m/data.pkl", b"m/evil.pkl", 1), "")
    pt("zip-local-sig", "no local header", patch(good, 0, b"XXXX"), "")
    second = good.index(b"PK\1\2", directory + 4)
    first_at = struct.unpack_from("<I", good, directory + 42)[0]
    pt("zip-overlap", "two entries over one range", patch(good, second + 42, struct.pack("<I", first_at)), "")
    pt("zip-twice", "an entry twice", b.zip_([("m/data.pkl", b.torch_pickle()), ("m/data/0", b.floats(6)),
                                              ("m/data/0", b.floats(6))]), "")
    z = b.torch(method=b.zipfile.ZIP_DEFLATED)
    at = z.rindex(b"PK\1\2", 0, z.rindex(b"m/data/0"))
    pt("zip-bomb", "an entry that inflates beyond its size", patch(z, at + 24, struct.pack("<I", 8)), "")
    pt("zip-inflate", "broken deflate data", patch(z, 40, b"\xff" * 20), "")
    big = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = big.compress(b"(" * (300 << 20)) + big.flush()
    pt("zip-pickle-bomb", "a pickle that inflates to 300 MiB", deflated_zip("m/data.pkl", body, 300 << 20), "")


def torch_forms():
    def form(name, klass, value, regex="w", **options):
        extra = [("m/data/1", bytes(24)), ("m/data/2", bytes(24))]
        pt("form-" + name, klass, b.torch(one(value), extra=extra), regex, **options)

    names = b.unicode_
    whole = b.storage("QInt8Storage", elements=24)
    form("qint8", "a quantized tensor, good", b.quantized(), must_pass=True)
    form("q-channel", "quantized by channel, good", b.quantized(scheme=b.by_channel()), must_pass=True)
    form("q-end", "quantized, beyond its storage", b.quantized(size=(5, 5), stride=(5, 1)))
    form("q-4-end", "codes of 4 bits beyond their storage", b.quantized(b.storage("QUInt4x2Storage", elements=24), (7, 7), (7, 1)))
    form("q-4-odd", "codes of 4 bits that are no rows", b.quantized(b.storage("QUInt4x2Storage", elements=24), (2, 3), (1, 2)), "no tensor")
    form("q-4-offset", "codes of 4 bits from the middle on", b.quantized(b.storage("QUInt4x2Storage", elements=24), offset=1), "no tensor")
    form("q-2-huge", "codes of 2 bits whose number wraps", b.quantized(b.storage("QUInt2x4Storage", elements=24), (2**62, 8), (8, 1)), "no tensor")
    form("q-broadcast", "quantized, few bytes seen as terabytes", b.quantized(size=(2**40, 3), stride=(0, 1)))
    form("q-float", "quantized floats", b.quantized(b.storage()))
    form("q-axis", "an axis that is not there", b.quantized(scheme=b.by_channel(axis=2)), may_pass=True)
    form("q-axis-huge", "an axis far away", b.quantized(scheme=b.by_channel(axis=2**62)), may_pass=True)
    form("q-scales-few", "fewer scales than channels", b.quantized(scheme=b.by_channel(size=1)))
    form("q-scales-end", "scales beyond their storage", b.quantized(
        size=(4, 3), scheme=b.by_channel(size=4)))
    form("q-scales-dict", "scales that are no tensor", b.quantized(scheme=b.by_channel(scales=b"}")))
    form("q-scales-quantized", "scales that are quantized", b.quantized(scheme=b.by_channel(scales=b.quantized())))
    form("q-scales-many", "70 million scales", b.quantized(size=(7 * 10**7, 1), stride=(0, 1), scheme=b.by_channel()))
    form("q-zero", "a zero point beyond all codes", b.quantized(scheme=b.tuple_(
        b.glob("torch", "per_tensor_affine"), b.real(1e308), b.integer(2**62))), may_pass=True)
    form("q-scheme", "no scheme", b.quantized(scheme=b")"), may_pass=True)
    form("q-many", "a thousand million channels of one", b.quantized(size=(1, 2**30, 1), stride=(0, 0, 0), scheme=b.by_channel(axis=1)))
    form("sparse", "a sparse tensor, good", b.sparse(), must_pass=True)
    form("sparse-layout", "a layout that does not exist", b.sparse("torch.sparse_evil"), "no tensor")
    form("sparse-parts", "parts that are no tensors", b.sparse(parts=(b"K\1", b"}")))
    form("sparse-self", "a sparse tensor of sparse tensors", b.sparse(parts=(b.sparse(), b.sparse())))
    form("sparse-deep", "70 dimensions", b.sparse(size=(1,) * 70))
    form("sparse-negative", "a negative dimension", b.sparse(size=(-1, 3)))
    form("sparse-few", "no values", b.sparse(parts=(b.tensor(b.storage()),)))
    form("nested-few", "a nested tensor without its parts", b.call("torch._utils _rebuild_nested_tensor", b.tensor(b.storage())))
    form("conj-integer", "negated integers", b.viewed(b.storage("IntStorage"), "neg"), "no tensor")
    form("conj", "conjugated real numbers", b.viewed(b.storage(), "conj"), must_pass=True)
    form("neg", "negated, good", b.viewed(b.storage(), "neg", "conj"), must_pass=True)
    form("meta", "no numbers", b.call("torch._utils _rebuild_meta_tensor_no_storage", b.glob("torch", "float32"),
                                      b.shape(2**62, 2**62), b.shape(1, 1), b"\x89"), "no tensor")
    form("storage", "a storage by itself, good", b.storage(), must_pass=True)
    form("storage-missing", "a storage by itself that is not there", b.storage(name="9"), "data/9")
    form("storage-part", "a part of a storage that passes its end", b.storage()[:-2] + b.tuple_(
        names("v"), b.integer(4), b.integer(9)) + b"tQ")
    form("storage-part-huge", "a part of a storage whose end wraps", b.storage()[:-2] + b.tuple_(
        names("v"), b.integer(2**62), b.integer(2**62)) + b"tQ")
    pickled("form-storages", "100,000 storages by themselves",
            b"\x80\x02](" + b.storage() + b"q\0" + b"h\0" * 100000 + b"e.", "storages")
    data = b.bytes_(b.floats(6))
    form("array", "a NumPy array, good", b.array(data), must_pass=True)
    form("array-big", "a big-endian array by columns, good", b.array(data, order=">", fortran=b"\x88"), must_pass=True)
    form("array-latin1", "bytes of protocol 2, good", b.array(b.call(
        "_codecs encode", names(b.floats(6).decode("latin1")), names("latin1"))), must_pass=True)
    form("array-short", "fewer bytes than the shape", b.array(b.bytes_(b.floats(5))))
    form("array-long", "more bytes than the shape", b.array(b.bytes_(b.floats(7))))
    form("array-huge", "a shape of 2^64 bytes", b.array(data, sizes=(2**62, 4)))
    form("array-hollow", "an empty shape whose strides wrap", b.array(b.bytes_(b""), sizes=(0, 2**62, 2**62), fortran=b"\x88"),
         may_pass=True)
    form("array-memory", "a shape of 1 GB without bytes", b.array(b.bytes_(b""), "u1", (2**30,)))
    form("array-objects", "an array of objects", b.array(b"]", "O8"), "no tensor")
    form("array-dtype", "an array whose type is a call", b.array(data).replace(b"numpy\ndtype", b"os\nsystem", 1), "no tensor")
    form("array-nothing", "an array of nothing", b.array(b"N"))
    form("array-codec", "bytes that are no latin1", b.array(b.call("_codecs encode", names("\u4e00" * 24), names("latin1"))))
    same = b"(" + b.bytes_(bytes(1 << 20)) + b"q\0" + b"".join(b.array(b"h\0", "u1", (1 << 20,)) for _ in range(100)) + b"t"
    pickled("form-arrays", "one text as a hundred arrays", one(same), "")
    many = b.module(b.unicode_("p") + b.tensor(b.storage()), b"".join(
        b.unicode_(str(i)) + b"N" for i in range(20000)), b"](" + b"".join(b.unicode_("x%d" % i) for i in range(20000)) + b"e")
    pickled("form-module", "a module with 20,000 buffers, and as many that are not saved", one(many), "values|w")
    pickled("form-names", "5,000 tensors of one name", b"\x80\x02}(" + (b"K\1" + b.tensor(b.storage()) + b.unicode_("1") +
            b.tensor(b.storage())) * 2500 + b"u.", "twice")
    wrapped = b.tensor(b.storage())
    for _ in range(2000):
        wrapped = b.call("torch._tensor _rebuild_from_type_v2", b.glob("x", "f"), b.glob("x", "C"), b.tuple_(wrapped), b"}")
    pickled("form-wrappers", "a subclass within a subclass, 2,000 deep", one(wrapped), "")
    constants = [("m/constants.pkl", b"\x80\x02(" + b.tensor(b.storage(name="7")) + b"t."), ("m/data/1", bytes(24))]
    pt("form-constants", "constants whose data is not there", b.torch(extra=constants), "constants")
    old = b.tar([(n, b"\x80\x02K\0.") for n in ("sys_info", "pickle", "storages", "tensors")])
    pt("form-tar", "the tar of PyTorch 0.1", old, "PyTorch 0.1")
    pt("form-flat", "a flatbuffer", b"\x18\0\0\0PTMF" + bytes(64), "PyTorch Mobile")
    pt("form-package", "a torch.package", b.zip_([("m/.data/extern_modules", b"torch\n"), ("m/data.pkl", b.torch_pickle())]), "package")


def re_name(module):
    return module.decode().split(".")[0]


def deflated_zip(name, body, size):
    """A zip of one deflated entry; its checksum is 0, which nobody gets to compare."""
    name = name.encode()
    local = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(body), size, len(name), 0) + name
    central = b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 8, 0, 33, 0, len(body), size, len(name), 0, 0, 0, 0,
                                      0, 0) + name
    return local + body + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(body), 0)


# --- folders, indices, paths -------------------------------------------------------------------------


def folder_cases():
    def index(name, klass, weight_map, regex, extra=None, **options):
        files = {name + "/" + k: v for k, v in b.sharded().items()}
        text = weight_map if isinstance(weight_map, bytes) else b.index(weight_map)
        files[name + "/model.safetensors.index.json"] = text
        files.update(extra(name) if extra else {})
        case("index: " + klass, name, files, regex, **options)

    first = "model-00001-of-00002.safetensors"
    secret = {"secret.safetensors": b.safetensors({"a": ("F32", [2], b.floats(2))})}
    for i, path in enumerate(("../secret.safetensors", "/etc/passwd", "x/../../secret.safetensors", "./" + first, "",
                              "..", "a\\..\\secret", first + "/", "//" + first, "sub//x")):
        index("climb-%d" % i, "a shard that climbs", {"a": path}, "", lambda n: dict(secret))
    index("climb-nul", "a shard with a NUL", b'{"weight_map":{"a":"' + first.encode() + b'\\u0000x"}}', "")
    index("shard-missing", "a shard that is not there", {"a": "model-00009-of-00009.safetensors"}, "model-00009")
    index("shard-self", "the index as its own shard", {"a": "model.safetensors.index.json"}, "")
    index("shard-config", "config.json as a shard", {"a": "config.json"}, "", lambda n: {n + "/config.json": b.config()})
    index("tensor-missing", "a tensor its shard does not have", {"a": first, "z": first}, "z")
    index("tensor-elsewhere", "a tensor in another shard", {"a": "model-00002-of-00002.safetensors", "b": first}, "")
    index("map-missing", "no weight_map", b'{"metadata":{}}', "weight_map")
    index("map-list", "weight_map that is a list", b'{"weight_map":[]}', "weight_map")
    index("map-number", "a shard that is a number", b'{"weight_map":{"a":1}}', "")
    index("map-empty", "nothing in weight_map", b'{"weight_map":{}}', "")
    index("map-twice", "a tensor twice in weight_map", ('{"weight_map":{"a":"%s","a":"%s"}}' % (first, first)).encode(),
          "", may_pass=True)
    index("deep", "an index nested 100,000 deep", b'{"weight_map":' + b"[" * 100000, "nested")
    index("cut", "an index that ends", b.index()[:40], "JSON")
    for name, what, klass in (("fifo", ("fifo",), "a FIFO as a shard"), ("folder", ("folder",), "a folder as a shard"),
                              ("device", ("link", "/dev/zero"), "a device as a shard"),
                              ("link-out", ("link", "../secret.safetensors"), "a link out of the folder"),
                              ("link-abs", ("link", "/etc/passwd"), "a link to /etc/passwd"),
                              ("link-self", ("link", first), "a link to itself"),
                              ("link-dangling", ("link", "nowhere"), "a link to nothing"),
                              ("link-proc", ("link", "/proc/self/fd/0"), "a link into /proc")):
        index("shard-" + name, klass, {"a": first}, first[:11],
              lambda n, what=what: dict(secret, **{n + "/" + first: what}))
        case("folder: " + klass.replace("shard", "model.safetensors"), "only-" + name,
             {"only-" + name + "/model.safetensors": ("link", "model.safetensors") if name == "link-self" else what,
              "only-" + name + "/config.json": b.config(), **secret}, "model.safetensors")
        case("folder: " + klass.replace("shard", "config.json"), "config-" + name,
             {"config-" + name + "/config.json": ("link", "config.json") if name == "link-self" else what,
              "config-" + name + "/model.safetensors": b.folder()["model.safetensors"], **secret}, "config.json")
    case("folder: empty", "empty-folder", {"empty-folder": ("folder",)}, "")
    case("folder: a folder named as a file", "x.gguf", {"x.gguf": ("folder",)}, "")
    case("file: a link to itself", "loop.gguf", {"loop.gguf": ("link", "loop.gguf")}, "symbolic links|loop")
    case("file: not there", "absent.gguf", {}, "No such file")
    case("file: empty", "empty.safetensors", b"", "empty")
    case("file: a device without end", "zero.gguf", {"zero.gguf": ("link", "/dev/zero")}, "", only_inspect=True)
    case("file: a name that is a path climbing", "../../../../etc/passwd", {}, "")
    case("file: text", "notes.txt", b"Dear reader,\n" * 100, "no model format")
    case("file: zeros", "zeros.bin", bytes(4096), "")
    for name, member, data, regex in (
            ("config-deep", "config.json", b"[" * 100000, "config.json.*nested"),
            ("config-cut", "config.json", b.config()[:-20], "config.json.*JSON"),
            ("config-utf8", "config.json", b'{"a":"\xff"}', "config.json.*JSON"),
            ("config-heads-zero", "config.json", b.config(num_attention_heads=0), "num_attention_heads"),
            ("config-heads-negative", "config.json", b.config(num_attention_heads=-4), "num_attention_heads"),
            ("config-layers-huge", "config.json", b.config(num_hidden_layers=2**40), "num_hidden_layers"),
            ("config-layers-more", "config.json", b.config(num_hidden_layers=2), "layers.1"),
            ("config-hidden-text", "config.json", b.config(hidden_size="32"), "hidden_size"),
            ("config-hidden-other", "config.json", b.config(hidden_size=64), ""),
            ("config-vocab-negative", "config.json", b.config(vocab_size=-1), ""),
            ("config-factors-short", "config.json", b.config(rope_scaling={
                "type": "longrope", "long_factor": [1.0], "short_factor": [1.0]}), "factor"),
            ("config-factors-text", "config.json", b.config(rope_scaling={
                "type": "longrope", "long_factor": ["a"] * 4, "short_factor": [1.0] * 4}), "factor"),
            ("config-no-hidden", "config.json", b.config(hidden_size=...), "long_factor"),
            ("tokenizer-cut", "tokenizer.json", b.tokenizer()[:-200], "tokenizer.json.*JSON"),
            ("tokenizer-list", "tokenizer.json", b"[]", "tokenizer.json"),
            ("tokenizer-deep", "tokenizer.json", b'{"a":' * 5000, "tokenizer.json.*nested"),
            ("tokenizer-pattern", "tokenizer.json", b.tokenizer(pre_tokenizer={
                "type": "Sequence", "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Removed", "invert": True},
                    {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}]}), "--pre"),
            ("tokenizer-model", "tokenizer.json", b.tokenizer(model={"type": "Unigram", "vocab": []}), ""),
            ("tokenizer-id-huge", "tokenizer.json", b.tokenizer(model={
                "type": "BPE", "vocab": {"a": 2**33}, "merges": []}), "tokenizer.json"),
            ("tokenizer-id-negative", "tokenizer.json", b.tokenizer(model={
                "type": "BPE", "vocab": {"a": -1}, "merges": []}), "tokenizer.json"),
            ("tokenizer-id-twice", "tokenizer.json", b.tokenizer(model={
                "type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}), "tokenizer.json"),
            ("tokenizer-merges", "tokenizer.json", b.tokenizer(model={
                "type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": [1, 2]}), "merge")):
        files = {name + "/" + k: v for k, v in b.folder().items()}
        files[name + "/" + member] = data
        case("folder: %s, %s" % (member, name.split("-", 1)[1]), name, files, regex, to="gguf",
             inspect_may_pass=True)
    first, bias = "model.layers.0.block_sparse_moe.experts.", "model.layers.0.self_attn.q_proj.bias"
    for name, files, regex in (
            ("expert-missing", b.moe(missing=[first + "1.w2.weight"]), "experts.1.w2.weight is missing"),
            ("expert-extra", b.moe(experts=3), "expert 2, but the configuration has 2"),
            ("experts-none", b.moe(num_local_experts=0), "num_local_experts is 0"),
            ("experts-huge", b.moe(num_local_experts=2**20), "gate.weight: shape"),
            ("experts-used", b.moe(num_experts_per_tok=3), "3 experts for a token, of 2"),
            ("expert-shape", b.moe(extra={first + "0.w1.weight": [b.MIDDLE, 31]}), "experts.0.w1.weight: shape"),
            ("expert-number", b.moe(extra={first + "01.w1.weight": [1]}), "no such tensor"),
            ("expert-number-huge", b.moe(extra={first + "999999999.w1.weight": [b.MIDDLE, b.HIDDEN]}), "expert 999999999"),
            ("bias-denied", b.moe(extra={bias: [b.HIDDEN]}), "no such bias"),
            ("bias-missing", b.moe(attention_bias=True), "q_proj.bias is missing"),
            ("factors", b.moe(rope_scaling={"type": "longrope", "long_factor": [1.0], "short_factor": [1.0]}), "factor"),
            ("rope-type", b.moe(rope_scaling={"type": "linear", "factor": 2.0}), "linear"),
            ("vocabulary", b.moe(vocab_size=39), "embed_tokens.weight: shape")):
        name = "moe-" + name
        case("folder: phimoe, %s" % name.split("-", 1)[1], name, {name + "/" + k: v for k, v in files.items()}, regex,
             to="gguf", inspect_may_pass=True)
    for name, readme, regex in (
            ("deep", b"---\na: " + b"[" * 100000, ""), ("anchors", b"---\na: &a [" + b"*a," * 3000 + b"]\ntags: *a\n---\n", ""),
            ("bomb", b"---\na: &a ['" + b"x" * 60000 + b"']\nb: &b [*a, *a, *a]\ntags: [*b, *b]\n---\n", ""),
            ("bytes", b"---\na: \xff\xfe\0\n---\n", ""), ("long", b"---\n" + b"- a\n" * 100000, ""),
            ("keys", b"---\n? [a, b]\n: c\n? {d: e}\n: f\n---\n", "")):
        name = "card-" + name
        case("folder: README.md, %s" % name.split("-", 1)[1], name,
             {name + "/" + k: v for k, v in b.moe(readme=readme).items()}, regex, to="gguf", may_pass=True)
    good = b.sentencepiece()
    for name, data, regex in (
            ("empty", b"", "no pieces"), ("text", b"hello", "tokenizer.model"), ("cut", good[:-9], "tokenizer.model"),
            ("length-huge", b"\x0a" + b.varint(2**63), "are left"), ("length-over", b"\x0a\xff" * 6, "64 bits|left"),
            ("varint-endless", b"\x80" * 4000, "64 bits"), ("group", b"\x0b" + good, "form"), ("field-zero", b"\0\0" + good, "field 0"),
            ("piece-number", b.field(1, 7) + good, "form"), ("score-number", good + b.field(1, b.field(2, 7)), "score"),
            ("pieces-many", good + b.piece(b"x") * 2, "twice"), ("pieces-flood", good + b.field(1, b"") * 100000, "piece 3"),
            ("rows", good + b"".join(b.piece(b"%d" % i) for i in range(100000)), "more pieces than the embedding"),
            ("kind", good + b.piece(b"x", kind=2**40), "kind"), ("text-bytes", good + b.piece(b"\xff\xfe"), "UTF-8"),
            ("score-nan", good + b.piece(b"x", float("nan")), "finite"), ("unigram", b.sentencepiece(algorithm=1), "unigram"),
            ("algorithm", b.sentencepiece(algorithm=2**64 - 1), "unknown algorithm"),
            ("no-unknown", b.sentencepiece(unknown=0), "unknown"), ("table", b.sentencepiece(table=b"x" * 100), "table")):
        name = "spm-" + name
        files = {name + "/" + k: v for k, v in b.folder().items() if "tokenizer" not in k}
        files[name + "/tokenizer.model"] = data
        case("folder: tokenizer.model, %s" % name.split("-", 1)[1], name, files, regex, to="gguf", inspect_may_pass=True)


# --- MLX ---------------------------------------------------------------------------------------------


def mlx_cases():
    def folder(name, klass, regex, said=None, text=None, **tensors):
        config = {"model_type": "x", "quantization": {"group_size": 64, "bits": 4, **(said or {})}}
        sizes = {"U32": 4, "F16": 2, "U8": 1}
        weights = {k.replace("__", "."): (d, s, bytes(sizes[d] * (0 if 0 in s else math.prod(s)))) for k, (d, s) in tensors.items()}
        case("mlx: " + klass, name, {name + "/config.json": text or json.dumps(config).encode(),
                                     name + "/model.safetensors": b.safetensors(weights, {"format": "mlx"})}, regex)

    good = {"x__weight": ("U32", [2, 8]), "x__scales": ("F16", [2, 1]), "x__biases": ("F16", [2, 1])}
    folder("mlx-rows", "fewer rows of scales than of codes", "do not fit", **{**good, "x__scales": ("F16", [1, 1]), "x__biases": ("F16", [1, 1])})
    folder("mlx-wrap", "a row of codes whose length wraps around", "do not fit|too large|64 bits",
           x__weight=("U32", [0, 2**61]), x__scales=("F16", [0, 2**58]), x__biases=("F16", [0, 2**58]))
    folder("mlx-bits", "a number of bits that no type has", "7 bits", {"bits": 7}, **good)
    folder("mlx-huge", "bits beyond every number", "1 to 1024", {"bits": 2**62}, **good)
    folder("mlx-group", "groups of nothing", "1 to 1024", {"group_size": 0}, **good)
    folder("mlx-mode", "a mode with control bytes", "mode", {"mode": "a\x1b[31m\n"}, **good)
    folder("mlx-depth", "quantization nested deep", "nest|deep|JSON",
           text=b'{"quantization":{"group_size":64,"x":' + b'{"a":' * 100000 + b"1" + b"}" * 100001 + b"}", **good)
    folder("mlx-experts", "a stack of more experts than any model has", "4097 experts|experts, expected",
           **{"m__block_sparse_moe__switch_mlp__gate_proj__weight": ("F16", [4097, 1, 1])})
    folder("mlx-flat", "a stack that is none", "not a stack", **{"m__block_sparse_moe__switch_mlp__gate_proj__weight": ("F16", [4, 4])})
    folder("mlx-twice", "an expert beside the stack that has it", "twice",
           **{"m__block_sparse_moe__switch_mlp__gate_proj__weight": ("F16", [2, 2, 2]),
              "m__block_sparse_moe__experts__1__w1__weight": ("F16", [2, 2])})
    folder("mlx-towers", "a model with towers", "towers", **{"language_model__x__weight": ("F16", [2, 2])})


# --- a GGUF that is to become a folder ---------------------------------------------------------------


def back_cases():
    t = "tokenizer.ggml."

    def back(name, data, regex):
        case("GGUF to a folder: " + name, "back-%s.gguf" % name, data, regex, to="hf/", inspect_may_pass=True)

    def tokens(*texts):
        return b.strings(t + "tokens", texts)

    back("rows", b.family(rows=3), "4 tokens, but the embedding has 3 rows")
    back("kinds-few", b.family(kinds=b.numbers(t + "token_type", b.I32, "i", [1, 1])), "2 elements for 4 tokens")
    back("kinds-odd", b.family(kinds=b.numbers(t + "token_type", b.I32, "i", [1, 1, 1, -1])), "kind -1")
    back("kinds-text", b.family(kinds=b.strings(t + "token_type", ["a"] * 4)), "no array of i32")
    back("text-bytes", b.family(tokens=tokens("a", "b", "ab", b"\xff\xfe")), "token 3 is not valid UTF-8")
    back("text-nul", b.family(tokens=tokens("a", "b", "ab", "x\0y")), "token 3 is not valid UTF-8, or holds a NUL")
    back("text-twice", b.family(tokens=tokens("a", "b", "ab", "ab")), "tokens 2 and 3 are both ab")
    back("merge-stranger", b.family(more=b.strings(t + "merges", ["a c"])), "merge 0 .a c. is not of tokens")
    back("merge-single", b.family(more=b.strings(t + "merges", ["ab"])), "merge 0 .ab. is no pair")
    back("merge-long", b.family(more=b.strings(t + "merges", ["a " + "b" * 3000])), "no pair of at most")
    back("merge-none", b.family(more=b""), "merges is missing")
    back("special-far", b.family(unk=b.key(t + "unknown_token_id", b.U32, 2**32 - 1)), "there are 4 tokens")
    back("special-text", b.family(unk=b.key(t + "unknown_token_id", b.STRING, "0")), "no token id")
    back("model-none", b.family(model=b""), "tokenizer.ggml.model")
    back("pre-none", b.family(pre=b""), "pre-tokenizer")
    back("pre-nul", b.family(pre=b.key(t + "pre", b.STRING, "gpt\0-4o")), "no text")
    back("templates", b.family(**{"c%d" % i: b.key("tokenizer.chat_template.n%d" % i, b.STRING, "x") for i in range(65)}),
         "more than 64 chat templates")
    back("spm-scores", b.family(spm=True, more=b""), "scores is missing")
    back("spm-nan", b.family(spm=True, more=b.numbers(t + "scores", b.F32, "f", [0.0] * 261 + [float("nan")])), "finite score")
    back("spm-bytes", b.family(spm=True, tokens=tokens(*["t%d" % i for i in range(262)]),
                               kinds=b.numbers(t + "token_type", b.I32, "i", [1] * 262)), "0 tokens for bytes")
    back("spm-unknown", b.family(spm=True, unk=b""), "unknown_token_id is missing")
    back("factors-one", b.family(infos=[("rope_factors_long.weight", [8])]), "rope_factors_short.weight is missing")
    back("factors-long", b.family(infos=[("rope_factors_long.weight", [9]), ("rope_factors_short.weight", [9])]), "shape .9.")
    back("head", b.family(infos=[("output.weight", [32, 5])]), "shape .5, 32.")
    back("parts", b.family(infos=[("blk.0.attn_q.weight", [32, 32])]), "attn_q|q_proj")
    back("stranger", b.family(infos=[("blk.0.exps.weight", [32, 32])]), "no such tensor")
    back("layers", b.family(block_count=b.key("phi3.block_count", b.U32, 2**20)), "missing")
    back("heads", b.family(**{"attention.head_count": b.key("phi3.attention.head_count", b.U32, 2**19)}), "heads")
    back("kept-climbs", b.family(x=b.key("phi.file.../../x.json", b.STRING, "{}")), "not the name of a side file")
    back("kept-runs", b.family(x=b.key("phi.file.modeling.py", b.STRING, "x")), "not the name of a side file")
    back("kept-number", b.family(x=b.key("phi.file.config.json", b.U32, 1)), "neither a string nor bytes")
    back("kept-cut", b.family(x=b.key("phi.file.config.json", b.STRING, "{")), "JSON")
    back("kept-empty", b.family(x=b.key("phi.file.config.json", b.STRING, "{}")), "not of a phi3 model")
    back("kept-types", b.family(x=b.strings("phi.tensor_types", ["Q4_K model.norm.weight"])), "names no type of a checkpoint")


# --- tar, stream, zstd -------------------------------------------------------------------------------


def tar_cases():
    files = sorted(b.folder().items())
    good = b.tar(files)

    def tarred(name, klass, data, regex, **options):
        case("tar: " + klass, name + ".tar", data, regex, **options)

    def with_(*entries):
        return b"".join(b.tar_entry(*e) if isinstance(e, tuple) else e for e in entries) + good

    for name, path in (("climb", "../evil.json"), ("absolute", "/etc/evil.json"), ("middle", "a/../../evil.json"),
                       ("empty", ""), ("dotdot", "..")):
        tarred("tar-" + name, "an entry that climbs", with_((path, b"{}")), "", may_pass=True)
    for kind, klass in ((b"1", "a hard link"), (b"2", "a symbolic link"), (b"3", "a character device"), (b"4", "a block device"),
                        (b"6", "a FIFO"), (b"S", "a sparse file"), (b"M", "a continued volume")):
        body = [("config.json", b"", kind, b"/etc/passwd")] + [f for f in files if f[0] != "config.json"]
        tarred("tar-kind-" + kind.decode(), klass, b"".join(b.tar_entry(*e) for e in body) + bytes(1024), "", may_pass=True,
               has="config.json")
    tarred("tar-size-negative", "a negative size", b.tar_entry("config.json", b"", size=b"-0000000001\0") + good, "")
    tarred("tar-size-huge", "a size of 2^63", b.tar_entry("config.json", b"", size=b"\x80\0\0\0\x7f" + b"\xff" * 7) + good, "")
    tarred("tar-size-all", "a size of base 256, all ones", b.tar_entry("config.json", b"", size=b"\xff" * 12) + good, "")
    tarred("tar-checksum", "a wrong checksum", b.tar_entry("config.json", b"{}", checksum=1) + good, "")
    tarred("tar-twice", "a member twice", with_(("config.json", b"{}")), "config.json")
    tarred("tar-cut", "cut in a member", good[:9000], "")
    tarred("tar-empty", "no members", b.tar_entry("x", b"y") + bytes(1024), "")
    pax = b"%d path=%s\n" % (len(b"../evil.json") + 9, b"../evil.json")
    tarred("tar-pax-path", "a pax path that climbs", b.tar_entry("x", pax, b"x") + good, "", may_pass=True)
    tarred("tar-pax-broken", "a pax record without length", b.tar_entry("x", b"path=zzz\n", b"x") + good, "", may_pass=True)
    tarred("tar-pax-huge", "a pax record longer than its header", b.tar_entry("x", b"99999999 path=z\n", b"x") + good, "",
           may_pass=True)
    tarred("tar-long-name", "a name of a megabyte", b.tar_entry("././@LongLink", b"a" * (1 << 20), b"L") + good, "", may_pass=True)
    tarred("tar-index", "an index that climbs, within a tar",
           b.tar([("model.safetensors.index.json", b.index({"a": "../x.safetensors"}))] + list(b.sharded().items())[:2]), "")


def stream_cases(stream, zstd):
    """stream, zstd: what phi-repack writes of the tiny folder; bytes."""
    def streamed(name, klass, data, regex, **options):
        case("stream: " + klass, name + ".tar", data, regex, **options)

    members, at = [], 0
    while stream[at:at + 1] not in (b"", b"\0"):
        name = stream[at:at + 100].rstrip(b"\0").decode()
        size = int(stream[at + 124:at + 135], 8)
        members.append((name, stream[at + 512:at + 512 + size]))
        at += 512 + (size + 511) // 512 * 512
    byname = dict(members)

    def again(changes=(), order=None, drop=()):
        m = dict(byname, **dict(changes))
        return b.tar([(n, m[n]) for n in (order or [n for n, _ in members]) if n not in drop])

    # A tar put together here is a stream as well as the tool's own.
    streamed("stream-good", "none: the stream itself", again(), "", must_pass=True)
    model = json.loads(byname["model.json"])
    weights = byname["model.safetensors"]

    def changed(**fields):
        return {"model.json": json.dumps(dict(model, **fields)).encode()}

    names = list(model["tensors"])
    streamed("stream-digest", "one bit of a weight", again({"model.safetensors": weights[:-1] + bytes([weights[-1] ^ 1])}),
             "digest|%s" % names[-1])
    streamed("stream-side", "one bit of a side file", again({"config.json": byname["config.json"].replace(b"silu", b"sIlu")}),
             "config.json")
    streamed("stream-no-end", "no digests", again(drop=("model.xxh3",)), "model.xxh3|end|cut")
    streamed("stream-no-weights", "no weights", again(drop=("model.safetensors",)), "")
    streamed("stream-no-side", "a side file that is missing", again(drop=("config.json",)), "model.xxh3")
    streamed("stream-more", "a member after the digests", again()[:-1024] + b.tar([("more.json", b"{}")]), "", may_pass=True)
    streamed("stream-order", "weights first", again(order=["model.safetensors"] + [n for n, _ in members if n !=
                                                                                  "model.safetensors"]), "",
             may_pass=True)
    streamed("stream-schema", "a schema from the future", again(changed(schema=99)), "99|schema")
    streamed("stream-schema-text", "a schema that is a text", again(changed(schema="1")), "schema")
    streamed("stream-view", "an unknown view", again(changed(view="martian")), "", may_pass=True)
    streamed("stream-tensors-list", "tensors that are a list", again(changed(tensors=[])), "model.json")
    for name, change, klass in (("type", {"type": "Q99"}, "an unknown type"), ("shape", {"shape": [2**40, 2**40]}, "a shape that wraps"),
                                ("negative", {"shape": [-1]}, "a negative shape"), ("alias", {"alias": "zzz"}, "an alias of nothing"),
                                ("self", {"alias": names[0]}, "an alias of itself"), ("other", {"shape": [1, 1]}, "a shape unlike the header's")):
        tensors = dict(model["tensors"])
        tensors[names[0]] = dict(tensors[names[0]], **change)
        streamed("stream-" + name, klass, again(changed(tensors=tensors)), "")
    streamed("stream-metadata", "a value of an unknown kind", again(changed(metadata={"a": ["u128", 1]})), "")
    streamed("stream-metadata-range", "a value that does not fit", again(changed(metadata={"a": ["u8", 256]})), "")
    streamed("stream-deep", "model.json nested 100,000 deep", again({"model.json": b'{"a":' * 100000}), "nested")
    streamed("stream-garbage", "model.json that is none", again({"model.json": b"hello"}), "model.json")
    for n in (1, 511, 512, 513, 2000, len(stream) // 2, at - 513, at - 512):
        streamed("stream-cut-%d" % n, "cut", stream[:n], "")
    if zstd:
        def z(name, klass, data, regex, **options):
            case("zstd: " + klass, name + ".zst", data, regex, **options)
        for n in (3, 5, 20, len(zstd) // 2, len(zstd) - 1):
            z("zstd-cut-%d" % n, "cut", zstd[:n], "")
        z("zstd-bit", "one bit", patch(zstd, len(zstd) // 2, bytes([zstd[len(zstd) // 2] ^ 4])), "")
        z("zstd-checksum", "a wrong checksum", patch(zstd, len(zstd) - 2, bytes([zstd[-2] ^ 1])), "")
        z("zstd-after", "garbage behind the frame", zstd + b"garbage!", "")
        # Magic, descriptor 0 (window follows), window of 2^41: exponent 31 of 2^(10+e).
        z("zstd-window", "a window of 2 TiB", b"\x28\xb5\x2f\xfd\0\xf8" + bytes(20), "window|memory")
        z("zstd-dictionary", "a dictionary", b"\x28\xb5\x2f\xfd\x03" + b"\x58" + struct.pack("<I", 77) + bytes(20), "")
        # Blocks of one repeated byte: 128 KiB of zeros out of 4 bytes, last one flagged.
        z("zstd-bomb", "zeros without end", b"\x28\xb5\x2f\xfd\0\x58" + (struct.pack("<I", (1 << 17) << 3 | 2)[:3] + b"\0") * 20000 +
          struct.pack("<I", 1 << 3 | 3)[:3] + b"\0", "")


def genai_cases():
    g = b.genai

    def folder(name, klass, regex, settings=None, files=None, **changes):
        made = {**g.folder(settings, **changes), **(files or {})}
        case("GenAI: " + klass, name, {f"{name}/{k}": v for k, v in made.items()}, regex)

    def weights(name, klass, regex, **changes):
        folder("genai-" + name, klass, regex, weights=g.initializers(**changes))

    def decoder(name, klass, regex, **changes):
        folder("genai-" + name, klass, regex, g.config(**changes))

    decoder("climb", "a decoder outside of the folder", "not in this folder", filename="../genai-climb/model.onnx")
    decoder("below", "a decoder beneath the folder", "not in this folder", filename="onnx/model.onnx")
    decoder("absolute", "a decoder by an absolute name", "not in this folder", filename="/etc/passwd")
    decoder("self", "genai_config.json as the decoder", "genai_config.json", filename="genai_config.json")
    decoder("gone", "a decoder that is not there", "is missing", filename="other.onnx")
    decoder("escape", "a name with control bytes", "is missing", filename="a\x1b[31m\n")
    decoder("heads", "heads beyond every number", "num_attention_heads", num_attention_heads=2**62)
    decoder("none", "no heads", "num_key_value_heads", num_key_value_heads=0)
    decoder("size", "heads of another size", "self_attn|hidden|head", head_size=64, num_attention_heads=3)
    folder("genai-link", "a decoder that is a link out of the folder", "", files={"model.onnx": ("link", "/etc/passwd")})
    folder("genai-text", "settings that are no JSON", "JSON", b"{")
    folder("genai-deep", "settings nested deep", "nest|deep|JSON", b'{"model":' * 5000)
    folder("genai-type", "a model of no known family", "no known family", {**g.config(), "model": {**g.config()["model"], "type": "\x1b]0;"}})
    folder("genai-context", "a context that is no number", "context_length",
           {**g.config(), "model": {**g.config()["model"], "context_length": "many"}})
    folder("genai-turned", "attention that rotates neighbours", "rotary_interleaved", interleaved=1)
    folder("genai-epsilon", "norms of no epsilon", "epsilon", epsilon=float("nan"))
    folder("genai-bytes", "a decoder of no bytes", "empty|no model|graph|message", files={"model.onnx": b""})
    name = "model.layers.0.mlp.up_proj.MatMul.weight"
    weights("rows", "gate and up of different rows", "gate_up_proj", **{name: ([g.HIDDEN, 4], g.values(g.HIDDEN * 4, 1))})
    weights("columns", "gate and up of different columns", "does not fit", **{name: ([8, g.FFN], g.values(8 * g.FFN, 1))})
    weights("rank", "a matrix that is a vector", "", **{name: ([8], g.values(8, 1))})
    weights("lost", "gate without up", "up_proj", **{name: None})
    weights("both", "a weight under two names", "twice", **{"model.layers.0.self_attn.o_proj.weight": ([16, 16], g.values(256, 1))})
    weights("qkv", "one matrix of queries, keys and values with too few rows", "qkv_proj",
            **{"model.layers.0.attn.qkv_proj.MatMul.weight": ([g.HIDDEN, 24], g.values(g.HIDDEN * 24, 1))})
    weights("layers", "layers up to a million", "missing", **{"model.layers.999999.input_layernorm.weight": ([16], g.values(16, 1))})
    weights("no-rope", "no rope caches", "rope caches", cos_cache=None)
    weights("rope-nan", "rope caches with NaN", "cos_cache|sin_cache", sin_cache=([64, 4], struct.pack("<f", math.nan) * 256))
    weights("rope-flat", "rope caches that do not turn", "sin_cache|cos_cache", sin_cache=([64, 4], bytes(1024)))
    weights("rope-noise", "rope caches of other numbers", "cos_cache", sin_cache=([64, 4], g.values(256, 3)))
    weights("rope-sizes", "caches of two sizes", "cos_cache", sin_cache=([32, 4], g.values(128, 3)))
    weights("rope-theta", "frequencies of no theta", "theta", cos_cache=([64, 4], g.cache(math.cos, factor=1.5)),
            sin_cache=([64, 4], g.cache(math.sin, factor=1.5)))


def all_cases(stream=None, zstd=None):
    safetensors_cases()
    gguf_cases()
    back_cases()
    pytorch_cases()
    numpy_cases()
    onnx_cases()
    quant_cases()
    folder_cases()
    mlx_cases()
    genai_cases()
    tar_cases()
    if stream:
        stream_cases(stream, zstd)
    return CASES


def put(root, files):
    """Makes a case's files beneath root."""
    for path, content in files.items():
        at = os.path.join(root, path)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        if os.path.lexists(at):
            continue
        if isinstance(content, bytes):
            with open(at, "wb") as f:
                f.write(content)
        elif content[0] == "link":
            os.symlink(content[1], at)
        elif content[0] == "fifo":
            os.mkfifo(at)
        elif content[0] == "folder":
            os.makedirs(at)
        elif content[0] == "sparse":
            with open(at, "wb") as f:
                f.write(content[1])
                f.truncate(content[2])
