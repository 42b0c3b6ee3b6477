/* Tensors without a row of numbers of their own (facts/pytorch_tf.md 1.4):
 *
 *   torch._utils _rebuild_sparse_tensor   (layout, data)
 *       layout   torch.serialization _get_layout ('torch.sparse_coo')
 *       data     of coo: (indices, values, size [, is_coalesced])
 *                of csr, csc, bsr, bsc: (compressed indices, plain indices, values, size)
 *   torch._utils _rebuild_nested_tensor   (values, sizes, strides, offsets)
 *   torch._utils _rebuild_meta_tensor_no_storage   (dtype, size, stride, requires_grad)
 *
 * Of the first two each part is shown as a tensor: NAME.indices, NAME.values, and NAME.size, made of
 * the numbers in the pickle. */
#include "formats/pytorch/view.h"

#include "formats/core/bytes.h"

#include <stdio.h>

/* One part: a dense tensor. */
static int
add_part(struct phi_torch *torch, const struct phi_pickle *node, const char *name, const char *part,
	struct phi_err *err)
{
	char full[PHI_NAME_MAX];
	const struct phi_pickle *args = NULL;
	struct phi_torch_view v = { .dtype = NULL };
	const char *why;
	bool left = false;
	const enum phi_torch_call call = phi_torch_call_of(node, &args);
	if (call != PHI_TORCH_PLAIN && call != PHI_TORCH_TYPED)
		return phi_fail(err, PHI_FORMAT, "its %s are no dense tensor", part);
	if ((size_t)snprintf(full, sizeof full, "%s.%s", name, part) >= sizeof full)
		return phi_fail(err, PHI_LIMIT, "a name longer than %d bytes", PHI_NAME_MAX);
	return phi_torch_read_view(torch, args, call == PHI_TORCH_TYPED, &v, err) ||
			       phi_torch_add_view(torch, &v, full, &why, &left, err)
		       ? phi_context(err, "its %s", part)
		       : 0;
}

/* NAME.size: the shape, as I64. */
static int
add_size(struct phi_torch *torch, const struct phi_pickle *node, const char *name,
	struct phi_err *err)
{
	char full[PHI_NAME_MAX];
	uint64_t size[PHI_RANK_MAX];
	unsigned rank;
	if (phi_torch_read_sizes(node, size, &rank, "size", err))
		return -1;
	if ((size_t)snprintf(full, sizeof full, "%s.size", name) >= sizeof full)
		return phi_fail(err, PHI_LIMIT, "a name longer than %d bytes", PHI_NAME_MAX);
	uint32_t storage;
	uint8_t *const bytes = phi_torch_room(torch, 8 * rank, err);
	struct phi_torch_made *const made =
		bytes ? phi_torch_make(torch, 8 * rank, &storage, err) : NULL;
	const uint64_t shape = rank;
	struct phi_tensor *const t =
		made ? phi_torch_new_tensor(torch, full, PHI_I64, 1, &shape, err) : NULL;
	if (!t)
		return -1;
	for (unsigned d = 0; d < rank; d++)
		phi_store64(bytes + 8 * d, size[d]);
	made->bytes = bytes;
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .storage = storage, .dense = true };
	return 0;
}

static const struct layout {
	const char *name;
	const char *parts[3];
	const char *why;
} layouts[] = {
	{ "torch.sparse_coo", { "indices", "values" },
		"it is sparse (coo): its indices, values and size are shown" },
	{ "torch.sparse_csr", { "crow_indices", "col_indices", "values" },
		"it is sparse (csr): its indices, values and size are shown" },
	{ "torch.sparse_bsr", { "crow_indices", "col_indices", "values" },
		"it is sparse (bsr): its indices, values and size are shown" },
	{ "torch.sparse_csc", { "ccol_indices", "row_indices", "values" },
		"it is sparse (csc): its indices, values and size are shown" },
	{ "torch.sparse_bsc", { "ccol_indices", "row_indices", "values" },
		"it is sparse (bsc): its indices, values and size are shown" },
};

static const struct layout *
layout_of(const struct phi_pickle *node)
{
	if (node && node->kind == PHI_PICKLE_OBJECT)
		node = phi_pickle_item(node->object->args, 0);
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
		if (phi_pickle_is_string(node, layouts[i].name))
			return &layouts[i];
	return NULL;
}

int
phi_torch_add_sparse(struct phi_torch *torch, const struct phi_pickle *args, const char *name,
	const char **why, bool *left, struct phi_err *err)
{
	const struct layout *const layout = layout_of(phi_pickle_item(args, 0));
	const struct phi_pickle *const data = phi_pickle_item(args, 1);
	uint32_t n = 0;
	if (!layout) {
		*why = "it is sparse in a way that is not known";
		*left = true;
		return 0;
	}
	for (; n < 3 && layout->parts[n]; n++)
		if (add_part(torch, phi_pickle_item(data, n), name, layout->parts[n], err))
			return -1;
	*why = layout->why;
	return add_size(torch, phi_pickle_item(data, n), name, err);
}

int
phi_torch_add_nested(struct phi_torch *torch, const struct phi_pickle *args, const char *name,
	const char **why, bool *left, struct phi_err *err)
{
	static const char *const parts[] = { "values", "sizes", "strides", "offsets" };
	*left = false;
	for (uint32_t i = 0; i < 4; i++)
		if (add_part(torch, phi_pickle_item(args, i), name, parts[i], err))
			return -1;
	*why = "it is nested: its values, sizes, strides and offsets are shown";
	return 0;
}

int
phi_torch_add_meta(struct phi_torch *torch, const struct phi_pickle *args, const char *name,
	const char **why, bool *left, struct phi_err *err)
{
	(void)torch, (void)args, (void)name, (void)err;
	*why = "it has a shape only (device meta), no numbers";
	*left = true;
	return 0;
}
