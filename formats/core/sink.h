/* A sink: where the pump's bytes go. Formats whose files are just headers and tensors at planned
 * offsets (GGUF, safetensors, folders of them) use phi_sink_flat and have no code of their own here;
 * the stream brings its ops. */
#ifndef PHI_CORE_SINK_H
#define PHI_CORE_SINK_H

#include "formats/core/output.h"
#include "formats/core/plan.h"

struct phi_sink;

struct phi_sink_ops {
	/* Must data come in the order of the items, each from offset 0 to its end? Asked once. */
	bool (*sequential)(const struct phi_sink *sink);
	int (*begin)(struct phi_sink *sink, struct phi_err *err);
	/* n bytes at `offset` of the item. From any thread unless sequential. */
	int (*data)(struct phi_sink *sink, const struct phi_item *item, uint64_t offset, const void *src,
		size_t n, struct phi_err *err);
	/* For sinks built on phi_sink_flat whose literals depend on the data: the bytes of one, lent until
	 * the next is asked for, or NULL. Asked for each literal item once, in their order, when all data
	 * before it was written. NULL: literals are as the plan has them. */
	const void *(*literal)(struct phi_sink *sink, const struct phi_item *item,
		struct phi_err *err);
	/* Everything was written: trailers, padding. The output is committed by phi_sink_end. */
	int (*end)(struct phi_sink *sink, struct phi_err *err);
	/* Frees state; also after a failure. */
	void (*close)(struct phi_sink *sink);
};

struct phi_sink {
	const struct phi_sink_ops *ops;
	const struct phi_plan *plan;
	struct phi_output *output;
	void *state;
	/* Of phi_sink_flat on a pipe: what was written, and the first item that has not begun. */
	uint64_t at;
	size_t next;
};

/* Planned files at planned offsets: literals in begin, gaps as zeros, sizes in end. */
extern const struct phi_sink_ops phi_sink_flat;

/* Takes the output (also on failure); lends the plan. */
struct phi_sink *phi_sink_open(const struct phi_plan *plan, struct phi_output *output,
	struct phi_err *err);
/* After all data: end() and commit. */
int phi_sink_end(struct phi_sink *sink, struct phi_err *err);
void phi_sink_close(struct phi_sink *sink);

#endif
