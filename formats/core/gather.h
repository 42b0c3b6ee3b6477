/* Gathers what each tensor of a plan loses while the pump converts it: a partial sum for each ticket, added up in the
 * order of the items' bytes, so that neither threads nor the order of arrival change the result. Private to the
 * pump. */
#ifndef PHI_CORE_GATHER_H
#define PHI_CORE_GATHER_H

#include "formats/core/loss.h"
#include "formats/core/schedule.h"

struct phi_gather;

/* Lends the schedule. Forty bytes a ticket are held: 0.2 % of a byte or less for each byte read. */
struct phi_gather *phi_gather_new(const struct phi_schedule *schedule, const struct phi_converters *converters,
	struct phi_err *err);
void phi_gather_free(struct phi_gather *gather);

/* n elements of a ticket were converted, with the importance of their columns (then they begin a row) or NULL; called
 * for each ticket from one thread at a time. */
void phi_gather_take(struct phi_gather *gather, const struct phi_segment *segment, uint64_t ticket, const void *was,
	const void *made, uint64_t n, const float *importance);
/* Adds all to `losses`, one for each tensor of the plan's model. */
void phi_gather_sum(struct phi_gather *gather, struct phi_loss *losses);

#endif
