/* NVFP4: 64 weights in 36 bytes, 4.5 bits a weight.
 *
 *   0   d[4]    u8   scales of 16 weights each: unsigned E4M3, halved (since the values are doubled)
 *   4   q[32]   u8   byte 8 s + j: low half the code of weight 16 s + j, high half of 16 s + 8 + j; fp4.h
 *
 * Encoding (quantize_row_nvfp4_ref): d = E4M3(largest magnitude / 6), the code of least error; facts/gguf.md 3.1. A
 * model may carry an F32 scale for the whole tensor beside it; that is the runtime's affair.
 */
#include "quant/codec.h"
#include "quant/fp4.h"

#include <float.h>

enum { N = 64, BYTES = 36, SUB = 16 };

/* 0x7F would be NaN and is 0; the upper bit says nothing (but 0xFF is 240). */
static float
scale_value(uint8_t e)
{
	const int exponent = e >> 3 & 15, fraction = e & 7;
	if (e == 0x7F)
		return 0;
	return 0.5f * (exponent ? ldexpf((float)(8 + fraction), exponent - 10) : ldexpf((float)fraction, -9));
}

/* Rounded half up; from 256 on it is 448, the largest. */
static uint8_t
scale_of(float x)
{
	if (!(x > 0))
		return 0;
	const uint32_t bits = phi_bits32(x);
	const int exponent = (int)(bits >> 23) - 127 + 7;
	if (exponent >= 15)
		return 0x7E;
	if (exponent <= 0) {
		const int fraction = (int)(x * 512 + 0.5f);
		return (uint8_t)(fraction < 7 ? fraction : 7);
	}
	const uint32_t rounded = (uint32_t)exponent << 3 | (bits >> 20 & 7);
	const uint32_t code = rounded + (bits >> 19 & 1);
	return (uint8_t)(code < 0x78 ? code : 0x7E);
}

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N)
		for (int s = 0; s < 4; s++) {
			const float d = scale_value(src[s]);
			for (int j = 0; j < 8; j++) {
				dst[16 * s + j] = fp4_value(src[4 + 8 * s + j] & 15) * d;
				dst[16 * s + 8 + j] = fp4_value(src[4 + 8 * s + j] >> 4) * d;
			}
		}
}

/* Sixteen codes; without a scale, or far beyond its reach, by the specification. */
static void
sub_codes(const float *x, float most, float d, uint8_t codes[SUB])
{
	if (d > 0 && most <= 24 * d) {
		vi q[SUB / LANES];
		for (int k = 0; k < SUB / LANES; k++)
			q[k] = fp4_codes(vf_load(x + k * LANES), d);
		vi_store_bytes(codes, q, SUB);
	} else
		for (int j = 0; j < SUB; j++)
			codes[j] = fp4_nearest(x[j], d);
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	uint32_t reach = 0;
	for (size_t b = 0; b < blocks; b++, dst += BYTES)
		for (int s = 0; s < 4; s++, src += SUB) {
			const uint32_t most = floats_reach(src, SUB);
			uint8_t codes[SUB];
			reach = most > reach ? most : reach;
			dst[s] = scale_of(phi_float32(most) / 6);
			sub_codes(src, phi_float32(most), scale_value(dst[s]), codes);
			for (int j = 0; j < 8; j++)
				dst[4 + 8 * s + j] = (uint8_t)(codes[j] | codes[j + 8] << 4);
		}
	return reach;
}

/* Scales have no infinity: what is too large is cut, as the reference does. */
const struct phi_codec PHI_CODECS(nvfp4)[] = {
	{ .id = PHI_NVFP4, .group = 1, .decode = decode, .encode = encode, .largest = FLT_MAX },
	PHI_CODECS_END,
};
