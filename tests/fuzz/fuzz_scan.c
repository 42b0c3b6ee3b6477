/* --scan of any bytes, as a file and within a zip: it ends, it does not fail, and what it says fits in a
 * line. */
#include "formats/pytorch/read.h"
#include "tests/fuzz/memory.h"

#include <string.h>

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
	const int fd = fuzz_file(data, size);
	struct phi_err err = { 0 };
	struct phi_store *const store = phi_store_open(fuzz_path(fd).text, NULL, &err);
	if (!store || phi_pytorch_scan(store, &findings, &err))
		abort();
	phi_store_close(store);
	close(fd);
	return 0;
}
