#include "formats/onnx/build_decoder.h"

#include "formats/core/escape.h"
#include "formats/onnx/genai.h"
#include "formats/onnx/scaled.h"
#include "formats/onnx/graph_lower.h"
#include "formats/onnx/scaled.h"
#include "formats/onnx/graph.h"
#include "formats/onnx/write.h"

#include <string.h>

struct lowering {
	const struct phi_model *origin;
	struct phi_model *model;
	struct phi_names *names; /* canonical name -> tensor of the origin */
	struct phi_onnx_decoder d; /* for the names */
	const struct phi_type *io;
	const struct phi_graph_options *options; /* or NULL */
	struct phi_err *err;
};

const char *
phi_onnx_weight_name(struct phi_onnx_decoder *d, const struct phi_op *op, const struct phi_graph_weight *weight)
{
	const char *const module = phi_onnx_module(d, op);
	const bool bias = weight == &op->bias;
	if (op->kind == PHI_OP_EXPERTS || weight->role == PHI_ROLE_EMBEDDING)
		return weight->name;
	if (op->kind == PHI_OP_LINEAR)
		return phi_onnx_text(&d->b, "%s.%s", module, bias ? "Add.bias" : "MatMul.weight");
	return phi_onnx_text(&d->b, "%s.%s", module, bias ? "bias" : "weight");
}

static const struct phi_tensor *
find(const struct lowering *l, const char *name)
{
	const uint32_t i = name ? phi_names_find(l->names, name, strlen(name)) : PHI_NONE;
	return i == PHI_NONE ? NULL : &l->origin->tensors[i];
}

/* Rows of a tensor, or an expert of a stack, as one in its place. */
static int
set_slice(struct lowering *l, struct phi_tensor *t, struct phi_part *part, const struct phi_tensor *whole,
	const struct phi_graph_weight *w)
{
	struct phi_tensor *const slice = phi_arena_calloc(l->model->arena, 1, sizeof *slice, l->err);
	struct phi_quoted q;
	if (!slice)
		return -1;
	if (!phi_tensor_slice(whole, w->row, w->rows, whole->rank == 3, slice))
		return phi_fail(l->err, PHI_UNSUPPORTED, "tensor %s: rows of %s cannot be taken out",
			phi_quote(&q, whole->name), whole->type->name);
	part->view = slice;
	part->rows = slice->shape[0];
	t->rank = slice->rank;
	memcpy(t->shape, slice->shape, sizeof t->shape);
	return 0;
}

static int
add_weight(struct lowering *l, const struct phi_op *op, const struct phi_graph_weight *w)
{
	const struct phi_tensor *const own = find(l, w->name), *const from = own ? own : find(l, w->whole);
	struct phi_quoted q;
	if (!from)
		return phi_fail(l->err, PHI_FORMAT, "tensor %s is missing", phi_quote(&q, w->name));
	struct phi_part *const part = phi_arena_calloc(l->model->arena, 1, sizeof *part, l->err);
	struct phi_tensor *const t = part ? phi_model_add_tensor(l->model, l->err) : NULL;
	const char *const name = t ? phi_onnx_weight_name(&l->d, op, w) : NULL;
	if (!name || l->d.b.failed)
		return -1;
	*t = *from;
	t->name = name;
	t->canonical = w->name;
	t->role = w->role;
	t->layer = op->layer;
	t->alias = PHI_NONE;
	t->nplanes = 0;
	t->packed = NULL;
	t->type = l->io;
	t->fixed = t->rank < 2 || w->role == PHI_ROLE_FFN_ROUTER;
	*part = (struct phi_part){ .kind = PHI_PART_TENSOR, .tensor = (uint32_t)(from - l->origin->tensors),
		.rows = from->shape[0] };
	t->parts = part;
	t->nparts = 1;
	if (!own && set_slice(l, t, part, from, w))
		return -1;
	return 0;
}

static int
add_weights(struct lowering *l, const struct phi_graph *graph)
{
	for (size_t i = 0; i < graph->nops; i++) {
		const struct phi_op *const op = &graph->ops[i];
		/* A tied head is the embedding, which is there already. */
		const bool tied = op->kind == PHI_OP_LINEAR && op->weight.role == PHI_ROLE_EMBEDDING;
		const uint32_t experts = op->experts ? graph->hparams->experts * PHI_EXPERT_WEIGHTS : 0;
		if ((op->weight.name && !tied && add_weight(l, op, &op->weight)) ||
			(op->bias.name && add_weight(l, op, &op->bias)))
			return -1;
		for (uint32_t e = 0; e < experts; e++)
			if (add_weight(l, op, &op->experts[e]))
				return -1;
	}
	return 0;
}

static int
lower(struct lowering *l)
{
	struct phi_hparams *const h = &l->d.h;
	struct phi_graph graph;
	const struct phi_model *const origin = l->origin;
	if (!origin->family)
		return phi_fail(l->err, PHI_UNSUPPORTED, "no known family of models: a decoder is built of those only");
	if (phi_family_hparams(origin, h, l->err) || phi_family_check(origin, h, l->err))
		return -1;
	l->names = phi_names_new(l->err);
	for (uint32_t i = 0; l->names && i < origin->ntensors; i++) {
		const char *const name = origin->tensors[i].canonical;
		if (name && phi_names_add(l->names, name, strlen(name), i, l->err) < 0)
			return -1;
	}
	if (!l->names || phi_graph_make(origin->family, h, phi_onnx_rotates_outside(h, l->options),
				l->model->arena, &graph, l->err))
		return -1;
	const int result = add_weights(l, &graph);
	phi_graph_free(&graph);
	return result ? -1 : phi_family_warn_extras(l->model, l->err);
}

/* The type of what flows: F32 on the CPU unless all is to be F16, which other devices want. */
static int
choose_flow(struct lowering *l, const char *recipe)
{
	const enum phi_device device = l->options ? l->options->device : PHI_DEVICE_CPU;
	const bool cpu = device == PHI_DEVICE_CPU, half = recipe && !strcmp(recipe, "f16");
	if (device == PHI_DEVICE_QNN)
		return phi_fail(l->err, PHI_UNSUPPORTED, "a decoder for qnn: it wants shapes that are fixed and ranges of "
			"all values, and a decoder has neither");
	if (recipe && !strcmp(recipe, "bf16"))
		return phi_fail(l->err, PHI_UNSUPPORTED, "a decoder of BF16: the attention of the CPU has none; "
			"the nearest type it can hold is F16");
	if (!cpu && recipe && !strcmp(recipe, "f32"))
		return phi_fail(l->err, PHI_UNSUPPORTED, "a decoder of F32 for this device: its attention has F16 only");
	l->io = phi_type_of(cpu && !half ? PHI_F32 : PHI_F16);
	return 0;
}

struct phi_model *
phi_onnx_decoder_lower(const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	const char *const recipe = options ? options->recipe : NULL;
	if (phi_model_side(model, PHI_ONNX_SIDE))
		return phi_onnx_lower(model, options, err);
	if (phi_onnx_is_scaled(recipe)) {
		phi_fail(err, PHI_UNSUPPORTED, "%s is made of an ONNX model: make that first, by -t f32", recipe);
		return NULL;
	}
	const bool lowered_already = !strcmp(model->view, "onnx");
	if (!lowered_already && strcmp(model->view, "canonical")) {
		phi_fail(err, PHI_UNSUPPORTED, "a model that was made for %s cannot be made an ONNX decoder", model->view);
		return NULL;
	}
	struct lowering l = { .origin = model, .err = err, .model = phi_model_lower_same(model, err),
		.options = options ? options->graph : NULL };
	if (!l.model || lowered_already)
		return l.model;
	phi_onnx_build_init(&l.d.b, l.model->arena, "", err);
	l.model->ntensors = 0;
	const int result = choose_flow(&l, recipe) || lower(&l) ||
		(l.options && phi_onnx_note_options(l.model, l.options, err));
	phi_names_free(l.names);
	if (result) {
		phi_model_free(l.model);
		return NULL;
	}
	l.model->view = "onnx";
	return l.model;
}
