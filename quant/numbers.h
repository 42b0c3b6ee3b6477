/* Single numbers between formats, bit for bit as ggml's portable code does it; what lanes.h does for
 * vectors. */
#ifndef PHI_QUANT_NUMBERS_H
#define PHI_QUANT_NUMBERS_H

#include "formats/core/bytes.h"

#include <math.h>
#include <stdbool.h>

#if defined(__F16C__)
#include <immintrin.h>
#endif

/* F32 to F16 bits: to nearest, ties to even, denormals kept, from 65520 on infinity; any NaN is the
 * sign and 0x7E00. Scaling up and down by powers of two brings overflow to infinity; adding a power of
 * two of the right size then rounds the fraction to the ten bits (fewer for denormals) there is room
 * for. */
static inline uint16_t
half_of(float x)
{
	const uint32_t w = phi_bits32(x), magnitude = w & 0x7FFFFFFF, sign = (w >> 16) & 0x8000;
	if (magnitude > 0x7F800000)
		return (uint16_t)(sign | 0x7E00);
#if defined(__F16C__)
	return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
#endif
	const float scaled = (phi_float32(magnitude) * 0x1p+112f) * 0x1p-110f;
	const uint32_t own = w & 0x7F800000, exponent = own > 0x38800000 ? own : 0x38800000;
	const uint32_t bits = phi_bits32(phi_float32(exponent + 0x07800000) + scaled);
	return (uint16_t)(sign | (((bits >> 13) & 0x7C00) + (bits & 0x0FFF)));
}

/* F16 bits to F32, exactly; a NaN keeps its fraction and becomes quiet. */
static inline float
half_value(uint16_t h)
{
#if defined(__F16C__)
	return _cvtsh_ss(h);
#endif
	const uint32_t sign = (uint32_t)(h & 0x8000) << 16, magnitude = (uint32_t)(h & 0x7FFF) << 16;
	/* Normal: the exponent moves up by 127 - 15, infinity and NaN by as much again (the product
	 * makes the NaN quiet). */
	if (magnitude >= 0x04000000)
		return phi_float32(sign | phi_bits32(phi_float32((magnitude >> 3) + 0x70000000) * 0x1p-112f));
	/* Denormal: the fraction under a constant exponent, less that constant. */
	return phi_float32(sign | phi_bits32(phi_float32((magnitude >> 16) | 0x3F000000) - 0.5f));
}

static inline bool
half_finite(uint16_t h)
{
	return (h & 0x7C00) != 0x7C00;
}

/* A cast to int32_t as x86 does it: cut towards zero; NaN and what does not fit is INT32_MIN. */
static inline int32_t
float_cut(float x)
{
	return fabsf(x) < 0x1p31f ? (int32_t)x : INT32_MIN;
}

/* nearest_int(): ties to even for |x| < 2^22, rubbish beyond. */
static inline int32_t
nearest(float x)
{
	return (int32_t)(phi_bits32(x + 12582912.0f) & 0x007FFFFF) - 0x00400000;
}

/* The largest number above 0, or 0. */
static inline float
largest_of(const float *x, int n)
{
	float most = 0;
	for (int i = 0; i < n; i++)
		most = x[i] > most ? x[i] : most;
	return most;
}

#endif
