#include "formats/core/type.h"

#include "formats/core/checked.h"

#include <string.h>
#include <strings.h>

static const struct phi_type types[] = {
#define TYPE(ident, n, size, kind, ggml_id)                                                     \
	[PHI_##ident] = { .id = PHI_##ident, .name = #ident, .elements = n, .bytes = size,      \
		.class = PHI_CLASS_##kind, .ggml = ggml_id },
#include "formats/core/types.def"
#undef TYPE
};

const struct phi_type *
phi_type_of(enum phi_type_id id)
{
	return &types[id];
}

const struct phi_type *
phi_type_named(const char *name)
{
	for (int i = 0; i < PHI_TYPES; i++)
		if (!strcasecmp(types[i].name, name))
			return &types[i];
	return NULL;
}

const struct phi_type *
phi_type_ggml(int64_t id)
{
	for (int i = 0; i < PHI_TYPES && id >= 0; i++)
		if (types[i].ggml == id)
			return &types[i];
	return NULL;
}

bool
phi_type_same(const struct phi_type *a, const struct phi_type *b)
{
	return a == b || (a->class == PHI_CLASS_PACKED && b->class == PHI_CLASS_PACKED &&
				 !strcmp(a->name, b->name));
}

const struct phi_type *
phi_type_read(const struct phi_type *type)
{
	return type->class == PHI_CLASS_PACKED ? phi_type_of(PHI_F32) : type;
}

bool
phi_type_size(const struct phi_type *type, uint64_t n, uint64_t *bytes)
{
	return n % type->elements == 0 && phi_mul(n / type->elements, type->bytes, bytes);
}
