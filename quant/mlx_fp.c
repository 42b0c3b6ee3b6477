/* MLX's types of small floats. Codes as a stream of bits, the first in the lowest; then one byte of scale.
 *
 *              weights   codes            scale
 *   MLX_MXFP4    32      16 bytes, E2M1   E8M0: 2^(e - 127)
 *   MLX_MXFP8    32      32 bytes, E4M3   E8M0
 *   MLX_NVFP4    16       8 bytes, E2M1   E4M3                  weight = code * scale
 *
 * Encoding (mlx.core.quantize of MLX 0.32.4 on a CPU; facts/mlx.md 2.3), every step rounded to the type of the
 * weights: E8M0 is the least power of two that the largest magnitude over 6 (448) does not exceed, E4M3 that quotient
 * to nearest. E2M1 codes are the nearest, of equals the smaller, and zero has no sign; E4M3 ties go to even. Where the
 * power of two would be below 2^-127 MLX's byte wraps around (255: not a number); here it is 0.
 */
#include "quant/codec.h"
#include "quant/fp4.h"
#include "quant/mlx.h"

#include <float.h>

/* 2^(e - 127), for 255 too: MLX makes no exception. */
static float
power_of(uint8_t e)
{
	return ldexpf(1, e - 127);
}

/* E2M1; code 8 is the negative zero. */
static float
e2m1_value(int code)
{
	const float size = 0.5f * fp4_value(code & 7);
	return code & 8 ? -size : size;
}

static float
e4m3_value(uint8_t byte)
{
	const int exponent = byte >> 3 & 15, fraction = byte & 7;
	const float size = exponent ? ldexpf((float)(8 + fraction), exponent - 10) : ldexpf((float)fraction, -9);
	return (byte & 0x7F) == 0x7F ? NAN : byte & 0x80 ? -size : size;
}

/* To nearest, ties to even, 448 at most: in steps of 2^-9 below 2^-6, else three bits of fraction. */
PHI_INLINE vi
e4m3_codes(vf x)
{
	const vu bits = vf_bits(x) & 0x7FFFFFFF, odd = (bits >> 20) & 1;
	const vi low = (vi)(vf_bits(vf_abs(x) + 0x1p14f) - vf_bits(vf_set(0x1p14f)));
	const vi high = (vi)((bits - (120u << 23) + 0x7FFFF + odd) >> 20);
	const vi code = vi_pick(vi_lt((vi)bits, vi_set(121 << 23)), low, high);
	return vi_min(code, vi_set(0x7E)) | (vi)(vf_bits(x) >> 24 & 0x80);
}

static uint8_t
e4m3_of(float x)
{
	vi code = e4m3_codes(vf_set(x));
	uint8_t bytes[16];
	vi_store_bytes(bytes, (vi[16]){ code }, 16);
	return bytes[0];
}

/* The byte of the least power of two not below x, of x >= 0; without x it is that of 1. */
static uint8_t
e8m0_of(float x)
{
	int exponent;
	const bool whole = frexpf(x, &exponent) == 0.5f;
	exponent -= whole;
	return (uint8_t)(x == 0 ? 127 : exponent < -127 ? 0 : exponent > 127 ? 254 : exponent + 127);
}

static void
decode_mxfp4(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += 17, dst += 32)
		for (int j = 0; j < 32; j++)
			dst[j] = e2m1_value(src[j / 2] >> j % 2 * 4 & 15) * power_of(src[16]);
}

static void
decode_mxfp8(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += 33, dst += 32)
		for (int j = 0; j < 32; j++)
			dst[j] = e4m3_value(src[j]) * power_of(src[32]);
}

static void
decode_nvfp4(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += 9, dst += 16)
		for (int j = 0; j < 16; j++)
			dst[j] = e2m1_value(src[j / 2] >> j % 2 * 4 & 15) * e4m3_value(src[8]);
}

/* The kinds of codes. */
struct form {
	unsigned group, bits;
	bool e8m0;
};
#define FORM_mxfp4 ((struct form){ .group = 32, .bits = 4, .e8m0 = true })
#define FORM_mxfp8 ((struct form){ .group = 32, .bits = 8, .e8m0 = true })
#define FORM_nvfp4 ((struct form){ .group = 16, .bits = 4 })

/* One group; returns its largest magnitude. */
PHI_INLINE uint32_t
encode_group(const float *src, uint8_t *dst, struct form f, enum phi_type_id type)
{
	uint8_t code[32];
	vi q[16 / LANES];
	const uint32_t reach = floats_reach(src, f.group);
	float most;
	vf lanes[LANES];
	lanes[0] = rounded(vf_set(phi_float32(reach)), type);
	lanes[0] = rounded(lanes[0] / (f.bits == 4 ? 6.0f : 448.0f), type);
	memcpy(&most, lanes, sizeof most);
	const uint8_t byte = f.e8m0 ? e8m0_of(most) : e4m3_of(most);
	/* Without a scale all codes are 0. */
	const float scale = f.e8m0 ? power_of(byte) : byte ? e4m3_value(byte) : INFINITY;
	for (unsigned k = 0; k < f.group; k += 16) {
		for (unsigned j = 0; j < 16 / LANES; j++) {
			const vf x = rounded(rounded(vf_load(src + k + j * LANES), type) / scale, type);
			q[j] = f.bits == 4 ? fp4_codes(x, 0.5f) : e4m3_codes(x);
		}
		vi_store_bytes(code + k, q, 16);
	}
	pack(code, f.group, f.bits, dst);
	dst[f.group * f.bits / 8] = byte;
	return reach;
}

PHI_INLINE uint32_t
encode(const float *src, uint8_t *dst, size_t blocks, struct form f, enum phi_type_id type)
{
	uint32_t reach = 0;
	for (size_t b = 0; b < blocks; b++, src += f.group, dst += f.group * f.bits / 8 + 1) {
		const uint32_t most = encode_group(src, dst, f, type);
		reach = most > reach ? most : reach;
	}
	return reach;
}

/* A type for sources of F32 (and all but the two others), of BF16, of F16. */
#define ENCODE(name, type)                                                                                   \
	static uint32_t encode_##name##_##type(const float *src, uint8_t *dst, size_t blocks)                \
	{                                                                                                    \
		return encode(src, dst, blocks, FORM_##name, PHI_##type);                                    \
	}
#define TYPES_OF(ident, name)                                                                                \
	ENCODE(name, F32)                                                                                    \
	ENCODE(name, BF16)                                                                                   \
	ENCODE(name, F16)                                                                                    \
	static const struct phi_codec name##_of_bf16 = { .id = PHI_##ident, .group = 1,                      \
		.decode = decode_##name, .encode = encode_##name##_BF16, .largest = FLT_MAX };               \
	static const struct phi_codec name##_of_f16 = { .id = PHI_##ident, .group = 1,                       \
		.decode = decode_##name, .encode = encode_##name##_F16, .largest = FLT_MAX };
TYPES_OF(MLX_MXFP4, mxfp4)
TYPES_OF(MLX_MXFP8, mxfp8)
TYPES_OF(MLX_NVFP4, nvfp4)

#define CODEC_OF(ident, name)                                                                                \
	{ .id = PHI_##ident, .group = 1, .decode = decode_##name, .encode = encode_##name##_F32,             \
		.largest = FLT_MAX, .of_bf16 = &name##_of_bf16, .of_f16 = &name##_of_f16 }

/* What is too large for a scale is cut; nothing is infinite. */
const struct phi_codec PHI_CODECS(mlx_fp)[] = {
	CODEC_OF(MLX_MXFP4, mxfp4),
	CODEC_OF(MLX_MXFP8, mxfp8),
	CODEC_OF(MLX_NVFP4, nvfp4),
	PHI_CODECS_END,
};
