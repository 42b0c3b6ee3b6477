/* A stream of any bytes: described and read to its checked end, or refused, never more. */
#include "formats/stream/stream.h"
#include "tests/fuzz/open.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* To the end, skipping: every byte passes the digests. */
static void
finish(struct phi_source *source)
{
	struct phi_err err = { 0 };
	if (phi_source_finish(source, &err) && (!err.text[0] || strchr(err.text, '\n')))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_open_then(data, size, phi_stream_open, finish);
}
