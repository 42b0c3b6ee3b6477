#include "formats/core/bytes.h"

void
phi_swap_bytes(void *p, uint64_t n, unsigned width)
{
	uint8_t *const b = p;
	for (uint64_t at = 0; width > 1 && at + width <= n; at += width)
		for (unsigned i = 0; i < width / 2; i++) {
			const uint8_t t = b[at + i];
			b[at + i] = b[at + width - 1 - i];
			b[at + width - 1 - i] = t;
		}
}
