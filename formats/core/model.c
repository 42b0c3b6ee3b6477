#include "formats/core/model.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/glob.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct phi_model *
phi_model_new(const char *format, struct phi_err *err)
{
	struct phi_model *const model = phi_calloc(1, sizeof *model, err);
	if (!model)
		return NULL;
	model->arena = phi_arena_new(err);
	if (!model->arena) {
		phi_free(model);
		return NULL;
	}
	model->format = format;
	model->view = "canonical";
	model->name = "model";
	return model;
}

void
phi_model_free(struct phi_model *model)
{
	if (!model)
		return;
	phi_free(model->sides);
	phi_free(model->storages);
	phi_free(model->tensors);
	phi_free(model->warnings);
	phi_arena_free(model->arena);
	phi_free(model);
}

struct phi_tensor *
phi_model_add_tensor(struct phi_model *model, struct phi_err *err)
{
	if (model->ntensors == PHI_TENSORS_MAX) {
		phi_fail(err, PHI_LIMIT, "more than %d tensors", PHI_TENSORS_MAX);
		return NULL;
	}
	if (phi_grow(&model->tensors, &model->tensors_capacity, model->ntensors,
		    sizeof *model->tensors, err) < 0)
		return NULL;
	struct phi_tensor *const t = &model->tensors[model->ntensors++];
	*t = (struct phi_tensor){ .layer = -1, .alias = PHI_NONE };
	return t;
}

struct phi_storage *
phi_model_add_storage(struct phi_model *model, struct phi_err *err)
{
	if (phi_grow(&model->storages, &model->storages_capacity, model->nstorages,
		    sizeof *model->storages, err) < 0)
		return NULL;
	struct phi_storage *const s = &model->storages[model->nstorages++];
	*s = (struct phi_storage){ 0 };
	return s;
}

int
phi_model_append_storages(struct phi_model *into, const struct phi_model *from, struct phi_err *err)
{
	for (size_t i = 0; i < from->nstorages; i++) {
		struct phi_storage *const s = phi_model_add_storage(into, err);
		if (!s)
			return -1;
		*s = from->storages[i];
	}
	return 0;
}

int
phi_model_add_side(struct phi_model *model, const char *name, const void *data, size_t size,
	struct phi_err *err)
{
	if (phi_grow(&model->sides, &model->sides_capacity, model->nsides, sizeof *model->sides,
		    err) < 0)
		return -1;
	const char *const n = phi_arena_strdup(model->arena, name, err);
	const void *const d = n ? phi_arena_copy(model->arena, data, size, err) : NULL;
	if (!d)
		return -1;
	model->sides[model->nsides++] = (struct phi_side){ .name = n, .data = d, .size = size };
	return 0;
}

const struct phi_side *
phi_model_side(const struct phi_model *model, const char *name)
{
	for (size_t i = 0; i < model->nsides; i++)
		if (!strcmp(model->sides[i].name, name))
			return &model->sides[i];
	return NULL;
}

int
phi_model_warn(struct phi_model *model, struct phi_err *err, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (phi_grow(&model->warnings, &model->warnings_capacity, model->nwarnings,
		    sizeof *model->warnings, err) < 0)
		return -1;
	const char *const copy = phi_arena_strdup(model->arena, text, err);
	if (!copy)
		return -1;
	model->warnings[model->nwarnings++] = copy;
	return 0;
}

/* Everything that makes two tensors the same bytes, as one key for the set of names. */
struct identity {
	uint32_t storage, type, rank, flags;
	uint64_t offset;
	uint64_t shape[PHI_RANK_MAX];
	int64_t stride[PHI_RANK_MAX];
};

static struct identity
identify(const struct phi_tensor *t)
{
	const struct phi_plane *const p = &t->plane[0];
	struct identity id;
	memset(&id, 0, sizeof id);
	id.storage = p->storage;
	id.offset = p->offset;
	id.type = t->type->id;
	id.rank = t->rank;
	id.flags = (uint32_t)p->dense | (uint32_t)p->swap << 1;
	memcpy(id.shape, t->shape, t->rank * sizeof *t->shape);
	if (!p->dense)
		memcpy(id.stride, p->stride, t->rank * sizeof *p->stride);
	return id;
}

int
phi_model_find_aliases(struct phi_model *model, struct phi_err *err)
{
	struct phi_names *const seen = phi_names_new(err);
	struct identity *const ids = phi_calloc(model->ntensors, sizeof *ids, err);
	int result = seen && ids ? 0 : -1;
	for (size_t i = 0; result == 0 && i < model->ntensors; i++) {
		struct phi_tensor *const t = &model->tensors[i];
		uint64_t n;
		if (t->nplanes != 1 || !phi_tensor_elements(t, &n) || n == 0)
			continue;
		ids[i] = identify(t);
		const char *const key = (const char *)&ids[i];
		const int there = phi_names_add(seen, key, sizeof ids[i], (uint32_t)i, err);
		if (there < 0)
			result = -1;
		else if (there)
			t->alias = phi_names_find(seen, key, sizeof ids[i]);
	}
	phi_names_free(seen);
	phi_free(ids);
	return result;
}

/* The lowest and highest element of a strided view, relative to its offset, in elements. */
static bool
reach(const struct phi_tensor *t, const int64_t *stride, int64_t *low, int64_t *high)
{
	*low = *high = 0;
	for (unsigned i = 0; i < t->rank; i++) {
		int64_t span;
		if (t->shape[i] > INT64_MAX ||
			__builtin_mul_overflow((int64_t)t->shape[i] - 1, stride[i], &span) ||
			__builtin_add_overflow(span < 0 ? *low : *high, span,
				span < 0 ? low : high))
			return false;
	}
	return true;
}

/* Does every element of plane i lie inside its storage? */
static bool
inside(const struct phi_tensor *t, unsigned i, uint64_t size)
{
	const struct phi_plane *const p = &t->plane[i];
	uint64_t bytes;
	if (t->packed || p->dense)
		return phi_tensor_plane_bytes(t, i, &bytes) && phi_fits(p->offset, bytes, size);
	int64_t low, high;
	uint64_t below, above;
	if (t->type->elements != 1 || !reach(t, p->stride, &low, &high) || low == INT64_MIN)
		return false;
	return phi_mul((uint64_t)-low, t->type->bytes, &below) &&
		phi_mul((uint64_t)high, t->type->bytes, &above) && below <= p->offset &&
		phi_add(p->offset, above, &above) && phi_fits(above, t->type->bytes, size);
}

static int
check_tensor(const struct phi_model *model, const struct phi_tensor *t, struct phi_err *err)
{
	uint64_t n, bytes;
	if (t->rank > PHI_RANK_MAX)
		return phi_fail(err, PHI_LIMIT, "%u dimensions, at most %d", t->rank, PHI_RANK_MAX);
	if (!phi_tensor_elements(t, &n))
		return phi_fail(err, PHI_FORMAT, "the number of elements does not fit 64 bits");
	if (phi_tensor_row(t) % t->type->elements)
		return phi_fail(err, PHI_FORMAT, "rows of %" PRIu64 " are no multiple of %s's %u",
			phi_tensor_row(t), t->type->name, t->type->elements);
	if (!phi_tensor_bytes(t, &bytes))
		return phi_fail(err, PHI_FORMAT, "the size in bytes does not fit 64 bits");
	for (unsigned i = 0; n && i < t->nplanes; i++) {
		const struct phi_plane *const p = &t->plane[i];
		if (p->storage >= model->nstorages)
			return phi_fail(err, PHI_FORMAT, "no storage %u", p->storage);
		const struct phi_storage *const s = &model->storages[p->storage];
		if (!inside(t, i, s->size))
			return phi_fail(err, PHI_FORMAT,
				"data beyond the end of its storage (%" PRIu64 " bytes)", s->size);
		if (t->nplanes == 1 && !t->packed && bytes > s->size && bytes > PHI_EXPAND_MAX)
			return phi_fail(err, PHI_LIMIT,
				"%" PRIu64 " bytes repeated from a storage of %" PRIu64
				", more than %d", bytes, s->size, PHI_EXPAND_MAX);
	}
	return 0;
}

static int
check_name(struct phi_names *names, const char *name, uint32_t index, struct phi_err *err)
{
	const size_t size = strlen(name);
	if (size == 0 || size > PHI_NAME_MAX)
		return phi_fail(err, size ? PHI_LIMIT : PHI_FORMAT,
			"a tensor's name has %zu bytes, allowed are 1 to %d", size, PHI_NAME_MAX);
	struct phi_quoted q;
	const int there = phi_names_add(names, name, size, index, err);
	if (there > 0)
		return phi_fail(err, PHI_FORMAT, "tensor %s is there twice", phi_quote(&q, name));
	return there;
}

const struct phi_tensor *
phi_model_with_role(const struct phi_model *model, enum phi_role role)
{
	for (size_t i = 0; i < model->ntensors; i++)
		if (model->tensors[i].role == role)
			return &model->tensors[i];
	return NULL;
}

int
phi_model_check(const struct phi_model *model, struct phi_err *err)
{
	struct phi_names *const names = phi_names_new(err);
	int result = names ? 0 : -1;
	for (size_t i = 0; result == 0 && i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		struct phi_quoted q;
		result = check_name(names, t->name, (uint32_t)i, err);
		if (result == 0 && check_tensor(model, t, err) < 0)
			result = phi_context(err, "tensor %s", phi_quote(&q, t->name));
	}
	phi_names_free(names);
	return result;
}

const char *
phi_model_file(const struct phi_model *model, const struct phi_tensor *t)
{
	if (t->nparts && model->origin) {
		if (t->parts[0].kind != PHI_PART_TENSOR)
			return NULL;
		return phi_model_file(model->origin, &model->origin->tensors[t->parts[0].tensor]);
	}
	return t->file ? t->file : t->nplanes ? model->storages[t->plane[0].storage].file : NULL;
}

static int
copy_tensors(struct phi_model *model, struct phi_err *err)
{
	const struct phi_model *const origin = model->origin;
	struct phi_part *const parts =
		phi_arena_calloc(model->arena, origin->ntensors, sizeof *parts, err);
	if (!parts)
		return -1;
	for (size_t i = 0; i < origin->ntensors; i++) {
		struct phi_tensor *const t = phi_model_add_tensor(model, err);
		if (!t)
			return -1;
		*t = origin->tensors[i];
		parts[i] = (struct phi_part){ .kind = PHI_PART_TENSOR, .tensor = (uint32_t)i,
			.rows = t->rank ? t->shape[0] : 1 };
		t->parts = &parts[i];
		t->nparts = 1;
	}
	return 0;
}

static int
copy_lists(struct phi_model *model, struct phi_err *err)
{
	const struct phi_model *const origin = model->origin;
	for (size_t i = 0; i < origin->metadata.count; i++)
		if (phi_metadata_add(&model->metadata, model->arena, origin->metadata.items[i].key,
			    origin->metadata.items[i].value, err) < 0)
			return -1;
	/* Sides are shared, not copied: a tokenizer.json has 16 MiB. */
	model->sides = phi_calloc(origin->nsides + 1, sizeof *model->sides, err);
	if (!model->sides)
		return -1;
	if (origin->nsides)
		memcpy(model->sides, origin->sides, origin->nsides * sizeof *model->sides);
	model->nsides = origin->nsides;
	model->sides_capacity = origin->nsides + 1;
	return 0;
}

struct phi_model *
phi_model_lower_same(const struct phi_model *origin, struct phi_err *err)
{
	struct phi_model *const model = phi_model_new(origin->format, err);
	if (!model)
		return NULL;
	model->view = origin->view;
	model->name = origin->name;
	model->recipe = origin->recipe;
	model->family = origin->family;
	model->origin = origin;
	if (copy_lists(model, err) < 0 || copy_tensors(model, err) < 0) {
		phi_model_free(model);
		return NULL;
	}
	return model;
}

static bool
matches_any(const struct phi_tensor *t, const char *const *globs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (phi_glob_match(globs[i], t->name) ||
			(t->canonical && phi_glob_match(globs[i], t->canonical)))
			return true;
	return false;
}

void
phi_model_pick(struct phi_model *model, const char *const *only, size_t nonly,
	const char *const *exclude, size_t nexclude)
{
	/* Aliases point to indices: where a kept tensor's first copy goes, the next one takes its place. */
	uint32_t kept = 0;
	for (size_t i = 0; i < model->ntensors; i++) {
		struct phi_tensor *const t = &model->tensors[i];
		if ((nonly && !matches_any(t, only, nonly)) || matches_any(t, exclude, nexclude))
			continue;
		model->tensors[kept] = *t;
		model->tensors[kept++].alias = PHI_NONE;
	}
	model->ntensors = kept;
}
