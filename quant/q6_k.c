/* Q6_K: 256 weights in 210 bytes, 6.5625 bits a weight.
 *
 *   0    l[128]  u8   lower four bits of the codes: of a half h of 128, byte 64 h + i has those of codes
 *                     i (low) and i + 64 (high), byte 64 h + 32 + i those of i + 32 and i + 96
 *   128  u[64]   u8   upper two bits: byte 32 h + i has those of i, i + 32, i + 64, i + 96, low to high
 *   192  s[16]   i8   scales, of 16 weights each
 *   208  d       F16  scale of the scales
 *
 *   weight = (d * scale) * (code - 32)
 *
 * Encoding (quantize_row_q6_K_ref): facts/gguf.md 3.2 (make_qx_quants) and 3.3; with importance 3.4.
 */
#include "quant/codec.h"
#include "quant/search.h"

enum { N = 256, SUBS = 16, SUB = 16, BYTES = 210, HALF = 32, BLOCKS = ACROSS > SUBS ? ACROSS / SUBS : 1 };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const float d = half_value(phi_load16(src + 208));
		for (int e = 0; e < N; e += SUB) {
			const int h = e / 128, quarter = e % 128 / 32, i = e % 32;
			const uint8_t *const low = src + 64 * h + 32 * (quarter % 2) + i, *const up = src + 128 + 32 * h + i;
			const vf scale = vf_set(d * (int8_t)src[192 + e / SUB]);
			for (int k = 0; k < SUB; k += LANES) {
				const vi four = vi_load_u8(low + k) >> 4 * (quarter / 2) & 15;
				const vi two = vi_load_u8(up + k) >> 2 * quarter & 3;
				vf_store(dst + e + k, scale * vf_of_int((four | two << 4) - HALF));
			}
		}
	}
}

static void
pack(const uint8_t codes[N], uint8_t *dst)
{
	for (int h = 0; h < 2; h++)
		for (int i = 0; i < 32; i++) {
			const uint8_t *const q = codes + 128 * h + i;
			dst[64 * h + i] = (uint8_t)((q[0] & 15) | q[64] << 4);
			dst[64 * h + 32 + i] = (uint8_t)((q[32] & 15) | q[96] << 4);
			dst[128 + 32 * h + i] = (uint8_t)(q[0] >> 4 | q[32] >> 4 << 2 | q[64] >> 4 << 4 | q[96] >> 4 << 6);
		}
}

/* Scales, codes and bytes of one block from what was found for its sub-blocks, which begin at `first`. */
static void
finish(const float *src, const struct symmetric *found, int first, uint8_t *dst)
{
	float scale[SUBS], most = 0, extreme = 0;
	uint8_t codes[N];
	for (int j = 0; j < SUBS; j++) {
		scale[j] = found[(first + j) / ACROSS].scale[(first + j) % ACROSS];
		if (fabsf(scale[j]) > most) {
			most = fabsf(scale[j]);
			extreme = scale[j];
		}
	}
	if (most < 1e-15f) {
		memset(dst, 0, BYTES);
		return;
	}
	const float inverse = -128.0f / extreme;
	phi_store16(dst + 208, half_of(1 / inverse));
	for (int j = 0; j < SUBS; j++) {
		const int32_t s = nearest(inverse * scale[j]);
		dst[192 + j] = (uint8_t)(s < 127 ? s : 127);
		const float d = half_value(phi_load16(dst + 208)) * (int8_t)dst[192 + j];
		if (d != 0)
			codes_again(src + j * SUB, SUB, d, 0, -HALF, HALF - 1, codes + j * SUB);
		else
			for (int i = 0; i < SUB; i++)
				codes[j * SUB + i] = symmetric_code(&found[(first + j) / ACROSS],
					(first + j) % ACROSS, HALF, src[j * SUB + i]);
	}
	pack(codes, dst);
}

/* The importance of a weight is what is given, or its square. */
PHI_INLINE uint32_t
encode_any(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	enum { BATCHES = BLOCKS * SUBS / ACROSS };
	for (size_t b = 0; b < blocks; b += BLOCKS) {
		struct symmetric found[BATCHES];
		for (int k = 0; k < BATCHES; k++) {
			const size_t first = b * N + (size_t)k * ACROSS * SUB;
			vf x[SUB][GROUPS], w[SUB][GROUPS];
			lay_across(src + first, SUB, x);
			if (importance)
				lay_across(importance + first, SUB, w);
			else
				for (int i = 0; i < SUB; i++)
					EACH_GROUP w[i][g] = x[i][g] * x[i][g];
			symmetric_search(SUB, HALF, x, w, &found[k]);
		}
		for (int k = 0; k < BLOCKS; k++)
			finish(src + (b + (size_t)k) * N, found, k * SUBS, dst + (b + (size_t)k) * BYTES);
	}
	return floats_reach(src, blocks * N);
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	return encode_any(src, NULL, dst, blocks);
}

static uint32_t
encode_weighted(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	return encode_any(src, importance, dst, blocks);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block + 208));
}

const struct phi_codec PHI_CODECS(q6_k)[] = {
	{ .id = PHI_Q6_K, .group = BLOCKS, .decode = decode, .encode = encode,
		.encode_weighted = encode_weighted, .largest = 0x1p+26f, .sound = sound },
	PHI_CODECS_END,
};
