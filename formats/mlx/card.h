/* The model card of an MLX folder: README.md of the checkpoint with what mlx-lm says in its front matter: library,
 * pipeline, the tag "mlx". The rest of it and the text below stay. */
#ifndef PHI_MLX_CARD_H
#define PHI_MLX_CARD_H

#include "formats/core/buffer.h"
#include "formats/core/model.h"

/* `card`: the checkpoint's, or NULL: a new one. */
int phi_mlx_card_write(const struct phi_side *card, struct phi_buffer *out, struct phi_err *err);

#endif
