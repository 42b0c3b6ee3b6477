#include "formats/core/survey_range.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

struct survey {
	struct phi_model *model;
	uint32_t *tensors; /* of the lowered model, by job */
};

/* Of a tile; where there are several scales they are merged one by one. */
struct extremes {
	float low, high;
	uint64_t bad; /* the first number that is not finite, counted from 1 */
};

static bool
is_wanted(const struct phi_tensor *t)
{
	return phi_tensor_is_scaled(t) && !t->scaling->known;
}

bool
phi_survey_range_needed(const struct phi_model *lowered)
{
	for (size_t i = 0; i < lowered->ntensors; i++)
		if (is_wanted(&lowered->tensors[i]))
			return true;
	return false;
}

static void
take_tile(void *ctx, const struct phi_tile *tile, void *partial)
{
	struct extremes *const e = partial;
	const float *const x = tile->values[0];
	(void)ctx;
	e->low = e->high = x[0];
	for (uint64_t i = 0; i < tile->n; i++) {
		e->low = x[i] < e->low ? x[i] : e->low;
		e->high = x[i] > e->high ? x[i] : e->high;
	}
	for (uint64_t i = 0; i < tile->n && !e->bad; i++)
		if (!isfinite(x[i]))
			e->bad = i + 1;
}

static void
widen(struct phi_scaling *s, uint64_t i, float low, float high)
{
	s->low[i] = low < s->low[i] ? low : s->low[i];
	s->high[i] = high > s->high[i] ? high : s->high[i];
}

/* The elements that come between two of one channel, in the order the source has them. */
static uint64_t
inner_of(const struct phi_tensor *t)
{
	if (!t->parts[0].transpose)
		return t->scaling->inner;
	return t->scaling->inner == 1 ? t->shape[0] : 1;
}

static int
merge(void *ctx, const struct phi_tile *tile, const void *partial, struct phi_err *err)
{
	struct survey *const survey = ctx;
	const struct extremes *const e = partial;
	const struct phi_tensor *const t = &survey->model->tensors[survey->tensors[tile->job]];
	struct phi_scaling *const s = t->scaling;
	struct phi_quoted q;
	if (e->bad)
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: element %" PRIu64 " is not finite: it has no scale "
			"(see --keep)",
			phi_quote(&q, t->name), tile->first + e->bad - 1);
	if (s->count == 1) {
		widen(s, 0, e->low, e->high);
		return 0;
	}
	const uint64_t inner = inner_of(t);
	for (uint64_t i = 0; i < tile->n; i++) {
		const uint64_t channel = (tile->first + i) / inner % s->count;
		widen(s, channel, tile->values[0][i], tile->values[0][i]);
	}
	return 0;
}

static int
add_job(struct survey *survey, uint32_t tensor, struct phi_reduce_job *job, struct phi_err *err)
{
	const struct phi_model *const m = survey->model;
	const struct phi_tensor *const t = &m->tensors[tensor];
	struct phi_quoted q;
	if (t->nparts != 1 || t->parts[0].kind != PHI_PART_TENSOR || t->parts[0].row ||
		m->origin->tensors[t->parts[0].tensor].type->id != PHI_F32)
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: only a whole tensor of F32 is scaled",
			phi_quote(&q, t->name));
	job->tensor[0] = t->parts[0].tensor;
	return 0;
}

static int
read_ranges(struct survey *survey, struct phi_source *source, const struct phi_reduce_options *options,
	struct phi_reduce_job *jobs, struct phi_err *err)
{
	const struct phi_reduction reduction = { .ctx = survey, .partial_size = sizeof(struct extremes),
		.tile = take_tile, .merge = merge };
	struct phi_source *const sources[] = { source };
	size_t n = 0;
	for (uint32_t i = 0; i < survey->model->ntensors; i++) {
		if (!is_wanted(&survey->model->tensors[i]))
			continue;
		if (add_job(survey, i, &jobs[n], err) < 0)
			return -1;
		survey->tensors[n++] = i;
	}
	return phi_reduce(sources, 1, jobs, n, &reduction, options, err);
}

/* Biases last: their scales are made of their weights'. */
static void
settle(struct phi_model *m)
{
	for (size_t i = 0; i < m->ntensors; i++)
		if (is_wanted(&m->tensors[i]) && m->tensors[i].scaling->rule != PHI_SCALING_BIAS)
			phi_scaling_settle(m->tensors[i].scaling);
	for (size_t i = 0; i < m->ntensors; i++)
		if (is_wanted(&m->tensors[i]))
			phi_scaling_yield(m->tensors[i].scaling);
	for (size_t i = 0; i < m->ntensors; i++)
		if (is_wanted(&m->tensors[i]))
			phi_scaling_settle(m->tensors[i].scaling);
}

int
phi_survey_range(struct phi_source *source, struct phi_model *lowered, const struct phi_reduce_options *options,
	struct phi_err *err)
{
	struct survey survey = { .model = lowered };
	if (phi_source_settle(source, options->spool, err) < 0)
		return -1;
	struct phi_reduce_job *const jobs = phi_calloc(lowered->ntensors + 1, sizeof *jobs, err);
	survey.tensors = jobs ? phi_calloc(lowered->ntensors + 1, sizeof *survey.tensors, err) : NULL;
	const int result = survey.tensors ? read_ranges(&survey, source, options, jobs, err) : -1;
	phi_free(survey.tensors);
	phi_free(jobs);
	if (!result)
		settle(lowered);
	return result;
}
