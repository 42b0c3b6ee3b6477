/* Q1_0: 128 weights in 18 bytes, 1.125 bits a weight.
 *
 *   0   d       F16  mean magnitude
 *   2   q[16]   u8   bit j % 8 of byte j / 8: is weight j +d, else -d
 *
 * Encoding (quantize_row_q1_0_ref): d = sum of magnitudes / 128, a bit is x >= 0; facts/gguf.md 3.1. The sum runs
 * left to right: the lanes run across blocks.
 */
#include "quant/codec.h"
#include "quant/search.h"

enum { N = 128, BYTES = 18, GROUP = ACROSS };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const float d = half_value(phi_load16(src));
		for (int k = 0; k < N; k += LANES) {
			const vi set = vi_of_signs(phi_load32(src + 2 + k / 32 * 4) >> k % 32);
			vf_store(dst + k, vf_pick(set, vf_set(d), vf_set(-d)));
		}
	}
}

static void
store_signs(const float *x, uint8_t *dst)
{
	for (int j = 0; j < N; j += 32) {
		uint32_t bits = 0;
		for (int k = 0; k < 32; k += LANES)
			bits |= (uint32_t)vi_signs(~vf_lt(vf_load(x + j + k), vf_set(0))) << k;
		phi_store32(dst + j / 8, bits);
	}
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += ACROSS) {
		vf x[N][GROUPS], sum[GROUPS];
		float mean[ACROSS];
		lay_across(src + b * N, N, x);
		EACH_GROUP sum[g] = vf_abs(x[0][g]);
		for (int i = 1; i < N; i++)
			EACH_GROUP sum[g] += vf_abs(x[i][g]);
		EACH_GROUP sum[g] /= N;
		store_across(mean, sum);
		for (size_t j = 0; j < ACROSS; j++) {
			phi_store16(dst + (b + j) * BYTES, half_of(mean[j]));
			store_signs(src + (b + j) * N, dst + (b + j) * BYTES + 2);
		}
	}
	return floats_reach(src, blocks * N);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block));
}

/* A mean of numbers up to 65504 is none above. */
const struct phi_codec PHI_CODECS(q1_0)[] = {
	{ .id = PHI_Q1_0, .group = GROUP, .decode = decode, .encode = encode, .largest = 65504,
		.sound = sound },
	PHI_CODECS_END,
};
