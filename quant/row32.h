/* Q4_0, Q4_1, Q5_0 and Q5_1 where importance is given: the searches of the K types for each block of 32. The
 * weight of an error is importance * sqrt(s + x * x), s the mean of the squares of the whole row;
 * facts/gguf.md 3.4. */
#ifndef PHI_QUANT_ROW32_H
#define PHI_QUANT_ROW32_H

#include "quant/block32.h"
#include "quant/search.h"

/* Codes -half to half - 1, counted from `base`; 0 if inverse and base are. */
PHI_INLINE vi
rows32_code(vf x, vf inverse, vf base, int half)
{
	return vi_max(vi_min(vf_round_even(inverse * x), vi_set(half - 1)), vi_set(-half)) + vf_cut(base);
}

PHI_INLINE uint32_t
rows32_symmetric(const float *src, const float *importance, const float *squares, uint8_t *dst, size_t blocks,
	size_t bytes, int half, code32_fn *code, store32_fn *store)
{
	for (size_t b = 0; b < blocks; b += ACROSS) {
		vf x[BLOCK32][GROUPS], w[BLOCK32][GROUPS];
		struct symmetric found;
		lay_weighted(src + b * BLOCK32, importance + b * BLOCK32, squares + b, BLOCK32, x, w);
		symmetric_search(BLOCK32, half, x, w, &found);
		EACH_GROUP {
			const size_t first = b + (size_t)g * LANES;
			vi flat;
			memcpy(&flat, found.flat + g * LANES, sizeof flat);
			const vf zero = vf_set(0);
			const struct heads32 h = { .scale = vf_load(found.scale + g * LANES),
				.inverse = vf_pick(flat, zero, vf_load(found.inverse + g * LANES)),
				.base = vf_pick(flat, zero, vf_set((float)half)) };
			blocks32_pack(src + first * BLOCK32, dst + first * bytes, bytes, &h, false, code, store);
		}
	}
	return floats_reach(src, blocks * BLOCK32);
}

/* Codes 0 to most, counted from `base`. */
PHI_INLINE vi
rows32_affine_code(vf x, vf inverse, vf base, int most)
{
	return vi_max(vi_min(vf_round_even(inverse * (x - base)), vi_set(most)), vi_set(0));
}

PHI_INLINE uint32_t
rows32_affine(const float *src, const float *importance, const float *squares, uint8_t *dst, size_t blocks,
	size_t bytes, int most, code32_fn *code, store32_fn *store)
{
	for (size_t b = 0; b < blocks; b += ACROSS) {
		vf x[BLOCK32][GROUPS], w[BLOCK32][GROUPS];
		struct affine found;
		lay_weighted(src + b * BLOCK32, importance + b * BLOCK32, squares + b, BLOCK32, x, w);
		affine_search(BLOCK32, most, x, w, -0.9f, 0.05f, 36, false, &found);
		EACH_GROUP {
			const size_t first = b + (size_t)g * LANES;
			vi flat;
			memcpy(&flat, found.flat + g * LANES, sizeof flat);
			const struct heads32 h = { .scale = vf_load(found.scale + g * LANES),
				.offset = -vf_load(found.min + g * LANES),
				.inverse = vf_pick(flat, vf_set(0), vf_load(found.inverse + g * LANES)),
				.base = vf_load(found.base + g * LANES) };
			blocks32_pack(src + first * BLOCK32, dst + first * bytes, bytes, &h, true, code, store);
		}
	}
	return floats_reach(src, blocks * BLOCK32);
}

#endif
