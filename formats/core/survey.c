#include "formats/core/survey.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/relay.h"

#include <pthread.h>

struct survey {
	struct phi_source *source;
	const struct phi_model *model;
	const struct phi_survey_options *options;
	struct phi_loss *losses;
	pthread_mutex_t lock; /* progress */
	uint64_t done;
};

/* What a worker carries: sampled rows as floats, a row as it is stored, the rows made anew. */
struct slot {
	float *x;
	void *raw, *made;
	size_t x_capacity, raw_capacity, made_capacity;
	uint64_t row, rows; /* elements of a row, rows that were sampled */
	struct phi_columns_held columns;
};

static bool
is_wanted(const struct survey *s, uint64_t tensor)
{
	for (size_t k = 0; k < s->options->ntypes; k++)
		if (s->options->types[tensor * s->options->ntypes + k])
			return true;
	return false;
}

static uint64_t
rows_of(const struct phi_tensor *t)
{
	uint64_t n;
	phi_tensor_elements(t, &n); /* fits: phi_model_check saw it */
	return n / phi_tensor_row(t);
}

/* The row of the tensor that is number i of `rows` samples. */
static uint64_t
sampled_row(const struct phi_tensor *t, uint64_t rows, uint64_t i)
{
	return (uint64_t)((unsigned __int128)(2 * i + 1) * rows_of(t) / (2 * rows));
}

/* A row of a lowered tensor, as floats: a stretch of the part it lies in. */
static int
read_row(const struct survey *s, const struct phi_tensor *t, uint64_t row, struct slot *slot, float *dst,
	struct phi_err *err)
{
	const struct phi_converters *const converters = s->options->converters;
	uint64_t first = row * slot->row, bad;
	for (unsigned i = 0; i < t->nparts; i++) {
		const struct phi_part *const part = &t->parts[i];
		const struct phi_tensor *const from = &s->model->origin->tensors[part->tensor];
		const struct phi_type *const type = phi_type_read(from->type);
		uint64_t n, bytes;
		phi_tensor_elements(from, &n);
		const uint64_t width = n / from->shape[part->transpose ? 1 : 0];
		if (first >= part->rows * width) {
			first -= part->rows * width;
			continue;
		}
		struct phi_convert convert;
		if (!phi_type_size(type, slot->row, &bytes))
			return phi_fail(err, PHI_UNSUPPORTED, "its rows are no whole blocks of %s", type->name);
		if (phi_reserve(&slot->raw, &slot->raw_capacity, bytes, err) < 0 ||
			converters->find(type, phi_type_of(PHI_F32), &convert, err) < 0 ||
			phi_tensor_load(s->source, from, converters->unpack, part->transpose,
				part->row * width + first, slot->row, slot->raw, err) < 0)
			return -1;
		convert.run(&convert, slot->raw, dst, slot->row, slot->row, NULL, PHI_OVERFLOW_KEEP, &bad);
		return 0;
	}
	return phi_fail(err, PHI_ARGUMENT, "row %llu is in no part", (unsigned long long)row);
}

static int
survey_read(void *ctx, uint64_t tensor, void *carried, struct phi_err *err)
{
	struct survey *const s = ctx;
	struct slot *const slot = carried;
	const struct phi_tensor *const t = &s->model->tensors[tensor];
	struct phi_quoted q;
	if (!is_wanted(s, tensor))
		return 0;
	const uint64_t all = rows_of(t);
	slot->row = phi_tensor_row(t);
	slot->rows = PHI_SURVEY_ELEMENTS / slot->row;
	slot->rows = slot->rows < 1 ? 1 : slot->rows < all ? slot->rows : all;
	if (phi_reserve(&slot->x, &slot->x_capacity, slot->rows * slot->row * sizeof *slot->x, err) < 0)
		return -1;
	for (uint64_t i = 0; i < slot->rows; i++)
		if (read_row(s, t, sampled_row(t, slot->rows, i), slot, slot->x + i * slot->row, err) < 0)
			return phi_context(err, "tensor %s", phi_quote(&q, t->name));
	return 0;
}

/* The importance of a row, or NULL: each expert has its own. */
static int
load_importance(const struct phi_tensor *t, uint64_t row, struct slot *slot, const float **out, struct phi_err *err)
{
	*out = NULL;
	if (!t->importance)
		return 0;
	const uint64_t matrix = t->rank < 3 ? 0 : row / (rows_of(t) / t->shape[0]);
	*out = phi_columns_at(&slot->columns, t->importance, matrix * slot->row, slot->row, err);
	return *out ? 0 : -1;
}

/* All samples in one type. */
static int
try_type(const struct survey *s, const struct phi_tensor *t, struct slot *slot, const struct phi_type *type,
	struct phi_loss *loss, struct phi_err *err)
{
	const struct phi_converters *const converters = s->options->converters;
	const struct phi_type *const f32 = phi_type_of(PHI_F32);
	struct phi_convert convert;
	struct phi_meter meter;
	uint64_t bytes, bad;
	phi_type_size(type, slot->row, &bytes);
	if (converters->find(f32, type, &convert, err) < 0 || phi_meter_find(converters, f32, type, &meter, err) < 0 ||
		phi_reserve(&slot->made, &slot->made_capacity, bytes, err) < 0)
		return -1;
	for (uint64_t i = 0; i < slot->rows; i++) {
		const float *const x = slot->x + i * slot->row;
		const float *importance;
		if (load_importance(t, sampled_row(t, slot->rows, i), slot, &importance, err) < 0)
			return -1;
		convert.run(&convert, x, slot->made, slot->row, slot->row,
			convert.importance == PHI_IMPORTANCE_NONE ? NULL : importance, PHI_OVERFLOW_CLAMP, &bad);
		phi_meter_read(&meter, x, slot->made, slot->row, slot->row, importance, loss);
	}
	return 0;
}

static int
survey_work(void *ctx, uint64_t tensor, void *carried, struct phi_err *err)
{
	struct survey *const s = ctx;
	const struct phi_survey_options *const o = s->options;
	const struct phi_tensor *const t = &s->model->tensors[tensor];
	struct phi_quoted q;
	for (size_t k = 0; k < o->ntypes; k++) {
		const size_t at = (size_t)tensor * o->ntypes + k;
		if (o->types[at] && try_type(s, t, carried, o->types[at], &s->losses[at], err) < 0)
			return phi_context(err, "tensor %s", phi_quote(&q, t->name));
	}
	if (o->progress) {
		pthread_mutex_lock(&s->lock);
		o->progress(o->progress_ctx, ++s->done, s->model->ntensors);
		pthread_mutex_unlock(&s->lock);
	}
	return 0;
}

static void
survey_drop(void *ctx, void *carried)
{
	struct slot *const slot = carried;
	(void)ctx;
	phi_free(slot->x);
	phi_free(slot->raw);
	phi_free(slot->made);
	phi_columns_drop(&slot->columns);
}

int
phi_survey(struct phi_source *source, const struct phi_model *lowered, const struct phi_survey_options *options,
	struct phi_loss *losses, struct phi_err *err)
{
	struct survey s = { .source = source, .model = lowered, .options = options, .losses = losses };
	const struct phi_relay relay = { .ctx = &s, .tickets = lowered->ntensors, .slot_size = sizeof(struct slot),
		.read = survey_read, .work = survey_work, .drop = survey_drop };
	for (size_t i = 0; i < lowered->ntensors * options->ntypes; i++)
		losses[i] = (struct phi_loss){ 0 };
	pthread_mutex_init(&s.lock, NULL);
	const int result = phi_relay_run(&relay, options->jobs, err);
	pthread_mutex_destroy(&s.lock);
	return result;
}
