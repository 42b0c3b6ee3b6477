/* --check and --layout of torch checkpoints: the source's ops. */
#ifndef PHI_PYTORCH_CHECK_H
#define PHI_PYTORCH_CHECK_H

#include "formats/core/source.h"

int phi_pytorch_check(
	struct phi_source *source, const struct phi_findings *findings, struct phi_err *err);
int phi_pytorch_layout(
	struct phi_source *source, const struct phi_regions *regions, struct phi_err *err);

#endif
