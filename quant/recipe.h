/* What a recipe says; the table behind phi_recipes. A recipe of one type says the same to every tensor; one
 * that mixes types (q4_k_m) asks for role, layer and counts, and gets a function here. */
#ifndef PHI_QUANT_RECIPE_H
#define PHI_QUANT_RECIPE_H

#include "quant/quant.h"

/* By name, in any case of letters; with `pure` the name of any type that can be made. NULL with an
 * error that lists what there is. */
const struct phi_type *phi_recipe_type(const char *name, bool pure, struct phi_err *err);

/* Can numbers be made into this type? */
bool phi_type_made(const struct phi_type *type);

/* The type for rows of `row` elements: `type` itself, or what llama-quantize takes where its blocks do not
 * fit a row. */
const struct phi_type *phi_type_fitting(const struct phi_type *type, uint64_t row);

#endif
