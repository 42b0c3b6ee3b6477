/* A comparison as JSON; man/phi-diff.1 documents its members. */
#ifndef PHI_INSPECT_DIFF_JSON_H
#define PHI_INSPECT_DIFF_JSON_H

#include "inspect/compare.h"
#include "inspect/metadata_diff.h"

int phi_diff_emit(const struct phi_comparison *c, const struct phi_metadata_diff *metadata,
	bool differs, FILE *out, struct phi_err *err);

#endif
