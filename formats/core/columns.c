#include "formats/core/columns.h"

#include "formats/core/memory.h"

const float *
phi_columns_at(struct phi_columns_held *held, const struct phi_columns *columns, uint64_t first, uint64_t n,
	struct phi_err *err)
{
	if (held->of == columns && held->first == first && held->n >= n)
		return held->values;
	held->of = NULL;
	if (phi_reserve(&held->values, &held->capacity, n * sizeof *held->values, err) < 0 ||
		columns->read(columns, first, held->values, n, err) < 0)
		return NULL;
	held->of = columns;
	held->first = first;
	held->n = n;
	return held->values;
}

void
phi_columns_drop(struct phi_columns_held *held)
{
	phi_free(held->values);
	*held = (struct phi_columns_held){ 0 };
}
