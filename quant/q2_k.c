/* Q2_K: 256 weights in 84 bytes, 2.625 bits a weight.
 *
 *   0    s[16]   u8   of 16 weights each: low half a scale, high half a minimum
 *   16   q[64]   u8   byte 32 h + l: codes of weights 128 h + l, + 32, + 64, + 96, two bits each, low to high
 *   80   d       F16  scale of the scales
 *   82   dmin    F16  scale of the minima
 *
 *   weight = (d * scale) * code - dmin * min
 *
 * Encoding (quantize_row_q2_K_ref): facts/gguf.md 3.2 (make_qkx2_quants) and 3.3.
 */
#include "quant/codec.h"
#include "quant/search.h"

enum { N = 256, SUBS = 16, SUB = 16, BYTES = 84, MOST = 3, BLOCKS = ACROSS > SUBS ? ACROSS / SUBS : 1 };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const float d = half_value(phi_load16(src + 80)), dmin = half_value(phi_load16(src + 82));
		for (int e = 0; e < N; e += SUB) {
			const uint8_t s = src[e / SUB], *const q = src + 16 + e / 128 * 32 + e % 32;
			const vf scale = vf_set(d * (s & 15)), min = vf_set(dmin * (s >> 4));
			for (int k = 0; k < SUB; k += LANES) {
				const vi code = vi_load_u8(q + k) >> e % 128 / 32 * 2 & 3;
				vf_store(dst + e + k, scale * vf_of_int(code) - min);
			}
		}
	}
}

/* Numbers as multiples of the largest's 15th part, shifted; cut to bytes as the reference's are. */
static uint16_t
four_bits(const float x[SUBS], int shift, uint8_t *dst)
{
	const float most = largest_of(x, SUBS), inverse = most > 0 ? 15 / most : 0;
	for (int j = 0; j < SUBS && most > 0; j++)
		dst[j] |= (uint8_t)((uint32_t)nearest(inverse * x[j]) << shift);
	return half_of(most > 0 ? most / 15 : 0);
}

/* Scales, codes and bytes of one block from what was found for its sub-blocks, which begin at `first`. */
static void
finish(const float *src, const struct affine *found, int first, uint8_t *dst)
{
	float scale[SUBS], min[SUBS];
	uint8_t codes[N];
	for (int j = 0; j < SUBS; j++) {
		scale[j] = found[(first + j) / ACROSS].scale[(first + j) % ACROSS];
		min[j] = found[(first + j) / ACROSS].min[(first + j) % ACROSS];
	}
	memset(dst, 0, SUBS);
	phi_store16(dst + 80, four_bits(scale, 0, dst));
	phi_store16(dst + 82, four_bits(min, 4, dst));
	for (int j = 0; j < SUBS; j++) {
		const float d = half_value(phi_load16(dst + 80)) * (dst[j] & 15);
		const float m = half_value(phi_load16(dst + 82)) * (dst[j] >> 4);
		if (d != 0)
			codes_again(src + j * SUB, SUB, d, m, 0, MOST, codes + j * SUB);
		else
			for (int i = 0; i < SUB; i++)
				codes[j * SUB + i] = affine_code(&found[(first + j) / ACROSS], (first + j) % ACROSS,
					MOST, src[j * SUB + i]);
	}
	for (int i = 0; i < 64; i++) {
		const uint8_t *const q = codes + i / 32 * 128 + i % 32;
		dst[16 + i] = (uint8_t)(q[0] | q[32] << 2 | q[64] << 4 | q[96] << 6);
	}
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	enum { BATCHES = BLOCKS * SUBS / ACROSS };
	for (size_t b = 0; b < blocks; b += BLOCKS) {
		struct affine found[BATCHES];
		for (int k = 0; k < BATCHES; k++) {
			vf x[SUB][GROUPS], w[SUB][GROUPS];
			lay_across(src + b * N + (size_t)k * ACROSS * SUB, SUB, x);
			for (int i = 0; i < SUB; i++)
				EACH_GROUP w[i][g] = vf_abs(x[i][g]);
			affine_search(SUB, MOST, x, w, -0.5f, 0.1f, 15, true, &found[k]);
		}
		for (int k = 0; k < BLOCKS; k++)
			finish(src + (b + (size_t)k) * N, found, k * SUBS, dst + (b + (size_t)k) * BYTES);
	}
	return floats_reach(src, blocks * N);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block + 80)) && half_finite(phi_load16(block + 82));
}

const struct phi_codec PHI_CODECS(q2_k)[] = {
	{ .id = PHI_Q2_K, .group = BLOCKS, .decode = decode, .encode = encode, .largest = 0x1p+18f,
		.sound = sound },
	PHI_CODECS_END,
};
