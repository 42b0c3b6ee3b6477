/* The recipes by name (recipes.def), the types a recipe or a rule may ask for, and what is taken where a
 * type does not fit a row. What a recipe says about a tensor is mixture.h's. */
#ifndef PHI_QUANT_RECIPE_H
#define PHI_QUANT_RECIPE_H

#include "quant/quant.h"

struct phi_recipe {
	const char *name, *summary;
	enum phi_type_id base; /* what a tensor gets that no rule names; PHI_TYPES: what it has */
};
/* In the order of recipes.def, which gives a recipe its bit in a rule; ended by NULL name. */
extern const struct phi_recipe phi_recipe_table[];

/* By name, in any case of letters, llama-quantize's other names too (q4_k: q4_k_m). With `pure` *type is
 * the type every weight gets: the name is a type's, or a recipe's and stands for its base; *recipe is NULL
 * then. The recipe that changes nothing has no *type. Fails with a list of what there is. */
int phi_recipe_find(const char *name, bool pure, const struct phi_recipe **recipe,
	const struct phi_type **type, struct phi_err *err);

/* Can numbers be made into this type? */
bool phi_type_made(const struct phi_type *type);

/* The type for rows of `row` elements: `type` itself, or what llama-quantize takes where its blocks do not
 * fit a row; where it gives up, F16. */
const struct phi_type *phi_type_fitting(const struct phi_type *type, uint64_t row);

#endif
