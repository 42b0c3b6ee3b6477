#include "formats/onnx/data.h"

#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/memory.h"

#include <inttypes.h>

enum { FLOAT_DATA = 4, INT32_DATA = 5, INT64_DATA = 7, DOUBLE_DATA = 10, UINT64_DATA = 11 };

/* By TensorProto.DataType. `field`: where numbers are that are not raw. */
static const struct {
	const char *name;
	enum phi_type_id type;
	unsigned field;
} types[] = {
	[1] = { "FLOAT", PHI_F32, FLOAT_DATA },
	[2] = { "UINT8", PHI_U8, INT32_DATA },
	[3] = { "INT8", PHI_I8, INT32_DATA },
	[4] = { "UINT16", PHI_U16, INT32_DATA },
	[5] = { "INT16", PHI_I16, INT32_DATA },
	[6] = { "INT32", PHI_I32, INT32_DATA },
	[7] = { "INT64", PHI_I64, INT64_DATA },
	[8] = { "STRING", PHI_TYPES, 0 },
	[9] = { "BOOL", PHI_BOOL, INT32_DATA },
	[10] = { "FLOAT16", PHI_F16, INT32_DATA },
	[11] = { "DOUBLE", PHI_F64, DOUBLE_DATA },
	[12] = { "UINT32", PHI_U32, UINT64_DATA },
	[13] = { "UINT64", PHI_U64, UINT64_DATA },
	[14] = { "COMPLEX64", PHI_C64, FLOAT_DATA },
	[15] = { "COMPLEX128", PHI_C128, DOUBLE_DATA },
	[16] = { "BFLOAT16", PHI_BF16, INT32_DATA },
	[17] = { "FLOAT8E4M3FN", PHI_F8_E4M3, INT32_DATA },
	[18] = { "FLOAT8E4M3FNUZ", PHI_F8_E4M3FNUZ, INT32_DATA },
	[19] = { "FLOAT8E5M2", PHI_F8_E5M2, INT32_DATA },
	[20] = { "FLOAT8E5M2FNUZ", PHI_F8_E5M2FNUZ, INT32_DATA },
	[21] = { "UINT4", PHI_U4, INT32_DATA },
	[22] = { "INT4", PHI_I4, INT32_DATA },
	[23] = { "FLOAT4E2M1", PHI_F4, INT32_DATA },
	[24] = { "FLOAT8E8M0", PHI_F8_E8M0, INT32_DATA },
	[25] = { "UINT2", PHI_U2, INT32_DATA },
	[26] = { "INT2", PHI_I2, INT32_DATA },
	[27] = { "FLOAT6E2M3", PHI_F6_E2M3, INT32_DATA },
	[28] = { "FLOAT6E3M2", PHI_F6_E3M2, INT32_DATA },
};
enum { NTYPES = sizeof types / sizeof *types };

static bool
known(int32_t data_type)
{
	return data_type > 0 && data_type < NTYPES && types[data_type].name;
}

const char *
phi_onnx_type_name(int32_t data_type)
{
	return known(data_type) ? types[data_type].name : NULL;
}

const struct phi_type *
phi_onnx_type(int32_t data_type)
{
	return known(data_type) && types[data_type].type != PHI_TYPES ? phi_type_of(types[data_type].type) : NULL;
}

int32_t
phi_onnx_type_number(const struct phi_type *type)
{
	for (int32_t i = 1; i < NTYPES; i++)
		if (type->id != PHI_TYPES && types[i].type == type->id)
			return i;
	return 0;
}

static bool
elements_of(const uint64_t *dims, unsigned rank, uint64_t *n)
{
	*n = 1;
	for (unsigned d = 0; d < rank; d++)
		if (!dims[d])
			*n = 0;
	for (unsigned d = 0; *n && d < rank; d++)
		if (!phi_mul(*n, dims[d], n))
			return false;
	return true;
}

bool
phi_onnx_bytes(const struct phi_type *type, const uint64_t *dims, unsigned rank, uint64_t *bytes)
{
	const unsigned bits = 8U * type->bytes / type->elements;
	uint64_t n;
	if (!elements_of(dims, rank, &n))
		return false;
	if (type->elements == 1)
		return phi_type_size(type, n, bytes);
	if (!phi_mul(n, bits, &n) || !phi_round_up(n, 8, &n))
		return false;
	*bytes = n / 8;
	return true;
}

/* Coded numbers */

struct cursor {
	struct phi_wire_file *file;
	unsigned field, fixed;
	uint64_t at, packed, end;
};

/* The next number: 1; 0 at the end; -1. */
static int
next(struct cursor *c, uint64_t *value, struct phi_err *err)
{
	while (!c->packed) {
		struct phi_wire_place p;
		const int more = phi_wire_file_next(c->file, &c->at, c->end, &p, err);
		if (more <= 0)
			return more;
		if (p.number != c->field)
			continue;
		if (p.type != PHI_WIRE_BYTES) {
			*value = p.value;
			return 1;
		}
		c->at = p.at;
		c->packed = p.end > p.at ? p.end : 0;
	}
	if (c->fixed) {
		uint8_t b[8] = { 0 };
		if (c->packed - c->at < c->fixed)
			return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 ": no whole number of %u bytes", c->at,
				c->fixed);
		if (phi_wire_file_read(c->file, c->at, b, c->fixed, err) < 0)
			return -1;
		c->at += c->fixed;
		*value = phi_load64(b);
	} else if (phi_wire_file_varint(c->file, &c->at, c->packed, value, err) < 0) {
		return -1;
	}
	if (c->at >= c->packed)
		c->packed = 0;
	return 1;
}

static int
add_mark(struct phi_onnx_data *d, size_t *capacity, const struct cursor *c, struct phi_err *err)
{
	if (phi_grow(&d->marks, capacity, d->nmarks, sizeof *d->marks, err) < 0)
		return -1;
	d->marks[d->nmarks++] = (struct phi_onnx_mark){ c->at, c->packed };
	return 0;
}

/* Counts the numbers and marks every STEP-th; marks are on the heap. */
static int
count(struct phi_onnx_data *d, struct phi_wire_file *file, uint64_t expected, struct phi_err *err)
{
	struct cursor c = { .file = file, .field = d->field, .fixed = d->fixed, .at = d->begin, .end = d->end };
	size_t capacity = 0;
	uint64_t n = 0, value;
	int more;
	do {
		if (n % PHI_ONNX_STEP == 0 && add_mark(d, &capacity, &c, err) < 0)
			return -1;
		more = next(&c, &value, err);
		n += more > 0;
	} while (more > 0);
	if (more < 0)
		return -1;
	return n == expected ? 0 : phi_fail(err, PHI_FORMAT, "%" PRIu64 " numbers, where its shape has %" PRIu64,
					   n, expected);
}

static int
find_coded(struct phi_onnx_data *d, struct phi_wire_file *file, const struct phi_onnx_found *t, uint64_t bytes,
	struct phi_arena *arena, struct phi_err *err)
{
	const struct phi_type *const type = phi_onnx_type(t->data_type);
	if (t->typed != types[t->data_type].field)
		return phi_fail(err, PHI_FORMAT, "its numbers are in field %u, where those of %s cannot be", t->typed,
			types[t->data_type].name);
	d->field = t->typed;
	d->fixed = t->typed == FLOAT_DATA ? 4 : t->typed == DOUBLE_DATA ? 8 : 0;
	d->width = d->fixed ? d->fixed : type->bytes;
	d->joined = d->width == 3 ? 4 : 1;
	if (d->fixed && t->packed_at) {
		d->offset = t->packed_at;
		return t->typed_end - t->packed_at == bytes ? 0
			: phi_fail(err, PHI_FORMAT, "%" PRIu64 " bytes of numbers, where its shape has %" PRIu64,
				  t->typed_end - t->packed_at, bytes);
	}
	d->coded = true;
	d->begin = t->typed_at;
	d->end = t->typed_end;
	uint64_t numbers = bytes / d->width;
	if (d->joined > 1)
		elements_of(t->dims, t->rank, &numbers);
	int result = count(d, file, numbers, err);
	struct phi_onnx_mark *const marks = d->marks;
	d->marks = result ? NULL : phi_arena_calloc(arena, d->nmarks + 1, sizeof *marks, err);
	if (d->marks && d->nmarks)
		memcpy(d->marks, marks, d->nmarks * sizeof *marks);
	phi_free(marks);
	return d->marks ? 0 : -1;
}

int
phi_onnx_data_find(struct phi_onnx_data *d, struct phi_wire_file *file, const struct phi_onnx_found *t,
	uint64_t bytes, struct phi_arena *arena, struct phi_err *err)
{
	*d = (struct phi_onnx_data){ .size = bytes };
	if (t->segment)
		return phi_fail(err, PHI_UNSUPPORTED, "it is a segment of a tensor");
	if (t->raw + (t->typed != 0) + t->external + t->strings > 1)
		return phi_fail(err, PHI_FORMAT, "its numbers are there in more than one way");
	if (t->external)
		return 0;
	if (t->has_location || t->has_offset || t->has_length)
		return phi_fail(err, PHI_FORMAT, "external data of a tensor that is not external");
	if (t->typed)
		return find_coded(d, file, t, bytes, arena, err);
	if (t->raw && t->raw_size != bytes)
		return phi_fail(err, PHI_FORMAT, "%" PRIu64 " bytes of raw data, where its shape has %" PRIu64,
			t->raw_size, bytes);
	if (!t->raw && bytes)
		return phi_fail(err, PHI_FORMAT, "it has no numbers, where its shape has %" PRIu64 " bytes of them",
			bytes);
	d->offset = t->raw ? t->raw_at : 0;
	return 0;
}

static void
put(uint8_t *dst, uint64_t value, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		dst[i] = (uint8_t)(value >> 8 * i);
}

/* The next `width` bytes: 1; 0 at the end; -1. */
static int
next_bytes(const struct phi_onnx_data *d, struct cursor *c, uint8_t *dst, struct phi_err *err)
{
	uint64_t value = 0, one;
	int more = 1;
	for (unsigned i = 0; i < d->joined && more > 0; i++) {
		more = next(c, &one, err);
		if (more <= 0 && (more < 0 || !i))
			return more;
		if (more > 0)
			value |= d->joined > 1 ? (one & 63) << 6 * i : one;
	}
	put(dst, value, d->width);
	return 1;
}

static int
decode(const struct phi_onnx_data *d, struct phi_wire_file *file, uint64_t offset, uint8_t *dst, size_t n,
	struct phi_err *err)
{
	const uint64_t first = offset / d->width * d->joined;
	const struct phi_onnx_mark *const mark = &d->marks[first / PHI_ONNX_STEP];
	struct cursor c = { .file = file, .field = d->field, .fixed = d->fixed, .at = mark->at,
		.packed = mark->packed, .end = d->end };
	uint64_t value;
	for (uint64_t i = first % PHI_ONNX_STEP; i; i--)
		if (next(&c, &value, err) <= 0)
			return phi_fail(err, PHI_TRUNCATED, "numbers end early");
	for (size_t skip = (size_t)(offset % d->width); n; skip = 0) {
		uint8_t bytes[8];
		const int more = next_bytes(d, &c, bytes, err);
		if (more <= 0)
			return more < 0 ? -1 : phi_fail(err, PHI_TRUNCATED, "numbers end early");
		const size_t some = d->width - skip < n ? d->width - skip : n;
		memcpy(dst, bytes + skip, some);
		dst += some;
		n -= some;
	}
	return 0;
}

int
phi_onnx_data_read(const struct phi_onnx_data *d, struct phi_member *member, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	if (!n)
		return 0;
	if (!d->coded)
		return phi_member_read(member, d->offset + offset, dst, n, err);
	struct phi_wire_file file;
	phi_wire_file_open(&file, member);
	return decode(d, &file, offset, dst, n, err);
}
