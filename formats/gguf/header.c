/* Reads the picture in gguf.h from its first byte to the end of the list of tensors. */
#include "formats/gguf/header.h"

#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/gguf/gguf.h"

#include <inttypes.h>

enum {
	POOL_BYTES = 64 << 10, /* short strings share blocks of this size */
	POOLED_MAX = 1 << 10,
	BIG_HOST = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
};

struct reader {
	struct phi_gguf_cursor *cursor;
	struct phi_model *model;
	struct phi_gguf_header *header;
	char *pool; /* what is left of the current block, in the model's arena */
	size_t pool_left;
};

/* Counts and lengths: 32 bits in version 1. */
static int
take_count(struct reader *r, uint64_t *count, struct phi_err *err)
{
	if (r->header->version > 1)
		return phi_gguf_take_u64(r->cursor, count, err);
	uint32_t narrow;
	if (phi_gguf_take_u32(r->cursor, &narrow, err))
		return -1;
	*count = narrow;
	return 0;
}

static unsigned
count_width(const struct reader *r)
{
	return r->header->version > 1 ? 8 : 4;
}

/* Are there `count` things of at least `each` bytes, within the member and our limit? */
static int
check_room(const struct reader *r, const char *what, uint64_t count, uint64_t each,
	struct phi_err *err)
{
	uint64_t bytes;
	const uint64_t left = phi_gguf_left(r->cursor);
	const bool wraps = !phi_mul(count, each, &bytes);
	if (left != UINT64_MAX && (wraps || bytes > left))
		return phi_fail(err, PHI_TRUNCATED,
			"%" PRIu64 " %s do not fit in the %" PRIu64 " bytes left", count, what,
			left);
	if (wraps || !phi_fits(r->cursor->offset, bytes, PHI_GGUF_HEADER_MAX))
		return phi_fail(err, PHI_LIMIT,
			"%" PRIu64 " %s go beyond the limit of a header (%d bytes)", count, what,
			PHI_GGUF_HEADER_MAX);
	return 0;
}

/* n bytes and a NUL in the arena, which are read only as they arrive. */
static int
take_bytes(struct reader *r, size_t n, char **out, struct phi_err *err)
{
	struct phi_arena *const arena = r->model->arena;
	if (n > POOLED_MAX) {
		uint8_t *bytes;
		if (phi_gguf_take_grown(r->cursor, n, &bytes, err))
			return -1;
		*out = phi_arena_alloc(arena, n + 1, err);
		if (*out)
			memcpy(*out, bytes, n + 1);
		phi_free(bytes);
		return *out ? 0 : -1;
	}
	if (n + 1 > r->pool_left) {
		r->pool = phi_arena_alloc(arena, POOL_BYTES, err);
		r->pool_left = r->pool ? POOL_BYTES : 0;
		if (!r->pool)
			return -1;
	}
	if (phi_gguf_take(r->cursor, r->pool, n, err))
		return -1;
	r->pool[n] = 0;
	*out = r->pool;
	r->pool += n + 1;
	r->pool_left -= n + 1;
	return 0;
}

static int
take_string(struct reader *r, uint64_t limit, struct phi_string *out, struct phi_err *err)
{
	uint64_t size;
	char *data;
	if (take_count(r, &size, err))
		return -1;
	if (phi_gguf_left(r->cursor) != UINT64_MAX && size > phi_gguf_left(r->cursor))
		return phi_fail(err, PHI_TRUNCATED,
			"string of %" PRIu64 " bytes does not fit in the %" PRIu64 " left", size,
			phi_gguf_left(r->cursor));
	if (size > limit)
		return phi_fail(err, PHI_LIMIT,
			"string of %" PRIu64 " bytes is longer than the limit (%" PRIu64 ")", size,
			limit);
	if (check_room(r, "bytes", size, 1, err) || take_bytes(r, (size_t)size, &data, err))
		return -1;
	*out = (struct phi_string){ data, (size_t)size };
	return 0;
}

/* A string that is shown and looked up: not empty, no NUL. */
static int
take_name(struct reader *r, uint64_t limit, const char **out, struct phi_err *err)
{
	struct phi_string s;
	struct phi_quoted q;
	if (take_string(r, limit, &s, err))
		return phi_context(err, "name");
	if (!s.size)
		return phi_fail(err, PHI_FORMAT, "its name is empty");
	if (memchr(s.data, 0, s.size))
		return phi_fail(
			err, PHI_FORMAT, "its name has a NUL byte (%s...)", phi_quote(&q, s.data));
	*out = s.data;
	return 0;
}

static int
take_kind(struct reader *r, enum phi_value_kind *kind, struct phi_err *err)
{
	uint32_t id;
	if (phi_gguf_take_u32(r->cursor, &id, err))
		return -1;
	if (id > PHI_VALUE_F64)
		return phi_fail(
			err, PHI_FORMAT, "unknown kind of value (%" PRId32 ")", (int32_t)id);
	*kind = (enum phi_value_kind)id;
	return 0;
}

static int
take_scalar(struct reader *r, struct phi_value *value, struct phi_err *err)
{
	uint8_t b[8];
	const unsigned width = (unsigned)phi_value_width(value->kind);
	if (phi_gguf_take(r->cursor, b, width, err))
		return -1;
	if (r->cursor->big)
		phi_swap_bytes(b, width, width);
	switch (value->kind) {
	case PHI_VALUE_U8:
		value->u = b[0];
		break;
	case PHI_VALUE_I8:
		value->i = (int8_t)b[0];
		break;
	case PHI_VALUE_U16:
		value->u = phi_load16(b);
		break;
	case PHI_VALUE_I16:
		value->i = (int16_t)phi_load16(b);
		break;
	case PHI_VALUE_U32:
		value->u = phi_load32(b);
		break;
	case PHI_VALUE_I32:
		value->i = (int32_t)phi_load32(b);
		break;
	case PHI_VALUE_F32:
		value->f = (double)phi_float32(phi_load32(b));
		break;
	case PHI_VALUE_BOOL:
		value->b = b[0] != 0;
		break;
	case PHI_VALUE_U64:
		value->u = phi_load64(b);
		break;
	case PHI_VALUE_I64:
		value->i = (int64_t)phi_load64(b);
		break;
	case PHI_VALUE_F64:
		value->f = phi_float64(phi_load64(b));
		break;
	default:
		return phi_fail(err, PHI_FORMAT, "unknown kind of value");
	}
	return 0;
}

/* The array grows on the heap, as fast as strings really come; then it moves into the arena. */
static int
take_strings(struct reader *r, uint64_t count, const void **out, struct phi_err *err)
{
	struct phi_string *strings = NULL, *moved = NULL;
	size_t capacity = 0;
	for (size_t i = 0; i < count; i++) {
		if (phi_grow(&strings, &capacity, i, sizeof *strings, err))
			goto done;
		if (take_string(r, PHI_STRING_MAX, &strings[i], err)) {
			phi_context(err, "element %zu", i);
			goto done;
		}
	}
	moved = phi_arena_alloc(r->model->arena, (size_t)count * sizeof *moved, err);
	if (moved && count)
		memcpy(moved, strings, (size_t)count * sizeof *moved);
	*out = moved;
done:
	phi_free(strings);
	return moved ? 0 : -1;
}

static int
take_numbers(struct reader *r, enum phi_value_kind kind, uint64_t count, const void **out,
	struct phi_err *err)
{
	const unsigned width = (unsigned)phi_value_width(kind);
	const size_t bytes = (size_t)count * width;
	uint8_t *data;
	if (phi_gguf_take_grown(r->cursor, bytes, &data, err))
		return -1;
	if (r->cursor->big != (bool)BIG_HOST)
		phi_swap_bytes(data, bytes, width);
	for (size_t i = 0; kind == PHI_VALUE_BOOL && i < bytes; i++)
		data[i] = data[i] != 0;
	void *const moved = phi_arena_alloc(r->model->arena, bytes, err);
	if (moved)
		memcpy(moved, data, bytes);
	phi_free(data);
	*out = moved;
	return moved ? 0 : -1;
}

static int
take_array(struct reader *r, struct phi_value *value, struct phi_err *err)
{
	enum phi_value_kind kind = PHI_VALUE_U8;
	uint64_t count = 0;
	if (take_kind(r, &kind, err) || take_count(r, &count, err))
		return -1;
	if (kind == PHI_VALUE_ARRAY)
		return phi_fail(err, PHI_UNSUPPORTED, "array of arrays");
	if (count > PHI_GGUF_ARRAY_MAX)
		return phi_fail(err, PHI_LIMIT,
			"array of %" PRIu64 " elements is longer than the limit (%d)", count,
			PHI_GGUF_ARRAY_MAX);
	const bool strings = kind == PHI_VALUE_STRING;
	if (check_room(r, "elements", count, strings ? count_width(r) : phi_value_width(kind), err))
		return -1;
	value->array.kind = kind;
	value->array.count = count;
	return strings ? take_strings(r, count, &value->array.data, err)
		       : take_numbers(r, kind, count, &value->array.data, err);
}

static int
take_value(struct reader *r, struct phi_value *value, struct phi_err *err)
{
	if (take_kind(r, &value->kind, err))
		return -1;
	if (value->kind == PHI_VALUE_ARRAY)
		return take_array(r, value, err);
	if (value->kind == PHI_VALUE_STRING)
		return take_string(r, PHI_STRING_MAX, &value->s, err);
	return take_scalar(r, value, err);
}

static int
take_keys(struct reader *r, uint64_t count, struct phi_names *seen, struct phi_err *err)
{
	for (uint32_t i = 0; i < count; i++) {
		struct phi_quoted q;
		struct phi_value value = { 0 };
		const char *key;
		if (take_name(r, PHI_GGUF_KEY_MAX, &key, err))
			return phi_context(err, "key %" PRIu32 " of %" PRIu64, i + 1, count);
		if (take_value(r, &value, err))
			return phi_context(err, "key %s", phi_quote(&q, key));
		const int there = phi_names_add(seen, key, strlen(key), i, err);
		if (there > 0)
			return phi_fail(
				err, PHI_FORMAT, "key %s stands there twice", phi_quote(&q, key));
		if (there ||
			phi_metadata_add(&r->model->metadata, r->model->arena, key, value, err))
			return -1;
	}
	return 0;
}

static int
take_shape(struct reader *r, struct phi_tensor *t, struct phi_err *err)
{
	uint32_t rank;
	uint64_t elements = 1;
	if (phi_gguf_take_u32(r->cursor, &rank, err))
		return -1;
	if (rank > PHI_GGUF_RANK_MAX)
		return phi_fail(err, PHI_FORMAT, "%" PRIu32 " dimensions; at most %d are legal",
			rank, PHI_GGUF_RANK_MAX);
	t->rank = rank;
	for (unsigned i = rank; i-- > 0;) {
		if (take_count(r, &t->shape[i], err))
			return -1;
		if (t->shape[i] > INT64_MAX)
			return phi_fail(err, PHI_FORMAT, "negative dimension (%" PRId64 ")",
				(int64_t)t->shape[i]);
	}
	/* An empty dimension must not hide a product that wraps: readers multiply in their own
	 * order. */
	for (unsigned i = 0; i < rank; i++) {
		const uint64_t n = t->shape[i] ? t->shape[i] : 1;
		if (!phi_mul(elements, n, &elements) || elements > INT64_MAX)
			return phi_fail(err, PHI_FORMAT, "dimensions multiply beyond 64 bits");
	}
	return 0;
}

static int
take_type(struct reader *r, struct phi_tensor *t, struct phi_err *err)
{
	uint32_t id;
	if (phi_gguf_take_u32(r->cursor, &id, err))
		return -1;
	const bool removed = id == 4 || id == 5 || (id >= 31 && id <= 33) || (id >= 36 && id <= 38);
	t->type = phi_type_ggml((int32_t)id);
	if (!t->type)
		return phi_fail(err, PHI_UNSUPPORTED,
			removed ? "type %" PRId32 " was taken out of GGUF"
				: "unknown type (%" PRId32 ")",
			(int32_t)id);
	if (phi_tensor_row(t) % t->type->elements)
		return phi_fail(err, PHI_FORMAT,
			"rows of %" PRIu64 " are no multiple of %s's block (%u)", phi_tensor_row(t),
			t->type->name, t->type->elements);
	return 0;
}

static int
take_tensor(
	struct reader *r, struct phi_tensor *t, struct phi_gguf_extent *extent, struct phi_err *err)
{
	uint64_t end;
	if (take_shape(r, t, err) || take_type(r, t, err) ||
		phi_gguf_take_u64(r->cursor, &extent->offset, err))
		return -1;
	if (!phi_tensor_bytes(t, &extent->size) || !phi_add(extent->offset, extent->size, &end))
		return phi_fail(err, PHI_FORMAT, "more bytes than 64 bits count");
	return 0;
}

static int
take_tensors(struct reader *r, uint64_t count, struct phi_names *seen, struct phi_err *err)
{
	struct phi_gguf_header *const h = r->header;
	size_t capacity = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct phi_quoted q;
		struct phi_tensor *const t = phi_model_add_tensor(r->model, err);
		if (!t || phi_grow(&h->extents, &capacity, i, sizeof *h->extents, err))
			return -1;
		h->extents[i] =
			(struct phi_gguf_extent){ .tensor = (uint32_t)r->model->ntensors - 1 };
		h->ntensors++;
		if (take_name(r, PHI_NAME_MAX, &t->name, err))
			return phi_context(err, "tensor %" PRIu32 " of %" PRIu64, i + 1, count);
		if (take_tensor(r, t, &h->extents[i], err))
			return phi_context(err, "tensor %s", phi_quote(&q, t->name));
		const int there = phi_names_add(seen, t->name, strlen(t->name), i, err);
		if (there > 0)
			return phi_fail(err, PHI_FORMAT, "tensor %s stands there twice",
				phi_quote(&q, t->name));
		if (there)
			return -1;
	}
	return 0;
}

/* The version decides the byte order: its low half is never zero in the file's own order. */
static int
take_version(struct reader *r, struct phi_err *err)
{
	uint8_t magic[4];
	uint32_t version;
	struct phi_quoted q;
	if (phi_gguf_take(r->cursor, magic, sizeof magic, err))
		return -1;
	if (memcmp(magic, "GGUF", 4))
		return phi_fail(err, PHI_FORMAT, "is no GGUF: begins with \"%s\"",
			phi_escape(q.text, sizeof q.text, (const char *)magic, 4));
	if (phi_gguf_take_u32(r->cursor, &version, err))
		return -1;
	if (version && !(version & 0xffff)) {
		r->cursor->big = r->header->big = true;
		version = __builtin_bswap32(version);
	}
	if (version < 1 || version > PHI_GGUF_VERSION)
		return phi_fail(err, PHI_UNSUPPORTED,
			"GGUF version %" PRIu32 " is unknown (1 to %d are read)", version,
			PHI_GGUF_VERSION);
	r->header->version = version;
	return 0;
}

static int
take_counts(struct reader *r, uint64_t *tensors, uint64_t *keys, struct phi_err *err)
{
	const unsigned width = count_width(r);
	if (take_count(r, tensors, err) || take_count(r, keys, err))
		return -1;
	if (*tensors > PHI_TENSORS_MAX)
		return phi_fail(err, PHI_LIMIT, "%" PRIu64 " tensors are more than the limit (%d)",
			*tensors, PHI_TENSORS_MAX);
	if (*keys > PHI_GGUF_KEYS_MAX)
		return phi_fail(err, PHI_LIMIT, "%" PRIu64 " keys are more than the limit (%d)",
			*keys, PHI_GGUF_KEYS_MAX);
	/* The least a tensor takes is a name of one byte, rank 0, type and offset; a key: a name of
	 * one byte, a kind and a byte. */
	if (check_room(r, "tensors", *tensors, width + 17, err))
		return -1;
	return check_room(r, "keys", *keys, width + 6, err);
}

int
phi_gguf_alignment(const struct phi_metadata *metadata, uint32_t *alignment, struct phi_err *err)
{
	const struct phi_value *const v = phi_metadata_find(metadata, "general.alignment");
	*alignment = PHI_GGUF_ALIGNMENT;
	if (!v)
		return 0;
	if (v->kind != PHI_VALUE_U32)
		return phi_fail(err, PHI_FORMAT, "key general.alignment is %s, must be u32",
			phi_value_name(v->kind));
	if (!v->u || (v->u & (v->u - 1)))
		return phi_fail(err, PHI_FORMAT,
			"key general.alignment: %" PRIu64 " is no power of two", v->u);
	if (v->u > PHI_GGUF_ALIGNMENT_MAX)
		return phi_fail(err, PHI_LIMIT,
			"key general.alignment: %" PRIu64 " is more than the limit (%d)", v->u,
			PHI_GGUF_ALIGNMENT_MAX);
	*alignment = (uint32_t)v->u;
	return 0;
}

static int
take_lists(struct reader *r, struct phi_names *keys, struct phi_names *tensors, struct phi_err *err)
{
	uint64_t ntensors, nkeys;
	if (take_version(r, err) || take_counts(r, &ntensors, &nkeys, err) ||
		take_keys(r, nkeys, keys, err) || take_tensors(r, ntensors, tensors, err) ||
		phi_gguf_alignment(&r->model->metadata, &r->header->alignment, err))
		return -1;
	/* Cannot wrap: the header's limit is far below 64 bits. */
	return phi_round_up(r->cursor->offset, r->header->alignment, &r->header->data) ? 0 : -1;
}

int
phi_gguf_read_header(struct phi_gguf_cursor *cursor, struct phi_model *model,
	struct phi_gguf_header *header, struct phi_err *err)
{
	struct reader r = { .cursor = cursor, .model = model, .header = header };
	*header = (struct phi_gguf_header){ 0 };
	struct phi_names *const keys = phi_names_new(err);
	struct phi_names *const tensors = keys ? phi_names_new(err) : NULL;
	const int result = tensors ? take_lists(&r, keys, tensors, err) : -1;
	phi_names_free(keys);
	phi_names_free(tensors);
	return result;
}
