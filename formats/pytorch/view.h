/* Dense tensors: what a rebuilding call says of a view of a storage. Private to the folder. */
#ifndef PHI_PYTORCH_VIEW_H
#define PHI_PYTORCH_VIEW_H

#include "formats/pytorch/dtype.h"
#include "formats/pytorch/rebuild.h"

struct phi_torch_view {
	const struct phi_torch_dtype *dtype;
	uint32_t storage;
	uint64_t offset; /* elements */
	unsigned rank;
	uint64_t size[PHI_RANK_MAX], stride[PHI_RANK_MAX]; /* elements */
	bool conj, neg; /* read with the signs of imaginary parts, or of all numbers, flipped */
};

/* The innermost call of a node, and its arguments. */
enum phi_torch_call {
	PHI_TORCH_NONE, /* rebuilds no tensor */
	PHI_TORCH_PLAIN, /* the storage has a type */
	PHI_TORCH_TYPED, /* the call has it */
	PHI_TORCH_SPARSE,
	PHI_TORCH_NESTED,
	PHI_TORCH_QUANTIZED,
	PHI_TORCH_META, /* without numbers */
	PHI_TORCH_ARRAY, /* of a NumPy array */
};
enum phi_torch_call phi_torch_call_of(
	const struct phi_pickle *node, const struct phi_pickle **args);

/* Reads the (storage, offset, size, stride, ...) of PLAIN and TYPED into a zeroed view, adds the
 * storage if it is new. Does not look whether the view lies inside its storage. */
int phi_torch_read_view(struct phi_torch *torch, const struct phi_pickle *args, bool typed,
	struct phi_torch_view *view, struct phi_err *err);
/* A tuple of whole numbers, or a torch.Size, into out[PHI_RANK_MAX]. */
int phi_torch_read_sizes(const struct phi_pickle *node, uint64_t *out, unsigned *count,
	const char *what, struct phi_err *err);
/* Does every element lie inside the storage, and are there not too many of them? */
int phi_torch_check_view(
	const struct phi_torch *torch, const struct phi_torch_view *view, struct phi_err *err);
/* Fills type, rank, shape and plane of a zeroed tensor from a checked view, signs as stored. */
int phi_torch_set_view(const struct phi_torch *torch, const struct phi_torch_view *view,
	struct phi_tensor *tensor, struct phi_err *err);
/* Appends a dense tensor. *why as phi_torch_add_tensor. */
int phi_torch_add_view(struct phi_torch *torch, const struct phi_torch_view *view, const char *name,
	const char **why, bool *left, struct phi_err *err);

/* Storages */

/* The node is a persistent id of a storage: adds it unless it is known. *class is its type, *part
 * what is added to offsets: a view into a larger storage (legacy files). */
int phi_torch_take_storage(struct phi_torch *torch, const struct phi_pickle *node,
	uint32_t *storage, const struct phi_torch_dtype **class, uint64_t *part,
	struct phi_err *err);
/* Appends a made storage of so many bytes; returns it, to be filled in (in the model's arena). */
struct phi_torch_made *phi_torch_make(
	struct phi_torch *torch, uint64_t size, uint32_t *storage, struct phi_err *err);
/* Room for n bytes that do not lie in the file as they are, in the model's arena, zeroed. */
uint8_t *phi_torch_room(struct phi_torch *torch, uint64_t n, struct phi_err *err);
/* Appends a dense tensor without planes. */
struct phi_tensor *phi_torch_new_tensor(struct phi_torch *torch, const char *name,
	enum phi_type_id type, unsigned rank, const uint64_t *shape, struct phi_err *err);

/* The odd forms; see phi_torch_add_tensor. */
typedef int phi_torch_form(struct phi_torch *torch, const struct phi_pickle *args, const char *name,
	const char **why, bool *left, struct phi_err *err);
phi_torch_form phi_torch_add_quantized, phi_torch_add_sparse, phi_torch_add_nested,
	phi_torch_add_meta;
/* The node itself: the call that makes the array. */
phi_torch_form phi_torch_add_array;
bool phi_torch_is_array(const struct phi_pickle *node);

bool phi_torch_whole_number(const struct phi_pickle *node, uint64_t *out);

#endif
