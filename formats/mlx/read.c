/* Reading: the folder is opened as Hugging Face's, then the members of each quantized weight become one tensor, and
 * stacked experts become tensors of their own. What config.json says of quantization is taken out of it: the model
 * is what it was before, in other types. */
#include "formats/mlx/experts.h"
#include "formats/mlx/mlx.h"
#include "formats/mlx/quantization.h"

#include "formats/core/config.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct view {
	struct phi_model *model;
	struct phi_mlx_quantization quantization;
	struct phi_names *names; /* of the file's tensors */
	struct phi_tensor *file; /* those tensors */
	size_t count;
};

/* The members of a quantized weight. */
struct members {
	const char *weight;
	size_t path; /* bytes of the module's path in it */
	const struct phi_tensor *codes, *scales, *biases;
	struct phi_mlx_form form;
};

static const struct phi_tensor *
member(const struct view *v, const char *name, size_t path, const char *suffix)
{
	char full[PHI_NAME_MAX + 16];
	const int n = snprintf(full, sizeof full, "%.*s%s", (int)path, name, suffix);
	const uint32_t i = n > 0 && (size_t)n < sizeof full ? phi_names_find(v->names, full, (size_t)n) : PHI_NONE;
	return i == PHI_NONE ? NULL : &v->file[i];
}

static int
fail(const struct members *m, struct phi_err *err, const char *what)
{
	struct phi_quoted q;
	return phi_fail(err, PHI_FORMAT, "tensor %s: %s", phi_quote(&q, m->weight), what);
}

/* The form config.json gives the module; mlx-lm takes a module for quantized if there are scales. */
static int
find_form(struct view *v, struct members *m, struct phi_err *err)
{
	struct phi_mlx_module *const said =
		phi_mlx_quantization_find(&v->quantization, m->weight, m->path);
	if (!v->quantization.said)
		return fail(m, err, "there are scales, but config.json says nothing of quantization");
	if (said && said->off)
		return fail(m, err, "there are scales, but config.json says that it is not quantized");
	m->form = said ? said->form : v->quantization.form;
	return 0;
}

static bool
same_but_last(const struct phi_tensor *a, const struct phi_tensor *b)
{
	if (a->rank != b->rank || a->rank < 2)
		return false;
	return !memcmp(a->shape, b->shape, (a->rank - 1) * sizeof *a->shape);
}

/* Do the shapes agree with each other and with the form? */
static int
check_shapes(const struct members *m, struct phi_err *err)
{
	struct phi_quoted q;
	const struct phi_tensor *const w = m->codes, *const s = m->scales;
	char shapes[2][PHI_RANK_MAX * 24];
	if (w->type->id != PHI_U32)
		return fail(m, err, "there are scales, but the weight is no U32");
	const uint64_t row = phi_tensor_row(s), bits = m->form.bits;
	if (!same_but_last(w, s) || row > UINT32_MAX || phi_tensor_row(w) * 32 != row * m->form.group * bits)
		return phi_fail(err, PHI_FORMAT, "tensor %s: weight %s and scales %s do not fit %u bits in groups of %u",
			phi_quote(&q, m->weight), phi_tensor_shape(w, shapes[0], sizeof shapes[0]),
			phi_tensor_shape(s, shapes[1], sizeof shapes[1]), m->form.bits, m->form.group);
	if (m->biases && (!same_but_last(s, m->biases) || phi_tensor_row(m->biases) != row ||
				 m->biases->type != s->type))
		return fail(m, err, "scales and biases differ in type or shape");
	return 0;
}

static int
find_type(const struct members *m, const struct phi_type **type, struct phi_err *err)
{
	struct phi_quoted q;
	struct phi_type_fields fields;
	*type = phi_mlx_type(&m->form, m->scales->type->id);
	if (!*type || !phi_type_fields(*type, &fields))
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: %s of %u bits in groups of %u with scales of type %s",
			phi_quote(&q, m->weight), m->form.mode, m->form.bits, m->form.group, m->scales->type->name);
	if (!fields.bias && m->scales->type->id != PHI_U8)
		return fail(m, err, "its scales are no U8");
	if (!fields.bias != !m->biases)
		return fail(m, err, m->biases ? "biases, which its mode has not" : "its biases are missing");
	return 0;
}

/* One tensor in the place of its codes. */
static int
make(struct view *v, struct members *m, struct phi_tensor *out, struct phi_err *err)
{
	const struct phi_type *type;
	if (find_form(v, m, err) || check_shapes(m, err) || find_type(m, &type, err))
		return -1;
	*out = *m->codes;
	out->type = type;
	out->shape[out->rank - 1] = phi_tensor_row(m->scales) * m->form.group;
	out->plane[1] = m->scales->plane[0];
	out->nplanes = 2;
	if (m->biases)
		out->plane[out->nplanes++] = m->biases->plane[0];
	return 0;
}

/* Is it the scales or biases of a weight, which took them? */
static int
is_taken(const struct view *v, const struct phi_tensor *t, struct phi_err *err)
{
	static const char *const suffixes[] = { ".scales", ".biases" };
	const size_t n = strlen(t->name);
	for (size_t i = 0; i < 2; i++) {
		const size_t m = strlen(suffixes[i]);
		struct phi_quoted q;
		if (n <= m || strcmp(t->name + n - m, suffixes[i]) != 0)
			continue;
		const bool weight = member(v, t->name, n - m, ".weight") != NULL;
		if (!weight || !member(v, t->name, n - m, ".scales"))
			return phi_fail(err, PHI_FORMAT, "tensor %s: its %s missing", phi_quote(&q, t->name),
				weight ? "scales are" : "weight is");
		return 1;
	}
	return 0;
}

/* A U32 that is said to be quantized and has no scales is no weight at all. */
static int
check_plain(struct view *v, const struct phi_tensor *t, size_t path, struct phi_err *err)
{
	struct phi_quoted q;
	if (path && v->quantization.said && t->type->id == PHI_U32)
		return phi_fail(err, PHI_FORMAT, "tensor %s: its scales are missing", phi_quote(&q, t->name));
	return 0;
}

static int
take(struct view *v, const struct phi_tensor *t, struct phi_err *err)
{
	struct phi_tensor made = *t;
	struct members m = { .weight = t->name, .path = phi_mlx_path(t->name), .codes = t };
	struct phi_quoted q;
	if (!strncmp(t->name, "language_model.", 15) || !strncmp(t->name, "vision_tower.", 13))
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: a model of text with towers, which is not read",
			phi_quote(&q, t->name));
	const int taken = is_taken(v, t, err);
	if (taken)
		return taken < 0 ? -1 : 0;
	if (m.path) {
		struct phi_mlx_module *const said = phi_mlx_quantization_find(&v->quantization, t->name, m.path);
		if (said)
			said->seen = true;
		m.scales = member(v, t->name, m.path, ".scales");
		m.biases = member(v, t->name, m.path, ".biases");
	}
	if (m.scales ? make(v, &m, &made, err) : check_plain(v, t, m.path, err))
		return -1;
	if (phi_mlx_is_stacked(made.name))
		return phi_mlx_unstack(v->model, &made, err);
	struct phi_tensor *const place = phi_model_add_tensor(v->model, err);
	if (!place)
		return -1;
	*place = made;
	return 0;
}

/* What config.json names must be there: the file would say one thing and its weights another. */
static int
warn_unseen(struct view *v, struct phi_err *err)
{
	size_t unseen = 0;
	const char *first = NULL;
	struct phi_quoted q;
	for (size_t i = 0; i < v->quantization.count; i++)
		if (!v->quantization.modules[i].seen && !unseen++)
			first = v->quantization.modules[i].path;
	if (!unseen)
		return 0;
	return phi_model_warn(v->model, err, "config.json: quantization names %zu module%s that %s not there%s%s", unseen,
		unseen == 1 ? "" : "s", unseen == 1 ? "is" : "are", unseen == 1 ? ": " : "; the first: ",
		phi_quote(&q, first));
}

/* Takes what was said of quantization out of the side file and, but for the form of most, the metadata. */
static int
forget(struct phi_model *model, struct phi_err *err)
{
	static const char prefix[] = "quantization";
	static const char *const kept[] = { "quantization.group_size", "quantization.bits", "quantization.mode" };
	size_t n = 0;
	for (size_t i = 0; i < model->metadata.count; i++) {
		const char *const key = model->metadata.items[i].key;
		bool keep = strncmp(key, prefix, strlen(prefix)) != 0;
		for (size_t k = 0; k < 3; k++)
			keep = keep || !strcmp(key, kept[k]);
		if (keep)
			model->metadata.items[n++] = model->metadata.items[i];
	}
	model->metadata.count = n;
	return phi_config_cut(model, "quantization", err) || phi_config_cut(model, "quantization_config", err) ? -1 : 0;
}

static int
index_file(struct view *v, struct phi_err *err)
{
	v->count = v->model->ntensors;
	v->names = phi_names_new(err);
	v->file = phi_calloc(v->count + 1, sizeof *v->file, err);
	if (!v->names || !v->file)
		return -1;
	memcpy(v->file, v->model->tensors, v->count * sizeof *v->file);
	for (size_t i = 0; i < v->count; i++)
		if (phi_names_add(v->names, v->file[i].name, strlen(v->file[i].name), (uint32_t)i, err) < 0)
			return -1;
	return 0;
}

static int
describe(struct view *v, struct phi_err *err)
{
	const struct phi_side *const config = phi_model_side(v->model, "config.json");
	if (config && phi_mlx_quantization_read(&v->quantization, v->model->arena, config->data, config->size, err))
		return -1;
	/* Doubles are found by the registry, as in any model. */
	if (index_file(v, err))
		return -1;
	v->model->ntensors = 0;
	for (size_t i = 0; i < v->count; i++)
		if (take(v, &v->file[i], err))
			return -1;
	return warn_unseen(v, err) || forget(v->model, err) ? -1 : 0;
}

struct phi_source *
phi_mlx_open(struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source = options->registry->open_as("hf", store, options, err);
	if (!source)
		return NULL;
	struct view v = { .model = source->model };
	source->model->format = "mlx";
	const int result = describe(&v, err);
	phi_mlx_quantization_free(&v.quantization);
	phi_names_free(v.names);
	phi_free(v.file);
	if (!result)
		return source;
	phi_source_close(source);
	return NULL;
}
