/* The flat sink, with the CRC-32 of each record on the way. The CRC of a whole is the exclusive or of its
 * chunks' CRCs, each moved on by the bytes that follow its chunk: no order is needed, nothing is kept.
 * Literals are completed when what they depend on was written: on a pipe that is their turn, in a file
 * the end. */
#include "formats/core/zip_plan.h"

#include "formats/core/bytes.h"
#include "formats/core/memory.h"

#include <stdatomic.h>
#include <zlib.h>

struct state {
	_Atomic uint32_t *running; /* of each record; those of data are not final before their end */
	uint32_t *record_of;	   /* of each item: its record, or PHI_NONE */
	uint32_t *crcs;		   /* of each record, as far as literals have asked */
	size_t next;		   /* patch */
	struct phi_buffer literal; /* the last that was completed */
};

static const struct phi_zip_set none;

static const struct phi_zip_set *
set_of(const struct phi_sink *sink)
{
	return sink->plan->state ? sink->plan->state : &none;
}

static bool
sequential(const struct phi_sink *sink)
{
	return phi_sink_flat.sequential(sink);
}

static int
begin(struct phi_sink *sink, struct phi_err *err)
{
	const struct phi_zip_set *const set = set_of(sink);
	struct state *const s = phi_calloc(1, sizeof *s, err);
	sink->state = s;
	if (!s)
		return -1;
	s->running = phi_calloc(set->nrecords, sizeof *s->running, err);
	s->crcs = phi_calloc(set->nrecords, sizeof *s->crcs, err);
	s->record_of = phi_calloc(sink->plan->nitems, sizeof *s->record_of, err);
	if (!s->running || !s->crcs || !s->record_of)
		return -1;
	for (size_t i = 0; i < sink->plan->nitems; i++)
		s->record_of[i] = PHI_NONE;
	for (uint32_t i = 0; i < set->nrecords; i++) {
		atomic_init(&s->running[i], set->records[i].crc);
		if (set->records[i].item != SIZE_MAX)
			s->record_of[set->records[i].item] = i;
	}
	return phi_sink_flat.begin(sink, err);
}

static int
data(struct phi_sink *sink, const struct phi_item *item, uint64_t offset, const void *src, size_t n,
	struct phi_err *err)
{
	struct state *const s = sink->state;
	const uint32_t record = s->record_of[item - sink->plan->items];
	if (record != PHI_NONE) {
		const uLong crc = crc32_z(0, src, n);
		const uint64_t rest = item->size - offset - n;
		atomic_fetch_xor(&s->running[record],
			(uint32_t)crc32_combine(crc, 0, (z_off_t)rest));
	}
	return phi_sink_flat.data(sink, item, offset, src, n, err);
}

static int
apply(struct state *s, const struct phi_zip_set *set, const struct phi_zip_patch *p, uint8_t *dst,
	struct phi_err *err)
{
	const size_t size = (size_t)set->records[p->record].size;
	if (p->seal) {
		if (p->seal(set->records + p->first, s->crcs + p->first, p->record - p->first, dst,
			    size, err))
			return -1;
		atomic_store(&s->running[p->record], (uint32_t)crc32_z(0, dst, size));
		return 0;
	}
	s->crcs[p->record] = atomic_load(&s->running[p->record]);
	phi_store32(dst, s->crcs[p->record]);
	return 0;
}

static const void *
literal(struct phi_sink *sink, const struct phi_item *item, struct phi_err *err)
{
	struct state *const s = sink->state;
	const struct phi_zip_set *const set = set_of(sink);
	const size_t index = (size_t)(item - sink->plan->items);
	if (s->next == set->npatches || set->patches[s->next].item != index)
		return item->literal;
	s->literal.size = 0;
	if (phi_buffer_append(&s->literal, item->literal, (size_t)item->size, err))
		return NULL;
	for (; s->next < set->npatches && set->patches[s->next].item == index; s->next++) {
		const struct phi_zip_patch *const p = &set->patches[s->next];
		if (apply(s, set, p, s->literal.data + (p->offset - item->offset), err))
			return NULL;
	}
	return s->literal.data;
}

static int
end(struct phi_sink *sink, struct phi_err *err)
{
	return phi_sink_flat.end(sink, err);
}

static void
close_state(struct phi_sink *sink)
{
	struct state *const s = sink->state;
	if (!s)
		return;
	phi_free(s->running);
	phi_free(s->crcs);
	phi_free(s->record_of);
	phi_buffer_free(&s->literal);
	phi_free(s);
}

const struct phi_sink_ops phi_sink_zip = {
	.sequential = sequential,
	.begin = begin,
	.data = data,
	.literal = literal,
	.end = end,
	.close = close_state,
};
