/* Storages that are no range of the file: numbers that stand in the pickle itself, and views of a
 * storage that only become numbers when they are read (a conjugated view, codes of a few bits). */
#ifndef PHI_PYTORCH_MADE_H
#define PHI_PYTORCH_MADE_H

#include "formats/core/source.h"

struct phi_torch_made {
	const uint8_t *bytes; /* in the model's arena; or NULL: it is */
	struct phi_tensor view; /* its elements in order, little-endian, */
	bool conj; /* the second half of each element (imaginary parts) with the other sign, */
	bool neg; /* all numbers with the other sign; */
	unsigned bits; /* or, if not 0, the codes of so many bits in each byte, the lowest first */
};

/* Bytes [offset, offset + n) of it; the caller has checked that they are there. */
int phi_torch_made_read(struct phi_source *source, const struct phi_torch_made *made,
	uint64_t offset, void *dst, size_t n, struct phi_err *err);

#endif
