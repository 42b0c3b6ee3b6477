#include "inspect/census.h"

static struct phi_census_type *
line_of(struct phi_census *census, const struct phi_type *type)
{
	size_t i = type->id;
	while (i >= PHI_TYPES && i + 1 < PHI_TYPES + PHI_CENSUS_PACKED && census->of[i].type &&
		census->of[i].type != type)
		i++;
	census->of[i].type = type;
	return &census->of[i];
}

void
phi_census_take(const struct phi_model *model, const uint32_t *tensors, size_t count,
	struct phi_census *census)
{
	*census = (struct phi_census){0};
	for (size_t i = 0; i < count; i++) {
		const struct phi_tensor *const t = &model->tensors[tensors[i]];
		uint64_t n = 0, bytes = 0;
		if (t->alias != PHI_NONE || !phi_tensor_elements(t, &n) || !phi_tensor_bytes(t, &bytes))
			continue;
		struct phi_census_type *const of = line_of(census, t->type);
		of->tensors++;
		of->weights += n;
		of->bytes += bytes;
		census->weights += n;
		census->bytes += bytes;
	}
}
