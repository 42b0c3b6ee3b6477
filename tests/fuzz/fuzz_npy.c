/* A .npy whose header is any text: its length is set right, so that the parser of literals is reached. */
#include "formats/numpy/read.h"
#include "tests/fuzz/look.h"
#include "tests/fuzz/open.h"

#include "formats/core/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { PREFIX = 12, DATA = 64 };
	static uint8_t file[PREFIX + 65536 + DATA];
	if (size > 65536)
		return 0;
	memcpy(file, "\x93NUMPY\2\0", 8);
	phi_store32(file + 8, (uint32_t)size);
	memcpy(file + PREFIX, data, size);
	memset(file + PREFIX + size, 0, DATA);
	return fuzz_open_then(file, PREFIX + size + DATA, phi_numpy_open, fuzz_look);
}
