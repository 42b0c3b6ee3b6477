#include "inspect/compare.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/models/family.h"
#include "quant/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pass {
	struct phi_comparison *comparison;
	struct phi_reduce_job *jobs; /* in the order of the pass */
	/* The pair of a tensor of a, by its index: jobs may have been reordered. */
	struct phi_pair **of;
};

static struct phi_pair *
pair_of(const struct pass *pass, const struct phi_tile *tile)
{
	return pass->of[pass->jobs[tile->job].tensor[0]];
}

/* What of a tile is kept: the distance, and what else was asked for. */
struct part {
	struct phi_distance distance;
	struct phi_stats stats[2];
	bool unweighed; /* the importance could not be read any more */
	/* Where the tile's worst blocks begin, in no order. */
	unsigned nblocks;
	struct place {
		uint64_t at; /* in the tile */
		double squares;
	} blocks[PHI_BLOCKS_MAX];
};

static void
note_block(struct part *part, unsigned most, struct place block)
{
	unsigned least = 0;
	if (part->nblocks < most) {
		part->blocks[part->nblocks++] = block;
		return;
	}
	/* Of equal ones the earlier stays. */
	for (unsigned i = 1; i < most; i++)
		if (part->blocks[i].squares < part->blocks[least].squares ||
			(part->blocks[i].squares == part->blocks[least].squares &&
				part->blocks[i].at > part->blocks[least].at))
			least = i;
	if (block.squares > part->blocks[least].squares)
		part->blocks[least] = block;
}

static double
squares_of(const float *a, const float *b, unsigned n)
{
	double squares = 0;
	for (unsigned i = 0; i < n; i++) {
		const double diff = (double)a[i] - b[i];
		if (isfinite(diff))
			squares += diff * diff;
	}
	return squares;
}

static void
note_blocks(struct part *part, const struct phi_tile *tile, unsigned length, unsigned most)
{
	for (uint64_t at = 0; at < tile->n; at += length) {
		const unsigned n = tile->n - at < length ? (unsigned)(tile->n - at) : length;
		const double squares = squares_of(tile->values[0] + at, tile->values[1] + at, n);
		if (squares > 0)
			note_block(part, most, (struct place){at, squares});
	}
}

static void
measure_tile(struct part *part, const struct phi_tile *tile, bool same_type)
{
	struct phi_distance *const d = &part->distance;
	const bool same = same_type && tile->raw_size[0] == tile->raw_size[1] &&
		!memcmp(tile->raw[0], tile->raw[1], (size_t)tile->raw_size[0]);
	d->n = tile->n;
	d->bytes_differ = same_type && !same;
	if (!tile->values[0] || !tile->values[1]) {
		d->undecoded = true;
		d->values_differ = !same;
	} else if (same) {
		phi_distance_add_equal(d, tile->values[0], tile->n);
	} else {
		phi_distance_add(d, tile->values[0], tile->values[1], tile->n, tile->first);
	}
}

enum { WINDOW = 8192 }; /* numbers of importance at a time */

/* By stretches of a row that the window holds; rows that fit it are read once for each matrix of a tile. */
static int
weigh_tile(struct part *part, const struct phi_tile *tile, const struct phi_tensor *t, const struct phi_pair *pair)
{
	const uint64_t row = phi_tensor_row(t);
	float window[WINDOW];
	uint64_t all, run, begin = UINT64_MAX, held = 0;
	phi_tensor_elements(t, &all); /* fits: phi_model_check saw it */
	const uint64_t each = t->rank > 2 ? all / t->shape[0] : all;
	for (uint64_t i = 0; i < tile->n; i += run) {
		const uint64_t at = tile->first + i, column = at % row;
		const uint64_t first = pair->importance_first + at / each * row + column;
		const uint64_t left = row - column < WINDOW ? row - column : WINDOW;
		run = left < tile->n - i ? left : tile->n - i;
		if (first != begin || run > held) {
			if (pair->importance->read(pair->importance, first, window, run, NULL) < 0)
				return -1;
			begin = first;
			held = run;
		}
		phi_distance_weigh(&part->distance, tile->values[0] + i, tile->values[1] + i, run, window);
	}
	return 0;
}

static void
compare_tile(void *ctx, const struct phi_tile *tile, void *partial)
{
	const struct pass *const pass = ctx;
	const struct phi_comparison *const c = pass->comparison;
	const struct phi_pair *const pair = pair_of(pass, tile);
	const struct phi_type *const a = phi_pair_tensor(c, pair, 0)->type;
	const struct phi_type *const b = phi_pair_tensor(c, pair, 1)->type;
	struct part *const part = partial;
	measure_tile(part, tile, phi_type_same(a, b));
	if (pair->importance && !part->distance.undecoded)
		part->unweighed = weigh_tile(part, tile, phi_pair_tensor(c, pair, 0), pair) < 0;
	if (c->options->blocks && part->distance.values_differ && !part->distance.undecoded)
		note_blocks(part, tile, phi_block_length(a, b), c->options->blocks);
	for (unsigned side = 0; side < 2 && pair->stats; side++)
		phi_stats_add(&part->stats[side], phi_type_read(side ? b : a), tile->values[side],
			tile->raw[side], tile->n);
}

/* A block in full, from the tile that is still there. */
static void
keep_block(struct phi_comparison *c, const struct phi_pair *pair, const struct phi_tile *tile,
	const struct place *place)
{
	const unsigned length = phi_block_length(phi_pair_tensor(c, pair, 0)->type,
		phi_pair_tensor(c, pair, 1)->type);
	const uint64_t left = tile->n - place->at;
	struct phi_block block = {.name = phi_pair_name(c, pair), .first = tile->first + place->at,
		.n = left < length ? (unsigned)left : length, .squares = place->squares};
	block.index = block.first / length;
	for (unsigned i = 0; i < block.n; i++) {
		block.values[0][i] = tile->values[0][place->at + i];
		block.values[1][i] = tile->values[1][place->at + i];
		const double diff = fabs((double)block.values[0][i] - block.values[1][i]);
		if (isfinite(diff) && diff > block.max_abs) {
			block.max_abs = diff;
			block.max_at = i;
		}
	}
	phi_block_insert(c->blocks, &c->nblocks, c->options->blocks, &block);
}

static int
merge_tile(void *ctx, const struct phi_tile *tile, const void *partial, struct phi_err *err)
{
	const struct pass *const pass = ctx;
	struct phi_pair *const pair = pair_of(pass, tile);
	const struct part *const part = partial;
	struct phi_quoted q;
	if (part->unweighed)
		return phi_fail(err, PHI_SYSTEM, "tensor %s: its importance cannot be read any more",
			phi_quote(&q, phi_pair_name(pass->comparison, pair)));
	phi_distance_merge(&pair->distance, &part->distance);
	for (unsigned i = 0; i < part->nblocks; i++)
		keep_block(pass->comparison, pair, tile, &part->blocks[i]);
	for (unsigned side = 0; side < 2 && pair->stats; side++)
		phi_stats_merge(&pair->stats[side], &part->stats[side]);
	return 0;
}

/* Are both tensors of the pair copies of two that are a pair themselves? Then nothing is read twice. */
static const struct phi_pair *
copied_from(const struct pass *pass, const struct phi_pair *pair)
{
	const struct phi_tensor *const a = phi_pair_tensor(pass->comparison, pair, 0);
	const struct phi_tensor *const b = phi_pair_tensor(pass->comparison, pair, 1);
	const struct phi_pair *const first = a->alias == PHI_NONE ? NULL : pass->of[a->alias];
	return first && b->alias != PHI_NONE && first->b == b->alias ? first : NULL;
}

/* Two tensors with bytes that can be compared. */
static bool
to_measure(const struct phi_comparison *c, const struct phi_pair *pair)
{
	return pair->state == PHI_PAIR_EQUAL && pair->a != PHI_NONE && pair->b != PHI_NONE &&
		phi_pair_tensor(c, pair, 0)->nplanes && phi_pair_tensor(c, pair, 1)->nplanes;
}

/* Numbers for all columns of the pair's tensors: those of one expert, where the importance is of all that a tensor
 * was stacked of. */
static bool
set_numbers(const struct phi_comparison *c, struct phi_pair *pair, const struct phi_importance_of *of)
{
	const struct phi_tensor *const t = phi_pair_tensor(c, pair, 0);
	const uint64_t numbers = phi_tensor_row(t) * (t->rank > 2 ? t->shape[0] : 1);
	const int expert = phi_family_expert(c->source[0]->model, t);
	if (of->size != numbers) {
		if (expert < 0 || !numbers || of->size % numbers || (uint64_t)expert >= of->size / numbers)
			return false;
		pair->importance_first = (uint64_t)expert * numbers;
	}
	pair->importance = &of->numbers;
	return true;
}

/* By any of the names that the pair has. */
static void
set_importance(const struct phi_comparison *c, struct phi_pair *pair)
{
	for (unsigned i = 0; i < 4; i++) {
		const struct phi_tensor *const side = phi_pair_tensor(c, pair, i / 2);
		const char *const name = i % 2 ? side->canonical : side->name;
		const struct phi_importance_of *const of =
			name ? phi_importance_find(c->options->importance, name) : NULL;
		if (of && set_numbers(c, pair, of))
			return;
	}
}

static int
measure(struct pass *pass, struct phi_err *err)
{
	struct phi_comparison *const c = pass->comparison;
	size_t njobs = 0;
	for (size_t i = 0; i < c->npairs; i++)
		if (to_measure(c, &c->pairs[i]))
			pass->of[c->pairs[i].a] = &c->pairs[i];
	for (size_t i = 0; i < c->npairs && c->options->importance; i++)
		if (to_measure(c, &c->pairs[i]))
			set_importance(c, &c->pairs[i]);
	for (size_t i = 0; i < c->npairs; i++)
		if (to_measure(c, &c->pairs[i]) && !copied_from(pass, &c->pairs[i]))
			pass->jobs[njobs++] = (struct phi_reduce_job){{c->pairs[i].a, c->pairs[i].b}};
	const struct phi_reduction reduction = {.ctx = pass,
		.partial_size = sizeof(struct part), .tile = compare_tile, .merge = merge_tile};
	const struct phi_reduce_options options = {.size = sizeof options, .jobs = c->options->jobs,
		.converters = c->options->converters, .spool = c->options->spool,
		.progress = c->options->progress, .progress_ctx = c->options->progress_ctx};
	if (phi_reduce(c->source, 2, pass->jobs, njobs, &reduction, &options, err))
		return -1;
	for (size_t i = 0; i < c->npairs; i++) {
		const struct phi_pair *const first =
			to_measure(c, &c->pairs[i]) ? copied_from(pass, &c->pairs[i]) : NULL;
		if (!first)
			continue;
		c->pairs[i].distance = first->distance;
		c->pairs[i].stats = first->stats;
	}
	return 0;
}

/* Every tolerance that was given is kept, and one was given. */
static bool
within(const struct phi_distance *d, const struct phi_diff_options *o)
{
	if (o->max_abs < 0 && o->rmse < 0 && o->relative < 0 && o->sqnr < 0)
		return false;
	return !d->strange && !d->undecoded && (o->max_abs < 0 || d->max_abs <= o->max_abs) &&
		(o->rmse < 0 || phi_distance_rmse(d) <= o->rmse) &&
		(o->relative < 0 || phi_distance_relative(d) <= o->relative) &&
		(o->sqnr < 0 || phi_distance_sqnr(d) >= o->sqnr);
}

static void
judge(struct phi_comparison *c, struct phi_pair *pair)
{
	const struct phi_tensor *const a = phi_pair_tensor(c, pair, 0), *const b = phi_pair_tensor(c, pair, 1);
	if (pair->state == PHI_PAIR_EQUAL && pair->distance.values_differ)
		pair->state = pair->distance.undecoded && a && b && !phi_type_same(a->type, b->type) ? PHI_PAIR_UNKNOWN
			: within(&pair->distance, c->options)		    ? PHI_PAIR_WITHIN
										    : PHI_PAIR_DIFFERS;
	c->count[pair->state]++;
	c->types_differ += a && b && !phi_type_same(a->type, b->type);
}

/* Worst first: what is missing, then what could not be compared, then by falling SQNR; equal ones of
 * different types before those of the same. Names break ties, so that the order is total. */
static int
by_badness(const void *x, const void *y, void *ctx)
{
	const struct phi_comparison *const c = ctx;
	const struct phi_pair *const p = x, *const q = y;
	if (p->state != q->state)
		return p->state < q->state ? -1 : 1;
	if ((p->distance.strange > 0) != (q->distance.strange > 0))
		return p->distance.strange > 0 ? -1 : 1;
	const double s = phi_distance_sqnr(&p->distance), t = phi_distance_sqnr(&q->distance);
	if (s != t)
		return s < t ? -1 : 1;
	return strcmp(phi_pair_name(c, p), phi_pair_name(c, q));
}

/* Room for what was asked for beyond the distance. */
static int
allocate(struct phi_comparison *c, struct phi_err *err)
{
	if (c->options->blocks &&
		!(c->blocks = phi_calloc(c->options->blocks + 1, sizeof *c->blocks, err)))
		return -1;
	if (!c->options->stats)
		return 0;
	c->stats = phi_calloc(2 * c->npairs + 1, sizeof *c->stats, err);
	for (size_t i = 0; i < c->npairs && c->stats; i++)
		if (to_measure(c, &c->pairs[i]))
			c->pairs[i].stats = &c->stats[2 * i];
	return c->stats ? 0 : -1;
}

int
phi_comparison_measure(struct phi_comparison *c, struct phi_err *err)
{
	const size_t na = c->source[0]->model->ntensors;
	struct pass pass = {.comparison = c};
	pass.jobs = phi_calloc(c->npairs + 1, sizeof *pass.jobs, err);
	pass.of = phi_calloc(na + 1, sizeof(struct phi_pair *), err);
	const int result = pass.jobs && pass.of && !allocate(c, err) ? measure(&pass, err) : -1;
	phi_free(pass.jobs);
	phi_free(pass.of);
	for (size_t i = 0; i < c->npairs && !result; i++)
		judge(c, &c->pairs[i]);
	if (!result)
		qsort_r(c->pairs, c->npairs, sizeof *c->pairs, by_badness, c);
	return result;
}
