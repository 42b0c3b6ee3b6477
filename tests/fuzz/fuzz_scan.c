/* --scan of any bytes, as a file and within a zip: it ends, it does not fail, and what it says fits in a
 * line. */
#include "formats/pytorch/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
take(void *ctx, const struct phi_finding *finding, struct phi_err *err)
{
	(void)ctx;
	(void)err;
	if (!finding->rule || !finding->text[0] || strchr(finding->text, '\n'))
		abort();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct phi_findings findings = { .emit = take };
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];
	struct phi_err err = { 0 };
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	struct phi_store *const store = phi_store_open(path, NULL, &err);
	if (!store || phi_pytorch_scan(store, &findings, &err))
		abort();
	phi_store_close(store);
	close(fd);
	return 0;
}
