/* Q5_K: 256 weights in 176 bytes, 5.5 bits a weight.
 *
 *   0    d       F16      scale of the scales
 *   2    dmin    F16      scale of the minima
 *   4    s[12]            8 scales and 8 minima of 6 bits (super.h), for 32 weights each
 *   16   h[32]   u8       bit 2 p of byte l: fifth bit of code 64 p + l, bit 2 p + 1: of 64 p + 32 + l
 *   48   q[128]  u8       byte 32 p + l: low half the code of weight 64 p + l, high half of 64 p + 32 + l
 *
 *   weight = (d * scale) * code - dmin * min
 *
 * Encoding (quantize_row_q5_K_ref): facts/gguf.md 3.2 (make_qkx2_quants) and 3.3; with importance 3.4.
 */
#include "quant/codec.h"
#include "quant/super.h"

enum { BYTES = 176, MOST = 31 };

/* 32 bytes, four a lane: no shift below moves a bit that is kept into another byte. */
typedef uint32_t fours __attribute__((vector_size(32)));

static void
unpack(const uint8_t *src, uint8_t codes[SUPER])
{
	fours high, low;
	memcpy(&high, src + 16, sizeof high);
#pragma GCC unroll 4
	for (int p = 0; p < 4; p++, high >>= 2) {
		memcpy(&low, src + 48 + 32 * p, sizeof low);
		const fours a = (low & 0x0F0F0F0F) | (high & 0x01010101) << 4;
		const fours b = (low >> 4 & 0x0F0F0F0F) | (high & 0x02020202) << 3;
		memcpy(codes + 64 * p, &a, sizeof a);
		memcpy(codes + 64 * p + 32, &b, sizeof b);
	}
}

static void
decode_block(const uint8_t *src, const float scale[2 * SUBS], float *dst)
{
	const float *const min = scale + SUBS;
	uint8_t codes[SUPER];
	unpack(src, codes);
	for (int j = 0; j < SUBS; j++) {
		const struct line line = line_of(scale[j], min[j]);
		for (int l = 0; l < SUB; l += LANES)
			vf_store(dst + j * SUB + l, line_at(line, vi_load_u8(codes + j * SUB + l), MOST));
	}
}

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += LANES) {
		float factor[LANES][2 * SUBS];
		super_factors(src + b * BYTES, BYTES, factor);
		for (size_t s = 0; s < LANES; s++)
			decode_block(src + (b + s) * BYTES, factor[s], dst + (b + s) * SUPER);
	}
}

static void
pack(const uint8_t codes[SUPER], uint8_t *dst)
{
	uint8_t *const high = dst + 16, *const low = dst + 48;
	memset(high, 0, 32);
	for (int p = 0; p < 4; p++)
		for (int l = 0; l < 32; l++) {
			const uint8_t a = codes[64 * p + l], b = codes[64 * p + 32 + l];
			low[32 * p + l] = (uint8_t)((a & 15) | b << 4);
			high[l] = (uint8_t)(high[l] | (a >> 4 | b >> 4 << 1) << 2 * p);
		}
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += SUPERS) {
		uint8_t codes[SUPERS * SUPER];
		super_encode(src + b * SUPER, MOST, -0.5f, 15, dst + b * BYTES, BYTES, codes);
		for (size_t s = 0; s < SUPERS; s++)
			pack(codes + s * SUPER, dst + (b + s) * BYTES);
	}
	return floats_reach(src, blocks * SUPER);
}

static uint32_t
encode_weighted(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += SUPER_GROUP) {
		uint8_t codes[SUPER_GROUP * SUPER];
		super_weigh(src + b * SUPER, importance + b * SUPER, MOST, dst + b * BYTES, BYTES, codes);
		for (size_t s = 0; s < SUPER_GROUP; s++)
			pack(codes + s * SUPER, dst + (b + s) * BYTES);
	}
	return floats_reach(src, blocks * SUPER);
}

const struct phi_codec PHI_CODECS(q5_k)[] = {
	{ .id = PHI_Q5_K, .group = SUPER_GROUP, .decode = decode, .encode = encode,
		.encode_weighted = encode_weighted, .largest = 0x1p+20f, .sound = super_sound },
	PHI_CODECS_END,
};
