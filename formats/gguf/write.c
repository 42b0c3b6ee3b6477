/* Completes a plan: files as in the picture of gguf.h, version 3, little-endian, the tensors in the
 * order of the model; one file, or parts where they were asked for (cut.h). llama.cpp requires what is
 * done here: offsets that are the running sum of the padded sizes, and zeros after the last tensor
 * too. Tied tensors therefore have bytes each. A file without tensors ends with its keys, as the
 * converter's vocabularies do.
 *
 * Of several parts the first comes last among the files: its name opens all, so it appears when the
 * others are there. */
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/gguf/cut.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/put.h"
#include "formats/gguf/split.h"

#include <inttypes.h>
#include <string.h>

/* The type to make with phi-quant instead of one that ggml does not have: the narrowest that holds all
 * its values. NULL: phi-quant converts no integers, and no complex numbers.
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
	case PHI_U8:
	case PHI_U16:
	case PHI_U32:
	case PHI_U64:
	case PHI_C32:
	case PHI_C64:
	case PHI_C128:
		return NULL;
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

/* One file to be: a range of the model's tensors and its own keys. */
struct part {
	uint32_t first, end;
	const struct phi_metadata *metadata;
	const char *name; /* NULL: the output's own */
	uint32_t alignment;
};

/* Lays the tensors out, from the start of the data; *size is where the padding of the last one ends.
 */
static int
put_tensors(struct phi_buffer *b, const struct phi_plan *plan, const struct part *part,
	uint64_t *size, struct phi_err *err)
{
	uint64_t offset = 0;
	for (uint32_t i = part->first; i < part->end; i++) {
		if (check_tensor(plan, i, err) ||
			phi_gguf_put_tensor(b, &plan->model->tensors[i], offset, err))
			return -1;
		if (!phi_add(offset, plan->bytes[i], &offset) ||
			!phi_round_up(offset, part->alignment, &offset) || offset > INT64_MAX / 2)
			return phi_fail(err, PHI_LIMIT, "the tensors are too large for one file");
	}
	*size = offset;
	return 0;
}

/* The whole header, padded. */
static int
put_header(struct phi_buffer *b, const struct phi_plan *plan, const struct part *part,
	uint64_t *size, struct phi_err *err)
{
	if (phi_buffer_append(b, "GGUF", 4, err) || phi_buffer_u32(b, PHI_GGUF_VERSION, err) ||
		phi_buffer_u64(b, part->end - part->first, err) ||
		phi_buffer_u64(b, part->metadata->count, err) ||
		phi_gguf_put_keys(b, part->metadata, err) || put_tensors(b, plan, part, size, err))
		return -1;
	const size_t rest = b->size % part->alignment;
	return part->end > part->first && rest ? phi_buffer_zeros(b, part->alignment - rest, err)
					       : 0;
}

/* The offsets repeat put_tensors' sum, which was checked. */
static int
add_items(struct phi_plan *plan, const struct phi_buffer *header, const struct part *part,
	uint64_t size, struct phi_err *err)
{
	const unsigned file = plan->nfiles;
	const void *const literal = phi_arena_copy(plan->arena, header->data, header->size, err);
	if (!literal || phi_plan_add_file(plan, part->name, err) ||
		phi_plan_add_literal(plan, "header", file, 0, literal, header->size, err))
		return -1;
	uint64_t offset = header->size;
	for (uint32_t i = part->first; i < part->end; i++) {
		if (phi_plan_add_tensor(plan, i, file, offset, err) ||
			!phi_round_up(offset + plan->bytes[i], part->alignment, &offset))
			return -1;
	}
	plan->files[file].size = header->size + size;
	return 0;
}

static int
add_part(struct phi_plan *plan, const struct part *part, struct phi_err *err)
{
	struct phi_buffer header = { 0 };
	uint64_t size = 0;
	int result = put_header(&header, plan, part, &size, err);
	if (!result)
		result = add_items(plan, &header, part, size, err);
	phi_buffer_free(&header);
	return result;
}

/* The keys of part `number` that is not the first: which one it is, and an alignment that is not the
 * usual one, since readers look for it in each file. */
static int
spell_keys(struct phi_plan *plan, const struct phi_gguf_split *split, struct phi_metadata *keys,
	struct phi_err *err)
{
	static const char alignment[] = "general.alignment";
	const struct phi_value *const v = phi_metadata_find(&plan->model->metadata, alignment);
	*keys = (struct phi_metadata){ 0 };
	if (v && phi_metadata_add(keys, plan->arena, alignment, *v, err))
		return -1;
	return phi_gguf_split_add(keys, plan->arena, split, err);
}

static int
add_parts(struct phi_plan *plan, const struct phi_gguf_cut *cut, uint32_t alignment,
	struct phi_err *err)
{
	struct phi_model *const model = plan->model;
	const char *const output = plan->options.output ? plan->options.output : model->name;
	for (uint32_t i = 1; i <= cut->count; i++) {
		const uint32_t number = i % cut->count;
		const struct phi_gguf_split split = {
			.number = number, .count = cut->count, .tensors = model->ntensors
		};
		struct phi_metadata keys;
		if (spell_keys(plan, &split, &keys, err))
			return -1;
		phi_gguf_split_forget(&model->metadata);
		if (!number && phi_gguf_split_add(&model->metadata, model->arena, &split, err))
			return -1;
		const struct part part = { .first = cut->first[number],
			.end = cut->first[number + 1],
			.metadata = number ? &keys : &model->metadata,
			.alignment = alignment,
			.name = phi_gguf_split_name(
				plan->arena, output, number, cut->count, err) };
		if (!part.name || add_part(plan, &part, err))
			return -1;
	}
	return 0;
}

/* The alignment asked for on the command line goes into the metadata, where it differs from what
 * the file would say. */
static int
choose_alignment(struct phi_plan *plan, uint32_t *alignment, struct phi_err *err)
{
	struct phi_metadata *const metadata = &plan->model->metadata;
	const uint32_t asked = plan->options.alignment;
	if (plan->options.faults) { /* llama-quantize copies the key and lays out as if it were not there */
		*alignment = PHI_GGUF_ALIGNMENT;
		return 0;
	}
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
	struct phi_gguf_cut cut;
	uint32_t alignment;
	if (choose_alignment(plan, &alignment, err) || phi_gguf_cut(plan, &cut, err))
		return -1;
	const struct part whole = { .end = (uint32_t)plan->model->ntensors,
		.metadata = &plan->model->metadata,
		.alignment = alignment };
	return cut.count > 1 ? add_parts(plan, &cut, alignment, err) : add_part(plan, &whole, err);
}
