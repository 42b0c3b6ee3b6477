/* The header of a .npy file: what the array behind it is.
 *
 *     "\x93NUMPY"  major minor     versions 1.0, 2.0, 3.0
 *     u16 n (1.0) or u32 n         little-endian
 *     n bytes of text              {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *                                  blanks and a line end: the data begins at a multiple of 64
 *     data                         shape's product of elements; fortran_order: the first
 *                                  dimension is the one that runs fastest
 *
 * Source: numpy.lib.format of NumPy 2.4, measured. 2.0 only has a longer length, 3.0 is in UTF-8.
 * Read is what NumPy reads and some writer may have written: keys in any order, blanks anywhere, no
 * padding; a key that comes twice is refused, other keys are too. */
#ifndef PHI_NUMPY_HEADER_H
#define PHI_NUMPY_HEADER_H

#include "formats/core/store.h"
#include "formats/core/tensor.h"

struct phi_buffer;

enum {
	PHI_NPY_MAGIC = 6,
	PHI_NPY_PREFIX_MAX = 12, /* magic, version, length */
	PHI_NPY_HEADER_MAX = 1 << 20, /* bytes of text; plain arrays have 118 */
	PHI_NPY_ALIGNMENT = 64,
};

struct phi_npy {
	unsigned version; /* 1, 2, 3 */
	uint64_t data; /* where the data begins, from the magic on */
	uint64_t bytes; /* of the data; 0 without a type */
	const struct phi_type *type; /* NULL: not one of ours */
	const char *what; /* then: what the elements are, for people */
	bool swap; /* big-endian */
	bool guessed; /* taken for BF16, though the header says only how long an element is */
	bool fortran;
	unsigned rank;
	uint64_t shape[PHI_RANK_MAX];
};

bool phi_npy_is(const uint8_t *head, size_t size);

/* Reads bytes of what begins with the magic: a file, or an entry of an archive. */
typedef int phi_npy_read(void *from, uint64_t offset, void *dst, size_t n, struct phi_err *err);

/* Reads the header of an array that has `size` bytes with its header; data of ours are checked to
 * be there, more may follow. */
int phi_npy_parse(
	struct phi_npy *npy, phi_npy_read *read, void *from, uint64_t size, struct phi_err *err);

/* Appends the header NumPy writes for a C-ordered array; data begin where it ends. The type is one
 * that phi_descr_name knows. */
int phi_npy_build(struct phi_buffer *out, const struct phi_type *type, unsigned rank,
	const uint64_t *shape, struct phi_err *err);

#endif
