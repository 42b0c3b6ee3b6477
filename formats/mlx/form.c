#include "formats/mlx/mlx.h"

#include <string.h>

/* What each mode has where nothing else is said; all but the first have nothing else. */
static const struct {
	struct phi_mlx_form form;
	enum phi_type_id type;
} modes[] = {
	{ { "affine", 64, 4 }, PHI_TYPES },
	{ { "mxfp4", 32, 4 }, PHI_MLX_MXFP4 },
	{ { "mxfp8", 32, 8 }, PHI_MLX_MXFP8 },
	{ { "nvfp4", 16, 4 }, PHI_MLX_NVFP4 },
};
enum { NMODES = sizeof modes / sizeof *modes };

bool
phi_mlx_form_of(const struct phi_type *type, struct phi_mlx_form *form)
{
	struct phi_type_fields fields;
	for (size_t i = 0; i < NMODES; i++)
		if (modes[i].type == type->id) {
			*form = modes[i].form;
			return true;
		}
	if (!phi_type_fields(type, &fields) ||
		phi_type_mlx(fields.bits, type->elements, fields.scales) != type)
		return false;
	*form = (struct phi_mlx_form){ modes[0].form.mode, type->elements, fields.bits };
	return true;
}

bool
phi_mlx_form_equal(const struct phi_mlx_form *a, const struct phi_mlx_form *b)
{
	return !strcmp(a->mode, b->mode) && a->group == b->group && a->bits == b->bits;
}

const struct phi_mlx_form *
phi_mlx_form_usual(const char *mode)
{
	for (size_t i = 0; i < NMODES; i++)
		if (!strcmp(modes[i].form.mode, mode))
			return &modes[i].form;
	return NULL;
}

const struct phi_type *
phi_mlx_type(const struct phi_mlx_form *form, enum phi_type_id scales)
{
	for (size_t i = 1; i < NMODES; i++)
		if (phi_mlx_form_equal(&modes[i].form, form))
			return phi_type_of(modes[i].type);
	return strcmp(form->mode, modes[0].form.mode) ? NULL : phi_type_mlx(form->bits, form->group, scales);
}

size_t
phi_mlx_path(const char *name)
{
	static const char suffix[] = ".weight";
	const size_t n = strlen(name), m = sizeof suffix - 1;
	return n > m && !strcmp(name + n - m, suffix) ? n - m : 0;
}
