/* The worst blocks of a comparison. */
#include "inspect/compare.h"

#include <math.h>
#include <string.h>

enum { PLAIN_BLOCK = 32 };

double
phi_block_rmse(const struct phi_block *b)
{
	return b->n ? sqrt(b->squares / b->n) : 0;
}

unsigned
phi_block_length(const struct phi_type *a, const struct phi_type *b)
{
	if (b->class == PHI_CLASS_BLOCK)
		return b->elements;
	return a->class == PHI_CLASS_BLOCK ? a->elements : PLAIN_BLOCK;
}

/* A total order, so that the list does not depend on the order of arrival. */
static bool
is_worse(const struct phi_block *x, const struct phi_block *y)
{
	const double a = phi_block_rmse(x), b = phi_block_rmse(y);
	if (a != b)
		return a > b;
	const int names = strcmp(x->name, y->name);
	return names ? names < 0 : x->index < y->index;
}

void
phi_block_insert(struct phi_block *list, unsigned *count, unsigned most, const struct phi_block *block)
{
	unsigned at = *count;
	while (at && is_worse(block, &list[at - 1]))
		at--;
	if (at == most)
		return;
	const unsigned kept = *count < most ? *count : most - 1;
	memmove(&list[at + 1], &list[at], (kept - at) * sizeof *list);
	list[at] = *block;
	*count = kept + 1;
}
