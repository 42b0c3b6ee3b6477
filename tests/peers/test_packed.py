#!/usr/bin/env python3
"""Packed checkpoints decode to what the reference libraries make of them.

bitsandbytes and compressed-tensors pack and unpack themselves; gpt-oss's experts are transformers'; GPTQ, AWQ, FP8 by
blocks and modelopt's NVFP4, whose libraries want a GPU, are packed here from known integers. Where a library computes
in F16 or BF16, our F32 is rounded to that type, and one unit in the last place is allowed.
"""
import json

import peers
import numpy as np
import torch
from safetensors.torch import load_file, save_file

work = peers.scratch()
rng = np.random.default_rng(7)
torch.manual_seed(7)


def decoded(name, tensors, config=None):
    """Our F32 tensors of a folder of these members, the types they had, and the folder."""
    folder = work / name
    folder.mkdir()
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "x", "quantization_config": config or {}}))
    types = {t["name"]: t["dtype"] for t in peers.inspect(folder)["tensors"]}
    peers.tool("phi-quant", "-t", "f32", folder, "-o", work / f"{name}-f32.safetensors")
    return load_file(work / f"{name}-f32.safetensors"), types


def ulps(ours, want):
    """The largest distance in units in the last place of want's type; ours is rounded to it."""
    bits = {torch.float32: torch.int32, torch.float16: torch.int16, torch.bfloat16: torch.int16}[want.dtype]
    def line(x):
        i = x.contiguous().view(bits).to(torch.int64)
        return torch.where(i < 0, -(i & (2 ** (8 * x.element_size() - 1) - 1)), i)
    return int((line(ours.to(want.dtype)) - line(want)).abs().max())


def compare(name, tensors, expected, config=None, spelt=None, allowed=0):
    try:
        ours, types = decoded(name, tensors, config)
    except peers.Failure as e:
        peers.check(False, name, str(e))
        return
    for key, want in expected.items():
        got = ours.get(key)
        if got is None or got.shape != want.shape:
            peers.check(False, f"{name}: {key}", f"{None if got is None else tuple(got.shape)}, not {tuple(want.shape)}")
            continue
        far = ulps(got, want)
        right = spelt is None or types[key] == spelt
        peers.check(far <= allowed and right, f"{name}: {key} ({types[key]})", f"{far} ulp apart, spelt {types[key]}, not {spelt}")
    peers.check(set(ours) == set(expected), f"{name}: no member is left", str(set(ours) ^ set(expected)))


# ---- bitsandbytes

def bitsandbytes():
    import bitsandbytes.functional as F
    for quant in "nf4", "fp4":
        for nested in False, True:
            for shape in (48, 80), (300, 257), (1, 64):
                for block in 64, 128:
                    w = torch.randn(shape)
                    packed, state = F.quantize_4bit(w, quant_type=quant, compress_statistics=nested, blocksize=block)
                    members = {"m.weight": packed}
                    members.update({f"m.weight.{k}": v for k, v in state.as_dict(packed=True).items()})
                    scale = "U8/F32" if nested else "F32"
                    state.shape = torch.Size([w.numel()])  # its CPU kernel takes rows of broken blocks wrongly
                    compare(f"bnb-{quant}-{nested}-{shape[0]}x{shape[1]}-{block}", members,
                            {"m.weight": F.dequantize_4bit(packed, state).reshape(shape)},
                            spelt=f"{quant.upper()} G{block} {scale} BNB")
    w = torch.randn(40, 96, dtype=torch.float16)
    q, scb, _ = F.int8_vectorwise_quant(w)
    compare("bnb-int8", {"m.weight": q, "m.SCB": scb, "m.weight_format": torch.tensor(0, dtype=torch.uint8)},
            {"m.weight": F.int8_vectorwise_dequant(q, scb)}, spelt="INT8 CHANNEL F32 BNB")


# ---- compressed-tensors

def compressed_tensors():
    import compressed_tensors.compressors as C
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

    def run(name, compressor, args, scales, spelt, shape=(64, 128), **more):
        scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**args))
        state = {"weight": torch.randn(shape, dtype=more.pop("dtype", torch.float32)), "weight_scale": scales, **more}
        packed = compressor.compress(state, scheme)
        want = compressor.decompress(dict(packed), scheme)["weight"]
        config = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": args["num_bits"]}}}}
        compare(f"ct-{name}", {f"m.{k}": v for k, v in packed.items()}, {"m.weight": want.detach()}, config, spelt,
                allowed=0 if want.dtype == torch.float32 else 1)

    for bits in range(2, 9):
        for dtype in torch.float32, torch.bfloat16:
            kind = {torch.float32: "F32", torch.bfloat16: "BF16"}[dtype]
            scale = torch.rand(64, 4, dtype=torch.float32).to(dtype) * 0.2 + 0.01
            base = {"num_bits": bits, "type": "int", "strategy": "group", "group_size": 32}
            run(f"pack-{bits}-{kind}", C.PackedQuantizationCompressor, {**base, "symmetric": True}, scale,
                f"INT{bits} G32 {kind} CT", dtype=dtype)
            zero = torch.randint(-2 ** (bits - 1), 2 ** (bits - 1), (64, 4), dtype=torch.int8)
            run(f"pack-{bits}-{kind}-zp", C.PackedQuantizationCompressor, {**base, "symmetric": False}, scale,
                f"INT{bits} G32 {kind} ZP CT", dtype=dtype, weight_zero_point=zero)
    run("pack-channel", C.PackedQuantizationCompressor, {"num_bits": 4, "strategy": "channel"},
        torch.rand(64, 1) * 0.2 + 0.01, "INT4 CHANNEL F32 CT", shape=(64, 100))
    run("int8-channel", C.IntQuantizationCompressor, {"num_bits": 8, "strategy": "channel"},
        torch.rand(64, 1) * 0.02 + 0.01, "INT8 CHANNEL F32")
    run("fp8-channel", C.FloatQuantizationCompressor, {"num_bits": 8, "type": "float", "strategy": "channel"},
        torch.rand(64, 1) * 0.02 + 0.01, "F8_E4M3 CHANNEL F32")
    run("fp8-tensor", C.FloatQuantizationCompressor, {"num_bits": 8, "type": "float", "strategy": "tensor"},
        torch.rand(1) * 0.02 + 0.01, "F8_E4M3 TENSOR F32")
    run("nvfp4", C.NVFP4PackedCompressor,
        {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16},
        (torch.rand(64, 8) * 200 + 1).to(torch.float8_e4m3fn).float(), "F4 G16 F8_E4M3/F32 CT",
        weight_global_scale=torch.tensor([777.0]))
    mx = {"type": "float", "strategy": "group", "group_size": 32, "scale_dtype": torch.uint8}
    run("mxfp4", C.MXFP4PackedCompressor, {**mx, "num_bits": 4}, 2.0 ** torch.randint(-9, 3, (64, 4)), "F4 G32 F8_E8M0 CT")
    run("mxfp8", C.MXFP8QuantizationCompressor, {**mx, "num_bits": 8}, 2.0 ** torch.randint(-9, 3, (64, 4)),
        "F8_E4M3 G32 F8_E8M0")
    run("fp8-blocks", C.FloatQuantizationCompressor,
        {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128]}, torch.rand(2, 3) + 0.1,
        "F8_E4M3 B128X128 F32", shape=(200, 300))


# ---- gpt-oss

def gpt_oss():
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    blocks = torch.randint(0, 256, (3, 40, 5, 16), dtype=torch.uint8)
    scales = torch.randint(100, 140, (3, 40, 5), dtype=torch.uint8)
    want = convert_moe_packed_tensors(blocks, scales)
    compare("gpt-oss", {"e.gate_up_proj_blocks": blocks, "e.gate_up_proj_scales": scales}, {"e.gate_up_proj": want},
            {"quant_method": "mxfp4"}, "F4 R32 F8_E8M0")


# ---- from known integers

def stream(q, bits, axis):
    """int32 words of a stream of codes along an axis, lowest bits first."""
    q = np.moveaxis(q, axis, -1).astype(np.uint64)
    spread = ((q[..., None] >> np.arange(bits, dtype=np.uint64)) & 1).reshape(*q.shape[:-1], -1)
    words = (spread.reshape(*q.shape[:-1], -1, 32) << np.arange(32, dtype=np.uint64)).sum(-1)
    return torch.tensor(np.ascontiguousarray(np.moveaxis(words, -1, axis)).astype(np.uint32).view(np.int32))


def gptq():
    for bits in 2, 3, 4, 8:
        for version in "gptq", "gptq_v2":
            for act in False, True:
                n_in, out, group = 256, 96, 64
                q = rng.integers(0, 2 ** bits, (n_in, out))
                z = rng.integers(1, 2 ** bits, (n_in // group, out))
                s = rng.normal(size=(n_in // group, out)).astype(np.float16)
                g = np.arange(n_in) // group
                g = rng.permutation(g) if act else g
                members = {"m.qweight": stream(q, bits, 0), "m.scales": torch.tensor(s),
                           "m.qzeros": stream(z - (version == "gptq"), bits, 1), "m.g_idx": torch.tensor(g.astype(np.int32))}
                want = torch.tensor((s[g].astype(np.float32) * (q - z[g])).T.astype(np.float32).copy())
                compare(f"{version}-{bits}-{act}", members, {"m.weight": want},
                        {"quant_method": "gptq", "checkpoint_format": version, "desc_act": act, "bits": bits},
                        f"INT{bits} G{group} F16 ZP{' ACT' if act else ''} GPTQ")


def awq():
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    n_in, out, group = 128, 64, 32
    q = rng.integers(0, 16, (n_in, out))
    z = rng.integers(0, 16, (n_in // group, out))
    s = rng.normal(size=(n_in // group, out)).astype(np.float16)
    def words(x):
        x = x.reshape(x.shape[0], -1, 8)[:, :, order].astype(np.uint64)
        return torch.tensor((x << (4 * np.arange(8, dtype=np.uint64))).sum(-1).astype(np.uint32).view(np.int32))
    g = np.arange(n_in) // group
    want = torch.tensor((s[g].astype(np.float32) * (q - z[g])).T.astype(np.float32).copy())
    compare("awq", {"m.qweight": words(q), "m.qzeros": words(z), "m.scales": torch.tensor(s)}, {"m.weight": want},
            {"quant_method": "awq", "version": "gemm"}, "INT4 G32 F16 ZP AWQ")


def fp8():
    q = torch.randn(200, 300).to(torch.float8_e4m3fn)
    s = torch.rand(2, 3) + 0.5
    whole = s.repeat_interleave(128, 0)[:200].repeat_interleave(128, 1)[:, :300]
    compare("fp8-blocks", {"m.weight": q, "m.weight_scale_inv": s}, {"m.weight": q.float() * whole},
            {"quant_method": "fp8", "weight_block_size": [128, 128]}, "F8_E4M3 B128X128 F32")
    s = torch.rand(200, 1) + 0.5
    compare("fbgemm", {"m.weight": q, "m.weight_scale": s}, {"m.weight": q.float() * s}, {"quant_method": "fbgemm_fp8"},
            "F8_E4M3 CHANNEL F32")
    every = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).reshape(2, 128)
    every = torch.where(every.float().isnan(), torch.zeros(()), every.float()).to(torch.float8_e4m3fn)
    compare("fp8-every-code", {"m.weight": every, "m.weight_scale": torch.tensor(0.25)}, {"m.weight": every.float() * 0.25})


def modelopt():
    lut = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6])
    q = torch.randint(0, 16, (24, 64))
    s = (torch.rand(24, 4) * 10 + 1).to(torch.float8_e4m3fn)
    two = torch.tensor(0.0123)
    want = lut[q] * (s.float() * two).repeat_interleave(16, 1)
    compare("modelopt-nvfp4", {"m.weight": (q[:, ::2] | q[:, 1::2] << 4).to(torch.uint8), "m.weight_scale": s,
                               "m.weight_scale_2": two, "m.input_scale": torch.tensor(1.0)}, {"m.weight": want}, None,
            "F4 G16 F8_E4M3/F32 MODELOPT")


for part in gptq, awq, fp8, modelopt, gpt_oss, bitsandbytes, compressed_tensors:
    try:
        part()
    except Exception as e:  # a library that is not there, or has changed, is a failure of that part only
        peers.check(False, part.__name__, f"{type(e).__name__}: {e}")
peers.finish()
