#include "formats/onnx/marks.h"

#include "formats/core/memory.h"
#include "formats/core/ranges.h"

#include <string.h>

enum handling {
	OTHER,	 /* not looked at */
	ALL,	 /* inputs and outputs */
	PRODUCT, /* and a constant is a weight */
	BIASED,	 /* input, weight, bias, output */
	NORM,
	ACTIVATION, /* Relu, Clip */
	SAME,	 /* the output is as the input */
	TABLE,	 /* and a constant input is marked first */
	PARTS,	 /* of one input, all of which are like it */
	PADDED,
	CHOICE,
};

static const struct {
	const char *op;
	enum handling handling;
	int since; /* of the operator set */
} table[] = {
	{ "MatMul", PRODUCT, 0 }, { "Gemm", BIASED, 0 }, { "Conv", BIASED, 0 }, { "ConvTranspose", BIASED, 0 },
	{ "BatchNormalization", NORM, 0 }, { "InstanceNormalization", NORM, 0 }, { "LayerNormalization", NORM, 0 },
	{ "Relu", ACTIVATION, 0 }, { "Clip", ACTIVATION, 0 }, { "Add", ALL, 0 }, { "ArgMax", ALL, 0 },
	{ "Concat", ALL, 0 }, { "CumSum", ALL, 0 }, { "GlobalAveragePool", ALL, 0 }, { "LeakyRelu", ALL, 0 },
	{ "Mul", ALL, 0 }, { "Sigmoid", ALL, 0 }, { "Softmax", ALL, 0 }, { "AveragePool", SAME, 0 },
	{ "Flatten", SAME, 0 }, { "MaxPool", SAME, 12 }, { "Reshape", SAME, 0 }, { "Resize", SAME, 11 },
	{ "Slice", SAME, 0 }, { "Squeeze", SAME, 0 }, { "TopK", SAME, 0 }, { "Transpose", SAME, 0 },
	{ "Unsqueeze", SAME, 0 }, { "Gather", TABLE, 0 }, { "GatherElements", TABLE, 0 }, { "Split", PARTS, 0 },
	{ "Pad", PADDED, 0 }, { "Where", CHOICE, 0 },
};

struct range {
	float low, high;
};

struct making {
	struct phi_onnx_marks *marks;
	const struct phi_onnx_marking *m;
	struct phi_names *uses; /* value -> number in `counts`, of the main graph's nodes */
	uint32_t *counts;
	size_t nuses, capacity;
	struct phi_names *captured; /* values that graphs within nodes take, or whoever runs the graph */
	struct phi_names *inputs;   /* of the graph */
	struct phi_names *adjusted; /* value -> number in `ranges`: not what was measured */
	struct range *ranges;
	size_t nranges, ranges_capacity;
	int64_t opset;
	bool failed;
	struct phi_err *err;
};

int64_t
phi_onnx_opset(const PhiOnnx__Model *model)
{
	for (size_t i = 0; i < model->n_opset_import; i++) {
		const PhiOnnx__Opset *const o = model->opset_import[i];
		if (!o->domain || !*o->domain || !strcmp(o->domain, "ai.onnx"))
			return o->version;
	}
	return 0;
}

float
phi_onnx_least_width(const struct phi_graph_options *options)
{
	return options->device == PHI_DEVICE_QNN ? 0.0001f : 0;
}

/* What takes a value */

static uint32_t
find(const struct phi_names *names, const char *name)
{
	return phi_names_find(names, name, strlen(name));
}

static void
name_it(struct making *k, struct phi_names *names, const char *name, uint32_t index)
{
	k->failed = k->failed || (name && phi_names_add(names, name, strlen(name), index, k->err) < 0);
}

static void
count_use(struct making *k, const char *name)
{
	const uint32_t i = find(k->uses, name);
	if (i != PHI_NONE) {
		k->counts[i]++;
		return;
	}
	k->failed = k->failed || phi_grow(&k->counts, &k->capacity, k->nuses, sizeof *k->counts, k->err) < 0;
	if (k->failed)
		return;
	name_it(k, k->uses, name, (uint32_t)k->nuses);
	k->counts[k->nuses++] = 1;
}

static uint32_t
uses_of(const struct making *k, const char *name)
{
	const uint32_t i = find(k->uses, name);
	return i == PHI_NONE ? 0 : k->counts[i];
}

/* Graphs in graphs: no deeper than the scanner lets messages be. */
static void
capture(struct making *k, const PhiOnnx__Node *node)
{
	for (size_t i = 0; i < node->n_attribute; i++) {
		const PhiOnnx__Attribute *const a = node->attribute[i];
		for (size_t g = 0; g < a->n_graphs + (a->g != NULL); g++) {
			const PhiOnnx__Graph *const graph = g < a->n_graphs ? a->graphs[g] : a->g;
			for (size_t n = 0; n < graph->n_node; n++) {
				for (size_t j = 0; j < graph->node[n]->n_input; j++)
					name_it(k, k->captured, graph->node[n]->input[j], 0);
				capture(k, graph->node[n]);
			}
			for (size_t j = 0; j < graph->n_output; j++)
				name_it(k, k->captured, graph->output[j]->name, 0);
		}
	}
}

/* Ranges */

static bool
range_of(const struct making *k, const char *name, struct range *range)
{
	const uint32_t i = find(k->adjusted, name);
	if (i == PHI_NONE)
		return phi_ranges_find(k->m->options->ranges, name, &range->low, &range->high);
	*range = k->ranges[i];
	return true;
}

static void
set_range(struct making *k, const char *name, struct range range)
{
	const uint32_t i = find(k->adjusted, name);
	if (i != PHI_NONE) {
		k->ranges[i] = range;
		return;
	}
	k->failed = k->failed || phi_grow(&k->ranges, &k->ranges_capacity, k->nranges, sizeof *k->ranges, k->err) < 0;
	if (k->failed)
		return;
	name_it(k, k->adjusted, name, (uint32_t)k->nranges);
	k->ranges[k->nranges++] = range;
}

/* What a Relu cuts off needs no codes; a Softmax lies between 0 and 1. */
static void
adjust(struct making *k, const PhiOnnx__Node *node)
{
	struct range range, before;
	if (!node->n_input || !node->n_output)
		return;
	if (phi_onnx_is(node, "", "Softmax") && range_of(k, node->output[0], &range))
		set_range(k, node->output[0], (struct range){ 0, 1 });
	if ((phi_onnx_is(node, "", "Relu") || phi_onnx_is(node, "", "Clip")) && uses_of(k, node->input[0]) == 1 &&
		range_of(k, node->output[0], &range) && range_of(k, node->input[0], &before))
		set_range(k, node->input[0], range);
}

/* Marks */

static struct phi_onnx_marked *
marked(const struct making *k, const char *name)
{
	const uint32_t i = *name ? find(k->marks->names, name) : PHI_NONE;
	return i == PHI_NONE || k->marks->items[i].gone ? NULL : &k->marks->items[i];
}

static struct phi_onnx_marked *
add(struct making *k, const char *name)
{
	struct phi_onnx_marks *const m = k->marks;
	const uint32_t there = find(m->names, name);
	struct phi_onnx_marked *mark = there == PHI_NONE ? NULL : &m->items[there];
	if (!mark) {
		k->failed = k->failed || phi_grow(&m->items, &m->capacity, m->count, sizeof *m->items, k->err) < 0;
		if (k->failed)
			return NULL;
		name_it(k, m->names, name, (uint32_t)m->count);
		mark = &m->items[m->count++];
	}
	*mark = (struct phi_onnx_marked){ .name = name, .axis = -1, .like = PHI_NONE, .input = PHI_NONE, .weight = PHI_NONE };
	return mark;
}

static void
set_computed(struct making *k, struct phi_onnx_marked *mark, struct range range)
{
	const struct phi_scaling how = { .type = k->m->computed, .rule = PHI_SCALING_AFFINE,
		.width = phi_onnx_least_width(k->m->options) };
	phi_scaling_of(&how, range.low, range.high, &mark->scale, &mark->zero);
	k->marks->ncomputed++;
}

/* A value among what is computed; a constant is quantized in the same way, unless it is captured. */
static void
mark_value(struct making *k, const char *name)
{
	const struct phi_tensor *const constant = k->m->constant(k->m->ctx, name);
	struct range range;
	if (!*name || marked(k, name) || (constant && find(k->captured, name) != PHI_NONE) ||
		(!constant && !range_of(k, name, &range)))
		return;
	struct phi_onnx_marked *const mark = add(k, name);
	if (!mark)
		return;
	mark->type = k->m->computed;
	mark->rule = PHI_SCALING_AFFINE;
	mark->kind = constant ? PHI_ONNX_MARK_WEIGHT : PHI_ONNX_MARK_COMPUTED;
	if (!constant)
		set_computed(k, mark, range);
}

/* A constant that something is multiplied with; channels along `axis`. */
static void
mark_weight(struct making *k, const char *name, unsigned axis)
{
	const struct phi_tensor *const constant = k->m->constant(k->m->ctx, name);
	const bool channels = k->m->options->per_channel && constant && axis < constant->rank;
	if (!constant) {
		mark_value(k, name);
		return;
	}
	if (find(k->captured, name) != PHI_NONE || (marked(k, name) && !channels))
		return;
	struct phi_onnx_marked *const mark = add(k, name);
	if (!mark)
		return;
	mark->kind = PHI_ONNX_MARK_WEIGHT;
	mark->type = phi_type_of(PHI_I8);
	mark->rule = PHI_SCALING_SYMMETRIC;
	mark->axis = channels ? (int)axis : -1;
}

static void
mark_like(struct making *k, const char *name, const char *like)
{
	const uint32_t i = find(k->marks->names, like);
	struct phi_onnx_marked *const mark = i != PHI_NONE && *name ? add(k, name) : NULL;
	if (mark) {
		mark->like = i;
		mark->type = k->m->computed;
	}
}

/* A bias that one node takes, and whose scale can be said. */
static void
mark_bias(struct making *k, const PhiOnnx__Node *node)
{
	const char *const name = phi_onnx_input(node, 2);
	const struct phi_tensor *const t = name ? k->m->constant(k->m->ctx, name) : NULL;
	const struct phi_onnx_marked *const w = marked(k, node->input[1]), *const x = marked(k, node->input[0]);
	const PhiOnnx__Attribute *const beta = phi_onnx_attribute(node, "beta");
	if (!t || !w || !x || w->kind != PHI_ONNX_MARK_WEIGHT || x->kind != PHI_ONNX_MARK_COMPUTED || marked(k, name) ||
		find(k->captured, name) != PHI_NONE || uses_of(k, name) != 1 || (beta && beta->has_f && beta->f != 1) ||
		(w->axis >= 0 && t->rank != 1))
		return;
	const uint32_t input = (uint32_t)(x - k->marks->items), weight = (uint32_t)(w - k->marks->items);
	const int axis = w->axis < 0 ? -1 : 0;
	struct phi_onnx_marked *const mark = add(k, name);
	if (!mark)
		return;
	*mark = (struct phi_onnx_marked){ .name = name, .kind = PHI_ONNX_MARK_BIAS, .type = phi_type_of(PHI_I32),
		.rule = PHI_SCALING_BIAS, .axis = axis, .like = PHI_NONE, .input = input, .weight = weight };
}

/* The axis of the channels that a weight makes. */
static unsigned
channels_of(const PhiOnnx__Node *node)
{
	if (phi_onnx_is(node, "", "Gemm"))
		return phi_onnx_attribute_int(node, "transB", 0) ? 0 : 1;
	return phi_onnx_is(node, "", "Conv") ? 0 : 1;
}

static void
mark_biased(struct making *k, const PhiOnnx__Node *node)
{
	if (node->n_input < 2)
		return;
	mark_value(k, node->input[0]);
	for (size_t i = 0; i < node->n_output; i++)
		mark_value(k, node->output[i]);
	mark_weight(k, node->input[1], channels_of(node));
	mark_bias(k, node);
}

/* A Relu or Clip whose input has a range: what it cuts off is beyond the codes of its output. */
static void
mark_activation(struct making *k, const PhiOnnx__Node *node, uint32_t number)
{
	const char *const in = node->input[0], *const out = node->output[0];
	struct phi_onnx_marked *const mark = marked(k, in);
	struct range range;
	if (!mark)
		return;
	if (mark->kind == PHI_ONNX_MARK_COMPUTED && uses_of(k, in) == 1 && find(k->inputs, in) == PHI_NONE &&
		find(k->captured, in) == PHI_NONE && range_of(k, out, &range) && range_of(k, in, &range)) {
		mark->gone = true;
		name_it(k, k->marks->gone, in, number);
	}
	mark_value(k, out);
}

/* Is what is padded with a value there is a code for? */
static bool
is_like_input(const struct making *k, const PhiOnnx__Node *node)
{
	const PhiOnnx__Attribute *const mode = phi_onnx_attribute(node, "mode");
	const PhiOnnx__Attribute *const value = phi_onnx_attribute(node, "value");
	const bool constant = !mode || !mode->has_s || (mode->s.len == 8 && !memcmp(mode->s.data, "constant", 8));
	if (!constant)
		return true;
	return k->opset < 11 ? !value || value->f == 0 : !phi_onnx_input(node, 2);
}

static void
mark_values(struct making *k, char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mark_value(k, names[i]);
}

static enum handling
handling_of(const struct making *k, const PhiOnnx__Node *node)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (phi_onnx_is(node, "", table[i].op))
			return k->opset < table[i].since ? OTHER : table[i].handling;
	return k->m->options->device == PHI_DEVICE_QNN && !phi_onnx_is(node, "", "Cast") ? ALL : OTHER;
}

static void
mark_node(struct making *k, const PhiOnnx__Node *node, uint32_t number)
{
	char *const *const in = node->input, *const *const out = node->output;
	const enum handling handling = node->n_input && node->n_output ? handling_of(k, node) : OTHER;
	switch (handling) {
	case OTHER:
		break;
	case ALL:
		mark_values(k, in, node->n_input);
		mark_values(k, out, node->n_output);
		break;
	case PRODUCT:
		for (size_t i = 0; i < node->n_input; i++)
			mark_weight(k, in[i], 1);
		mark_values(k, out, node->n_output);
		break;
	case BIASED:
	case NORM:
		mark_biased(k, node);
		break;
	case ACTIVATION:
		mark_activation(k, node, number);
		break;
	case TABLE:
		if (k->m->constant(k->m->ctx, in[0]))
			mark_value(k, in[0]);
		if (marked(k, in[0]))
			mark_like(k, out[0], in[0]);
		break;
	case SAME:
		if (marked(k, in[0]))
			mark_like(k, out[0], in[0]);
		break;
	case PARTS:
		mark_value(k, in[0]);
		for (size_t i = 0; i < node->n_output && marked(k, in[0]); i++)
			mark_like(k, out[i], in[0]);
		break;
	case PADDED:
		mark_values(k, in, node->n_input);
		if (marked(k, in[0]) && is_like_input(k, node))
			mark_like(k, out[0], in[0]);
		else
			mark_value(k, out[0]);
		break;
	case CHOICE:
		if (node->n_input > 2 && marked(k, in[1]) && marked(k, in[2]))
			mark_value(k, out[0]);
		break;
	}
}

/* QNN wants these scales of 16 bits. */
static void
fix_scale(struct making *k, const PhiOnnx__Node *node)
{
	const bool sigmoid = phi_onnx_is(node, "", "Sigmoid");
	struct phi_onnx_marked *const mark = (sigmoid || phi_onnx_is(node, "", "Tanh")) && node->n_output
		? marked(k, node->output[0]) : NULL;
	if (!mark || mark->like != PHI_NONE || k->m->computed->id != PHI_U16)
		return;
	mark->scale = sigmoid ? 1.0f / 65536 : 1.0f / 32768;
	mark->zero = sigmoid ? 0 : 32768;
}

static int
make(struct making *k)
{
	const PhiOnnx__Graph *const g = k->m->model->graph;
	struct phi_onnx_marks *const m = k->marks;
	m->names = phi_names_new(k->err);
	m->gone = m->names ? phi_names_new(k->err) : NULL;
	k->uses = m->gone ? phi_names_new(k->err) : NULL;
	k->captured = k->uses ? phi_names_new(k->err) : NULL;
	k->adjusted = k->captured ? phi_names_new(k->err) : NULL;
	k->inputs = k->adjusted ? phi_names_new(k->err) : NULL;
	if (!k->inputs)
		return -1;
	for (size_t i = 0; i < g->n_input; i++)
		name_it(k, k->inputs, g->input[i]->name, 0);
	for (size_t i = 0; i < g->n_output; i++)
		name_it(k, k->captured, g->output[i]->name, 0);
	for (size_t i = 0; i < g->n_node; i++) {
		for (size_t j = 0; j < g->node[i]->n_input; j++)
			count_use(k, g->node[i]->input[j]);
		capture(k, g->node[i]);
	}
	for (size_t i = 0; i < g->n_node && !k->failed; i++)
		adjust(k, g->node[i]);
	for (size_t i = 0; i < g->n_node && !k->failed; i++)
		mark_node(k, g->node[i], (uint32_t)i);
	for (size_t i = 0; i < g->n_node && k->m->options->device == PHI_DEVICE_QNN; i++)
		fix_scale(k, g->node[i]);
	return k->failed ? -1 : 0;
}

int
phi_onnx_marks_make(struct phi_onnx_marks *marks, const struct phi_onnx_marking *marking, struct phi_err *err)
{
	struct making k = { .marks = marks, .m = marking, .opset = phi_onnx_opset(marking->model), .err = err };
	*marks = (struct phi_onnx_marks){ .count = 0 };
	const int result = make(&k);
	phi_names_free(k.uses);
	phi_names_free(k.captured);
	phi_names_free(k.adjusted);
	phi_names_free(k.inputs);
	phi_free(k.counts);
	phi_free(k.ranges);
	return result;
}

void
phi_onnx_marks_free(struct phi_onnx_marks *marks)
{
	phi_names_free(marks->names);
	phi_names_free(marks->gone);
	phi_free(marks->items);
}

const struct phi_onnx_marked *
phi_onnx_mark_of(const struct phi_onnx_marks *marks, const char *value)
{
	const uint32_t i = value ? find(marks->names, value) : PHI_NONE;
	return i == PHI_NONE || marks->items[i].gone ? NULL : &marks->items[i];
}

const struct phi_onnx_marked *
phi_onnx_mark_root(const struct phi_onnx_marks *marks, const struct phi_onnx_marked *mark)
{
	for (size_t steps = 0; mark && mark->like != PHI_NONE && steps <= marks->count; steps++)
		mark = &marks->items[mark->like];
	return mark && mark->like == PHI_NONE && !mark->gone ? mark : NULL;
}
