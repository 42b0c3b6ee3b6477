/* MXFP4: 32 weights in 17 bytes, 4.25 bits a weight.
 *
 *   0   e       u8   scale: 2^(e - 128) (so half of OCP's E8M0, since the values are doubled)
 *   1   q[16]   u8   low half of q[j]: code of weight j, high half: of weight j + 16; fp4.h
 *
 * Encoding (quantize_row_mxfp4_ref): e = floorf(log2f(largest magnitude)) - 2 + 127, cut to a byte; the code of
 * least error; facts/gguf.md 3.1.
 */
#include "quant/block32.h"
#include "quant/codec.h"
#include "quant/fp4.h"

enum { N = BLOCK32, BYTES = 17 };

static float
scale_value(uint8_t e)
{
	return phi_float32(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const float d = scale_value(src[0]);
		for (int j = 0; j < N / 2; j++) {
			dst[j] = fp4_value(src[1 + j] & 15) * d;
			dst[j + N / 2] = fp4_value(src[1 + j] >> 4) * d;
		}
	}
}

/* floorf(log2f(x)) for x > 0: the exponent, but the next one where x is so little below a power of two that
 * the logarithm rounds up to it. */
static int
floor_log2(float x)
{
	int exponent;
	const double fraction = frexp(x, &exponent); /* 0.5 to 1: x = fraction * 2^exponent */
	if (1 - fraction > 0x1p-16)
		return exponent - 1;
	const double below = (fraction - 1) * 1.4426950408889634; /* log2(fraction), exact enough */
	return (int)floorf((float)(exponent + below));
}

static uint8_t
scale_of(uint32_t most)
{
	return most ? (uint8_t)(floor_log2(phi_float32(most)) - 2 + 127) : 0;
}

/* Largest magnitudes below 2^-125 wrap around to a scale far above them: all codes are 0 then, as they are
 * here, for no middle is reached. */
static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	uint32_t reach = 0;
	for (size_t b = 0; b < blocks; b++, src += N, dst += BYTES) {
		const uint32_t most = floats_reach(src, N);
		vi q[STEPS32];
		reach = most > reach ? most : reach;
		dst[0] = most < 0x7F800000 ? scale_of(most) : 0;
		for (int k = 0; k < STEPS32; k++)
			q[k] = fp4_codes(vf_load(src + k * LANES), scale_value(dst[0]));
		store_nibbles(dst + 1, q);
	}
	return reach;
}

const struct phi_codec PHI_CODECS(mxfp4)[] = {
	{ .id = PHI_MXFP4, .group = 1, .decode = decode, .encode = encode, .largest = FLT_MAX },
	PHI_CODECS_END,
};
