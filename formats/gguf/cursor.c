#include "formats/gguf/cursor.h"

#include "formats/core/bytes.h"
#include "formats/core/memory.h"

#include <inttypes.h>

enum {
	BUFFER = 64 << 10,
	PIECE = 1 << 20, /* what is allocated on a claim alone */
};

int
phi_gguf_cursor_open(struct phi_gguf_cursor *cursor, struct phi_member *member, struct phi_err *err)
{
	*cursor = (struct phi_gguf_cursor){ .member = member, .size = phi_member_size(member) };
	cursor->buffer = phi_alloc(BUFFER, err);
	return cursor->buffer ? 0 : -1;
}

void
phi_gguf_cursor_close(struct phi_gguf_cursor *cursor)
{
	phi_free(cursor->buffer);
	cursor->buffer = NULL;
	cursor->at = cursor->filled = 0;
}

uint64_t
phi_gguf_left(const struct phi_gguf_cursor *cursor)
{
	return cursor->size == UINT64_MAX ? UINT64_MAX : cursor->size - cursor->offset;
}

static int
truncated(const struct phi_gguf_cursor *cursor, struct phi_err *err)
{
	return phi_fail(err, PHI_TRUNCATED, "ends too early (at byte %" PRIu64 ")", cursor->offset);
}

/* Fetches at most n bytes at the cursor's offset; the buffer is empty. Sets *got; 0 is an error. */
static int
fetch(struct phi_gguf_cursor *cursor, void *dst, size_t n, size_t *got, struct phi_err *err)
{
	uint64_t offset = cursor->offset;
	if (phi_member_read_some(cursor->member, &offset, dst, n, got, err))
		return -1;
	return *got ? 0 : truncated(cursor, err);
}

static int
refill(struct phi_gguf_cursor *cursor, struct phi_err *err)
{
	cursor->at = cursor->filled = 0;
	return fetch(cursor, cursor->buffer, BUFFER, &cursor->filled, err);
}

int
phi_gguf_take(struct phi_gguf_cursor *cursor, void *dst, size_t n, struct phi_err *err)
{
	uint8_t *to = dst;
	while (n) {
		size_t some = cursor->filled - cursor->at;
		if (some) {
			some = some < n ? some : n;
			memcpy(to, cursor->buffer + cursor->at, some);
			cursor->at += some;
		} else if (n >= BUFFER) {
			if (fetch(cursor, to, n, &some, err))
				return -1;
		} else {
			if (refill(cursor, err))
				return -1;
			continue;
		}
		cursor->offset += some;
		to += some;
		n -= some;
	}
	return 0;
}

int
phi_gguf_take_u32(struct phi_gguf_cursor *cursor, uint32_t *v, struct phi_err *err)
{
	uint8_t bytes[4];
	if (phi_gguf_take(cursor, bytes, sizeof bytes, err))
		return -1;
	*v = phi_load32(bytes);
	if (cursor->big)
		*v = __builtin_bswap32(*v);
	return 0;
}

int
phi_gguf_take_u64(struct phi_gguf_cursor *cursor, uint64_t *v, struct phi_err *err)
{
	uint8_t bytes[8];
	if (phi_gguf_take(cursor, bytes, sizeof bytes, err))
		return -1;
	*v = phi_load64(bytes);
	if (cursor->big)
		*v = __builtin_bswap64(*v);
	return 0;
}

int
phi_gguf_take_grown(struct phi_gguf_cursor *cursor, size_t n, uint8_t **data, struct phi_err *err)
{
	uint8_t *all = NULL;
	size_t done = 0;
	do {
		size_t next = done < PIECE ? PIECE : done;
		next = next < n - done ? next : n - done;
		uint8_t *const more = phi_realloc(all, done + next + 1, 1, err);
		if (!more || phi_gguf_take(cursor, more + done, next, err)) {
			phi_free(more ? more : all);
			return -1;
		}
		all = more;
		done += next;
	} while (done < n);
	all[n] = 0;
	*data = all;
	return 0;
}

int
phi_gguf_take_at(
	struct phi_gguf_cursor *cursor, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	if (offset < cursor->offset)
		return phi_fail(
			err, PHI_ARGUMENT, "byte %" PRIu64 " of a pipe has passed already", offset);
	const size_t waiting = cursor->filled - cursor->at;
	if (offset - cursor->offset < waiting) {
		cursor->at += (size_t)(offset - cursor->offset);
		cursor->offset = offset;
		return phi_gguf_take(cursor, dst, n, err);
	}
	cursor->at = cursor->filled = 0;
	if (phi_member_read(cursor->member, offset, dst, n, err))
		return -1;
	cursor->offset = offset + n;
	return 0;
}

int
phi_gguf_drain(struct phi_gguf_cursor *cursor, struct phi_err *err)
{
	cursor->offset += cursor->filled - cursor->at;
	cursor->at = cursor->filled = 0;
	for (;;) {
		uint64_t offset = cursor->offset;
		size_t got;
		if (phi_member_read_some(
			    cursor->member, &offset, cursor->buffer, BUFFER, &got, err))
			return -1;
		if (!got)
			return 0;
		cursor->offset += got;
	}
}
