/* IQ1_S, IQ1_M: 256 weights, eight at a time as a point of a grid of -1, 0, 1, all shifted by an eighth. Read
 * only.
 *
 *   IQ1_S, 50 bytes, 1.5625 bits a weight
 *   0    d       F16  scale
 *   2    q[32]   u8   lower bits of the points
 *   34   h[8]    u16  of 32 weights: upper three bits of four points, a scale s of three bits (12 to 14), is the
 *                     shift down (15)
 *
 *   IQ1_M, 56 bytes, 1.75 bits a weight
 *   0    q[32]   u8   lower bits of the points
 *   32   h[16]   u8   of 16 weights: upper three bits of a point and is its shift down, twice
 *   48   s[4]    u16  of 64 weights: four scales of three bits (one for 16), and four bits of d, lowest first
 *
 *   weight = (d * (2 s + 1)) * (value + shift)
 */
#include "quant/codec.h"
#include "quant/iq_grids.h"
#include "quant/lanes.h"

enum { N = 256, BYTES_S = 50, BYTES_M = 56 };

static inline void
eight(uint16_t point, bool down, float d, float *dst)
{
	const float shift = down ? -0.125f : 0.125f;
	for (int j = 0; j < 8; j++)
		dst[j] = d * ((float)((point >> 2 * j & 3) - 1) + shift);
}

static void
decode_s(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES_S, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int i = 0; i < 32; i++) {
			const int h = phi_load16(src + 34 + i / 4 * 2);
			eight(phi_grid_1[src[2 + i] | (h >> i % 4 * 3 & 7) << 8], h >> 15,
				d * (float)(2 * (h >> 12 & 7) + 1), dst + 8 * i);
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
		for (int i = 0; i < 32; i++) {
			const int h = src[32 + i / 2] >> i % 2 * 4;
			const int s = phi_load16(src + 48 + i / 8 * 2) >> i / 2 % 4 * 3 & 7;
			eight(phi_grid_1[src[i] | (h & 7) << 8], h >> 3 & 1, d * (float)(2 * s + 1), dst + 8 * i);
		}
	}
}

const struct phi_codec PHI_CODECS(iq1)[] = {
	{ .id = PHI_IQ1_S, .group = 1, .decode = decode_s },
	{ .id = PHI_IQ1_M, .group = 1, .decode = decode_m },
	PHI_CODECS_END,
};
