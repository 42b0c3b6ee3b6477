/* config.json as mlx-lm needs it: the checkpoint's, its keys sorted, with what was chosen for each weight, and with
 * the keys of transformers 4 where only those of 5 are there (mlx-lm reads no others, and says nothing: facts/mlx.md
 * 1.4). */
#ifndef PHI_MLX_CONFIG_H
#define PHI_MLX_CONFIG_H

#include "formats/core/buffer.h"
#include "formats/core/plan.h"

/* Appends the text for the plan's model, whose types are chosen, from its side file config.json. */
int phi_mlx_config_write(const struct phi_plan *plan, const struct phi_side *config, struct phi_buffer *out,
	struct phi_err *err);

#endif
