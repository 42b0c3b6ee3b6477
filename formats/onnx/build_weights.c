/* Weights of a decoder: where they lie in the file beside the graph, and the nodes that multiply with them.
 *
 *     floats     MatMul with the transposed matrix; where the checkpoint's is shared (a tied embedding) or quantized,
 *                FusedMatMul with it as it is
 *     ONNX*_*    MatMulNBits, GatherBlockQuantized, whose codes, scales and zero points lie one behind the other
 *
 * What takes more than a page begins at one, what takes more than 64 KiB at a multiple of that, so that it can be
 * mapped on all systems. */
#include "formats/onnx/build_decoder.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/onnx/data.h"

#include <string.h>

static const char name_key[] = "phi.name";

const char *
phi_onnx_module(struct phi_onnx_decoder *d, const struct phi_op *op)
{
	static const char attn[] = ".self_attn", dense[] = ".dense";
	const char *const self = strstr(op->name, attn);
	if (op->weight.role == PHI_ROLE_OUTPUT_NORM)
		return phi_onnx_text(&d->b, "model.layers.%u.final_norm_layernorm", d->h.layers);
	if (!self)
		return op->name;
	const char *const rest = self + sizeof attn - 1;
	return phi_onnx_text(&d->b, "%.*s.attn%s", (int)(self - op->name), op->name,
		!strcmp(rest, dense) ? ".o_proj" : rest);
}

const char *
phi_onnx_path(struct phi_onnx_decoder *d, const char *module)
{
	char *const path = phi_onnx_text(&d->b, "/%s", module);
	for (char *p = path; *p; p++)
		if (*p == '.' && (p - path < 7 || strncmp(p - 7, "/layers", 7)))
			*p = '/';
	return path;
}

struct phi_tensor *
phi_onnx_tensor(struct phi_onnx_decoder *d, const struct phi_graph_weight *weight)
{
	struct phi_quoted q;
	const uint32_t i = d->b.failed ? PHI_NONE : phi_names_find(d->names, weight->name, strlen(weight->name));
	if (i != PHI_NONE)
		return &d->plan->model->tensors[i];
	phi_onnx_refuse(d, "tensor %s is missing", phi_quote(&q, weight->name));
	return NULL;
}

/* Where the next thing of this size goes. */
static uint64_t
next_place(struct phi_onnx_decoder *d, uint64_t size)
{
	const uint64_t to = size >= 64 << 10 ? 64 << 10 : size >= 4096 ? 4096 : 64;
	uint64_t at = d->at;
	if (!phi_round_up(d->at, to, &at) || !phi_add(at, size, &d->at))
		phi_onnx_refuse(d, "the weights are too large");
	return at;
}

static void
note_failure(struct phi_onnx_decoder *d, int result)
{
	d->b.failed = d->b.failed || result < 0;
}

static const char *
declare(struct phi_onnx_decoder *d, const char *name, const struct phi_type *type, const uint64_t *shape, unsigned rank,
	uint64_t at, uint64_t size, const char *canonical)
{
	return d->b.failed ? "" : phi_onnx_beside(&d->b, name, phi_onnx_type_number(type), shape, rank,
		PHI_ONNX_DECODER_DATA, at, size, name_key, canonical);
}

/* Places a tensor of plain numbers, and declares it. */
static const char *
place(struct phi_onnx_decoder *d, const struct phi_tensor *t)
{
	const uint32_t i = (uint32_t)(t - d->plan->model->tensors);
	const uint64_t size = d->plan->bytes[i], at = next_place(d, size);
	if (!d->b.failed && !phi_onnx_type_number(t->type))
		note_failure(d, phi_plan_refuse(d->plan, i, "F32", d->b.err));
	if (!d->b.failed)
		note_failure(d, phi_plan_add_tensor(d->plan, i, d->file, at, d->b.err));
	return declare(d, t->name, t->type, t->shape, t->rank, at, size, t->canonical);
}

const char *
phi_onnx_generated(struct phi_onnx_decoder *d, const char *name, const struct phi_type *type, uint64_t rows,
	uint64_t columns, void (*generate)(const void *, uint64_t, void *, size_t), const void *state)
{
	struct phi_plan *const plan = d->plan;
	struct phi_part *const part = d->b.failed ? NULL : phi_arena_calloc(plan->arena, 1, sizeof *part, d->b.err);
	const uint64_t size = rows * columns * type->bytes;
	struct phi_tensor *const t = part ? phi_plan_make_tensor(plan, size, d->b.err) : NULL;
	d->b.failed = !t;
	if (!t)
		return "";
	t->name = name;
	t->type = type;
	t->rank = 2;
	t->shape[0] = rows;
	t->shape[1] = columns;
	t->fixed = true;
	*part = (struct phi_part){ .kind = PHI_PART_GENERATE, .generate = generate, .state = state,
		.size = size };
	t->parts = part;
	t->nparts = 1;
	return place(d, t);
}

/* In the type of what flows. */
static const char *
cast(struct phi_onnx_decoder *d, const struct phi_type *type, const char *name)
{
	if (type == d->io)
		return name;
	const char *const y = phi_onnx_node(&d->b, "Cast", phi_onnx_text(&d->b, "/%s/Cast", name),
		(const char *const[]){ name, NULL });
	phi_onnx_int(&d->b, "to", phi_onnx_type_number(d->io));
	return y;
}

/* What a tensor is in the graph, as the plan has it now; placed when it is first asked for. */
static const char *
weight_of(struct phi_onnx_decoder *d, const struct phi_tensor *t)
{
	const size_t i = (size_t)(t - d->plan->model->tensors);
	if (!d->placed[i])
		d->placed[i] = cast(d, t->type, place(d, t));
	return d->placed[i];
}

const char *
phi_onnx_vector(struct phi_onnx_decoder *d, const struct phi_graph_weight *weight)
{
	const struct phi_tensor *const t = phi_onnx_tensor(d, weight);
	return t ? weight_of(d, t) : "";
}

/* The three initializers of a weight in blocks; the codes are declared twice, as each of the two operators has them. */
struct blocks {
	const char *codes, *rows, *scales, *zeros;
	struct phi_type_fields fields;
	uint64_t n, k, groups; /* rows, columns, blocks of a row */
};

static const char *
place_field(struct phi_onnx_decoder *d, const struct phi_tensor *t, unsigned field, const char *name, uint64_t *at)
{
	const uint32_t i = (uint32_t)(t - d->plan->model->tensors);
	const uint64_t size = d->plan->bytes[i] / t->type->bytes * phi_type_field_bytes(t->type, field);
	*at = next_place(d, size);
	if (!d->b.failed)
		note_failure(d, phi_plan_add_field(d->plan, i, field, name, d->file, *at, d->b.err));
	return name;
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
	const char *const name = phi_onnx_text(&d->b, "%s_Q%u", t->name, w.fields.bits);
	const char *const scales = phi_onnx_text(&d->b, "%s_scales", t->name);
	w.codes = name;
	w.rows = phi_onnx_text(&d->b, "%s_rows", name);
	w.scales = w.fields.scales == d->io->id ? scales : phi_onnx_text(&d->b, "/%s/Cast/output_0", scales);
	w.zeros = phi_onnx_text(&d->b, "%s_zero_points", t->name);
	return w;
}

/* What a weight in blocks is in the graph; placed when it is first asked for. */
static struct blocks
blocks(struct phi_onnx_decoder *d, const struct phi_tensor *t)
{
	const struct blocks w = blocks_of(d, t);
	const size_t i = (size_t)(t - d->plan->model->tensors);
	const struct phi_type *const bytes = phi_type_of(PHI_U8), *const floats = phi_type_of(w.fields.scales);
	const uint64_t codes[] = { w.n, w.groups, w.fields.codes }, rows[] = { w.n, w.groups * w.fields.codes };
	const uint64_t scales[] = { w.n, w.groups };
	uint64_t at;
	if (d->placed[i] || d->b.failed)
		return w;
	d->placed[i] = w.codes;
	place_field(d, t, 0, w.codes, &at);
	declare(d, w.codes, bytes, codes, 3, at, w.n * rows[1], t->canonical);
	if (t->role == PHI_ROLE_EMBEDDING)
		declare(d, w.rows, bytes, rows, 2, at, w.n * rows[1], NULL);
	const char *const name = phi_onnx_text(&d->b, "%s_scales", t->name);
	place_field(d, t, 1, name, &at);
	cast(d, floats, declare(d, name, floats, scales, 2, at, w.n * w.groups * w.fields.scale, NULL));
	return w;
}

static bool
in_blocks(struct phi_onnx_decoder *d, const struct phi_tensor *t)
{
	struct phi_type_fields fields;
	struct phi_quoted q;
	if (!phi_type_fields(t->type, &fields) || strcmp(fields.format, "onnx"))
		return false;
	if (fields.zero || t->rank != 2)
		phi_onnx_refuse(d, "tensor %s: %s is not written to a decoder", phi_quote(&q, t->name), t->type->name);
	return !d->b.failed;
}

static const char *
product_of_blocks(struct phi_onnx_decoder *d, const char *path, const char *x, const struct phi_tensor *t)
{
	const struct blocks w = blocks(d, t);
	const char *const y = phi_onnx_node(&d->b, "com.microsoft:MatMulNBits",
		phi_onnx_text(&d->b, "%s_Q%u", path, w.fields.bits), (const char *const[]){ x, w.codes, w.scales, NULL });
	phi_onnx_int(&d->b, "K", (int64_t)w.k);
	phi_onnx_int(&d->b, "N", (int64_t)w.n);
	phi_onnx_int(&d->b, "bits", w.fields.bits);
	phi_onnx_int(&d->b, "block_size", t->type->elements);
	return y;
}

/* With zero points, since the processors do not agree on what is meant without them. */
static const char *
rows_of_blocks(struct phi_onnx_decoder *d, const char *path, const char *tokens, const struct phi_tensor *t)
{
	const struct phi_type *const type = t->type;
	const struct blocks w = blocks(d, t);
	struct blocks *const state = d->b.failed ? NULL : phi_arena_alloc(d->plan->arena, sizeof *state, d->b.err);
	d->b.failed = !state;
	if (!state)
		return "";
	*state = w;
	phi_onnx_generated(d, w.zeros, phi_type_of(PHI_U8), w.n, (w.groups * w.fields.bits + 7) / 8, middle, state);
	const char *const y = phi_onnx_node(&d->b, "com.microsoft:GatherBlockQuantized",
		phi_onnx_text(&d->b, "%s/Gather_Q%u", path, w.fields.bits),
		(const char *const[]){ w.rows, tokens, w.scales, w.zeros, NULL });
	phi_onnx_int(&d->b, "bits", w.fields.bits);
	phi_onnx_int(&d->b, "block_size", type->elements);
	phi_onnx_int(&d->b, "gather_axis", 0);
	phi_onnx_int(&d->b, "quantize_axis", 1);
	return y;
}

/* Can it be turned as it is read? The part is then that of the transposed tensor. */
static bool
turn(struct phi_onnx_decoder *d, struct phi_tensor *t)
{
	const struct phi_model *const origin = d->plan->model->origin;
	struct phi_part *const part = t->parts;
	if (t->rank != 2 || t->nparts != 1 || part->kind != PHI_PART_TENSOR)
		return false;
	const struct phi_tensor *const from = part->view ? part->view : &origin->tensors[part->tensor];
	if (from->type->elements != 1 || from->type->class == PHI_CLASS_PACKED || from->nplanes != 1 ||
		from->rank != 2 || part->row || part->rows != from->shape[0])
		return false;
	part->transpose = true;
	part->rows = from->shape[1];
	t->shape[0] = from->shape[1];
	t->shape[1] = from->shape[0];
	return true;
}

/* A matrix of floats that stays as it is. */
static const char *
product_as_is(struct phi_onnx_decoder *d, const char *path, const char *x, const char *w)
{
	if (d->io->id == PHI_F32) {
		const char *const y = phi_onnx_node(&d->b, "com.microsoft:FusedMatMul", path,
			(const char *const[]){ x, w, NULL });
		phi_onnx_int(&d->b, "transB", 1);
		return y;
	}
	w = phi_onnx_node(&d->b, "Transpose", phi_onnx_text(&d->b, "%s/Transpose", path), (const char *const[]){ w, NULL });
	return phi_onnx_node(&d->b, "MatMul", path, (const char *const[]){ x, w, NULL });
}

const char *
phi_onnx_product(struct phi_onnx_decoder *d, const char *path, const char *x, const struct phi_graph_weight *weight)
{
	struct phi_tensor *const t = phi_onnx_tensor(d, weight);
	if (!t)
		return "";
	if (in_blocks(d, t))
		return product_of_blocks(d, path, x, t);
	const bool own = t->role != PHI_ROLE_EMBEDDING;
	if (!own || !turn(d, t))
		return product_as_is(d, path, x, weight_of(d, t));
	return phi_onnx_node(&d->b, "MatMul", path, (const char *const[]){ x, weight_of(d, t), NULL });
}

const char *
phi_onnx_rows(struct phi_onnx_decoder *d, const char *path, const char *tokens, const struct phi_graph_weight *weight)
{
	const struct phi_tensor *const t = phi_onnx_tensor(d, weight);
	if (!t)
		return "";
	if (in_blocks(d, t))
		return rows_of_blocks(d, path, tokens, t);
	return phi_onnx_node(&d->b, "Gather", phi_onnx_text(&d->b, "%s/Gather", path),
		(const char *const[]){ weight_of(d, t), tokens, NULL });
}
