/* A forward reader over a member: numbers and bytes through a buffer, on files and pipes alike.
 * What it fetched beyond a header is not lost: on a pipe the data is read through it too. */
#ifndef PHI_GGUF_CURSOR_H
#define PHI_GGUF_CURSOR_H

#include "formats/core/store.h"

struct phi_gguf_cursor {
	struct phi_member *member; /* lent */
	uint64_t offset; /* of the next byte taken */
	uint64_t size; /* of the member; UINT64_MAX on a pipe */
	bool big; /* numbers are big-endian */
	uint8_t *buffer; /* bytes [offset, offset + filled - at) wait at buffer + at */
	size_t at, filled;
};

int phi_gguf_cursor_open(
	struct phi_gguf_cursor *cursor, struct phi_member *member, struct phi_err *err);
void phi_gguf_cursor_close(struct phi_gguf_cursor *cursor);

/* Takes exactly n bytes; PHI_TRUNCATED, naming the offset, if there are fewer. */
int phi_gguf_take(struct phi_gguf_cursor *cursor, void *dst, size_t n, struct phi_err *err);
int phi_gguf_take_u32(struct phi_gguf_cursor *cursor, uint32_t *v, struct phi_err *err);
int phi_gguf_take_u64(struct phi_gguf_cursor *cursor, uint64_t *v, struct phi_err *err);
/* Takes n bytes into fresh memory (phi_free) with a NUL after them. The memory grows with the bytes
 * that arrive, whatever n claims. */
int phi_gguf_take_grown(
	struct phi_gguf_cursor *cursor, size_t n, uint8_t **data, struct phi_err *err);
/* Bytes up to the end of the member; UINT64_MAX on a pipe. */
uint64_t phi_gguf_left(const struct phi_gguf_cursor *cursor);

/* Skips to `offset` (not behind the cursor) and takes n bytes. */
int phi_gguf_take_at(
	struct phi_gguf_cursor *cursor, uint64_t offset, void *dst, size_t n, struct phi_err *err);
/* Takes and drops all there is. */
int phi_gguf_drain(struct phi_gguf_cursor *cursor, struct phi_err *err);

#endif
