/* Packs what gguf.h pictures: keys with their values, and the entries of the list of tensors. */
#include "formats/gguf/put.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"

static int
put_string(struct phi_buffer *b, const char *data, size_t size, struct phi_err *err)
{
	return phi_buffer_u64(b, size, err) || phi_buffer_append(b, data, size, err) ? -1 : 0;
}

static int
put_scalar(struct phi_buffer *b, const struct phi_value *v, struct phi_err *err)
{
	uint8_t bytes[8];
	switch (v->kind) {
	case PHI_VALUE_F32:
		phi_store32(bytes, phi_bits32((float)v->f));
		break;
	case PHI_VALUE_F64:
		phi_store64(bytes, phi_bits64(v->f));
		break;
	case PHI_VALUE_BOOL:
		bytes[0] = v->b;
		break;
	default:
		/* Two's complement: the low bytes of a signed number are those of the narrow one.
		 */
		phi_store64(bytes, v->u);
	}
	return phi_buffer_append(b, bytes, phi_value_width(v->kind), err);
}

static int
put_strings(
	struct phi_buffer *b, const struct phi_string *strings, uint64_t count, struct phi_err *err)
{
	for (uint64_t i = 0; i < count; i++)
		if (put_string(b, strings[i].data, strings[i].size, err))
			return -1;
	return 0;
}

static int
put_array(struct phi_buffer *b, const struct phi_value *v, struct phi_err *err)
{
	const enum phi_value_kind kind = v->array.kind;
	const uint64_t count = v->array.count;
	if (kind > PHI_VALUE_F64 || kind == PHI_VALUE_ARRAY)
		return phi_fail(
			err, PHI_UNSUPPORTED, "GGUF has no arrays of %s", phi_value_name(kind));
	if (phi_buffer_u32(b, kind, err) || phi_buffer_u64(b, count, err))
		return -1;
	if (kind == PHI_VALUE_STRING)
		return put_strings(b, v->array.data, count, err);
	const size_t start = b->size, width = phi_value_width(kind);
	if (phi_buffer_append(b, v->array.data, (size_t)count * width, err))
		return -1;
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		phi_swap_bytes(b->data + start, count * width, (unsigned)width);
	return 0;
}

static int
put_value(struct phi_buffer *b, const struct phi_value *v, struct phi_err *err)
{
	if (v->kind > PHI_VALUE_F64)
		return phi_fail(err, PHI_UNSUPPORTED, "GGUF has no values of kind %s",
			phi_value_name(v->kind));
	if (phi_buffer_u32(b, v->kind, err))
		return -1;
	if (v->kind == PHI_VALUE_STRING)
		return put_string(b, v->s.data, v->s.size, err);
	return v->kind == PHI_VALUE_ARRAY ? put_array(b, v, err) : put_scalar(b, v, err);
}

int
phi_gguf_put_keys(struct phi_buffer *b, const struct phi_metadata *metadata, struct phi_err *err)
{
	for (size_t i = 0; i < metadata->count; i++) {
		const struct phi_meta *const meta = &metadata->items[i];
		struct phi_quoted q;
		if (put_string(b, meta->key, strlen(meta->key), err) ||
			put_value(b, &meta->value, err))
			return phi_context(err, "key %s", phi_quote(&q, meta->key));
	}
	return 0;
}

int
phi_gguf_put_tensor(
	struct phi_buffer *b, const struct phi_tensor *t, uint64_t offset, struct phi_err *err)
{
	if (put_string(b, t->name, strlen(t->name), err) ||
		phi_buffer_u32(b, t->rank ? t->rank : 1, err))
		return -1;
	for (unsigned i = t->rank; i-- > 0;)
		if (phi_buffer_u64(b, t->shape[i], err))
			return -1;
	if (!t->rank && phi_buffer_u64(b, 1, err))
		return -1;
	return phi_buffer_u32(b, (uint32_t)t->type->ggml, err) || phi_buffer_u64(b, offset, err)
		       ? -1
		       : 0;
}
