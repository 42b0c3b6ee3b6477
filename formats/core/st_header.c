/* The byte picture is in st_header.h. */
#include "formats/core/st_header.h"

#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/core/names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The container's dtypes, in the order the reference's writer sorts them. */
static const enum phi_type_id order[] = { PHI_U64, PHI_I64, PHI_F64, PHI_C64, PHI_F32, PHI_U32,
	PHI_I32, PHI_BF16, PHI_F16, PHI_U16, PHI_I16, PHI_F8_E5M2FNUZ, PHI_F8_E4M3FNUZ, PHI_F8_E8M0,
	PHI_F8_E4M3, PHI_F8_E5M2, PHI_I8, PHI_U8, PHI_F6_E3M2, PHI_F6_E2M3, PHI_F4, PHI_BOOL };
enum { NTYPES = sizeof order / sizeof *order };

static int
rank_of(const struct phi_type *type)
{
	for (int i = 0; i < NTYPES; i++)
		if (order[i] == type->id)
			return i;
	return -1;
}

bool
phi_st_type_known(const struct phi_type *type)
{
	return rank_of(type) >= 0;
}

void
phi_st_header_free(struct phi_st_header *header)
{
	phi_free(header->entries);
	*header = (struct phi_st_header){ 0 };
}

int
phi_st_header_length(const void *first8, uint64_t *length, struct phi_err *err)
{
	const uint64_t n = phi_load64(first8);
	if (n > PHI_HEADER_MAX)
		return phi_fail(err, PHI_LIMIT, "header of %" PRIu64 " bytes, more than %d", n,
			PHI_HEADER_MAX);
	if (n < 2)
		return phi_fail(err, PHI_FORMAT, "header of %" PRIu64 " bytes holds no JSON", n);
	*length = n;
	return 0;
}

/* Parsing */

struct parser {
	struct phi_arena *arena;
	struct phi_st_header *header;
	struct phi_names *names; /* of tensors, and __metadata__ */
};

/* A JSON string in the arena; it may hold NULs. */
static const char *
keep_text(struct parser *p, const json_t *text, size_t *size, struct phi_err *err)
{
	*size = json_string_length(text);
	return phi_arena_copy(p->arena, json_string_value(text), *size, err);
}

static int
parse_metadata(struct parser *p, json_t *object, struct phi_err *err)
{
	const char *key;
	json_t *text;
	if (json_is_null(object)) /* MLX writes that when there is none; the reference takes it, too */
		return 0;
	if (!json_is_object(object))
		return phi_fail(err, PHI_FORMAT, "__metadata__ is no object");
	json_object_foreach(object, key, text)
	{
		struct phi_value value = { .kind = PHI_VALUE_STRING };
		struct phi_quoted q;
		if (!json_is_string(text))
			return phi_fail(err, PHI_FORMAT, "__metadata__: %s is no string",
				phi_quote(&q, key));
		value.s.data = keep_text(p, text, &value.s.size, err);
		if (!value.s.data ||
			phi_metadata_add(&p->header->metadata, p->arena, key, value, err))
			return -1;
	}
	return 0;
}

static int
parse_dtype(const json_t *dtype, struct phi_st_entry *entry, struct phi_err *err)
{
	if (!json_is_string(dtype))
		return phi_fail(err, PHI_FORMAT, dtype ? "dtype is no string" : "dtype is missing");
	for (int i = 0; i < NTYPES; i++)
		if (!strcmp(phi_type_of(order[i])->name, json_string_value(dtype)) &&
			strlen(json_string_value(dtype)) == json_string_length(dtype))
			entry->type = phi_type_of(order[i]);
	struct phi_quoted q;
	if (!entry->type)
		return phi_fail(err, PHI_FORMAT, "dtype %s is not known",
			phi_quote(&q, json_string_value(dtype)));
	return 0;
}

/* An array of at most `max` numbers. */
static int
parse_numbers(const json_t *array, uint64_t *out, unsigned max, unsigned *count, const char *what,
	struct phi_err *err)
{
	if (!json_is_array(array))
		return phi_fail(err, PHI_FORMAT, array ? "%s is no array" : "%s is missing", what);
	if (json_array_size(array) > max)
		return phi_fail(err, PHI_LIMIT, "%s: more than %u numbers", what, max);
	*count = (unsigned)json_array_size(array);
	for (unsigned i = 0; i < *count; i++) {
		const json_t *const number = json_array_get(array, i);
		if (!json_is_integer(number) || json_integer_value(number) < 0)
			return phi_fail(err, PHI_FORMAT, "%s: not an integer of 0 to 2^63-1", what);
		out[i] = (uint64_t)json_integer_value(number);
	}
	return 0;
}

/* Exactly what type and shape ask for? */
static int
check_size(const struct phi_st_entry *entry, struct phi_err *err)
{
	uint64_t n = 1, bytes;
	for (unsigned d = 0; d < entry->rank; d++)
		if (!phi_mul(n, entry->shape[d], &n))
			return phi_fail(err, PHI_FORMAT, "shape has more than 2^64 elements");
	if (!phi_type_size(entry->type, n, &bytes))
		return phi_fail(err, PHI_FORMAT,
			"%" PRIu64 " elements of %s are no whole number of bytes, or too many", n,
			entry->type->name);
	if (entry->end < entry->begin)
		return phi_fail(err, PHI_FORMAT,
			"ends (%" PRIu64 ") before it begins (%" PRIu64 ")", entry->end,
			entry->begin);
	if (entry->end - entry->begin != bytes)
		return phi_fail(err, PHI_FORMAT,
			"%" PRIu64 " bytes of data, but type and shape need %" PRIu64,
			entry->end - entry->begin, bytes);
	return 0;
}

/* Fields beyond the three are let pass, as the reference does. */
static int
parse_entry(const json_t *object, struct phi_st_entry *entry, struct phi_err *err)
{
	uint64_t offsets[2];
	unsigned n = 0;
	if (!json_is_object(object))
		return phi_fail(err, PHI_FORMAT, "its description is no object");
	if (parse_dtype(json_object_get(object, "dtype"), entry, err) ||
		parse_numbers(json_object_get(object, "shape"), entry->shape, PHI_RANK_MAX,
			&entry->rank, "shape", err) ||
		parse_numbers(json_object_get(object, "data_offsets"), offsets, 2, &n,
			"data_offsets", err))
		return -1;
	if (n != 2)
		return phi_fail(err, PHI_FORMAT, "data_offsets: two numbers expected, not %u", n);
	entry->begin = offsets[0];
	entry->end = offsets[1];
	return check_size(entry, err);
}

static int
add_entry(struct parser *p, const char *name, size_t size, const json_t *value, struct phi_err *err)
{
	struct phi_st_header *const h = p->header;
	struct phi_quoted q;
	if (size > PHI_NAME_MAX)
		return phi_fail(err, PHI_LIMIT, "tensor %s: name longer than %d bytes",
			phi_quote(&q, name), PHI_NAME_MAX);
	if (strlen(name) != size)
		return phi_fail(
			err, PHI_FORMAT, "tensor %s: its name holds a NUL", phi_quote(&q, name));
	if (h->count == PHI_TENSORS_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d tensors", PHI_TENSORS_MAX);
	if (phi_grow(&h->entries, &h->capacity, h->count, sizeof *h->entries, err))
		return -1;
	struct phi_st_entry *const entry = &h->entries[h->count];
	*entry = (struct phi_st_entry){ .name = name, .tag = (uint32_t)h->count };
	if (parse_entry(value, entry, err))
		return phi_context(err, "tensor %s", phi_quote(&q, name));
	h->count++;
	return 0;
}

static int
parse_member(struct parser *p, const struct phi_json_members *member, struct phi_err *err)
{
	size_t n;
	const char *const name = keep_text(p, member->name, &n, err);
	const int there = name ? phi_names_add(p->names, name, n, 0, err) : -1;
	struct phi_quoted q;
	if (there < 0)
		return -1;
	if (there)
		return phi_fail(err, PHI_FORMAT, "tensor %s: occurs twice", phi_quote(&q, name));
	if (!strcmp(name, "__metadata__"))
		return parse_metadata(p, member->value, err);
	return add_entry(p, name, n, member->value, err);
}

static int
parse_header(struct parser *p, const char *json, size_t size, struct phi_err *err)
{
	struct phi_json_members members = { 0 };
	int more = phi_json_members_begin(&members, json, size, err) ? -1 : 1;
	while (more > 0) {
		more = phi_json_members_next(&members, err);
		if (more > 0 && parse_member(p, &members, err))
			more = -1;
	}
	phi_json_members_end(&members);
	return more;
}

static int
by_place(const void *a, const void *b)
{
	const struct phi_st_entry *const x = a, *const y = b;
	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return x->tag < y->tag ? -1 : x->tag > y->tag;
}

/* Sorted entries must cover the data: a hole can hide another file, an overlap multiplies it. */
static int
check_cover(struct phi_st_header *h, struct phi_err *err)
{
	uint64_t end = 0;
	for (size_t i = 0; i < h->count; i++) {
		const struct phi_st_entry *const e = &h->entries[i];
		struct phi_quoted q;
		if (e->begin != end)
			return phi_fail(err, PHI_FORMAT,
				"tensor %s: begins at %" PRIu64
				" of the data, but the tensor before "
				"it ends at %" PRIu64 " (%s)",
				phi_quote(&q, e->name), e->begin, end,
				e->begin > end ? "a hole" : "an overlap");
		end = e->end;
	}
	h->data_size = end;
	return 0;
}

int
phi_st_header_parse(struct phi_st_header *header, struct phi_arena *arena, const char *json,
	size_t size, struct phi_err *err)
{
	struct parser p = { .arena = arena, .header = header };
	if (size == 0 || json[0] != '{')
		return phi_fail(err, PHI_FORMAT, "header does not begin with '{'");
	while (size && json[size - 1] == ' ')
		size--;
	if (json[size - 1] != '}')
		return phi_fail(err, PHI_FORMAT, "header does not end with '}' and spaces");
	p.names = phi_names_new(err);
	if (!p.names)
		return -1;
	const int result = parse_header(&p, json, size, err);
	phi_names_free(p.names);
	if (result)
		return phi_context(err, "header");
	if (header->count)
		qsort(header->entries, header->count, sizeof *header->entries, by_place);
	return check_cover(header, err);
}

/* Writing */

static int
by_reference(const void *a, const void *b)
{
	const struct phi_st_entry *const x = a, *const y = b;
	const int rx = rank_of(x->type), ry = rank_of(y->type);
	return rx != ry ? rx - ry : strcmp(x->name, y->name);
}

void
phi_st_order(struct phi_st_entry *entries, size_t count)
{
	if (count)
		qsort(entries, count, sizeof *entries, by_reference);
}

int
phi_st_place(struct phi_st_entry *entries, size_t count, uint64_t *data_size, struct phi_err *err)
{
	uint64_t at = 0;
	for (size_t i = 0; i < count; i++) {
		struct phi_st_entry *const e = &entries[i];
		struct phi_quoted q;
		uint64_t n = 1, bytes;
		bool fits = true;
		for (unsigned d = 0; d < e->rank; d++)
			fits = fits && phi_mul(n, e->shape[d], &n);
		e->begin = at;
		if (!fits || !phi_type_size(e->type, n, &bytes) || !phi_add(at, bytes, &at))
			return phi_fail(err, PHI_UNSUPPORTED,
				"tensor %s: its elements are no whole number of bytes, or too many",
				phi_quote(&q, e->name));
		e->end = at;
	}
	*data_size = at;
	return 0;
}

static int
build_metadata(struct phi_buffer *out, const struct phi_metadata *metadata, struct phi_err *err)
{
	if (phi_buffer_printf(out, err, "\"__metadata__\":{"))
		return -1;
	for (size_t i = 0; i < metadata->count; i++) {
		const struct phi_meta *const m = &metadata->items[i];
		if ((i && phi_buffer_append(out, ",", 1, err)) ||
			phi_json_append_string(out, m->key, strlen(m->key), err) ||
			phi_buffer_append(out, ":", 1, err) ||
			phi_json_append_string(out, m->value.s.data, m->value.s.size, err))
			return -1;
	}
	return phi_buffer_append(out, "}", 1, err);
}

static int
build_entry(struct phi_buffer *out, const struct phi_st_entry *e, struct phi_err *err)
{
	if (phi_json_append_string(out, e->name, strlen(e->name), err) ||
		phi_buffer_printf(out, err, ":{\"dtype\":\"%s\",\"shape\":[", e->type->name))
		return -1;
	for (unsigned d = 0; d < e->rank; d++)
		if (phi_buffer_printf(out, err, "%s%" PRIu64, d ? "," : "", e->shape[d]))
			return -1;
	return phi_buffer_printf(
		out, err, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", e->begin, e->end);
}

int
phi_st_header_build(struct phi_buffer *out, const struct phi_st_entry *entries, size_t count,
	const struct phi_metadata *metadata, struct phi_err *err)
{
	const size_t start = out->size;
	const bool described = metadata && metadata->count;
	if (phi_buffer_u64(out, 0, err) || phi_buffer_append(out, "{", 1, err) ||
		(described && build_metadata(out, metadata, err)))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (((i || described) && phi_buffer_append(out, ",", 1, err)) ||
			build_entry(out, &entries[i], err))
			return -1;
	if (phi_buffer_append(out, "}", 1, err))
		return -1;
	while ((out->size - start) % 8)
		if (phi_buffer_append(out, " ", 1, err))
			return -1;
	const uint64_t n = out->size - start - 8;
	if (n > PHI_HEADER_MAX)
		return phi_fail(err, PHI_LIMIT, "header of %" PRIu64 " bytes, more than %d", n,
			PHI_HEADER_MAX);
	phi_store64(out->data + start, n);
	return 0;
}
