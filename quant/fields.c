/* The shapes of the types: bytes to fields and back. Byte pictures are in each type's file. */
#include "quant/fields.h"

#include "formats/core/bytes.h"
#include "quant/fields_bits.h"
#include "quant/numbers.h"

#include <string.h>

/* Blocks of 32 with one scale. */

static void
unpack_q4_0(const uint8_t *block, struct phi_fields *f)
{
	f->d = phi_load16(block);
	take_nibbles(block + 2, 32, f->code);
}

static void
pack_q4_0(const struct phi_fields *f, uint8_t *block)
{
	phi_store16(block, (uint16_t)f->d);
	put_nibbles(f->code, 32, block + 2);
}

static void
unpack_q4_1(const uint8_t *block, struct phi_fields *f)
{
	f->d = phi_load16(block);
	f->dmin = phi_load16(block + 2);
	take_nibbles(block + 4, 32, f->code);
}

static void
pack_q4_1(const struct phi_fields *f, uint8_t *block)
{
	phi_store16(block, (uint16_t)f->d);
	phi_store16(block + 2, (uint16_t)f->dmin);
	put_nibbles(f->code, 32, block + 4);
}

static void
take_fives(const uint8_t *src, uint8_t *code)
{
	const uint32_t fifth = phi_load32(src);
	take_nibbles(src + 4, 32, code);
	for (unsigned i = 0; i < 32; i++)
		code[i] |= (uint8_t)((fifth >> i & 1) << 4);
}

static void
put_fives(const uint8_t *code, uint8_t *dst)
{
	uint32_t fifth = 0;
	for (unsigned i = 0; i < 32; i++)
		fifth |= (uint32_t)(code[i] >> 4) << i;
	phi_store32(dst, fifth);
	put_nibbles(code, 32, dst + 4);
}

static void
unpack_q5_0(const uint8_t *block, struct phi_fields *f)
{
	f->d = phi_load16(block);
	take_fives(block + 2, f->code);
}

static void
pack_q5_0(const struct phi_fields *f, uint8_t *block)
{
	phi_store16(block, (uint16_t)f->d);
	put_fives(f->code, block + 2);
}

static void
unpack_q5_1(const uint8_t *block, struct phi_fields *f)
{
	f->d = phi_load16(block);
	f->dmin = phi_load16(block + 2);
	take_fives(block + 4, f->code);
}

static void
pack_q5_1(const struct phi_fields *f, uint8_t *block)
{
	phi_store16(block, (uint16_t)f->d);
	phi_store16(block + 2, (uint16_t)f->dmin);
	put_fives(f->code, block + 4);
}

/* Codes are the bytes plus 128. */
static void
unpack_q8_0(const uint8_t *block, struct phi_fields *f)
{
	f->d = phi_load16(block);
	for (unsigned i = 0; i < 32; i++)
		f->code[i] = block[2 + i] ^ 0x80;
}

static void
pack_q8_0(const struct phi_fields *f, uint8_t *block)
{
	phi_store16(block, (uint16_t)f->d);
	for (unsigned i = 0; i < 32; i++)
		block[2 + i] = f->code[i] ^ 0x80;
}

static void
unpack_mxfp4(const uint8_t *block, struct phi_fields *f)
{
	f->scale[0] = block[0];
	take_nibbles(block + 1, 32, f->code);
}

static void
pack_mxfp4(const struct phi_fields *f, uint8_t *block)
{
	block[0] = (uint8_t)f->scale[0];
	put_nibbles(f->code, 32, block + 1);
}

static void
unpack_nvfp4(const uint8_t *block, struct phi_fields *f)
{
	for (unsigned g = 0; g < 4; g++) {
		f->scale[g] = block[g];
		take_nibbles(block + 4 + 8 * g, 16, f->code + 16 * g);
	}
}

static void
pack_nvfp4(const struct phi_fields *f, uint8_t *block)
{
	for (unsigned g = 0; g < 4; g++) {
		block[g] = (uint8_t)f->scale[g];
		put_nibbles(f->code + 16 * g, 16, block + 4 + 8 * g);
	}
}

/* One to three values a weight. */

static void
unpack_q1_0(const uint8_t *block, struct phi_fields *f)
{
	f->d = phi_load16(block);
	for (unsigned i = 0; i < 128; i++)
		f->code[i] = block[2 + i / 8] >> i % 8 & 1;
}

static void
pack_q1_0(const struct phi_fields *f, uint8_t *block)
{
	phi_store16(block, (uint16_t)f->d);
	memset(block + 2, 0, 16);
	for (unsigned i = 0; i < 128; i++)
		block[2 + i / 8] |= (uint8_t)(f->code[i] << i % 8);
}

static void
unpack_q2_0(const uint8_t *block, struct phi_fields *f)
{
	f->d = phi_load16(block);
	for (unsigned i = 0; i < 64; i++)
		f->code[i] = block[2 + i / 4] >> i % 4 * 2 & 3;
}

static void
pack_q2_0(const struct phi_fields *f, uint8_t *block)
{
	phi_store16(block, (uint16_t)f->d);
	memset(block + 2, 0, 16);
	for (unsigned i = 0; i < 64; i++)
		block[2 + i / 4] |= (uint8_t)(f->code[i] << i % 4 * 2);
}

/* Three runs of TQ1_0: so many bytes of so many codes each. */
static const struct {
	unsigned bytes, codes;
} trits[3] = { { 32, 5 }, { 16, 5 }, { 4, 4 } };

static void
unpack_tq1_0(const uint8_t *block, struct phi_fields *f)
{
	static const uint8_t power[] = { 1, 3, 9, 27, 81 };
	uint8_t *code = f->code;
	f->d = phi_load16(block + 52);
	for (unsigned run = 0; run < 3; block += trits[run++].bytes)
		for (unsigned i = 0; i < trits[run].codes; i++)
			for (unsigned m = 0; m < trits[run].bytes; m++)
				*code++ = (uint8_t)((uint8_t)(block[m] * power[i]) * 3 >> 8);
}

static void
pack_tq1_0(const struct phi_fields *f, uint8_t *block)
{
	const uint8_t *code = f->code;
	phi_store16(block + 52, f->d);
	for (unsigned run = 0; run < 3; run++) {
		const unsigned bytes = trits[run].bytes, codes = trits[run].codes;
		for (unsigned m = 0; m < bytes; m++) {
			unsigned t = 0;
			for (unsigned i = 0; i < 5; i++)
				t = t * 3 + (i < codes ? code[m + i * bytes] : 0);
			block[m] = (uint8_t)((t * 256 + 242) / 243);
		}
		block += bytes;
		code += bytes * codes;
	}
}

static void
unpack_tq2_0(const uint8_t *block, struct phi_fields *f)
{
	f->d = phi_load16(block + 64);
	take_pairs(block, f->code);
}

static void
pack_tq2_0(const struct phi_fields *f, uint8_t *block)
{
	phi_store16(block + 64, f->d);
	put_pairs(f->code, block);
}

/* The values of codes that are no numbers in a row. */

static const float signs[2] = { -1, 1 };
static const float nonlinear[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };
/* Doubled E2M1, and the codes they have; 8 is another zero. */
static const float fp4[15] = { -12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12 };
static const uint8_t fp4_code[15] = { 15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7 };

/* Halved scales, as the codes are doubled: E8M0, and unsigned E4M3. */

static float
e8m0_step(int scale)
{
	return ldexpf(1, scale - 128);
}

static float
e4m3_step(int scale)
{
	const int exponent = scale >> 3 & 15, fraction = scale & 7;
	if (scale == 0x7F)
		return 0;
	return exponent ? ldexpf((float)(8 + fraction), exponent - 11) : ldexpf((float)fraction, -10);
}

/* MLX's: the last is no exception; these have a sign, and a NaN. */
static float
mlx_e8m0_step(int scale)
{
	return scale == 255 ? INFINITY : e8m0_step(scale);
}

static float
signed_e4m3_step(int scale)
{
	const float step = (scale & 0x7F) == 0x7F ? NAN : e4m3_step(scale & 0x7F);
	return scale & 0x80 ? -step : step;
}

#define ONE_SCALE(type, n) .id = PHI_##type, .groups = 1, .group = n, .scales = PHI_ONE
#define BYTES_OF(name) .unpack = unpack_##name, .pack = pack_##name
#define SUPER_BYTES_OF(name) .unpack = phi_unpack_##name, .pack = phi_pack_##name

#define HEADS_F32 PHI_FLOATS
#define HEADS_F16 PHI_HALVES
#define HEADS_BF16 PHI_BRAINS

static const struct phi_shape shapes[] = {
	{ ONE_SCALE(Q4_0, 32), .codes = 16, .first = -8, BYTES_OF(q4_0) },
	{ ONE_SCALE(Q4_1, 32), .codes = 16, .lows = PHI_ADDED, BYTES_OF(q4_1) },
	{ ONE_SCALE(Q5_0, 32), .codes = 32, .first = -16, BYTES_OF(q5_0) },
	{ ONE_SCALE(Q5_1, 32), .codes = 32, .lows = PHI_ADDED, BYTES_OF(q5_1) },
	{ ONE_SCALE(Q8_0, 32), .codes = 256, .first = -128, BYTES_OF(q8_0) },
	{ ONE_SCALE(IQ4_NL, 32), .codes = 16, .values = nonlinear, BYTES_OF(q4_0) },
	{ ONE_SCALE(Q1_0, 128), .codes = 2, .values = signs, BYTES_OF(q1_0) },
	{ ONE_SCALE(Q2_0, 64), .codes = 4, .first = -1, BYTES_OF(q2_0) },
	{ ONE_SCALE(TQ1_0, 256), .codes = 3, .first = -1, BYTES_OF(tq1_0) },
	{ ONE_SCALE(TQ2_0, 256), .codes = 4, .first = -1, BYTES_OF(tq2_0) },
	{ .id = PHI_MXFP4, .groups = 1, .group = 32, .scales = PHI_TABLED, .most = 254, .step = e8m0_step,
		.codes = 15, .values = fp4, .order = fp4_code, BYTES_OF(mxfp4) },
	{ .id = PHI_NVFP4, .groups = 4, .group = 16, .scales = PHI_TABLED, .most = 126, .step = e4m3_step,
		.codes = 15, .values = fp4, .order = fp4_code, BYTES_OF(nvfp4) },
	{ .id = PHI_Q2_K, .groups = 16, .group = 16, .scales = PHI_WHOLE, .most = 15, .codes = 4,
		.lows = PHI_LOWERED, .most_low = 15, SUPER_BYTES_OF(q2_k) },
	{ .id = PHI_Q3_K, .groups = 16, .group = 16, .scales = PHI_WHOLE, .least = -32, .most = 31,
		.codes = 8, .first = -4, SUPER_BYTES_OF(q3_k) },
	{ .id = PHI_Q4_K, .groups = 8, .group = 32, .scales = PHI_WHOLE, .most = 63, .codes = 16,
		.lows = PHI_LOWERED, .most_low = 63, SUPER_BYTES_OF(q4_k) },
	{ .id = PHI_Q5_K, .groups = 8, .group = 32, .scales = PHI_WHOLE, .most = 63, .codes = 32,
		.lows = PHI_LOWERED, .most_low = 63, SUPER_BYTES_OF(q5_k) },
	{ .id = PHI_Q6_K, .groups = 16, .group = 16, .scales = PHI_WHOLE, .least = -128, .most = 127,
		.codes = 64, .first = -32, SUPER_BYTES_OF(q6_k) },
	{ .id = PHI_IQ4_XS, .groups = 8, .group = 32, .scales = PHI_WHOLE, .least = -32, .most = 31,
		.codes = 16, .values = nonlinear, SUPER_BYTES_OF(iq4_xs) },
#define MLX_TYPE(width, n, scale, size)                                                                      \
	{ ONE_SCALE(MLX##width##_G##n##_##scale, n), .heads = HEADS_##scale, .codes = 1 << width, .lows = PHI_ADDED, \
		.bits = width },
#include "formats/core/mlx_types.def"
#define LOWS_0 PHI_NO_LOW
#define LOWS_1 PHI_ZEROED
#define ONNX_TYPE(width, mark, n, scale, size, zero)                                                         \
	{ ONE_SCALE(ONNX##width##mark##_G##n##_##scale, n), .heads = HEADS_##scale, .codes = 1 << width,     \
		.first = zero ? 0 : -(1 << (width - 1)), .lows = LOWS_##zero,                                \
		.most_low = zero ? (1 << width) - 1 : 0, .bits = width },
#include "formats/core/onnx_types.def"
#define ONNX_FLOAT_TYPE(width, n, scale, size)                                                               \
	{ ONE_SCALE(ONNX##width##F_G##n##_##scale, n), .heads = HEADS_##scale, .codes = 1 << width,          \
		.lows = PHI_SHIFTED, .bits = width },
#include "formats/core/onnx_float_types.def"
	{ .id = PHI_MLX_MXFP4, .groups = 1, .group = 32, .scales = PHI_TABLED, .most = 254, .step = mlx_e8m0_step,
		.codes = 15, .values = fp4, .order = fp4_code, .bits = 4 },
	{ .id = PHI_MLX_NVFP4, .groups = 1, .group = 16, .scales = PHI_TABLED, .most = 126,
		.step = signed_e4m3_step,
		.codes = 15, .values = fp4, .order = fp4_code, .bits = 4 },
};

const struct phi_shape *
phi_shape_of(enum phi_type_id id)
{
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		if (shapes[i].id == id)
			return &shapes[i];
	return NULL;
}

void
phi_fields_unpack(const struct phi_shape *shape, const uint8_t *block, struct phi_fields *fields)
{
	if (shape->bits)
		phi_unpack_stream(shape, block, fields);
	else
		shape->unpack(block, fields);
}

void
phi_fields_pack(const struct phi_shape *shape, const struct phi_fields *fields, uint8_t *block)
{
	if (shape->bits)
		phi_pack_stream(shape, fields, block);
	else
		shape->pack(fields, block);
}

uint32_t
phi_head_bits(const struct phi_shape *shape, float x)
{
	const uint32_t bits = phi_bits32(x);
	switch (shape->heads) {
	case PHI_HALVES:
		return half_of(x);
	case PHI_BRAINS:
		return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
	default:
		return bits;
	}
}

float
phi_head_value(const struct phi_shape *shape, uint32_t bits)
{
	return shape->heads == PHI_HALVES ? half_value((uint16_t)bits)
		: phi_float32(shape->heads == PHI_BRAINS ? bits << 16 : bits);
}

float
phi_fields_step(const struct phi_shape *shape, const struct phi_fields *fields, unsigned group)
{
	switch (shape->scales) {
	case PHI_ONE:
		return phi_head_value(shape, fields->d);
	case PHI_WHOLE:
		return phi_head_value(shape, fields->d) * (float)fields->scale[group];
	default:
		return shape->step(fields->scale[group]);
	}
}

float
phi_fields_low(const struct phi_shape *shape, const struct phi_fields *fields, unsigned group)
{
	switch (shape->lows) {
	case PHI_NO_LOW:
	case PHI_ZEROED:
	case PHI_SHIFTED:
		return 0;
	case PHI_ADDED:
		return -phi_head_value(shape, fields->dmin);
	default:
		return phi_head_value(shape, fields->dmin) * (float)fields->min[group];
	}
}

float
phi_fields_zero(const struct phi_shape *shape, const struct phi_fields *fields)
{
	if (shape->lows == PHI_SHIFTED)
		return phi_head_value(shape, fields->dmin);
	return shape->lows == PHI_ZEROED ? (float)fields->min[0] : 0;
}

void
phi_fields_values(const struct phi_shape *shape, const struct phi_fields *fields, float *dst)
{
	float values[PHI_FIELD_CODES] = { 0 };
	const float zero = phi_fields_zero(shape, fields);
	for (unsigned i = 0; i < shape->codes; i++)
		values[shape->order ? shape->order[i] : i] =
			shape->values ? shape->values[i] : shape->first + (float)i - zero;
	for (unsigned g = 0; g < shape->groups; g++) {
		const float step = phi_fields_step(shape, fields, g);
		const float low = phi_fields_low(shape, fields, g);
		for (unsigned i = g * shape->group; i < (g + 1) * shape->group; i++)
			dst[i] = step * values[fields->code[i]] - low;
	}
}
