/* A stream of any bytes: described, read to its end, or refused, never more. */
#include "formats/stream/stream.h"
#include "tests/fuzz/open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_open(data, size, phi_stream_open);
}
