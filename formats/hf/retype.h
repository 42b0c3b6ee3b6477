/* config.json says in which type the weights are (torch_dtype; dtype in transformers 5), and loaders
 * believe it: F32 weights under "bfloat16" are rounded on loading. Where a recipe changed the type of
 * the matrices, the word is changed with them, and nothing else. */
#ifndef PHI_HF_RETYPE_H
#define PHI_HF_RETYPE_H

#include "formats/core/model.h"

/* Gives the text to write for config.json: `config` itself, or a copy in the arena. */
int phi_hf_retype(const struct phi_model *model, const struct phi_side *config,
	struct phi_arena *arena, const void **data, size_t *size, struct phi_err *err);

#endif
