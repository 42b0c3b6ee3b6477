/* A model counted: weights, bytes, how many of which type. */
#ifndef PHI_INSPECT_CENSUS_H
#define PHI_INSPECT_CENSUS_H

#include "formats/core/model.h"

enum { PHI_CENSUS_PACKED = 64 }; /* different packed types; the last line has the rest */

struct phi_census {
	uint64_t weights, bytes; /* aliases are counted once */
	struct phi_census_type {
		const struct phi_type *type; /* NULL: no tensor has it */
		uint64_t tensors, weights, bytes;
	} of[PHI_TYPES + PHI_CENSUS_PACKED]; /* plain types at their id */
};

/* Of the `count` tensors whose indices are given. */
void phi_census_take(const struct phi_model *model, const uint32_t *tensors, size_t count,
	struct phi_census *census);

#endif
