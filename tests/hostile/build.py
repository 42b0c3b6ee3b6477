"""Small files of each format, put together byte by byte with the standard library alone: what the hostile
files of hostile.py and the fuzz seeds start from. Every function gives bytes (folder() a dict of them)."""
import io
import json
import struct
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))
from wire import field, varint  # noqa: E402,F401
import genai  # noqa: E402,F401
import onnx_file as onnx  # noqa: E402,F401

# --- safetensors: u64 length, JSON, data -------------------------------------------------------------


def safetensors_raw(text, data=b"", length=None):
    """A header as it stands (bytes), whatever it says."""
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def safetensors(tensors, metadata=None):
    """tensors: {name: (dtype, shape, bytes)}."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    return safetensors_raw(text + b" " * (-len(text) % 8), data)


def floats(n, start=0):
    return struct.pack("<%df" % n, *[((i + start) % 61) / 2 - 8 for i in range(n)])


def halves(n, start=0):
    return struct.pack("<%de" % n, *[((i + start) % 61) / 64 - 0.5 for i in range(n)])


def plain():
    return {"a.weight": ("F32", [4, 32], floats(128)), "a.bias": ("F32", [4], floats(4, 7)),
            "b": ("I8", [3], b"\1\2\xff")}


# --- imatrix, the older kind: entries, then chunks and data set ----------------------------------------


def imatrix(entries, chunks=None, dataset=b""):
    """entries: {name: (calls, values)}."""
    out = struct.pack("<i", len(entries))
    for name, (calls, values) in entries.items():
        out += struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", calls, len(values))
        out += struct.pack("<%df" % len(values), *values)
    return out if chunks is None else out + struct.pack("<ii", chunks, len(dataset)) + dataset


# --- GGUF: magic, version, counts, keys, tensor infos, padding, data ---------------------------------

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)


def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def key(name, kind, value):
    """One key; the value is packed already, or a number for U32, or a text for STRING."""
    if kind == STRING and not isinstance(value, bytes):
        value = text(value)
    if kind == U32 and isinstance(value, int):
        value = struct.pack("<I", value)
    return text(name) + struct.pack("<I", kind) + value


def info(name, dims, kind, offset, rank=None):
    return (text(name) + struct.pack("<I", len(dims) if rank is None else rank) +
            b"".join(struct.pack("<Q", d) for d in dims) + struct.pack("<IQ", kind, offset))


def gguf_raw(keys, infos, data=b"", nkeys=None, ninfos=None, version=3, align=32, magic=b"GGUF"):
    head = magic + struct.pack("<IQQ", version, len(infos) if ninfos is None else ninfos,
                               len(keys) if nkeys is None else nkeys) + b"".join(keys) + b"".join(infos)
    return head + b"\0" * (-len(head) % align) + data


def gguf():
    keys = [key("general.architecture", STRING, "phi3"), key("general.alignment", U32, 32),
            key("x.array", ARRAY, struct.pack("<IQ", STRING, 2) + text("one") + text("")),
            key("x.numbers", ARRAY, struct.pack("<IQ3f", F32, 3, 1, 2, 3))]
    infos = [info("token_embd.weight", [32, 2], 0, 0), info("blk.0.x", [32], 8, 256), info("n", [3], 24, 320)]
    return gguf_raw(keys, infos, floats(64) + struct.pack("<e32b", 0.5, *range(-16, 16)) + b"\0" * 30 +
                    b"\1\2\3" + b"\0" * 29)


# --- NumPy: magic, version, length, a literal of Python, data --------------------------------------------


def npy_raw(text, data=b"", version=1, minor=0, length=None):
    text = text if isinstance(text, bytes) else text.encode()
    length = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, minor]) + struct.pack("<H" if version == 1 else "<I", length) + text + data


def npy(descr, shape, data, fortran=False):
    return npy_raw(f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n", data)


def npz(method=zipfile.ZIP_STORED):
    return zip_([("a.npy", npy("<f4", (2, 3), floats(6))), ("b/0.npy", npy("|u1", (3,), b"\1\2\3"))], method)


# --- PyTorch: a stored zip with a pickle -------------------------------------------------------------

PICKLE_END = b"."


def unicode_(s):
    s = s.encode()
    return b"X" + struct.pack("<I", len(s)) + s


def glob(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def integer(n):
    if 0 <= n < 256:
        return b"K" + bytes([n])
    if -2**31 <= n < 2**31:
        return b"J" + struct.pack("<i", n)
    raw = n.to_bytes((n.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def tuple_(*items):
    return b"(" + b"".join(items) + b"t"


def storage(kind="FloatStorage", name="0", elements=6, location="cpu"):
    return tuple_(unicode_("storage"), glob("torch", kind), unicode_(name), unicode_(location),
                  integer(elements)) + b"Q"


def tensor(where, offset=0, size=(2, 3), stride=(3, 1), grad=b"\x89"):
    return (glob("torch._utils", "_rebuild_tensor_v2") +
            tuple_(where, integer(offset), tuple_(*map(integer, size)), tuple_(*map(integer, stride)), grad,
                   glob("collections", "OrderedDict") + b")R") + b"R")


def call(callable_, *items):
    """callable_ is "module name"."""
    return glob(*callable_.split(" ")) + tuple_(*items) + b"R"


def real(x):
    return b"G" + struct.pack(">d", x)


def shape(*sizes):
    return tuple_(*map(integer, sizes))


HOOKS = glob("collections", "OrderedDict") + b")R"


def viewed(where, *metadata):
    """A 2 x 3 view with marks: conj, neg."""
    return call("torch._utils _rebuild_tensor_v2", where, integer(0), shape(2, 3), shape(3, 1), b"\x89", HOOKS,
                b"}(" + b"".join(unicode_(m) + b"\x88" for m in metadata) + b"u")


def quantized(where=None, size=(2, 3), stride=(3, 1), scheme=None, offset=0):
    scheme = scheme or tuple_(glob("torch", "per_tensor_affine"), real(0.5), integer(3))
    return call("torch._utils _rebuild_qtensor", where or storage("QInt8Storage", elements=24), integer(offset),
                shape(*size), shape(*stride), scheme, b"\x89", HOOKS)


def by_channel(axis=0, size=2, scales=None):
    """A scheme; all storages are the one of 24 bytes, scales among them."""
    numbers = scales or tensor(storage("DoubleStorage", "1", 3), 0, (size,), (1,))
    zeros = tensor(storage("LongStorage", "2", 3), 0, (size,), (1,))
    return tuple_(glob("torch", "per_channel_affine"), numbers, zeros, integer(axis))


def sparse(layout="torch.sparse_coo", parts=None, size=(2, 3)):
    """Two numbers of a 2 x 3 matrix."""
    parts = parts or (tensor(storage("LongStorage", "1", 3), 0, (2, 1), (1, 1)), tensor(storage(), 0, (1,), (1,)))
    return call("torch._utils _rebuild_sparse_tensor", call("torch.serialization _get_layout", unicode_(layout)),
                tuple_(*parts, call("torch Size", shape(*size)), b"\x88"))


def array(data, kind="f4", sizes=(2, 3), order="<", fortran=b"\x89"):
    """A NumPy array; data is the opcodes of its bytes."""
    dtype = (call("numpy dtype", unicode_(kind), b"\x89", b"\x88") + tuple_(integer(3), unicode_(order), b"NNN",
             integer(-1), integer(-1), integer(0)) + b"b")
    return (call("numpy._core.multiarray _reconstruct", glob("numpy", "ndarray"), shape(0), b"C\1b") +
            tuple_(integer(1), shape(*sizes), dtype, fortran, data) + b"b")


def bytes_(data):
    return b"B" + struct.pack("<I", len(data)) + data


def module(parameters, buffers, unsaved):
    """An nn.Module's attributes."""
    return (glob("net", "Net") + b")\x81}(" + unicode_("_parameters") + b"}(" + parameters + b"u" + unicode_("_buffers") +
            b"}(" + buffers + b"u" + unicode_("_non_persistent_buffers_set") + unsaved + unicode_("_modules") + b"}" +
            b"ub")


def state_dict(items):
    return b"\x80\x02}(" + b"".join(unicode_(k) + v for k, v in items) + b"u" + PICKLE_END


def zip_(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system = method, 3
            z.writestr(entry, data)
    return out.getvalue()


def torch(pickle=None, data=None, extra=(), byteorder=b"little", version=b"3\n", method=zipfile.ZIP_STORED):
    members = [("m/data.pkl", torch_pickle() if pickle is None else pickle)]
    if byteorder is not None:
        members.append(("m/byteorder", byteorder))
    members.append(("m/data/0", floats(6) if data is None else data))
    members += list(extra) + [("m/version", version)]
    return zip_(members, method)


def torch_pickle():
    return state_dict([("w", tensor(storage())), ("v", tensor(storage(), 1, (2,), (2,)))])


LEGACY = (b"\x80\2\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\2M\xe9\3." + b"\x80\2}(X\x10\0\0\0protocol_versionM\xe9\3"
          b"X\x0d\0\0\0little_endian\x88u.")


def legacy():
    """The same as torch() from before 1.6: three pickles, the objects, the keys, and each storage behind its length."""
    where = tuple_(unicode_("storage"), glob("torch", "FloatStorage"), unicode_("0"), unicode_("cpu"), integer(6), b"N") + b"Q"
    return (LEGACY + state_dict([("w", tensor(where)), ("v", tensor(where, 1, (2,), (2,)))]) +
            b"\x80\2](" + unicode_("0") + b"e." + struct.pack("<q", 6) + floats(6))


# Members of packed weights: name, dtype, shape and bytes of each.
PACKED = {
    "gptq": {"m.qweight": ("I32", [4, 32], b"\x21\x43\x65\x07" * 128), "m.qzeros": ("I32", [1, 4], b"\x77" * 16),
             "m.scales": ("F16", [1, 32], b"\0\x38" * 32), "m.g_idx": ("I32", [32], bytes(128))},
    "gptq3": {"m.qweight": ("I32", [3, 32], b"\x21\x43\x65\x07" * 96), "m.qzeros": ("I32", [1, 3], b"\x77" * 12),
              "m.scales": ("F16", [1, 32], b"\0\x38" * 32)},
    "awq": {"m.qweight": ("I32", [2, 1], b"\x20\x64\x31\x75" * 2), "m.qzeros": ("I32", [1, 1], b"\x11" * 4),
            "m.scales": ("F16", [1, 8], b"\0\x38" * 8)},
    "nf4": {"m.weight": ("U8", [65, 1], bytes(range(65))), "m.weight.absmax": ("U8", [3], b"\0\1\2"),
            "m.weight.quant_map": ("F32", [16], bytes(64)), "m.weight.nested_absmax": ("F32", [1], bytes(4)),
            "m.weight.nested_quant_map": ("F32", [256], bytes(1024)),
            "m.weight.quant_state.bitsandbytes__nf4": ("U8", [49], b'{"blocksize":64,"shape":[3,43],"nested_offset":1}')},
    "int8": {"m.weight": ("I8", [2, 2], b"\1\2\3\4"), "m.SCB": ("F32", [2], bytes(8))},
    "pack3": {"m.weight_packed": ("I32", [2, 2], bytes(range(16))), "m.weight_scale": ("F32", [2, 1], bytes(8)),
              "m.weight_shape": ("I64", [2], b"\2" + bytes(7) + b"\x0b" + bytes(7))},
    "nvfp4": {"m.weight_packed": ("U8", [2, 8], bytes(range(16))), "m.weight_scale": ("F8_E4M3", [2, 1], b"\x38\x40"),
              "m.weight_global_scale": ("F32", [1], b"\0\0\x80\x3f")},
    "blocks": {"m.weight": ("F8_E4M3", [2, 130], bytes(260)), "m.weight_scale_inv": ("F32", [1, 2], bytes(8))},
    "experts": {"m_blocks": ("U8", [1, 3, 1, 16], bytes(range(48))), "m_scales": ("U8", [1, 3, 1], b"\x7f\x80\x7e")},
}


# --- tar ---------------------------------------------------------------------------------------------


def tar_entry(name, data=b"", kind=b"0", link=b"", size=None, magic=b"ustar\00000", checksum=None):
    size = b"%011o\0" % len(data) if size is None else size
    name = name if isinstance(name, bytes) else name.encode()
    head = name[:100].ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size + b"00000000000\0"
    head += b" " * 8 + kind + link.ljust(100, b"\0") + magic
    head = head.ljust(512, b"\0")
    total = sum(head) if checksum is None else checksum
    head = head[:148] + b"%06o\0 " % total + head[156:]
    return head + data + b"\0" * (-len(data) % 512)


def tar(members):
    return b"".join(tar_entry(n, d) for n, d in members) + b"\0" * 1024


# --- a checkpoint folder -----------------------------------------------------------------------------

PATTERN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
           r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
           r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
HIDDEN, MIDDLE, HEADS, KV, VOCAB = 32, 32, 4, 2, 40


def config(**changes):
    base = {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "bos_token_id": 36, "eos_token_id": [36, 37],
            "hidden_act": "silu", "hidden_size": HIDDEN, "intermediate_size": MIDDLE, "max_position_embeddings": 1024,
            "num_attention_heads": HEADS, "num_hidden_layers": 1, "num_key_value_heads": KV,
            "original_max_position_embeddings": 512, "pad_token_id": 36, "partial_rotary_factor": 1.0,
            "rms_norm_eps": 1e-5, "rope_scaling": {"type": "longrope", "long_factor": [1.0, 2.0, 3.0, 4.0],
                                                   "short_factor": [1.0, 1.1, 1.2, 1.3]},
            "rope_theta": 10000.0, "sliding_window": 512, "tie_word_embeddings": True, "torch_dtype": "float16",
            "vocab_size": VOCAB}
    base.update(changes)
    return json.dumps({k: v for k, v in base.items() if v is not ...}, indent=1).encode()


def tokenizer(**changes):
    letters = [chr(ord("a") + i) for i in range(26)] + ["Ġ", "Ċ", ".", ",", "!", "?", "th", "the", "in", "Ġthe"]
    base = {"version": "1.0",
            "added_tokens": [{"id": 36 + i, "content": c, "special": i < 2, "normalized": False, "single_word": False,
                              "lstrip": False, "rstrip": False} for i, c in enumerate(["<|end|>", "<|user|>", "<|x|>"])],
            "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Removed", "invert": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
            "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "byte_fallback": False,
                      "vocab": {t: i for i, t in enumerate(letters)},
                      "merges": ["t h", "th e", "i n", "Ġ the"]}}
    base.update(changes)
    return json.dumps(base, indent=1, ensure_ascii=False).encode()


def piece(text, score=0.0, kind=1):
    return field(1, field(1, text) + field(2, score) + field(3, kind))


def sentencepiece(more=b"", algorithm=2, byte_fallback=0, unknown=1, table=b""):
    """tokenizer.model with a few pieces; more: fields that come before the others."""
    pieces = piece(b"<unk>", kind=2) * unknown + piece(b"<s>", kind=3) + piece("\u2581a".encode(), -1.0)
    if byte_fallback:
        pieces += b"".join(piece(b"<0x%02X>" % i, kind=6) for i in range(256))
    return more + pieces + field(2, field(3, algorithm) + field(35, byte_fallback)) + field(
        3, field(1, b"identity") + field(2, table) + field(4, 0))


def tokenizer_config():
    return json.dumps({"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|end|>", "eos_token": "<|end|>",
                       "pad_token": "<|end|>", "add_bos_token": False, "model_max_length": 1024,
                       "chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}",
                       "added_tokens_decoder": {"36": {"content": "<|end|>", "special": True}}}, indent=1).encode()


def weights():
    head = HIDDEN // HEADS
    shapes = {"model.embed_tokens.weight": [VOCAB, HIDDEN],
              "model.layers.0.input_layernorm.weight": [HIDDEN],
              "model.layers.0.mlp.down_proj.weight": [HIDDEN, MIDDLE],
              "model.layers.0.mlp.gate_up_proj.weight": [2 * MIDDLE, HIDDEN],
              "model.layers.0.post_attention_layernorm.weight": [HIDDEN],
              "model.layers.0.self_attn.o_proj.weight": [HIDDEN, HIDDEN],
              "model.layers.0.self_attn.qkv_proj.weight": [(HEADS + 2 * KV) * head, HIDDEN],
              "model.norm.weight": [HIDDEN]}
    out = {}
    for i, (name, shape) in enumerate(shapes.items()):
        n = shape[0] * (shape[1] if len(shape) > 1 else 1)
        out[name] = ("F16", shape, halves(n, 13 * i))
    return out


def folder():
    """A phi3 checkpoint of 15 KiB: {file name: bytes}."""
    return {"config.json": config(), "generation_config.json": b'{"eos_token_id": [36, 37]}',
            "model.safetensors": safetensors(weights(), {"format": "pt"}), "tokenizer.json": tokenizer(),
            "tokenizer_config.json": tokenizer_config()}


def moe(experts=2, missing=(), extra=(), readme=None, **changes):
    """A phimoe checkpoint of two experts."""
    head = HIDDEN // HEADS
    p = "model.layers.0."
    shapes = {"model.embed_tokens.weight": [VOCAB, HIDDEN], "model.norm.weight": [HIDDEN], "model.norm.bias": [HIDDEN],
              p + "self_attn.q_proj.weight": [HIDDEN, HIDDEN], p + "self_attn.k_proj.weight": [KV * head, HIDDEN],
              p + "self_attn.v_proj.weight": [KV * head, HIDDEN], p + "self_attn.o_proj.weight": [HIDDEN, HIDDEN],
              p + "block_sparse_moe.gate.weight": [2, HIDDEN]}
    for norm in ("input_layernorm", "post_attention_layernorm"):
        shapes.update({f"{p}{norm}.weight": [HIDDEN], f"{p}{norm}.bias": [HIDDEN]})
    for e in range(experts):
        shapes.update({f"{p}block_sparse_moe.experts.{e}.{w}.weight": [HIDDEN, MIDDLE] for w in ("w1", "w2", "w3")})
    shapes = {k: v for k, v in {**shapes, **dict(extra)}.items() if k not in missing}
    data = {k: ("F16", v, bytes(2 * v[0] * (v[1] if len(v) > 1 else 1))) for k, v in shapes.items()}
    more = {"README.md": readme} if readme else {}
    return {**folder(), **more, "model.safetensors": safetensors(data, {"format": "pt"}), "config.json": config(**{
        **dict(architectures=["PhiMoEForCausalLM"], model_type="phimoe", num_local_experts=2, num_experts_per_tok=1,
               tokenizer=...), **changes}),
        "tokenizer.json": tokenizer(pre_tokenizer={"type": "ByteLevel", "add_prefix_space": False, "use_regex": True})}


def index(weight_map=None, **extra):
    m = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"} if weight_map is None \
        else weight_map
    return json.dumps({"metadata": {"total_size": 24}, "weight_map": m, **extra}).encode()


def sharded():
    return {"model-00001-of-00002.safetensors": safetensors({"a": ("F32", [2], floats(2))}),
            "model-00002-of-00002.safetensors": safetensors({"b": ("F32", [4], floats(4))}),
            "model.safetensors.index.json": index()}


# --- a GGUF that could become a folder: one layer of Phi-3, byte-level or SentencePiece ------------------


def strings(name, texts):
    return key(name, ARRAY, struct.pack("<IQ", STRING, len(texts)) + b"".join(text(t) for t in texts))


def numbers(name, kind, code, values):
    return key(name, ARRAY, struct.pack("<IQ", kind, len(values)) + struct.pack("<%d%s" % (len(values), code), *values))


def f32(name, value):
    return key(name, F32, struct.pack("<f", value))


def family_keys(spm=False):
    """The keys of such a file by name, in order."""
    shape = {"context_length": 64, "rope.scaling.original_context_length": 64, "embedding_length": 32,
             "feed_forward_length": 32, "block_count": 1, "attention.head_count": 2, "attention.head_count_kv": 1,
             "rope.dimension_count": 16, "attention.sliding_window": 0}
    t = "tokenizer.ggml."
    if spm:
        tokens = ["<unk>", "<s>", *["<0x%02X>" % i for i in range(256)], "a", "b", "ab", "<|end|>"]
        kinds, more = [2, 3, *[6] * 256, 1, 1, 1, 3], [numbers(t + "scores", F32, "f", [0.0] * 258 + [-2, -1, 0, -1000])]
    else:
        tokens, kinds, more = ["a", "b", "ab", "<|end|>"], [1, 1, 1, 3], [strings(t + "merges", ["a b"])]
    keys = {"general.architecture": key("general.architecture", STRING, "phi3")}
    keys.update({k: key("phi3." + k, U32, v) for k, v in shape.items()})
    keys["epsilon"] = f32("phi3.attention.layer_norm_rms_epsilon", 1e-5)
    keys.update(model=key(t + "model", STRING, "llama" if spm else "gpt2"), pre=key(t + "pre", STRING, "gpt-4o"),
                tokens=strings(t + "tokens", tokens), kinds=numbers(t + "token_type", I32, "i", kinds),
                more=more[0], unk=key(t + "unknown_token_id", U32, 0))
    return keys, len(tokens)


def family(spm=False, rows=0, infos=(), **changes):
    """The file, with keys changed; rows: of the embedding; infos: further tensors of F32, name and dimensions."""
    keys, tokens = family_keys(spm)
    keys.update(changes)
    rows = rows or tokens
    shapes = [("token_embd.weight", [32, rows]), ("blk.0.attn_norm.weight", [32]), ("blk.0.attn_qkv.weight", [32, 64]),
              ("blk.0.attn_output.weight", [32, 32]), ("blk.0.ffn_norm.weight", [32]), ("blk.0.ffn_up.weight", [32, 64]),
              ("blk.0.ffn_down.weight", [32, 32]), ("output_norm.weight", [32]), *infos]
    out, at = [], 0
    for name, dims in shapes:
        out.append(info(name, dims, 0, at))
        n = 4
        for d in dims:
            n *= d
        at += n + -n % 32
    return gguf_raw([k for k in keys.values() if k], out, bytes(at))
