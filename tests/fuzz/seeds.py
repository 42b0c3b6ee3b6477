#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets: tests/fuzz/seeds.py OUT [BIN]

OUT/NAME/ gets the seeds of target fuzz_NAME, some hundred bytes to some KiB each. BIN: where phi-repack is,
for seeds in the formats that only the tools write (the stream)."""
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "hostile"))
import build as b  # noqa: E402

out = Path(sys.argv[1])
bin_ = Path(sys.argv[2]) if len(sys.argv) > 2 else None


def save(target, name, data):
    (out / target).mkdir(parents=True, exist_ok=True)
    (out / target / name).write_bytes(data)


def parts(*texts):
    return b"\n%%\n".join(texts)


def stream(*options):
    """The tiny folder as our stream, through the tool."""
    if not bin_ or not (bin_ / "phi-repack").exists():
        return None
    made = subprocess.run([bin_ / "phi-repack", "-q", "-f", "stream", *options], input=b.tar(sorted(b.folder().items())),
                          capture_output=True)
    return made.stdout if made.returncode == 0 else None


plain, folder = b.safetensors(b.plain()), b.folder()
save("safetensors", "plain", plain)
save("safetensors", "metadata", b.safetensors({"x": ("BF16", [1, 2, 0], b""), "y": ("U8", [], b"\7")}, {"k": "v"}))
save("safetensors", "every", b.safetensors({d: (d, [2], bytes(2 * n)) for d, n in {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4,
    "F32": 4, "F64": 8, "I64": 8, "U64": 8}.items()}))

shared = Path(__file__).parents[2] / "fixtures/small/mlx/shared"
save("mlx", "shared", parts((shared / "config.json").read_bytes(), (shared / "model.safetensors").read_bytes()))
save("mlx", "plain", parts(b"{}", b.safetensors(b.plain(), {"format": "mlx"})))
save("mlx", "null", parts(b'{"quantization": {"group_size": null, "mode": null, "a": false}}', b.safetensors(
    {"x.weight": ("U32", [2, 8], bytes(64)), "x.scales": ("F16", [2, 1], bytes(4)), "x.biases": ("F16", [2, 1], bytes(4))},
    {"format": "mlx"})))

# Headers alone: the target puts them into a file.
for name, text in {
        "plain": b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n",
        "fortran": b"{'descr': '>c8', 'fortran_order': True, 'shape': (2, 2), }",
        "odd": b'{ "shape":((2L), 3 ,),\n  u"fortran_order" :True,\'descr\':"int8"}',
        "records": b"{'descr': [('a\\'', '<f4'), (('t', 'b'), '<i2', (2,))], 'fortran_order': False, 'shape': (), }",
        "void": b"{'descr': '|V2', 'fortran_order': False, 'shape': (0, 5), }"}.items():
    save("npy", name, text)
for method in (0, 8):
    save("npz", "arrays-%d" % method, b.zip_([("a.npy", b.npy("<f4", (2, 3), b.floats(6))), ("l/0.npy", b.npy(
        ">f2", (2, 2), b.halves(4), fortran=True)), ("n.npy", b.npy("|u1", (), b"\7")), ("readme", b"hello")], method))
save("npz", "npy", b.npy("<f4", (2, 3), b.floats(6)))

o = b.onnx
save("onnx", "small", o.small())
f = lambda *v: struct.pack("<%df" % len(v), *v)
io = [o.value("x", o.FLOAT, [1, 3, 4, 4])], [o.value("y", o.FLOAT, [1, 2]), o.value("z", o.FLOAT, [2, 2])]
layers = [o.node("Conv", ["x", "k", "kb"], ["c"]), o.node("Relu", ["c"], ["r"]), o.node("MaxPool", ["r"], ["m"], [o.ints("k", 2)]),
          o.node("Reshape", ["m", "shape"], ["f"]), o.node("Gemm", ["f", "w", "b"], ["g"], [o.ints("transB", 1)], "fc"),
          o.node("Softmax", ["g"], ["y"]), o.node("Gather", ["t", "i"], ["e"]), o.node("Transpose", ["e"], ["et"]),
          o.node("MatMul", ["et", "t"], ["z"]), o.node("Pad", ["z", "i"], ["p"]), o.node("Split", ["p"], ["p0", "p1"]),
          o.node("Where", ["q", "p0", "p1"], ["h"]), o.node("LayerNormalization", ["h", "b", "kb"], ["n"]),
          o.node("Add", ["n", "b"], ["a"]), o.node("Clip", ["a"], ["d"]), o.node("Sigmoid", ["d"], ["s"])]
weights = [o.tensor("k", o.FLOAT, [2, 3, 1, 1], f(1, -2, 3, 4, 5, -6)), o.tensor("kb", o.FLOAT, [2], f(.5, -1)),
           o.tensor("shape", o.INT64, [2], struct.pack("<2q", 1, 8)), o.tensor("w", o.FLOAT, [2, 8], f(*range(-8, 8))),
           o.tensor("b", o.FLOAT, [2], f(3, 1e-9)), o.tensor("t", o.FLOAT, [2, 2], f(1, -1, 2, 7)),
           o.tensor("i", o.INT64, [2], struct.pack("<2q", 1, 0))]
for opset in (9, 13, 21):
    save("onnx_scaled", "layers%d" % opset, o.model(o.graph(layers, weights, *io), (("", opset),)))
matrix = lambda name, k, n: o.tensor(name, o.FLOAT, [k, n], f(*((i * 37 % 101 - 50) / 9 for i in range(k * n))))
save("onnx_blocks", "products", o.model(o.graph([o.node("MatMul", ["x", "w"], ["h"], [], "one"), o.node("Gemm", ["h", "v", "b"], ["g"], [
     o.ints("transB", 1)], "two"), o.node("Gemm", ["g", "u", "c"], ["y"], [], "three"), o.node("ReduceSum", ["u"], ["s"])],
     [matrix("w", 20, 16), matrix("v", 16, 16), matrix("u", 16, 2), o.tensor("b", o.FLOAT, [16], bytes(64)), matrix("c", 1, 2)], *io)))
save("onnx_blocks", "rows", o.model(o.graph([o.node("Gather", ["e", "i"], ["h"], [], "rows"), o.node("Gemm", ["h", "e"], ["y"], [
     o.ints("transB", 1)], "head")], [matrix("e", 6, 16)], *io)))
body = o.graph([o.node("MatMul", ["x", "w"], ["v"]), o.node("MatMul", ["v", "k"], ["z"])], [matrix("k", 16, 4)],
               outputs=[o.value("z", o.FLOAT, [1])])
save("onnx_blocks", "within", o.model(o.graph([o.node("If", ["c"], ["y"], [o.attribute("then_branch", 6, body, 5)]), o.node(
     "Constant", [], ["m"], [o.attribute("value", 5, matrix(None, 16, 6), 4)]), o.node("MatMul", ["y", "m"], ["n"])],
     [matrix("w", 16, 16)], *io)))
inner = o.graph([o.node("MatMul", ["x", "w"], ["v"])], outputs=[o.value("v", o.FLOAT, [1])])
save("onnx_scaled", "within", o.model(o.graph([o.node("MatMul", ["x", "w"], ["y"]), o.node("Mul", ["y", "w"], ["u"]),
     o.node("If", ["c"], ["z"], [o.attribute("then_branch", 6, inner, 5)])], weights, *io)))
save("onnx_scaled", "constant", o.model(o.graph([o.node("Constant", [], ["w"], [o.attribute("value", 5, o.tensor(
     None, o.FLOAT, [8, 8], bytes(256)), 4)]), o.node("MatMul", ["x", "w"], ["y"])], [], *io)))
save("onnx", "typed", o.small(
    o.tensor("f", o.FLOAT, [2, 2], more=o.floats(4, [1, 2, 3, 4])), o.tensor("i", o.INT64, [3], more=o.packed(7, [1, -2, 300])),
    o.tensor("h", o.FLOAT16, [2], more=o.packed(5, [15360, 49152])), o.tensor("q", o.INT4, [3], more=o.packed(5, [33, 3])),
    o.tensor("s", o.STRING, [1], more=o.text(6, "word")), o.tensor("u", o.INT64, [2], more=b.field(7, 5) + b.field(7, 6))))
save("onnx", "constant", o.small(nodes=[o.node("Constant", [], ["w"], [o.attribute("value", 5, o.tensor(None, o.FLOAT, [8, 8],
                                                                                                     bytes(256)), 4)])]))
inner = o.graph([o.node("Identity", ["v"], ["z"])], [o.tensor("v", o.FLOAT, [1], bytes(4))], [], [o.value("z", o.FLOAT, [1])])
save("onnx", "subgraph", o.small(nodes=[o.node("If", ["c"], ["y"], [o.attribute("then_branch", 6, inner, 5)], "branch")]))
save("onnx", "sparse", o.model(o.graph([], more=b.field(15, b.field(1, o.tensor("s", o.FLOAT, [1], bytes(4))) + b.field(
    2, o.tensor("", o.INT64, [1], bytes(8))) + b.field(3, 9)))))
save("onnx", "function", o.small(more=b.field(25, o.text(1, "f") + o.text(4, "a") + o.text(5, "b") + b.field(7, o.node(
    "Relu", ["a"], ["b"])) + b.field(9, b.field(2, 21)) + o.text(10, "d"))))
save("onnx", "unknown", o.small(more=b.field(99, b"kept") + b.field(100, 5) + b.field(14, o.text(1, "k") + o.text(2, "v"))))
save("onnx", "nbits", o.model(o.graph([o.node("MatMulNBits", ["x", "w_Q4", "w_scales", "w_zp"], ["y"], [
    o.ints("K", 32), o.ints("N", 2), o.ints("bits", 4), o.ints("block_size", 16)], "", "com.microsoft")], [
        o.tensor("w_Q4", o.UINT8, [2, 2, 8], bytes(range(32))), o.tensor("w_scales", o.FLOAT, [4], bytes(16)),
        o.tensor("w_zp", o.UINT8, [2], b"\x88\x88")])))
save("onnx", "dq", o.model(o.graph([o.node("DequantizeLinear", ["q", "s", "z"], ["w"], [o.ints("axis", 0)])], [
    o.tensor("q", o.INT8, [2, 3], bytes(6)), o.tensor("s", o.FLOAT, [2], bytes(8)), o.tensor("z", o.INT8, [2], bytes(2))])))

wide = [o.tensor("w", o.FLOAT, [32, 4], b.floats(128)), o.tensor("rows", o.FLOAT, [4, 32], b.floats(128)), o.tensor("b", o.FLOAT, [4], b.floats(4))]
graphs = {
    "product": (o.node("MatMul", ["x", "w"], ["a"], name="n"), o.node("Add", ["a", "b"], ["y"])),
    "gemm": (o.node("Gemm", ["x", "w", "b"], ["y"]), o.node("Relu", ["y"], ["z"])),
    "turned": (o.node("Gemm", ["x", "rows"], ["y"], [o.ints("transB", 1)]), o.node("MatMul", ["x", "w"], ["z"])),
    "rows": (o.node("Gather", ["rows", "i"], ["x"]), o.node("MatMul", ["x", "w"], ["y"])),
    "inner": (o.node("If", ["c"], ["y"], [o.attribute("then_branch", 6, o.graph([o.node("MatMul", ["x", "w"], ["z"])], [], [], [
        o.value("z", o.FLOAT, [1, 4])]), 5)], "branch"),)}
for name, nodes in graphs.items():
    used = [t for t, n in zip(wide, ("w", "rows", "b")) if any(o.text(1, n) in node for node in nodes)]
    made = [n for n in ("y", "z") if any(o.text(2, n) in node for node in nodes)]
    given = [o.value("x", o.FLOAT, [1, 32])] if name != "rows" else [o.value("i", o.INT64, [1])]
    data = o.model(o.graph(list(nodes), used, given + ([o.value("c", o.BOOL, [])] if name == "inner" else []),
                           [o.value(n, o.FLOAT, [1, 4]) for n in made]), (("", 21), ("com.microsoft", 1)))
    for recipe, options in ((0, 0), (1, 0x1d), (3, 0), (3, 0x40), (4, 0), (5, 0x80), (6, 0), (0, 6), (0, 8)):
        save("onnx_rewrite", "%s-%d-%d" % (name, recipe, options), bytes([recipe, options]) + data)

save("imatrix", "two", b.imatrix({"blk.0.attn_v.weight": (3, [1.0, 2.0, 0.5]), "blk.0.ffn_down.weight": (0, [4.0])}))
save("imatrix", "chunks", b.imatrix({"w": (1, [1.0])}, 12, b"wiki.txt"))
for i in range(18):
    save("refine", f"type{i}", bytes([i, i]) + struct.pack("<64f", *[(k * 37 % 64 - 31) / (k % 5 + 1) for k in range(64)]))

save("ranges", "two", b'{"x": [-1, 2.5], "y_output": [0, 1e3]}')

save("recipe", "rules", b'{"recipe": "q4_k_m", "rules": [{"name": "*.ffn_down.*", "dtype": "Q5_1"}, '
     b'{"name": "output.weight", "dtype": null}]}')
save("recipe", "items", b'{"recipe": null, "items": [{"made_by": "literal", "name": "header"}, '
     b'{"name": "blk.0.attn_v.weight", "dtype": "Q6_K"}]}')

for name, members in b.PACKED.items():
    save("packed", name, b.safetensors(members))

save("hf_json", "config", b.config())
for name, made in {"builder": b.genai.folder(), "tied": b.genai.folder(weights=b.genai.initializers(**{"model.embed_tokens.weight": None})),
                   "window": b.genai.folder(window=33, epsilon=1e-6)}.items():
    save("genai", name, parts(made["genai_config.json"], b"", made["model.onnx"]))
save("genai", "config", parts(b.genai.folder()["genai_config.json"], b.config(
    hidden_size=16, intermediate_size=8, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=1, vocab_size=12,
    tie_word_embeddings=False, rope_scaling=None), b.genai.folder()["model.onnx"]))
save("hf_json", "index", b.index())
shape = dict(hidden_size=256, intermediate_size=768, num_attention_heads=8, num_hidden_layers=2, vocab_size=1024,
             partial_rotary_factor=0.5, rope_scaling=None)
save("config", "phi3", b.config(**shape))
# Lines of the families' tables, fused on one side and in parts on the other (fuzz_align.c).
save("align", "rows", bytes([2, 4, 2, 1, 8, 2, 0, 25, 2, 1, 4, 2, 0, 27, 2, 1, 2, 2, 0, 29, 2, 1, 2, 2, 0]))
save("align", "experts", bytes([4, 34, 4, 2, 2, 3, 2, 29, 4, 1, 3, 2, 0, 29, 20, 1, 3, 2, 0]))
save("align", "head", bytes([3, 0, 2, 1, 4, 4, 0, 1, 2, 1, 4, 4, 0, 17, 2, 1, 4, 4, 0]))
save("config", "phi2", b.config(**{**shape, "intermediate_size": 1024}, architectures=["PhiForCausalLM"], model_type="phi",
                                hidden_act="gelu_new", num_key_value_heads=None, layer_norm_eps=1e-5))
save("config", "phimoe", b.config(**{**shape, "partial_rotary_factor": 1.0, "rope_scaling": {
    "type": "longrope", "long_factor": [1.5] * 16, "short_factor": [1] * 16, "original_max_position_embeddings": 512}},
    architectures=["PhiMoEForCausalLM"], model_type="phimoe", num_local_experts=3, num_experts_per_tok=2,
    attention_bias=False, lm_head_bias=False))
for choice in (0, 1, 2, 16, 33):
    heads = dict(shape, num_key_value_heads=2, sliding_window=100)
    save("onnx_decoder", "phi3-%d" % choice, bytes([choice]) + b.config(**heads))
    save("onnx_decoder", "longrope-%d" % choice, bytes([choice]) + b.config(**{**heads, "tie_word_embeddings": False, "rope_scaling": {
        "type": "longrope", "long_factor": [1.5] * 8, "short_factor": [1] * 8}}))
    save("onnx_decoder", "phi2-%d" % choice, bytes([choice]) + b.config(
        **{**shape, "intermediate_size": 1024}, architectures=["PhiForCausalLM"], model_type="phi", hidden_act="gelu_new",
        num_key_value_heads=None, layer_norm_eps=1e-5))
    save("onnx_decoder", "phimoe-%d" % choice, bytes([choice]) + b.config(
        **{**heads, "partial_rotary_factor": 1.0, "rope_scaling": {"type": "longrope", "long_factor": [1.5] * 16,
                                                                   "short_factor": [1] * 16, "original_max_position_embeddings": 512}},
        architectures=["PhiMoEForCausalLM"], model_type="phimoe", num_local_experts=3, num_experts_per_tok=2,
        attention_bias=False, lm_head_bias=False))
save("card", "lists", b"---\nlicense: [mit, other]\ntags:\n- no\n- code\nlanguage: en\nbase_model: &b\n- a/b-7b\n"
     b"- name: x\n  version: '1'\ndatasets: *b\n---\n# Title\n")
save("card", "texts", b"---\r\nname: \"a \\u00fc\"\r\nversion: 1.0\r\nmodel_type: |\r\n  two\r\n  lines\r\n"
     b"? [k]\r\n: !!int 5\r\nbase_model: https://huggingface.co/a/b\r\n...\r\n")
save("hf_json", "config5", b.config(rope_theta=..., rope_scaling=..., rope_parameters={
    "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75, "long_factor": [1, 2.5],
    "short_factor": [1, 1], "original_max_position_embeddings": 512}, dtype="bfloat16"))
save("hf_json", "odd", b'{"a": [1e5, -0.0, 123456789012345678901234567890, "\\ud83d\\ude00\\u0000"], "b": {"": null, "c": true}}')

tokens = b.tokenizer()
save("tokenizer", "whole", parts(tokens, b.tokenizer_config(), b'{"eos_token_id": [36, 37]}', b.config()))
save("facts", "whole", parts(tokens, b.tokenizer_config(), b"{{ x }}"))
save("facts", "unigram", parts(b.tokenizer(model={"type": "Unigram", "vocab": [["a", -1.5], ["[", 0]]}), b'{"bos_token": {"content": "a"}}'))
save("tokenizer", "pairs", parts(b.tokenizer(model={"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2},
                                                    "merges": [["a", "b"]]}), b"{}"))
save("tokenizer", "templates", parts(tokens, b'{"chat_template": [{"name": "default", "template": "x"}, '
                                     b'{"name": "tool", "template": "y"}]}', b"{}", b"{}", b"{{ messages }}"))
save("tokenizer", "ends", parts(b.tokenizer(post_processor={"type": "TemplateProcessing", "single": [
    {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<|end|>", "type_id": 0}}], "pair": [],
    "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [36], "tokens": ["<|end|>"]}}}), b.tokenizer_config()))

save("spm", "whole", parts(b.sentencepiece(), b'{"<|end|>": 5}', b'{"added_tokens_decoder": {"6": {"content": "x", "special": true}}}',
                           b'{"added_tokens": [{"id": 1, "content": "<s>", "special": true}]}'))
save("spm", "bytes", b.sentencepiece(byte_fallback=1))
save("spm", "alone", parts(b"", b"", b"", b.tokenizer(normalizer={"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
    pre_tokenizer=None, added_tokens=[{"id": 0, "content": "u", "special": True}], model={
        "type": "BPE", "unk_token": "u", "byte_fallback": True, "merges": ["a b", "ab c"], "vocab": {
            **{"<0x%02X>" % i: i + 1 for i in range(256)}, "u": 0, "a": 257, "b": 258, "c": 259, "ab": 260, "abc": 261}})))

views = b.state_dict([("w", b.tensor(b.storage())), ("t", b.tensor(b.storage(), 0, (3, 2), (1, 3))),
                      ("s", b.tensor(b.storage(), 2, (), ()))])
types = b.state_dict([(k, b.tensor(b.storage(k, "0", 2), 0, (2,), (1,))) for k in (
    "HalfStorage", "BFloat16Storage", "DoubleStorage", "LongStorage", "BoolStorage")])
training = (b"\x80\x02}(" + b.unicode_("epoch") + b.integer(3) + b.unicode_("model") +
            b.state_dict([("w", b.tensor(b.storage()))])[2:-1] + b.unicode_("lr") + b"G" + b"\x3f\xf0" + bytes(6) +
            b.unicode_("betas") + b"]" + b"(K\1K\2e" + b"u.")
odd = b.state_dict([
    ("q", b.quantized()), ("c", b.quantized(scheme=b.by_channel())), ("s", b.sparse()), ("n", b.viewed(b.storage(), "neg")),
    ("b", b.storage()), ("a", b.array(b.bytes_(b.floats(6)))), ("t", b.array(b.call("_codecs encode", b.unicode_("\xe9" * 24)))),
    ("4", b.quantized(b.storage("QUInt4x2Storage", "3", 24))),
    ("m", b.module(b.unicode_("p") + b.tensor(b.storage()), b.unicode_("u") + b.tensor(b.storage()), b"](" + b.unicode_("u") + b"e"))])
pickles = {"plain": b.torch_pickle(), "views": views, "types": types, "training": training, "odd": odd}
for name, pickle in pickles.items():
    save("pickle", name, pickle)
save("pickle", "protocol4", b"\x80\x04\x95\x0a\0\0\0\0\0\0\0}\x94\x8c\1a\x94K\1s.")
save("pickle", "object", b"\x80\x02c__main__\nConfig\n)\x81}X\1\0\0\0aK\1sb.")

zips = {name: b.torch(p) for name, p in pickles.items()}
zips["odd"] = b.torch(odd, extra=[("m/data/1", bytes(24)), ("m/data/2", bytes(24))])
zips["constants"] = b.torch(extra=[("m/constants.pkl", b"\x80\x02(" + b.tensor(b.storage()) + b"t."), ("m/constants/0", bytes(24))])
zips["deflated"] = b.torch(method=zipfile.ZIP_DEFLATED)
zips["big-endian"] = b.torch(byteorder=b"big")
for name, data in zips.items():
    save("zip", name, data)

tar = b.tar(sorted(folder.items()))
for target in ("tar", "pipe"):
    save(target, "folder", tar)
    save(target, "shards", b.tar(sorted(b.sharded().items())))
save("pipe", "plain", plain)
save("pipe", "gguf", b.gguf())
for name, options in {"stream": (), "zstd": ("-z",)}.items():
    data = stream(*options)
    if data:
        save("stream", name, data)
        save("pipe", name, data)
        if name == "stream":
            end = data.index(b"\n}\n}\n") + 5
            save("model_text", "canonical", data[512:end])
        save("convert", name, b"\x01" + data)

# A file that --keep-all made has its config.json with it.
save("back", "bytes", b.family())
save("back", "pieces", b.family(spm=True))
save("back", "kept", b.family(x=b.key("phi.file.tokenizer.json", b.STRING, b.text(b.tokenizer())),
                              y=b.strings("phi.tensor_types", ["F32 model.norm.weight"])))
save("back", "longrope", b.family(infos=[("rope_factors_long.weight", [8]), ("rope_factors_short.weight", [8])]))

save("model_text", "files", b"""{"schema": 1, "view": "canonical", "name": "n", "format": "hf", "recipe": null,
"tensors": {"a": {"type": "F32", "shape": [2], "file": "a.bin"}, "b": {"type": "F32", "shape": [2], "file": "b.bin"}},
"metadata": {}}
""")
save("model_text", "kinds", b"""{"schema": 1, "view": "gguf", "name": "n", "format": "f", "recipe": "q8_0", "tensors": {
"a": {"type": "F32", "shape": [2, 3], "canonical": "b"}, "hex:ff": {"type": "F32", "shape": [2, 3], "alias": "a"}},
"metadata": {"k": ["string[]", ["", "x", {"hex": "00ff"}]], "u": ["u64", {"bits": "ffffffffffffffff"}], "n": ["null", null],
"f": ["f32[]", [1.5, -0.0, {"bits": "7fc00000"}]], "i": ["i8", -128], "b": ["bool[]", [true, false]], "d": ["f64", 1e-300]}}
""")

# The first byte: 8 times the target's number in formats.def, plus the recipe's number.
for i in range(len([l for l in open(Path(__file__).parents[2] / "formats/formats.def") if l.startswith("FORMAT(")])):
    for recipe in (0, 1, 5):
        save("convert", "folder-%d-%d" % (i, recipe), bytes([8 * i + recipe]) + tar)
        save("convert", "gguf-%d-%d" % (i, recipe), bytes([8 * i + recipe]) + b.gguf())
        save("convert", "plain-%d-%d" % (i, recipe), bytes([8 * i + recipe]) + plain)
        save("convert", "torch-%d-%d" % (i, recipe), bytes([8 * i + recipe]) + zips["views"])

# --scan: what it is tested with, but for the long ones and the gadgets, of which one of each form will do.
sys.path.insert(0, str(Path(__file__).parent.parent / "scan"))
import cases  # noqa: E402

for number, (name, content, status, rule) in enumerate(cases.all_cases()):
    if isinstance(content, bytes) and len(content) < 4096 and not name.startswith(("picklescan", "fickling", "others")):
        save("scan", str(number), content)
