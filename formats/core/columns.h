/* A number for each column of the matrices that a tensor holds (its importance, quant/importance.h): not held, but
 * read when a row is reached, so that the memory needed is a row's for each worker, however large the model is. */
#ifndef PHI_CORE_COLUMNS_H
#define PHI_CORE_COLUMNS_H

#include "formats/core/error.h"

#include <stddef.h>
#include <stdint.h>

struct phi_columns {
	/* Numbers [first, first + n), finite and none below 0: those of a row's columns, for each matrix of a stack one
	 * after the other. May be called from any thread. The caller asks for none beyond the end. */
	int (*read)(const struct phi_columns *columns, uint64_t first, float *dst, uint64_t n, struct phi_err *err);
	const void *state;
};

/* A worker's place for the numbers in use; zeroed at first, freed with phi_columns_drop. */
struct phi_columns_held {
	float *values;
	size_t capacity;
	const struct phi_columns *of;
	uint64_t first, n;
};

/* Those numbers, read only if they are not held; valid until the next call. NULL: a failure. */
const float *phi_columns_at(struct phi_columns_held *held, const struct phi_columns *columns, uint64_t first,
	uint64_t n, struct phi_err *err);
void phi_columns_drop(struct phi_columns_held *held);

#endif
