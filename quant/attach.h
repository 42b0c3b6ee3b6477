/* Gives the tensors of a lowered model whose types are chosen their importance, and sees that those whose
 * type needs it have it. */
#ifndef PHI_QUANT_ATTACH_H
#define PHI_QUANT_ATTACH_H

#include "quant/importance.h"
#include "quant/recipe.h"

/* `list` may be NULL: nothing was given. recipe may be NULL. Where a type cannot do without: an error that
 * names the first tensor, or with `lenient` a warning. Other tensors that lack importance, and experts that
 * nothing reached, are said in warnings. */
int phi_importance_attach(struct phi_model *lowered, const struct phi_importance_list *list,
	const struct phi_recipe *recipe, bool lenient, struct phi_err *err);

#endif
