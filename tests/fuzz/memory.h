/* Fuzzed bytes as a file in memory or a pipe, opened by name. */
#ifndef PHI_TESTS_FUZZ_MEMORY_H
#define PHI_TESTS_FUZZ_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static inline void
must(bool true_or_bug)
{
	if (!true_or_bug)
		abort();
}

static inline int
fuzz_file(const void *data, size_t size)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	return fd;
}

/* As much as a pipe holds: 64 KiB. */
static inline int
fuzz_pipe(const void *data, size_t size)
{
	int fds[2];
	must(!pipe(fds) && write(fds[1], data, size) == (ssize_t)size);
	close(fds[1]);
	return fds[0];
}

struct fuzz_path {
	char text[64];
};

static inline struct fuzz_path
fuzz_path(int fd)
{
	struct fuzz_path path;
	snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", fd);
	return path;
}

#endif
