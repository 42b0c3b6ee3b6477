/* IQ3_XXS, IQ3_S: 256 weights, four at a time as a point of a grid, with a bit of sign each.
 *
 *   IQ3_XXS, 98 bytes, 3.0625 bits a weight
 *   0    d       F16  scale
 *   2    q[64]   u8   points
 *   66   for each 32 weights: u32 with four times seven signs (the eighth makes their number even),
 * and a scale s in the upper four bits weight = ((d * (s + 0.5)) * 0.5) * value * sign, value one
 * of 4, 12, 20, 28, 36, 44, 52, 62
 *
 *   IQ3_S, 110 bytes, 3.4375 bits a weight
 *   0    d       F16
 *   2    q[64]   u8   lower bits of the points
 *   66   h[8]    u8   ninth bits of eight points each
 *   74   n[32]   u8   signs
 *   106  s[4]    u8   scales of 32 weights each, the first in the low half
 *   weight = (d * (1 + 2 s)) * value * sign, value one of 1, 3, 5, ... 15
 *
 * Encoding: facts/gguf.md 3.6; iq_search.h.
 */
#include "quant/codec.h"
#include "quant/iq.h"
#include "quant/iq_block.h"

enum { N = 256, BYTES_XXS = 98, BYTES_S = 110 };

/* Two points, eight weights, of 24 bits. */
static uint32_t
pair(const uint16_t *grid, int first, int second)
{
	return grid[first] | (uint32_t)grid[second] << 12;
}

static void
decode_xxs(const uint8_t *src, float *dst, size_t blocks)
{
	static const float values[8] = { 4, 12, 20, 28, 36, 44, 52, 62 };
	for (size_t b = 0; b < blocks; b++, src += BYTES_XXS, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 16; i++) {
			const uint8_t *const q = src + 2 + 4 * i;
			const uint32_t rest = phi_load32(src + 66 + i / 2 * 4),
				       seven = rest >> i % 2 * 14;
			const unsigned signs =
				even_signs(seven & 127) | even_signs(seven >> 7 & 127) << 8;
			store_signed(dst + 16 * i, pair(phi_grid_3xxs, q[0], q[1]),
				pair(phi_grid_3xxs, q[2], q[3]), 3, values, signs,
				d * (0.5f + (float)(rest >> 28)) * 0.5f);
		}
	}
}

static void
decode_s(const uint8_t *src, float *dst, size_t blocks)
{
	static const float values[8] = { 1, 3, 5, 7, 9, 11, 13, 15 };
	for (size_t b = 0; b < blocks; b++, src += BYTES_S, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 16; i++) {
			const uint8_t *const q = src + 2 + 4 * i;
			const int h = src[66 + i / 2] >> i % 2 * 4,
				  s = src[106 + i / 4] >> i / 2 % 2 * 4 & 15;
			store_signed(dst + 16 * i,
				pair(phi_grid_3s, q[0] | (h & 1) << 8, q[1] | (h >> 1 & 1) << 8),
				pair(phi_grid_3s, q[2] | (h >> 2 & 1) << 8,
					q[3] | (h >> 3 & 1) << 8),
				3, values, phi_load16(src + 74 + 2 * i), d * (float)(1 + 2 * s));
		}
	}
}

/* --- encoding */

static const struct iq_shape shape_xxs = { .grid = PHI_IQ_3XXS,
	.n = 32,
	.dims = 4,
	.bits = 3,
	.levels = 8,
	.short_lists = true,
	.side = 15,
	.step = 0.2f,
	.even = true,
	.refit = IQ_REFIT_OFF_GRID,
	.least = 1e-8f,
	.spread = 2,
	.factor = 1.0125f };
static const struct iq_shape shape_s = { .grid = PHI_IQ_3S,
	.n = 32,
	.dims = 4,
	.bits = 3,
	.levels = 8,
	.short_lists = true,
	.side = 9,
	.step = 0.2f,
	.refit = IQ_REFIT_ALL,
	.spread = 2,
	.factor = 1.033f };

static void
pack_xxs(const struct iq_block *b, uint8_t *dst)
{
	phi_store16(dst, b->d);
	memset(dst + 2, 0, BYTES_XXS - 2);
	for (int j = 0; j < 8 && !b->empty; j++) {
		uint32_t rest = (uint32_t)b->scales[j] << 28;
		for (int k = 0; k < 4; k++)
			rest |= (b->signs[j] >> 8 * k & 127) << 7 * k;
		for (int k = 0; k < 8; k++)
			dst[2 + 8 * j + k] = (uint8_t)b->points[8 * j + k];
		phi_store32(dst + 66 + 4 * j, rest);
	}
}

/* `skip`: as the reference lays it out. */
static void
pack_s(const struct iq_block *b, bool skip, uint8_t *dst)
{
	int at = 0;
	memset(dst, 0, BYTES_S);
	phi_store16(dst, b->d);
	for (int j = 0; j < 8; j++) {
		if (skip && b->zeros >> j & 1)
			continue;
		for (int k = 0; k < 8; k++) {
			dst[2 + 8 * at + k] = (uint8_t)b->points[8 * j + k];
			dst[66 + j] |= (uint8_t)(b->points[8 * j + k] >> 8 << k);
		}
		phi_store32(dst + 74 + 4 * at, b->signs[j]);
		at++;
	}
	for (int j = 0; j < 4; j++)
		dst[106 + j] = (uint8_t)(b->scales[2 * j] | b->scales[2 * j + 1] << 4);
}

static uint32_t
encode_xxs_weighted(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	const struct phi_iq_near *const near = phi_iq_near(PHI_IQ_3XXS);
	for (size_t b = 0; b < blocks; b++) {
		struct iq_block block;
		iq_encode_block(shape_xxs, near, src + b * N,
			importance ? importance + b * N : NULL, &block);
		pack_xxs(&block, dst + b * BYTES_XXS);
	}
	return floats_reach(src, blocks * N);
}

static uint32_t
encode_xxs(const float *src, uint8_t *dst, size_t blocks)
{
	return encode_xxs_weighted(src, NULL, dst, blocks);
}

static uint32_t
encode_s_laid(const float *src, const float *importance, bool skip, uint8_t *dst, size_t blocks)
{
	const struct phi_iq_near *const near = phi_iq_near(PHI_IQ_3S);
	for (size_t b = 0; b < blocks; b++) {
		struct iq_block block;
		iq_encode_block(
			shape_s, near, src + b * N, importance ? importance + b * N : NULL, &block);
		pack_s(&block, skip, dst + b * BYTES_S);
	}
	return floats_reach(src, blocks * N);
}

static uint32_t
encode_s_weighted(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	return encode_s_laid(src, importance, false, dst, blocks);
}

static uint32_t
encode_s(const float *src, uint8_t *dst, size_t blocks)
{
	return encode_s_laid(src, NULL, false, dst, blocks);
}

/* The reference leaves no room for a sub-block of zeros in the points and signs, so that later ones
 * are read at the wrong places (facts/gguf.md 0, 12). */
static uint32_t
encode_s_skipping(const float *src, uint8_t *dst, size_t blocks)
{
	return encode_s_laid(src, NULL, true, dst, blocks);
}

static uint32_t
encode_s_skipping_weighted(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	return encode_s_laid(src, importance, true, dst, blocks);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block));
}

static const struct phi_codec skipping = { .id = PHI_IQ3_S,
	.group = 1,
	.decode = decode_s,
	.encode = encode_s_skipping,
	.encode_weighted = encode_s_skipping_weighted,
	.largest = 0x1p+20f,
	.sound = sound };

const struct phi_codec PHI_CODECS(iq3)[] = {
	{ .id = PHI_IQ3_XXS,
		.group = 1,
		.decode = decode_xxs,
		.encode = encode_xxs,
		.encode_weighted = encode_xxs_weighted,
		.largest = 0x1p+20f,
		.sound = sound },
	{ .id = PHI_IQ3_S,
		.group = 1,
		.decode = decode_s,
		.encode = encode_s,
		.encode_weighted = encode_s_weighted,
		.largest = 0x1p+20f,
		.sound = sound,
		.as_llama = &skipping },
	PHI_CODECS_END,
};
