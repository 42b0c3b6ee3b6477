#include "formats/core/reduce.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/relay.h"

#include <stdlib.h>
#include <string.h>

struct pass {
	struct phi_source *const *sources;
	unsigned nlanes;
	const struct phi_reduce_job *jobs;
	size_t njobs;
	uint64_t *tickets; /* the first of each job; one more at the end */
	const struct phi_reduction *reduction;
	const struct phi_reduce_options *options;
	uint64_t done, total;
};

/* Packed tensors are best read many rows at a time (packed_read.c): a ticket is then a strip of tiles,
 * else a single one. */
enum { STRIP_TILES = 16 };

/* What a worker carries: for each lane a strip as stored and decoded, and a partial result a tile. */
struct slot {
	uint32_t job;
	uint64_t first, n; /* elements of the strip */
	struct lane {
		void *raw;
		float *values;
		size_t raw_capacity, values_capacity;
		const float *decoded; /* raw or values; NULL: there is no decoding */
	} lane[PHI_LANES_MAX];
	uint8_t *partials;
	size_t capacity;
};

static const struct phi_tensor *
lane_tensor(const struct pass *pass, uint32_t job, unsigned lane)
{
	return &pass->sources[lane]->model->tensors[pass->jobs[job].tensor[lane]];
}

static int
in_tensor(const struct pass *pass, uint32_t job, unsigned lane, struct phi_err *err)
{
	const struct phi_tensor *const t = lane_tensor(pass, job, lane);
	struct phi_quoted q;
	phi_context(err, "tensor %s", phi_quote(&q, t->name));
	return phi_source_blame(pass->sources[lane],
		t->nplanes ? t->plane[0].storage : PHI_NONE, err);
}

static uint32_t
job_of(const struct pass *pass, uint64_t ticket)
{
	size_t low = 0, high = pass->njobs;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;
		if (pass->tickets[middle] <= ticket)
			low = middle;
		else
			high = middle;
	}
	return (uint32_t)low;
}

static unsigned
strip_of(const struct pass *pass, uint32_t job)
{
	for (unsigned lane = 0; lane < pass->nlanes; lane++)
		if (lane_tensor(pass, job, lane)->type->class == PHI_CLASS_PACKED)
			return STRIP_TILES;
	return 1;
}

static int
read_lane(const struct pass *pass, struct slot *slot, unsigned lane, struct phi_err *err)
{
	struct lane *const l = &slot->lane[lane];
	const struct phi_tensor *const t = lane_tensor(pass, slot->job, lane);
	uint64_t bytes = 0;
	phi_type_size(phi_type_read(t->type), slot->n, &bytes);
	if (phi_reserve(&l->raw, &l->raw_capacity, bytes, err) < 0)
		return -1;
	return phi_tensor_load(pass->sources[lane], t,
		pass->options->converters ? pass->options->converters->unpack : NULL, false,
		slot->first, slot->n, l->raw, err);
}

static int
pass_read(void *ctx, uint64_t ticket, void *carried, struct phi_err *err)
{
	const struct pass *const pass = ctx;
	struct slot *const slot = carried;
	const uint32_t job = job_of(pass, ticket);
	const uint64_t most = (uint64_t)PHI_TILE * strip_of(pass, job);
	uint64_t n;
	phi_tensor_elements(lane_tensor(pass, job, 0), &n);
	slot->job = job;
	slot->first = (ticket - pass->tickets[job]) * most;
	slot->n = n - slot->first < most ? n - slot->first : most;
	for (unsigned lane = 0; lane < pass->nlanes; lane++)
		if (read_lane(pass, slot, lane, err) < 0)
			return in_tensor(pass, job, lane, err);
	return 0;
}

/* Decodes a lane; a type without decoding leaves values NULL and the reduction to its own devices. */
static int
decode_lane(const struct pass *pass, struct slot *slot, unsigned lane, struct phi_err *err)
{
	struct lane *const l = &slot->lane[lane];
	const struct phi_tensor *const t = lane_tensor(pass, slot->job, lane);
	const struct phi_type *const f32 = phi_type_of(PHI_F32), *const from = phi_type_read(t->type);
	struct phi_convert convert;
	uint64_t bad;
	l->decoded = NULL;
	if (!pass->options->converters)
		return 0;
	if (from == f32) {
		l->decoded = l->raw;
		return 0;
	}
	if (pass->options->converters->find(from, f32, &convert, NULL) < 0)
		return 0;
	if (phi_reserve(&l->values, &l->values_capacity, slot->n * sizeof(float), err) < 0)
		return -1;
	convert.run(&convert, l->raw, l->values, slot->n, phi_tensor_row(t), NULL, PHI_OVERFLOW_KEEP,
		&bad);
	l->decoded = l->values;
	return 0;
}

static size_t
tiles_of(const struct slot *slot)
{
	return (size_t)((slot->n + PHI_TILE - 1) / PHI_TILE);
}

static struct phi_tile
tile_of(const struct pass *pass, const struct slot *slot, size_t i)
{
	const uint64_t at = (uint64_t)i * PHI_TILE;
	struct phi_tile tile = { .job = slot->job, .first = slot->first + at,
		.n = slot->n - at < PHI_TILE ? slot->n - at : PHI_TILE };
	for (unsigned lane = 0; lane < pass->nlanes; lane++) {
		const struct lane *const l = &slot->lane[lane];
		const struct phi_type *const type =
			phi_type_read(lane_tensor(pass, slot->job, lane)->type);
		uint64_t before = 0;
		phi_type_size(type, at, &before);
		phi_type_size(type, tile.n, &tile.raw_size[lane]);
		tile.raw[lane] = (const uint8_t *)l->raw + before;
		tile.values[lane] = l->decoded ? l->decoded + at : NULL;
	}
	return tile;
}

static int
pass_work(void *ctx, uint64_t ticket, void *carried, struct phi_err *err)
{
	const struct pass *const pass = ctx;
	struct slot *const slot = carried;
	const size_t size = pass->reduction->partial_size, tiles = tiles_of(slot);
	(void)ticket;
	if (phi_reserve(&slot->partials, &slot->capacity, tiles * size, err) < 0)
		return -1;
	for (unsigned lane = 0; lane < pass->nlanes; lane++)
		if (decode_lane(pass, slot, lane, err) < 0)
			return -1;
	memset(slot->partials, 0, tiles * size);
	for (size_t i = 0; i < tiles; i++) {
		const struct phi_tile tile = tile_of(pass, slot, i);
		pass->reduction->tile(pass->reduction->ctx, &tile, slot->partials + i * size);
	}
	return 0;
}

static int
pass_merge(void *ctx, uint64_t ticket, void *carried, struct phi_err *err)
{
	struct pass *const pass = ctx;
	const struct slot *const slot = carried;
	const size_t size = pass->reduction->partial_size;
	(void)ticket;
	for (size_t i = 0; i < tiles_of(slot); i++) {
		const struct phi_tile tile = tile_of(pass, slot, i);
		if (pass->reduction->merge(pass->reduction->ctx, &tile, slot->partials + i * size,
			    err) < 0)
			return -1;
		/* Merging is ordered, so this is never called from two threads. */
		pass->done += tile.raw_size[0];
		if (pass->options->progress)
			pass->options->progress(pass->options->progress_ctx, pass->done, pass->total);
	}
	return 0;
}

static void
pass_drop(void *ctx, void *carried)
{
	struct slot *const slot = carried;
	(void)ctx;
	for (unsigned lane = 0; lane < PHI_LANES_MAX; lane++) {
		phi_free(slot->lane[lane].raw);
		phi_free(slot->lane[lane].values);
	}
	phi_free(slot->partials);
}

static const struct phi_plane *
arrival(const struct phi_source *source, uint32_t tensor)
{
	return &source->model->tensors[tensor].plane[0];
}

static bool
comes_before(const struct phi_plane *a, const struct phi_plane *b)
{
	return a->storage != b->storage ? a->storage < b->storage : a->offset < b->offset;
}

/* Insertion of the few that are out of place would be quadratic on a hostile order: sort keys. */
struct keyed {
	struct phi_plane plane;
	struct phi_reduce_job job;
};

static int
by_arrival(const void *a, const void *b)
{
	const struct phi_plane *const x = &((const struct keyed *)a)->plane;
	const struct phi_plane *const y = &((const struct keyed *)b)->plane;
	return comes_before(x, y) ? -1 : comes_before(y, x);
}

/* Sorts the jobs as lane's tensors arrive. Returns 1 if some tensor is needed twice (an alias), which
 * a stream cannot give; 0; -1. */
static int
sort_jobs(const struct phi_source *source, unsigned lane, struct phi_reduce_job *jobs, size_t njobs,
	struct phi_err *err)
{
	struct keyed *const keys = phi_calloc(njobs + 1, sizeof *keys, err);
	int twice = 0;
	if (!keys)
		return -1;
	for (size_t i = 0; i < njobs; i++)
		keys[i] = (struct keyed){ *arrival(source, jobs[i].tensor[lane]), jobs[i] };
	qsort(keys, njobs, sizeof *keys, by_arrival);
	for (size_t i = 0; i < njobs; i++) {
		jobs[i] = keys[i].job;
		twice |= i && !comes_before(&keys[i - 1].plane, &keys[i].plane);
	}
	phi_free(keys);
	return twice;
}

/* One sequential source rules the order; any other, and one that is asked twice for the same, settles. */
static int
order_jobs(struct pass *pass, struct phi_reduce_job *jobs, bool *ordered, struct phi_err *err)
{
	*ordered = false;
	for (unsigned lane = 0; lane < pass->nlanes; lane++) {
		struct phi_source *const source = pass->sources[lane];
		if (!source->sequential)
			continue;
		const int twice =
			*ordered ? 1 : sort_jobs(source, lane, jobs, pass->njobs, err);
		if (twice < 0 ||
			(twice && phi_source_settle(source, pass->options->spool, err) < 0))
			return -1;
		*ordered |= !twice;
	}
	return 0;
}

static int
issue_tickets(struct pass *pass, struct phi_err *err)
{
	pass->tickets = phi_calloc(pass->njobs + 1, sizeof *pass->tickets, err);
	if (!pass->tickets)
		return -1;
	for (size_t i = 0; i < pass->njobs; i++) {
		uint64_t n, bytes;
		const struct phi_tensor *const t = lane_tensor(pass, (uint32_t)i, 0);
		phi_tensor_elements(t, &n);
		const uint64_t strip = (uint64_t)PHI_TILE * strip_of(pass, (uint32_t)i);
		pass->tickets[i + 1] = pass->tickets[i] + (n + strip - 1) / strip;
		if (phi_type_size(phi_type_read(t->type), n, &bytes))
			pass->total += bytes;
	}
	return 0;
}

static int
run(struct pass *pass, struct phi_reduce_job *jobs, struct phi_err *err)
{
	bool ordered;
	if (order_jobs(pass, jobs, &ordered, err) < 0 || issue_tickets(pass, err) < 0)
		return -1;
	const struct phi_relay relay = {
		.ctx = pass,
		.tickets = pass->tickets[pass->njobs],
		.slot_size = sizeof(struct slot),
		.read = pass_read,
		.work = pass_work,
		.write = pass_merge,
		.drop = pass_drop,
		.ordered_read = ordered,
		.ordered_write = true,
	};
	if (phi_relay_run(&relay, pass->options->jobs, err) < 0)
		return -1;
	for (unsigned lane = 0; lane < pass->nlanes; lane++)
		if (phi_source_finish(pass->sources[lane], err) < 0)
			return -1;
	return 0;
}

int
phi_reduce(struct phi_source *const *sources, unsigned nlanes, struct phi_reduce_job *jobs,
	size_t njobs, const struct phi_reduction *reduction, const struct phi_reduce_options *options,
	struct phi_err *err)
{
	struct pass pass = { .sources = sources, .nlanes = nlanes, .jobs = jobs, .njobs = njobs,
		.reduction = reduction, .options = options };
	const int result = run(&pass, jobs, err);
	phi_free(pass.tickets);
	return result;
}
