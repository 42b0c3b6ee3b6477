/* MLX's affine types: groups of 32, 64 or 128 weights in codes of 2 to 8 bits.
 *
 *   0                  q    group * bits / 8 bytes, a stream of bits: code j in bits j * bits and on, lowest first
 *   group * bits / 8   s    scale: F32, F16 or BF16
 *   then               b    bias, likewise                              weight = code * s + b
 *
 * Encoding (mlx.core.quantize of MLX 0.32.4 on a CPU; facts/mlx.md 2.1), of weights of the scale's type, to which
 * others are rounded first: the end of the range that is farther from zero is met exactly, and so is zero if it is in
 * the range. Codes are found by the unrounded scale.
 */
#include "quant/codec.h"
#include "quant/mlx.h"

#include <float.h>

/* Numbers of the scale's type. */

PHI_INLINE size_t
size_of(enum phi_type_id scale)
{
	return scale == PHI_F32 ? 4 : 2;
}

PHI_INLINE float
load(const uint8_t *src, enum phi_type_id scale)
{
	return scale == PHI_F32 ? phi_float32(phi_load32(src)) : scale == PHI_F16 ? half_value(phi_load16(src))
		: phi_float32((uint32_t)phi_load16(src) << 16);
}

PHI_INLINE void
store(uint8_t *dst, vf x, enum phi_type_id scale)
{
	if (scale == PHI_F32)
		vf_store(dst, x);
	else
		vu_store16(dst, scale == PHI_F16 ? vf_half(x) : vf_brain(x));
}

static inline void
decode(const uint8_t *src, float *dst, size_t blocks, unsigned bits, unsigned group, enum phi_type_id scale)
{
	const size_t codes = group * bits / 8, size = size_of(scale);
	for (size_t i = 0; i < blocks; i++, src += codes + 2 * size, dst += group) {
		uint8_t code[GROUP_MAX];
		const vf s = vf_set(load(src + codes, scale)), b = vf_set(load(src + codes + size, scale));
		unpack(src, group, bits, code);
		for (unsigned k = 0; k < group; k += LANES)
			vf_store(dst + k, vf_of_int(vi_load_u8(code + k)) * s + b);
	}
}

/* LANES groups rounded, and the range of each; raises *reach to the largest magnitude of src. */
PHI_INLINE void
ranges(const float *src, unsigned group, enum phi_type_id scale, float *x, vf *min, vf *max, vi *reach)
{
	vf high[LANES], low[LANES];
	for (int i = 0; i < LANES; i++, src += group, x += group) {
		high[i] = vf_set(-INFINITY);
		low[i] = vf_set(-INFINITY);
		for (unsigned k = 0; k < group; k += LANES) {
			const vf raw = vf_load(src + k), v = rounded(raw, scale);
			*reach = vi_max(*reach, (vi)vf_bits(vf_abs(raw)));
			high[i] = vf_max(high[i], v);
			low[i] = vf_max(low[i], -v);
			vf_store(x + k, v);
		}
	}
	*max = vf_max_rows(high);
	*min = -vf_max_rows(low);
}

struct heads {
	vf scale, bias;
};

PHI_INLINE struct heads
heads_of(vf min, vf max, unsigned bits)
{
	const vf zero = vf_set(0);
	const vi low = vf_lt(vf_abs(max), vf_abs(min));
	const vf span = vf_max((max - min) / (float)((1 << bits) - 1), vf_set(1e-7f));
	const vf scale = vf_pick(low, span, -span), edge = vf_pick(low, min, max);
	const vf steps = vf_whole(edge / scale);
	const vi none = vf_eq(steps, zero);
	return (struct heads){ .scale = vf_pick(none, scale, edge / steps), .bias = vf_pick(none, zero, edge) };
}

/* 0 to `most`; what is not a number is 0. */
PHI_INLINE vi
code_of(vf x, vf scale, vf bias, vf most)
{
	return vf_round_even(vf_min(vf_max((x - bias) / scale, vf_set(0)), most));
}

PHI_INLINE uint32_t
encode(const float *src, uint8_t *dst, size_t blocks, unsigned bits, unsigned group, enum phi_type_id scale)
{
	const size_t codes = group * bits / 8, size = size_of(scale);
	const vf most = vf_set((float)((1 << bits) - 1));
	vi reach = vi_set(0);
	for (size_t n = 0; n < blocks; n += LANES, src += LANES * group) {
		float x[LANES * GROUP_MAX], s[LANES], b[LANES];
		uint8_t scales[4 * LANES], biases[4 * LANES];
		vf min, max;
		ranges(src, group, scale, x, &min, &max, &reach);
		const struct heads h = heads_of(min, max, bits);
		vf_store(s, h.scale);
		vf_store(b, h.bias);
		store(scales, h.scale, scale);
		store(biases, h.bias, scale);
		for (unsigned i = 0; i < LANES; i++, dst += codes + 2 * size) {
			uint8_t code[GROUP_MAX];
			for (unsigned k = 0; k < group; k += 16) {
				vi q[16 / LANES];
				for (unsigned j = 0; j < 16 / LANES; j++)
					q[j] = code_of(vf_load(x + i * group + k + j * LANES), vf_set(s[i]),
						vf_set(b[i]), most);
				vi_store_bytes(code + k, q, 16);
			}
			pack(code, group, bits, dst);
			memcpy(dst + codes, scales + i * size, size);
			memcpy(dst + codes + size, biases + i * size, size);
		}
	}
	return vi_reach(reach);
}

/* One loop for each type of scale. */
#define ENCODE(scale)                                                                                        \
	static uint32_t encode_##scale(const float *src, uint8_t *dst, size_t blocks, unsigned bits,         \
		unsigned group)                                                                              \
	{                                                                                                    \
		return encode(src, dst, blocks, bits, group, PHI_##scale);                                   \
	}
ENCODE(F32)
ENCODE(F16)
ENCODE(BF16)

static inline bool
is_sound(const uint8_t *heads, enum phi_type_id scale)
{
	return isfinite(load(heads, scale)) && isfinite(load(heads + size_of(scale), scale));
}

#define NAME(what, bits, group, scale) what##_##bits##_##group##_##scale
#define MLX_TYPE(bits, group, scale, size)                                                                   \
	static void NAME(decode, bits, group, scale)(const uint8_t *src, float *dst, size_t blocks)          \
	{                                                                                                    \
		decode(src, dst, blocks, bits, group, PHI_##scale);                                          \
	}                                                                                                    \
	static uint32_t NAME(encode, bits, group, scale)(const float *src, uint8_t *dst, size_t blocks)      \
	{                                                                                                    \
		return encode_##scale(src, dst, blocks, bits, group);                                        \
	}                                                                                                    \
	static bool NAME(sound, bits, group, scale)(const uint8_t *block)                                    \
	{                                                                                                    \
		return is_sound(block + group * bits / 8, PHI_##scale);                                      \
	}
#include "formats/core/mlx_types.def"

/* Up to these every difference of two weights is finite, and every weight is when rounded. */
#define LARGEST_F32 (FLT_MAX / 2)
#define LARGEST_BF16 (FLT_MAX / 2)
#define LARGEST_F16 0x1.ffdffep+15f

const struct phi_codec PHI_CODECS(mlx_affine)[] = {
#define MLX_TYPE(bits, group_size, scale, size)                                                              \
	{ .id = PHI_MLX##bits##_G##group_size##_##scale, .group = LANES,                                     \
		.decode = NAME(decode, bits, group_size, scale),                                             \
		.encode = NAME(encode, bits, group_size, scale), .largest = LARGEST_##scale,                 \
		.sound = NAME(sound, bits, group_size, scale) },
#include "formats/core/mlx_types.def"
	PHI_CODECS_END,
};
