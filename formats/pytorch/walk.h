/* From a checkpoint's tree of dicts, lists and objects to a flat list of tensors. */
#ifndef PHI_PYTORCH_WALK_H
#define PHI_PYTORCH_WALK_H

#include "formats/pytorch/rebuild.h"

/* Appends every tensor of the tree, named by the keys on the way to it, joined by dots; an element of a
 * list is named by its number. Names begin with the prefix, if there is one; if there is none, and the
 * root is a training checkpoint with one known key that holds the model (state_dict, model ...), the
 * tree starts there, and a warning names what else there is; plain values beside become metadata.
 *
 * Objects of any class are looked into: what was put into them, their attributes and the arguments of
 * the call that makes them; of a module only what its state_dict would hold, and tensors that have no
 * other name. No class is known but torch's own; a warning names the others. */
int phi_torch_walk(struct phi_torch *torch, const struct phi_pickle *root, const char *prefix,
	struct phi_err *err);

/* After the last walk: PHI_UNSUPPORTED if there was no tensor at all. */
int phi_torch_found(const struct phi_torch *torch, struct phi_err *err);

#endif
