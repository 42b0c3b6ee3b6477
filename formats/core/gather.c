#include "formats/core/gather.h"

#include "formats/core/memory.h"

#include <stdlib.h>

struct phi_gather {
	const struct phi_schedule *schedule;
	struct phi_meter *meters; /* of each segment; unset where nothing is converted */
	struct phi_loss *tickets;
	const struct phi_segment **order; /* the segments in the order of the items' bytes */
};

static bool
is_converted(const struct phi_segment *s)
{
	return s->from && s->type != s->tensor->type && !s->scale;
}

static int
by_place(const void *pa, const void *pb)
{
	const struct phi_segment *const a = *(const struct phi_segment *const *)pa;
	const struct phi_segment *const b = *(const struct phi_segment *const *)pb;
	if (a->item != b->item)
		return a->item < b->item ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int
find_meters(struct phi_gather *g, const struct phi_converters *converters, struct phi_err *err)
{
	for (size_t i = 0; i < g->schedule->nsegments; i++) {
		const struct phi_segment *const s = &g->schedule->segments[i];
		g->order[i] = s;
		if (is_converted(s) && phi_meter_find(converters, s->type, s->tensor->type, &g->meters[i], err) < 0)
			return -1;
	}
	qsort(g->order, g->schedule->nsegments, sizeof *g->order, by_place);
	return 0;
}

struct phi_gather *
phi_gather_new(const struct phi_schedule *schedule, const struct phi_converters *converters, struct phi_err *err)
{
	struct phi_gather *const g = phi_calloc(1, sizeof *g, err);
	if (!g)
		return NULL;
	g->schedule = schedule;
	g->meters = phi_calloc(schedule->nsegments + 1, sizeof *g->meters, err);
	g->order = g->meters ? phi_calloc(schedule->nsegments + 1, sizeof *g->order, err) : NULL;
	g->tickets = g->order ? phi_calloc(schedule->tickets + 1, sizeof *g->tickets, err) : NULL;
	if (g->tickets && find_meters(g, converters, err) == 0)
		return g;
	phi_gather_free(g);
	return NULL;
}

void
phi_gather_free(struct phi_gather *gather)
{
	if (!gather)
		return;
	phi_free(gather->meters);
	phi_free(gather->tickets);
	phi_free(gather->order);
	phi_free(gather);
}

void
phi_gather_take(struct phi_gather *gather, const struct phi_segment *segment, uint64_t ticket, const void *was,
	const void *made, uint64_t n, const float *importance)
{
	if (segment->scale)
		return;
	phi_meter_read(&gather->meters[segment - gather->schedule->segments], was, made, n,
		phi_tensor_row(segment->tensor), importance, &gather->tickets[ticket]);
}

void
phi_gather_sum(struct phi_gather *gather, struct phi_loss *losses)
{
	const struct phi_schedule *const schedule = gather->schedule;
	for (size_t i = 0; i < schedule->nsegments; i++) {
		const struct phi_segment *const s = gather->order[i];
		const uint64_t tickets = (s->units + s->chunk - 1) / s->chunk;
		for (uint64_t t = s->ticket; t < s->ticket + tickets; t++)
			phi_loss_add(&losses[s->item->tensor], &gather->tickets[t]);
	}
}
