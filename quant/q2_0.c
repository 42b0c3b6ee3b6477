/* Q2_0: 64 weights in 18 bytes, 2.25 bits a weight.
 *
 *   0   d       F16  largest magnitude
 *   2   q[16]   u8   byte j holds codes 4 j to 4 j + 3, two bits each, low to high
 *                                           weight = (code - 1) * d
 *
 * Encoding (quantize_row_q2_0_ref): code = clamp((int)roundf(x / d) + 1, 0, 3) by way of 1 / d; facts/gguf.md 3.1.
 * (Code 3 never comes out: |x / d| is at most 1.)
 */
#include "quant/codec.h"
#include "quant/lanes.h"

enum { N = 64, BYTES = 18 };

/* Codes j to j + LANES - 1. */
static inline vi
codes_from(const uint8_t *q, int j)
{
	const uint32_t word = phi_load32(q + j / 16 * 4) >> j % 16 * 2;
#if PHI_LANES == 1
	return (vi)(word & 3);
#else
	vu place;
	for (int i = 0; i < LANES; i++)
		place[i] = 2 * (uint32_t)i;
	return (vi)((vu)vi_set((int32_t)word) >> place) & 3;
#endif
}

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int j = 0; j < N; j += LANES)
			vf_store(dst + j, vf_of_int(codes_from(src + 2, j) - 1) * d);
	}
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	uint32_t reach = 0;
	for (size_t b = 0; b < blocks; b++, src += N, dst += BYTES) {
		const uint32_t most = floats_reach(src, N);
		const float d = phi_float32(most), inverse = d != 0 ? 1 / d : 0;
		uint8_t codes[N];
		reach = most > reach ? most : reach;
		for (int j = 0; j < N; j += 16) {
			vi q[16 / LANES];
			for (int k = 0; k < 16 / LANES; k++) {
				const vi v = vf_round_away(vf_load(src + j + k * LANES) * inverse) + 1;
				q[k] = vi_max(vi_min(v, vi_set(3)), vi_set(0));
			}
			vi_store_bytes(codes + j, q, 16);
		}
		phi_store16(dst, half_of(d));
		for (int j = 0; j < N / 4; j++) {
			const uint32_t q = phi_load32(codes + 4 * j);
			dst[2 + j] = (uint8_t)(q | q >> 6 | q >> 12 | q >> 18);
		}
	}
	return reach;
}

/* The last float that rounds to 65504, the largest F16. */
const struct phi_codec PHI_CODECS(q2_0)[] = {
	{ .id = PHI_Q2_0, .group = 1, .decode = decode, .encode = encode, .largest = 0x1.ffdffep+15f },
	PHI_CODECS_END,
};
