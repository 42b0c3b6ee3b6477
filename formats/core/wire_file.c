#include "formats/core/wire_file.h"

#include "formats/core/bytes.h"
#include "formats/core/checked.h"

#include <inttypes.h>

enum { VARINT_MAX = 10 };

void
phi_wire_file_open(struct phi_wire_file *file, struct phi_member *member)
{
	file->member = member;
	file->bytes = NULL;
	file->size = phi_member_size(member);
	file->at = 0;
	file->have = 0;
}

void
phi_wire_file_lend(struct phi_wire_file *file, const void *bytes, uint64_t size)
{
	file->member = NULL;
	file->bytes = bytes;
	file->size = size;
	file->at = 0;
	file->have = 0;
}

/* At most `want` bytes from `at` on, none behind `end`. */
static int
look(struct phi_wire_file *file, uint64_t at, uint64_t end, size_t want, struct phi_wire *out,
	struct phi_err *err)
{
	if (end - at < want)
		want = (size_t)(end - at);
	if (!file->member) {
		*out = (struct phi_wire){ file->bytes + at, want };
		return 0;
	}
	if (at < file->at || at - file->at > file->have || file->have - (at - file->at) < want) {
		const uint64_t left = file->size - at;
		const size_t n = left < sizeof file->window ? (size_t)left : sizeof file->window;
		file->have = 0;
		if (phi_member_read(file->member, at, file->window, n, err) < 0)
			return -1;
		file->at = at;
		file->have = n;
	}
	*out = (struct phi_wire){ file->window + (at - file->at), want };
	return 0;
}

int
phi_wire_file_read(struct phi_wire_file *file, uint64_t at, void *dst, size_t n, struct phi_err *err)
{
	struct phi_wire w;
	if (file->member && (n > sizeof file->window / 2 || !phi_fits(at, n, file->size)))
		return phi_member_read(file->member, at, dst, n, err);
	if (file->member) {
		if (look(file, at, at + n, n, &w, err) < 0)
			return -1;
		memcpy(dst, w.next, n);
		return 0;
	}
	if (!phi_fits(at, n, file->size))
		return phi_fail(err, PHI_TRUNCATED, "%zu bytes at offset %" PRIu64 " pass the end", n, at);
	if (n)
		memcpy(dst, file->bytes + at, n);
	return 0;
}

int
phi_wire_file_varint(struct phi_wire_file *file, uint64_t *at, uint64_t end, uint64_t *out,
	struct phi_err *err)
{
	struct phi_wire w;
	if (look(file, *at, end, VARINT_MAX, &w, err) < 0)
		return -1;
	const uint8_t *const from = w.next;
	if (phi_wire_varint(&w, out, err) < 0)
		return phi_context(err, "offset %" PRIu64, *at);
	*at += (uint64_t)(w.next - from);
	return 0;
}

static int
fixed(struct phi_wire_file *file, struct phi_wire_place *out, uint64_t end, struct phi_err *err)
{
	const size_t n = out->type == PHI_WIRE_8_BYTES ? 8 : 4;
	struct phi_wire w;
	if (look(file, out->at, end, n, &w, err) < 0)
		return -1;
	if (w.size < n)
		return phi_fail(err, PHI_TRUNCATED, "offset %" PRIu64 ": a message ends within a field",
			out->at);
	out->value = n == 8 ? phi_load64(w.next) : phi_load32(w.next);
	out->end = out->at + n;
	return 0;
}

static int
counted(struct phi_wire_file *file, struct phi_wire_place *out, uint64_t end, struct phi_err *err)
{
	uint64_t n;
	if (phi_wire_file_varint(file, &out->at, end, &n, err) < 0)
		return -1;
	if (n > end - out->at)
		return phi_fail(err, PHI_TRUNCATED,
			"offset %" PRIu64 ": a field of %" PRIu64 " bytes, where %" PRIu64 " are left",
			out->key, n, end - out->at);
	out->end = out->at + n;
	return 0;
}

int
phi_wire_file_next(struct phi_wire_file *file, uint64_t *at, uint64_t end, struct phi_wire_place *out,
	struct phi_err *err)
{
	uint64_t key;
	int result;
	*out = (struct phi_wire_place){ .key = *at, .at = *at };
	if (*at >= end)
		return 0;
	if (phi_wire_file_varint(file, &out->at, end, &key, err) < 0)
		return -1;
	if (key >> 3 == 0 || key >> 3 > PHI_WIRE_NUMBER_MAX)
		return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 ": field %" PRIu64 " cannot be", *at,
			key >> 3);
	out->number = (uint32_t)(key >> 3);
	out->type = (enum phi_wire_type)(key & 7);
	out->body = out->at;
	switch (key & 7) {
	case PHI_WIRE_VARINT:
		out->end = out->at;
		result = phi_wire_file_varint(file, &out->end, end, &out->value, err);
		break;
	case PHI_WIRE_8_BYTES:
	case PHI_WIRE_4_BYTES:
		result = fixed(file, out, end, err);
		break;
	case PHI_WIRE_BYTES:
		result = counted(file, out, end, err);
		break;
	default:
		return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 ": field %" PRIu32 " has no known form (%d)",
			*at, out->number, (int)(key & 7));
	}
	*at = out->end;
	return result < 0 ? -1 : 1;
}
