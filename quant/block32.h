/* What the types with blocks of 32 weights have in common. The lanes run along a block, LANES blocks make a
 * group; what is one number a block (scale, minimum) is computed for the whole group in one vector. */
#ifndef PHI_QUANT_BLOCK32_H
#define PHI_QUANT_BLOCK32_H

#include "quant/lanes.h"

#include <float.h>

enum { BLOCK32 = 32, STEPS32 = BLOCK32 / LANES };

/* The specification's scans. */

/* The x of largest magnitude, the first of equals; 0 for a block of zeros. */
static inline float
block32_extreme(const float *x)
{
	float most = 0, extreme = 0;
	for (int j = 0; j < BLOCK32; j++)
		if (most < fabsf(x[j])) {
			most = fabsf(x[j]);
			extreme = x[j];
		}
	return extreme;
}

/* Minimum and maximum; of zeros the first. */
static inline void
block32_range(const float *x, float *min, float *max)
{
	*min = FLT_MAX;
	*max = -FLT_MAX;
	for (int j = 0; j < BLOCK32; j++) {
		*min = x[j] < *min ? x[j] : *min;
		*max = x[j] > *max ? x[j] : *max;
	}
}

/* d != 0 ? 1 / d : 0 */
static inline float
inverse_of(float d)
{
	return d != 0 ? 1 / d : 0;
}

#if PHI_LANES > 1

/* Maximum and minimum of each of LANES blocks (of zeros any); raises *reach to the largest magnitude. */
static inline void
blocks32_range(const float *src, vf *min, vf *max, vi *reach)
{
	vf high[LANES], low[LANES];
	for (int i = 0; i < LANES; i++) {
		high[i] = low[i] = vf_load(src + i * BLOCK32);
		*reach = vi_max(*reach, (vi)vf_bits(vf_abs(high[i])));
		for (int k = LANES; k < BLOCK32; k += LANES) {
			const vf x = vf_load(src + i * BLOCK32 + k);
			high[i] = vf_max(high[i], x);
			low[i] = vf_min(low[i], x);
			*reach = vi_max(*reach, (vi)vf_bits(vf_abs(x)));
		}
		low[i] = -low[i];
	}
	*max = vf_max_rows(high);
	*min = -vf_max_rows(low);
}

/* The largest magnitude of each of LANES blocks. */
static inline vf
blocks32_most(const float *src, vi *reach)
{
	vf most[LANES];
	for (int i = 0; i < LANES; i++) {
		vi m = (vi)vf_bits(vf_abs(vf_load(src + i * BLOCK32)));
		for (int k = LANES; k < BLOCK32; k += LANES)
			m = vi_max(m, (vi)vf_bits(vf_abs(vf_load(src + i * BLOCK32 + k))));
		*reach = vi_max(*reach, m);
		most[i] = vf_of_bits((vu)m);
	}
	return vf_max_rows(most);
}

/* block32_extreme of each of LANES blocks. Only where a block's maximum and minimum are as far from zero
 * does it matter which came first. */
static inline vf
blocks32_extreme(const float *src, vi *reach)
{
	vf up, down;
	blocks32_range(src, &down, &up, reach);
	const vf extreme = vf_pick(vf_lt(up, -down), down, up);
	const vi ties = vf_eq(up, -down) & ~vf_eq(up, vf_set(0));
	float each[LANES];
	vf_store(each, extreme);
	for (unsigned left = vi_signs(ties); left; left &= left - 1) {
		const int i = __builtin_ctz(left);
		each[i] = block32_extreme(src + i * BLOCK32);
	}
	const vf settled = vf_load(each);
	return vf_pick(vf_eq(settled, vf_set(0)), vf_set(0), settled);
}

/* The minimum of each of LANES blocks as block32_range has it: a zero's sign is that of the first. */
static inline vf
blocks32_minimum(const float *src, vf min)
{
	float each[LANES], unused;
	vf_store(each, min);
	for (unsigned left = vi_signs(vf_eq(min, vf_set(0))); left; left &= left - 1) {
		const int i = __builtin_ctz(left);
		block32_range(src + i * BLOCK32, &each[i], &unused);
	}
	return vf_load(each);
}

#endif

/* d != 0 ? 1 / d : 0 */
static inline vf
vf_inverse(vf d)
{
	return vf_pick(vf_eq(d, vf_set(0)), vf_set(0), 1 / d);
}

/* Codes of 4 bits, 32 in 16 bytes: low half of byte j is code j, high half code j + 16. */
static inline void
store_nibbles(uint8_t *dst, const vi q[STEPS32])
{
	vi pairs[STEPS32 / 2 + 1];
	for (int k = 0; k < STEPS32 / 2; k++)
		pairs[k] = (q[k] & 15) | (vi)((vu)q[k + STEPS32 / 2] << 4);
	vi_store_bytes(dst, pairs, BLOCK32 / 2);
}

/* Code j + k * LANES of that packing, for all lanes j. */
static inline vi
load_nibbles(const uint8_t *src, int k)
{
	const int half = STEPS32 / 2;
	return k < half ? vi_load_u8(src + k * LANES) & 15 : vi_load_u8(src + (k - half) * LANES) >> 4;
}

/* Codes of 5 bits, 32 in 20 bytes: the fifth bits as a u32, bit j of code j; then the others as above. */
static inline void
pack_fives(uint8_t *dst, const uint8_t codes[BLOCK32])
{
	uint32_t high = 0;
	for (int j = 0; j < BLOCK32; j++)
		high |= (uint32_t)(codes[j] >> 4 & 1) << j;
	phi_store32(dst, high);
	for (int j = 0; j < BLOCK32 / 2; j++)
		dst[4 + j] = (uint8_t)((codes[j] & 15) | codes[j + BLOCK32 / 2] << 4);
}

static inline void
store_fives(uint8_t *dst, const vi q[STEPS32])
{
	uint32_t high = 0;
	for (int k = 0; k < STEPS32; k++)
		high |= (uint32_t)vi_signs((vi)((vu)q[k] << 27)) << k * LANES;
	phi_store32(dst, high);
	store_nibbles(dst + 4, q);
}

/* What is one number a block, of LANES blocks: the scale, the minimum if the type has one (`offset`: what is
 * stored), and what the codes are computed by. */
struct heads32 {
	vf scale, offset, inverse, base;
};

typedef vi code32_fn(vf x, vf inverse, vf base);
typedef void store32_fn(uint8_t *dst, const vi q[STEPS32]);

/* Writes LANES blocks of `bytes` bytes: scale, minimum (if `offset`), then the codes of `code` as `store` packs
 * them. */
PHI_INLINE void
blocks32_pack(const float *src, uint8_t *dst, size_t bytes, const struct heads32 *h, bool offset, code32_fn *code,
	store32_fn *store)
{
	float inverse[LANES], base[LANES];
	uint8_t scales[2 * LANES], offsets[2 * LANES];
	vf_store(inverse, h->inverse);
	vf_store(base, h->base);
	vu_store16(scales, vf_half(h->scale));
	if (offset)
		vu_store16(offsets, vf_half(h->offset));
	for (int i = 0; i < LANES; i++, src += BLOCK32, dst += bytes) {
		vi q[STEPS32];
		for (int k = 0; k < STEPS32; k++)
			q[k] = code(vf_load(src + k * LANES), vf_set(inverse[i]), vf_set(base[i]));
		memcpy(dst, scales + 2 * i, 2);
		if (offset)
			memcpy(dst + 2, offsets + 2 * i, 2);
		store(dst + (offset ? 4 : 2), q);
	}
}

static inline vi
load_fives(const uint8_t *src, int k)
{
	return load_nibbles(src + 4, k) | (vi_of_signs(phi_load32(src) >> k * LANES) & 16);
}

#endif
