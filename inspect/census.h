/* A model counted: weights, bytes, how many of which type. */
#ifndef PHI_INSPECT_CENSUS_H
#define PHI_INSPECT_CENSUS_H

#include "formats/core/model.h"

struct phi_census {
	uint64_t weights, bytes; /* aliases are counted once */
	struct phi_census_type {
		uint64_t tensors, weights, bytes;
	} of[PHI_TYPES];
};

/* Of the `count` tensors whose indices are given. */
void phi_census_take(const struct phi_model *model, const uint32_t *tensors, size_t count,
	struct phi_census *census);

#endif
