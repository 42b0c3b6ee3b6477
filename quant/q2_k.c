/* Q2_K: 256 weights in 84 bytes, 2.625 bits a weight.
 *
 *   0    s[16]   u8   of 16 weights each: low half a scale, high half a minimum
 *   16   q[64]   u8   byte 32 h + l: codes of weights 128 h + l, + 32, + 64, + 96, two bits each, low to high
 *   80   d       F16  scale of the scales
 *   82   dmin    F16  scale of the minima
 *
 *   weight = (d * scale) * code - dmin * min
 *
 * Encoding (quantize_row_q2_K_ref): facts/gguf.md 3.2 (make_qkx2_quants) and 3.3; with importance 3.4.
 */
#include "quant/codec.h"
#include "quant/multiples.h"
#include "quant/search.h"

enum { N = 256, SUBS = 16, SUB = 16, BYTES = 84, MOST = 3, BLOCKS = ACROSS > SUBS ? ACROSS / SUBS : 1,
	GROUP = LANES > BLOCKS ? LANES : BLOCKS };

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

/* Numbers as multiples of the largest's 15th part; returns the scale. */
static float
four_bits(const float x[SUBS], uint8_t code[SUBS])
{
	const float most = largest_of(x, SUBS), inverse = most > 0 ? 15 / most : 0;
	for (int j = 0; j < SUBS; j++)
		code[j] = most > 0 ? (uint8_t)nearest(inverse * x[j]) : 0;
	return most > 0 ? most / 15 : 0;
}

/* Scales and minima of a block, as they are stored; codes above 15 spill over as the reference's do. */
struct head {
	float d, dmin;
	uint8_t scale[SUBS], min[SUBS];
};

/* Scales, codes and bytes of one block; `found` is that of the first sub-block, number `sub` of all. */
static void
finish(const float *src, const struct head *h, const struct affine *found, int sub, uint8_t *dst)
{
	uint8_t codes[N];
	phi_store16(dst + 80, half_of(h->d));
	phi_store16(dst + 82, half_of(h->dmin));
	for (int j = 0; j < SUBS; j++, sub++) {
		dst[j] = (uint8_t)(h->scale[j] | h->min[j] << 4);
		const float d = half_value(phi_load16(dst + 80)) * (dst[j] & 15);
		const float m = half_value(phi_load16(dst + 82)) * (dst[j] >> 4);
		if (d != 0)
			codes_again(src + j * SUB, SUB, d, m, 0, MOST, codes + j * SUB);
		else
			for (int i = 0; i < SUB; i++)
				codes[j * SUB + i] =
					affine_code(&found[sub / ACROSS], sub % ACROSS, MOST, src[j * SUB + i]);
	}
	for (int i = 0; i < 64; i++) {
		const uint8_t *const q = codes + i / 32 * 128 + i % 32;
		dst[16 + i] = (uint8_t)(q[0] | q[32] << 2 | q[64] << 4 | q[96] << 6);
	}
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	enum { ALL = BLOCKS * SUBS, BATCHES = ALL / ACROSS };
	for (size_t b = 0; b < blocks; b += BLOCKS) {
		struct affine found[BATCHES];
		float scale[ALL], min[ALL];
		for (int k = 0; k < BATCHES; k++) {
			vf x[SUB][GROUPS], w[SUB][GROUPS];
			lay_across(src + b * N + (size_t)k * ACROSS * SUB, SUB, x);
			for (int i = 0; i < SUB; i++)
				EACH_GROUP w[i][g] = vf_abs(x[i][g]);
			affine_search(SUB, MOST, x, w, -0.5f, 0.1f, 15, true, &found[k]);
			memcpy(scale + k * ACROSS, found[k].scale, sizeof found[k].scale);
			memcpy(min + k * ACROSS, found[k].min, sizeof found[k].min);
		}
		for (int k = 0; k < BLOCKS; k++) {
			struct head h;
			h.d = four_bits(scale + k * SUBS, h.scale);
			h.dmin = four_bits(min + k * SUBS, h.min);
			finish(src + (b + (size_t)k) * N, &h, found, k * SUBS, dst + (b + (size_t)k) * BYTES);
		}
	}
	return floats_reach(src, blocks * N);
}

/* LANES blocks where importance is given. */
static void
weigh(const float *src, const float *importance, uint8_t *dst)
{
	enum { ALL = LANES * SUBS, BATCHES = ALL / ACROSS };
	struct affine found[BATCHES];
	struct weighed whole;
	float squares[ALL];
	repeat_across(squares_across(src, N) / N, SUBS, squares);
	weighed_search(src, importance, squares, SUBS, SUB, MOST, 15, found, &whole);
	for (int k = 0; k < LANES; k++) {
		struct head h = { .d = whole.d[k], .dmin = whole.dmin[k] };
		memcpy(h.scale, whole.scale + k * SUBS, SUBS);
		memcpy(h.min, whole.min + k * SUBS, SUBS);
		finish(src + k * N, &h, found, k * SUBS, dst + k * BYTES);
	}
}

static uint32_t
encode_weighted(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += GROUP)
		weigh(src + b * N, importance + b * N, dst + b * BYTES);
	return floats_reach(src, blocks * N);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block + 80)) && half_finite(phi_load16(block + 82));
}

const struct phi_codec PHI_CODECS(q2_k)[] = {
	{ .id = PHI_Q2_K, .group = GROUP, .decode = decode, .encode = encode, .encode_weighted = encode_weighted,
		.largest = 0x1p+18f, .sound = sound },
	PHI_CODECS_END,
};
