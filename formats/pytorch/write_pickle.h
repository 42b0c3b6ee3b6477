/* data.pkl of a file to be: a dict of tensors by name, in the bytes that torch.save writes for it. */
#ifndef PHI_PYTORCH_WRITE_PICKLE_H
#define PHI_PYTORCH_WRITE_PICKLE_H

#include "formats/core/buffer.h"
#include "formats/core/tensor.h"
#include "formats/pytorch/dtype.h"

/* A storage to be: record data/KEY, where KEY is its number. */
struct phi_torch_kept {
	const struct phi_torch_dtype *dtype;
	uint64_t bytes;
};

/* A tensor as a view of one. */
struct phi_torch_view {
	const struct phi_tensor *tensor; /* name and shape */
	uint32_t storage;
	uint64_t offset;       /* in elements as torch counts them */
	const int64_t *stride; /* alike; or NULL: row-major without gaps */
};

/* Appends the pickle. Storages are numbered in the order in which the views first name them. */
int phi_torch_pickle(struct phi_buffer *out, const struct phi_torch_view *views, size_t count,
	const struct phi_torch_kept *storages, size_t nstorages, struct phi_err *err);

#endif
