/* Training checkpoints: the model among the optimizer, the epoch, the arguments. Private to the folder. */
#ifndef PHI_PYTORCH_TRAINING_H
#define PHI_PYTORCH_TRAINING_H

#include "formats/pytorch/rebuild.h"

/* If one known key of the root (state_dict, model ...), and only one, is a dict of tensors, *root becomes
 * that, and a warning names the other keys. */
int phi_torch_find_model(
	struct phi_model *model, const struct phi_pickle **root, struct phi_err *err);
/* Numbers and short strings right in the root become metadata: epoch, version ... */
int phi_torch_add_metadata(
	struct phi_model *model, const struct phi_pickle *root, struct phi_err *err);
/* A dict, or an OrderedDict? NULL is none. */
bool phi_torch_is_dict(const struct phi_pickle *node);

#endif
