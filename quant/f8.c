/* The 8-bit floats of safetensors and the OCP "microscaling" paper. Read only.
 *
 *   F8_E4M3      s eeee mmm, bias 7; no infinity, the one NaN (either sign) is all ones: up to 448
 *   F8_E5M2      s eeeee mm, bias 15; infinities and NaNs as IEEE: the upper byte of an F16
 *   F8_E4M3FNUZ  bias 8, no infinity, no negative zero: its code 0x80 is the NaN
 *   F8_E5M2FNUZ  bias 16, likewise
 *   F8_E8M0      eeeeeeee, bias 127, no sign, no fraction: 2^(e - 127), 0xFF is NaN
 */
#include "quant/codec.h"
#include "quant/lanes.h"

/* A byte of `mantissa` bits of fraction that is no special code. */
static float
value(uint8_t byte, int mantissa, int bias)
{
	const int exponent = (byte & 0x7F) >> mantissa, fraction = byte & ((1 << mantissa) - 1);
	const float f = exponent == 0
		? ldexpf((float)fraction, 1 - bias - mantissa)
		: ldexpf((float)(fraction + (1 << mantissa)), exponent - bias - mantissa);
	return byte & 0x80 ? -f : f;
}

static float
e4m3(uint8_t byte)
{
	return (byte & 0x7F) == 0x7F ? NAN : value(byte, 3, 7);
}

static float
e5m2(uint8_t byte)
{
	if ((byte & 0x7F) > 0x7C)
		return NAN;
	if ((byte & 0x7F) == 0x7C)
		return byte & 0x80 ? -INFINITY : INFINITY;
	return value(byte, 2, 15);
}

static float
e4m3fnuz(uint8_t byte)
{
	return byte == 0x80 ? NAN : value(byte, 3, 8);
}

static float
e5m2fnuz(uint8_t byte)
{
	return byte == 0x80 ? NAN : value(byte, 2, 16);
}

static float
e8m0(uint8_t byte)
{
	return byte == 0xFF ? NAN : ldexpf(1, byte - 127);
}

static void
decode(const uint8_t *src, float *dst, size_t blocks, float one(uint8_t byte))
{
	for (size_t i = 0; i < blocks; i++)
		dst[i] = one(src[i]);
}

#define DECODE(format) \
	static void decode_##format(const uint8_t *src, float *dst, size_t blocks) \
	{ \
		decode(src, dst, blocks, format); \
	}
DECODE(e4m3)
DECODE(e5m2)
DECODE(e4m3fnuz)
DECODE(e5m2fnuz)
DECODE(e8m0)

const struct phi_codec PHI_CODECS(f8)[] = {
	{ .id = PHI_F8_E4M3, .group = 1, .decode = decode_e4m3 },
	{ .id = PHI_F8_E5M2, .group = 1, .decode = decode_e5m2 },
	{ .id = PHI_F8_E4M3FNUZ, .group = 1, .decode = decode_e4m3fnuz },
	{ .id = PHI_F8_E5M2FNUZ, .group = 1, .decode = decode_e5m2fnuz },
	{ .id = PHI_F8_E8M0, .group = 1, .decode = decode_e8m0 },
	PHI_CODECS_END,
};
