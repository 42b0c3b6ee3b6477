/* Types under a budget of bytes: for each tensor one of some options, so that the sum of errors is small. Pure. */
#ifndef PHI_QUANT_BUDGET_H
#define PHI_QUANT_BUDGET_H

#include "formats/core/error.h"

#include <stddef.h>
#include <stdint.h>

/* What a tensor may become. */
struct phi_option {
	uint64_t bytes;
	double error; /* finite, not negative */
};

/* A point of the curve of error against size. */
struct phi_budget_point {
	uint64_t bytes;
	double error;
};

/* Chooses for each of n tensors one of its `each` options (those of tensor i begin at options[i * each]; bytes of
 * UINT64_MAX: not on offer), at most `budget` bytes in all: choice[i] is its number.
 *
 * Every tensor begins with its smallest option. Then steps to larger ones are taken in the order of the error they
 * save for a byte, along the lower convex hull of each tensor's options, as long as they fit; at last any single step
 * that saves error and fits, best first, until there is none: so the result is under the budget, and whatever
 * one would still make larger exceeds it.
 *
 * point() is called for the beginning and after each step, in order of rising bytes, or is NULL. Fails with
 * PHI_UNSUPPORTED if the smallest options are beyond the budget; a tensor without options is a failure, too. */
int phi_budget_choose(const struct phi_option *options, size_t n, size_t each, uint64_t budget, size_t *choice,
	void (*point)(void *ctx, const struct phi_budget_point *point), void *ctx, struct phi_err *err);

#endif
