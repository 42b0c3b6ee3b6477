/* Where a model is cut into parts (split.h), by --split-size, --split-count or --keep-split. The order of the tensors
 * stays: a part is a range of them. */
#ifndef PHI_GGUF_CUT_H
#define PHI_GGUF_CUT_H

#include "formats/core/plan.h"

struct phi_gguf_cut {
	uint32_t count;	 /* of parts, 1 or more */
	uint32_t *first; /* of each part its first tensor, then the number of tensors; in the arena */
};

/* By the plan's options. A size: a part closes before the tensor that would take it beyond the size, as
 * gguf-py's writer does; the bytes of tensors count, without padding and header; a tensor larger than a
 * part has one of its own. A count: parts of about the same size, each of at least one tensor; refused
 * where there are fewer tensors. keep_parts: where the file that
 * the tensors came from changes. Two of them: refused. None: one part. */
int phi_gguf_cut(struct phi_plan *plan, struct phi_gguf_cut *cut, struct phi_err *err);

#endif
