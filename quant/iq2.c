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
#include "quant/iq_grids.h"
#include "quant/lanes.h"

enum { N = 256, BYTES_XXS = 66, BYTES_XS = 74, BYTES_S = 82 };

static inline void
eight(uint16_t point, uint8_t signs, float d, float *dst)
{
	for (int j = 0; j < 8; j++) {
		const int c = point >> 2 * j & 3, value = 8 + 17 * c + (c >> 1);
		dst[j] = d * (float)value * (signs >> j & 1 ? -1.0f : 1.0f);
	}
}

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
		for (int i = 0; i < 32; i++) {
			const uint8_t *const group = src + 2 + i / 4 * 8;
			const uint32_t rest = phi_load32(group + 4);
			eight(phi_grid_2xxs[group[i % 4]], even_signs(rest >> i % 4 * 7 & 127), scale(d, rest >> 28),
				dst + 8 * i);
		}
	}
}

static void
decode_xs(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_XS, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 32; i++) {
			const uint16_t q = phi_load16(src + 2 + 2 * i);
			eight(phi_grid_2xs[q & 511], even_signs(q >> 9), scale(d, src[66 + i / 4] >> i / 2 % 2 * 4 & 15),
				dst + 8 * i);
		}
	}
}

static void
decode_s(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_S, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 32; i++) {
			const int point = src[2 + i] | (src[66 + i / 4] >> i % 4 * 2 & 3) << 8;
			eight(phi_grid_2s[point], src[34 + i], scale(d, src[74 + i / 4] >> i / 2 % 2 * 4 & 15),
				dst + 8 * i);
		}
	}
}

const struct phi_codec PHI_CODECS(iq2)[] = {
	{ .id = PHI_IQ2_XXS, .group = 1, .decode = decode_xxs },
	{ .id = PHI_IQ2_XS, .group = 1, .decode = decode_xs },
	{ .id = PHI_IQ2_S, .group = 1, .decode = decode_s },
	PHI_CODECS_END,
};
