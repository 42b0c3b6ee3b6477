/* --check of an imatrix: can its numbers be used, and what was never measured? */
#ifndef PHI_INSPECT_IMPORTANCE_H
#define PHI_INSPECT_IMPORTANCE_H

#include "formats/core/source.h"

/* Of any source; one that is no imatrix has no findings here. The source is random. */
int phi_check_importance(
	struct phi_source *source, const struct phi_findings *findings, struct phi_err *err);

#endif
