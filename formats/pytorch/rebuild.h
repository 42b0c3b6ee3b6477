/* Tensors out of the calls that a pickle makes to rebuild them. */
#ifndef PHI_PYTORCH_REBUILD_H
#define PHI_PYTORCH_REBUILD_H

#include "formats/pytorch/made.h"
#include "formats/pytorch/pickle.h"

enum {
	PHI_TORCH_COPIED_MAX = PHI_PICKLE_MAX, /* bytes of arrays in the pickle, and of scales */
	PHI_TORCH_BARE_MAX = 64 << 10, /* storages that are shown as tensors */
};

/* What a pickle says about a storage; the container knows where its bytes are. Entry i describes
 * model->storages[i]. */
struct phi_torch_storage {
	const char *key; /* with the folder, in the model's arena; NULL: it is made */
	uint64_t count; /* elements of `bytes` bytes */
	unsigned bytes;
	const struct phi_torch_made *made; /* or NULL */
};

/* A checkpoint being described. */
struct phi_torch {
	struct phi_model *model;
	bool swap; /* the storages are big-endian */
	const char *folder; /* of the archive, with the storages that come next: "data"; or NULL */
	struct phi_torch_storage *storages; /* on the heap */
	size_t count, capacity;
	struct phi_names *keys;
	struct phi_torch_pending *pending; /* scales to be read when the storages have their places */
	size_t npending, pending_capacity;
	const struct phi_type **types; /* packed types made so far */
	size_t ntypes, types_capacity;
	uint64_t copied; /* bytes taken out of the pickle */
	unsigned bare; /* storages shown as tensors */
	const char *stranger; /* the first call of something unknown, as the pickle spells it, or NULL */
	bool empty; /* the object is a dict without entries */
};

int phi_torch_open(struct phi_torch *torch, struct phi_model *model, struct phi_err *err);
void phi_torch_free(struct phi_torch *torch);

/* Appends the storages of a chain of persistent ids (phi_pickle_tree) that are storages. */
int phi_torch_add_storages(
	struct phi_torch *torch, const struct phi_pickle *persistent, struct phi_err *err);
/* The storage of this key, or PHI_NONE. */
uint32_t phi_torch_find_storage(const struct phi_torch *torch, struct phi_string key);

/* Is the node the call that rebuilds a tensor of torch, or a parameter of one? */
bool phi_torch_is_tensor(const struct phi_pickle *node);
/* Is it anything else that is shown as a tensor: a NumPy array, a storage by itself? */
bool phi_torch_is_like_tensor(const struct phi_pickle *node);

/* Appends such a node to the model as tensor `name` (copied), with its storage if that is new;
 * sizes, strides and offsets are checked against what the storage is said to hold. A sparse or
 * nested tensor becomes its parts: name.indices, name.values ... What has no dense numbers is left
 * out. *why, if not NULL after it, is what the user should know, and *left whether it is left out. */
int phi_torch_add_tensor(struct phi_torch *torch, const struct phi_pickle *node, const char *name,
	const char **why, bool *left, struct phi_err *err);

/* After the container gave every storage its place in `file`: made storages have theirs where what
 * they are made of has it (or at `pickle`, where that begins), and the scales of tensors quantized by
 * channel are read. */
int phi_torch_settle(struct phi_torch *torch, struct phi_source *source, const char *file,
	uint64_t pickle, struct phi_err *err);

#endif
