/* One file of a GGUF, read again for its layout: header, tensors and what lies between them. */
#ifndef PHI_GGUF_LAYOUT_H
#define PHI_GGUF_LAYOUT_H

#include "formats/core/finding.h"
#include "formats/gguf/header.h"

struct phi_gguf_layout {
	struct phi_member *member; /* lent */
	const char *file;
	struct phi_model *model; /* the file's own keys and tensors */
	struct phi_gguf_header header; /* extents in the order of the list */
	uint64_t end;  /* of the header, before its padding */
	uint64_t size; /* of the file */
};

int phi_gguf_layout_open(
	struct phi_gguf_layout *layout, struct phi_member *member, struct phi_err *err);
void phi_gguf_layout_close(struct phi_gguf_layout *layout);

/* Every byte of the file, in order: "header", "padding" (zeros there should be, less than the
 * alignment), "tensor" with its name, "gap" (more than padding), "trailing" (behind the padding of the
 * last tensor). */
int phi_gguf_layout_walk(const struct phi_gguf_layout *layout, const struct phi_regions *regions,
	struct phi_err *err);

#endif
