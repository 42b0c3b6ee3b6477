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

static void
unpack(const uint8_t *src, uint8_t codes[SUPER])
{
	bytes32 high = bytes32_load(src + 16);
#pragma GCC unroll 4
	for (int p = 0; p < 4; p++, high >>= 2) {
		const bytes32 low = bytes32_load(src + 48 + 32 * p);
		bytes32_store(codes + 64 * p, (low & 0x0F0F0F0F) | (high & 0x01010101) << 4);
		bytes32_store(codes + 64 * p + 32, (low >> 4 & 0x0F0F0F0F) | (high & 0x02020202) << 3);
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
	bytes32 high = { 0 };
	for (int p = 0; p < 4; p++) {
		const bytes32 a = bytes32_load(codes + 64 * p), b = bytes32_load(codes + 64 * p + 32);
		bytes32_store(dst + 48 + 32 * p, (a & 0x0F0F0F0F) | (b & 0x0F0F0F0F) << 4);
		high |= ((a >> 4 & 0x01010101) | (b >> 3 & 0x02020202)) << 2 * p;
	}
	bytes32_store(dst + 16, high);
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
