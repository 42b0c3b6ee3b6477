/* Experts: Hugging Face has a tensor for each, mlx-lm one for all, stacked along a new outermost dimension.
 *
 *     model.layers.0.block_sparse_moe.experts.7.w1.weight   [ffn, hidden]
 *     model.layers.0.block_sparse_moe.switch_mlp.gate_proj.weight   [experts, ffn, hidden] */
#ifndef PHI_MLX_EXPERTS_H
#define PHI_MLX_EXPERTS_H

#include "formats/core/model.h"

/* The name mlx-lm has for a stacked tensor whose canonical name is `canonical` ("...experts.w1.weight"), in the
 * arena; the same if it is no experts' one. */
const char *phi_mlx_stacked_name(const char *canonical, struct phi_arena *arena, struct phi_err *err);

/* Is this a stacked tensor of mlx-lm's? */
bool phi_mlx_is_stacked(const char *name);
/* Appends to `model` the experts of a stacked tensor, which are views of it. Limits their number. */
int phi_mlx_unstack(struct phi_model *model, const struct phi_tensor *stacked, struct phi_err *err);

#endif
