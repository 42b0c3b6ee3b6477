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
#include "quant/iq.h"

enum { N = 256, BYTES_S = 50, BYTES_M = 56 };

/* Sixteen weights of two points; a bit of `down` for each. */
static void
store_shifted(float *dst, int first, int second, unsigned down, float d)
{
	for (int k = 0; k < STEPS16; k++) {
		const vi c = fields16(phi_grid_1[first], phi_grid_1[second], 2, k);
		const vf shift = vf_pick(vi_of_signs(down >> k * LANES), vf_set(-0.125f), vf_set(0.125f));
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
			store_shifted(dst + 16 * i, q[0] | (high & 7) << 8, q[1] | (high >> 3 & 7) << 8,
				h >> 15 ? 0xFFFF : 0, d * (float)(2 * (h >> 12 & 7) + 1));
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
			const int h = src[32 + i], s = phi_load16(src + 48 + i / 4 * 2) >> i % 4 * 3 & 7;
			store_shifted(dst + 16 * i, q[0] | (h & 7) << 8, q[1] | (h >> 4 & 7) << 8,
				(h & 8 ? 0xFF : 0) | (h & 128 ? 0xFF00 : 0), d * (float)(2 * s + 1));
		}
	}
}

const struct phi_codec PHI_CODECS(iq1)[] = {
	{ .id = PHI_IQ1_S, .group = 1, .decode = decode_s },
	{ .id = PHI_IQ1_M, .group = 1, .decode = decode_m },
	PHI_CODECS_END,
};
