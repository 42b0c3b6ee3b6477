/* Q5_0: 32 weights in 22 bytes, 5.5 bits a weight.
 *
 *   0   d       F16  scale
 *   2   h       u32  bit j: the fifth bit of code j
 *   6   q[16]   u8   low half of q[j]: code of weight j, high half: of weight j + 16
 *                                           weight = (code - 16) * d
 *
 * Encoding (quantize_row_q5_0_ref): d = x / -16 for the x of largest magnitude, the first of equals; code =
 * min(31, (int8)(x / d + 16.5)) by way of the unrounded d; facts/gguf.md 3.1. With importance: row32.h.
 */
#include "quant/codec.h"
#include "quant/row32.h"

enum { N = BLOCK32, BYTES = 22, GROUP = ACROSS };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const vf d = vf_set(half_value(phi_load16(src)));
		for (int k = 0; k < STEPS32; k++)
			vf_store(dst + k * LANES, vf_of_int(load_fives(src + 2, k) - 16) * d);
	}
}

/* A code that does not fit int8 wraps before it is cut to 31. */
static uint8_t
code_of(float x)
{
	const int8_t code = (int8_t)float_cut(x);
	return (uint8_t)(code < 31 ? code : 31);
}

/* The specification, of any input. */
static void
reference(const float *x, uint8_t *dst)
{
	const float d = block32_extreme(x) / -16, inverse = inverse_of(d);
	phi_store16(dst, half_of(d));
	uint8_t codes[N];
	for (int j = 0; j < N; j++)
		codes[j] = code_of(x[j] * inverse + 16.5f);
	pack_fives(dst + 2, codes);
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
/* 0 to 32, or INT32_MIN where x / d is infinite or NaN: its low byte is 0. */
PHI_INLINE vi
code(vf x, vf inverse, vf base)
{
	(void)base;
	return vi_min(vf_cut(x * inverse + 16.5f), vi_set(31));
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	vi reach = vi_set(0);
	for (size_t b = 0; b < blocks; b += LANES) {
		const vf d = blocks32_extreme(src + b * N, &reach) / -16;
		const struct heads32 h = { .scale = d, .inverse = vf_inverse(d) };
		blocks32_pack(src + b * N, dst + b * BYTES, BYTES, &h, false, code, store_fives);
	}
	return vi_reach(reach);
}
#endif

PHI_INLINE vi
weighted_code(vf x, vf inverse, vf base)
{
	return rows32_code(x, inverse, base, 16);
}

static uint32_t
encode_by_row(const float *src, const float *importance, const float *squares, uint8_t *dst, size_t blocks)
{
	return rows32_symmetric(src, importance, squares, dst, blocks, BYTES, 16, weighted_code, store_fives);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block));
}

/* The largest scale is the largest F16, so 16 times the last float that rounds to 65504. */
const struct phi_codec PHI_CODECS(q5_0)[] = {
	{ .id = PHI_Q5_0, .group = GROUP, .decode = decode, .encode = encode,
		.encode_by_row = encode_by_row, .reference = reference, .sound = sound,
		.largest = 0x1.ffdffep+19f },
	PHI_CODECS_END,
};
