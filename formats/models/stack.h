/* Experts that are tensors of their own become one tensor, stacked along a new outermost dimension. */
#ifndef PHI_MODELS_STACK_H
#define PHI_MODELS_STACK_H

#include "formats/models/family.h"

/* Of a lowered model in the source's order that passed the family's check. The stacked tensors of a layer
 * stand where its last expert stood, in the order of the family's table. */
int phi_family_stack_experts(struct phi_model *lowered, const struct phi_hparams *h,
	struct phi_err *err);

#endif
