/* The header of a safetensors file: read, ordered, written. It is needed by several rooms (the
 * safetensors format, folders of them, the stream), hence here.
 *
 *     u64 N, little-endian
 *     N bytes of JSON   {"__metadata__":{"format":"pt"},
 *                        "lm_head.weight":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}}
 *                       padded with spaces so that 8 + N is a multiple of 8
 *     data              offsets count from here; the tensors cover it without holes or overlap
 *
 * Source: the safetensors 0.8 reference (facts/pytorch_tf.md 2.1); stricter where it lets two
 * readers see two files: duplicate names and anything but '{' at the start are refused.
 */
#ifndef PHI_CORE_ST_HEADER_H
#define PHI_CORE_ST_HEADER_H

#include "formats/core/arena.h"
#include "formats/core/limits.h"
#include "formats/core/type.h"
#include "formats/core/value.h"

struct phi_buffer;

struct phi_st_entry {
	const char *name; /* UTF-8 without NUL; may be empty in a file */
	const struct phi_type *type;
	unsigned rank;
	uint32_t
		tag; /* the caller's own: an index, kept by sorting; reading: place in the header */
	uint64_t shape[PHI_RANK_MAX];
	uint64_t begin, end; /* bytes, from the start of the data */
};

struct phi_st_header {
	struct phi_st_entry *entries; /* on the heap; names in the arena */
	size_t count, capacity;
	struct phi_metadata metadata; /* __metadata__: strings, in the file's order */
	uint64_t data_size;
};

void phi_st_header_free(struct phi_st_header *header);

/* N from the first 8 bytes; checks it against PHI_HEADER_MAX. */
int phi_st_header_length(const void *first8, uint64_t *length, struct phi_err *err);

/* Parses the N bytes of JSON into a zeroed header; the entries come sorted by their place in the
 * data, which they are checked to cover exactly: data_size is where the last one ends. Free it also
 * after a failure. */
int phi_st_header_parse(struct phi_st_header *header, struct phi_arena *arena, const char *json,
	size_t size, struct phi_err *err);

/* Can the container hold this type? */
bool phi_st_type_known(const struct phi_type *type);
/* Sorts as the reference's writer does: types by falling alignment, then names bytewise. */
void phi_st_order(struct phi_st_entry *entries, size_t count);
/* Gives the entries, in their present order, begin and end from types and shapes. Refuses sizes
 * that do not fit or are no whole number of bytes. */
int phi_st_place(
	struct phi_st_entry *entries, size_t count, uint64_t *data_size, struct phi_err *err);
/* Appends the 8 bytes and the padded JSON: the bytes the reference writes for these entries. The
 * values of `metadata` must be strings (NULL or empty: no __metadata__). */
int phi_st_header_build(struct phi_buffer *out, const struct phi_st_entry *entries, size_t count,
	const struct phi_metadata *metadata, struct phi_err *err);

#endif
