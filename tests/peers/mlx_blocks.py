"""mlx.core.quantize on a CPU, its planes woven to blocks as our types have them: codes, scale, bias of a group."""
import mlx.core as mx
import numpy as np

mx.set_default_device(mx.cpu)
DTYPES = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}
AFFINE = [f"MLX{bits}_G{group}_{dtype}" for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128) for dtype in DTYPES]
FLOATS = {"MLX_MXFP4": ("mxfp4", 4, 32), "MLX_MXFP8": ("mxfp8", 8, 32), "MLX_NVFP4": ("nvfp4", 4, 16)}
TYPES = [*AFFINE, *FLOATS]


def form(name):
    """What mx.quantize is told, and the dtype of an affine type (None: any)."""
    if name in FLOATS:
        mode, bits, group = FLOATS[name]
        return {"mode": mode, "bits": bits, "group_size": group}, None
    head, group, dtype = name.split("_")
    return {"mode": "affine", "bits": int(head[3:]), "group_size": int(group[1:])}, dtype


def octets(a):
    """An array's bytes, a row for each group."""
    return np.array(a.view(mx.uint8) if a.dtype != mx.uint8 else a).reshape(-1)


def array(x, dtype):
    with np.errstate(over="ignore", invalid="ignore"):
        return mx.array(np.asarray(x, np.float32)).astype(DTYPES[dtype])


def quantize(name, x, dtype=None):
    """The blocks of a flat array, rounded to the type's dtype (to `dtype` where the type has none) first."""
    how, own = form(name)
    planes = mx.quantize(array(x, own or dtype or "F32").reshape(1, -1), **how)
    groups = x.size // how["group_size"]
    return np.concatenate([octets(p).reshape(groups, -1) for p in planes], 1).reshape(-1)


def dequantize(name, blocks):
    """F32 of blocks, computed in F32."""
    how, own = form(name)
    bits, group = how["bits"], how["group_size"]
    head = {None: 1, "F32": 4}.get(own, 2)
    codes = bits * group // 8
    rows = np.frombuffer(blocks, np.uint8).reshape(-1, codes + head * (2 if own else 1))
    planes = [mx.array(np.ascontiguousarray(rows[:, :codes]).reshape(1, -1).view(np.uint32))]
    for at in (codes, codes + head) if own else (codes,):
        plane = mx.array(np.ascontiguousarray(rows[:, at:at + head]).reshape(1, -1))
        planes.append(plane.view(DTYPES[own]).astype(mx.float32) if own else plane)
    return np.array(mx.dequantize(*planes, **how, dtype=mx.float32)).reshape(-1)
