/* Q4_1: 32 weights in 20 bytes, 5 bits a weight.
 *
 *   0   d       F16  scale
 *   2   m       F16  minimum
 *   4   q[16]   u8   low half of q[j]: code of weight j, high half: of weight j + 16
 *                                           weight = code * d + m
 *
 * Encoding (quantize_row_q4_1_ref): d = (max - min) / 15, code = min(15, (int8)((x - min) / d + 0.5)) by way
 * of the unrounded d; facts/gguf.md 3.1. With importance: row32.h.
 */
#include "quant/codec.h"
#include "quant/row32.h"

enum { N = BLOCK32, BYTES = 20, GROUP = ACROSS };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const vf d = vf_set(half_value(phi_load16(src))), m = vf_set(half_value(phi_load16(src + 2)));
		for (int k = 0; k < STEPS32; k++)
			vf_store(dst + k * LANES, vf_of_int(load_nibbles(src + 4, k)) * d + m);
	}
}

/* A code that does not fit int8 wraps before it is cut to 15. */
static uint8_t
code_of(float x)
{
	const int8_t code = (int8_t)float_cut(x);
	return (uint8_t)(code < 15 ? code : 15);
}

/* The specification, of any input. */
static void
reference(const float *x, uint8_t *dst)
{
	float min, max;
	block32_range(x, &min, &max);
	const float d = (max - min) / 15, inverse = inverse_of(d);
	phi_store16(dst, half_of(d));
	phi_store16(dst + 2, half_of(min));
	for (int j = 0; j < N / 2; j++)
		dst[4 + j] = (uint8_t)(code_of((x[j] - min) * inverse + 0.5f) |
			code_of((x[j + N / 2] - min) * inverse + 0.5f) << 4);
}

#if PHI_LANES == 1
static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++)
		reference(src + b * N, dst + b * BYTES);
	return floats_reach(src, blocks * N);
}
#else
/* 0 to 15, or INT32_MIN where x / d is infinite or NaN: its low byte is 0. */
PHI_INLINE vi
code(vf x, vf inverse, vf base)
{
	return vi_min(vf_cut((x - base) * inverse + 0.5f), vi_set(15));
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	vi reach = vi_set(0);
	for (size_t b = 0; b < blocks; b += LANES) {
		vf min, max;
		blocks32_range(src + b * N, &min, &max, &reach);
		const vf d = vf_abs((max - min) / 15); /* of zeros 0, whatever their signs */
		min = blocks32_minimum(src + b * N, min);
		const struct heads32 h = { .scale = d, .offset = min, .inverse = vf_inverse(d), .base = min };
		blocks32_pack(src + b * N, dst + b * BYTES, BYTES, &h, true, code, store_nibbles);
	}
	return vi_reach(reach);
}
#endif

PHI_INLINE vi
weighted_code(vf x, vf inverse, vf base)
{
	return rows32_affine_code(x, inverse, base, 15);
}

static uint32_t
encode_by_row(const float *src, const float *importance, const float *squares, uint8_t *dst, size_t blocks)
{
	return rows32_affine(src, importance, squares, dst, blocks, BYTES, 15, weighted_code, store_nibbles);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block)) && half_finite(phi_load16(block + 2));
}

/* The last float that rounds to 65504, the largest F16: as a minimum it holds, and so does the scale. */
const struct phi_codec PHI_CODECS(q4_1)[] = {
	{ .id = PHI_Q4_1, .group = GROUP, .decode = decode, .encode = encode,
		.encode_by_row = encode_by_row, .reference = reference, .largest = 0x1.ffdffep+15f, .sound = sound },
	PHI_CODECS_END,
};
