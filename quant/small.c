/* Numbers of less than a byte, one after the other from the lowest bits on. Read only.
 *
 *   F4        s ee m, bias 1: 0, 0.5, 1, 1.5, 2, 3, 4, 6       2 in a byte: low nibble first
 *   F6_E2M3   s ee mmm, bias 1: up to 7.5                      4 in three bytes
 *   F6_E3M2   s eee mm, bias 3: up to 28                       4 in three bytes
 *   I4, U4    two's complement, unsigned                       2 in a byte
 *   I2, U2                                                     4 in a byte
 *
 * None has infinities or NaN. Source: OCP Microscaling Formats 1.0; the integers are ONNX's and
 * OpenVINO's. */
#include "quant/codec.h"
#include "quant/fp4.h"

/* A code of `bits` bits, `fraction` of them the fraction, as a float. */
static float
small_float(unsigned code, unsigned bits, int fraction, int bias)
{
	const unsigned sign = 1U << (bits - 1), rest = code & (sign - 1);
	const int exponent = (int)(rest >> fraction);
	const int digits = (int)(rest & ((1U << fraction) - 1));
	const float f = exponent == 0
		? ldexpf((float)digits, 1 - bias - fraction)
		: ldexpf((float)(digits + (1 << fraction)), exponent - bias - fraction);
	return code & sign ? -f : f;
}

static float
f4(unsigned code)
{
	return code == 8 ? -0.0f : fp4_value((int)code) * 0.5f;
}

static float
e2m3(unsigned code)
{
	return small_float(code, 6, 3, 1);
}

static float
e3m2(unsigned code)
{
	return small_float(code, 6, 2, 3);
}

static float
i4(unsigned code)
{
	return (float)((int)(code ^ 8) - 8);
}

static float
i2(unsigned code)
{
	return (float)((int)(code ^ 2) - 2);
}

static float
whole(unsigned code)
{
	return (float)code;
}

/* Codes of 2 and 4 bits. */
static void
decode_bytes(const uint8_t *src, float *dst, size_t bytes, unsigned bits, float one(unsigned code))
{
	for (size_t i = 0; i < bytes; i++)
		for (unsigned at = 0; at < 8; at += bits)
			*dst++ = one(src[i] >> at & ((1U << bits) - 1));
}

static void
decode_six(const uint8_t *src, float *dst, size_t blocks, float one(unsigned code))
{
	for (size_t i = 0; i < blocks; i++, src += 3) {
		const unsigned all = src[0] | (unsigned)src[1] << 8 | (unsigned)src[2] << 16;
		for (unsigned at = 0; at < 24; at += 6)
			*dst++ = one(all >> at & 63);
	}
}

#define DECODE(name, body) \
	static void decode_##name(const uint8_t *src, float *dst, size_t blocks) \
	{ \
		body; \
	}
DECODE(f4, decode_bytes(src, dst, blocks, 4, f4))
DECODE(i4, decode_bytes(src, dst, blocks, 4, i4))
DECODE(u4, decode_bytes(src, dst, blocks, 4, whole))
DECODE(i2, decode_bytes(src, dst, blocks, 2, i2))
DECODE(u2, decode_bytes(src, dst, blocks, 2, whole))
DECODE(e2m3, decode_six(src, dst, blocks, e2m3))
DECODE(e3m2, decode_six(src, dst, blocks, e3m2))

const struct phi_codec PHI_CODECS(small)[] = {
	{ .id = PHI_F4, .group = 1, .decode = decode_f4 },
	{ .id = PHI_F6_E2M3, .group = 1, .decode = decode_e2m3 },
	{ .id = PHI_F6_E3M2, .group = 1, .decode = decode_e3m2 },
	{ .id = PHI_I4, .group = 1, .decode = decode_i4 },
	{ .id = PHI_U4, .group = 1, .decode = decode_u4 },
	{ .id = PHI_I2, .group = 1, .decode = decode_i2 },
	{ .id = PHI_U2, .group = 1, .decode = decode_u2 },
	PHI_CODECS_END,
};
