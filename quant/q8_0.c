/* Q8_0: 32 weights in 34 bytes, 8.5 bits a weight.
 *
 *   0   d       F16  scale
 *   2   q[32]   i8   codes                  weight j = q[j] * d
 *
 * Encoding (quantize_row_q8_0_ref): d = largest magnitude / 127, code = roundf(x / d) by way of the
 * unrounded d; facts/gguf.md 3.1.
 */
#include "quant/codec.h"
#include "quant/lanes.h"

enum { N = 32, BYTES = 34, GROUP = LANES, STEPS = N / LANES };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const vf d = vf_set(half_value(phi_load16(src)));
		for (int k = 0; k < STEPS; k++)
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
/* LANES blocks at a time: the lanes run along a block for the maximum and for the codes, across the
 * blocks for the scales. */
static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	vi reach = vi_set(0);
	for (size_t b = 0; b < blocks; b += LANES, src += LANES * N, dst += LANES * BYTES) {
		vf most[LANES];
		for (int i = 0; i < LANES; i++) {
			vi m = (vi)vf_bits(vf_abs(vf_load(src + i * N)));
			for (int k = 1; k < STEPS; k++)
				m = vi_max(m, (vi)vf_bits(vf_abs(vf_load(src + i * N + k * LANES))));
			reach = vi_max(reach, m);
			most[i] = vf_of_bits((vu)m);
		}
		const vf d = vf_max_rows(most) / 127;
		const vf inverse = vf_pick(vf_eq(d, vf_set(0)), vf_set(0), 1 / d);
		float factor[LANES];
		uint8_t scale[2 * LANES];
		vf_store(factor, inverse);
		vu_store16(scale, vf_half(d));
		for (int i = 0; i < LANES; i++) {
			const vf f = vf_set(factor[i]);
			vi q[STEPS];
			for (int k = 0; k < STEPS; k++)
				q[k] = vf_round_away(vf_load(src + i * N + k * LANES) * f);
			memcpy(dst + i * BYTES, scale + 2 * i, 2);
			vi_store_bytes(dst + i * BYTES + 2, q, N);
		}
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
