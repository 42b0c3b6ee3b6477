/* IQ2_XXS, IQ2_XS, IQ2_S: 256 weights, eight at a time as a point of a grid with a byte of signs.
 *
 *   IQ2_XXS, 66 bytes, 2.0625 bits a weight
 *   0    d       F16  scale
 *   2    for each 32 weights: u32 with four points, a byte each; u32 with four times seven signs
 * (the eighth makes their number even), and a scale s in the upper four bits
 *
 *   IQ2_XS, 74 bytes, 2.3125 bits a weight
 *   0    d       F16
 *   2    q[32]   u16  point (nine bits) and seven signs of eight weights
 *   66   s[8]    u8   scales of 16 weights each, the first in the low half
 *
 *   IQ2_S, 82 bytes, 2.5625 bits a weight
 *   0    d       F16
 *   2    q[32]   u8   lower bits of the points
 *   34   n[32]   u8   signs
 *   66   h[8]    u8   upper two bits of four points each
 *   74   s[8]    u8   scales as above
 *
 *   weight = ((d * (s + 0.5)) * 0.25) * value * sign, value one of 8, 25, 43
 *
 * Encoding: facts/gguf.md 3.6; iq_search.h.
 */
#include "quant/codec.h"
#include "quant/iq.h"
#include "quant/iq_block.h"

enum { N = 256, BYTES_XXS = 66, BYTES_XS = 74, BYTES_S = 82 };

static const float values[8] = { 8, 25, 43 };

static float
scale(float d, unsigned s)
{
	return d * (0.5f + (float)s) * 0.25f;
}

static void
decode_xxs(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_XXS, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 16; i++) {
			const uint8_t *const group = src + 2 + i / 2 * 8, *const q =
										  group + i % 2 * 2;
			const uint32_t rest = phi_load32(group + 4), seven = rest >> i % 2 * 14;
			const unsigned signs =
				even_signs(seven & 127) | even_signs(seven >> 7 & 127) << 8;
			store_signed(dst + 16 * i, phi_grid_2xxs[q[0]], phi_grid_2xxs[q[1]], 2,
				values, signs, scale(d, rest >> 28));
		}
	}
}

static void
decode_xs(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_XS, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 16; i++) {
			const uint32_t q = phi_load32(src + 2 + 4 * i);
			const unsigned signs = even_signs(q >> 9 & 127) | even_signs(q >> 25) << 8;
			store_signed(dst + 16 * i, phi_grid_2xs[q & 511],
				phi_grid_2xs[q >> 16 & 511], 2, values, signs,
				scale(d, src[66 + i / 2] >> i % 2 * 4 & 15));
		}
	}
}

static void
decode_s(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_S, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 16; i++) {
			const uint8_t *const q = src + 2 + 2 * i;
			const int high = src[66 + i / 2] >> i % 2 * 4;
			store_signed(dst + 16 * i, phi_grid_2s[q[0] | (high & 3) << 8],
				phi_grid_2s[q[1] | (high >> 2 & 3) << 8], 2, values,
				phi_load16(q + 32), scale(d, src[74 + i / 2] >> i % 2 * 4 & 15));
		}
	}
}

/* --- encoding */

static const struct iq_shape shape_xxs = { .grid = PHI_IQ_2XXS,
	.n = 32,
	.dims = 8,
	.bits = 2,
	.levels = 3,
	.side = 6,
	.step = 0.1f,
	.even = true,
	.refit = IQ_REFIT_ALWAYS,
	.least = 1e-15f,
	.spread = 1,
	.factor = 1 };
static const struct iq_shape shape_xs = { .grid = PHI_IQ_2XS,
	.n = 16,
	.dims = 8,
	.bits = 2,
	.levels = 3,
	.side = 9,
	.step = 0.1f,
	.even = true,
	.refit = IQ_REFIT_OFF_GRID,
	.least = 1e-15f,
	.spread = 1,
	.factor = 1 };
static const struct iq_shape shape_s = { .grid = PHI_IQ_2S,
	.n = 16,
	.short_lists = true,
	.dims = 8,
	.bits = 2,
	.levels = 3,
	.side = 9,
	.step = 0.1f,
	.refit = IQ_REFIT_OFF_GRID,
	.least = 1e-8f,
	.spread = 2,
	.plain = 0.25f,
	.factor = 0.9875f };

enum { XXS_SUBS = N / 32, XXS_BLOCKS = LANES > XXS_SUBS ? LANES / XXS_SUBS : 1 };

/* Where the trials of IQ2_XXS start: at three times the scale that fits best without a grid. */
static void
start_xxs(const struct iq_sub subs[LANES], struct iq_start starts[LANES])
{
	struct fit fit;
	float lanes[LANES], scale[LANES];
	for (int i = 0; i < FIT_N; i++) {
		for (int j = 0; j < LANES; j++)
			lanes[j] = subs[j].x[i];
		fit.x[i] = vf_load(lanes);
		for (int j = 0; j < LANES; j++)
			lanes[j] = subs[j].w[i];
		fit.w[i] = vf_load(lanes);
	}
	for (int j = 0; j < LANES; j++)
		lanes[j] = subs[j].most;
	vf_store(scale, fit_scale(&fit, vf_load(lanes)));
	for (int j = 0; j < LANES; j++) {
		const bool zero = subs[j].most < shape_xxs.least || scale[j] * 3 <= 0;
		starts[j] = (struct iq_start){ .scale = scale[j], .over = zero ? 0 : scale[j] * 3 };
	}
}

static void
pack_xxs(const struct iq_block *b, uint8_t *dst)
{
	phi_store16(dst, b->d);
	memset(dst + 2, 0, BYTES_XXS - 2);
	for (int j = 0; j < XXS_SUBS && !b->empty; j++) {
		uint32_t rest = (uint32_t)b->scales[j] << 28;
		for (int k = 0; k < 4; k++) {
			dst[2 + 8 * j + k] = (uint8_t)b->points[4 * j + k];
			rest |= (b->signs[j] >> 8 * k & 127) << 7 * k;
		}
		phi_store32(dst + 2 + 8 * j + 4, rest);
	}
}

static uint32_t
encode_xxs(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	const struct phi_iq_near *const near = phi_iq_near(PHI_IQ_2XXS);
	for (size_t b = 0; b < blocks; b += XXS_BLOCKS) {
		struct iq_sub subs[XXS_BLOCKS * XXS_SUBS];
		struct iq_start starts[XXS_BLOCKS * XXS_SUBS];
		for (size_t k = 0; k < XXS_BLOCKS; k++) {
			const float *const x = src + (b + k) * N;
			const float spread = iq_spread(x, shape_xxs.spread);
			for (size_t j = 0; j < XXS_SUBS; j++)
				iq_prepare(shape_xxs, x + j * 32, importance + (b + k) * N + j * 32,
					spread, &subs[k * XXS_SUBS + j]);
		}
		for (size_t j = 0; j < XXS_BLOCKS * XXS_SUBS; j += LANES)
			start_xxs(subs + j, starts + j);
		for (size_t k = 0; k < XXS_BLOCKS; k++) {
			struct iq_block block;
			iq_search_block(shape_xxs, near, subs + k * XXS_SUBS, starts + k * XXS_SUBS,
				&block);
			pack_xxs(&block, dst + (b + k) * BYTES_XXS);
		}
	}
	return floats_reach(src, blocks * N);
}

/* Scales of sixteen sub-blocks, four bits each. */
static void
pack_scales(const struct iq_block *b, uint8_t dst[8])
{
	for (int j = 0; j < 8; j++)
		dst[j] = (uint8_t)(b->scales[2 * j] | b->scales[2 * j + 1] << 4);
}

static void
pack_xs(const struct iq_block *b, uint8_t *dst)
{
	phi_store16(dst, b->d);
	for (int i = 0; i < 32; i++) {
		const unsigned q = b->points[i] | (b->signs[i / 2] >> i % 2 * 8 & 127) << 9;
		phi_store16(dst + 2 + 2 * i, (uint16_t)(b->empty ? 0 : q));
	}
	pack_scales(b, dst + 66);
}

static uint32_t
encode_xs(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	const struct phi_iq_near *const near = phi_iq_near(PHI_IQ_2XS);
	for (size_t b = 0; b < blocks; b++) {
		struct iq_block block;
		iq_encode_block(shape_xs, near, src + b * N, importance + b * N, &block);
		pack_xs(&block, dst + b * BYTES_XS);
	}
	return floats_reach(src, blocks * N);
}

static void
pack_s(const struct iq_block *b, uint8_t *dst)
{
	phi_store16(dst, b->d);
	memset(dst + 66, 0, 8);
	for (int i = 0; i < 32; i++) {
		dst[2 + i] = (uint8_t)b->points[i];
		dst[34 + i] = (uint8_t)(b->signs[i / 2] >> i % 2 * 8);
		dst[66 + i / 4] |= (uint8_t)(b->points[i] >> 8 << i % 4 * 2);
	}
	pack_scales(b, dst + 74);
}

static uint32_t
encode_s_weighted(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	const struct phi_iq_near *const near = phi_iq_near(PHI_IQ_2S);
	for (size_t b = 0; b < blocks; b++) {
		struct iq_block block;
		iq_encode_block(
			shape_s, near, src + b * N, importance ? importance + b * N : NULL, &block);
		pack_s(&block, dst + b * BYTES_S);
	}
	return floats_reach(src, blocks * N);
}

static uint32_t
encode_s(const float *src, uint8_t *dst, size_t blocks)
{
	return encode_s_weighted(src, NULL, dst, blocks);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block));
}

const struct phi_codec PHI_CODECS(iq2)[] = {
	{ .id = PHI_IQ2_XXS,
		.group = XXS_BLOCKS,
		.decode = decode_xxs,
		.encode_weighted = encode_xxs,
		.largest = 0x1p+20f,
		.sound = sound },
	{ .id = PHI_IQ2_XS,
		.group = 1,
		.decode = decode_xs,
		.encode_weighted = encode_xs,
		.largest = 0x1p+20f,
		.sound = sound },
	{ .id = PHI_IQ2_S,
		.group = 1,
		.decode = decode_s,
		.encode = encode_s,
		.encode_weighted = encode_s_weighted,
		.largest = 0x1p+20f,
		.sound = sound },
	PHI_CODECS_END,
};
