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

/* What a worker carries: for each lane a tile as stored and decoded, and the partial result. */
struct slot {
	struct phi_tile tile;
	void *raw[PHI_LANES_MAX];
	float *values[PHI_LANES_MAX];
	void *partial;
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

static int
read_lane(const struct pass *pass, struct slot *slot, unsigned lane, struct phi_err *err)
{
	struct phi_tile *const tile = &slot->tile;
	const struct phi_tensor *const t = lane_tensor(pass, tile->job, lane);
	/* The largest element of all types has 16 bytes. */
	if (!slot->raw[lane] && !(slot->raw[lane] = phi_alloc((size_t)PHI_TILE * 16, err)))
		return -1;
	phi_type_size(t->type, tile->n, &tile->raw_size[lane]);
	tile->raw[lane] = slot->raw[lane];
	return phi_tensor_read(pass->sources[lane], t, false, tile->first, tile->n, slot->raw[lane],
		err);
}

static int
pass_read(void *ctx, uint64_t ticket, void *carried, struct phi_err *err)
{
	const struct pass *const pass = ctx;
	struct slot *const slot = carried;
	const uint32_t job = job_of(pass, ticket);
	uint64_t n;
	phi_tensor_elements(lane_tensor(pass, job, 0), &n);
	slot->tile = (struct phi_tile){ .job = job,
		.first = (ticket - pass->tickets[job]) * PHI_TILE };
	slot->tile.n = n - slot->tile.first < PHI_TILE ? n - slot->tile.first : PHI_TILE;
	for (unsigned lane = 0; lane < pass->nlanes; lane++)
		if (read_lane(pass, slot, lane, err) < 0)
			return in_tensor(pass, job, lane, err);
	return 0;
}

/* Decodes a lane; a type without decoding leaves values NULL and the reduction to its own devices. */
static int
decode_lane(const struct pass *pass, struct slot *slot, unsigned lane, struct phi_err *err)
{
	struct phi_tile *const tile = &slot->tile;
	const struct phi_tensor *const t = lane_tensor(pass, tile->job, lane);
	const struct phi_type *const f32 = phi_type_of(PHI_F32);
	struct phi_convert convert;
	uint64_t bad;
	if (t->type == f32) {
		tile->values[lane] = tile->raw[lane];
		return 0;
	}
	if (pass->options->converters->find(t->type, f32, &convert, NULL) < 0)
		return 0;
	if (!slot->values[lane] &&
		!(slot->values[lane] = phi_alloc(PHI_TILE * sizeof(float), err)))
		return -1;
	convert.run(&convert, tile->raw[lane], slot->values[lane], tile->n, phi_tensor_row(t), NULL,
		PHI_OVERFLOW_KEEP, &bad);
	tile->values[lane] = slot->values[lane];
	return 0;
}

static int
pass_work(void *ctx, uint64_t ticket, void *carried, struct phi_err *err)
{
	const struct pass *const pass = ctx;
	struct slot *const slot = carried;
	(void)ticket;
	const size_t size = pass->reduction->partial_size;
	if (!slot->partial && !(slot->partial = phi_alloc(size, err)))
		return -1;
	for (unsigned lane = 0; pass->options->converters && lane < pass->nlanes; lane++)
		if (decode_lane(pass, slot, lane, err) < 0)
			return -1;
	memset(slot->partial, 0, size);
	pass->reduction->tile(pass->reduction->ctx, &slot->tile, slot->partial);
	return 0;
}

static int
pass_merge(void *ctx, uint64_t ticket, void *carried, struct phi_err *err)
{
	struct pass *const pass = ctx;
	const struct slot *const slot = carried;
	(void)ticket;
	if (pass->reduction->merge(pass->reduction->ctx, &slot->tile, slot->partial, err) < 0)
		return -1;
	/* Merging is ordered, so this is never called from two threads. */
	pass->done += slot->tile.raw_size[0];
	if (pass->options->progress)
		pass->options->progress(pass->options->progress_ctx, pass->done, pass->total);
	return 0;
}

static void
pass_drop(void *ctx, void *carried)
{
	struct slot *const slot = carried;
	(void)ctx;
	for (unsigned lane = 0; lane < PHI_LANES_MAX; lane++) {
		phi_free(slot->raw[lane]);
		phi_free(slot->values[lane]);
	}
	phi_free(slot->partial);
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
		pass->tickets[i + 1] = pass->tickets[i] + (n + PHI_TILE - 1) / PHI_TILE;
		if (phi_tensor_bytes(t, &bytes))
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
