/* The recipes of ONNX: which weights are quantized, and how. Read for models that were lowered to ONNX: whatever matrix
 * that lowering has not fixed is multiplied with by its rows, or is an embedding. */
#ifndef PHI_QUANT_ONNX_RECIPE_H
#define PHI_QUANT_ONNX_RECIPE_H

#include "quant/quant.h"

struct phi_onnx_recipe {
	const char *name;
	unsigned bits; /* 0: nothing is quantized */
	unsigned head_bits, layer_bits; /* of the head; of the layers that matter most */
	unsigned group;
	bool zeros;
	int layers; /* of the model */
};

/* By name, in any case of letters; what was asked of the graph: o->graph, or NULL. Refuses a block that there is not. */
int phi_onnx_recipe_find(const struct phi_recipe_options *o, const struct phi_model *lowered,
	struct phi_onnx_recipe *recipe, struct phi_err *err);

/* The type of a weight that is now of type t->type; NULL: it stays that. `tied`: the embedding is the head, too. */
const struct phi_type *phi_onnx_recipe_pick(const struct phi_onnx_recipe *recipe, const struct phi_tensor *t,
	bool tied, const char **why);

#endif
