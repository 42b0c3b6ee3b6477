"""GGUF models of small matrices for the recipes, and importance files for them, made with gguf-py."""
import struct

import peers
import gguf
import numpy as np

work = peers.scratch()


class Model:
    """A GGUF of small matrices with the names and keys of an architecture; importance for its matrices."""

    def __init__(self, name, arch="llama", layers=8, heads=8, kv=8, row=256, ff=512, experts=0, tied=False, fused=False,
                 kv_b=False, dtype=np.float16, seed=1, extra=(), file_type=1, alignment=None, text=None, texts=None, zeros=False):
        self.path, self.name, self.layers = work / f"{name}.gguf", name, layers
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.dtype, self.shapes, self.zeros = dtype, {}, zeros
        self.w = w = gguf.GGUFWriter(self.path, arch)
        w.add_string("general.name", name)
        w.add_block_count(layers)
        w.add_context_length(512)
        w.add_embedding_length(row)
        w.add_feed_forward_length(ff)
        w.add_head_count(heads)
        w.add_head_count_kv(kv)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_layer_norm_eps(1e-5)
        w.add_rope_dimension_count(row // heads)
        if arch == "phi3":
            w.add_rope_scaling_orig_ctx_len(512)
        if experts:
            w.add_expert_count(experts)
            w.add_expert_used_count(2)
        if file_type is not None:
            w.add_file_type(file_type)
        if alignment:
            w.add_custom_alignment(alignment)
        if text:
            w.add_string("test.text", text)
            w.add_array("test.texts", texts)
        w.add_tokenizer_model("none") if arch != "phi3" else None
        self.matrix("token_embd.weight", 24, row)
        if not tied:
            self.matrix("output.weight", 24, row)
        self.vector("output_norm.weight", row)
        for name, shape in extra:
            self.matrix(name, *shape)
        for i in reversed(range(layers)):  # an order that is not llama-quantize's
            self.layer(f"blk.{i}.", row, ff, experts, fused, kv_b)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()

    def layer(self, p, row, ff, experts, fused, kv_b):
        self.vector(p + "attn_norm.weight", row)
        if fused:
            self.matrix(p + "attn_qkv.weight", 6, row)
        else:
            for x in "qkv":
                self.matrix(f"{p}attn_{x}.weight", 3, row)
            self.vector(p + "attn_q.bias", 3)
        if kv_b:
            self.matrix(p + "attn_kv_b.weight", 2, row)
        self.matrix(p + "attn_output.weight", 4, row)
        self.vector(p + "ffn_norm.weight", row)
        if experts:
            self.matrix(p + "ffn_gate_inp.weight", experts, row, np.float32)
            for x, (rows, columns) in {"gate": (2, row), "up": (2, row), "down": (2, ff)}.items():
                self.matrix(f"{p}ffn_{x}_exps.weight", experts, rows, columns)
        else:
            if not fused:
                self.matrix(p + "ffn_gate.weight", 3, row)
            self.matrix(p + "ffn_up.weight", 3, row)
            self.matrix(p + "ffn_down.weight", 3, ff)

    def matrix(self, name, *shape):
        dtype = shape[-1] if isinstance(shape[-1], type) else self.dtype
        shape = [n for n in shape if not isinstance(n, type)]
        self.shapes[name] = shape
        values = self.rng.standard_normal(shape) * 0.05
        if self.zeros:
            values[..., 32:64] = 0
        self.w.add_tensor(name, values.astype(dtype))

    def vector(self, name, n):
        self.w.add_tensor(name, self.rng.standard_normal(n).astype(np.float32))

    def importance(self, partial):
        """name -> F32 array; a part: every third matrix has none, of experts the second got no data."""
        rng = np.random.Generator(np.random.PCG64(5))
        of = {}
        for i, (name, shape) in enumerate(sorted(self.shapes.items())):
            values = rng.exponential(1, [shape[0] if len(shape) == 3 else 1, shape[-1]]).astype(np.float32)
            if name.startswith("blk.") and not (partial and i % 3 == 2):
                of[name] = values
        return of


def write_gguf(path, of, counts=7, unseen=()):
    """An imatrix as llama-imatrix writes it now: sums of squares and counts."""
    w = gguf.GGUFWriter(path, "")
    w.kv_data[0].clear()
    w.add_type("imatrix")
    w.add_array("imatrix.datasets", ["calibration.txt", "second.txt"])
    w.add_uint32("imatrix.chunk_count", 11)
    w.add_uint32("imatrix.chunk_size", 512)
    for name, values in sorted(of.items()):
        n = np.full((len(values), 1), counts, np.float32)
        if name in unseen:
            n[1] = 0
        w.add_tensor(name + ".in_sum2", values * np.float32(counts))
        w.add_tensor(name + ".counts", n)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_legacy(path, of, calls=3, dataset="calibration.txt"):
    with open(path, "wb") as f:
        f.write(struct.pack("<i", len(of)))
        for name, values in sorted(of.items()):
            f.write(struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", calls, values.size))
            f.write((values * np.float32(calls)).tobytes())
        f.write(struct.pack("<ii", 9, len(dataset)) + dataset.encode())


def quotient(values, n):
    """What llama-quantize makes of the sums in a file."""
    return values * np.float32(n) / np.float32(n)
