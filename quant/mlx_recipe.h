/* The recipes of MLX: which weights mlx-lm quantizes, and how (facts/mlx.md 3). Read for models that were lowered to
 * MLX; other targets have recipe.h's. */
#ifndef PHI_QUANT_MLX_RECIPE_H
#define PHI_QUANT_MLX_RECIPE_H

#include "quant/quant.h"

struct phi_mlx_recipe {
	const char *name;	 /* as messages and model->recipe spell it */
	unsigned low, high;	 /* bits; high 0: not mixed; both 0: nothing is quantized */
	unsigned group;
	enum phi_type_id type; /* of a mode of floating-point codes; else PHI_TYPES */
	unsigned layers;	 /* of the model, for mixed recipes */
};

/* By name, in any case of letters: "4" or "int4", "mxfp4", "mixed_4_6", "f16". group 0: the mode's own. Refuses a
 * group that the mode has not, and a mixed recipe for a model without weights called down_proj. */
int phi_mlx_recipe_find(const char *name, unsigned group, const struct phi_model *lowered,
	struct phi_mlx_recipe *recipe, struct phi_err *err);

/* The type of a weight that is now of type t->type; NULL: it stays that, *why says for what reason. */
const struct phi_type *phi_mlx_recipe_pick(const struct phi_mlx_recipe *recipe, const struct phi_tensor *t,
	const char **why);
/* Has mlx-lm a quantized module for it: a matrix called ".weight"? */
bool phi_mlx_is_module(const struct phi_tensor *t);

#endif
