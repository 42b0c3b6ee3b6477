/* The pump: the only loop over data. Reads chunks of the source, converts, gives them to the sink.
 *
 *   source   sink        who does what
 *   random   random      each worker does all three for its own chunk, in any order
 *   random   sequential  workers read and convert; written in the sink's order
 *   pipe     random      read in the order of arrival; written at the planned offsets
 *   pipe     sequential  both orders; where they differ, tensors that arrive early are held if they fit
 *                        into `memory`, else the source is settled (spooled) first
 *
 * The bytes written are the same in all four. A tensor that is planned as the fields of its blocks is torn
 * chunk by chunk when it is written. */
#ifndef PHI_CORE_PUMP_H
#define PHI_CORE_PUMP_H

#include "formats/core/loss.h"
#include "formats/core/sink.h"
#include "formats/core/source.h"

struct phi_pump_options {
	size_t size;   /* sizeof (struct phi_pump_options) */
	unsigned jobs; /* 0: all CPUs */
	enum phi_overflow overflow;
	const struct phi_converters *converters; /* NULL: nothing is converted */
	uint64_t memory; /* bytes that may be held; 0: 64 MiB */
	const struct phi_spool_options *spool;
	struct phi_loss *losses; /* NULL, or one for each tensor of the plan's model: what converting it lost is added */
	/* Called now and then with bytes done and in all, from any thread but never from two; or NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/* Checks that every conversion exists, so that a plan printed with -n is one that runs; sets
 * plan->memory to what the pump will hold. */
int phi_plan_measure(struct phi_plan *plan, const struct phi_source *source,
	const struct phi_pump_options *options, struct phi_err *err);

/* Runs the plan: begin, data, finish of the source, end and commit of the sink. */
int phi_pump(struct phi_source *source, struct phi_sink *sink,
	const struct phi_pump_options *options, struct phi_err *err);

#endif
