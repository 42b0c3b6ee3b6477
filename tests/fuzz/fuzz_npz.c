/* An archive of arrays of any bytes: directory, headers, elements, --check, --layout. */
#include "formats/numpy/read.h"
#include "tests/fuzz/look.h"
#include "tests/fuzz/open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_open_then(data, size, phi_numpy_open, fuzz_look);
}
