/* Weights in blocks of a decoder: MatMulNBits, and GatherBlockQuantized for the embedding, whose codes, scales and zero
 * points lie one behind the other. Both read the same bytes where the embedding is the head, too.
 *
 * With --qdq MatMul of what DequantizeLinear makes of the codes; but the embedding, and what is the embedding, too, is as
 * above: standard operators would dequantize all of it for a token. */
#include "formats/onnx/build_decoder.h"

#include "formats/core/escape.h"

#include <string.h>

/* The three initializers of a weight in blocks; the codes are declared twice, as each of the two operators has them. */
struct blocks {
	const char *codes, *rows, *scales, *zeros;
	struct phi_type_fields fields;
	uint64_t n, k, groups; /* rows, columns, blocks of a row */
};

/* Places a field of all blocks. */
static uint64_t
place_field(struct phi_onnx_decoder *d, const struct phi_tensor *t, unsigned field, const char *name, uint64_t size)
{
	const uint32_t i = (uint32_t)(t - d->plan->model->tensors);
	const uint64_t at = phi_onnx_place(d, size);
	struct phi_quoted q;
	if (!d->b.failed)
		d->b.failed = phi_plan_add_field(d->plan, i, field, name, d->file, at, d->b.err) < 0;
	if (!d->b.failed && d->plan->items[d->plan->nitems - 1].size != size)
		phi_onnx_refuse(d, "tensor %s: rows of %s make no whole planes", phi_quote(&q, t->name), t->type->name);
	return at;
}

/* The middle code everywhere, as bytes. */
static void
middle(const void *state, uint64_t offset, void *dst, size_t n)
{
	const struct blocks *const w = state;
	(void)offset;
	memset(dst, w->fields.bits == 8 ? 0x80 : w->fields.bits == 4 ? 0x88 : 0xaa, n);
}

static struct blocks
blocks_of(struct phi_onnx_decoder *d, const struct phi_tensor *t)
{
	struct blocks w = { .n = t->shape[0], .k = t->shape[1], .groups = t->shape[1] / t->type->elements };
	phi_type_fields(t->type, &w.fields);
	const char *const scales = phi_onnx_text(&d->b, "%s_scales", t->name);
	w.codes = phi_onnx_text(&d->b, "%s_Q%u", t->name, w.fields.bits);
	w.rows = phi_onnx_text(&d->b, "%s_rows", w.codes);
	w.scales = w.fields.scales == d->io->id ? scales : phi_onnx_text(&d->b, "/%s/Cast/output_0", scales);
	w.zeros = phi_onnx_text(&d->b, w.fields.bias && w.fields.scales != d->io->id ? "/%s_zero_points/Cast/output_0"
		: "%s_zero_points", t->name);
	return w;
}

/* The codes, as each operator that reads them has them. */
static void
add_codes(struct phi_onnx_decoder *d, const struct phi_tensor *t, const struct blocks *w)
{
	const struct phi_type *const bytes = phi_type_of(PHI_U8);
	const uint64_t row = w->groups * w->fields.codes, size = w->n * row;
	const uint64_t codes[] = { w->n, w->groups, w->fields.codes }, rows[] = { w->n, row };
	const uint64_t at = place_field(d, t, 0, w->codes, size);
	const bool looked_up = t->role == PHI_ROLE_EMBEDDING, multiplied = !looked_up || d->h.tied;
	if (multiplied)
		phi_onnx_declare(d, w->codes, bytes, codes, 3, at, size, t->canonical);
	if (looked_up)
		phi_onnx_declare(d, w->rows, bytes, rows, 2, at, size, multiplied ? NULL : t->canonical);
}

/* Zero points: codes, or numbers as the scales are. */
static void
add_zeros(struct phi_onnx_decoder *d, const struct phi_tensor *t, const struct blocks *w)
{
	const bool codes = w->fields.zero, numbers = w->fields.bias;
	const struct phi_type *const type = phi_type_of(codes ? PHI_U8 : w->fields.scales);
	const uint64_t shape[] = { w->n, codes ? (w->groups * w->fields.bits + 7) / 8 : w->groups };
	const char *const name = codes || numbers ? phi_onnx_text(&d->b, "%s_zero_points", t->name) : NULL;
	const uint64_t size = shape[0] * shape[1] * type->bytes;
	if (!name)
		return;
	const char *const zeros = phi_onnx_declare(d, name, type, shape, 2, place_field(d, t, 2, name, size), size, NULL);
	if (numbers)
		phi_onnx_cast(d, type, zeros);
}

/* What a weight in blocks is in the graph; placed when it is first asked for. */
static struct blocks
blocks(struct phi_onnx_decoder *d, const struct phi_tensor *t)
{
	const struct blocks w = blocks_of(d, t);
	const size_t i = (size_t)(t - d->plan->model->tensors);
	const struct phi_type *const floats = phi_type_of(w.fields.scales);
	const uint64_t scales[] = { w.n, w.groups }, size = w.n * w.groups * w.fields.scale;
	if (d->placed[i] || d->b.failed)
		return w;
	d->placed[i] = w.codes;
	add_codes(d, t, &w);
	const char *const name = phi_onnx_text(&d->b, "%s_scales", t->name);
	const uint64_t at = place_field(d, t, 1, name, size);
	phi_onnx_cast(d, floats, phi_onnx_declare(d, name, floats, scales, 2, at, size, NULL));
	add_zeros(d, t, &w);
	return w;
}

bool
phi_onnx_in_blocks(struct phi_onnx_decoder *d, const struct phi_tensor *t)
{
	struct phi_type_fields fields;
	struct phi_quoted q;
	if (!phi_type_fields(t->type, &fields) || strcmp(fields.format, "onnx"))
		return false;
	if (t->rank != 2)
		phi_onnx_refuse(d, "tensor %s: %s is not written to a decoder", phi_quote(&q, t->name), t->type->name);
	return !d->b.failed;
}

/* Places a field of all blocks with its plane turned, and declares it. */
static const char *
add_turned(struct phi_onnx_decoder *d, const struct phi_tensor *t, unsigned field, bool sign, const char *name,
	const struct phi_type *type, uint64_t places, const char *canonical)
{
	const uint32_t i = (uint32_t)(t - d->plan->model->tensors);
	const uint64_t shape[] = { places, t->shape[0] }, size = phi_plan_turned_bytes(d->plan, i, field);
	const uint64_t at = phi_onnx_place(d, size);
	if (!d->b.failed)
		d->b.failed = phi_plan_add_turned(d->plan, i, field, sign, name, d->file, at, d->b.err) < 0;
	return phi_onnx_declare(d, name, type, shape, 2, at, size, canonical);
}

/* --qdq: by DequantizeLinear, which wants the turned matrix, as MatMul does. */
static const char *
product_of_floats(struct phi_onnx_decoder *d, const char *path, const char *x, const struct phi_tensor *t)
{
	struct phi_type_fields fields = { 0 };
	phi_type_fields(t->type, &fields);
	const bool sign = !fields.zero;
	const struct phi_type *const four = phi_type_of(sign ? PHI_I4 : PHI_U4);
	const struct phi_type *const codes = fields.bits == 8 ? phi_type_of(sign ? PHI_I8 : PHI_U8) : four;
	const struct phi_type *const floats = phi_type_of(fields.scales);
	const uint64_t groups = t->shape[1] / t->type->elements;
	struct phi_quoted q;
	if (fields.bits < 4) {
		phi_onnx_refuse(d, "tensor %s: DequantizeLinear has no codes of %u bits in blocks",
			phi_quote(&q, t->name), fields.bits);
		return "";
	}
	const char *const name = phi_onnx_text(&d->b, "%s_DQ_Q%u", t->name, fields.bits);
	const char *const scale = phi_onnx_text(&d->b, "%s_DQ_scales", t->name);
	const char *const zero = phi_onnx_text(&d->b, "%s_DQ_zero_points", t->name);
	add_turned(d, t, 0, sign, name, codes, t->shape[1], t->canonical);
	const char *const scales =
		phi_onnx_cast(d, floats, add_turned(d, t, 1, false, scale, floats, groups, NULL));
	const char *const w = phi_onnx_node(&d->b, "DequantizeLinear", phi_onnx_text(&d->b, "%s_DQ_Q%u", path, fields.bits),
		(const char *const[]){ name, scales,
			sign ? NULL : add_turned(d, t, 2, false, zero, codes, groups, NULL), NULL });
	phi_onnx_int(&d->b, "axis", 0);
	phi_onnx_int(&d->b, "block_size", t->type->elements);
	return phi_onnx_node(&d->b, "MatMul", phi_onnx_text(&d->b, "%s_matmul_Q%u", path, fields.bits),
		(const char *const[]){ x, w, NULL });
}

const char *
phi_onnx_product_of_blocks(struct phi_onnx_decoder *d, const char *path, const char *x,
	const struct phi_tensor *t)
{
	if (d->asked.qdq && t->role != PHI_ROLE_EMBEDDING)
		return product_of_floats(d, path, x, t);
	const struct blocks w = blocks(d, t);
	const char *const y = phi_onnx_node(&d->b, "com.microsoft:MatMulNBits",
		phi_onnx_text(&d->b, "%s_Q%u", path, w.fields.bits),
		(const char *const[]){ x, w.codes, w.scales, w.fields.zero || w.fields.bias ? w.zeros : NULL, NULL });
	phi_onnx_int(&d->b, "K", (int64_t)w.k);
	phi_onnx_int(&d->b, "N", (int64_t)w.n);
	if (d->asked.accuracy)
		phi_onnx_int(&d->b, "accuracy_level", d->asked.accuracy);
	phi_onnx_int(&d->b, "bits", w.fields.bits);
	phi_onnx_int(&d->b, "block_size", t->type->elements);
	return y;
}

/* Zero points that a weight has not: the middle code. */
static void
add_middle(struct phi_onnx_decoder *d, const struct blocks *w)
{
	struct blocks *const state = d->b.failed ? NULL : phi_arena_alloc(d->plan->arena, sizeof *state, d->b.err);
	d->b.failed = !state;
	if (!state)
		return;
	*state = *w;
	phi_onnx_generated(d, w->zeros, phi_type_of(PHI_U8), w->n, (w->groups * w->fields.bits + 7) / 8, middle, state);
}

/* With zero points, since the processors do not agree on what is meant without them. */
const char *
phi_onnx_rows_of_blocks(struct phi_onnx_decoder *d, const char *path, const char *tokens,
	const struct phi_tensor *t)
{
	const struct phi_type *const type = t->type;
	const struct blocks w = blocks(d, t);
	struct phi_quoted q;
	if (w.fields.bias)
		phi_onnx_refuse(d, "tensor %s: rows of %s cannot be looked up", phi_quote(&q, t->name), type->name);
	if (!w.fields.zero)
		add_middle(d, &w);
	const char *const y = phi_onnx_node(&d->b, "com.microsoft:GatherBlockQuantized",
		phi_onnx_text(&d->b, "%s/Gather_Q%u", path, w.fields.bits),
		(const char *const[]){ w.rows, tokens, w.scales, w.zeros, NULL });
	phi_onnx_int(&d->b, "bits", w.fields.bits);
	phi_onnx_int(&d->b, "block_size", type->elements);
	phi_onnx_int(&d->b, "gather_axis", 0);
	phi_onnx_int(&d->b, "quantize_axis", 1);
	return y;
}

