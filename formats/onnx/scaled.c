#include "formats/onnx/scaled.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/onnx/dynamic.h"
#include "formats/onnx/marks.h"
#include "formats/onnx/static.h"

#include <stdio.h>
#include <string.h>

/* What the graph does with a tensor. */
struct taken {
	/* The first node that takes it quantized: as it is, and transposed. */
	const PhiOnnx__Node *by[2];
	struct phi_onnx_use use[2];
	bool as_float; /* some node takes it as it is, before any takes its codes */
};

struct lowering {
	struct phi_model *model;
	const struct phi_graph_options *options;
	const struct phi_names *names; /* tensor by name */
	struct taken *taken;	 /* of each tensor */
	struct phi_err *err;
};

bool
phi_onnx_is_scaled(const char *recipe)
{
	return recipe && (!strcmp(recipe, "int8_dynamic") || phi_onnx_static_type(recipe));
}

static float
float_of(const PhiOnnx__Node *node, const char *name, float otherwise)
{
	const PhiOnnx__Attribute *const a = phi_onnx_attribute(node, name);
	return a && a->has_f ? a->f : otherwise;
}

/* A Gemm that is a MatMul and an Add. */
static bool
is_plain_gemm(const PhiOnnx__Node *node)
{
	return phi_onnx_is(node, "", "Gemm") && float_of(node, "alpha", 1) == 1 && float_of(node, "beta", 1) == 1 &&
		!phi_onnx_attribute_int(node, "transA", 0);
}

bool
phi_onnx_dynamic_use(const PhiOnnx__Node *node, struct phi_onnx_use *use)
{
	const bool gemm = is_plain_gemm(node);
	*use = (struct phi_onnx_use){ .input = 1, .type = phi_type_of(PHI_I8), .rule = PHI_SCALING_SYMMETRIC,
		.reducible = true };
	if (node->n_output != 1 || !*node->output[0] || !phi_onnx_input(node, 0))
		return false;
	if (gemm || phi_onnx_is(node, "", "MatMul")) {
		use->transposed = gemm && phi_onnx_attribute_int(node, "transB", 0) == 1;
		use->columns = true;
		return true;
	}
	if (phi_onnx_is(node, "", "Gather"))
		*use = (struct phi_onnx_use){ .type = phi_type_of(PHI_U8), .rule = PHI_SCALING_AFFINE };
	return phi_onnx_is(node, "", "Conv") || phi_onnx_is(node, "", "Gather");
}

static uint32_t
weight_of(const struct lowering *l, const char *name)
{
	const uint32_t i = name ? phi_names_find(l->names, name, strlen(name)) : PHI_NONE;
	return i != PHI_NONE && l->model->tensors[i].type->id == PHI_F32 ? i : PHI_NONE;
}

/* `late`: numbers are made of the codes again, if those are there already. */
static void
take_as_float(struct lowering *l, const char *name, bool late)
{
	const uint32_t i = weight_of(l, name);
	if (i != PHI_NONE && !(late && l->taken[i].by[0]))
		l->taken[i].as_float = true;
}

enum { DEPTH = 8 }; /* of graphs within nodes; beyond that nothing is quantized that they name */

/* What the graphs within a node name is taken by the node. */
static void
take_within(struct lowering *l, const PhiOnnx__Node *node, unsigned depth)
{
	for (size_t i = 0; i < node->n_attribute && depth < DEPTH; i++) {
		const PhiOnnx__Attribute *const a = node->attribute[i];
		for (size_t k = 0; k < a->n_graphs + (a->g != NULL); k++) {
			const PhiOnnx__Graph *const g = k < a->n_graphs ? a->graphs[k] : a->g;
			for (size_t n = 0; n < g->n_node; n++) {
				for (size_t j = 0; j < g->node[n]->n_input; j++)
					take_as_float(l, g->node[n]->input[j], false);
				take_within(l, g->node[n], depth + 1);
			}
			for (size_t j = 0; j < g->n_output; j++)
				take_as_float(l, g->output[j]->name, false);
		}
	}
}

static void
take(struct lowering *l, const PhiOnnx__Node *node)
{
	struct phi_onnx_use use;
	const bool taken = phi_onnx_dynamic_use(node, &use);
	uint32_t w = taken ? weight_of(l, phi_onnx_input(node, use.input)) : PHI_NONE;
	if (w != PHI_NONE && (l->model->tensors[w].rank < (use.transposed ? 2 : 1) || l->model->tensors[w].nparts != 1))
		w = PHI_NONE;
	if (w != PHI_NONE && !l->taken[w].by[use.transposed]) {
		l->taken[w].by[use.transposed] = node;
		l->taken[w].use[use.transposed] = use;
	}
	for (size_t i = 0; i < node->n_input; i++)
		if (w == PHI_NONE || i != use.input)
			take_as_float(l, phi_onnx_input(node, i), true);
	take_within(l, node, 0);
}

static int
set_scaling(struct lowering *l, struct phi_tensor *t, const struct taken *taken, bool transposed)
{
	const struct phi_onnx_use *const use = &taken->use[transposed];
	const bool columns = use->columns && l->options && l->options->per_channel;
	struct phi_part *const part = phi_arena_calloc(l->model->arena, 1, sizeof *part, l->err);
	if (!part)
		return -1;
	if (transposed) {
		const uint64_t rows = t->shape[0];
		t->shape[0] = t->shape[1];
		t->shape[1] = rows;
	}
	*part = t->parts[0];
	part->transpose = transposed;
	part->rows = t->shape[0];
	t->parts = part;
	t->scaling = phi_scaling_new(l->model->arena, use->type, use->rule, t->shape, t->rank,
		columns ? (int)t->rank - 1 : -1, l->err);
	if (!t->scaling)
		return -1;
	t->scaling->reduced = use->reducible && l->options && l->options->reduced;
	t->fixed = false;
	t->alias = PHI_NONE;
	const char *const node = taken->by[transposed]->name;
	if (t->canonical || !node || !*node)
		return 0;
	t->canonical = phi_arena_strdup(l->model->arena, node, l->err);
	return t->canonical ? 0 : -1;
}

/* One use of a tensor that nothing else takes: it is that. Else it gets company. */
static int
settle(struct lowering *l, uint32_t i, size_t before)
{
	const struct taken *const taken = &l->taken[i];
	bool own = taken->as_float || (taken->by[0] && taken->by[1]);
	for (unsigned transposed = 0; transposed < 2; transposed++) {
		if (!taken->by[transposed])
			continue;
		struct phi_tensor *t = own ? phi_model_add_tensor(l->model, l->err) : &l->model->tensors[i];
		if (!t)
			return -1;
		if (own) {
			*t = l->model->tensors[i];
			t->name = phi_arena_printf(l->model->arena, l->err, "%s%s_quantized", t->name,
				transposed ? "_Transposed" : "");
			if (!t->name)
				return -1;
		}
		if (set_scaling(l, t, taken, transposed))
			return -1;
	}
	for (size_t k = 0; !own && k < before; k++)
		if (l->model->tensors[k].alias == i)
			l->model->tensors[k].alias = PHI_NONE;
	return 0;
}

static int
lower(struct lowering *l, const PhiOnnx__Graph *graph)
{
	const size_t before = l->model->ntensors;
	l->taken = phi_calloc(before + 1, sizeof *l->taken, l->err);
	if (!l->taken)
		return -1;
	for (size_t i = 0; i < graph->n_node; i++)
		take(l, graph->node[i]);
	for (size_t i = 0; i < graph->n_output; i++)
		take_as_float(l, graph->output[i]->name, false);
	for (uint32_t i = 0; i < before; i++)
		if (settle(l, i, before))
			return -1;
	return 0;
}

/* The initializers of the main graph, and what its Constants say: what is in graphs within nodes stays as it is. */
static int
name_weights(const struct phi_onnx_graph *graph, const struct phi_model *model, struct phi_names *names,
	struct phi_err *err)
{
	struct phi_names *const all = phi_names_new(err);
	int result = all ? 0 : -1;
	for (uint32_t i = 0; !result && i < model->ntensors; i++)
		result = phi_names_add(all, model->tensors[i].name, strlen(model->tensors[i].name), i, err) < 0 ? -1 : 0;
	for (size_t i = 0; !result && i < graph->count; i++) {
		const char *const name = graph->weights[i].name;
		const uint32_t tensor = phi_names_find(all, name, strlen(name));
		const PhiOnnx__Graph *const within = graph->weights[i].graph;
		if (tensor != PHI_NONE && (!within || within == graph->model->graph))
			result = phi_names_add(names, name, strlen(name), tensor, err) < 0 ? -1 : 0;
	}
	phi_names_free(all);
	return result;
}

/* The operators that are written came with these versions. */
static int
check_opset(const PhiOnnx__Model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	enum { LINEAR = 10, DYNAMIC = 11, AXIS = 13 };
	const bool channels = options && options->graph && options->graph->per_channel;
	const int least = !options || !phi_onnx_static_type(options->recipe) ? DYNAMIC : channels ? AXIS : LINEAR;
	const int64_t opset = phi_onnx_opset(model);
	return opset >= least ? 0 : phi_fail(err, PHI_UNSUPPORTED, "operator set %lld: integers of one scale can be said "
		"from %d on", (long long)opset, least);
}

static int
lower_graph(struct phi_model *lowered, const struct phi_lower_options *options, struct phi_err *err)
{
	const struct phi_side *const side = phi_model_side(lowered, PHI_ONNX_SIDE);
	struct phi_onnx_graph graph = { 0 };
	if (!side)
		return phi_fail(err, PHI_UNSUPPORTED, "the input has no graph of ONNX whose weights could get one scale");
	if (phi_onnx_graph_open(&graph, side->data, side->size, lowered->arena, err) < 0)
		return phi_context(err, "%s", PHI_ONNX_SIDE);
	struct phi_names *const names = phi_names_new(err);
	struct lowering l = { .model = lowered, .options = options ? options->graph : NULL, .names = names, .err = err };
	int result = names ? check_opset(graph.model, options, err) : -1;
	if (!result)
		result = name_weights(&graph, lowered, names, err);
	if (!result)
		result = options && phi_onnx_static_type(options->recipe)
			? phi_onnx_static_lower(lowered, graph.model, names, options, err) : lower(&l, graph.model->graph);
	phi_free(l.taken);
	phi_names_free(names);
	phi_onnx_graph_close(&graph);
	return result;
}

/* Of such a weight the graph has codes and scales, of which the model makes one tensor. */
static int
check_packed(const struct phi_model *model, struct phi_err *err)
{
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		struct phi_quoted q;
		if (t->type->class == PHI_CLASS_PACKED || phi_tensor_is_woven(t))
			return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: %s, quantized already; weights get one scale in graphs "
				"of floats", phi_quote(&q, t->name), t->type->name);
	}
	return 0;
}

struct phi_model *
phi_onnx_scaled_lower(const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	struct phi_model *const lowered = check_packed(model, err) < 0 ? NULL : phi_model_lower_same(model, err);
	for (size_t i = 0; lowered && i < lowered->ntensors; i++)
		lowered->tensors[i].fixed = true;
	if (lowered)
		lowered->view = "onnx";
	if (!lowered || lower_graph(lowered, options, err) == 0)
		return lowered;
	phi_model_free(lowered);
	return NULL;
}

const struct phi_tensor *
phi_onnx_scaled_find(const struct phi_model *lowered, const struct phi_names *names, const char *weight, bool transposed)
{
	char beside[PHI_NAME_MAX + 32];
	snprintf(beside, sizeof beside, "%s%s_quantized", weight, transposed ? "_Transposed" : "");
	const char *const candidates[] = { weight, beside };
	for (unsigned i = 0; i < 2; i++) {
		const uint32_t k = phi_names_find(names, candidates[i], strlen(candidates[i]));
		const struct phi_tensor *const t = k == PHI_NONE ? NULL : &lowered->tensors[k];
		if (t && t->scaling && phi_tensor_is_scaled(t) && t->parts[0].transpose == transposed)
			return t;
	}
	return NULL;
}

void
phi_onnx_scales(struct phi_onnx_build *b, const struct phi_scaling *s, const char *scale, const char *zero)
{
	const unsigned rank = s->axis >= 0 ? 1 : 0, width = s->type->bytes;
	uint8_t *const scales = phi_arena_calloc(b->arena, s->count, 4, b->err);
	uint8_t *const zeros = scales ? phi_arena_calloc(b->arena, s->count + 1, 4, b->err) : NULL;
	if (!zeros) {
		b->failed = true;
		return;
	}
	for (uint64_t i = 0; i < s->count; i++) {
		phi_store32(scales + 4 * i, phi_bits32(s->scale[i]));
		phi_store32(zeros + width * i, (uint32_t)s->zero[i]); /* the next one's first bytes, too */
	}
	phi_onnx_raw(b, scale, phi_type_of(PHI_F32), &s->count, rank, scales);
	phi_onnx_raw(b, zero, s->type, &s->count, rank, zeros);
}

int
phi_onnx_scale_graph(struct phi_plan *plan, struct phi_onnx_place_of **places, struct phi_err *err)
{
	struct phi_onnx_rewrite r;
	int result = phi_onnx_rewrite_begin(&r, plan, err);
	if (!result)
		result = phi_onnx_static_type(plan->model->recipe) ? phi_onnx_static_write(&r) : phi_onnx_dynamic_write(&r);
	if (!result)
		result = phi_onnx_rewrite_end(&r);
	*places = r.places;
	phi_onnx_rewrite_close(&r);
	return result;
}
