/* How a field of a tensor's blocks (type.h) lies in the plane that it is torn into.
 *
 *     codes, scales, biases    the bytes of all blocks, one block after the other
 *     zero points              bits of a code each, lowest first; each row of blocks filled up to whole bytes with the
 *                              middle code
 *
 *     3 blocks a row, 4 bits: 21 83 | 54 86 ...     zero points 1 2 3 of the first row, 4 5 6 of the second */
#ifndef PHI_CORE_FIELD_H
#define PHI_CORE_FIELD_H

#include "formats/core/tensor.h"

struct phi_field {
	unsigned at, width; /* in a block: where, and how many bytes */
	unsigned pitch;	    /* bytes of a block */
	unsigned bits;	    /* of each in the plane; 0: its bytes */
	uint64_t blocks;    /* of a row */
	uint64_t row;	    /* bytes of a row of the plane */
};

/* Field i of t's blocks; false if there is none, or a row is no whole blocks. */
bool phi_field_of(const struct phi_tensor *t, unsigned i, struct phi_field *field);
/* Bytes that a plane has of so many rows; false on overflow. */
bool phi_field_bytes(const struct phi_field *field, uint64_t rows, uint64_t *bytes);

/* Blocks that a run of at most `most` may have from block `first` of the plane on, of `left`: it ends where a byte of the
 * plane ends. A run begins there, too, and takes at most a byte of the plane a block where that is bits. */
uint64_t phi_field_run(const struct phi_field *field, uint64_t first, uint64_t left, uint64_t most);
/* A number of blocks, near n but one at least, such that runs of so many from the start of a row on end where bytes
 * do. */
uint64_t phi_field_step(const struct phi_field *field, uint64_t n);
/* Where the bytes of blocks [first, first + n) are in the plane, and how many they are. */
uint64_t phi_field_place(const struct phi_field *field, uint64_t first, uint64_t n, size_t *bytes);

/* Takes the field out of n blocks, the first of which is number `first` of the plane; dst has the bytes that
 * phi_field_place says. A run as phi_field_run makes it. */
void phi_field_tear(const struct phi_field *field, uint64_t first, uint64_t n, const uint8_t *blocks, uint8_t *dst);
/* Puts it into them; src has those bytes. Any blocks. */
void phi_field_weave(const struct phi_field *field, uint64_t first, uint64_t n, const uint8_t *src, uint8_t *blocks);

#endif
