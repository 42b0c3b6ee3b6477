#include "formats/core/sink.h"

#include "formats/core/format.h"
#include "formats/core/memory.h"

struct phi_sink *
phi_sink_open(const struct phi_plan *plan, struct phi_output *output, struct phi_err *err)
{
	struct phi_sink *const sink = phi_calloc(1, sizeof *sink, err);
	if (!sink) {
		phi_output_close(output);
		return NULL;
	}
	sink->ops = plan->format->sink ? plan->format->sink : &phi_sink_flat;
	sink->plan = plan;
	sink->output = output;
	return sink;
}

int
phi_sink_end(struct phi_sink *sink, struct phi_err *err)
{
	if (sink->ops->end(sink, err) < 0)
		return -1;
	return phi_output_commit(sink->output, err);
}

void
phi_sink_close(struct phi_sink *sink)
{
	if (!sink)
		return;
	if (sink->ops->close)
		sink->ops->close(sink);
	phi_output_close(sink->output);
	phi_free(sink);
}

/* The flat sink. */

static bool
flat_sequential(const struct phi_sink *sink)
{
	return phi_output_sequential(sink->output);
}

static const void *
literal_of(struct phi_sink *sink, const struct phi_item *item, struct phi_err *err)
{
	return sink->ops->literal ? sink->ops->literal(sink, item, err) : item->literal;
}

static int
pad_to(struct phi_sink *sink, uint64_t offset, struct phi_err *err)
{
	static const uint8_t zeros[4096];
	while (sink->at < offset) {
		const uint64_t gap = offset - sink->at;
		const size_t n = gap < sizeof zeros ? (size_t)gap : sizeof zeros;
		if (phi_output_append(sink->output, 0, zeros, n, err) < 0)
			return -1;
		sink->at += n;
	}
	return 0;
}

/* Sequential: writes the literals that come before `item` (before the end, if NULL). */
static int
catch_up(struct phi_sink *sink, const struct phi_item *item, struct phi_err *err)
{
	const struct phi_plan *const plan = sink->plan;
	for (; sink->next < plan->nitems && &plan->items[sink->next] != item; sink->next++) {
		const struct phi_item *const i = &plan->items[sink->next];
		if (i->tensor != PHI_NONE)
			continue; /* written by data(), or without bytes */
		const void *const bytes = literal_of(sink, i, err);
		if ((!bytes && i->size) || pad_to(sink, i->offset, err) < 0 ||
			phi_output_append(sink->output, 0, bytes, (size_t)i->size, err) < 0)
			return -1;
		sink->at += i->size;
	}
	return 0;
}

static int
add_files(struct phi_sink *sink, struct phi_err *err)
{
	for (unsigned i = 0; i < sink->plan->nfiles; i++)
		if (phi_output_add(sink->output, sink->plan->files[i].name, err) < 0)
			return -1;
	return 0;
}

static int
write_literals(struct phi_sink *sink, struct phi_err *err)
{
	const struct phi_plan *const plan = sink->plan;
	for (size_t i = 0; i < plan->nitems; i++) {
		const struct phi_item *const item = &plan->items[i];
		if (item->tensor != PHI_NONE)
			continue;
		const void *const bytes = literal_of(sink, item, err);
		if ((!bytes && item->size) ||
			phi_output_write_at(sink->output, item->file, item->offset, bytes,
				(size_t)item->size, err) < 0)
			return -1;
	}
	return 0;
}

static int
flat_begin(struct phi_sink *sink, struct phi_err *err)
{
	const struct phi_plan *const plan = sink->plan;
	if (flat_sequential(sink)) {
		if (plan->nfiles != 1)
			return phi_fail(err, PHI_ARGUMENT,
				"%s makes %u files and cannot be written to a pipe",
				plan->format->name, plan->nfiles);
		for (size_t i = 0; i < plan->nitems; i++)
			if (plan->items[i].turned)
				return phi_fail(err, PHI_ARGUMENT, "%s has planes that are turned: to a pipe they cannot be "
					"written; name the output with -o", plan->format->name);
		return add_files(sink, err);
	}
	if (add_files(sink, err) < 0)
		return -1;
	for (unsigned i = 0; i < plan->nfiles; i++)
		if (phi_output_size(sink->output, i, plan->files[i].size, err) < 0)
			return -1;
	return sink->ops->literal ? 0 : write_literals(sink, err);
}

static int
flat_data(struct phi_sink *sink, const struct phi_item *item, uint64_t offset, const void *src,
	size_t n, struct phi_err *err)
{
	if (!flat_sequential(sink))
		return phi_output_write_at(sink->output, item->file, item->offset + offset, src, n,
			err);
	if (catch_up(sink, item, err) < 0 || pad_to(sink, item->offset + offset, err) < 0 ||
		phi_output_append(sink->output, 0, src, n, err) < 0)
		return -1;
	sink->at += n;
	return 0;
}

static int
flat_end(struct phi_sink *sink, struct phi_err *err)
{
	if (!flat_sequential(sink))
		return sink->ops->literal ? write_literals(sink, err) : 0;
	if (catch_up(sink, NULL, err) < 0)
		return -1;
	return pad_to(sink, sink->plan->files[0].size, err);
}

const struct phi_sink_ops phi_sink_flat = {
	.sequential = flat_sequential,
	.begin = flat_begin,
	.data = flat_data,
	.end = flat_end,
};
