/* Q8_0: 32 weights in 34 bytes, 8.5 bits a weight.
 *
 *   0   d       F16  scale
 *   2   q[32]   i8   codes                  weight j = q[j] * d
 *
 * Encoding (quantize_row_q8_0_ref): d = largest magnitude / 127, code = roundf(x / d) by way of the
 * unrounded d; facts/gguf.md 3.1.
 */
#include "quant/block32.h"
#include "quant/codec.h"

enum { N = BLOCK32, BYTES = 34, GROUP = LANES };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const vf d = vf_set(half_value(phi_load16(src)));
		for (int k = 0; k < STEPS32; k++)
			vf_store(dst + k * LANES, vf_of_int(vi_load_s8(src + 2 + k * LANES)) * d);
	}
}

/* The specification, of any input: the running maximum forgets what was before a NaN, a code that does
 * not fit int8 wraps. */
static void
reference(const float *x, uint8_t *dst)
{
	float most = 0;
	for (int j = 0; j < N; j++)
		most = most > fabsf(x[j]) ? most : fabsf(x[j]);
	const float d = most / 127, inverse = d != 0 ? 1 / d : 0;
	phi_store16(dst, half_of(d));
	for (int j = 0; j < N; j++)
		dst[2 + j] = (uint8_t)float_cut(roundf(x[j] * inverse));
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
PHI_INLINE vi
code(vf x, vf inverse, vf base)
{
	(void)base;
	return vf_round_away(x * inverse);
}

PHI_INLINE void
store(uint8_t *dst, const vi q[STEPS32])
{
	vi_store_bytes(dst, q, N);
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	vi reach = vi_set(0);
	for (size_t b = 0; b < blocks; b += LANES) {
		const vf d = blocks32_most(src + b * N, &reach) / 127;
		const struct heads32 h = { .scale = d, .inverse = vf_inverse(d) };
		blocks32_pack(src + b * N, dst + b * BYTES, BYTES, &h, false, code, store);
	}
	return vi_reach(reach);
}
#endif

/* The largest scale is the largest F16, so 127 times the last float that rounds to 65504. */
const struct phi_codec PHI_CODECS(q8_0)[] = {
	{ .id = PHI_Q8_0, .group = GROUP, .decode = decode, .encode = encode, .reference = reference,
		.largest = 0x1.fbe03ep+22f },
	PHI_CODECS_END,
};
