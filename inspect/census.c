#include "inspect/census.h"

void
phi_census_take(const struct phi_model *model, const uint32_t *tensors, size_t count,
	struct phi_census *census)
{
	*census = (struct phi_census){0};
	for (size_t i = 0; i < count; i++) {
		const struct phi_tensor *const t = &model->tensors[tensors[i]];
		struct phi_census_type *const of = &census->of[t->type->id];
		uint64_t n = 0, bytes = 0;
		if (t->alias != PHI_NONE || !phi_tensor_elements(t, &n) || !phi_tensor_bytes(t, &bytes))
			continue;
		of->tensors++;
		of->weights += n;
		of->bytes += bytes;
		census->weights += n;
		census->bytes += bytes;
	}
}
