#include "formats/mlx/quantization.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"

#include <string.h>

void
phi_mlx_quantization_free(struct phi_mlx_quantization *quantization)
{
	phi_names_free(quantization->names);
	phi_free(quantization->modules);
}

struct phi_mlx_module *
phi_mlx_quantization_find(const struct phi_mlx_quantization *quantization, const char *path, size_t n)
{
	const uint32_t i = quantization->names ? phi_names_find(quantization->names, path, n) : PHI_NONE;
	return i == PHI_NONE ? NULL : &quantization->modules[i];
}

/* A number that may be null or absent. */
static int
read_number(const json_t *object, const char *key, unsigned usual, unsigned *out, struct phi_err *err)
{
	const json_t *const v = json_object_get(object, key);
	*out = usual;
	if (!v || json_is_null(v))
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > 1024)
		return phi_fail(err, PHI_FORMAT, "%s is no number from 1 to 1024", key);
	*out = (unsigned)json_integer_value(v);
	return 0;
}

static int
read_form(const json_t *object, struct phi_mlx_form *form, struct phi_err *err)
{
	const json_t *const mode = json_object_get(object, "mode");
	const char *const name = !mode || json_is_null(mode) ? "affine" : json_string_value(mode);
	const struct phi_mlx_form *const usual = name ? phi_mlx_form_usual(name) : NULL;
	struct phi_quoted q;
	if (!usual)
		return phi_fail(err, PHI_UNSUPPORTED, "mode %s is not known", name ? phi_quote(&q, name) : "");
	form->mode = usual->mode;
	if (read_number(object, "group_size", usual->group, &form->group, err) ||
		read_number(object, "bits", usual->bits, &form->bits, err))
		return -1;
	if (!phi_mlx_type(form, PHI_F32))
		return phi_fail(err, PHI_UNSUPPORTED, "there is no mode %s of %u bits in groups of %u", form->mode,
			form->bits, form->group);
	return 0;
}

static int
add_module(struct phi_mlx_quantization *q, struct phi_arena *arena, const char *path, const json_t *value,
	struct phi_err *err)
{
	struct phi_quoted quoted;
	if (phi_grow(&q->modules, &q->capacity, q->count, sizeof *q->modules, err))
		return -1;
	struct phi_mlx_module *const m = &q->modules[q->count];
	*m = (struct phi_mlx_module){ .path = phi_arena_strdup(arena, path, err), .off = json_is_false(value),
		.form = q->form };
	if (!m->path || (json_is_object(value) && read_form(value, &m->form, err)))
		return phi_context(err, "%s", phi_quote(&quoted, path));
	return phi_names_add(q->names, m->path, strlen(m->path), (uint32_t)q->count++, err) < 0 ? -1 : 0;
}

/* What belongs to no module: of all. */
static bool
is_path(const json_t *value)
{
	return json_is_object(value) || json_is_boolean(value);
}

static int
read_object(struct phi_mlx_quantization *q, struct phi_arena *arena, json_t *object, struct phi_err *err)
{
	const char *key;
	json_t *value;
	q->said = true;
	q->names = phi_names_new(err);
	if (!q->names || read_form(object, &q->form, err))
		return -1;
	json_object_foreach(object, key, value)
	{
		if (!is_path(value) || !strcmp(key, "quantize_activations") || !strcmp(key, "legacy"))
			continue;
		if (add_module(q, arena, key, value, err))
			return -1;
	}
	return 0;
}

int
phi_mlx_quantization_read(struct phi_mlx_quantization *quantization, struct phi_arena *arena, const char *text,
	size_t size, struct phi_err *err)
{
	json_t *const root = phi_json_parse(
		text, size, PHI_JSON_BIG_INTEGERS | PHI_JSON_KEEP_DUPLICATES | PHI_JSON_NULS, err);
	if (!root)
		return phi_context(err, "config.json");
	json_t *const object = json_object_get(root, "quantization");
	const int result = json_is_object(object) ? read_object(quantization, arena, object, err) : 0;
	json_decref(root);
	return result ? phi_context(err, "config.json: quantization") : 0;
}
