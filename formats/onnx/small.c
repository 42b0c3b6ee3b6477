#include "formats/onnx/small.h"

#include "formats/core/bytes.h"
#include "formats/onnx/elements.h"

#include <math.h>

static float
of_half(uint32_t bits)
{
	const unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
	const float x = exponent == 31 ? (fraction ? NAN : INFINITY)
		: exponent ? ldexpf((float)(1024 + fraction), (int)exponent - 25) : ldexpf((float)fraction, -24);
	return bits & 0x8000 ? -x : x;
}

static uint16_t
to_half(float x, bool *clamped)
{
	const uint32_t bits = phi_bits32(x);
	const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
	const float a = fabsf(x);
	if (isnan(x))
		return sign | 0x7e00;
	if (isinf(x))
		return sign | 0x7c00;
	if (a > 65504.0f) {
		*clamped = true;
		return sign | 0x7bff;
	}
	if (a < 0x1p-14f) {
		const long n = lrintf(a * 0x1p24f);
		return (uint16_t)(sign | (n || a == 0 ? n : 1));
	}
	const uint32_t rounded = (bits & 0x7fffffff) + 0xfff + (bits >> 13 & 1);
	return (uint16_t)(sign | ((rounded - (112u << 23)) >> 13));
}

static uint16_t
to_bfloat(float x)
{
	const uint32_t bits = phi_bits32(x);
	return (uint16_t)(isnan(x) ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static size_t
count(const PhiOnnx__Tensor *t)
{
	const size_t width = t->data_type == PHI_ONNX_FLOAT ? 4 : 2;
	if (t->raw_data.len)
		return t->raw_data.len / width;
	return t->data_type == PHI_ONNX_FLOAT ? t->n_float_data : t->n_int32_data;
}

static float
number(const PhiOnnx__Tensor *t, size_t i)
{
	const uint8_t *const raw = t->raw_data.len ? t->raw_data.data : NULL;
	if (t->data_type == PHI_ONNX_FLOAT)
		return raw ? phi_float32(phi_load32(raw + 4 * i)) : t->float_data[i];
	const uint32_t bits = raw ? phi_load16(raw + 2 * i) : (uint32_t)t->int32_data[i] & 0xffff;
	return t->data_type == PHI_ONNX_FLOAT16 ? of_half(bits) : phi_float32(bits << 16);
}

static void
put(uint8_t *bytes, size_t i, float x, int32_t to, bool *clamped)
{
	if (to == PHI_ONNX_FLOAT)
		phi_store32(bytes + 4 * i, phi_bits32(x));
	else
		phi_store16(bytes + 2 * i, to == PHI_ONNX_FLOAT16 ? to_half(x, clamped) : to_bfloat(x));
}

PhiOnnx__Tensor *
phi_onnx_small_convert(struct phi_onnx_build *b, const PhiOnnx__Tensor *t, int32_t to, bool *clamped)
{
	const size_t n = count(t), width = to == PHI_ONNX_FLOAT ? 4 : 2;
	PhiOnnx__Tensor *const made = b->failed ? NULL : phi_arena_alloc(b->arena, sizeof *made, b->err);
	uint8_t *const bytes = made ? phi_arena_calloc(b->arena, n + 1, width, b->err) : NULL;
	b->failed = !bytes;
	if (!bytes)
		return NULL;
	*made = *t;
	for (size_t i = 0; i < n; i++)
		put(bytes, i, number(t, i), to, clamped);
	made->n_float_data = made->n_int32_data = 0;
	made->data_type = to;
	made->has_raw_data = true;
	made->raw_data = (ProtobufCBinaryData){ n * width, bytes };
	return made;
}

PhiOnnx__Tensor *
phi_onnx_small_make(struct phi_onnx_build *b, const float *values, size_t n, bool scalar, int32_t to, bool *clamped)
{
	PhiOnnx__Tensor t;
	int64_t *const dims = b->failed ? NULL : phi_arena_calloc(b->arena, 1, sizeof *dims, b->err);
	b->failed = !dims;
	if (!dims)
		return NULL;
	phi_onnx__tensor__init(&t);
	dims[0] = (int64_t)n;
	t.dims = dims;
	t.n_dims = scalar ? 0 : 1;
	t.has_data_type = true;
	t.data_type = PHI_ONNX_FLOAT;
	t.n_float_data = n;
	t.float_data = (float *)(uintptr_t)values; /* only read */
	return phi_onnx_small_convert(b, &t, to, clamped);
}
