/* A scratch folder for tests: made under $TMPDIR or /tmp, entered, and removed with all it holds. */
#ifndef PHI_TESTS_SCRATCH_H
#define PHI_TESTS_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_path[256];

static inline int
scratch_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline int
scratch_enter(void **state)
{
	(void)state;
	const char *const tmp = getenv("TMPDIR");
	snprintf(scratch_path, sizeof scratch_path, "%s/phi-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(scratch_path) && !chdir(scratch_path) ? 0 : -1;
}

static inline int
scratch_leave(void **state)
{
	(void)state;
	return chdir("/") || nftw(scratch_path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
scratch_write(const char *path, const void *data, size_t n)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, data, n) != (ssize_t)n || close(fd))
		abort();
}

/* The bytes of a small file; static memory, overwritten by the next call. *n: how many; -1: no file. */
static inline const char *
scratch_read(const char *path, long *n)
{
	static char bytes[1 << 20];
	const int fd = open(path, O_RDONLY);
	*n = fd < 0 ? -1 : (long)read(fd, bytes, sizeof bytes);
	if (fd >= 0)
		close(fd);
	return bytes;
}

/* Names in a folder but . and .. */
static inline int
scratch_count(const char *path)
{
	char command[512];
	snprintf(command, sizeof command, "ls -A '%s' | wc -l", path);
	FILE *const f = popen(command, "r");
	int n = -1;
	if (!f || fscanf(f, "%d", &n) != 1)
		abort();
	pclose(f);
	return n;
}

#endif
