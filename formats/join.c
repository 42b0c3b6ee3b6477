/* Several models as one: the tensors of all, the keys and side files of the first and those that only
 * later ones have. A source over the sources, whose storages follow each other. */
#include "formats/formats.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/inside.h"

#include <string.h>

struct joined {
	struct phi_source **children;
	uint32_t *base; /* of each child: the number of its first storage */
	size_t count;
};

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	const struct joined *const j = source->state;
	size_t i = j->count - 1;
	while (j->base[i] > storage)
		i--;
	return phi_source_read(j->children[i], storage - j->base[i], offset, dst, n, err);
}

static void
close_children(struct phi_source *source)
{
	struct joined *const j = source->state;
	if (!j)
		return;
	for (size_t i = 0; i < j->count; i++)
		phi_source_close(j->children[i]);
	phi_free(j->children);
	phi_free(j->base);
	phi_free(j);
}

static const struct phi_source_ops ops = { .read = read_storage, .close = close_children };

int
phi_model_append_lists(struct phi_model *into, const struct phi_model *from, struct phi_err *err)
{
	for (size_t i = 0; i < from->metadata.count; i++) {
		const struct phi_meta *const m = &from->metadata.items[i];
		if (!phi_metadata_find(&into->metadata, m->key) &&
			phi_metadata_add(&into->metadata, into->arena, m->key, m->value, err))
			return -1;
	}
	for (size_t i = 0; i < from->nsides; i++) {
		const struct phi_side *const s = &from->sides[i];
		if (!phi_model_side(into, s->name) &&
			phi_model_add_side(into, s->name, s->data, s->size, err))
			return -1;
	}
	return phi_model_append_storages(into, from, err);
}

int
phi_model_append_tensor(struct phi_model *into, const struct phi_tensor *tensor, uint32_t base,
	struct phi_err *err)
{
	struct phi_tensor *const t = phi_model_add_tensor(into, err);
	if (!t)
		return -1;
	*t = *tensor;
	t->alias = PHI_NONE;
	for (unsigned i = 0; i < t->nplanes; i++)
		t->plane[i].storage += base;
	return 0;
}

/* A tensor that is there already must be the same; then it is passed over. */
static int
add_tensor(struct phi_source *whole, struct phi_source *child, const struct phi_tensor *t,
	uint32_t base, struct phi_names *names, struct phi_err *err)
{
	struct phi_model *const model = whole->model;
	const size_t size = strlen(t->name);
	const uint32_t there = phi_names_find(names, t->name, size);
	if (there == PHI_NONE)
		return phi_names_add(names, t->name, size, (uint32_t)model->ntensors, err) ||
				phi_model_append_tensor(model, t, base, err)
			? -1
			: 0;
	struct phi_quoted q;
	const int same = phi_tensor_equal(whole, &model->tensors[there], child, t, err);
	if (same)
		return same < 0 ? -1 : 0;
	return phi_fail(err, PHI_ARGUMENT,
		"tensor %s: is in a model before it, with other values", phi_quote(&q, t->name));
}

static int
add_child(struct phi_source *whole, struct phi_source *child,
	const struct phi_open_options *options, struct phi_names *names, struct phi_err *err)
{
	struct joined *const j = whole->state;
	struct phi_model *const model = whole->model;
	const struct phi_model *const from = child->model;
	const uint32_t base = (uint32_t)model->nstorages;
	j->base[j->count] = base;
	j->children[j->count++] = child;
	if (j->count == 1) {
		model->format = from->format;
		model->view = from->view;
		model->name = from->name;
		model->recipe = from->recipe;
	} else if (strcmp(model->view, from->view)) {
		return phi_fail(err, PHI_ARGUMENT, "has %s names, the model before it %s ones",
			from->view, model->view);
	}
	if (phi_source_settle(child, options->spool, err) || phi_model_append_lists(model, from, err))
		return -1;
	for (size_t i = 0; i < from->nwarnings; i++)
		if (phi_model_warn(model, err, "%s", from->warnings[i]))
			return -1;
	for (size_t i = 0; i < from->ntensors; i++)
		if (add_tensor(whole, child, &from->tensors[i], base, names, err))
			return -1;
	return 0;
}

static int
join(struct phi_source *whole, const char *const *paths, size_t n,
	const struct phi_open_options *options, struct phi_names *names, struct phi_err *err)
{
	struct joined *const j = phi_calloc(1, sizeof *j, err);
	/* Packed weights may have their members in several files: they are put together at the end. */
	struct phi_open_options each = *options;
	each.members = true;
	each.name = NULL;
	whole->state = j;
	if (!j || !(j->children = phi_calloc(n, sizeof *j->children, err)) ||
		!(j->base = phi_calloc(n, sizeof *j->base, err)))
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct phi_quoted q;
		struct phi_source *const child = phi_open(paths[i], &each, err);
		if (!child)
			return -1;
		if (add_child(whole, child, options, names, err))
			return phi_context(err, "%s", phi_quote(&q, paths[i]));
	}
	return phi_settle_description(whole, options, err);
}

struct phi_source *
phi_open_joined(const char *const *paths, size_t n, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_source *const whole = phi_source_new("joined", &ops, 0, err);
	struct phi_names *const names = whole ? phi_names_new(err) : NULL;
	const int result = names ? join(whole, paths, n, options, names, err) : -1;
	phi_names_free(names);
	if (!result)
		return whole;
	phi_source_close(whole);
	return NULL;
}
