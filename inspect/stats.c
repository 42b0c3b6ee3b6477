#include "inspect/stats.h"

#include "formats/core/bytes.h"
#include "formats/core/memory.h"
#include "inspect/table.h"

#include <math.h>
#include <string.h>

/* Means and deviations are taken over stretches of this many values, then merged. */
enum { STRETCH = 1024 };

/* Numbers that F32 cannot hold are widened from what is stored. */
static bool
is_wide(const struct phi_type *type)
{
	return type->id == PHI_F64 || type->id == PHI_I32 || type->id == PHI_U32 ||
		type->id == PHI_I64 || type->id == PHI_U64;
}

static double
widen_one(const struct phi_type *type, const uint8_t *p)
{
	switch (type->id) {
	case PHI_F64:
		return phi_float64(phi_load64(p));
	case PHI_I32:
		return (int32_t)phi_load32(p);
	case PHI_U32:
		return phi_load32(p);
	case PHI_I64:
		return (double)(int64_t)phi_load64(p);
	default:
		return (double)phi_load64(p);
	}
}

/* The power of two that a finite value which is not zero lies on or above, as an index of bars. */
static size_t
bar_of(double x)
{
	const int exponent = (int)(phi_bits64(x) >> 52 & 0x7ff) - 1023;
	const int i = exponent - PHI_STATS_LOWEST;
	return i < 0 ? 0 : i >= PHI_STATS_BARS ? PHI_STATS_BARS - 1 : (size_t)i;
}

/* Counts what is not finite and what is zero; the finite values are left in x. Returns how many. */
static size_t
sift(struct phi_stats *s, double *x, size_t n)
{
	size_t finite = 0;
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(x[i])) {
			s->nan += isnan(x[i]);
			s->inf += !isnan(x[i]);
			continue;
		}
		if (x[i] == 0)
			s->zeros++;
		else
			s->bars[bar_of(x[i])]++;
		s->negative += x[i] < 0;
		x[finite++] = x[i];
	}
	return finite;
}

struct moments {
	uint64_t n;
	double mean, deviations;
};

/* Chan, Golub, LeVeque: how means and deviations of two parts make those of the whole. */
static struct moments
join(struct moments a, struct moments b)
{
	if (!a.n || !b.n)
		return a.n ? a : b;
	const double n = (double)(a.n + b.n), delta = b.mean - a.mean;
	return (struct moments){a.n + b.n, a.mean + delta * ((double)b.n / n),
		a.deviations + b.deviations + delta * delta * ((double)a.n * (double)b.n / n)};
}

static struct moments
moments_of(const struct phi_stats *s)
{
	return (struct moments){phi_stats_finite(s), s->mean, s->deviations};
}

static void
widen_range(struct phi_stats *s, bool first, double min, double max)
{
	s->min = first || min < s->min ? min : s->min;
	s->max = first || max > s->max ? max : s->max;
}

static void
add_stretch(struct phi_stats *s, double *x, size_t n)
{
	const struct moments before = moments_of(s);
	const size_t finite = sift(s, x, n);
	s->n += n;
	if (!finite)
		return;
	struct moments here = {finite, 0, 0};
	double min = x[0], max = x[0];
	for (size_t i = 0; i < finite; i++) {
		here.mean += x[i];
		min = x[i] < min ? x[i] : min;
		max = x[i] > max ? x[i] : max;
	}
	here.mean /= (double)finite;
	for (size_t i = 0; i < finite; i++)
		here.deviations += (x[i] - here.mean) * (x[i] - here.mean);
	const struct moments all = join(before, here);
	s->mean = all.mean;
	s->deviations = all.deviations;
	widen_range(s, !before.n, min, max);
}

void
phi_stats_add(struct phi_stats *s, const struct phi_type *type, const float *values, const void *raw,
	uint64_t n)
{
	double x[STRETCH];
	const bool wide = is_wide(type);
	if (!wide && !values)
		return;
	for (uint64_t at = 0; at < n; at += STRETCH) {
		const size_t m = n - at < STRETCH ? (size_t)(n - at) : STRETCH;
		for (size_t i = 0; i < m; i++)
			x[i] = wide ? widen_one(type, (const uint8_t *)raw + (at + i) * type->bytes)
				    : (double)values[at + i];
		add_stretch(s, x, m);
	}
}

void
phi_stats_merge(struct phi_stats *a, const struct phi_stats *b)
{
	const struct moments before = moments_of(a), all = join(before, moments_of(b));
	a->n += b->n;
	a->nan += b->nan;
	a->inf += b->inf;
	a->zeros += b->zeros;
	a->negative += b->negative;
	a->mean = all.mean;
	a->deviations = all.deviations;
	if (phi_stats_finite(b))
		widen_range(a, !before.n, b->min, b->max);
	for (size_t i = 0; i < PHI_STATS_BARS; i++)
		a->bars[i] += b->bars[i];
}

uint64_t
phi_stats_finite(const struct phi_stats *s)
{
	return s->n - s->nan - s->inf;
}

double
phi_stats_std(const struct phi_stats *s)
{
	const uint64_t n = phi_stats_finite(s);
	return n ? sqrt(s->deviations / (double)n) : 0;
}

size_t
phi_stats_span(const struct phi_stats *s, int *exponent)
{
	size_t first = 0, end = PHI_STATS_BARS;
	while (first < end && !s->bars[first])
		first++;
	while (end > first && !s->bars[end - 1])
		end--;
	*exponent = (int)first + PHI_STATS_LOWEST;
	return end - first;
}

void
phi_stats_cell(const struct phi_stats *s, unsigned id, struct phi_cell *cell)
{
	int exponent;
	if (!s || !s->n)
		return;
	const size_t span = phi_stats_span(s, &exponent);
	if (id <= PHI_STATS_STD && !phi_stats_finite(s))
		return;
	if (id >= PHI_STATS_EXPONENT && !span)
		return;
	switch (id) {
	case PHI_STATS_MIN:
		phi_cell_set_real(cell, s->min);
		break;
	case PHI_STATS_MAX:
		phi_cell_set_real(cell, s->max);
		break;
	case PHI_STATS_MEAN:
		phi_cell_set_real(cell, s->mean);
		break;
	case PHI_STATS_STD:
		phi_cell_set_real(cell, phi_stats_std(s));
		break;
	case PHI_STATS_ZEROS:
		phi_cell_set_number(cell, s->zeros);
		break;
	case PHI_STATS_NEGATIVE:
		phi_cell_set_number(cell, s->negative);
		break;
	case PHI_STATS_NAN:
		phi_cell_set_number(cell, s->nan);
		break;
	case PHI_STATS_INF:
		phi_cell_set_number(cell, s->inf);
		break;
	case PHI_STATS_EXPONENT:
		cell->kind = PHI_CELL_INTEGER;
		cell->integer = exponent;
		break;
	default:
		cell->kind = PHI_CELL_BARS;
		cell->list.counts = s->bars + (exponent - PHI_STATS_LOWEST);
		cell->list.n = span;
	}
}

struct pass {
	const struct phi_model *model;
	const struct phi_reduce_job *jobs;
	struct phi_stats *stats;
};

static void
take_tile(void *ctx, const struct phi_tile *tile, void *partial)
{
	const struct pass *const pass = ctx;
	const struct phi_tensor *const t = &pass->model->tensors[pass->jobs[tile->job].tensor[0]];
	phi_stats_add(partial, phi_type_read(t->type), tile->values[0], tile->raw[0], tile->n);
}

static int
merge_tile(void *ctx, const struct phi_tile *tile, const void *partial, struct phi_err *err)
{
	const struct pass *const pass = ctx;
	(void)err;
	phi_stats_merge(&pass->stats[pass->jobs[tile->job].tensor[0]], partial);
	return 0;
}

/* What is read for tensor i: itself, or what it is an alias of; PHI_NONE: nothing. */
static uint32_t
read_for(const struct phi_model *m, uint32_t i)
{
	const uint32_t first = m->tensors[i].alias == PHI_NONE ? i : m->tensors[i].alias;
	const struct phi_tensor *const t = &m->tensors[first];
	return phi_tensor_is_readable(t) ? first : PHI_NONE;
}

int
phi_stats_take(struct phi_source *source, const uint32_t *tensors, size_t count,
	const struct phi_inspect_options *options, struct phi_stats *stats, struct phi_err *err)
{
	const struct phi_model *const m = source->model;
	struct phi_reduce_job *const jobs = phi_calloc(count + 1, sizeof *jobs, err);
	bool *const wanted = phi_calloc(m->ntensors + 1, sizeof *wanted, err);
	size_t njobs = 0;
	for (size_t i = 0; jobs && wanted && i < count; i++) {
		const uint32_t first = read_for(m, tensors[i]);
		if (first == PHI_NONE || wanted[first])
			continue;
		wanted[first] = true;
		jobs[njobs++].tensor[0] = first;
	}
	struct pass pass = {m, jobs, stats};
	const struct phi_reduction reduction = {.ctx = &pass, .partial_size = sizeof(struct phi_stats),
		.tile = take_tile, .merge = merge_tile};
	const struct phi_reduce_options how = {.size = sizeof how, .jobs = options->jobs,
		.converters = options->converters, .spool = options->spool,
		.progress = options->progress, .progress_ctx = options->progress_ctx};
	const int result = jobs && wanted
		? phi_reduce(&source, 1, jobs, njobs, &reduction, &how, err) : -1;
	for (size_t i = 0; i < count && !result; i++) {
		const uint32_t first = read_for(m, tensors[i]);
		if (first != PHI_NONE && first != tensors[i])
			stats[tensors[i]] = stats[first];
	}
	phi_free(jobs);
	phi_free(wanted);
	return result;
}
