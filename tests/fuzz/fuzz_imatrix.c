/* Importance of any bytes: the older kind described and read, then made into numbers for each matrix. */
#include "formats/imatrix/imatrix.h"
#include "quant/importance.h"
#include "tests/fuzz/open.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read keeps its promise. */
static void
weigh(struct phi_source *source)
{
	struct phi_err err = { 0 };
	if (phi_model_check(source->model, &err))
		return;
	struct phi_importance_list *const list = phi_importance_read(source, &err);
	if (!list && !err.text[0])
		abort();
	for (size_t i = 0; list && i < phi_importance_count(list); i++) {
		const struct phi_importance_of *const of = phi_importance_at(list, i);
		if (phi_importance_find(list, of->name) != of)
			abort();
		for (uint64_t k = 0; k < of->size; k++) {
			float value;
			if (of->numbers.read(&of->numbers, k, &value, 1, &err) || !isfinite(value) || value < 0)
				abort();
		}
	}
	phi_importance_free(list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_open_then(data, size, phi_imatrix_open, weigh);
}
