#include "formats/core/turned.h"

#include "formats/core/checked.h"

#include <string.h>

enum { BYTE = 8 };

bool
phi_turned_of(const struct phi_tensor *t, unsigned i, bool sign, struct phi_turned *turned)
{
	struct phi_type_fields fields;
	if (!phi_type_fields(t->type, &fields) || i >= phi_type_nfields(t->type) || t->rank != 2 || fields.bias)
		return false;
	*turned = (struct phi_turned){ .pitch = t->type->bytes, .rows = t->shape[0],
		.blocks = t->shape[1] / t->type->elements, .bits = i == 1 ? fields.scale * BYTE : fields.bits,
		.each = i == 0 ? t->type->elements : 1 };
	for (unsigned k = 0; k < i; k++)
		turned->at += phi_type_field_bytes(t->type, k);
	turned->flip = i == 0 && sign ? 1U << (fields.bits - 1) : 0;
	turned->places = turned->each > 1 ? t->shape[1] : turned->blocks;
	return turned->rows % (turned->bits < BYTE ? BYTE / turned->bits : 1) == 0;
}

bool
phi_turned_bytes(const struct phi_turned *turned, uint64_t *bytes)
{
	uint64_t n;
	return phi_mul(turned->rows, turned->places, &n) && phi_mul(n, turned->bits, &n) && (*bytes = n / BYTE, true);
}

uint64_t
phi_turned_place(const struct phi_turned *turned, uint64_t c, uint64_t row)
{
	return (c * turned->rows + row) * turned->bits / BYTE;
}

void
phi_turned_take(const struct phi_turned *turned, uint64_t c, uint64_t n, const uint8_t *blocks, uint8_t *dst)
{
	const uint64_t row = turned->blocks * turned->pitch;
	const uint8_t *src = blocks + c / turned->each * turned->pitch + turned->at;
	const unsigned bits = turned->bits, first = (unsigned)(c % turned->each) * bits;
	if (bits > BYTE) {
		for (uint64_t i = 0; i < n; i++, src += row)
			memcpy(dst + i * (bits / BYTE), src, bits / BYTE);
		return;
	}
	const unsigned mask = (1U << bits) - 1, shift = first % BYTE;
	src += first / BYTE;
	memset(dst, 0, (size_t)(n * bits / BYTE));
	for (uint64_t i = 0; i < n; i++, src += row)
		dst[i * bits / BYTE] |= (uint8_t)(((*src >> shift & mask) ^ turned->flip) << i * bits % BYTE);
}
