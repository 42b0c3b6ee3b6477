/* Digests of tensors: SHA-256 of each one's contiguous little-endian bytes in its own type, whatever
 * the file's layout: the same model has the same digests in every container. */
#ifndef PHI_INSPECT_SUM_H
#define PHI_INSPECT_SUM_H

#include "inspect/inspect.h"

struct phi_digest {
	bool known; /* false: a tensor of several planes */
	char hex[65];
};

/* Fills digests[0 .. ntensors), of the tensors that options->only and exclude leave. Reads their weights;
 * a pipe in its order, to its checked end. */
int phi_sum_tensors(struct phi_source *source, const struct phi_inspect_options *options,
	struct phi_digest *digests, struct phi_err *err);

#endif
