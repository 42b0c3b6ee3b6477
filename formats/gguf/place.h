/* Where the data of a GGUF's tensors lies. */
#ifndef PHI_GGUF_PLACE_H
#define PHI_GGUF_PLACE_H

#include "formats/gguf/header.h"

/* A file whose header was read. */
struct phi_gguf_placed {
	const struct phi_gguf_header *header;
	const char *file; /* its name; lives as long as the model */
	uint64_t size; /* of the file; UINT64_MAX on a pipe */
	uint32_t part; /* goes into `inner` of the storages */
};

/* Adds one storage a tensor, in rising offset, and the tensors' planes. Refuses ranges that overlap
 * or end beyond the file; warns of what llama.cpp would refuse. Sorts the header's extents. */
int phi_gguf_place(
	struct phi_model *model, const struct phi_gguf_placed *placed, struct phi_err *err);

#endif
