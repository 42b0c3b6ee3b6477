/* Q4_K: 256 weights in 144 bytes, 4.5 bits a weight.
 *
 *   0    d       F16      scale of the scales
 *   2    dmin    F16      scale of the minima
 *   4    s[12]            8 scales and 8 minima of 6 bits (super.h), for 32 weights each
 *   16   q[128]  u8       byte 32 p + l: low half the code of weight 64 p + l, high half of 64 p + 32 + l
 *
 *   weight = (d * scale) * code - dmin * min
 *
 * Encoding (quantize_row_q4_K_ref): facts/gguf.md 3.2 (make_qkx2_quants) and 3.3; with importance 3.4.
 */
#include "quant/codec.h"
#include "quant/super.h"

enum { BYTES = 144, MOST = 15 };

static void
decode_block(const uint8_t *src, const float scale[2 * SUBS], float *dst)
{
	const float *const min = scale + SUBS;
	for (int j = 0; j < SUBS; j += 2) {
		const struct line low = line_of(scale[j], min[j]), high = line_of(scale[j + 1], min[j + 1]);
		for (int l = 0; l < SUB; l += LANES) {
			const vi pair = vi_load_u8(src + 16 + j / 2 * 32 + l);
			vf_store(dst + j * SUB + l, line_at(low, pair & 15, MOST));
			vf_store(dst + (j + 1) * SUB + l, line_at(high, pair >> 4, MOST));
		}
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
	for (int p = 0; p < 4; p++)
		for (int l = 0; l < 32; l++)
			dst[32 * p + l] = (uint8_t)(codes[64 * p + l] | codes[64 * p + 32 + l] << 4);
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += SUPERS) {
		uint8_t codes[SUPERS * SUPER];
		super_encode(src + b * SUPER, MOST, -1, 20, dst + b * BYTES, BYTES, codes);
		for (size_t s = 0; s < SUPERS; s++)
			pack(codes + s * SUPER, dst + (b + s) * BYTES + 16);
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
			pack(codes + s * SUPER, dst + (b + s) * BYTES + 16);
	}
	return floats_reach(src, blocks * SUPER);
}

const struct phi_codec PHI_CODECS(q4_k)[] = {
	{ .id = PHI_Q4_K, .group = SUPER_GROUP, .decode = decode, .encode = encode,
		.encode_weighted = encode_weighted, .largest = 0x1p+20f, .sound = super_sound },
	PHI_CODECS_END,
};
