/* From a checkpoint's tree of dicts, lists and objects to a flat list of tensors. */
#ifndef PHI_PYTORCH_WALK_H
#define PHI_PYTORCH_WALK_H

#include "formats/pytorch/rebuild.h"

/* Appends every tensor of the tree, named by the keys on the way to it, joined by dots; an element of a
 * list is named by its number. If the root is a training checkpoint with one known key that holds the
 * model (state_dict, model ...), the tree starts there, and a warning names what else there is. Plain
 * values beside become metadata. Calls that make neither a tensor nor a container are left out
 * with a warning; a pickle without any tensor is PHI_UNSUPPORTED. swap: the storages are big-endian. */
int phi_torch_walk(struct phi_model *model, struct phi_torch_storages *storages,
	const struct phi_pickle *root, bool swap, struct phi_err *err);

#endif
