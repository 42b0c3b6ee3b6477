/* IQ4_NL and IQ4_XS: codes of 4 bits for 16 values that lie closer near zero.
 *
 *   IQ4_NL, 32 weights in 18 bytes, 4.5 bits a weight
 *   0    d       F16  scale
 *   2    q[16]   u8   low half of q[j]: code of weight j, high half: of weight j + 16
 *                                           weight = d * value[code]
 *
 *   IQ4_XS, 256 weights in 136 bytes, 4.25 bits a weight
 *   0    d       F16  scale of the scales
 *   2    h       u16  bits 2 b and 2 b + 1: upper two bits of the scale of 32 weights b
 *   4    l[4]    u8   lower four: of b = 2 j in the low half of l[j], of 2 j + 1 in the high half
 *   8    q[128]  u8   16 bytes for each 32 weights, as above
 *                                           weight = (d * (scale - 32)) * value[code]
 *
 * Encoding (quantize_row_iq4_nl_impl, 7 tries either side): facts/gguf.md 3.5. Its binary search for the nearest
 * value, the upper one at a tie, is here a walk down a tree of the middles between values.
 */
#include "quant/codec.h"
#include "quant/search.h"

enum { N = 32, SUPER = 256, SUBS = 8, BYTES_NL = 18, BYTES_XS = 136,
	SUPERS = ACROSS > SUBS ? ACROSS / SUBS : 1, GROUP_XS = LANES };

static const float values[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };

/* Node i has the nodes 2 i (x below its middle) and 2 i + 1 below it; from 16 on they are codes. */
static const float tree[16] = { 0, -4.5f, -57, 45.5f, -93.5f, -28.5f, 19, 79, -115.5f, -74, -42, -16, 7, 31.5f,
	61, 101 };

/* Codes of the nearest values; of NaN 15, as the reference's. */
static inline vi
nearest_codes(vf x)
{
	vi node = vi_set(3) + vf_lt(x, vf_set(tree[1]));
	node = node + node + 1 + vf_lt(x, vf_lookup8(tree, node));
	node = node + node + 1 + vf_lt(x, vf_lookup8(tree, node));
	node = node + node + 1 + vf_lt(x, vf_lookup8(tree + 8, node));
	return node - 16;
}

/* Sums of w * value * x and w * value * value with the values nearest to inverse * x. */
PHI_INLINE void
sums(const vf (*x)[GROUPS], const vf (*w)[GROUPS], const vf inverse[GROUPS], vf sum_qx[GROUPS],
	vf sum_q2[GROUPS])
{
	EACH_GROUP sum_qx[g] = sum_q2[g] = vf_set(0);
	for (int i = 0; i < N; i++)
		EACH_GROUP {
			const vf q = vf_lookup16(values, nearest_codes(inverse[g] * x[i][g]));
			const vf wq = w[i][g] * q;
			sum_qx[g] += wq * x[i][g];
			sum_q2[g] += wq * q;
		}
}

/* Scales of ACROSS sub-blocks of 32; 0 for zeros. */
PHI_INLINE void
search(const vf (*x)[GROUPS], const vf (*w)[GROUPS], float *dst)
{
	const vf zero = vf_set(0);
	vf extreme[GROUPS], inverse[GROUPS], qx[GROUPS], q2[GROUPS], scale[GROUPS], best[GROUPS];
	vi flat[GROUPS];
	extremes_across(N, x, extreme, flat);
	EACH_GROUP inverse[g] = 1 / (-extreme[g] / values[0]);
	sums(x, w, inverse, qx, q2);
	EACH_GROUP {
		scale[g] = vf_pick(vf_lt(zero, q2[g]), qx[g] / q2[g], zero);
		best[g] = scale[g] * qx[g];
	}
	for (int i = -7; i <= 7; i++) {
		EACH_GROUP inverse[g] = vf_set((float)i + values[0]) / extreme[g];
		sums(x, w, inverse, qx, q2);
		EACH_GROUP {
			const vi better = vf_lt(zero, q2[g]) & vf_lt(best[g] * q2[g], qx[g] * qx[g]);
			const vf s = qx[g] / q2[g];
			scale[g] = vf_pick(better, s, scale[g]);
			best[g] = vf_pick(better, s * qx[g], best[g]);
		}
	}
	EACH_GROUP scale[g] = vf_pick(flat[g], zero, scale[g]);
	store_across(dst, scale);
}

static void
search_plain(const float *src, float *dst)
{
	vf x[N][GROUPS], w[N][GROUPS];
	lay_across(src, N, x);
	for (int i = 0; i < N; i++)
		EACH_GROUP w[i][g] = x[i][g] * x[i][g];
	search(x, w, dst);
}

/* Where importance is given; of each sub-block `squares` is twice the mean square of its block. */
static void
search_weighted(const float *src, const float *importance, const float *squares, float *dst)
{
	vf x[N][GROUPS], w[N][GROUPS];
	lay_weighted(src, importance, squares, N, x, w);
	search(x, w, dst);
}

/* The 16 bytes of codes of 32 weights. */
static void
store_codes(const float *x, float inverse, uint8_t *dst)
{
	vi pairs[N / 2 / LANES];
	for (int k = 0; k < N / 2 / LANES; k++) {
		const vi low = nearest_codes(vf_load(x + k * LANES) * inverse);
		const vi high = nearest_codes(vf_load(x + N / 2 + k * LANES) * inverse);
		pairs[k] = low | (vi)((vu)high << 4);
	}
	vi_store_bytes(dst, pairs, N / 2);
}

static void
load_values(const uint8_t *src, float d, float *dst)
{
	for (int k = 0; k < N / 2; k += LANES) {
		const vi pair = vi_load_u8(src + k);
		vf_store(dst + k, d * vf_lookup16(values, pair & 15));
		vf_store(dst + N / 2 + k, d * vf_lookup16(values, pair >> 4));
	}
}

static void
decode_nl(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++)
		load_values(src + b * BYTES_NL + 2, half_value(phi_load16(src + b * BYTES_NL)), dst + b * N);
}

/* Codes and bytes of ACROSS blocks. */
static void
finish_nl(const float *src, const float scale[ACROSS], uint8_t *dst)
{
	for (size_t j = 0; j < ACROSS; j++) {
		uint8_t *const block = dst + j * BYTES_NL;
		phi_store16(block, half_of(scale[j]));
		store_codes(src + j * N, scale[j] != 0 ? 1 / scale[j] : 0, block + 2);
	}
}

static uint32_t
encode_nl(const float *src, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += ACROSS) {
		float scale[ACROSS];
		search_plain(src + b * N, scale);
		finish_nl(src + b * N, scale, dst + b * BYTES_NL);
	}
	return floats_reach(src, blocks * N);
}

static uint32_t
weigh_nl(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += ACROSS) {
		float scale[ACROSS], squares[ACROSS];
		for (int g = 0; g < GROUPS; g++)
			vf_store(squares + g * LANES,
				squares_across(src + (b + (size_t)g * LANES) * N, N) * (2.0f / N));
		search_weighted(src + b * N, importance + b * N, squares, scale);
		finish_nl(src + b * N, scale, dst + b * BYTES_NL);
	}
	return floats_reach(src, blocks * N);
}

static void
decode_xs(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_XS)
		for (int j = 0; j < SUBS; j++, dst += N) {
			const int low = src[4 + j / 2] >> j % 2 * 4 & 15, high = phi_load16(src + 2) >> 2 * j & 3;
			const float d = half_value(phi_load16(src)) * (float)((low | high << 4) - 32);
			load_values(src + 8 + 16 * j, d, dst);
		}
}

/* Scales, codes and bytes of one super-block. */
static void
finish_xs(const float *src, const float scale[SUBS], uint8_t *dst)
{
	float most = 0, extreme = 0;
	for (int j = 0; j < SUBS; j++)
		if (fabsf(scale[j]) > most) {
			most = fabsf(scale[j]);
			extreme = scale[j];
		}
	const float d = -extreme / 32, inverse = d != 0 ? 1 / d : 0;
	uint32_t high = 0;
	memset(dst + 4, 0, 4);
	for (int j = 0; j < SUBS; j++) {
		const int32_t l = nearest(inverse * scale[j]);
		const int32_t six = l < -32 ? -32 : l > 31 ? 31 : l;
		const float own = d * (float)six;
		store_codes(src + j * N, own != 0 ? 1 / own : 0, dst + 8 + 16 * j);
		dst[4 + j / 2] |= (uint8_t)(((six + 32) & 15) << j % 2 * 4);
		high |= (uint32_t)(six + 32) >> 4 << 2 * j;
	}
	phi_store16(dst, half_of(d));
	phi_store16(dst + 2, (uint16_t)high);
}

static uint32_t
encode_xs(const float *src, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += SUPERS) {
		float scale[SUPERS * SUBS];
		for (int k = 0; k < SUPERS * SUBS; k += ACROSS)
			search_plain(src + b * SUPER + (size_t)k * N, scale + k);
		for (int k = 0; k < SUPERS; k++)
			finish_xs(src + (b + (size_t)k) * SUPER, scale + k * SUBS, dst + (b + (size_t)k) * BYTES_XS);
	}
	return floats_reach(src, blocks * SUPER);
}

static uint32_t
weigh_xs(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += GROUP_XS) {
		float scale[GROUP_XS * SUBS], squares[GROUP_XS * SUBS];
		repeat_across(squares_across(src + b * SUPER, SUPER) * (2.0f / SUPER), SUBS, squares);
		for (int k = 0; k < GROUP_XS * SUBS; k += ACROSS)
			search_weighted(src + b * SUPER + (size_t)k * N, importance + b * SUPER + (size_t)k * N,
				squares + k, scale + k);
		for (size_t k = 0; k < GROUP_XS; k++)
			finish_xs(src + (b + k) * SUPER, scale + k * SUBS, dst + (b + k) * BYTES_XS);
	}
	return floats_reach(src, blocks * SUPER);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block));
}

const struct phi_codec PHI_CODECS(iq4)[] = {
	{ .id = PHI_IQ4_NL, .group = ACROSS, .decode = decode_nl, .encode = encode_nl,
		.encode_weighted = weigh_nl, .largest = 0x1p+22f, .sound = sound },
	{ .id = PHI_IQ4_XS, .group = GROUP_XS, .decode = decode_xs, .encode = encode_xs,
		.encode_weighted = weigh_xs, .largest = 0x1p+27f, .sound = sound },
	PHI_CODECS_END,
};
