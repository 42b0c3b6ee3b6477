/* A graph that is there, with another checkpoint's weights: a source over two, whose tensors are the template's, each
 * taken from the checkpoint where that has one of its name. */
#include "formats/formats.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/inside.h"

#include <string.h>

enum { TEMPLATE, WEIGHTS };

struct filled {
	struct phi_source *child[2];
	uint32_t base; /* number of the weights' first storage */
	size_t replaced, left; /* of the template's tensors: those that are no scalars */
	const char *first_left;
	bool *used; /* of the weights' tensors */
};

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	const struct filled *const f = source->state;
	return storage < f->base ? phi_source_read(f->child[TEMPLATE], storage, offset, dst, n, err)
		: phi_source_read(f->child[WEIGHTS], storage - f->base, offset, dst, n, err);
}

static void
close_children(struct phi_source *source)
{
	struct filled *const f = source->state;
	if (!f)
		return;
	phi_source_close(f->child[TEMPLATE]);
	phi_source_close(f->child[WEIGHTS]);
	phi_free(f->used);
	phi_free(f);
}

static const struct phi_source_ops ops = { .read = read_storage, .close = close_children };

static const char *
name_of(const struct phi_tensor *t)
{
	return t->canonical ? t->canonical : t->name;
}

static bool
is_float(const struct phi_tensor *t)
{
	return t->type->class == PHI_CLASS_FLOAT || t->type->class == PHI_CLASS_BLOCK || t->type->class == PHI_CLASS_PACKED;
}

static bool
same_shape(const struct phi_tensor *a, const struct phi_tensor *b)
{
	return a->rank == b->rank && !memcmp(a->shape, b->shape, a->rank * sizeof *a->shape);
}

/* The weight as the graph has it: a product by columns wants the transpose of what checkpoints have. A square one is
 * not guessed. */
static int
fit(const struct phi_tensor *place, struct phi_tensor *t, struct phi_err *err)
{
	struct phi_quoted q;
	char have[128], want[128];
	const bool by_columns = place->multiplied == PHI_MULTIPLIED_BY_COLUMNS,
		known = t->multiplied != PHI_MULTIPLIED_UNKNOWN, square = t->rank == 2 && t->shape[0] == t->shape[1];
	if (same_shape(place, t) && by_columns && square && !known)
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: square, and nothing says whether it is to be transposed",
			phi_quote(&q, t->name));
	const bool turned = by_columns && t->multiplied != PHI_MULTIPLIED_BY_COLUMNS && t->rank == 2 &&
		place->shape[0] == t->shape[1] && place->shape[1] == t->shape[0] && (!square || known);
	if (turned && !phi_tensor_turn(t))
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: %s is not transposed; convert it to F32 first",
			phi_quote(&q, t->name), t->type->name);
	if (same_shape(place, t) && is_float(place) == is_float(t))
		return 0;
	phi_tensor_shape(place, want, sizeof want);
	return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: %s %s, where the template has %s %s", phi_quote(&q, t->name),
		t->type->name, phi_tensor_shape(t, have, sizeof have), place->type->name, want);
}

static int
fill(struct phi_source *whole, const struct phi_tensor *place, const struct phi_names *weights, struct phi_err *err)
{
	struct filled *const f = whole->state;
	const uint32_t i = phi_names_find(weights, place->name, strlen(place->name));
	if (i == PHI_NONE) {
		if (place->rank && is_float(place) && !f->left++)
			f->first_left = place->name;
		return phi_model_append_tensor(whole->model, place, 0, err);
	}
	struct phi_tensor t = f->child[WEIGHTS]->model->tensors[i];
	f->used[i] = true;
	f->replaced++;
	if (fit(place, &t, err))
		return -1;
	t.name = place->name;
	return phi_model_append_tensor(whole->model, &t, f->base, err);
}

static int
warn(const struct phi_source *whole, struct phi_err *err)
{
	const struct filled *const f = whole->state;
	const struct phi_model *const weights = f->child[WEIGHTS]->model;
	struct phi_quoted q;
	size_t unused = 0, first = 0;
	for (size_t i = weights->ntensors; i-- > 0;)
		if (!f->used[i]) {
			unused++;
			first = i;
		}
	if (!f->replaced)
		return phi_fail(err, PHI_ARGUMENT, "no tensor has the name of one in the template");
	if (f->left && phi_model_warn(whole->model, err, "%zu of the template's tensors stay, as there are none of their "
		"names (the first: %s)", f->left, phi_quote(&q, f->first_left)) < 0)
		return -1;
	return unused ? phi_model_warn(whole->model, err, "%zu tensors are left out, as the template has none of their "
		"names (the first: %s)", unused, phi_quote(&q, weights->tensors[first].name)) : 0;
}

static int
fill_all(struct phi_source *whole, struct phi_names *names, const struct phi_open_options *options, struct phi_err *err)
{
	struct filled *const f = whole->state;
	struct phi_model *const model = whole->model;
	const struct phi_model *const place = f->child[TEMPLATE]->model, *const weights = f->child[WEIGHTS]->model;
	model->view = place->view;
	model->name = place->name;
	f->used = phi_calloc(weights->ntensors + 1, sizeof *f->used, err);
	if (!f->used || phi_source_settle(f->child[WEIGHTS], options->spool, err) ||
		phi_model_append_lists(model, place, err))
		return -1;
	f->base = (uint32_t)model->nstorages;
	if (phi_model_append_storages(model, weights, err))
		return -1;
	for (uint32_t i = 0; i < weights->ntensors; i++) {
		const char *const name = name_of(&weights->tensors[i]);
		if (phi_names_add(names, name, strlen(name), i, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < place->ntensors; i++)
		if (fill(whole, &place->tensors[i], names, err))
			return -1;
	return warn(whole, err) ? -1 : phi_settle_description(whole, options, err);
}

struct phi_source *
phi_open_template(struct phi_source *weights, const char *path, const struct phi_open_options *options,
	struct phi_err *err)
{
	/* What is quantized in the template stays the tensors that its graph has. */
	struct phi_open_options as_it_is = *options;
	as_it_is.members = true;
	as_it_is.name = NULL;
	struct phi_source *const whole = phi_source_new("template", &ops, 0, err);
	struct filled *const f = whole ? phi_calloc(1, sizeof *f, err) : NULL;
	struct phi_names *const names = f ? phi_names_new(err) : NULL;
	if (!f) {
		phi_source_close(weights);
		phi_source_close(whole);
		return NULL;
	}
	whole->state = f;
	f->child[WEIGHTS] = weights;
	f->child[TEMPLATE] = names ? phi_open(path, &as_it_is, err) : NULL;
	int result = f->child[TEMPLATE] ? 0 : -1;
	if (!result && strcmp(f->child[TEMPLATE]->model->format, "onnx"))
		result = phi_fail(err, PHI_ARGUMENT, "%s: not a model with a graph, as a template is", path);
	if (!result)
		result = fill_all(whole, names, &as_it_is, err);
	phi_names_free(names);
	if (!result)
		return whole;
	phi_source_close(whole);
	return NULL;
}
