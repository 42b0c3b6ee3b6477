/* The wire format (wire.h) in a file: fields are found by their offsets, a small window of the file is in
 * memory, and no value is ever read because its length says so. Of messages with gigabytes of numbers. */
#ifndef PHI_CORE_WIRE_FILE_H
#define PHI_CORE_WIRE_FILE_H

#include "formats/core/store.h"
#include "formats/core/wire.h"

enum { PHI_WIRE_WINDOW = 4096 };

/* Lent: a random member, or bytes in memory. Not for two threads at a time. */
struct phi_wire_file {
	struct phi_member *member;
	const uint8_t *bytes; /* where there is no member */
	uint64_t size;
	uint64_t at; /* what the window has: [at, at + have) */
	size_t have;
	uint8_t window[PHI_WIRE_WINDOW];
};

struct phi_wire_place {
	uint32_t number;
	enum phi_wire_type type;
	uint64_t value;	      /* of a varint, or the 4 or 8 bytes */
	uint64_t key, body; /* where its key begins, and where what follows that */
	uint64_t at, end;   /* where its value begins (behind a length), and where it ends */
};

void phi_wire_file_open(struct phi_wire_file *file, struct phi_member *member);
void phi_wire_file_lend(struct phi_wire_file *file, const void *bytes, uint64_t size);

/* The field at *at of a message that ends at `end`, which lies in the file; *at moves on to the next.
 * 1: a field; 0: the message is at its end; -1. */
int phi_wire_file_next(struct phi_wire_file *file, uint64_t *at, uint64_t end,
	struct phi_wire_place *out, struct phi_err *err);
/* A varint at *at, before `end`. */
int phi_wire_file_varint(struct phi_wire_file *file, uint64_t *at, uint64_t end, uint64_t *out,
	struct phi_err *err);
int phi_wire_file_read(struct phi_wire_file *file, uint64_t at, void *dst, size_t n, struct phi_err *err);

#endif
