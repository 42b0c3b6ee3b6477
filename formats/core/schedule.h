/* The schedule of a plan: its items cut into segments (one part of one item), the segments put in the
 * order in which they will be made, each cut into chunks: the tickets of the pump's relay. Private to
 * the pump. */
#ifndef PHI_CORE_SCHEDULE_H
#define PHI_CORE_SCHEDULE_H

#include "formats/core/pump.h"

struct phi_segment {
	const struct phi_item *item;
	const struct phi_tensor *tensor; /* of the lowered model */
	const size_t *torn; /* the items of the fields; `item` is the first. Or NULL: one item */
	bool apart;	    /* torn: only the field of `item`, as a sink that is written in order wants it */
	const struct phi_part *part;
	const struct phi_tensor *from; /* of the origin; NULL for literal and generated parts */
	const struct phi_type *type;   /* that of `from` as it is read */
	struct phi_convert convert;    /* type to tensor->type; unused when equal */
	void (*scale)(const struct phi_scaling *, const float *, void *, uint64_t, uint64_t); /* its `convert` if the
					* tensor is scaled, else NULL */
	bool weighted;		       /* by tensor->importance; chunks are whole rows then */
	uint64_t first;		       /* element of `from` (as transposed) where the part begins */
	uint64_t units;		       /* elements of the part; bytes for literal and generated ones */
	uint64_t chunk;		       /* units of a chunk; a multiple of both blocks */
	uint64_t offset;	       /* of the part in the item, in bytes */
	uint64_t ticket;	       /* the first of its chunks */
};

struct phi_schedule {
	struct phi_segment *segments;
	size_t nsegments, capacity;
	uint64_t tickets;
	size_t in_bytes, out_bytes; /* of the largest chunk, before and after converting */
	size_t columns_bytes;	    /* of the importance of the longest row */
	bool strided;		    /* some part is transposed, or read more than once: a sequential source must be settled */
};

/* In the order of the source's storages, or in the order of the items, or in that one with each field of torn blocks made
 * by itself, all of it once more. Fails if a conversion does not exist. */
enum phi_schedule_order { PHI_BY_ARRIVAL, PHI_BY_ITEM, PHI_BY_FIELD };
int phi_schedule_make(struct phi_schedule *schedule, const struct phi_plan *plan,
	const struct phi_converters *converters, enum phi_schedule_order order, struct phi_err *err);
void phi_schedule_free(struct phi_schedule *schedule);

/* The segment of a ticket. */
const struct phi_segment *phi_schedule_find(const struct phi_schedule *schedule, uint64_t ticket);

#endif
