"""libggml and libllama as published on npm, through ctypes: the oracle for kernels, files and logits.

Struct layouts are those of include/llama.h and ggml/include/ggml.h in $PHI_PEERS/llama.cpp; default
parameters are checked on loading, so a layout that moved is noticed at once.
"""
import ctypes as C

import numpy as np

import peers

LLAMA = peers.PEERS / "llama"

F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, BF16 = 0, 1, 2, 3, 6, 7, 8, 30
# ggml's types and llama-quantize's recipes by name
TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "q2_k": 10, "q3_k": 11, "q4_k": 12,
         "q5_k": 13, "q6_k": 14, "iq2_xxs": 16, "iq2_xs": 17, "iq3_xxs": 18, "iq1_s": 19, "iq4_nl": 20, "iq3_s": 21,
         "iq2_s": 22, "iq4_xs": 23, "iq1_m": 29, "bf16": 30, "tq1_0": 34, "tq2_0": 35, "mxfp4": 39, "nvfp4": 40,
         "q1_0": 41, "q2_0": 42}
FTYPE = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_s": 11,
         "q3_k_m": 12, "q3_k_l": 13, "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18, "iq2_xxs": 19,
         "iq2_xs": 20, "q2_k_s": 21, "iq3_xs": 22, "iq3_xxs": 23, "iq1_s": 24, "iq4_nl": 25, "iq3_s": 26, "iq3_m": 27,
         "iq2_s": 28, "iq2_m": 29, "iq4_xs": 30, "iq1_m": 31, "bf16": 32, "tq1_0": 36, "tq2_0": 37, "mxfp4_moe": 38,
         "nvfp4": 39, "q1_0": 40, "q2_0": 41}


class TypeTraits(C.Structure):
    _fields_ = [("type_name", C.c_char_p), ("blck_size", C.c_int64), ("blck_size_interleave", C.c_int64),
                ("type_size", C.c_size_t), ("is_quantized", C.c_bool),
                ("to_float", C.CFUNCTYPE(None, C.c_void_p, C.c_void_p, C.c_int64)), ("from_float_ref", C.c_void_p)]


class ModelParams(C.Structure):
    _fields_ = [("devices", C.c_void_p), ("tensor_buft_overrides", C.c_void_p), ("n_gpu_layers", C.c_int32),
                ("split_mode", C.c_int), ("load_mode", C.c_int), ("lazy_mode", C.c_int), ("main_gpu", C.c_int32),
                ("tensor_split", C.c_void_p), ("progress_callback", C.c_void_p), ("progress_data", C.c_void_p),
                ("kv_overrides", C.c_void_p)]
    _fields_ += [(name, C.c_bool) for name in ("vocab_only", "check_tensors", "use_extra_bufts", "no_host",
                                               "no_alloc", "load_mtp")]


class ContextParams(C.Structure):
    _fields_ = [(name, C.c_uint32) for name in ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_rs_seq",
                                                "n_outputs_max", "n_outputs_max_per_seq")]
    _fields_ += [(name, C.c_int32) for name in ("n_threads", "n_threads_batch", "ctx_type", "rope_scaling_type",
                                                "pooling_type", "attention_type", "flash_attn_type")]
    _fields_ += [(name, C.c_float) for name in ("rope_freq_base", "rope_freq_scale", "yarn_ext_factor",
                                                "yarn_attn_factor", "yarn_beta_fast", "yarn_beta_slow")]
    _fields_ += [("yarn_orig_ctx", C.c_uint32), ("defrag_thold", C.c_float), ("cb_eval", C.c_void_p),
                 ("cb_eval_data", C.c_void_p), ("type_k", C.c_int), ("type_v", C.c_int),
                 ("abort_callback", C.c_void_p), ("abort_data", C.c_void_p)]
    _fields_ += [(name, C.c_bool) for name in ("embeddings", "offload_kqv", "no_perf", "op_offload", "swa_full",
                                               "kv_unified")]
    _fields_ += [("samplers", C.c_void_p), ("n_samplers", C.c_size_t), ("ctx_other", C.c_void_p)]


class QuantizeParams(C.Structure):
    _fields_ = [("nthread", C.c_int32), ("ftype", C.c_int), ("output_tensor_type", C.c_int),
                ("token_embedding_type", C.c_int)]
    _fields_ += [(name, C.c_bool) for name in ("allow_requantize", "quantize_output_tensor", "only_copy", "pure",
                                               "keep_split", "dry_run")]
    _fields_ += [(name, C.c_void_p) for name in ("imatrix", "kv_overrides", "tt_overrides", "prune_layers")]
    _fields_ += [("max_buf_size", C.c_size_t)]


class Imatrix(C.Structure):
    _fields_ = [("name", C.c_char_p), ("data", C.c_void_p), ("size", C.c_size_t)]


class Override(C.Structure):
    """What --override-kv and the imatrix's keys become: one value under a key."""
    class Value(C.Union):
        _fields_ = [("i", C.c_int64), ("f", C.c_double), ("b", C.c_bool), ("s", C.c_char * 128)]
    _fields_ = [("tag", C.c_int), ("key", C.c_char * 128), ("value", Value)]


class TensorType(C.Structure):
    _fields_ = [("pattern", C.c_char_p), ("type", C.c_int)]


class Batch(C.Structure):
    _fields_ = [("n_tokens", C.c_int32), ("token", C.c_void_p), ("embd", C.c_void_p), ("pos", C.c_void_p),
                ("n_seq_id", C.c_void_p), ("seq_id", C.c_void_p), ("logits", C.c_void_p)]


def _bind(lib, name, result, *args):
    f = getattr(lib, name)
    f.restype, f.argtypes = result, args
    return f


@C.CFUNCTYPE(None, C.c_int, C.c_char_p, C.c_void_p)
def _drop_log(level, text, data):
    pass


base = C.CDLL(str(LLAMA / "libggml-base.so"), mode=C.RTLD_GLOBAL)
_bind(base, "ggml_get_type_traits", C.POINTER(TypeTraits), C.c_int)
_bind(base, "ggml_quantize_chunk", C.c_size_t, C.c_int, C.c_void_p, C.c_void_p, C.c_int64, C.c_int64, C.c_int64,
      C.c_void_p)

_llama = None


def llama():
    """libllama with its functions bound; loaded, with the CPU backend, on the first call."""
    global _llama
    if _llama:
        return _llama
    ggml = C.CDLL(str(LLAMA / "libggml.v0.5.0.so"), mode=C.RTLD_GLOBAL)
    lib = C.CDLL(str(LLAMA / "libllama.v0.5.0.so"), mode=C.RTLD_GLOBAL)
    _bind(lib, "llama_log_set", None, C.c_void_p, C.c_void_p)(C.cast(_drop_log, C.c_void_p), None)
    _bind(ggml, "ggml_backend_load_all_from_path", None, C.c_char_p)(str(LLAMA).encode())
    _bind(lib, "llama_backend_init", None)()
    for name, params in (("model", ModelParams), ("context", ContextParams), ("model_quantize", QuantizeParams)):
        _bind(lib, f"llama_{name}_default_params", params)
    _bind(lib, "llama_model_load_from_file", C.c_void_p, C.c_char_p, ModelParams)
    _bind(lib, "llama_model_free", None, C.c_void_p)
    _bind(lib, "llama_init_from_model", C.c_void_p, C.c_void_p, ContextParams)
    _bind(lib, "llama_free", None, C.c_void_p)
    _bind(lib, "llama_model_get_vocab", C.c_void_p, C.c_void_p)
    _bind(lib, "llama_vocab_n_tokens", C.c_int32, C.c_void_p)
    _bind(lib, "llama_vocab_is_eog", C.c_bool, C.c_void_p, C.c_int32)
    _bind(lib, "llama_tokenize", C.c_int32, C.c_void_p, C.c_char_p, C.c_int32, C.c_void_p, C.c_int32, C.c_bool,
          C.c_bool)
    _bind(lib, "llama_detokenize", C.c_int32, C.c_void_p, C.c_void_p, C.c_int32, C.c_char_p, C.c_int32, C.c_bool,
          C.c_bool)
    _bind(lib, "llama_batch_init", Batch, C.c_int32, C.c_int32, C.c_int32)
    _bind(lib, "llama_batch_free", None, Batch)
    _bind(lib, "llama_decode", C.c_int32, C.c_void_p, Batch)
    _bind(lib, "llama_get_logits_ith", C.POINTER(C.c_float), C.c_void_p, C.c_int32)
    _bind(lib, "llama_model_quantize", C.c_uint32, C.c_char_p, C.c_char_p, C.POINTER(QuantizeParams))
    m, c, q = (lib.llama_model_default_params(), lib.llama_context_default_params(),
               lib.llama_model_quantize_default_params())
    if not (m.use_extra_bufts and m.load_mode == -1 and c.n_ctx == 512 and c.n_seq_max == 1 and c.type_k == F16 and
            c.offload_kqv and c.n_samplers == 0 and q.output_tensor_type == 43 and q.quantize_output_tensor and
            not q.pure and q.max_buf_size == 8 << 30):
        raise RuntimeError("libllama's parameter structs are not laid out as in llama.h")
    _llama = lib
    return lib


def quantize_rows(type_id, rows, importance=None):
    """ggml_quantize_chunk over an F32 array [rows, columns], with importance of the columns -> bytes."""
    rows = np.ascontiguousarray(rows, np.float32)
    traits = base.ggml_get_type_traits(type_id).contents
    out = np.empty(rows.size // traits.blck_size * traits.type_size, np.uint8)
    weights = None if importance is None else np.ascontiguousarray(importance, np.float32)
    assert weights is None or weights.size == rows.shape[1]
    n = base.ggml_quantize_chunk(type_id, rows.ctypes.data, out.ctypes.data, 0, rows.shape[0], rows.shape[1],
                                 None if weights is None else weights.ctypes.data)
    assert n == out.size
    return out.tobytes()


def dequantize(type_id, data):
    """to_float of a type over whole blocks -> F32 array."""
    traits = base.ggml_get_type_traits(type_id).contents
    n = len(data) // traits.type_size * traits.blck_size
    out = np.empty(n, np.float32)
    traits.to_float(data, out.ctypes.data, n)
    return out


def _overrides(values):
    """(key, value) pairs as llama-quantize makes overrides of them: strings cut at 127 bytes."""
    array = (Override * (len(values) + 1))()
    for o, (key, value) in zip(array, values):
        o.key = key.encode()
        if isinstance(value, int):
            o.tag, o.value.i = 0, value
        else:
            o.tag, o.value.s = 3, value.encode()[:127]
    return array


def quantize_file(src, dst, ftype, pure=True, threads=2, imatrix=None, keys=(), output=None, embedding=None,
                  rules=(), keep_output=False, keep_split=False, copy=False):
    """llama_model_quantize: a whole GGUF file to another.

    imatrix: name -> F32 array, and `keys` what the tool would write about it; rules: (regex, type) pairs as
    --tensor-type; output, embedding: types as --output-tensor-type, --token-embedding-type.
    """
    params = llama().llama_model_quantize_default_params()
    params.nthread, params.ftype, params.pure = threads, FTYPE.get(ftype, 0), pure
    params.allow_requantize = True
    params.keep_split, params.only_copy, params.quantize_output_tensor = keep_split, copy, not keep_output
    if output:
        params.output_tensor_type = TYPES[output]
    if embedding:
        params.token_embedding_type = TYPES[embedding]
    held = []  # what the pointers point to
    if imatrix:
        data = {name.encode(): np.ascontiguousarray(v, np.float32) for name, v in imatrix.items()}
        held += [data, (Imatrix * (len(data) + 1))(*(Imatrix(n, v.ctypes.data, v.size) for n, v in data.items()))]
        params.imatrix = C.cast(held[-1], C.c_void_p)
    if keys:
        held.append(_overrides(keys))
        params.kv_overrides = C.cast(held[-1], C.c_void_p)
    if rules:
        held.append((TensorType * (len(rules) + 1))(*(TensorType(p.encode(), TYPES[t]) for p, t in rules)))
        params.tt_overrides = C.cast(held[-1], C.c_void_p)
    status = llama().llama_model_quantize(str(src).encode(), str(dst).encode(), C.byref(params))
    if status:
        raise peers.Failure(f"llama_model_quantize {src} to {ftype}: {status}")


class Model:
    """A GGUF file loaded by libllama, with an F32 key-value cache so that logits compare closely."""

    def __init__(self, path, n_ctx=256):
        lib = llama()
        self.model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
        if not self.model:
            raise peers.Failure(f"libllama cannot load {path}")
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.n_vocab = lib.llama_vocab_n_tokens(self.vocab)
        self.n_ctx, self.ctx = n_ctx, None

    def _restart(self):
        if self.ctx:
            llama().llama_free(self.ctx)
        params = llama().llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = self.n_ctx, self.n_ctx, self.n_ctx
        params.n_outputs_max_per_seq = 0
        params.n_threads = params.n_threads_batch = 2
        params.type_k = params.type_v = F32
        params.flash_attn_type = 0
        self.ctx, self.n_past = llama().llama_init_from_model(self.model, params), 0
        if not self.ctx:
            raise peers.Failure("libllama cannot make a context")

    def _decode(self, ids):
        batch = llama().llama_batch_init(len(ids), 0, 1)
        np.ctypeslib.as_array(C.cast(batch.token, C.POINTER(C.c_int32)), (len(ids),))[:] = ids
        pos = C.cast(batch.pos, C.POINTER(C.c_int32))
        n_seq = C.cast(batch.n_seq_id, C.POINTER(C.c_int32))
        seq = C.cast(batch.seq_id, C.POINTER(C.POINTER(C.c_int32)))
        out = C.cast(batch.logits, C.POINTER(C.c_int8))
        for i in range(len(ids)):
            pos[i], n_seq[i], seq[i][0], out[i] = self.n_past + i, 1, 0, 1
        batch.n_tokens = len(ids)
        status = llama().llama_decode(self.ctx, batch)
        llama().llama_batch_free(batch)
        if status:
            raise peers.Failure(f"llama_decode: {status}")
        self.n_past += len(ids)
        return np.stack([np.ctypeslib.as_array(llama().llama_get_logits_ith(self.ctx, i), (self.n_vocab,)).copy()
                         for i in range(len(ids))])

    def logits(self, ids):
        """Logits after every token of a prompt: F32 array [len(ids), vocabulary]."""
        self._restart()
        return self._decode(ids)

    def greedy(self, ids, n):
        """The n most likely tokens that follow a prompt, one after the other (fewer if the model ends)."""
        last, out = self.logits(ids)[-1], []
        while len(out) < n:
            out.append(int(last.argmax()))
            if llama().llama_vocab_is_eog(self.vocab, out[-1]):
                break
            last = self._decode(out[-1:])[-1]
        return out

    def tokenize(self, text):
        ids = (C.c_int32 * (len(text.encode()) + 8))()
        n = llama().llama_tokenize(self.vocab, text.encode(), len(text.encode()), ids, len(ids), False, True)
        return list(ids[:n])

    def text(self, ids):
        out = C.create_string_buffer(64 * len(ids) + 64)
        n = llama().llama_detokenize(self.vocab, (C.c_int32 * len(ids))(*ids), len(ids), out, len(out), False, True)
        return out.raw[:n].decode(errors="replace")
