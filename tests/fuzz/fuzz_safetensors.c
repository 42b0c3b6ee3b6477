/* A safetensors file of any bytes: described or refused, never more. */
#include "formats/safetensors/read.h"
#include "tests/fuzz/look.h"
#include "tests/fuzz/open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_open_then(data, size, phi_safetensors_open, fuzz_look);
}
