#!/usr/bin/env python3
"""--lossless (of Q4_1: --keep-codes) from a GGUF to a decoder's folder: the codes are the GGUF's own, every weight is to the bit what the gguf
package decodes, and onnxruntime computes what it computes with those weights as F32."""
import peers
import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

from onnx_decoder import Runtime, blocks, decoded, worst

BAR = 1e-5  # of the spread
work = peers.scratch()
FUSED = {"attn_qkv": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
         "ffn_up": ["mlp.gate_proj", "mlp.up_proj"]}
ALONE = {"attn_output": ["self_attn.o_proj"], "ffn_down": ["mlp.down_proj"]}


def theirs(path):
    """Canonical name, without "weight", of each tensor or list of parts -> F32."""
    for t in GGUFReader(path).tensors:
        w = dequantize(t.data, t.tensor_type).astype(np.float32)
        if t.name == "token_embd.weight":
            yield t.tensor_type.name, ["model.embed_tokens"], w
        parts = t.name.split(".")
        if parts[0] == "blk" and parts[2] in {**FUSED, **ALONE}:
            yield t.tensor_type.name, [f"model.layers.{parts[1]}.{n}" for n in {**FUSED, **ALONE}[parts[2]]], w


def same_weights(label, path, folder, quantized):
    ours = decoded(folder)
    compared = 0
    for kind, names, w in theirs(path):
        if kind not in quantized:
            continue
        got = np.concatenate([ours[f"{n}.weight"] for n in names])
        peers.check(np.array_equal(got, w), f"{label}: {names[0]}: every value the same")
        compared += w.size
    peers.check(compared > 0, f"{label}: {compared} weights compared")


def near_weights(label, path, folder, bar):
    """Of zero points that are numbers: rounded once."""
    ours, worst_of = decoded(folder), 0
    for kind, names, w in theirs(path):
        if names == ["model.embed_tokens"]:
            continue
        got = np.concatenate([ours[f"{n}.weight"] for n in names])
        worst_of = max(worst_of, np.abs(got - w).max() / (w.max() - w.min()))
    peers.check(0 < worst_of < bar, f"{label}: weights {worst_of:.2g} of their spread from the GGUF's")


def same_logits(label, folder, floats):
    ids = [int(i) for i in np.random.default_rng(3).integers(10, 900, 40)]
    got, want = Runtime(folder), Runtime(floats)
    got.start()
    want.start()
    far = worst(got.feed(ids), want.feed(ids))
    peers.check(far < BAR, f"{label}: logits {far:.2g} of the spread from those of F32")


def main():
    for recipe, bits, kinds in (("q4_0", 4, ["Q4_0"]), ("q8_0", 8, ["Q8_0"])):
        path, folder, floats = work / f"{recipe}.gguf", work / f"{recipe}-onnx", work / f"{recipe}-f32"
        peers.tool("phi-quant", "-q", "-t", recipe, "--embedding-type", recipe, peers.ROOT / "fixtures/phi-tiny", "-o", path)
        peers.tool("phi-repack", "-q", "--lossless", path, "-f", "onnx", "-o", f"{folder}/")
        peers.tool("phi-quant", "-q", "-t", "f32", path, "-f", "onnx", "-o", f"{floats}/")
        peers.check({b[3] for b in blocks(folder).values()} == {bits}, f"{recipe}: codes of {bits} bits alone")
        same_weights(recipe, path, folder, kinds)
        same_logits(recipe, folder, floats)
    path, folder, floats = work / "q4_1.gguf", work / "q4_1-onnx", work / "q4_1-f32"
    peers.tool("phi-quant", "-q", "-t", "q4_1", "--embedding-type", "q4_1", peers.ROOT / "fixtures/phi-tiny", "-o", path)
    peers.tool("phi-repack", "-q", "--keep-codes", path, "-f", "onnx", "-o", f"{folder}/")
    peers.tool("phi-quant", "-q", "-t", "f32", path, "-f", "onnx", "-o", f"{floats}/")
    near_weights("q4_1", path, folder, 3e-7)
    same_logits("q4_1", folder, floats)


main()
peers.finish()
