/* Weights of a decoder: where they lie in the file beside the graph, and the nodes that multiply with them.
 *
 *     floats     MatMul with the transposed matrix; where the checkpoint's is shared (a tied embedding) or quantized,
 *                FusedMatMul with it as it is
 *     ONNX*_*    build_blocks.c
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

uint64_t
phi_onnx_place(struct phi_onnx_decoder *d, uint64_t size)
{
	const uint64_t to = size >= 64 << 10 ? 64 << 10 : size >= 4096 ? 4096 : 64;
	uint64_t at = d->at;
	if (!phi_round_up(d->at, to, &at) || !phi_add(at, size, &d->at))
		phi_onnx_refuse(d, "the weights are too large");
	return at;
}

const char *
phi_onnx_declare(struct phi_onnx_decoder *d, const char *name, const struct phi_type *type, const uint64_t *shape,
	unsigned rank, uint64_t at, uint64_t size, const char *canonical)
{
	return d->b.failed ? "" : phi_onnx_beside(&d->b, name, phi_onnx_type_number(type), shape, rank,
		PHI_ONNX_DECODER_DATA, at, size, name_key, canonical);
}

/* Places a tensor of plain numbers, and declares it. */
static const char *
place(struct phi_onnx_decoder *d, const struct phi_tensor *t)
{
	const uint32_t i = (uint32_t)(t - d->plan->model->tensors);
	const uint64_t size = d->plan->bytes[i], at = phi_onnx_place(d, size);
	if (!d->b.failed && !phi_onnx_type_number(t->type))
		d->b.failed = phi_plan_refuse(d->plan, i, "F32", d->b.err) < 0;
	if (!d->b.failed)
		d->b.failed = phi_plan_add_tensor(d->plan, i, d->file, at, d->b.err) < 0;
	return phi_onnx_declare(d, t->name, t->type, t->shape, t->rank, at, size, t->canonical);
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

const char *
phi_onnx_cast(struct phi_onnx_decoder *d, const struct phi_type *type, const char *name)
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
		d->placed[i] = phi_onnx_cast(d, t->type, place(d, t));
	return d->placed[i];
}

const char *
phi_onnx_vector(struct phi_onnx_decoder *d, const struct phi_graph_weight *weight)
{
	const struct phi_tensor *const t = phi_onnx_tensor(d, weight);
	return t ? weight_of(d, t) : "";
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
	if (phi_onnx_in_blocks(d, t))
		return phi_onnx_product_of_blocks(d, path, x, t);
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
	if (phi_onnx_in_blocks(d, t))
		return phi_onnx_rows_of_blocks(d, path, tokens, t);
	return phi_onnx_node(&d->b, "Gather", phi_onnx_text(&d->b, "%s/Gather", path),
		(const char *const[]){ weight_of(d, t), tokens, NULL });
}
