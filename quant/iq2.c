/* IQ2_XXS, IQ2_XS, IQ2_S: 256 weights, eight at a time as a point of a grid with a byte of signs. Read only.
 *
 *   IQ2_XXS, 66 bytes, 2.0625 bits a weight
 *   0    d       F16  scale
 *   2    for each 32 weights: u32 with four points, a byte each; u32 with four times seven signs (the eighth
 *        makes their number even), and a scale s in the upper four bits
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
 */
#include "quant/codec.h"
#include "quant/iq.h"

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
			const uint8_t *const group = src + 2 + i / 2 * 8, *const q = group + i % 2 * 2;
			const uint32_t rest = phi_load32(group + 4), seven = rest >> i % 2 * 14;
			const unsigned signs = even_signs(seven & 127) | even_signs(seven >> 7 & 127) << 8;
			store_signed(dst + 16 * i, phi_grid_2xxs[q[0]], phi_grid_2xxs[q[1]], 2, values, signs,
				scale(d, rest >> 28));
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
			store_signed(dst + 16 * i, phi_grid_2xs[q & 511], phi_grid_2xs[q >> 16 & 511], 2, values,
				signs, scale(d, src[66 + i / 2] >> i % 2 * 4 & 15));
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
				phi_grid_2s[q[1] | (high >> 2 & 3) << 8], 2, values, phi_load16(q + 32),
				scale(d, src[74 + i / 2] >> i % 2 * 4 & 15));
		}
	}
}

const struct phi_codec PHI_CODECS(iq2)[] = {
	{ .id = PHI_IQ2_XXS, .group = 1, .decode = decode_xxs },
	{ .id = PHI_IQ2_XS, .group = 1, .decode = decode_xs },
	{ .id = PHI_IQ2_S, .group = 1, .decode = decode_s },
	PHI_CODECS_END,
};
