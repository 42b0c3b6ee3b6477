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
#include "quant/iq.h"

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
			const uint32_t rest = phi_load32(src + 66 + i / 2 * 4), seven = rest >> i % 2 * 14;
			const unsigned signs = even_signs(seven & 127) | even_signs(seven >> 7 & 127) << 8;
			store_signed(dst + 16 * i, pair(phi_grid_3xxs, q[0], q[1]), pair(phi_grid_3xxs, q[2], q[3]), 3,
				values, signs, d * (0.5f + (float)(rest >> 28)) * 0.5f);
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
			const int h = src[66 + i / 2] >> i % 2 * 4, s = src[106 + i / 4] >> i / 2 % 2 * 4 & 15;
			store_signed(dst + 16 * i,
				pair(phi_grid_3s, q[0] | (h & 1) << 8, q[1] | (h >> 1 & 1) << 8),
				pair(phi_grid_3s, q[2] | (h >> 2 & 1) << 8, q[3] | (h >> 3 & 1) << 8), 3, values,
				phi_load16(src + 74 + 2 * i), d * (float)(1 + 2 * s));
		}
	}
}

const struct phi_codec PHI_CODECS(iq3)[] = {
	{ .id = PHI_IQ3_XXS, .group = 1, .decode = decode_xxs },
	{ .id = PHI_IQ3_S, .group = 1, .decode = decode_s },
	PHI_CODECS_END,
};
