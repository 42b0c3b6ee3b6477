/* bitsandbytes.
 *
 *     X                                       U8, two codes a byte, the upper half first; all elements in
 *                                             row-major order, whatever the rows (also as other types:
 *                                             quant_storage)
 *     X.absmax                                F32, one for each `blocksize` elements; U8 when nested
 *     X.quant_map                             F32[16]: what the codes mean
 *     X.quant_state.bitsandbytes__nf4 (fp4)   U8: JSON {"quant_type", "blocksize", "shape",
 *                                             "nested_blocksize", "nested_offset" ...}
 *     X.nested_absmax, X.nested_quant_map     absmax = map[code] * nested_absmax + nested_offset
 *
 *     Y.weight                                I8 [out, in]
 *     Y.SCB                                   F32 [out]: w = q * SCB / 127
 *     Y.weight_format                         U8: 0 is row-major
 *
 * X is Y.weight. A flat packing is a matrix whose rows are as long as what shares one nested absmax: the
 * last row is not full. */
#include "formats/packed/draft.h"

#include "formats/core/checked.h"
#include "formats/core/json.h"

#include <inttypes.h>
#include <string.h>

enum { BLOCK_MAX = 1 << 16, NESTED_BLOCK = 256 };

struct state {
	uint64_t block, nested_block;
	double nested_offset;
	unsigned rank;
	uint64_t shape[PHI_RANK_MAX];
};

static bool
positive(const json_t *object, const char *key, uint64_t most, uint64_t *out)
{
	const json_t *const v = json_object_get(object, key);
	if (!json_is_integer(v) || json_integer_value(v) < 1 ||
		(uint64_t)json_integer_value(v) > most)
		return false;
	*out = (uint64_t)json_integer_value(v);
	return true;
}

static bool
understand(const json_t *root, struct state *s)
{
	const json_t *const shape = json_object_get(root, "shape");
	const json_t *const offset = json_object_get(root, "nested_offset");
	*s = (struct state){ .nested_block = NESTED_BLOCK, .rank = (unsigned)json_array_size(shape) };
	if (!positive(root, "blocksize", BLOCK_MAX, &s->block) || !s->rank ||
		json_array_size(shape) > PHI_RANK_MAX)
		return false;
	for (unsigned i = 0; i < s->rank; i++) {
		const json_t *const n = json_array_get(shape, i);
		if (!json_is_integer(n) || json_integer_value(n) < 1)
			return false;
		s->shape[i] = (uint64_t)json_integer_value(n);
	}
	if (json_object_get(root, "nested_blocksize") &&
		!positive(root, "nested_blocksize", BLOCK_MAX, &s->nested_block))
		return false;
	s->nested_offset = json_number_value(offset);
	return true;
}

static int
read_state(struct phi_draft *draft, const char *suffix, struct state *s, struct phi_err *err)
{
	const struct phi_tensor *const t = phi_draft_member(draft, suffix);
	char text[4096];
	uint64_t size;
	if (!phi_tensor_bytes(t, &size) || size > sizeof text || t->type->id != PHI_U8)
		return phi_left_raw(draft, "its state is no short text");
	const int there = phi_draft_read(draft, t, text, (size_t)size, err);
	if (there <= 0)
		return there;
	struct phi_err why = { 0 };
	json_t *const root = phi_json_parse(text, (size_t)size, 0, &why);
	if (!root && why.kind == PHI_MEMORY)
		return phi_fail(err, PHI_MEMORY, "%s", why.text);
	const bool good = root && understand(root, s);
	json_decref(root);
	return good ? 1 : phi_left_raw(draft, "its state has no blocksize or shape");
}

static bool
count(const struct state *s, uint64_t *n)
{
	*n = 1;
	for (unsigned i = 0; i < s->rank; i++)
		if (!phi_mul(*n, s->shape[i], n))
			return false;
	return *n < UINT64_C(1) << 56;
}

static uint64_t
blocks(uint64_t n, uint64_t block)
{
	return (n + block - 1) / block;
}

static struct phi_packed_plane *
table(struct phi_draft *draft, enum phi_packed_role role, const char *suffix, uint64_t n)
{
	struct phi_packed_plane *const p = phi_draft_plane(draft, role, suffix);
	if (p && p->type->id != PHI_F32) {
		phi_left_raw(draft, "%s is no F32", suffix);
		return NULL;
	}
	if (p) {
		p->whole = true;
		p->cells[0] = 1;
		p->cells[1] = n;
	}
	return p;
}

/* Scales that are codes themselves. */
static bool
add_nested(struct phi_draft *draft, const struct state *s, uint64_t n)
{
	if (!phi_draft_member(draft, ".nested_absmax") || !phi_draft_member(draft, ".nested_quant_map")) {
		phi_left_raw(draft, "absmax is nested, but there is no nested_absmax or nested_quant_map");
		return false;
	}
	struct phi_packed_plane *const nested =
		phi_draft_plane(draft, PHI_PACKED_SCALE_NESTED, ".nested_absmax");
	if (!nested || !table(draft, PHI_PACKED_SCALE_TABLE, ".nested_quant_map", 256))
		return false;
	if (nested->type->id != PHI_F32) {
		phi_left_raw(draft, "nested_absmax is no F32");
		return false;
	}
	nested->block[1] = draft->packed.columns;
	nested->bytes = blocks(blocks(n, s->block), s->nested_block) * 4;
	draft->packed.nested_offset = (float)s->nested_offset;
	return true;
}

static int
recognise_4bit(struct phi_draft *draft, const char *suffix, const char *code, struct phi_err *err)
{
	static const uint8_t upper_first[2] = { 1, 0 };
	struct phi_packed *const packed = &draft->packed;
	struct state s;
	uint64_t n;
	const struct phi_tensor *const absmax = phi_draft_member(draft, ".absmax");
	if (!phi_draft_member(draft, "") || !absmax || !phi_draft_member(draft, ".quant_map"))
		return phi_left_raw(draft, "there is no weight, absmax or quant_map beside it");
	const int there = read_state(draft, suffix, &s, err);
	if (there <= 0)
		return there;
	if (!count(&s, &n))
		return phi_left_raw(draft, "the number of elements does not fit");
	packed->columns = s.block * s.nested_block;
	packed->rows = blocks(n, packed->columns);
	packed->elements = n;
	packed->meaning = PHI_CODE_TABLE;
	draft->flat = true;
	struct phi_packed_plane *const codes = phi_draft_plane(draft, PHI_PACKED_CODES, "");
	struct phi_packed_plane *const scales = phi_draft_plane(draft, PHI_PACKED_SCALE, ".absmax");
	if (!codes || !scales || !table(draft, PHI_PACKED_TABLE, ".quant_map", 16))
		return 0;
	codes->type = phi_type_of(PHI_U8);
	codes->bits = 4;
	codes->order = upper_first;
	codes->bytes = blocks(n, 2);
	scales->block[1] = s.block;
	scales->bytes = blocks(n, s.block) * scales->type->bytes;
	if (scales->type->id != PHI_F32 && scales->type->id != PHI_U8)
		return phi_left_raw(draft, "absmax is %s", scales->type->name);
	if (scales->type->id == PHI_U8 && !add_nested(draft, &s, n))
		return 0;
	phi_draft_absorb(draft, suffix);
	draft->tensor.rank = s.rank;
	memcpy(draft->tensor.shape, s.shape, sizeof s.shape);
	draft->code = code;
	draft->tag = "BNB";
	return phi_draft_finish(draft, "", err);
}

int
phi_recognise_nf4(struct phi_draft *draft, struct phi_err *err)
{
	return recognise_4bit(draft, ".quant_state.bitsandbytes__nf4", "NF4", err);
}

int
phi_recognise_fp4(struct phi_draft *draft, struct phi_err *err)
{
	return recognise_4bit(draft, ".quant_state.bitsandbytes__fp4", "FP4", err);
}

int
phi_recognise_int8(struct phi_draft *draft, struct phi_err *err)
{
	const struct phi_tensor *const w = phi_draft_member(draft, ".weight");
	const struct phi_tensor *const format = phi_draft_member(draft, ".weight_format");
	uint8_t layout = 0;
	if (!w || w->type->id != PHI_I8 || w->rank != 2)
		return phi_left_raw(draft, "there is no I8 matrix beside it");
	if (format) {
		const int there = phi_draft_read(draft, format, &layout, 1, err);
		if (there <= 0)
			return there;
	}
	if (layout)
		return phi_left_raw(draft, "the weight is not stored by rows (format %u)", layout);
	struct phi_packed *const packed = &draft->packed;
	packed->rows = w->shape[0];
	packed->columns = w->shape[1];
	packed->meaning = PHI_CODE_SIGNED;
	packed->factor = 7.874015718698502e-3f; /* 1 / 127, as the library spells it */
	struct phi_packed_plane *const codes = phi_draft_plane(draft, PHI_PACKED_CODES, ".weight");
	struct phi_packed_plane *const scales = phi_draft_plane(draft, PHI_PACKED_SCALE, ".SCB");
	if (!codes || !scales)
		return 0;
	if (scales->type->id != PHI_F32)
		return phi_left_raw(draft, "SCB is %s", scales->type->name);
	codes->bits = 8;
	scales->block[1] = packed->columns;
	phi_draft_absorb(draft, ".weight_format");
	draft->tensor.rank = 2;
	memcpy(draft->tensor.shape, w->shape, sizeof w->shape);
	draft->tag = "BNB";
	return phi_draft_finish(draft, ".weight", err);
}
