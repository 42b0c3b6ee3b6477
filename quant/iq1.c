/* IQ1_S, IQ1_M: 256 weights, eight at a time as a point of a grid of -1, 0, 1, all shifted by an
 * eighth.
 *
 *   IQ1_S, 50 bytes, 1.5625 bits a weight
 *   0    d       F16  scale
 *   2    q[32]   u8   lower bits of the points
 *   34   h[8]    u16  of 32 weights: upper three bits of four points, a scale s of three bits (12
 * to 14), is the shift down (15)
 *
 *   IQ1_M, 56 bytes, 1.75 bits a weight
 *   0    q[32]   u8   lower bits of the points
 *   32   h[16]   u8   of 16 weights: upper three bits of a point and is its shift down, twice
 *   48   s[4]    u16  of 64 weights: four scales of three bits (one for 16), and four bits of d,
 * lowest first
 *
 *   weight = (d * (2 s + 1)) * (value + shift)
 *
 * Encoding: facts/gguf.md 3.7; iq_split.h.
 */
#include "quant/codec.h"
#include "quant/iq.h"
#include "quant/iq_block.h"
#include "quant/iq_third.h"

enum { N = 256, BYTES_S = 50, BYTES_M = 56 };

/* Sixteen weights of two points; a bit of `down` for each. */
static void
store_shifted(float *dst, int first, int second, unsigned down, float d)
{
	for (int k = 0; k < STEPS16; k++) {
		const vi c = fields16(phi_grid_1[first], phi_grid_1[second], 2, k);
		const vf shift =
			vf_pick(vi_of_signs(down >> k * LANES), vf_set(-0.125f), vf_set(0.125f));
		vf_store(dst + k * LANES, d * (vf_of_int(c - 1) + shift));
	}
}

static void
decode_s(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_S, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 16; i++) {
			const uint8_t *const q = src + 2 + 2 * i;
			const int h = phi_load16(src + 34 + i / 2 * 2), high = h >> i % 2 * 6;
			store_shifted(dst + 16 * i, q[0] | (high & 7) << 8,
				q[1] | (high >> 3 & 7) << 8, h >> 15 ? 0xFFFF : 0,
				d * (float)(2 * (h >> 12 & 7) + 1));
		}
	}
}

static void
decode_m(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_M, dst += N) {
		uint16_t half = 0;
		for (int i = 0; i < 4; i++)
			half = (uint16_t)(half | phi_load16(src + 48 + 2 * i) >> 12 << 4 * i);
		const float d = half_value(half);
		for (int i = 0; i < 16; i++) {
			const uint8_t *const q = src + 2 * i;
			const int h = src[32 + i],
				  s = phi_load16(src + 48 + i / 4 * 2) >> i % 4 * 3 & 7;
			store_shifted(dst + 16 * i, q[0] | (h & 7) << 8, q[1] | (h >> 4 & 7) << 8,
				(h & 8 ? 0xFF : 0) | (h & 128 ? 0xFF00 : 0),
				d * (float)(2 * s + 1));
		}
	}
}

/* --- encoding */

enum { SUBS_S = N / SUB_S, SUBS_M = N / SUB_M, BLOCKS_S = LANES > SUBS_S ? LANES / SUBS_S : 1 };

/* The largest scale of n sub-blocks, infinite if one is not a number; those without points get the
 * first. */
static float
strip(struct third *subs, int n)
{
	float most = 0;
	for (int j = 0; j < n; j++) {
		if (subs[j].zero)
			memset(subs[j].points, 0, sizeof subs[j].points);
		most = isnan(subs[j].scale)   ? INFINITY
		       : subs[j].scale > most ? subs[j].scale
					      : most;
	}
	return most;
}

static void
pack_s(struct third *subs, uint8_t *dst)
{
	const float most = strip(subs, SUBS_S), d = most / 15, inverse = 1 / d;
	phi_store16(dst, most > 0 ? half_of(d * 1.125f) : 0);
	for (int j = 0; j < SUBS_S; j++) {
		unsigned h = 0;
		for (int k = 0; k < 4; k++) {
			dst[2 + 4 * j + k] = (uint8_t)subs[j].points[k];
			h |= (unsigned)subs[j].points[k] >> 8 << 3 * k;
		}
		if (most > 0)
			h |= (unsigned)(iq_scale_code(subs[j].scale, inverse, 7) | subs[j].shift
											   << 3)
			     << 12;
		phi_store16(dst + 34 + 2 * j, (uint16_t)h);
	}
}

static uint32_t
encode_s(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	const struct phi_iq_near *const near = phi_iq_near(PHI_IQ_1);
	for (size_t b = 0; b < blocks; b += BLOCKS_S) {
		struct third subs[BLOCKS_S * SUBS_S];
		for (size_t k = 0; k < BLOCKS_S; k++) {
			const float *const x = src + (b + k) * N, *const own =
									  importance + (b + k) * N;
			const float spread = iq_spread(x, 2);
			for (size_t j = 0; j < SUBS_S; j++)
				weigh_sub(x + j * SUB_S, own + j * SUB_S, spread, SUB_S,
					subs[k * SUBS_S + j].w);
		}
		for (size_t j = 0; j < BLOCKS_S * SUBS_S; j += LANES)
			encode_subs_s(near, src + b * N + j * SUB_S, subs + j);
		for (size_t k = 0; k < BLOCKS_S; k++)
			pack_s(subs + k * SUBS_S, dst + (b + k) * BYTES_S);
	}
	return floats_reach(src, blocks * N);
}

/* The scale of a block whose sub-blocks have points and codes of scales: least squares over all
 * weights. */
static float
refit_m(const float *x, const struct third *subs, const uint8_t codes[SUBS_M], float d)
{
	float qx = 0, q2 = 0;
	for (int i = 0; i < N; i++) {
		const struct third *const t = &subs[i / SUB_M];
		const int k = i % SUB_M / 8, index = phi_grid_1[t->points[k]] >> i % 8 * 2 & 3;
		const float w = t->w[i % SUB_M];
		const float q = ((float)index + values_of_shift(is_down(t, k, true)).first) *
				(float)(2 * codes[i / SUB_M] + 1);
		qx += w * q * x[i];
		q2 += w * q * q;
	}
	return q2 > 0 ? qx / q2 : d;
}

static void
pack_m(const float *x, struct third *subs, uint8_t *dst)
{
	const float most = strip(subs, SUBS_M), d = most / 15, inverse = 1 / d;
	uint8_t codes[SUBS_M];
	uint16_t s[4] = { 0 };
	for (int j = 0; j < SUBS_M; j++) {
		const unsigned down =
			most > 0 ? (subs[j].shift & 2u) << 2 | (subs[j].shift & 1u) << 7 : 0;
		dst[2 * j] = (uint8_t)subs[j].points[0];
		dst[2 * j + 1] = (uint8_t)subs[j].points[1];
		dst[32 + j] =
			(uint8_t)(subs[j].points[0] >> 8 | subs[j].points[1] >> 8 << 4 | down);
		codes[j] = (uint8_t)iq_scale_code(subs[j].scale, inverse, 7);
		s[j / 4] = (uint16_t)(s[j / 4] | codes[j] << j % 4 * 3);
	}
	memset(dst + 48, 0, 8);
	if (!(most > 0))
		return;
	const uint16_t half = half_of(refit_m(x, subs, codes, d) * 1.1125f);
	for (int i = 0; i < 4; i++)
		phi_store16(dst + 48 + 2 * i, (uint16_t)(s[i] | (half >> 4 * i & 15) << 12));
}

static uint32_t
encode_m_weighted(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	const struct phi_iq_near *const near = phi_iq_near(PHI_IQ_1);
	for (size_t b = 0; b < blocks; b++) {
		const float *const x = src + b * N;
		const float spread = iq_spread(x, 2);
		struct third subs[SUBS_M];
		for (size_t j = 0; j < SUBS_M; j++)
			weigh_sub(x + j * SUB_M, importance ? importance + b * N + j * SUB_M : NULL,
				spread, SUB_M, subs[j].w);
		for (size_t j = 0; j < SUBS_M; j += LANES)
			encode_subs_m(near, x + j * SUB_M, subs + j);
		pack_m(x, subs, dst + b * BYTES_M);
	}
	return floats_reach(src, blocks * N);
}

static uint32_t
encode_m(const float *src, uint8_t *dst, size_t blocks)
{
	return encode_m_weighted(src, NULL, dst, blocks);
}

static bool
sound_s(const uint8_t *block)
{
	return half_finite(phi_load16(block));
}

static bool
sound_m(const uint8_t *block)
{
	return (block[55] & 0x70) != 0x70 || (block[53] >> 4 & 12) != 12;
}

const struct phi_codec PHI_CODECS(iq1)[] = {
	{ .id = PHI_IQ1_S,
		.group = BLOCKS_S,
		.decode = decode_s,
		.encode_weighted = encode_s,
		.largest = 0x1p+16f,
		.sound = sound_s },
	{ .id = PHI_IQ1_M,
		.group = 1,
		.decode = decode_m,
		.encode = encode_m,
		.encode_weighted = encode_m_weighted,
		.largest = 0x1p+12f,
		.sound = sound_m },
	PHI_CODECS_END,
};
