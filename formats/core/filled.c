#include "formats/core/filled.h"

#include <string.h>

enum { BYTE = 8 };

/* The last row first: rows only move up. */
void
phi_filled_spread(uint8_t *numbers, unsigned width, uint64_t real, uint64_t row, uint64_t rows)
{
	for (uint64_t r = rows; r-- > 0;) {
		uint8_t *const to = numbers + r * row * width;
		memmove(to, numbers + r * real * width, (size_t)(real * width));
		memset(to + real * width, 0, (size_t)((row - real) * width));
	}
}

static uint8_t
left_over(const struct phi_type *type, const struct phi_type_fields *f, const uint8_t *last, unsigned at, uint64_t blocks)
{
	if (at)
		return last[at - 1];
	return (blocks - 1) % (BYTE / f->bits) ? (last - type->bytes)[f->codes - 1] : 0;
}

void
phi_filled_clear(const struct phi_type *type, uint64_t real, uint8_t *blocks, uint64_t rows)
{
	struct phi_type_fields fields;
	if (!phi_type_fields(type, &fields) || real % type->elements == 0)
		return;
	const uint64_t n = real / type->elements + 1;
	const unsigned bits = (unsigned)(real % type->elements) * fields.bits, at = bits / BYTE;
	const unsigned own = (1U << bits % BYTE) - 1, others = own ? 0xff & ~own : 0;
	for (uint64_t r = 1; r <= rows; r++) {
		uint8_t *const last = blocks + (r * n - 1) * type->bytes;
		const unsigned other = own ? left_over(type, &fields, last, at, n) : 0;
		last[at] = (uint8_t)((last[at] & own) | (other & others));
		memset(last + at + 1, 0, fields.codes - at - 1);
	}
}
