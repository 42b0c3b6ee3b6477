#include "formats/core/hold.h"

#include "formats/core/memory.h"

#include <string.h>

enum state { UNUSED, FLOWS, HELD };

/* What the schedule does with one storage. */
struct use {
	enum state state;
	uint64_t reads;	 /* segments that still read it */
	uint64_t end;	 /* where the last segment in the schedule's order stopped, in bytes */
	uint8_t *bytes;	 /* HELD and arrived */
};

struct phi_hold {
	struct phi_source *source;
	struct use *uses; /* of each storage */
	uint32_t arrived; /* storages before this one have passed */
	uint64_t peak;
};

static uint32_t
storage_of(const struct phi_segment *s)
{
	return s->from->plane[0].storage;
}

static uint64_t
begin_of(const struct phi_segment *s)
{
	const struct phi_type *const t = s->from->type;
	return s->from->plane[0].offset + s->first / t->elements * t->bytes;
}

static uint64_t
end_of(const struct phi_segment *s)
{
	const struct phi_type *const t = s->from->type;
	return begin_of(s) + s->units / t->elements * t->bytes;
}

/* A storage flows if its reads follow each other with nothing later in between; else it is held. */
static void
classify(struct phi_hold *hold, const struct phi_schedule *schedule)
{
	uint32_t furthest = 0;
	for (size_t i = 0; i < schedule->nsegments; i++) {
		const struct phi_segment *const s = &schedule->segments[i];
		if (!s->from)
			continue;
		struct use *const use = &hold->uses[storage_of(s)];
		if (storage_of(s) < furthest || (use->reads && begin_of(s) < use->end))
			use->state = HELD;
		else if (use->state == UNUSED)
			use->state = FLOWS;
		use->reads++;
		use->end = end_of(s);
		if (furthest < storage_of(s))
			furthest = storage_of(s);
	}
}

/* Plays the schedule with sizes only. */
static int
measure(struct phi_hold *hold, const struct phi_schedule *schedule, struct phi_err *err)
{
	const size_t n = hold->source->model->nstorages;
	uint64_t *const left = phi_calloc(n + 1, sizeof *left, err);
	uint64_t now = 0;
	uint32_t arrived = 0;
	if (!left)
		return -1;
	for (size_t i = 0; i < n; i++)
		left[i] = hold->uses[i].reads;
	for (size_t i = 0; i < schedule->nsegments; i++) {
		if (!schedule->segments[i].from)
			continue;
		const uint32_t storage = storage_of(&schedule->segments[i]);
		for (; arrived <= storage; arrived++)
			if (hold->uses[arrived].state == HELD)
				now += hold->source->model->storages[arrived].size;
		if (hold->peak < now)
			hold->peak = now;
		if (--left[storage] == 0 && hold->uses[storage].state == HELD)
			now -= hold->source->model->storages[storage].size;
	}
	phi_free(left);
	return 0;
}

struct phi_hold *
phi_hold_new(const struct phi_schedule *schedule, struct phi_source *source, struct phi_err *err)
{
	struct phi_hold *const hold = phi_calloc(1, sizeof *hold, err);
	if (!hold)
		return NULL;
	hold->source = source;
	hold->uses = phi_calloc(source->model->nstorages + 1, sizeof *hold->uses, err);
	if (!hold->uses) {
		phi_hold_free(hold);
		return NULL;
	}
	classify(hold, schedule);
	if (measure(hold, schedule, err) < 0) {
		phi_hold_free(hold);
		return NULL;
	}
	return hold;
}

void
phi_hold_free(struct phi_hold *hold)
{
	if (!hold)
		return;
	for (size_t i = 0; hold->uses && i < hold->source->model->nstorages; i++)
		phi_free(hold->uses[i].bytes);
	phi_free(hold->uses);
	phi_free(hold);
}

uint64_t
phi_hold_peak(const struct phi_hold *hold)
{
	return hold->peak;
}

/* Lets everything up to and including `storage` arrive, keeping what must be held. */
static int
arrive(struct phi_hold *hold, uint32_t storage, struct phi_err *err)
{
	for (; hold->arrived <= storage; hold->arrived++) {
		struct use *const use = &hold->uses[hold->arrived];
		const uint64_t size = hold->source->model->storages[hold->arrived].size;
		if (use->state != HELD)
			continue;
		use->bytes = phi_alloc((size_t)size, err);
		if (!use->bytes ||
			phi_source_read(hold->source, hold->arrived, 0, use->bytes, (size_t)size,
				err) < 0)
			return -1;
	}
	return 0;
}

int
phi_hold_read(struct phi_hold *hold, const struct phi_segment *segment, uint64_t first, uint64_t n,
	void *dst, struct phi_err *err)
{
	const struct phi_type *const t = segment->from->type;
	const uint32_t storage = storage_of(segment);
	struct use *const use = &hold->uses[storage];
	if (arrive(hold, storage, err) < 0)
		return -1;
	if (use->state != HELD)
		return phi_tensor_read(hold->source, segment->from, false, segment->first + first, n,
			dst, err);
	memcpy(dst, use->bytes + begin_of(segment) + first / t->elements * t->bytes,
		(size_t)(n / t->elements * t->bytes));
	if (first + n == segment->units && --use->reads == 0) {
		phi_free(use->bytes);
		use->bytes = NULL;
	}
	return 0;
}
