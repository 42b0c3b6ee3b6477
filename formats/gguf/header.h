/* The header of a GGUF: its typed keys and the list of its tensors. */
#ifndef PHI_GGUF_HEADER_H
#define PHI_GGUF_HEADER_H

#include "formats/core/model.h"
#include "formats/gguf/cursor.h"

/* Where a tensor's bytes lie; counted from the start of the data. */
struct phi_gguf_extent {
	uint64_t offset, size;
	uint32_t tensor;
};

struct phi_gguf_header {
	uint32_t version;
	bool big;
	uint32_t alignment;
	uint64_t data; /* offset of the data in the file */
	uint32_t ntensors; /* the model's last ones */
	struct phi_gguf_extent *extents; /* one a tensor, in the order of the list; phi_free */
};

/* Reads from the cursor's place to the end of the list of tensors; adds metadata and tensors
 * (without planes) to the model. Checks every number by itself; extents are only checked not to
 * wrap. Failures name the key or tensor. header->extents is the caller's to free, also after a
 * failure. */
int phi_gguf_read_header(struct phi_gguf_cursor *cursor, struct phi_model *model,
	struct phi_gguf_header *header, struct phi_err *err);

#endif
