#include "formats/core/wire.h"

#include "formats/core/buffer.h"
#include "formats/core/bytes.h"

#include <inttypes.h>

static int
cut(struct phi_err *err)
{
	return phi_fail(err, PHI_TRUNCATED, "a message ends within a field");
}

int
phi_wire_varint(struct phi_wire *w, uint64_t *out, struct phi_err *err)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (!w->size)
			return cut(err);
		const uint8_t b = *w->next++;
		w->size--;
		if (shift == 63 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			*out = v;
			return 0;
		}
	}
	return phi_fail(err, PHI_FORMAT, "a number of more than 64 bits");
}

/* `n` bytes as a piece of the message. */
static int
bytes(struct phi_wire *w, uint64_t n, struct phi_wire *out, struct phi_err *err)
{
	if (n > w->size)
		return phi_fail(err, PHI_TRUNCATED,
			"a field of %" PRIu64 " bytes, where %zu are left", n, w->size);
	*out = (struct phi_wire){ w->next, (size_t)n };
	w->next += n;
	w->size -= (size_t)n;
	return 0;
}

static int
value(struct phi_wire *w, struct phi_wire_field *out, struct phi_err *err)
{
	uint64_t n;
	switch (out->type) {
	case PHI_WIRE_VARINT:
		return phi_wire_varint(w, &out->value, err);
	case PHI_WIRE_8_BYTES:
	case PHI_WIRE_4_BYTES:
		n = out->type == PHI_WIRE_8_BYTES ? 8 : 4;
		if (w->size < n)
			return cut(err);
		out->value = n == 8 ? phi_load64(w->next) : phi_load32(w->next);
		w->next += n;
		w->size -= (size_t)n;
		return 0;
	case PHI_WIRE_BYTES:
		return phi_wire_varint(w, &n, err) < 0 ? -1 : bytes(w, n, &out->bytes, err);
	}
	return phi_fail(err, PHI_FORMAT, "field %" PRIu32 " has no known form (%d)", out->number,
		(int)out->type);
}

int
phi_wire_next(struct phi_wire *message, struct phi_wire_field *out, struct phi_err *err)
{
	uint64_t key;
	*out = (struct phi_wire_field){ 0 };
	if (!message->size)
		return 0;
	if (phi_wire_varint(message, &key, err) < 0)
		return -1;
	if (key >> 3 == 0 || key >> 3 > PHI_WIRE_NUMBER_MAX)
		return phi_fail(err, PHI_FORMAT, "field %" PRIu64 " cannot be", key >> 3);
	out->number = (uint32_t)(key >> 3);
	out->type = (enum phi_wire_type)(key & 7);
	return value(message, out, err) < 0 ? -1 : 1;
}

int
phi_wire_expect(const struct phi_wire_field *field, enum phi_wire_type type, const char *what,
	struct phi_err *err)
{
	if (field->type == type)
		return 0;
	return phi_fail(err, PHI_FORMAT, "%s has form %d of the wire, not %d", what, (int)field->type,
		(int)type);
}

static int
put_number(struct phi_buffer *out, uint64_t v, struct phi_err *err)
{
	uint8_t bytes[10];
	size_t n = 0;
	do {
		bytes[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
	} while (v);
	return phi_buffer_append(out, bytes, n, err);
}

static int
put_key(struct phi_buffer *out, uint32_t number, enum phi_wire_type type, struct phi_err *err)
{
	return put_number(out, (uint64_t)number << 3 | type, err);
}

int
phi_wire_put_varint(struct phi_buffer *out, uint32_t number, uint64_t v, struct phi_err *err)
{
	return put_key(out, number, PHI_WIRE_VARINT, err) < 0 ? -1 : put_number(out, v, err);
}

int
phi_wire_put_float(struct phi_buffer *out, uint32_t number, float v, struct phi_err *err)
{
	return put_key(out, number, PHI_WIRE_4_BYTES, err) < 0 ? -1 : phi_buffer_u32(out, phi_bits32(v), err);
}

int
phi_wire_put_bytes(struct phi_buffer *out, uint32_t number, const void *bytes, size_t n, struct phi_err *err)
{
	return put_key(out, number, PHI_WIRE_BYTES, err) < 0 || put_number(out, n, err) < 0 ? -1
		: phi_buffer_append(out, bytes, n, err);
}
