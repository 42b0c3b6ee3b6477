/* What --keep-all puts into a GGUF, under keys that no runtime looks at, so that the way back loses nothing:
 *
 *     phi.file.NAME       a side file, byte for byte: a string if it is valid UTF-8, else an array of u8
 *     phi.tensor_types    array of strings "TYPE NAME": the types that the checkpoint's tensors had (canonical
 *                         names), of those that do not have the one config.json names
 *
 * Coming back a file is taken only under the name of a text, a tokenizer or a licence, never of what could be run or
 * stand for weights. */
#ifndef PHI_CORE_KEPT_H
#define PHI_CORE_KEPT_H

#include "formats/core/model.h"

#define PHI_KEPT_FILE "phi.file."
#define PHI_KEPT_TYPES "phi.tensor_types"

enum { PHI_KEPT_FILES_MAX = 256 };

/* Appends the origin's side files to the lowered model's keys; data are lent. */
int phi_kept_add_sides(struct phi_model *lowered, struct phi_err *err);
/* Appends the types of the origin's float tensors that are not `usual`. */
int phi_kept_add_types(struct phi_model *lowered, const struct phi_type *usual, struct phi_err *err);

/* Gives the model the side files that its keys hold and it lacks. Returns how many there were, or -1. */
int phi_kept_take_sides(struct phi_model *model, struct phi_err *err);
/* Sets `native` of the tensors that PHI_KEPT_TYPES lists. A name that is none of the model's is passed over. */
int phi_kept_take_types(struct phi_model *model, const struct phi_metadata *metadata, struct phi_err *err);

#endif
