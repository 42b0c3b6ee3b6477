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

static const struct {
	enum phi_type_id id;
	struct phi_type_fields fields;
} torn[] = {
#define MLX_TYPE(width, group, scale_type, size)                                                \
	{ PHI_MLX##width##_G##group##_##scale_type, { .bits = width, .codes = group * width / 8, \
		.scale = size, .bias = size, .scales = PHI_##scale_type, .floats = PHI_##scale_type, \
		.format = "mlx" } },
#include "formats/core/mlx_types.def"
#define ONNX_TYPE(width, mark, block, scale_type, size, point)                                   \
	{ PHI_ONNX##width##mark##_G##block##_##scale_type, { .bits = width, .codes = block * width / 8, \
		.scale = size, .zero = point, .scales = PHI_##scale_type, .floats = PHI_##scale_type, \
		.format = "onnx" } },
#include "formats/core/onnx_types.def"
#define ONNX_FLOAT_TYPE(width, block, scale_type, size)                                         \
	{ PHI_ONNX##width##F_G##block##_##scale_type, { .bits = width, .codes = block * width / 8, \
		.scale = size, .bias = size, .scales = PHI_##scale_type, .floats = PHI_##scale_type, \
		.format = "onnx" } },
#include "formats/core/onnx_float_types.def"
	{ PHI_MLX_MXFP4, { .bits = 4, .codes = 16, .scale = 1, .scales = PHI_F8_E8M0, .floats = PHI_BF16,
		.format = "mlx" } },
	{ PHI_MLX_MXFP8, { .bits = 8, .codes = 32, .scale = 1, .scales = PHI_F8_E8M0, .floats = PHI_BF16,
		.format = "mlx" } },
	{ PHI_MLX_NVFP4, { .bits = 4, .codes = 8, .scale = 1, .scales = PHI_F8_E4M3, .floats = PHI_BF16,
		.format = "mlx" } },
};
enum { NTORN = sizeof torn / sizeof *torn };

bool
phi_type_fields(const struct phi_type *type, struct phi_type_fields *fields)
{
	for (size_t i = 0; i < NTORN; i++)
		if (torn[i].id == type->id) {
			*fields = torn[i].fields;
			return true;
		}
	return false;
}

const struct phi_type *
phi_type_mlx(unsigned bits, unsigned group, enum phi_type_id scales)
{
	for (size_t i = 0; i < NTORN; i++)
		if (torn[i].fields.bias && !strcmp(torn[i].fields.format, "mlx") && torn[i].fields.bits == bits &&
			types[torn[i].id].elements == group && torn[i].fields.scales == scales)
			return &types[torn[i].id];
	return NULL;
}

enum phi_onnx_zeros
phi_onnx_zeros_of(const struct phi_type_fields *fields)
{
	return fields->zero ? PHI_ONNX_ZEROS : fields->bias ? PHI_ONNX_FLOATS : PHI_ONNX_MIDDLE;
}

const struct phi_type *
phi_type_onnx(unsigned bits, unsigned block, enum phi_type_id scales, enum phi_onnx_zeros zeros)
{
	for (size_t i = 0; i < NTORN; i++)
		if (!strcmp(torn[i].fields.format, "onnx") && torn[i].fields.bits == bits &&
			types[torn[i].id].elements == block && torn[i].fields.scales == scales &&
			(torn[i].fields.zero != 0) == (zeros == PHI_ONNX_ZEROS) &&
			(torn[i].fields.bias != 0) == (zeros == PHI_ONNX_FLOATS))
			return &types[torn[i].id];
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
