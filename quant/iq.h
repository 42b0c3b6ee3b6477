/* What the IQ types share: points of grids (iq_grids.h), sixteen weights at a time. */
#ifndef PHI_QUANT_IQ_H
#define PHI_QUANT_IQ_H

#include "quant/iq_grids.h"
#include "quant/lanes.h"

enum { STEPS16 = 16 / LANES };

/* Seven signs and an eighth that makes their number even: the sign byte of IQ2_XXS, IQ2_XS, IQ3_XXS. */
static inline unsigned
even_signs(unsigned seven)
{
	return seven | (unsigned)__builtin_parity(seven) << 7;
}

/* Eight fields of `bits` bits each from `low` and eight from `high`: vector k of sixteen. */
static inline __attribute__((always_inline)) vi
fields16(uint32_t low, uint32_t high, int bits, int k)
{
	static const uint32_t places[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7 };
	vu word, place;
#if PHI_LANES == 16 && defined(__AVX512F__)
	word = (vu)_mm512_inserti64x4(_mm512_set1_epi32((int)low), _mm256_set1_epi32((int)high), 1);
#elif PHI_LANES == 16
	for (int i = 0; i < 16; i++)
		word[i] = i < 8 ? low : high;
#else
	word = (vu)vi_set((int32_t)(k * LANES < 8 ? low : high));
#endif
	memcpy(&place, places + k * LANES, sizeof place);
	return (vi)((word >> place * (uint32_t)bits) & ((1u << bits) - 1));
}

/* Sixteen weights: the values at the indices, times d, times the signs (bit set: minus). */
static inline __attribute__((always_inline)) void
store_signed(float *dst, uint32_t low, uint32_t high, int bits, const float values[8], unsigned signs,
	float d)
{
	for (int k = 0; k < STEPS16; k++) {
		const vf value = vf_lookup8(values, fields16(low, high, bits, k));
		const vf sign = vf_pick(vi_of_signs(signs >> k * LANES), vf_set(-1), vf_set(1));
		vf_store(dst + k * LANES, d * value * sign);
	}
}

#endif
