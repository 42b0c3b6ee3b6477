/* --search: lower error in the same format. A block that the reference's way encoded is taken apart, scales and codes
 * are searched together, and every candidate is judged as it would be stored: scales rounded, codes chosen against
 * the rounded ones. What comes out is taken only if its error is lower than what came in, so no block is ever worse.
 *
 * The error is the sum of w * (decoded - x)^2, w the importance, 1 without; compared in double, weight by weight in
 * their order. */
#ifndef PHI_QUANT_REFINE_H
#define PHI_QUANT_REFINE_H

#include "quant/fields.h"

#include <stddef.h>

/* Blocks made of `src`: finite floats, as many as the blocks hold. `importance`: one for each of them, not negative,
 * or NULL. The same bytes at every level. */
typedef void phi_refine_fn(const struct phi_shape *shape, const float *src, const float *importance,
	uint8_t *dst, size_t blocks);

#endif
