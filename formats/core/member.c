/* Members: ranges of files, windows of other members, pipes. */
#include "formats/core/store_inside.h"

#include "formats/core/buffer.h"
#include "formats/core/checked.h"
#include "formats/core/io.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct phi_member *
phi_member_new(const char *name, struct phi_err *err)
{
	struct phi_member *const m = phi_calloc(1, sizeof *m, err);
	if (!m)
		return NULL;
	m->fd = -1;
	m->name = phi_alloc(strlen(name) + 1, err);
	if (!m->name) {
		phi_free(m);
		return NULL;
	}
	strcpy(m->name, name);
	return m;
}

void
phi_member_close(struct phi_member *m)
{
	if (!m)
		return;
	if (m->owns_fd)
		close(m->fd);
	phi_free(m->head);
	phi_free(m->name);
	phi_free(m);
}

const char *
phi_member_name(const struct phi_member *m)
{
	return m->name;
}

bool
phi_member_sequential(const struct phi_member *m)
{
	return m->pipe && !m->pipe->spool;
}

uint64_t
phi_member_size(const struct phi_member *m)
{
	if (!m->pipe)
		return m->size;
	return m->pipe->spool ? phi_spool_size(m->pipe->spool) : UINT64_MAX;
}

/* Reads from a random member a range that was checked to lie within. */
static int
read_range(const struct phi_member *m, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	const uint64_t first = offset;
	offset += m->start;
	for (; m->outer; offset += m->start)
		m = m->outer;
	if (m->pipe)
		return phi_spool_read(m->pipe->spool, offset, dst, n, err);
	const ssize_t got = phi_io_pread(m->fd, dst, n, offset);
	if (got < 0)
		return phi_fail_errno(err, "cannot read at offset %" PRIu64, first);
	if ((size_t)got != n)
		return phi_fail(err, PHI_TRUNCATED,
			"ends at offset %" PRIu64 "; it was cut while being read", first + (uint64_t)got);
	return 0;
}

int
phi_member_read(struct phi_member *m, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	if (phi_member_sequential(m))
		return phi_pipe_read(m->pipe, offset, dst, n, err);
	const uint64_t size = phi_member_size(m);
	if (!phi_fits(offset, n, size))
		return phi_fail(err, PHI_TRUNCATED,
			"%zu bytes at offset %" PRIu64 " pass the end of the file (%" PRIu64 ")", n,
			offset, size);
	return read_range(m, offset, dst, n, err);
}

int
phi_member_read_some(struct phi_member *m, uint64_t *offset, void *dst, size_t n, size_t *got,
	struct phi_err *err)
{
	*got = 0;
	if (phi_member_sequential(m))
		return phi_pipe_read_some(m->pipe, offset, dst, n, got, err);
	const uint64_t size = phi_member_size(m);
	const uint64_t left = *offset < size ? size - *offset : 0;
	if (n > left)
		n = (size_t)left;
	if (!n)
		return 0;
	if (read_range(m, *offset, dst, n, err))
		return -1;
	*offset += n;
	*got = n;
	return 0;
}

int
phi_member_peek(struct phi_member *m, const uint8_t **head, size_t *n, struct phi_err *err)
{
	if (m->pipe) {
		if (phi_pipe_peek(m->pipe, err))
			return -1;
		*head = m->pipe->head;
		*n = m->pipe->head_size;
		return 0;
	}
	if (!m->head) {
		const size_t size = m->size < PHI_PEEK_MAX ? (size_t)m->size : PHI_PEEK_MAX;
		uint8_t *const bytes = phi_alloc(size, err);
		if (!bytes)
			return -1;
		if (read_range(m, 0, bytes, size, err)) {
			phi_free(bytes);
			return -1;
		}
		m->head = bytes;
		m->head_size = size;
	}
	*head = m->head;
	*n = m->head_size;
	return 0;
}

int
phi_member_spool(struct phi_member *m, struct phi_err *err)
{
	return m->pipe ? phi_pipe_spool(m->pipe, err) : 0;
}

struct phi_member *
phi_member_window(struct phi_member *outer, const char *name, uint64_t offset, uint64_t size,
	struct phi_err *err)
{
	if (phi_member_sequential(outer)) {
		phi_fail(err, PHI_ARGUMENT, "a pipe has no windows until it is spooled");
		return NULL;
	}
	const uint64_t total = phi_member_size(outer);
	if (!phi_fits(offset, size, total)) {
		phi_fail(err, PHI_TRUNCATED,
			"%" PRIu64 " bytes at offset %" PRIu64 " pass the end of the file (%" PRIu64 ")",
			size, offset, total);
		return NULL;
	}
	struct phi_member *const m = phi_member_new(name, err);
	if (!m)
		return NULL;
	m->outer = outer;
	m->start = offset;
	m->size = size;
	return m;
}

static int
load_random(struct phi_member *m, uint64_t limit, void **data, size_t *size, struct phi_err *err)
{
	const uint64_t n = phi_member_size(m);
	if (n > limit)
		return phi_fail(err, PHI_LIMIT, "has %" PRIu64 " bytes; the limit is %" PRIu64, n, limit);
	char *const bytes = phi_alloc((size_t)n + 1, err);
	if (!bytes)
		return -1;
	if (phi_member_read(m, 0, bytes, (size_t)n, err)) {
		phi_free(bytes);
		return -1;
	}
	bytes[n] = '\0';
	*data = bytes;
	*size = (size_t)n;
	return 0;
}

/* Reads on until the end or one byte beyond the limit. */
static int
collect(struct phi_member *m, uint64_t limit, struct phi_buffer *buffer, struct phi_err *err)
{
	uint64_t offset = 0;
	for (;;) {
		enum { STEP = 64 << 10 };
		if (phi_buffer_zeros(buffer, STEP, err))
			return -1;
		size_t got;
		if (phi_member_read_some(m, &offset, buffer->data + buffer->size - STEP, STEP, &got, err))
			return -1;
		buffer->size -= STEP - got;
		if (!got)
			return 0;
		if (offset > limit)
			return phi_fail(err, PHI_LIMIT, "has more than %" PRIu64 " bytes, the limit",
				limit);
	}
}

int
phi_member_load(struct phi_member *m, uint64_t limit, void **data, size_t *size,
	struct phi_err *err)
{
	if (limit > SIZE_MAX / 2)
		limit = SIZE_MAX / 2;
	if (!phi_member_sequential(m))
		return load_random(m, limit, data, size, err);
	struct phi_buffer buffer = { 0 };
	if (collect(m, limit, &buffer, err) || phi_buffer_zeros(&buffer, 1, err)) {
		phi_buffer_free(&buffer);
		return -1;
	}
	*data = buffer.data;
	*size = buffer.size - 1;
	return 0;
}
