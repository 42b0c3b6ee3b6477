/* --check: what ONNX's checker or ONNX Runtime would refuse in a graph that could be read. The rules are in
 * phi-inspect(1).
 *
 * Values are looked up in the graph and in those around it. A graph whose nodes are not in order may be one that
 * can be put in order, which ONNX Runtime does, or have a cycle: nodes are taken out as soon as all they wait for
 * is there; those that are left wait for each other. */
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/onnx/read.h"

#include <inttypes.h>
#include <string.h>

enum { IR_MAX = 14, OPSET_MAX = 28 }; /* of ONNX 1.23 and ONNX Runtime 1.32 */

struct check {
	const struct phi_onnx *onnx;
	const struct phi_findings *findings;
	const char *file;
};

/* One graph, or a function's nodes, and what it is in. */
struct scope {
	const struct scope *around;
	const struct check *check;
	PhiOnnx__Node *const *nodes;
	size_t n;
	struct phi_names *values; /* name -> the node that makes it, or PHI_NONE - 1: it is there from the start */
	const char *what;
};
enum { GIVEN = UINT32_MAX - 1 };

static int
emit(const struct check *c, enum phi_severity severity, const char *rule, struct phi_err *err, const char *what,
	const char *name)
{
	struct phi_quoted q;
	return phi_finding_emit(c->findings, severity, rule, c->file, NULL, UINT64_MAX, err, "%s %s", what,
		phi_quote(&q, name));
}

static uint32_t
find(const struct scope *s, const char *name)
{
	for (; s; s = s->around) {
		const uint32_t i = phi_names_find(s->values, name, strlen(name));
		if (i != PHI_NONE)
			return i;
	}
	return PHI_NONE;
}

static int
define(struct scope *s, const char *name, uint32_t by, struct phi_err *err)
{
	if (!name || !*name)
		return 0;
	const int there = phi_names_add(s->values, name, strlen(name), by, err);
	return there <= 0 ? there : emit(s->check, PHI_FINDING_INVALID, "onnx.twice", err, "more than one makes the value", name);
}

static const char *
label(const PhiOnnx__Node *node)
{
	if (node->name && *node->name)
		return node->name;
	return node->n_output && *node->output[0] ? node->output[0] : node->op_type ? node->op_type : "?";
}

static int check_graph(const struct check *c, const PhiOnnx__Graph *g, const struct scope *around, struct phi_err *err);

/* Graphs in graphs: no deeper than the scanner lets messages be. */
static int
check_node(struct scope *s, const PhiOnnx__Node *node, struct phi_err *err)
{
	if ((!node->op_type || !*node->op_type) &&
		emit(s->check, PHI_FINDING_INVALID, "onnx.operator", err, "no operator is named by node", label(node)) < 0)
		return -1;
	for (size_t k = 0; k < node->n_input; k++)
		if (*node->input[k] && find(s, node->input[k]) == PHI_NONE &&
			emit(s->check, PHI_FINDING_INVALID, "onnx.dangling", err, "nothing makes the value", node->input[k]) < 0)
			return -1;
	for (size_t k = 0; k < node->n_attribute; k++) {
		const PhiOnnx__Attribute *const a = node->attribute[k];
		if (a->g && check_graph(s->check, a->g, s, err) < 0)
			return -1;
		for (size_t i = 0; i < a->n_graphs; i++)
			if (check_graph(s->check, a->graphs[i], s, err) < 0)
				return -1;
	}
	return 0;
}

/* The order of the nodes. `waits` has how many values of its own graph each node waits for; `list` is a queue. Edges
 * are found by going through all inputs once more: first[] and next[] chain them by who makes the value. */
struct order {
	uint32_t *waits, *list, *first, *next, *taker;
	size_t edges;
};

static size_t
count_inputs(const struct scope *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		n += s->nodes[i]->n_input;
	return n;
}

static bool
connect(const struct scope *s, struct order *o)
{
	bool in_order = true;
	for (uint32_t i = 0; i < s->n; i++)
		o->first[i] = PHI_NONE;
	for (uint32_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->nodes[i]->n_input; k++) {
			const char *const name = s->nodes[i]->input[k];
			const uint32_t by = phi_names_find(s->values, name, strlen(name));
			if (by == PHI_NONE || by == GIVEN)
				continue;
			in_order = in_order && by < i;
			o->waits[i]++;
			o->taker[o->edges] = i;
			o->next[o->edges] = o->first[by];
			o->first[by] = (uint32_t)o->edges++;
		}
	return in_order;
}

static size_t
take_out(const struct scope *s, struct order *o)
{
	size_t n = 0, done = 0;
	for (uint32_t i = 0; i < s->n; i++)
		if (!o->waits[i])
			o->list[n++] = i;
	while (done < n)
		for (uint32_t e = o->first[o->list[done++]]; e != PHI_NONE; e = o->next[e])
			if (!--o->waits[o->taker[e]])
				o->list[n++] = o->taker[e];
	return n;
}

static int
judge_order(const struct scope *s, struct order *o, struct phi_err *err)
{
	if (connect(s, o))
		return 0;
	if (take_out(s, o) == s->n)
		return emit(s->check, PHI_FINDING_INFO, "onnx.order", err, "nodes come before what they need in", s->what);
	uint32_t i = 0;
	while (!o->waits[i])
		i++;
	return emit(s->check, PHI_FINDING_INVALID, "onnx.cycle", err, "a cycle: what it needs depends on node",
		label(s->nodes[i]));
}

static int
check_order(const struct scope *s, struct phi_err *err)
{
	const size_t inputs = count_inputs(s);
	uint32_t *const block = phi_calloc(3 * s->n + 2 * inputs + 1, sizeof *block, err);
	if (!block)
		return -1;
	struct order o = { .waits = block, .list = block + s->n, .first = block + 2 * s->n,
		.next = block + 3 * s->n, .taker = block + 3 * s->n + inputs };
	const int result = judge_order(s, &o, err);
	phi_free(block);
	return result;
}

static int
check_nodes(struct scope *s, struct phi_err *err)
{
	for (uint32_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->nodes[i]->n_output; k++)
			if (define(s, s->nodes[i]->output[k], i, err) < 0)
				return -1;
	for (size_t i = 0; i < s->n; i++)
		if (check_node(s, s->nodes[i], err) < 0)
			return -1;
	return check_order(s, err);
}

static bool
same_shape(const PhiOnnx__Tensor *t, const PhiOnnx__TensorType *declared)
{
	if (declared->has_elem_type && declared->elem_type != t->data_type)
		return false;
	if (!declared->shape)
		return true;
	if (declared->shape->n_dim != t->n_dims)
		return false;
	for (size_t d = 0; d < t->n_dims; d++)
		if (declared->shape->dim[d]->has_dim_value && declared->shape->dim[d]->dim_value != t->dims[d])
			return false;
	return true;
}

/* Initializers may be inputs, too, and must be in IR 3. */
static int
check_initializers(struct scope *s, const PhiOnnx__Graph *g, struct phi_err *err)
{
	const PhiOnnx__Model *const m = s->check->onnx->graph.model;
	for (size_t i = 0; i < g->n_initializer; i++) {
		const char *const name = g->initializer[i]->name;
		if (!name)
			continue;
		const int there = phi_names_add(s->values, name, strlen(name), GIVEN, err);
		if (there < 0 || (!there && m->has_ir_version && m->ir_version < 4 &&
					 emit(s->check, PHI_FINDING_INVALID, "onnx.input", err,
						 "no input, as a model of IR 3 needs, is initializer", name) < 0))
			return -1;
	}
	return 0;
}

static int
check_declared(const struct scope *s, const PhiOnnx__Graph *g, struct phi_names *initializers, struct phi_err *err)
{
	PhiOnnx__ValueInfo *const *const lists[] = { g->input, g->value_info };
	const size_t counts[] = { g->n_input, g->n_value_info };
	for (uint32_t i = 0; i < g->n_initializer; i++)
		if (g->initializer[i]->name && phi_names_add(initializers, g->initializer[i]->name,
						       strlen(g->initializer[i]->name), i, err) < 0)
			return -1;
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < counts[l]; i++) {
			const PhiOnnx__ValueInfo *const v = lists[l][i];
			const uint32_t t = v->name ? phi_names_find(initializers, v->name, strlen(v->name)) : PHI_NONE;
			if (t != PHI_NONE && v->type && v->type->tensor_type &&
				!same_shape(g->initializer[t], v->type->tensor_type) &&
				emit(s->check, PHI_FINDING_INVALID, "onnx.shape", err,
					"declared with another type or shape than it has is initializer", v->name) < 0)
				return -1;
		}
	return 0;
}

static int
check_scope(struct scope *s, const PhiOnnx__Graph *g, struct phi_err *err)
{
	for (size_t i = 0; i < g->n_input; i++)
		if (define(s, g->input[i]->name, GIVEN, err) < 0)
			return -1;
	for (size_t i = 0; i < g->n_sparse_initializer; i++)
		if (g->sparse_initializer[i]->values &&
			define(s, g->sparse_initializer[i]->values->name, GIVEN, err) < 0)
			return -1;
	struct phi_names *const initializers = phi_names_new(err);
	int result = initializers ? check_declared(s, g, initializers, err) : -1;
	phi_names_free(initializers);
	if (result || check_initializers(s, g, err) < 0 || check_nodes(s, err) < 0)
		return -1;
	for (size_t i = 0; i < g->n_output; i++)
		if (g->output[i]->name && find(s, g->output[i]->name) == PHI_NONE &&
			emit(s->check, PHI_FINDING_INVALID, "onnx.output", err, "nothing makes the output",
				g->output[i]->name) < 0)
			return -1;
	return 0;
}

static int
check_graph(const struct check *c, const PhiOnnx__Graph *g, const struct scope *around, struct phi_err *err)
{
	struct scope s = { .around = around, .check = c, .nodes = g->node, .n = g->n_node,
		.values = phi_names_new(err), .what = around ? "a graph within a node" : "the graph" };
	const int result = s.values ? check_scope(&s, g, err) : -1;
	phi_names_free(s.values);
	return result;
}

static int
check_function(const struct check *c, const PhiOnnx__Function *f, struct phi_err *err)
{
	struct scope s = { .check = c, .nodes = f->node, .n = f->n_node, .values = phi_names_new(err),
		.what = f->name ? f->name : "a function" };
	int result = s.values ? 0 : -1;
	for (size_t i = 0; !result && i < f->n_input; i++)
		result = define(&s, f->input[i], GIVEN, err);
	if (!result)
		result = check_nodes(&s, err);
	for (size_t i = 0; !result && i < f->n_output; i++)
		if (find(&s, f->output[i]) == PHI_NONE)
			result = emit(c, PHI_FINDING_INVALID, "onnx.output", err, "nothing makes the output", f->output[i]);
	phi_names_free(s.values);
	return result;
}

static int
check_versions(const struct check *c, const PhiOnnx__Model *m, struct phi_err *err)
{
	if ((!m->has_ir_version || m->ir_version < 1 || m->ir_version > IR_MAX) &&
		phi_finding_emit(c->findings, PHI_FINDING_INVALID, "onnx.version", c->file, NULL, UINT64_MAX, err,
			"IR version %" PRId64 "; 1 to %d are known", m->ir_version, IR_MAX) < 0)
		return -1;
	if (!m->n_opset_import &&
		phi_finding_emit(c->findings, PHI_FINDING_INVALID, "onnx.opset", c->file, NULL, UINT64_MAX, err,
			"no operator set is imported") < 0)
		return -1;
	for (size_t i = 0; i < m->n_opset_import; i++) {
		const PhiOnnx__Opset *const o = m->opset_import[i];
		const bool own = !o->domain || !*o->domain || !strcmp(o->domain, "ai.onnx");
		if (own && (o->version < 1 || o->version > OPSET_MAX) &&
			phi_finding_emit(c->findings, PHI_FINDING_INVALID, "onnx.opset", c->file, NULL, UINT64_MAX, err,
				"operator set %" PRId64 "; 1 to %d are known", o->version, OPSET_MAX) < 0)
			return -1;
	}
	return 0;
}

int
phi_onnx_check(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	const struct phi_onnx *const onnx = source->state;
	const struct check c = { .onnx = onnx, .findings = findings, .file = phi_member_name(onnx->member) };
	const PhiOnnx__Model *const m = onnx->graph.model;
	if (check_versions(&c, m, err) < 0 || check_graph(&c, m->graph, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_functions; i++)
		if (check_function(&c, m->functions[i], err) < 0)
			return -1;
	return 0;
}
