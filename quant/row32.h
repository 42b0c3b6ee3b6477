/* Q4_0, Q4_1, Q5_0 and Q5_1 where importance is given: the searches of the K types for each block of 32. The
 * weight of an error is importance * sqrt(s + x * x), s the mean of the squares of the whole row;
 * facts/gguf.md 3.4. */
#ifndef PHI_QUANT_ROW32_H
#define PHI_QUANT_ROW32_H

#include "quant/block32.h"
#include "quant/search.h"

/* ACROSS blocks side by side, and the weights. */
PHI_INLINE void
rows32_lay(const float *src, const float *importance, const float *squares, vf (*x)[GROUPS], vf (*w)[GROUPS])
{
	lay_across(src, BLOCK32, x);
	lay_across(importance, BLOCK32, w);
	for (int i = 0; i < BLOCK32; i++)
		EACH_GROUP w[i][g] *= vf_sqrt(vf_load(squares + g * LANES) + x[i][g] * x[i][g]);
}

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
		rows32_lay(src + b * BLOCK32, importance + b * BLOCK32, squares + b, x, w);
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

#endif
