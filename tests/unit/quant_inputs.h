/* Inputs for the number types: arrays that reach every corner of a quantizer, computed with integers and
 * exact float operations only, so that quant_inputs.py makes the same bits. */
#ifndef TESTS_QUANT_INPUTS_H
#define TESTS_QUANT_INPUTS_H

#include "formats/core/bytes.h"

#include <stddef.h>

enum {
	INPUT_GAUSSIAN,
	INPUT_WEIGHTS,
	INPUT_F16,
	INPUT_BF16,
	INPUT_ZEROS,
	INPUT_NEGATIVE_ZEROS,
	INPUT_BOTH_ZEROS,
	INPUT_ONES,
	INPUT_CONSTANT,
	INPUT_DENORMALS,
	INPUT_FEW_ULPS,
	INPUT_1E_20,
	INPUT_1E_38,
	INPUT_1E_7,
	INPUT_1E6,
	INPUT_1E30,
	INPUT_BLOCK_SCALES,
	INPUT_SPIKES,
	INPUT_HALF_ZERO,
	INPUT_LOG_UNIFORM,
	INPUT_BITS,
	INPUT_TIES,
	INPUT_SIGNS,
	INPUT_GRID_16,
	INPUT_GRID_255,
	INPUT_RAMP,
	INPUT_HALF_STEPS,
	INPUT_ZERO_BLOCKS,
	INPUT_POSITIVE,
	INPUT_OFFSET,
	INPUT_BELOW_POWERS,
	INPUT_GRID_33,
	INPUT_NEAR_ZERO,
	INPUT_LATE,
	INPUT_SMALL_BLOCKS,
	INPUTS_FINITE,
	INPUT_NOT_FINITE = INPUTS_FINITE, /* now and then infinite or NaN */
	INPUT_RARELY_NOT_FINITE,
	INPUTS,
	INPUT_CODES = INPUTS, /* bytes of any kind, for decoding: input_code() */
};

/* 32 bits that depend on i and a seed alone. */
static inline uint32_t
input_bits(uint32_t i, uint32_t seed)
{
	uint32_t h = i * 0x9E3779B1u + seed * 0x85EBCA77u;
	h = (h ^ h >> 16) * 0x7FEB352Du;
	h = (h ^ h >> 15) * 0x846CA68Bu;
	return h ^ h >> 16;
}

/* Four uniform numbers added up: -2 to 2. */
static inline float
input_gaussian(uint32_t i)
{
	int32_t sum = -131070;
	for (uint32_t k = 1; k <= 4; k++)
		sum += (int32_t)(input_bits(i, k) & 0xFFFF);
	return (float)sum * 0x1p-16f;
}

/* Element i of an input. */
static inline float
input_value(int input, uint32_t i)
{
	const uint32_t h = input_bits(i, 9), block = input_bits(i / 32, 10);
	const float g = input_gaussian(i);
	switch (input) {
	case INPUT_GAUSSIAN:
		return g;
	case INPUT_WEIGHTS:
		return g * 0x1p-6f;
	case INPUT_F16:
		return phi_float32(phi_bits32(g) & 0xFFFFE000);
	case INPUT_BF16:
		/* One bit less than a BF16 has: gcc 12 loses the mask 0xFFFF0000 of a float in a register. */
		return phi_float32(phi_bits32(g) & 0xFFFE0000);
	case INPUT_ZEROS:
		return 0;
	case INPUT_NEGATIVE_ZEROS:
		return -0.0f;
	case INPUT_BOTH_ZEROS:
		return h & 1 ? -0.0f : 0;
	case INPUT_ONES:
		return 1;
	case INPUT_CONSTANT:
		return -3.7f;
	case INPUT_DENORMALS:
		return phi_float32(h & 0x807FFFFF);
	case INPUT_FEW_ULPS:
		return phi_float32((h & 0x80000000) | h % 200);
	case INPUT_1E_20:
		return g * 0x1p-66f;
	case INPUT_1E_38:
		return g * 0x1p-126f;
	case INPUT_1E_7:
		return g * 0x1p-24f;
	case INPUT_1E6:
		return g * 0x1p+20f;
	case INPUT_1E30:
		return g * 0x1p+100f;
	case INPUT_BLOCK_SCALES:
		return g * phi_float32((127 - 60 + block % 120) << 23);
	case INPUT_SPIKES:
		return i % 32 == block % 32 ? 7 : g * 0x1p-10f;
	case INPUT_HALF_ZERO:
		return h & 1 ? 0 : g;
	case INPUT_LOG_UNIFORM:
		return phi_float32((h & 0x807FFFFF) | (107 + (h >> 23 & 0xFF) % 40) << 23);
	case INPUT_BITS:
		return phi_float32((h & 0x7F800000) == 0x7F800000 ? h & 0x8FFFFFFF : h);
	case INPUT_TIES:
		return (float)((int32_t)(h % 17) - 8) * 0.5f;
	case INPUT_SIGNS:
		return h & 1 ? -1 : 1;
	case INPUT_GRID_16:
		return (float)((int32_t)(h % 16) - 8);
	case INPUT_GRID_255:
		return (float)((int32_t)(h % 255) - 127);
	case INPUT_RAMP:
		return (float)((int32_t)(i % 4096) - 2048);
	case INPUT_HALF_STEPS:
		return (float)((int32_t)(h % 509) - 254) * 0.5f / 127.0f;
	case INPUT_ZERO_BLOCKS:
		return block & 1 ? 0 : g;
	case INPUT_POSITIVE:
		return phi_float32(phi_bits32(g) & 0x7FFFFFFF);
	case INPUT_OFFSET:
		return g * 0x1p-4f + 3;
	case INPUT_BELOW_POWERS: /* some ulps less than a power of two */
		return phi_float32((h & 0x80000000) | (100 + block % 60) << 23 | (0x7FFFFF - h % 16));
	case INPUT_GRID_33: /* values off the grid of 32 steps; the last trial of Q6_K's search is not told by them */
		return i % 16 == 0 ? 32.9f : ((float)(17 + h % 8) + 0.53125f) * (h & 64 ? 1.0f : -1.0f);
	case INPUT_NEAR_ZERO: /* blocks on both sides of what counts as zero: 1e-15 and its multiples by 8 to 127 */
		return g * phi_float32((127 - 36 - i / 256 % 24) << 23);
	case INPUT_SMALL_BLOCKS: /* on both sides of what the IQ types take for zero, 1e-15 to 1e-7 */
		return g * phi_float32((127 - 52 + block % 34) << 23);
	case INPUT_LATE: { /* found by trying: here a last trial (Q5_K) or fifth sweep (Q3_K, Q2_K) tells */
		static const uint32_t from[4] = { 8192, 26624, 8120320, 0 };
		return input_gaussian(i % 2048 + from[i / 2048 % 4]);
	}
	case INPUT_NOT_FINITE:
		return h % 16 ? g : phi_float32(input_bits(i, 11) | 0x7F800000 | (h & 16 ? 0 : 0x7FFFFF));
	default:
		return h % 3001 ? g : phi_float32((h & 0x80000000) | 0x7F800000);
	}
}

/* Importance of column i: some columns and some blocks count for nothing, some of 256 for widely different
 * amounts. */
static inline float
input_importance(uint32_t i)
{
	const uint32_t h = input_bits(i, 13);
	if (h % 11 == 0 || i / 32 % 5 == 3)
		return 0;
	if (i / 256 % 3 == 1)
		return phi_float32((h & 0x7FFFFF) | (107 + (h >> 23 & 0xFF) % 40) << 23);
	return phi_float32(phi_bits32(input_gaussian(i + 100000)) & 0x7FFFFFFF);
}

static inline uint8_t
input_code(uint32_t i)
{
	return (uint8_t)input_bits(i, 12);
}

static inline void
input_fill(int input, float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = input_value(input, (uint32_t)i);
}

#endif
