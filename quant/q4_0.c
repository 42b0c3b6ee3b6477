/* Q4_0: 32 weights in 18 bytes, 4.5 bits a weight.
 *
 *   0   d       F16  scale
 *   2   q[16]   u8   low half of q[j]: code of weight j, high half: of weight j + 16
 *                                           weight = (code - 8) * d
 *
 * Encoding (quantize_row_q4_0_ref): d = x / -8 for the x of largest magnitude, the first of equals; code =
 * min(15, (int8)(x / d + 8.5)) by way of the unrounded d; facts/gguf.md 3.1.
 */
#include "quant/codec.h"
#include "quant/lanes.h"

enum { N = 32, BYTES = 18, GROUP = LANES, STEPS = N / 2 / LANES };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const vf d = vf_set(half_value(phi_load16(src)));
		for (int k = 0; k < N / 2; k += LANES) {
			const vi q = vi_load_u8(src + 2 + k);
			vf_store(dst + k, vf_of_int((q & 15) - 8) * d);
			vf_store(dst + k + N / 2, vf_of_int((q >> 4) - 8) * d);
		}
	}
}

/* The specification, of any input; a code that does not fit int8 wraps before it is cut to 15. */
static void
reference(const float *x, uint8_t *dst)
{
	float most = 0, max = 0;
	for (int j = 0; j < N; j++)
		if (most < fabsf(x[j])) {
			most = fabsf(x[j]);
			max = x[j];
		}
	const float d = max / -8, inverse = d != 0 ? 1 / d : 0;
	phi_store16(dst, half_of(d));
	for (int j = 0; j < N / 2; j++) {
		const int8_t low = (int8_t)float_cut(x[j] * inverse + 8.5f);
		const int8_t high = (int8_t)float_cut(x[j + N / 2] * inverse + 8.5f);
		const uint8_t a = (uint8_t)(low < 15 ? low : 15), b = (uint8_t)(high < 15 ? high : 15);
		dst[2 + j] = (uint8_t)(a | b << 4);
	}
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
/* The x of largest magnitude of each of LANES blocks. Only where a block's maximum and minimum are as far
 * from zero does it matter which came first. */
static vf
extremes(const float *src, vi *reach)
{
	vf high[LANES], low[LANES];
	for (int i = 0; i < LANES; i++) {
		high[i] = low[i] = vf_load(src + i * N);
		for (int k = LANES; k < N; k += LANES) {
			const vf x = vf_load(src + i * N + k);
			high[i] = vf_max(high[i], x);
			low[i] = vf_min(low[i], x);
			*reach = vi_max(*reach, (vi)vf_bits(vf_abs(x)));
		}
		*reach = vi_max(*reach, (vi)vf_bits(vf_abs(vf_load(src + i * N))));
		low[i] = -low[i];
	}
	const vf up = vf_max_rows(high), down = vf_max_rows(low);
	vf max = vf_pick(vf_lt(up, down), -down, up);
	int32_t even[LANES];
	const vi ties = vf_eq(up, down);
	memcpy(even, &ties, sizeof even);
	float each[LANES];
	vf_store(each, max);
	for (int i = 0; i < LANES; i++)
		if (even[i] && each[i] != 0)
			for (int j = 0; j < N; j++)
				if (fabsf(src[i * N + j]) == each[i]) {
					each[i] = src[i * N + j];
					break;
				}
	max = vf_load(each);
	return vf_pick(vf_eq(max, vf_set(0)), vf_set(0), max);
}

/* LANES blocks at a time: the lanes run along a block for the extremes and for the codes, across the
 * blocks for the scales. */
static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	vi reach = vi_set(0);
	for (size_t b = 0; b < blocks; b += LANES, src += LANES * N, dst += LANES * BYTES) {
		const vf d = extremes(src, &reach) / -8;
		const vf inverse = vf_pick(vf_eq(d, vf_set(0)), vf_set(0), 1 / d);
		float factor[LANES];
		uint8_t scale[2 * LANES];
		vf_store(factor, inverse);
		vu_store16(scale, vf_half(d));
		for (int i = 0; i < LANES; i++) {
			const vf f = vf_set(factor[i]);
			vi q[STEPS];
			for (int k = 0; k < STEPS; k++) {
				const float *const x = src + i * N + k * LANES;
				/* 0 to 16, or INT32_MIN where x / d is infinite or NaN: 0 as a byte. */
				const vi low = vi_min(vf_cut(vf_load(x) * f + 8.5f), vi_set(15));
				const vi high = vi_min(vf_cut(vf_load(x + N / 2) * f + 8.5f), vi_set(15));
				q[k] = low | (vi)((vu)high << 4);
			}
			memcpy(dst + i * BYTES, scale + 2 * i, 2);
			vi_store_bytes(dst + i * BYTES + 2, q, N / 2);
		}
	}
	return vi_reach(reach);
}
#endif

/* The largest scale is the largest F16, so 8 times the last float that rounds to 65504. */
const struct phi_codec PHI_CODECS(q4_0)[] = {
	{ .id = PHI_Q4_0, .group = GROUP, .decode = decode, .encode = encode, .reference = reference,
		.largest = 0x1.ffdffep+18f },
	PHI_CODECS_END,
};
