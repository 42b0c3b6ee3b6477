/* Writing torch checkpoints: zip files that hold a dict of tensors, as torch.save makes them. */
#ifndef PHI_PYTORCH_WRITE_H
#define PHI_PYTORCH_WRITE_H

#include "formats/core/format.h"

int phi_pytorch_complete(struct phi_plan *plan, struct phi_err *err);
/* One file with these tensors (format.h, plan_file). */
int phi_pytorch_plan_file(struct phi_plan *plan, unsigned file, const uint32_t *tensors,
	size_t count, struct phi_err *err);

#endif
