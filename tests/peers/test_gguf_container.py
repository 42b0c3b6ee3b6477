#!/usr/bin/env python3
"""GGUF against gguf-py and libllama: files they write come back byte for byte, big-endian ones as
their little-endian twins, and a file of ours is quantized by llama_model_quantize as its source is."""
import contextlib
import io
import subprocess
from unittest import mock

import peers
from convert import convert
import ggml
import numpy as np

import gguf
from gguf.scripts import gguf_convert_endian as script

KEYS = ["general.architecture", "u8", "i8", "u16", "i16", "u32", "i32", "f32", "u64", "i64", "f64", "yes", "text",
        "words", "numbers", "floats", "flags"]


def write(path, endian=gguf.GGUFEndian.LITTLE, alignment=None, **split):
    """A file with every kind of value and every plain type, as gguf-py's writer makes it."""
    w = gguf.GGUFWriter(str(path), "phi3", endianess=endian, **split)
    if alignment:
        w.add_custom_alignment(alignment)
    for kind, value in (("uint8", 200), ("int8", -100), ("uint16", 60000), ("int16", -30000), ("uint32", 4000000000),
                        ("int32", -2000000000), ("float32", 0.1), ("uint64", 2**64 - 1), ("int64", -2**63),
                        ("float64", 0.1), ("bool", True)):
        getattr(w, f"add_{kind}")({"bool": "yes"}.get(kind, kind.replace("uint", "u").replace("int", "i")
                                                      .replace("float", "f")), value)
    w.add_string("text", "näh\n\x00\x1b[0m")
    w.add_array("words", ["one", "", "d\x00t", "▁▁"])
    w.add_array("numbers", list(range(-5, 500)))
    w.add_array("floats", [0.5, -1.25, 3e38])
    w.add_array("flags", [True, False, True])
    rng = np.random.default_rng(1)
    for name, dtype, shape in (("scalar", np.float32, (1,)), ("token_embd.weight", np.float16, (7, 64)),
                               ("blk.0.attn_norm.weight", np.float32, (33,)), ("blk.0.ids", np.int32, (3, 5)),
                               ("blk.0.deep", np.float64, (2, 3, 4, 5)), ("blk.0.bytes", np.int8, (1, 9)),
                               ("blk.0.wide", np.int64, (2, 1)), ("blk.0.short", np.int16, (4,))):
        w.add_tensor(name, (rng.standard_normal(shape) * 50).astype(dtype))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_blocks(path):
    """Every block type that gguf-py knows, from bytes of any value: they are only copied."""
    w = gguf.GGUFWriter(str(path), "phi3")
    rng = np.random.default_rng(2)
    for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
        if block > 1 and kind.name != "Q8_1":  # gguf-py counts 40 bytes for it, ggml 36
            data = rng.integers(0, 256, (3, 2 * size * 256 // block), dtype=np.uint8)
            w.add_tensor(f"blk.0.{kind.name.lower()}.weight", data, raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def repack(source, out):
    peers.tool("phi-repack", source, "-o", out, "--force")
    return out.read_bytes()


def identical(tmp):
    for name, make in (("plain", lambda p: write(p)), ("aligned 256", lambda p: write(p, alignment=256)),
                       ("blocks", write_blocks)):
        path = tmp / "ref.gguf"
        make(path)
        expected = path.read_bytes()
        peers.check(repack(path, tmp / "out.gguf") == expected, f"{name}: the same bytes back")
        piped = subprocess.run([peers.TOOLS / "phi-repack", "-f", "gguf"], input=expected, capture_output=True)
        peers.check(piped.stdout == expected, f"{name}: the same bytes through a pipe", piped.stderr.decode())
    big, little = tmp / "big.gguf", tmp / "little.gguf"
    write(big, gguf.GGUFEndian.BIG)
    write(little)
    peers.check(repack(big, tmp / "out.gguf") == little.read_bytes(), "big-endian comes out little-endian")


def parts(tmp):
    """A model in several files comes out as the one file that the writer makes without cutting."""
    write(tmp / "ref.gguf")
    for name, split in (("3 tensors", {"split_max_tensors": 3}), ("700 bytes", {"split_max_size": 700}),
                        ("1 tensor, the first without", {"split_max_tensors": 1, "small_first_shard": True})):
        for old in tmp.glob("cut-*"):
            old.unlink()
        write(tmp / "cut.gguf", **split)
        first = sorted(tmp.glob("cut-*"))[0]
        peers.check(repack(first, tmp / "out.gguf") == (tmp / "ref.gguf").read_bytes(),
                    f"{len(list(tmp.glob('cut-*')))} parts of {name} come out whole")
        repack(sorted(tmp.glob("cut-*"))[1], tmp / "out.gguf")
        peers.check((tmp / "out.gguf").read_bytes() == sorted(tmp.glob("cut-*"))[1].read_bytes(),
                    "a part that is not the first stays what it is")
    sorted(tmp.glob("cut-*"))[-1].unlink()
    peers.tool("phi-repack", first, "-o", tmp / "out.gguf", "--force", status=2)
    peers.check(True, "a missing part is an error")


def cut(tmp):
    """Parts of a size are those that gguf-py's writer cuts; libllama opens them by the first."""
    for size, alignment in ((700, None), (1, None), (1 << 20, None), (300, 64)):
        for old in [*tmp.glob("cut*"), *tmp.glob("ours*")]:
            old.unlink()
        write(tmp / "ref.gguf", alignment=alignment)
        write(tmp / "cut.gguf", alignment=alignment, split_max_size=size)
        peers.tool("phi-repack", "--split-size", size, tmp / "ref.gguf", "-o", tmp / "ours.gguf")
        theirs, ours = sorted(tmp.glob("cut*")), sorted(tmp.glob("ours*"))
        same = [p.name[3:] for p in theirs] == [p.name[4:] for p in ours]
        if not alignment:  # gguf-py leaves general.alignment out of the later parts, and so cannot read them
            same = same and all(a.read_bytes() == b.read_bytes() for a, b in zip(theirs, ours))
        else:
            same = same and all(gguf.GGUFReader(p).alignment == alignment for p in ours)
        peers.check(same, f"parts of {size} bytes, alignment {alignment or 32}: {len(ours)} as gguf-py's")
        peers.check(repack(ours[0], tmp / "out.gguf") == (tmp / "ref.gguf").read_bytes(), "and whole again")
    model = convert(peers.ROOT / "fixtures" / "phi-tiny", tmp / "tiny.gguf", "f32")
    want = ggml.Model(model).logits([1, 2, 3])
    for option, value in (("--split-count", 4), ("--split-count", 16), ("--split-size", "1M")):
        peers.tool("phi-repack", option, value, model, "-o", tmp / "t.gguf")
        first = next(tmp.glob("t-00001-of-*"))
        peers.check(np.array_equal(ggml.Model(first).logits([1, 2, 3]), want),
                    f"{option} {value}: libllama's logits of {len(list(tmp.glob('t-*')))} parts are the whole's")
        peers.tool("phi-repack", first, "-o", tmp / "whole.gguf", "--force")
        peers.check((tmp / "whole.gguf").read_bytes() == model.read_bytes(), "and whole again")
        for old in tmp.glob("t-*"):
            old.unlink()


# Numbers wider than a byte within a block, as ggml's structs have them: offset, width, count.
WIDE = {"Q4_0": [(0, 2, 1)], "Q4_1": [(0, 2, 2)], "Q5_0": [(0, 2, 1), (2, 4, 1)], "Q5_1": [(0, 2, 2), (4, 4, 1)],
        "Q8_0": [(0, 2, 1)], "Q2_K": [(80, 2, 2)], "Q3_K": [(108, 2, 1)], "Q4_K": [(0, 2, 2)], "Q5_K": [(0, 2, 2)],
        "Q6_K": [(208, 2, 1)], "Q8_K": [(0, 4, 1), (260, 2, 16)], "IQ2_XXS": [(0, 2, 1), (2, 4, 16)],
        "IQ2_XS": [(0, 2, 1), (2, 2, 32)], "IQ3_XXS": [(0, 2, 1), (66, 4, 8)], "IQ1_S": [(0, 2, 1), (34, 2, 8)],
        "IQ4_NL": [(0, 2, 1)], "IQ3_S": [(0, 2, 1)], "IQ2_S": [(0, 2, 1)], "IQ4_XS": [(0, 2, 1), (2, 2, 1)],
        "IQ1_M": [(48, 2, 4)], "TQ1_0": [(52, 2, 1)], "TQ2_0": [(64, 2, 1)], "MXFP4": [], "NVFP4": [],
        "Q1_0": [(0, 2, 1)], "Q2_0": [(0, 2, 1)]}


def swap_blocks(kind, data, size):
    rows = np.array(data, dtype=np.uint8).reshape(-1, size)
    for at, width, count in WIDE[kind]:
        field = rows[:, at:at + width * count]
        rows[:, at:at + width * count] = field.reshape(-1, count, width)[:, :, ::-1].reshape(-1, count * width)
    return rows.reshape(data.shape)


def big_blocks(tmp):
    """A big-endian file of block types comes out as its little-endian twin."""
    write_blocks(tmp / "little.gguf")
    w = gguf.GGUFWriter(str(tmp / "big.gguf"), "phi3", endianess=gguf.GGUFEndian.BIG)
    for t in gguf.GGUFReader(tmp / "little.gguf").tensors:
        size = gguf.GGML_QUANT_SIZES[t.tensor_type][1]
        w.add_tensor(t.name, swap_blocks(t.tensor_type.name, t.data, size), raw_dtype=t.tensor_type)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    peers.check(repack(tmp / "big.gguf", tmp / "out.gguf") == (tmp / "little.gguf").read_bytes(),
                "big-endian blocks come out little-endian")
    convert_endian(tmp)


def convert_endian(tmp):
    """The block types that gguf-py's own script swaps."""
    known = ["F32", "F16", "BF16", "Q4_0", "Q8_0", "Q4_K", "Q6_K", "MXFP4", "TQ2_0", "Q1_0"]
    rng = np.random.default_rng(4)
    w = gguf.GGUFWriter(str(tmp / "little.gguf"), "phi3")
    names = []
    for name in known:
        kind = getattr(gguf.GGMLQuantizationType, name, None)
        if kind is None:
            continue
        block, size = gguf.GGML_QUANT_SIZES[kind]
        names.append(name)
        w.add_tensor(f"{name}.weight", rng.integers(0, 256, (2, size * 512 // block), dtype=np.uint8), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    (tmp / "big.gguf").write_bytes((tmp / "little.gguf").read_bytes())
    reader = gguf.GGUFReader(tmp / "big.gguf", "r+")
    args = type("Args", (), {"order": "big", "dry_run": False, "verbose": False})
    said = io.StringIO()
    with mock.patch("builtins.input", return_value="YES"), contextlib.redirect_stderr(said), \
            contextlib.redirect_stdout(said):
        script.convert_byteorder(reader, args)
    del reader
    peers.check(repack(tmp / "big.gguf", tmp / "out.gguf") == (tmp / "little.gguf").read_bytes(),
                "what gguf_convert_endian made big-endian comes out little-endian: " + " ".join(names))


def read_alike(tmp):
    """What gguf-py reads of a file of ours whose source was not laid out as its writer would."""
    write(tmp / "ref.gguf")
    reader = gguf.GGUFReader(tmp / "ref.gguf")
    moved = bytearray((tmp / "ref.gguf").read_bytes())
    start = reader.data_offset
    # The first tensor goes to the end of the file: its offset, the last 8 bytes of its entry, then its data.
    first = reader.tensors[0]
    end = first.field.offset + sum(int(part.nbytes) for part in first.field.parts)
    moved[end - 8:end] = (len(moved) - start).to_bytes(8, "little")
    moved += first.data.tobytes() + bytes(-first.n_bytes % 32)
    (tmp / "moved.gguf").write_bytes(moved)
    peers.check(repack(tmp / "moved.gguf", tmp / "out.gguf") == (tmp / "ref.gguf").read_bytes(),
                "a file with its first tensor last is laid out in order again")
    back = gguf.GGUFReader(tmp / "out.gguf")
    peers.check([k for k in back.fields if not k.startswith("GGUF.")] == KEYS, "gguf-py reads the same keys")
    peers.check(all(np.array_equal(a.data, b.data) and a.name == b.name
                    for a, b in zip(reader.tensors, back.tensors, strict=True)), "gguf-py reads the same tensors")


def write_odd(path, dtype):
    """A decoder's tensors out of order, with shapes and names on both sides of what llama-quantize leaves
    alone, and keys that it moves."""
    w = gguf.GGUFWriter(str(path), "phi3")
    w.add_file_type(1)
    w.add_uint16("split.no", 0)
    w.add_quantization_version(2)
    w.add_uint16("split.count", 0)
    w.add_int32("split.tensors.count", 9)
    w.add_context_length(2048)
    w.add_embedding_length(64)
    w.add_block_count(12)
    w.add_feed_forward_length(128)
    w.add_head_count(4)
    w.add_head_count_kv(2)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(16)
    w.add_uint32("phi3.rope.scaling.original_context_length", 2048)
    w.add_uint32("phi3.attention.sliding_window", 0)
    w.add_tokenizer_model("no_vocab")
    w.add_vocab_size(64)
    rng = np.random.default_rng(3)
    shapes = {"output_norm.weight": (64,), "output.weight": (64, 64), "blk.x.weight": (2, 64), "blk.7": (2, 64),
              "token_embd.weight": (64, 64), "blk.7.zz": (2, 64), "BLK.1.weight": (2, 64), "seven": (2, 64)}
    for i in reversed(range(12)):
        shapes |= {f"blk.{i}.{n}": s for n, s in {
            "attn_qkv.weight": (128, 64), "attn_output.weight": (64, 64), "attn_norm.weight": (64,),
            "ffn_up.weight": (256, 64), "ffn_down.weight": (64, 128), "ffn_norm.weight": (64,),
            "odd.weight": (3, 40), "exps.weight": (2, 3, 64), "one.weight": (1, 64), "flat.weight": (1, 3, 64),
            "vector.weight": (64,), "ffn_gate_inp.weight": (4, 64), "attn_qkv.bias": (2, 64)}.items()}
    for name, shape in shapes.items():
        w.add_tensor(name, rng.standard_normal(shape).astype(np.float32 if "norm" in name else dtype))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def quantize(path, tmp):
    """phi-quant of a GGUF writes what llama-quantize writes."""
    for ftype, pure in (("q8_0", True), ("q4_0", True), ("q8_0", False), ("f16", False), ("bf16", False),
                        ("f32", False)):
        ggml.quantize_file(path, tmp / "ref.gguf", ftype, pure=pure)
        peers.tool("phi-quant", *(["--pure"] if pure else []), "-t", ftype, path, "-o", tmp / "out.gguf", "--force")
        difference = peers.first_difference(tmp / "ref.gguf", tmp / "out.gguf")
        peers.check(not difference, f"{path.stem} to {ftype}{' --pure' if pure else ''}: the file llama-quantize "
                    "writes", difference)


def quantized(tmp):
    """Odd files, and those of the converter."""
    for dtype in (np.float16, np.float32):
        path = tmp / f"odd-{dtype.__name__}.gguf"
        write_odd(path, dtype)
        quantize(path, tmp)
    for source in ("f32", "f16", "bf16", "q8_0"):
        path = tmp / f"{source}.gguf"
        convert(peers.ROOT / "fixtures" / "phi-tiny", path, source)
        peers.check(repack(path, tmp / "out.gguf") == path.read_bytes(), f"the converter's {source}: same bytes back")
        quantize(path, tmp)


tmp = peers.scratch()
identical(tmp)
parts(tmp)
cut(tmp)
big_blocks(tmp)
read_alike(tmp)
quantized(tmp)
peers.finish()
