/* A pipe: read forward only, but for its head, which stays in memory so that formats can be told
 * apart before one of them reads on.
 *
 *   0 ........ head_size ........ at ......... the end
 *   [  head, kept  ][ read, gone ][ to come ]
 */
#include "formats/core/store_inside.h"

#include "formats/core/io.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <string.h>

enum { PIECE = 1 << 20 };

struct phi_pipe *
phi_pipe_new(int fd, const struct phi_spool_options *options, struct phi_err *err)
{
	struct phi_pipe *const pipe = phi_calloc(1, sizeof *pipe, err);
	if (!pipe)
		return NULL;
	pipe->fd = fd;
	pipe->options = options;
	phi_io_widen(fd);
	return pipe;
}

void
phi_pipe_free(struct phi_pipe *pipe)
{
	if (!pipe)
		return;
	phi_spool_free(pipe->spool);
	phi_free(pipe->head);
	phi_free(pipe);
}

/* One read at the place where the pipe stands. */
static int
take(struct phi_pipe *pipe, void *dst, size_t n, size_t *got, struct phi_err *err)
{
	const ssize_t part = phi_io_read(pipe->fd, dst, n);
	if (part < 0)
		return phi_fail_errno(err, "cannot read at offset %" PRIu64, pipe->at);
	pipe->at += (uint64_t)part;
	*got = (size_t)part;
	return 0;
}

int
phi_pipe_peek(struct phi_pipe *pipe, struct phi_err *err)
{
	if (pipe->peeked)
		return 0;
	if (!pipe->head) {
		pipe->head = phi_alloc(PHI_PEEK_MAX, err);
		if (!pipe->head)
			return -1;
	}
	while (pipe->head_size < PHI_PEEK_MAX) {
		size_t got = 0;
		if (take(pipe, pipe->head + pipe->head_size, PHI_PEEK_MAX - pipe->head_size, &got, err))
			return -1;
		if (!got)
			break;
		pipe->head_size += got;
	}
	pipe->peeked = true;
	return 0;
}

int
phi_pipe_read_some(struct phi_pipe *pipe, uint64_t *offset, void *dst, size_t n, size_t *got,
	struct phi_err *err)
{
	if (phi_pipe_peek(pipe, err))
		return -1;
	if (*offset < pipe->head_size) {
		const size_t left = pipe->head_size - (size_t)*offset;
		*got = n < left ? n : left;
		memcpy(dst, pipe->head + *offset, *got);
	} else if (*offset != pipe->at) {
		return phi_fail(err, PHI_ARGUMENT,
			"offset %" PRIu64 " of a pipe that stands at %" PRIu64, *offset, pipe->at);
	} else if (take(pipe, dst, n, got, err)) {
		return -1;
	}
	*offset += *got;
	return 0;
}

/* Reads and forgets up to the offset; stops at the end. */
static int
skip(struct phi_pipe *pipe, uint64_t offset, struct phi_err *err)
{
	if (pipe->at >= offset)
		return 0;
	const size_t size = offset - pipe->at < PIECE ? (size_t)(offset - pipe->at) : PIECE;
	uint8_t *const piece = phi_alloc(size, err);
	if (!piece)
		return -1;
	int status = 0;
	size_t got = 1;
	while (!status && got && pipe->at < offset) {
		const uint64_t left = offset - pipe->at;
		status = take(pipe, piece, left < size ? (size_t)left : size, &got, err);
	}
	phi_free(piece);
	return status;
}

int
phi_pipe_read(struct phi_pipe *pipe, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	if (phi_pipe_peek(pipe, err))
		return -1;
	if (offset >= pipe->head_size) {
		if (offset < pipe->at)
			return phi_fail(err, PHI_ARGUMENT,
				"offset %" PRIu64 " of a pipe that stands at %" PRIu64, offset, pipe->at);
		if (skip(pipe, offset, err))
			return -1;
	}
	const uint64_t first = offset;
	uint8_t *at = dst;
	for (size_t left = n; left;) {
		size_t got = 0;
		if (offset <= pipe->at && phi_pipe_read_some(pipe, &offset, at, left, &got, err))
			return -1;
		if (!got)
			return phi_fail(err, PHI_TRUNCATED,
				"ends at offset %" PRIu64 "; %zu bytes at %" PRIu64 " are missing", pipe->at,
				n, first);
		at += got;
		left -= got;
	}
	return 0;
}

static int
copy_to_spool(struct phi_pipe *pipe, struct phi_spool *spool, struct phi_err *err)
{
	if (phi_spool_write(spool, pipe->head, pipe->head_size, err))
		return -1;
	uint8_t *const piece = phi_alloc(PIECE, err);
	if (!piece)
		return -1;
	int status = 0;
	for (size_t got = 1; !status && got;) {
		status = take(pipe, piece, PIECE, &got, err);
		if (!status && got)
			status = phi_spool_write(spool, piece, got, err);
	}
	phi_free(piece);
	return status;
}

int
phi_pipe_spool(struct phi_pipe *pipe, struct phi_err *err)
{
	if (pipe->spool)
		return 0;
	if (phi_pipe_peek(pipe, err))
		return -1;
	if (pipe->at > pipe->head_size)
		return phi_fail(err, PHI_ARGUMENT,
			"cannot spool a pipe that stands at %" PRIu64 " already", pipe->at);
	struct phi_spool *const spool = phi_spool_new(pipe->options, err);
	if (!spool)
		return -1;
	if (copy_to_spool(pipe, spool, err)) {
		phi_spool_free(spool);
		return -1;
	}
	pipe->spool = spool;
	return 0;
}
