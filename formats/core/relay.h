/* The relay: the only place that knows threads.
 *
 * Work is a sequence of tickets 0, 1, 2 ... Each ticket passes three stations with one of a bounded
 * number of slots in hand: read -> work -> write. A station that is marked ordered is passed by one
 * ticket at a time, in the order of the tickets (a pipe is read and written so); the others run in
 * parallel. A worker carries its ticket through all three stations, so at most `jobs` tickets are
 * under way and memory is bounded by jobs * slot, whatever the number of tickets.
 *
 * The failure earliest in ticket order wins: tickets after it are not started, tickets before it run
 * on. So messages do not depend on timing. With jobs 1 nothing is started: the caller's thread does all.
 */
#ifndef PHI_CORE_RELAY_H
#define PHI_CORE_RELAY_H

#include "formats/core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct phi_relay {
	void *ctx;
	uint64_t tickets;
	size_t slot_size; /* bytes of the memory each worker carries; zeroed at first, kept between tickets */
	/* Each returns 0 or -1; may be NULL. */
	int (*read)(void *ctx, uint64_t ticket, void *slot, struct phi_err *err);
	int (*work)(void *ctx, uint64_t ticket, void *slot, struct phi_err *err);
	int (*write)(void *ctx, uint64_t ticket, void *slot, struct phi_err *err);
	bool ordered_read, ordered_write;
	/* Frees what a slot holds; may be NULL. */
	void (*drop)(void *ctx, void *slot);
};

/* jobs 0: one a CPU that this process may use. */
int phi_relay_run(const struct phi_relay *relay, unsigned jobs, struct phi_err *err);
unsigned phi_relay_cpus(void);

#endif
