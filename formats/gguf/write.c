/* Completes a plan: one file as in the picture of gguf.h, version 3, little-endian, the tensors in
 * the order of the model. llama.cpp requires what is done here: offsets that are the running sum of
 * the padded sizes, and zeros after the last tensor too. Tied tensors therefore have bytes each. A
 * file without tensors ends with its keys, as the converter's vocabularies do. */
#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/gguf/gguf.h"

#include <inttypes.h>

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

static int
put_keys(struct phi_buffer *b, const struct phi_metadata *metadata, struct phi_err *err)
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

/* The type to use instead of one that ggml does not have: the narrowest that holds all its values.
 */
static const char *
nearest(const struct phi_type *type)
{
	switch (type->id) {
	case PHI_F8_E4M3:
	case PHI_F8_E5M2:
	case PHI_F8_E4M3FNUZ:
	case PHI_F8_E5M2FNUZ:
	case PHI_F6_E2M3:
	case PHI_F6_E3M2:
	case PHI_F4:
		return "F16";
	case PHI_BOOL:
		return "I8";
	case PHI_U8:
		return "I16";
	case PHI_U16:
		return "I32";
	case PHI_U32:
	case PHI_U64:
		return "I64";
	default:
		return "F32";
	}
}

/* Numbers are the model's: names and shapes of a lowered model are as GGUF can hold them, or
 * refused. */
static int
check_tensor(const struct phi_plan *plan, uint32_t i, struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[i];
	struct phi_quoted q;
	if (t->type->ggml < 0)
		return phi_plan_refuse(plan, i, nearest(t->type), err);
	if (t->rank > PHI_GGUF_RANK_MAX)
		return phi_fail(err, PHI_UNSUPPORTED,
			"tensor %s: %u dimensions; GGUF holds at most %d", phi_quote(&q, t->name),
			t->rank, PHI_GGUF_RANK_MAX);
	if (strlen(t->name) > PHI_GGUF_NAME_MAX)
		return phi_fail(err, PHI_UNSUPPORTED,
			"tensor %s: a name of %zu bytes; GGUF's names have at most %d",
			phi_quote(&q, t->name), strlen(t->name), PHI_GGUF_NAME_MAX);
	return 0;
}

/* A tensor without dimensions is written as one of [1]: llama.cpp's own writer has no rank 0. */
static int
put_tensor(struct phi_buffer *b, const struct phi_tensor *t, uint64_t offset, struct phi_err *err)
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

/* Lays the tensors out, from the start of the data; *end is where the padding of the last one ends.
 */
static int
put_tensors(struct phi_buffer *b, const struct phi_plan *plan, uint32_t alignment, uint64_t *end,
	struct phi_err *err)
{
	uint64_t offset = 0;
	for (uint32_t i = 0; i < plan->model->ntensors; i++) {
		if (check_tensor(plan, i, err) ||
			put_tensor(b, &plan->model->tensors[i], offset, err))
			return -1;
		if (!phi_add(offset, plan->bytes[i], &offset) ||
			!phi_round_up(offset, alignment, &offset) || offset > INT64_MAX / 2)
			return phi_fail(err, PHI_LIMIT, "the tensors are too large for one file");
	}
	*end = offset;
	return 0;
}

/* The whole header, padded. */
static int
put_header(struct phi_buffer *b, const struct phi_plan *plan, uint32_t alignment, uint64_t *end,
	struct phi_err *err)
{
	const struct phi_model *const model = plan->model;
	if (phi_buffer_append(b, "GGUF", 4, err) || phi_buffer_u32(b, PHI_GGUF_VERSION, err) ||
		phi_buffer_u64(b, model->ntensors, err) ||
		phi_buffer_u64(b, model->metadata.count, err) ||
		put_keys(b, &model->metadata, err) || put_tensors(b, plan, alignment, end, err))
		return -1;
	const size_t rest = b->size % alignment;
	return model->ntensors && rest ? phi_buffer_zeros(b, alignment - rest, err) : 0;
}

/* The offsets repeat put_tensors' sum, which was checked. */
static int
add_items(struct phi_plan *plan, const struct phi_buffer *header, uint32_t alignment, uint64_t end,
	struct phi_err *err)
{
	const void *const literal = phi_arena_copy(plan->arena, header->data, header->size, err);
	if (!literal || phi_plan_add_file(plan, NULL, err) ||
		phi_plan_add_literal(plan, "header", 0, 0, literal, header->size, err))
		return -1;
	uint64_t offset = header->size;
	for (uint32_t i = 0; i < plan->model->ntensors; i++) {
		if (phi_plan_add_tensor(plan, i, 0, offset, err) ||
			!phi_round_up(offset + plan->bytes[i], alignment, &offset))
			return -1;
	}
	plan->files[0].size = header->size + end;
	return 0;
}

/* The alignment asked for on the command line goes into the metadata, where it differs from what
 * the file would say. */
static int
choose_alignment(struct phi_plan *plan, uint32_t *alignment, struct phi_err *err)
{
	struct phi_metadata *const metadata = &plan->model->metadata;
	const uint32_t asked = plan->options.alignment;
	if (phi_gguf_alignment(metadata, alignment, err))
		return -1;
	if (!asked || asked == *alignment)
		return 0;
	const struct phi_value value = { .kind = PHI_VALUE_U32, .u = asked };
	if (phi_metadata_set(metadata, plan->model->arena, "general.alignment", value, err))
		return -1;
	return phi_gguf_alignment(metadata, alignment, err);
}

int
phi_gguf_complete(struct phi_plan *plan, struct phi_err *err)
{
	struct phi_buffer header = { 0 };
	uint32_t alignment;
	uint64_t end = 0;
	int result = choose_alignment(plan, &alignment, err);
	if (!result)
		result = put_header(&header, plan, alignment, &end, err);
	if (!result)
		result = add_items(plan, &header, alignment, end, err);
	phi_buffer_free(&header);
	return result;
}
