/* Holding: reading a sequential source in an order that is not quite that of arrival. A storage that
 * is needed again after the stream has passed it is kept in memory, whole, from its arrival to its
 * last use. Private to the pump. */
#ifndef PHI_CORE_HOLD_H
#define PHI_CORE_HOLD_H

#include "formats/core/schedule.h"

struct phi_hold;

/* Which storages a schedule makes necessary to hold. Fails only for memory. */
struct phi_hold *phi_hold_new(const struct phi_schedule *schedule, struct phi_source *source,
	struct phi_err *err);
void phi_hold_free(struct phi_hold *hold);
/* The most bytes held at a time; 0 when the schedule follows the order of arrival. */
uint64_t phi_hold_peak(const struct phi_hold *hold);

/* Reads a chunk of a segment; chunks are asked for in the schedule's order, one at a time. */
int phi_hold_read(struct phi_hold *hold, const struct phi_segment *segment, uint64_t first,
	uint64_t n, void *dst, struct phi_err *err);

#endif
