/* Tensors out of the calls that a pickle makes to rebuild them. */
#ifndef PHI_PYTORCH_REBUILD_H
#define PHI_PYTORCH_REBUILD_H

#include "formats/core/model.h"
#include "formats/pytorch/pickle.h"

/* What a pickle says about a storage; the container knows where its bytes are. Entry i describes
 * model->storages[i]. */
struct phi_torch_storage {
	const char *key; /* in the model's arena */
	uint64_t count; /* elements of `bytes` bytes */
	unsigned bytes;
};

struct phi_torch_storages {
	struct phi_torch_storage *items; /* on the heap */
	size_t count, capacity;
	struct phi_names *keys;
};

int phi_torch_storages_open(struct phi_torch_storages *storages, struct phi_err *err);
void phi_torch_storages_free(struct phi_torch_storages *storages);

/* Appends the storages of a chain of persistent ids (phi_pickle_tree) that are storages. */
int phi_torch_add_storages(struct phi_model *model, struct phi_torch_storages *storages,
	const struct phi_pickle *persistent, struct phi_err *err);

/* Is the node the call that rebuilds a tensor, or a parameter of one? */
bool phi_torch_is_tensor(const struct phi_pickle *node);

/* Appends such a node to the model as tensor `name` (copied), with its storage if that is new;
 * sizes, strides and offsets are checked against what the storage is said to hold. What we cannot
 * read yet (sparse, quantized, conjugated ...) is left out: then *why says what it is. */
int phi_torch_add_tensor(struct phi_model *model, struct phi_torch_storages *storages,
	const struct phi_pickle *node, const char *name, bool swap, const char **why,
	struct phi_err *err);

#endif
