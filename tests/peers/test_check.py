#!/usr/bin/env python3
"""phi-inspect --check against libllama: of files broken one way each, what libllama refuses has a finding,
and what it loads is not called unreadable. Each load runs in a child: some end in an assertion."""
import json
import os
import struct
import subprocess

import peers
from convert import convert
import ggml
import numpy as np

import gguf


def loads(path):
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        lib = ggml.llama()
        params = lib.llama_model_default_params()
        params.check_tensors = True
        os._exit(0 if lib.llama_model_load_from_file(str(path).encode(), params) else 1)
    return os.waitpid(child, 0)[1] == 0


def rewrite(source, out, keys=None, drop=(), tensors=None, gap=0, extra=()):
    """A copy through gguf-py with keys left out or replaced, tensors changed, dropped or added."""
    reader = gguf.GGUFReader(source)
    arch = reader.fields["general.architecture"].contents()
    w = gguf.GGUFWriter(str(out), arch)
    if "general.architecture" in drop:
        w.kv_data[0].clear()
    keys = keys or {}
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in drop or name == "general.architecture":
            continue
        kind = field.types[0]
        value, kind, sub = keys[name] if name in keys else (
            field.contents(), kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
        w.add_key_value(name, value, kind, sub)
    for name, (value, kind, sub) in keys.items():
        if name not in reader.fields:
            w.add_key_value(name, value, kind, sub)
    for t in reader.tensors:
        if t.name in drop:
            continue
        data = np.array(t.data)
        data = tensors[t.name](data) if tensors and t.name in tensors else data
        w.add_tensor(t.name, data, raw_dtype=t.tensor_type)
    for name, data in extra:
        w.add_tensor(name, data)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return out


def rules(path):
    out = subprocess.run([peers.TOOLS / "phi-inspect", "--check", "--json", path], capture_output=True)
    found = json.loads(out.stdout)["findings"]
    return out.returncode, [f["rule"] for f in found if f["severity"] == "invalid"]


def poke(source, out, at, data):
    b = bytearray(source.read_bytes())
    b[at:at + len(data)] = data
    out.write_bytes(b)
    return out


def entry_end(reader, index):
    field = reader.tensors[index].field
    return field.offset + sum(int(p.nbytes) for p in field.parts)


def nan_at(i):
    def change(data):
        flat = data.reshape(-1)
        flat[i] = np.nan
        return data
    return change


U32, I32, F32, STR, ARR = (getattr(gguf.GGUFValueType, n) for n in ("UINT32", "INT32", "FLOAT32", "STRING", "ARRAY"))
tmp = peers.scratch()
good = convert(peers.ROOT / "fixtures" / "phi-tiny", tmp / "good.gguf", "f16")
q8 = tmp / "q8.gguf"
ggml.quantize_file(good, q8, "q8_0", pure=False)
reader = gguf.GGUFReader(good)
tokens = reader.fields["tokenizer.ggml.tokens"].contents()
types = reader.fields["tokenizer.ggml.token_type"].contents()
out = tmp / "bad.gguf"
first = entry_end(reader, 0)
second = entry_end(reader, 1)
offset1 = struct.unpack("<Q", good.read_bytes()[second - 8:second])[0]
peers.check(rules(good) == (0, []) and loads(good), "a good file: nothing found, libllama loads it")
peers.check(rules(q8) == (0, []) and loads(q8), "a quantized one, too")

# what, the file, the rule, does libllama load it?
CASES = (
    ("the first two tensors' data exchanged", lambda: poke(poke(good, out, first - 8, struct.pack("<Q", offset1)), out,
                                                          second - 8, bytes(8)), "gguf.offset", False),
    ("no architecture", lambda: rewrite(good, out, drop=["general.architecture"]), "gguf.architecture", False),
    ("one token fewer", lambda: rewrite(good, out, {"tokenizer.ggml.tokens": (tokens[:-1], ARR, STR),
                                                    "tokenizer.ggml.token_type": (types[:-1], ARR, I32)}),
     "gguf.token-count", False),
    ("a token twice", lambda: rewrite(good, out, {
        "tokenizer.ggml.tokens": (tokens[:5] + [tokens[4]] + tokens[6:], ARR, STR)}),
     "gguf.token-double", False),
    ("types for some tokens", lambda: rewrite(good, out, {"tokenizer.ggml.token_type": (types[:-3], ARR, I32)}),
     "gguf.token-lists", False),
    ("bos beyond the tokens", lambda: rewrite(good, out, {"tokenizer.ggml.bos_token_id": (4000, U32, None)}),
     "gguf.special-token", True),
    ("a tensor missing", lambda: rewrite(good, out, drop=["blk.1.ffn_down.weight"]), "model.tensors", False),
    ("a tensor too many", lambda: rewrite(good, out, extra=[("blk.0.odd.weight", np.zeros((2, 2), np.float32))]),
     "model.tensors", False),
    ("a key missing", lambda: rewrite(good, out, drop=["phi3.embedding_length"]), "model.configuration", False),
    ("split.count of another kind", lambda: rewrite(good, out, {"split.count": (1, U32, None)}), "gguf.key-kind", False),
    ("NaN", lambda: rewrite(good, out, tensors={"token_embd.weight": nan_at(77)}), "weights.not-finite", False),
    ("infinity in a norm", lambda: rewrite(good, out, tensors={"output_norm.weight": lambda d: d * np.float32(np.inf)}),
     "weights.not-finite", False),
    ("a block's scale", lambda: rewrite(q8, out, tensors={"blk.0.ffn_up.weight": lambda d: (
        d.reshape(-1).__setitem__(slice(34 * 5, 34 * 5 + 2), [0, 0x7c]), d)[1]}), "weights.not-finite", False),
    ("32 bytes behind", lambda: (out.write_bytes(good.read_bytes() + bytes(32)), out)[1], "gguf.trailing", True),
    ("padding not zero", lambda: poke(good, out, reader.data_offset - 1, b"x"), "gguf.padding", True),
)
for what, make, rule, expected in CASES:
    path = make()
    status, found = rules(path)
    loaded = loads(path)
    peers.check(status == 1 and rule in found, f"{what}: {rule}", f"status {status}, found {found}")
    peers.check(loaded == expected, f"{what}: libllama {'loads' if expected else 'refuses'} it")

# The container's own rules, by libllama's own quantizer: it pads by 32 whatever general.alignment says.
peers.tool("phi-repack", good, "--set", "general.alignment=4", "-o", tmp / "four.gguf")
shifts = 0
for n in range(32):
    peers.tool("phi-repack", tmp / "four.gguf", "--set", "x=" + "y" * n, "-o", tmp / "in.gguf", "--force")
    ggml.quantize_file(tmp / "in.gguf", out, "f32")
    status, found = rules(out)
    end = json.loads(peers.tool("phi-inspect", "--layout", "--json", out))[0]["size"]
    moved = -end % 32 - -end % 4
    shifts += moved != 0
    if ("gguf.shift" in found) != (moved != 0):
        peers.check(False, f"alignment 4, header of {end} bytes: shifted by {moved}, found {found}")
peers.check(shifts > 0, f"llama_model_quantize of alignment 4: {shifts} of 32 files shifted, each noticed")
peers.finish()
