/* q = clip(rne(x / scale) + zero), little-endian.
 *
 * The quotient is clipped first, to the codes' limits less the zero, which are integers: rounding does not cross them.
 * What is left is below 2^17, and adding and taking away 1.5 * 2^23 rounds it to even. A bias is divided in F64 and
 * rounded there, as ONNX Runtime does it. */
#include "quant/scale.h"

#include "formats/core/bytes.h"

#include <math.h>

enum { STRIP = 256 };

static const float round_to_even = 12582912.0f;

static void
limits(const struct phi_type *type, int32_t *least, int32_t *greatest)
{
	const bool is_signed = type->id == PHI_I8 || type->id == PHI_I16;
	const int32_t codes = type->bytes == 1 ? 256 : 65536;
	*least = is_signed ? -codes / 2 : 0;
	*greatest = *least + codes - 1;
}

/* n <= STRIP numbers of one scale. */
static void
round_strip(const float *src, int32_t *codes, size_t n, float scale, int32_t zero, int32_t least, int32_t greatest)
{
	const float low = (float)(least - zero), high = (float)(greatest - zero);
	for (size_t i = 0; i < n; i++) {
		float q = src[i] / scale;
		q = q > low ? q : low;
		q = q < high ? q : high;
		codes[i] = (int32_t)((q + round_to_even) - round_to_even) + zero;
	}
}

static void
store_strip(const struct phi_type *type, const int32_t *codes, uint8_t *dst, size_t n)
{
	if (type->bytes == 1)
		for (size_t i = 0; i < n; i++)
			dst[i] = (uint8_t)codes[i];
	else
		for (size_t i = 0; i < n; i++)
			phi_store16(dst + 2 * i, (uint16_t)codes[i]);
}

static void
scale_bias(const struct phi_scaling *s, const float *src, uint8_t *dst, uint64_t first, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		double q = rint((double)src[i] / (double)s->scale[(first + i) / s->inner % s->count]);
		q = q > INT32_MIN ? q : INT32_MIN;
		q = q < INT32_MAX ? q : INT32_MAX;
		phi_store32(dst + 4 * i, (uint32_t)(int32_t)q);
	}
}

/* Neighbours have scales of their own: the last axis. */
static void
scale_columns(const struct phi_scaling *s, const float *src, uint8_t *dst, uint64_t first, uint64_t n)
{
	int32_t least, greatest, code;
	limits(s->type, &least, &greatest);
	uint64_t channel = first % s->count;
	for (uint64_t i = 0; i < n; i++) {
		round_strip(src + i, &code, 1, s->scale[channel], s->zero[channel], least, greatest);
		store_strip(s->type, &code, dst + i * s->type->bytes, 1);
		channel = channel + 1 < s->count ? channel + 1 : 0;
	}
}

static void
scale_runs(const struct phi_scaling *s, const float *src, uint8_t *dst, uint64_t first, uint64_t n)
{
	int32_t least, greatest, codes[STRIP];
	limits(s->type, &least, &greatest);
	for (uint64_t i = 0, run; i < n; i += run) {
		const uint64_t channel = (first + i) / s->inner % s->count;
		const uint64_t left = s->count == 1 ? n - i : s->inner - (first + i) % s->inner;
		run = n - i < left ? n - i : left;
		run = run < STRIP ? run : STRIP;
		round_strip(src + i, codes, run, s->scale[channel], s->zero[channel], least, greatest);
		store_strip(s->type, codes, dst + i * s->type->bytes, run);
	}
}

void
phi_scale(const struct phi_scaling *s, const float *src, void *dst, uint64_t first, uint64_t n)
{
	if (s->type->id == PHI_I32)
		scale_bias(s, src, dst, first, n);
	else if (s->inner == 1 && s->count > 1)
		scale_columns(s, src, dst, first, n);
	else
		scale_runs(s, src, dst, first, n);
}
