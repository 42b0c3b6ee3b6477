/* A file of ranges of any bytes. */
#include "formats/core/ranges.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	struct phi_ranges *const ranges = phi_ranges_parse((const char *)data, size, &err);
	float low, high;
	if (!ranges && !err.text[0])
		abort();
	if (ranges && phi_ranges_find(ranges, "x", &low, &high) && (!isfinite(low) || !isfinite(high) || low > high))
		abort();
	phi_ranges_close(ranges);
	return 0;
}
