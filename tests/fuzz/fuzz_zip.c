/* A torch checkpoint of any bytes, zip or legacy: directory, pickle and weights. */
#include "formats/pytorch/read.h"
#include "tests/fuzz/look.h"
#include "tests/fuzz/open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_open_then(data, size, phi_pytorch_open, fuzz_look);
}
