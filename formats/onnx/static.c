#include "formats/onnx/static.h"

#include "formats/core/bytes.h"
#include "formats/onnx/data.h"
#include "formats/onnx/marks.h"

#include <string.h>

const struct phi_type *
phi_onnx_static_type(const char *recipe)
{
	if (!recipe)
		return NULL;
	return !strcmp(recipe, "w8a8") ? phi_type_of(PHI_U8) : !strcmp(recipe, "w8a16") ? phi_type_of(PHI_U16) : NULL;
}

/* Lowering */

struct lowering {
	struct phi_model *model;
	const struct phi_names *names;
	const struct phi_graph_options *options;
	struct phi_onnx_marks marks;
	struct phi_err *err;
};

static struct phi_tensor *
tensor_of(const struct lowering *l, const char *name)
{
	const uint32_t i = name && *name ? phi_names_find(l->names, name, strlen(name)) : PHI_NONE;
	return i == PHI_NONE ? NULL : &l->model->tensors[i];
}

static const struct phi_tensor *
constant(void *ctx, const char *name)
{
	const struct phi_tensor *const t = tensor_of(ctx, name);
	return t && t->type->id == PHI_F32 && t->nparts == 1 ? t : NULL;
}

static int
set_scaling(struct lowering *l, const struct phi_onnx_marked *mark)
{
	struct phi_tensor *const t = tensor_of(l, mark->name);
	t->scaling = phi_scaling_new(l->model->arena, mark->type, mark->rule, t->shape, t->rank, mark->axis, l->err);
	if (!t->scaling)
		return -1;
	t->scaling->reduced = l->options->reduced && mark->kind == PHI_ONNX_MARK_WEIGHT;
	t->scaling->width = phi_onnx_least_width(l->options);
	t->fixed = false;
	t->alias = PHI_NONE;
	return 0;
}

/* After its weight's is there. */
static int
set_bias(struct lowering *l, const struct phi_onnx_marked *mark)
{
	const struct phi_onnx_marks *const m = &l->marks;
	struct phi_scaling *const weight = tensor_of(l, m->items[mark->weight].name)->scaling;
	const struct phi_onnx_marked *const input = phi_onnx_mark_root(m, &m->items[mark->input]);
	const struct phi_tensor *const t = tensor_of(l, mark->name);
	if (!input || input->kind != PHI_ONNX_MARK_COMPUTED || (mark->axis >= 0 && t->shape[0] != weight->count))
		return 0;
	if (set_scaling(l, mark) < 0)
		return -1;
	t->scaling->weight = weight;
	t->scaling->input = input->scale;
	return 0;
}

static int
set_scalings(struct lowering *l)
{
	const struct phi_onnx_marks *const m = &l->marks;
	for (size_t i = 0; i < m->count; i++)
		if (!m->items[i].gone && m->items[i].kind == PHI_ONNX_MARK_WEIGHT && set_scaling(l, &m->items[i]) < 0)
			return -1;
	for (size_t i = 0; i < m->count; i++)
		if (!m->items[i].gone && m->items[i].kind == PHI_ONNX_MARK_BIAS && set_bias(l, &m->items[i]) < 0)
			return -1;
	/* One that shared the bytes of what is quantized now has its own. */
	for (size_t i = 0; i < l->model->ntensors; i++) {
		struct phi_tensor *const t = &l->model->tensors[i];
		if (t->alias != PHI_NONE && l->model->tensors[t->alias].scaling)
			t->alias = PHI_NONE;
	}
	return 0;
}

int
phi_onnx_static_lower(struct phi_model *lowered, const PhiOnnx__Model *graph, const struct phi_names *names,
	const struct phi_lower_options *options, struct phi_err *err)
{
	struct lowering l = { .model = lowered, .names = names, .options = options->graph, .err = err };
	if (!options->graph || !options->graph->ranges)
		return phi_fail(err, PHI_ARGUMENT, "-t %s: say by --ranges FILE between which numbers lies what the graph "
			"computes", options->recipe);
	const struct phi_onnx_marking marking = { .model = graph, .options = options->graph,
		.computed = phi_onnx_static_type(options->recipe), .constant = constant, .ctx = &l };
	int result = phi_onnx_marks_make(&l.marks, &marking, err);
	if (!result && !l.marks.ncomputed)
		result = phi_fail(err, PHI_ARGUMENT, "--ranges: names nothing that the graph computes");
	if (!result)
		result = set_scalings(&l);
	phi_onnx_marks_free(&l.marks);
	return result;
}

/* Writing */

struct writing {
	struct phi_onnx_rewrite *r;
	struct phi_onnx_build *b;
	struct phi_onnx_marks marks;
	struct phi_names *outputs; /* of the graph -> 0; inputs, which nothing makes, -> 1, though they be outputs */
	bool contrib; /* pairs are com.microsoft's */
};

/* As lowering saw them: the type was F32 then. */
static const struct phi_tensor *
was_constant(void *ctx, const char *name)
{
	const struct writing *const w = ctx;
	const struct phi_tensor *const t = *name ? phi_onnx_tensor_of(w->r, name) : NULL;
	const struct phi_model *const origin = w->r->plan->model->origin;
	return t && t->nparts == 1 && t->parts[0].kind == PHI_PART_TENSOR && origin &&
			origin->tensors[t->parts[0].tensor].type->id == PHI_F32
		? t : NULL;
}

static const struct phi_tensor *
scaled(const struct writing *w, const struct phi_onnx_marked *mark)
{
	const struct phi_tensor *const t = phi_onnx_tensor_of(w->r, mark->name);
	return t && phi_tensor_is_scaled(t) ? t : NULL;
}

/* Does it happen? Not if a weight was kept as it is. */
static bool
is_done(const struct writing *w, const struct phi_onnx_marked *mark)
{
	const struct phi_onnx_marked *const root = mark ? phi_onnx_mark_root(&w->marks, mark) : NULL;
	return root && (root->kind == PHI_ONNX_MARK_COMPUTED || scaled(w, root));
}

static bool
is_output(const struct writing *w, const char *name)
{
	return phi_names_find(w->outputs, name, strlen(name)) == 0;
}

/* The name of a new value. */
static char *
claim(struct writing *w, const char *of, const char *tail)
{
	return phi_onnx_claim(w->r, phi_onnx_text(w->b, "%s%s", of, tail));
}

/* What the value is called by those who take it. */
static const char *
taken_as(struct writing *w, const char *name)
{
	const struct phi_onnx_marked *const mark = *name ? phi_onnx_mark_of(&w->marks, name) : NULL;
	if (!mark || !is_done(w, mark) || is_output(w, name))
		return name;
	return phi_onnx_text(w->b, "%s_DequantizeLinear_Output", name);
}

static void
put_pair_node(struct writing *w, const char *op, const char *of, const char *in, const struct phi_onnx_marked *root,
	const char *tail, const char *out, int axis)
{
	struct phi_onnx_build *const b = w->b;
	const char *const inputs[] = { in, phi_onnx_text(b, "%s%s_scale", root->name, tail),
		phi_onnx_text(b, "%s%s_zero_point", root->name, tail), NULL };
	phi_onnx_node(b, phi_onnx_text(b, "%s%s", w->contrib ? "com.microsoft:" : "", op),
		phi_onnx_text(b, "%s_%s", of, op), inputs);
	phi_onnx_rename(b, out);
	if (axis >= 0)
		phi_onnx_int(b, "axis", axis);
}

static void
put_pair(struct writing *w, const struct phi_onnx_marked *mark)
{
	const struct phi_onnx_marked *const root = phi_onnx_mark_root(&w->marks, mark);
	const char *const name = mark->name, *const codes = claim(w, name, "_QuantizeLinear_Output");
	const bool output = is_output(w, name);
	put_pair_node(w, "QuantizeLinear", name, output ? claim(w, name, "_QuantizeLinear_Input") : name, root, "", codes, -1);
	put_pair_node(w, "DequantizeLinear", name, codes, root, "",
		output ? name : claim(w, name, "_DequantizeLinear_Output"), -1);
}

/* The scale and zero point of what has a range, once: others share them. */
static void
put_range(struct writing *w, const struct phi_onnx_marked *mark)
{
	struct phi_onnx_build *const b = w->b;
	uint8_t *const zero = phi_arena_calloc(b->arena, 1, 4, b->err);
	phi_onnx_real(b, claim(w, mark->name, "_scale"), phi_type_of(PHI_F32), (double)mark->scale);
	if (!zero) {
		b->failed = true;
		return;
	}
	phi_store32(zero, (uint32_t)mark->zero);
	phi_onnx_raw(b, claim(w, mark->name, "_zero_point"), mark->type, NULL, 0, zero);
}

/* A weight or a bias: its codes, and what they stand for. */
static void
put_constant(struct writing *w, const struct phi_onnx_marked *mark, const struct phi_tensor *t)
{
	struct phi_onnx_build *const b = w->b;
	const bool bias = mark->kind == PHI_ONNX_MARK_BIAS;
	const char *const name = mark->name, *const tail = bias ? "_quantized" : "";
	const char *const codes = claim(w, name, "_quantized");
	phi_onnx_weight(w->r, w->r->scope, codes, phi_onnx_type_number(t->type), t->shape, t->rank,
		(uint32_t)(t - w->r->plan->model->tensors), PHI_ONNX_WHOLE);
	phi_onnx_scales(b, t->scaling, claim(w, name, bias ? "_quantized_scale" : "_scale"),
		claim(w, name, bias ? "_quantized_zero_point" : "_zero_point"));
	put_pair_node(w, "DequantizeLinear", name, codes, mark, tail, claim(w, name, "_DequantizeLinear_Output"),
		t->scaling->axis);
}

/* What is there before the first node. */
static void
begin(struct writing *w)
{
	const PhiOnnx__Graph *const g = w->r->scopes->graph;
	for (size_t i = 0; i < w->marks.count; i++) {
		const struct phi_onnx_marked *const mark = &w->marks.items[i];
		const struct phi_tensor *const t = mark->gone || mark->kind == PHI_ONNX_MARK_COMPUTED ? NULL : scaled(w, mark);
		if (t)
			put_constant(w, mark, t);
		else if (!mark->gone && mark->kind == PHI_ONNX_MARK_COMPUTED && mark->like == PHI_NONE)
			put_range(w, mark);
	}
	for (size_t i = 0; i < g->n_input; i++) {
		const struct phi_onnx_marked *const mark = phi_onnx_mark_of(&w->marks, g->input[i]->name);
		if (mark && mark->kind == PHI_ONNX_MARK_COMPUTED && is_done(w, mark))
			put_pair(w, mark);
	}
}

/* The node whose Relu is gone makes what that made. */
static const char *
made_as(const struct writing *w, const char *name)
{
	const uint32_t i = phi_names_find(w->marks.gone, name, strlen(name));
	return i == PHI_NONE ? name : w->r->scopes->was.node[i]->output[0];
}

static bool
is_gone(const struct writing *w, const PhiOnnx__Node *node)
{
	const struct phi_tensor *const t = phi_onnx_is(node, "", "Constant") && node->n_output == 1
		? phi_onnx_tensor_of(w->r, node->output[0]) : NULL;
	const uint32_t i = node->n_input ? phi_names_find(w->marks.gone, node->input[0], strlen(node->input[0])) : PHI_NONE;
	return (t && phi_tensor_is_scaled(t)) || (i != PHI_NONE && w->r->scopes->was.node[i] == node);
}

static void
write_node(struct writing *w, PhiOnnx__Node *node)
{
	PhiOnnx__Node *const copy = is_gone(w, node) ? NULL : phi_onnx_copy(w->b, node);
	if (!copy)
		return;
	for (size_t i = 0; i < copy->n_input; i++)
		copy->input[i] = phi_onnx_text(w->b, "%s", taken_as(w, copy->input[i]));
	for (size_t i = 0; i < copy->n_output; i++) {
		const char *const name = made_as(w, copy->output[i]);
		const struct phi_onnx_marked *const mark = phi_onnx_mark_of(&w->marks, name);
		copy->output[i] = phi_onnx_text(w->b, mark && is_done(w, mark) && is_output(w, name)
			? "%s_QuantizeLinear_Input" : "%s", name);
	}
	phi_onnx_keep(w->r, copy);
	for (size_t i = 0; i < copy->n_output; i++) {
		const struct phi_onnx_marked *const mark = phi_onnx_mark_of(&w->marks, made_as(w, node->output[i]));
		if (mark && is_done(w, mark))
			put_pair(w, mark);
	}
}

static void
visit(struct phi_onnx_rewrite *r, PhiOnnx__Node *node, void *ctx)
{
	struct writing *const w = ctx;
	w->b = r->b;
	if (r->scope == r->scopes)
		write_node(w, node);
	else
		phi_onnx_keep(r, node);
}

static int
find_outputs(struct writing *w, const PhiOnnx__Graph *g)
{
	struct phi_err *const err = w->r->err;
	int result = (w->outputs = phi_names_new(err)) ? 0 : -1;
	for (size_t i = 0; result >= 0 && i < g->n_input; i++)
		if (g->input[i]->name)
			result = phi_names_add(w->outputs, g->input[i]->name, strlen(g->input[i]->name), 1, err);
	for (size_t i = 0; result >= 0 && i < g->n_output; i++)
		if (g->output[i]->name)
			result = phi_names_add(w->outputs, g->output[i]->name, strlen(g->output[i]->name), 0, err);
	return result;
}

static int
write_all(struct writing *w, const struct phi_graph_options *options)
{
	enum { SIXTEEN = 21 };
	struct phi_onnx_rewrite *const r = w->r;
	const struct phi_onnx_marking marking = { .model = r->old.model, .options = options,
		.computed = phi_onnx_static_type(r->plan->model->recipe), .constant = was_constant, .ctx = w };
	if (find_outputs(w, r->scopes->graph) < 0 || phi_onnx_marks_make(&w->marks, &marking, r->err) < 0)
		return -1;
	w->contrib = marking.computed->id == PHI_U16 && phi_onnx_opset(r->old.model) < SIXTEEN;
	if (w->contrib)
		phi_onnx_need_opset(r, "com.microsoft", 1);
	begin(w);
	phi_onnx_rewrite_nodes(r, visit, w);
	return w->b->failed ? -1 : 0;
}

int
phi_onnx_static_write(struct phi_onnx_rewrite *r)
{
	const struct phi_graph_options *const options = r->plan->options.graph;
	struct writing w = { .r = r, .b = r->b };
	if (!options || !options->ranges)
		return phi_fail(r->err, PHI_ARGUMENT, "-t %s: --ranges FILE is missing", r->plan->model->recipe);
	const int result = write_all(&w, options);
	phi_onnx_marks_free(&w.marks);
	phi_names_free(w.outputs);
	return result;
}
