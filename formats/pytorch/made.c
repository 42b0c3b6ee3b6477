#include "formats/pytorch/made.h"

#include "formats/core/memory.h"

#include <string.h>

enum { STEP = 64 << 10 }; /* bytes read at a time where they are not what is asked for */

/* Flips the signs of whole elements. The sign is the highest bit of a number's last byte. */
static void
flip(const struct phi_torch_made *made, uint8_t *p, size_t n)
{
	const struct phi_type *const type = made->view.type;
	const bool complex = type->class == PHI_CLASS_COMPLEX;
	const unsigned width = complex ? type->bytes / 2 : type->bytes;
	for (size_t i = 0; i < n / width; i++) {
		const bool imaginary = complex && i % 2;
		if (made->neg != (made->conj && imaginary))
			p[i * width + width - 1] ^= 0x80;
	}
}

/* Elements [first, first + n) of the view. */
static int
read_elements(struct phi_source *source, const struct phi_torch_made *made, uint64_t first,
	uint64_t n, uint8_t *dst, struct phi_err *err)
{
	if (phi_tensor_read(source, &made->view, false, first, n, dst, err))
		return -1;
	if (made->conj || made->neg)
		flip(made, dst, (size_t)n * made->view.type->bytes);
	return 0;
}

/* Codes [offset, offset + n), each a byte of its own. */
static int
read_codes(struct phi_source *source, const struct phi_torch_made *made, uint64_t offset,
	uint8_t *dst, size_t n, uint8_t *buffer, struct phi_err *err)
{
	const unsigned per = 8 / made->bits, mask = (1U << made->bits) - 1;
	while (n) {
		const uint64_t first = offset / per;
		const size_t skip = (size_t)(offset % per);
		const size_t most = (size_t)STEP * per - skip, run = n < most ? n : most;
		if (read_elements(source, made, first, (skip + run + per - 1) / per, buffer, err))
			return -1;
		for (size_t i = 0; i < run; i++) {
			const size_t at = skip + i;
			dst[i] = (uint8_t)(buffer[at / per] >> at % per * made->bits & mask);
		}
		dst += run;
		offset += run;
		n -= run;
	}
	return 0;
}

/* Bytes that begin or end within an element. */
static int
read_ragged(struct phi_source *source, const struct phi_torch_made *made, uint64_t offset,
	uint8_t *dst, size_t n, uint8_t *buffer, struct phi_err *err)
{
	const unsigned width = made->view.type->bytes;
	while (n) {
		const uint64_t first = offset / width;
		const size_t skip = (size_t)(offset % width);
		const size_t run = n < STEP - skip - width ? n : STEP - skip - width;
		if (read_elements(source, made, first, (skip + run + width - 1) / width, buffer,
			    err))
			return -1;
		memcpy(dst, buffer + skip, run);
		dst += run;
		offset += run;
		n -= run;
	}
	return 0;
}

int
phi_torch_made_read(struct phi_source *source, const struct phi_torch_made *made, uint64_t offset,
	void *dst, size_t n, struct phi_err *err)
{
	const unsigned width = made->bytes ? 1 : made->view.type->bytes;
	if (made->bytes) {
		memcpy(dst, made->bytes + offset, n);
		return 0;
	}
	if (!made->bits && offset % width == 0 && n % width == 0)
		return read_elements(source, made, offset / width, n / width, dst, err);
	uint8_t *const buffer = phi_alloc(STEP, err);
	if (!buffer)
		return -1;
	const int result = made->bits ? read_codes(source, made, offset, dst, n, buffer, err)
				      : read_ragged(source, made, offset, dst, n, buffer, err);
	phi_free(buffer);
	return result;
}
