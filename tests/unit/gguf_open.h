/* Opens bytes in memory as a GGUF, through a file or a pipe. */
#ifndef TESTS_UNIT_GGUF_OPEN_H
#define TESTS_UNIT_GGUF_OPEN_H

#include "formats/core/memory.h"
#include "formats/gguf/gguf.h"
#include "tests/unit/gguf_maker.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* An opened file or pipe of these bytes. */
struct opened {
	int fd;
	struct phi_store *store;
	struct phi_source *source;
	struct phi_err err;
};

static inline int
fd_of(const void *bytes, size_t n, bool pipes)
{
	int fds[2];
	if (!pipes) {
		const int fd = memfd_create("gguf", MFD_CLOEXEC);
		assert_int_equal(write(fd, bytes, n), n);
		return fd;
	}
	assert_int_equal(pipe(fds), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) >= (int)n);
	assert_int_equal(write(fds[1], bytes, n), n);
	close(fds[1]);
	return fds[0];
}

static inline struct opened
open_bytes(const void *bytes, size_t n, bool pipes)
{
	struct opened o = { .fd = fd_of(bytes, n, pipes) };
	static const struct phi_spool_options spool = { .refuse = true };
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", o.fd);
	o.store = phi_store_open(path, &spool, &o.err);
	assert_non_null(o.store);
	o.source = phi_gguf_open(o.store, NULL, &o.err);
	return o;
}

static inline void
close_opened(struct opened *o)
{
	phi_source_close(o->source);
	phi_store_close(o->store);
	close(o->fd);
}

static inline struct opened
open_made(struct maker *m)
{
	struct opened o = open_bytes(m->bytes.data, m->bytes.size, false);
	phi_buffer_free(&m->bytes);
	if (!o.source)
		print_message("%s\n", o.err.text);
	assert_non_null(o.source);
	return o;
}

#endif
