#include "quant/importance.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct phi_importance_list {
	struct phi_arena *arena;
	struct phi_names *names;
	struct phi_importance_of *items;
	size_t count;
	const char *dataset;
	uint64_t chunks;
	struct phi_source *source;
};

struct reader {
	struct phi_source *source;
	struct phi_importance_list *list;
	struct phi_names *counts; /* NAME -> index of NAME.counts */
};

enum { WINDOW = 4096, COUNTS = 256 }; /* numbers, counts at a time */

/* The counts in use: of experts [first, first + n). */
struct counts {
	uint64_t first, n;
	uint8_t bytes[4 * COUNTS];
};

/* The length of a name without a suffix it has, or 0. */
static size_t
stem(const char *name, const char *suffix)
{
	const size_t n = strlen(name), m = strlen(suffix);
	return n > m && !strcmp(name + n - m, suffix) ? n - m : 0;
}

/* What the sums of one expert are divided by; 0: unseen. llama.cpp rounds the F32 count. */
static int
count_of(const struct phi_importance_of *item, uint64_t e, struct counts *held, float *count, struct phi_err *err)
{
	if (e < held->first || e - held->first >= held->n) {
		held->first = e;
		held->n = item->experts - e < COUNTS ? item->experts - e : COUNTS;
		if (phi_tensor_read(item->source, item->counts, false, e, held->n, held->bytes, err))
			return -1;
	}
	const uint32_t bits = phi_load32(held->bytes + 4 * (e - held->first));
	const bool whole = item->counts->type->id == PHI_I32;
	const float f = whole ? (float)(int32_t)bits : phi_float32(bits);
	if (!isfinite(f) || f < 0)
		return phi_fail(err, PHI_FORMAT, "count %" PRIu64 " is %g", e, (double)f);
	*count = whole ? f : roundf(f);
	return 0;
}

/* Sums of neighbouring columns of one expert, from `column` on. */
static int
divide(float *values, uint64_t n, uint64_t column, float count, struct phi_err *err)
{
	for (uint64_t i = 0; i < n; i++) {
		values[i] /= count;
		if (!isfinite(values[i]) || values[i] < 0)
			return phi_fail(err, PHI_FORMAT, "importance of column %" PRIu64 " is %g", column + i,
				(double)values[i]);
	}
	return 0;
}

/* Numbers [first, first + n) of an item; adds to *unseen the experts that begin among them and that nothing
 * reached. */
static int
read_numbers(const struct phi_importance_of *item, uint64_t first, float *dst, uint64_t n, uint64_t *unseen,
	struct phi_err *err)
{
	const uint64_t columns = item->size / item->experts;
	struct counts held = { 0 };
	uint64_t run;
	if (phi_tensor_read(item->source, item->sums, false, first, n, dst, err))
		return -1;
	for (uint64_t i = 0; i < n; i += run) {
		const uint64_t column = (first + i) % columns, left = columns - column;
		float count = 0;
		run = left < n - i ? left : n - i;
		if (count_of(item, (first + i) / columns, &held, &count, err))
			return -1;
		*unseen += count == 0 && column == 0;
		for (uint64_t k = 0; k < run && count == 0 && item->counts->type->id != PHI_I32; k++)
			dst[i + k] = 1;
		if (divide(dst + i, run, column, count == 0 ? 1 : count, err))
			return -1;
	}
	return 0;
}

/* For who uses the numbers: what was good when all were looked at may have changed. */
static int
read_again(const struct phi_columns *numbers, uint64_t first, float *dst, uint64_t n, struct phi_err *err)
{
	const struct phi_importance_of *const item = numbers->state;
	struct phi_quoted q;
	uint64_t unseen = 0;
	if (read_numbers(item, first, dst, n, &unseen, err) == 0)
		return 0;
	phi_context(err, "tensor %s", phi_quote(&q, item->sums->name));
	return phi_source_blame(item->source, PHI_NONE, err);
}

static int
look_through(struct phi_importance_of *item, struct phi_err *err)
{
	float numbers[WINDOW];
	for (uint64_t i = 0, n; i < item->size; i += n) {
		n = item->size - i < WINDOW ? item->size - i : WINDOW;
		if (read_numbers(item, i, numbers, n, &item->unseen, err))
			return -1;
	}
	return 0;
}

static int
read_item(struct reader *r, const struct phi_tensor *sums, size_t name, struct phi_err *err)
{
	struct phi_importance_list *const list = r->list;
	const struct phi_model *const model = r->source->model;
	const uint32_t index = phi_names_find(r->counts, sums->name, name);
	if (index == PHI_NONE)
		return phi_fail(err, PHI_FORMAT, "there are no counts for these sums");
	const struct phi_tensor *const t = &model->tensors[index];
	if (sums->type->id != PHI_F32 || (t->type->id != PHI_F32 && t->type->id != PHI_I32))
		return phi_fail(err, PHI_FORMAT, "sums are %s and counts %s, not F32",
			sums->type->name, t->type->name);
	struct phi_importance_of item = { .source = r->source, .sums = sums, .counts = t };
	phi_tensor_elements(sums, &item.size); /* both fit: phi_model_check saw it */
	phi_tensor_elements(t, &item.experts);
	item.name = phi_arena_copy(list->arena, sums->name, name, err);
	if (!item.name)
		return -1;
	if (!item.experts || !item.size) /* llama-quantize passes over them */
		return 0;
	if (item.size % item.experts)
		return phi_fail(err, PHI_FORMAT, "%" PRIu64 " sums and %" PRIu64 " counts",
			item.size, item.experts);
	if (look_through(&item, err))
		return -1;
	struct phi_importance_of *const kept = &list->items[list->count];
	*kept = item;
	kept->numbers = (struct phi_columns){ .read = read_again, .state = kept };
	return phi_names_add(list->names, item.name, name, (uint32_t)list->count++, err) < 0 ? -1 : 0;
}

/* Says which tensor before what was wrong with it. */
static int
read_items(struct reader *r, struct phi_err *err)
{
	const struct phi_model *const model = r->source->model;
	struct phi_quoted q;
	for (size_t i = 0; i < model->ntensors; i++) {
		const size_t n = stem(model->tensors[i].name, ".counts");
		if (n && phi_names_add(r->counts, model->tensors[i].name, n, (uint32_t)i, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		const size_t n = stem(t->name, ".in_sum2");
		if (n && read_item(r, t, n, err))
			return phi_context(err, "tensor %s", phi_quote(&q, t->name));
	}
	return r->list->count ? 0 : phi_fail(err, PHI_FORMAT, "has no importance: no imatrix file");
}

static int
read_keys(struct phi_importance_list *list, const struct phi_model *model, struct phi_err *err)
{
	const struct phi_value *const sets =
		phi_metadata_find(&model->metadata, "imatrix.datasets");
	const struct phi_value *const chunks =
		phi_metadata_find(&model->metadata, "imatrix.chunk_count");
	if (chunks && !phi_value_u64(chunks, &list->chunks))
		return phi_fail(err, PHI_FORMAT, "imatrix.chunk_count is no count");
	if (!sets || sets->kind != PHI_VALUE_ARRAY || sets->array.kind != PHI_VALUE_STRING ||
		!sets->array.count)
		return 0;
	const struct phi_string *const first = sets->array.data;
	list->dataset = phi_arena_copy(list->arena, first->data, first->size, err);
	return list->dataset ? 0 : -1;
}

static int
read_all(struct reader *r, struct phi_err *err)
{
	struct phi_importance_list *const list = r->list;
	const struct phi_model *const model = r->source->model;
	list->arena = phi_arena_new(err);
	list->names = list->arena ? phi_names_new(err) : NULL;
	r->counts = list->names ? phi_names_new(err) : NULL;
	if (!r->counts)
		return -1;
	list->items = phi_arena_calloc(list->arena, model->ntensors, sizeof *list->items, err);
	return list->items && !read_keys(list, model, err) ? read_items(r, err) : -1;
}

struct phi_importance_list *
phi_importance_read(struct phi_source *source, struct phi_err *err)
{
	struct reader r = { .source = source, .list = phi_calloc(1, sizeof *r.list, err) };
	if (!r.list)
		return NULL;
	r.list->source = source;
	const int result = read_all(&r, err);
	phi_names_free(r.counts);
	if (!result)
		return r.list;
	phi_importance_free(r.list);
	phi_source_blame(source, PHI_NONE, err);
	return NULL;
}

void
phi_importance_free(struct phi_importance_list *list)
{
	if (!list)
		return;
	phi_names_free(list->names);
	phi_arena_free(list->arena);
	phi_free(list);
}

void
phi_importance_close(struct phi_importance_list *list)
{
	struct phi_source *const source = list ? list->source : NULL;
	phi_importance_free(list);
	phi_source_close(source);
}

size_t
phi_importance_count(const struct phi_importance_list *list)
{
	return list->count;
}

const struct phi_importance_of *
phi_importance_at(const struct phi_importance_list *list, size_t i)
{
	return &list->items[i];
}

const struct phi_importance_of *
phi_importance_find(const struct phi_importance_list *list, const char *name)
{
	const uint32_t i = phi_names_find(list->names, name, strlen(name));
	return i == PHI_NONE ? NULL : &list->items[i];
}

const char *
phi_importance_dataset(const struct phi_importance_list *list)
{
	return list->dataset;
}

uint64_t
phi_importance_chunks(const struct phi_importance_list *list)
{
	return list->chunks;
}
