/* config.json of a model that comes without one: what a GGUF says, in the words of Hugging Face (transformers 4's,
 * which all versions read), and the family's usual values for what it does not say. */
#ifndef PHI_MODELS_CONFIG_TEXT_H
#define PHI_MODELS_CONFIG_TEXT_H

#include "formats/core/buffer.h"
#include "formats/models/family.h"

/* The type that the weights of such a model have, where its file has them quantized: that of its published
 * checkpoints. */
const struct phi_type *phi_family_dtype(const struct phi_family *family);

/* The one that config.json names (torch_dtype or dtype), or NULL. metadata: config.json's. */
const struct phi_type *phi_config_dtype(const struct phi_metadata *metadata);

/* Appends the text. hparams: with long_factor and short_factor where the rope is longrope. A model whose attention
 * factor is not what transformers computes from its contexts is refused: config.json has no word for it that all
 * versions know. */
int phi_config_text(const struct phi_family *family, const struct phi_hparams *hparams,
	const struct phi_type *dtype, struct phi_buffer *out, struct phi_err *err);

/* What phi_config_text made up: the names of the members, "a, b, c", in the arena. */
const char *phi_config_made_up(const struct phi_family *family, const struct phi_hparams *hparams,
	struct phi_arena *arena, struct phi_err *err);

#endif
