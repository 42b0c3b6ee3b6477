#include "formats/core/tensor.h"

#include "formats/core/checked.h"
#include "formats/core/field.h"
#include "formats/core/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
phi_tensor_elements(const struct phi_tensor *t, uint64_t *n)
{
	/* A zero anywhere makes zero elements, whatever overflow the other dimensions would give. */
	uint64_t all = 1;
	for (unsigned i = 0; i < t->rank; i++)
		if (t->shape[i] == 0) {
			*n = 0;
			return true;
		}
	for (unsigned i = 0; i < t->rank; i++)
		if (!phi_mul(all, t->shape[i], &all))
			return false;
	*n = all;
	return true;
}

uint64_t
phi_tensor_row(const struct phi_tensor *t)
{
	return t->rank ? t->shape[t->rank - 1] : 1;
}

bool
phi_tensor_bytes(const struct phi_tensor *t, uint64_t *bytes)
{
	uint64_t n;
	if (t->type->class == PHI_CLASS_PACKED) {
		*bytes = 0;
		for (unsigned i = 0; i < t->nplanes; i++)
			if (!phi_add(*bytes, t->packed->plane[i].bytes, bytes))
				return false;
		return true;
	}
	return phi_tensor_elements(t, &n) && phi_tensor_row(t) % t->type->elements == 0 &&
		phi_type_size(t->type, n, bytes);
}

unsigned
phi_type_nfields(const struct phi_type *type)
{
	struct phi_type_fields fields;
	return !phi_type_fields(type, &fields) ? 0 : fields.bias || fields.zero ? 3 : 2;
}

unsigned
phi_type_field_bytes(const struct phi_type *type, unsigned i)
{
	struct phi_type_fields fields;
	if (!phi_type_fields(type, &fields))
		return 0;
	return i == 0 ? fields.codes : i == 1 ? fields.scale : fields.bias + fields.zero;
}

bool
phi_tensor_field_bytes(const struct phi_tensor *t, unsigned i, uint64_t *bytes)
{
	struct phi_field field;
	uint64_t n;
	const uint64_t row = phi_tensor_row(t);
	return phi_field_of(t, i, &field) && phi_tensor_elements(t, &n) &&
		phi_field_bytes(&field, row ? n / row : 0, bytes);
}

bool
phi_tensor_is_woven(const struct phi_tensor *t)
{
	return t->nplanes > 1 && t->nplanes == phi_type_nfields(t->type);
}

bool
phi_tensor_is_readable(const struct phi_tensor *t)
{
	return t->nplanes == 1 || t->packed || phi_tensor_is_woven(t);
}

bool
phi_tensor_is_scaled(const struct phi_tensor *t)
{
	return t->scaling && t->type == t->scaling->type;
}

bool
phi_tensor_plane_bytes(const struct phi_tensor *t, unsigned i, uint64_t *bytes)
{
	if (t->packed) {
		*bytes = t->packed->plane[i].bytes;
		return true;
	}
	return phi_tensor_is_woven(t) ? phi_tensor_field_bytes(t, i, bytes) : phi_tensor_bytes(t, bytes);
}

bool
phi_tensor_slice(const struct phi_tensor *t, uint64_t first, uint64_t n, bool drop, struct phi_tensor *out)
{
	uint64_t all, bytes, skipped;
	const bool woven = phi_tensor_is_woven(t);
	if (!t->rank || !t->shape[0] || (t->nplanes != 1 && !woven) || t->packed || (drop && n != 1))
		return false;
	/* Rows are whole blocks; single elements of a vector are not. */
	if ((t->rank == 1 && t->type->elements > 1) || first > t->shape[0] || n > t->shape[0] - first ||
		!phi_tensor_elements(t, &all) || !phi_type_size(t->type, all / t->shape[0] * first, &bytes))
		return false;
	*out = *t;
	out->alias = PHI_NONE;
	out->shape[0] = first;
	for (unsigned i = 0; woven && i < t->nplanes; i++) {
		if (!phi_tensor_field_bytes(out, i, &skipped))
			return false;
		out->plane[i].offset += skipped;
	}
	out->shape[0] = n;
	struct phi_plane *const p = &out->plane[0];
	/* A strided view lies in its storage whole, and so do its slices: nothing overflows. */
	if (!woven)
		p->offset += p->dense ? bytes
				      : (uint64_t)((int64_t)first * p->stride[0] * (int64_t)t->type->bytes);
	if (drop) {
		out->rank--;
		memmove(out->shape, out->shape + 1, out->rank * sizeof *out->shape);
		memmove(p->stride, p->stride + 1, out->rank * sizeof *p->stride);
	}
	return true;
}

bool
phi_tensor_turn(struct phi_tensor *t)
{
	struct phi_plane *const p = &t->plane[0];
	if (t->rank != 2 || t->nplanes != 1 || t->packed || t->type->elements != 1 || t->shape[1] > INT64_MAX)
		return false;
	const uint64_t rows = t->shape[0];
	const int64_t along[2] = { p->dense ? (int64_t)t->shape[1] : p->stride[0], p->dense ? 1 : p->stride[1] };
	t->shape[0] = t->shape[1];
	t->shape[1] = rows;
	p->stride[0] = along[1];
	p->stride[1] = along[0];
	p->dense = false;
	return true;
}

const char *
phi_tensor_shape(const struct phi_tensor *t, char *dst, size_t size)
{
	size_t at = (size_t)snprintf(dst, size, "[");
	for (unsigned i = 0; i < t->rank && at < size; i++)
		at += (size_t)snprintf(dst + at, size - at, "%s%" PRIu64, i ? ", " : "",
			t->shape[i]);
	if (at < size)
		snprintf(dst + at, size - at, "]");
	return dst;
}
