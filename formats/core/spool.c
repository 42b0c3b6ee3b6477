/* The spool: an unlinked temporary file. */
#include "formats/core/spool.h"

#include "formats/core/checked.h"
#include "formats/core/io.h"
#include "formats/core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct phi_spool {
	int fd;
	uint64_t size;
};

static const char *
choose_folder(const struct phi_spool_options *options)
{
	const char *const tmp = getenv("TMPDIR");
	if (tmp && *tmp)
		return tmp;
	if (options && options->beside)
		return options->beside;
	return "/var/tmp";
}

/* An unnamed file where the file system can, else a named one that loses its name at once. */
static int
open_unlinked(const char *folder, struct phi_err *err)
{
	const int fd = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return phi_fail_errno(err, "%s: cannot spool the input there", folder);
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/.phi-spool-XXXXXX", folder) >= sizeof path)
		return phi_fail(err, PHI_ARGUMENT, "the name of the spool's folder is too long");
	const int named = mkostemp(path, O_CLOEXEC);
	if (named < 0)
		return phi_fail_errno(err, "%s: cannot spool the input there", folder);
	unlink(path);
	return named;
}

struct phi_spool *
phi_spool_new(const struct phi_spool_options *options, struct phi_err *err)
{
	if (options && options->refuse) {
		phi_fail(err, PHI_ARGUMENT,
			"the input must be spooled to a temporary file, which --no-spool forbids");
		return NULL;
	}
	struct phi_spool *const spool = phi_calloc(1, sizeof *spool, err);
	if (!spool)
		return NULL;
	spool->fd = open_unlinked(choose_folder(options), err);
	if (spool->fd < 0) {
		phi_free(spool);
		return NULL;
	}
	return spool;
}

void
phi_spool_free(struct phi_spool *spool)
{
	if (!spool)
		return;
	close(spool->fd);
	phi_free(spool);
}

int
phi_spool_write(struct phi_spool *spool, const void *src, size_t n, struct phi_err *err)
{
	if (phi_io_pwrite(spool->fd, src, n, spool->size))
		return phi_fail_errno(err, "cannot spool the input (%" PRIu64 " bytes so far)",
			spool->size);
	spool->size += n;
	return 0;
}

int
phi_spool_read(struct phi_spool *spool, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	if (!phi_fits(offset, n, spool->size))
		return phi_fail(err, PHI_TRUNCATED,
			"%zu bytes at offset %" PRIu64 " pass the end (%" PRIu64 ")", n, offset,
			spool->size);
	const ssize_t got = phi_io_pread(spool->fd, dst, n, offset);
	if (got < 0)
		return phi_fail_errno(err, "cannot read the spooled input at offset %" PRIu64, offset);
	if ((size_t)got != n)
		return phi_fail(err, PHI_TRUNCATED, "the spooled input ends at offset %" PRIu64,
			offset + (uint64_t)got);
	return 0;
}

uint64_t
phi_spool_size(const struct phi_spool *spool)
{
	return spool->size;
}
