/* Codes of FP4 (E2M1): sign, two bits of exponent, one of fraction; here doubled, so that all are whole:
 *
 *   code   0  1  2  3  4  5  6  7     8   9 .. 15
 *   value  0  1  2  3  4  6  8 12     0  -1 .. -12
 */
#ifndef PHI_QUANT_FP4_H
#define PHI_QUANT_FP4_H

#include "quant/lanes.h"

static inline float
fp4_value(int code)
{
	static const int8_t values[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };
	return values[code];
}

/* The specification: the code with the least error |value * d - x|, the first of equals. */
static inline uint8_t
fp4_nearest(float x, float d)
{
	int best = 0;
	float least = fabsf(fp4_value(0) * d - x);
	for (int i = 1; i < 16; i++) {
		const float error = fabsf(fp4_value(i) * d - x);
		if (error < least) {
			least = error;
			best = i;
		}
	}
	return (uint8_t)best;
}

/* The same for 0 < d of at most 4 bits and |x| <= 24 d: there all errors that may be the least are exact
 * (Sterbenz), so a code is nearest up to the exact middle to the next, which the first of equals still has. */
static inline vi
fp4_codes(vf x, float d)
{
	static const float middle[7] = { 0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10 };
	const vf size = vf_abs(x);
	vi code = vi_set(0);
	for (int i = 0; i < 7; i++)
		code -= vf_lt(vf_set(middle[i] * d), size);
	const vi negative = vf_lt(x, vf_set(0)) & ~vi_lt(code, vi_set(1));
	return code | (negative & 8);
}

#endif
