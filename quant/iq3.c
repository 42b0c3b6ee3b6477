/* IQ3_XXS, IQ3_S: 256 weights, four at a time as a point of a grid, with a bit of sign each. Read only.
 *
 *   IQ3_XXS, 98 bytes, 3.0625 bits a weight
 *   0    d       F16  scale
 *   2    q[64]   u8   points
 *   66   for each 32 weights: u32 with four times seven signs (the eighth makes their number even), and a
 *        scale s in the upper four bits
 *   weight = ((d * (s + 0.5)) * 0.5) * value * sign, value one of 4, 12, 20, 28, 36, 44, 52, 62
 *
 *   IQ3_S, 110 bytes, 3.4375 bits a weight
 *   0    d       F16
 *   2    q[64]   u8   lower bits of the points
 *   66   h[8]    u8   ninth bits of eight points each
 *   74   n[32]   u8   signs
 *   106  s[4]    u8   scales of 32 weights each, the first in the low half
 *   weight = (d * (1 + 2 s)) * value * sign, value one of 1, 3, 5, ... 15
 */
#include "quant/codec.h"
#include "quant/iq_grids.h"
#include "quant/lanes.h"

enum { N = 256, BYTES_XXS = 98, BYTES_S = 110 };

static void
decode_xxs(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_XXS, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 32; i++) {
			const uint32_t rest = phi_load32(src + 66 + i / 4 * 4);
			const uint8_t signs = even_signs(rest >> i % 4 * 7 & 127);
			const float own = d * (0.5f + (float)(rest >> 28)) * 0.5f;
			const uint32_t two = phi_grid_3xxs[src[2 + 2 * i]] |
				(uint32_t)phi_grid_3xxs[src[3 + 2 * i]] << 12;
			for (int j = 0; j < 8; j++) {
				const int c = (int)(two >> 3 * j & 7), value = 4 + 8 * c + ((c + 1) >> 3) * 2;
				dst[8 * i + j] = own * (float)value * (signs >> j & 1 ? -1.0f : 1.0f);
			}
		}
	}
}

static void
decode_s(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_S, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 32; i++) {
			const int high = src[66 + i / 4] >> i % 4 * 2;
			const float own = d * (float)(1 + 2 * (src[106 + i / 8] >> i / 4 % 2 * 4 & 15));
			const uint32_t two = phi_grid_3s[src[2 + 2 * i] | (high & 1) << 8] |
				(uint32_t)phi_grid_3s[src[3 + 2 * i] | (high >> 1 & 1) << 8] << 12;
			for (int j = 0; j < 8; j++) {
				const int value = (int)(two >> 3 * j & 7) * 2 + 1;
				dst[8 * i + j] = own * (float)value * (src[74 + i] >> j & 1 ? -1.0f : 1.0f);
			}
		}
	}
}

const struct phi_codec PHI_CODECS(iq3)[] = {
	{ .id = PHI_IQ3_XXS, .group = 1, .decode = decode_xxs },
	{ .id = PHI_IQ3_S, .group = 1, .decode = decode_s },
	PHI_CODECS_END,
};
