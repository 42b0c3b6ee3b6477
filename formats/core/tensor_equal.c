#include "formats/core/memory.h"
#include "formats/core/source.h"

#include <string.h>

int
phi_tensor_equal(struct phi_source *a, const struct phi_tensor *x, struct phi_source *b,
	const struct phi_tensor *y, struct phi_err *err)
{
	const uint64_t step = (uint64_t)PHI_CHUNK_BYTES / x->type->bytes * x->type->elements;
	uint64_t n = 0;
	if (x->type != y->type || x->rank != y->rank || x->nplanes != y->nplanes ||
		memcmp(x->shape, y->shape, x->rank * sizeof *x->shape))
		return 0;
	uint8_t *const p = phi_alloc(2 * (size_t)PHI_CHUNK_BYTES, err);
	int result = p ? 1 : -1;
	phi_tensor_elements(x, &n);
	for (uint64_t at = 0; result == 1 && at < n; at += step) {
		const uint64_t m = n - at < step ? n - at : step;
		const size_t bytes = (size_t)(m / x->type->elements * x->type->bytes);
		if (phi_tensor_read(a, x, false, at, m, p, err) ||
			phi_tensor_read(b, y, false, at, m, p + PHI_CHUNK_BYTES, err))
			result = -1;
		else
			result = !memcmp(p, p + PHI_CHUNK_BYTES, bytes);
	}
	phi_free(p);
	return result;
}
