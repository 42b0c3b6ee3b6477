#include "formats/core/field.h"

#include "formats/core/checked.h"

#include <string.h>

enum { BYTE = 8 };

bool
phi_field_of(const struct phi_tensor *t, unsigned i, struct phi_field *field)
{
	struct phi_type_fields fields;
	const uint64_t row = phi_tensor_row(t);
	if (!phi_type_fields(t->type, &fields) || i >= phi_type_nfields(t->type) || row % t->type->elements)
		return false;
	*field = (struct phi_field){ .width = phi_type_field_bytes(t->type, i), .pitch = t->type->bytes,
		.blocks = row / t->type->elements };
	for (unsigned k = 0; k < i; k++)
		field->at += phi_type_field_bytes(t->type, k);
	if (i == 2 && fields.zero && fields.bits < BYTE)
		field->bits = fields.bits;
	return field->bits ? phi_mul(field->blocks, field->bits, &field->row) &&
				     phi_add(field->row, BYTE - 1, &field->row) && (field->row /= BYTE, true)
			   : phi_mul(field->blocks, field->width, &field->row);
}

bool
phi_field_bytes(const struct phi_field *field, uint64_t rows, uint64_t *bytes)
{
	return phi_mul(field->row, rows, bytes);
}

uint64_t
phi_field_run(const struct phi_field *field, uint64_t first, uint64_t left, uint64_t most)
{
	if (left <= most)
		return left;
	return field->bits ? most - (first + most) % field->blocks % BYTE : most;
}

/* Eight codes of any number of bits are whole bytes. */
uint64_t
phi_field_step(const struct phi_field *field, uint64_t n)
{
	const uint64_t unit = !field->bits ? 1 : field->blocks % BYTE ? field->blocks : BYTE;
	return n < unit ? unit : n - n % unit;
}

/* The byte and the bit that block n of the plane begins at. */
static uint64_t
byte_of(const struct phi_field *field, uint64_t n, unsigned *bit)
{
	const uint64_t bits = n % field->blocks * field->bits;
	*bit = bits % BYTE;
	return n / field->blocks * field->row + bits / BYTE;
}

uint64_t
phi_field_place(const struct phi_field *field, uint64_t first, uint64_t n, size_t *bytes)
{
	unsigned bit;
	if (!field->bits) {
		*bytes = (size_t)(n * field->width);
		return first * field->width;
	}
	const uint64_t at = byte_of(field, first, &bit);
	/* No byte of a row is without a code: its last one is that of its last block. */
	const uint64_t last = n ? byte_of(field, first + n - 1, &bit) + 1 : at;
	*bytes = (size_t)(last - at);
	return at;
}

void
phi_field_tear(const struct phi_field *field, uint64_t first, uint64_t n, const uint8_t *blocks, uint8_t *dst)
{
	const uint8_t *src = blocks + field->at;
	unsigned bit;
	size_t bytes;
	if (!field->bits) {
		for (uint64_t i = 0; i < n; i++)
			memcpy(dst + i * field->width, src + i * field->pitch, field->width);
		return;
	}
	const unsigned mask = (1U << field->bits) - 1, middle = 1U << (field->bits - 1);
	const uint64_t start = phi_field_place(field, first, n, &bytes);
	for (unsigned b = 0, all = 0; b < BYTE; b += field->bits) {
		all |= middle << b;
		if (b + field->bits == BYTE)
			memset(dst, (int)all, bytes);
	}
	for (uint64_t i = 0; i < n; i++, src += field->pitch) {
		uint8_t *const p = dst + (byte_of(field, first + i, &bit) - start);
		*p = (uint8_t)((*p & ~(mask << bit)) | (*src & mask) << bit);
	}
}

void
phi_field_weave(const struct phi_field *field, uint64_t first, uint64_t n, const uint8_t *src, uint8_t *blocks)
{
	uint8_t *dst = blocks + field->at;
	unsigned bit;
	if (!field->bits) {
		for (uint64_t i = 0; i < n; i++)
			memcpy(dst + i * field->pitch, src + i * field->width, field->width);
		return;
	}
	const uint64_t start = byte_of(field, first, &bit);
	for (uint64_t i = 0; i < n; i++, dst += field->pitch) {
		const uint8_t byte = src[byte_of(field, first + i, &bit) - start];
		*dst = (uint8_t)(byte >> bit & ((1U << field->bits) - 1));
	}
}
