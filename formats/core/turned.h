/* The plane of a field with its two dimensions exchanged: what is said of row n and place c of the blocks lies at (c, n),
 * as ONNX's DequantizeLinear has blocks that run along the first axis. Places are single codes, or blocks:
 *
 *     blocks   row n: c0 c1 ... s z, c32 c33 ... s z      codes    [columns, rows] of bits, lowest first, no gaps
 *                                                         scales   [blocks, rows]
 *                                                         zeros    [blocks, rows] of a code's bits
 *
 * Eight codes are whole bytes, so rows are taken by eights, and where a code has fewer than 8 bits there are a number of
 * rows that makes whole bytes. */
#ifndef PHI_CORE_TURNED_H
#define PHI_CORE_TURNED_H

#include "formats/core/tensor.h"

enum { PHI_TURNED_ROWS = 8 };

struct phi_turned {
	unsigned at, pitch; /* bytes: of the field in a block, of a block */
	unsigned bits;	    /* of an element of the plane */
	unsigned each;	    /* elements of a block */
	unsigned flip;	    /* of each code: two's complement of what is less by half the range */
	uint64_t rows, places, blocks; /* of the tensor; elements and blocks of a row */
};

/* Field i of t's blocks, t of rank 2; `sign`: codes have one. False: rows that make no whole bytes. */
bool phi_turned_of(const struct phi_tensor *t, unsigned i, bool sign, struct phi_turned *turned);
/* Bytes of the plane; false on overflow. */
bool phi_turned_bytes(const struct phi_turned *turned, uint64_t *bytes);
/* Where the elements of place c of rows from `row` on lie. */
uint64_t phi_turned_place(const struct phi_turned *turned, uint64_t c, uint64_t row);
/* The elements of place c of n rows of blocks: n * bits / 8 bytes. */
void phi_turned_take(const struct phi_turned *turned, uint64_t c, uint64_t n, const uint8_t *blocks, uint8_t *dst);

#endif
