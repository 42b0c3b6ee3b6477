#include "formats/onnx/found.h"

#include <inttypes.h>
#include <string.h>

/* Numbers of TensorProto's fields. */
enum {
	DIMS = 1,
	DATA_TYPE = 2,
	SEGMENT = 3,
	FLOAT_DATA = 4,
	INT32_DATA = 5,
	STRING_DATA = 6,
	INT64_DATA = 7,
	NAME = 8,
	RAW_DATA = 9,
	DOUBLE_DATA = 10,
	UINT64_DATA = 11,
	EXTERNAL_DATA = 13,
	DATA_LOCATION = 14,
	WEIGHT = 500000001,
};

static enum phi_wire_type
form_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return PHI_WIRE_4_BYTES;
	case PROTOBUF_C_TYPE_DOUBLE:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return PHI_WIRE_8_BYTES;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return PHI_WIRE_BYTES;
	default:
		return PHI_WIRE_VARINT;
	}
}

static int
check_text(struct phi_wire_file *file, const struct phi_wire_place *p, struct phi_err *err)
{
	char text[1024];
	for (uint64_t at = p->at; at < p->end;) {
		const size_t n = p->end - at < sizeof text ? (size_t)(p->end - at) : sizeof text;
		if (phi_wire_file_read(file, at, text, n, err) < 0)
			return -1;
		if (memchr(text, '\0', n))
			return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 ": a NUL in a name", p->at);
		at += n;
	}
	return 0;
}

int
phi_onnx_field_check(struct phi_wire_file *file, const char *message, const ProtobufCFieldDescriptor *field,
	const struct phi_wire_place *p, struct phi_err *err)
{
	const enum phi_wire_type form = form_of(field->type);
	const bool packed = field->label == PROTOBUF_C_LABEL_REPEATED && p->type == PHI_WIRE_BYTES;
	if (p->type != form && !packed)
		return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 ": %s of %s has form %d of the wire, not %d",
			p->key, field->name, message, (int)p->type, (int)form);
	return field->type == PROTOBUF_C_TYPE_STRING ? check_text(file, p, err) : 0;
}

static int
add_dim(struct phi_onnx_found *t, uint64_t dim, struct phi_err *err)
{
	if (dim > INT64_MAX)
		return phi_fail(err, PHI_FORMAT, "a dimension of %" PRId64, (int64_t)dim);
	if (t->rank == PHI_RANK_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d dimensions, the limit", PHI_RANK_MAX);
	t->dims[t->rank++] = dim;
	return 0;
}

static int
add_dims(struct phi_wire_file *file, struct phi_onnx_found *t, const struct phi_wire_place *p,
	struct phi_err *err)
{
	if (p->type == PHI_WIRE_VARINT)
		return add_dim(t, p->value, err);
	for (uint64_t at = p->at, dim; at < p->end;)
		if (phi_wire_file_varint(file, &at, p->end, &dim, err) < 0 || add_dim(t, dim, err) < 0)
			return -1;
	return 0;
}

static int
typed(struct phi_onnx_found *t, const struct phi_wire_place *p, struct phi_err *err)
{
	if (t->typed && t->typed != p->number)
		return phi_fail(err, PHI_FORMAT, "numbers in two fields, %u and %" PRIu32, t->typed, p->number);
	if (!t->typed)
		t->typed_at = p->key;
	t->typed = p->number;
	t->packed_at = !t->typed_fields && p->type == PHI_WIRE_BYTES ? p->at : 0;
	if (t->typed_fields < UINT32_MAX)
		t->typed_fields++;
	t->typed_end = p->end;
	return 1;
}

/* Text of a key or a value. */
static int
read_text(struct phi_wire_file *file, const struct phi_wire_place *p, char *dst, size_t size,
	struct phi_err *err)
{
	const uint64_t n = p->end - p->at;
	if (n >= size)
		return phi_fail(err, PHI_LIMIT, "offset %" PRIu64 ": %" PRIu64 " bytes of text about external "
			"data, at most %zu", p->at, n, size - 1);
	dst[n] = '\0';
	return phi_wire_file_read(file, p->at, dst, (size_t)n, err);
}

static int
decimal(const char *text, const char *key, uint64_t *out, struct phi_err *err)
{
	uint64_t v = 0;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return phi_fail(err, PHI_FORMAT, "the %s of its external data is no number", key);
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return phi_fail(err, PHI_FORMAT, "the %s of its external data does not fit 64 bits", key);
	}
	if (!*text)
		return phi_fail(err, PHI_FORMAT, "the %s of its external data is empty", key);
	*out = v;
	return 0;
}

static int
set_external(struct phi_onnx_found *t, const char *key, const char *value, struct phi_err *err)
{
	bool *const has = !strcmp(key, "location") ? &t->has_location
		: !strcmp(key, "offset")	   ? &t->has_offset
		: !strcmp(key, "length")	   ? &t->has_length
						   : &t->odd_key;
	if (*has && has != &t->odd_key)
		return phi_fail(err, PHI_FORMAT, "the %s of its external data is there twice", key);
	*has = true;
	if (has == &t->has_location)
		memcpy(t->location, value, strlen(value) + 1);
	if (has == &t->has_offset)
		return decimal(value, key, &t->offset, err);
	if (has == &t->has_length)
		return decimal(value, key, &t->length, err);
	t->odd_key = t->odd_key && (has != &t->odd_key || strcmp(key, "checksum") != 0);
	return 0;
}

static int
external(struct phi_wire_file *file, struct phi_onnx_found *t, const struct phi_wire_place *entry,
	struct phi_err *err)
{
	char key[PHI_ONNX_LOCATION_MAX + 1] = "", value[PHI_ONNX_LOCATION_MAX + 1] = "";
	uint64_t at = entry->at;
	struct phi_wire_place p;
	int more;
	while ((more = phi_wire_file_next(file, &at, entry->end, &p, err)) > 0) {
		if (p.number != 1 && p.number != 2)
			continue;
		if (p.type != PHI_WIRE_BYTES)
			return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 ": external data that is no text", p.key);
		if (check_text(file, &p, err) < 0 ||
			read_text(file, &p, p.number == 1 ? key : value, sizeof key, err) < 0)
			return -1;
	}
	return more < 0 || set_external(t, key, value, err) < 0 ? -1 : 1;
}

int
phi_onnx_found_field(struct phi_wire_file *file, struct phi_onnx_found *t, const struct phi_wire_place *p,
	struct phi_err *err)
{
	switch (p->number) {
	case DIMS:
		return add_dims(file, t, p, err);
	case DATA_TYPE:
		t->data_type = (int32_t)p->value;
		return 0;
	case SEGMENT:
		t->segment = true;
		return 0;
	case FLOAT_DATA:
	case INT32_DATA:
	case INT64_DATA:
	case DOUBLE_DATA:
	case UINT64_DATA:
		return typed(t, p, err);
	case STRING_DATA:
		t->strings = true;
		return 0;
	case NAME: {
		const uint64_t n = p->end - p->at;
		const size_t kept = n < sizeof t->name ? (size_t)n : sizeof t->name - 1;
		t->name[kept] = '\0';
		return phi_wire_file_read(file, p->at, t->name, kept, err);
	}
	case RAW_DATA:
		t->raw = true;
		t->raw_at = p->at;
		t->raw_size = p->end - p->at;
		return 1;
	case EXTERNAL_DATA:
		return external(file, t, p, err);
	case DATA_LOCATION:
		if (p->value > 1)
			return phi_fail(err, PHI_FORMAT, "data_location is %" PRId64, (int64_t)p->value);
		t->external = p->value == 1;
		return 1;
	case WEIGHT:
		t->marked = true;
		t->weight = p->value;
		return 1;
	default:
		return 0;
	}
}
