#include "formats/onnx/graph.h"

#include "formats/core/memory.h"
#include "formats/onnx/scan.h"

#include <inttypes.h>
#include <string.h>

/* protobuf-c's memory is ours, and out of it is no fault of the file. */

static void *
allocate(void *failed, size_t n)
{
	void *const p = phi_alloc(n, NULL);
	if (!p)
		*(bool *)failed = true;
	return p;
}

static void
release(void *failed, void *p)
{
	(void)failed;
	phi_free(p);
}

static int
unpack(struct phi_onnx_graph *g, struct phi_err *err)
{
	bool failed = false;
	ProtobufCAllocator allocator = { allocate, release, &failed };
	ProtobufCMessage *const m =
		protobuf_c_message_unpack(&phi_onnx__model__descriptor, &allocator, g->size, g->bytes);
	g->model = (PhiOnnx__Model *)m;
	if (m)
		return 0;
	return failed ? phi_fail(err, PHI_MEMORY, "out of memory")
		      : phi_fail(err, PHI_FORMAT, "no message that protobuf takes for a model");
}

/* Names */

struct naming {
	struct phi_onnx_graph *graph;
	struct phi_arena *arena;
	size_t seen; /* weights that were reached */
};

static int
name_tensor(struct naming *n, PhiOnnx__Tensor *t, const PhiOnnx__Graph *in, const char *prefix,
	const char *name, const char *suffix, struct phi_err *err)
{
	if (!t || !t->has_weight)
		return 0;
	if (t->weight >= n->graph->count || n->graph->weights[t->weight].tensor)
		return phi_fail(err, PHI_FORMAT, "weight %" PRIu64 " of the graph is none, or is there twice",
			t->weight);
	if (!name || !*name)
		return phi_fail(err, PHI_FORMAT, "an initializer without a name");
	struct phi_onnx_weight *const w = &n->graph->weights[t->weight];
	w->tensor = t;
	w->graph = in;
	w->name = phi_arena_printf(n->arena, err, "%s%s%s", prefix, name, suffix);
	n->seen++;
	return w->name ? 0 : -1;
}

static int name_graph(struct naming *n, const PhiOnnx__Graph *g, const char *prefix, struct phi_err *err);

static const char *
node_name(const PhiOnnx__Node *node)
{
	for (size_t i = 0; i < node->n_output; i++)
		if (*node->output[i])
			return node->name && *node->name ? node->name : node->output[i];
	return node->name && *node->name ? node->name : "node";
}

static int
name_subgraph(struct naming *n, const PhiOnnx__Node *node, const PhiOnnx__Attribute *a, const PhiOnnx__Graph *g,
	size_t index, const char *prefix, struct phi_err *err)
{
	if (!g)
		return 0;
	const char *const attribute = a->name ? a->name : "";
	const char *const inner = a->g == g
		? phi_arena_printf(n->arena, err, "%s%s.%s/", prefix, node_name(node), attribute)
		: phi_arena_printf(n->arena, err, "%s%s.%s%zu/", prefix, node_name(node), attribute, index);
	return inner ? name_graph(n, g, inner, err) : -1;
}

static int
name_node(struct naming *n, const PhiOnnx__Node *node, const char *prefix, struct phi_err *err)
{
	for (size_t i = 0; i < node->n_attribute; i++) {
		const PhiOnnx__Attribute *const a = node->attribute[i];
		const bool constant = phi_onnx_is(node, "", "Constant") && node->n_output == 1;
		const char *const suffix = constant ? ""
			: phi_arena_printf(n->arena, err, ".%s", a->name ? a->name : "");
		if (!suffix || name_tensor(n, a->t, NULL, prefix, constant ? node->output[0] : node_name(node),
				       suffix, err) < 0 ||
			name_subgraph(n, node, a, a->g, 0, prefix, err) < 0)
			return -1;
		for (size_t k = 0; k < a->n_graphs; k++)
			if (name_subgraph(n, node, a, a->graphs[k], k, prefix, err) < 0)
				return -1;
	}
	return 0;
}

static int
name_sparse(struct naming *n, const PhiOnnx__Graph *g, const char *prefix, struct phi_err *err)
{
	for (size_t i = 0; i < g->n_sparse_initializer; i++) {
		const PhiOnnx__SparseTensor *const s = g->sparse_initializer[i];
		const char *const name = s->values ? s->values->name : NULL;
		if (name_tensor(n, s->values, g, prefix, name, ".values", err) < 0 ||
			name_tensor(n, s->indices, g, prefix, name, ".indices", err) < 0)
			return -1;
	}
	return 0;
}

/* Graphs in graphs: no deeper than the scanner lets messages be. */
static int
name_graph(struct naming *n, const PhiOnnx__Graph *g, const char *prefix, struct phi_err *err)
{
	for (size_t i = 0; i < g->n_initializer; i++)
		if (name_tensor(n, g->initializer[i], g, prefix, g->initializer[i]->name, "", err) < 0)
			return -1;
	if (name_sparse(n, g, prefix, err) < 0)
		return -1;
	for (size_t i = 0; i < g->n_node; i++)
		if (name_node(n, g->node[i], prefix, err) < 0)
			return -1;
	return 0;
}

static int
name_function(struct naming *n, const PhiOnnx__Function *f, struct phi_err *err)
{
	const char *const prefix = phi_arena_printf(n->arena, err, "%s%s%s/", f->domain ? f->domain : "",
		f->domain && *f->domain ? ":" : "", f->name ? f->name : "");
	for (size_t i = 0; prefix && i < f->n_node; i++)
		if (name_node(n, f->node[i], prefix, err) < 0)
			return -1;
	return prefix ? 0 : -1;
}

static int
name_all(struct phi_onnx_graph *g, struct phi_arena *arena, struct phi_err *err)
{
	struct naming n = { .graph = g, .arena = arena };
	g->weights = phi_arena_calloc(arena, g->count + 1, sizeof *g->weights, err);
	if (!g->weights)
		return -1;
	if (g->model->graph && name_graph(&n, g->model->graph, "", err) < 0)
		return -1;
	for (size_t i = 0; i < g->model->n_functions; i++)
		if (name_function(&n, g->model->functions[i], err) < 0)
			return -1;
	return n.seen == g->count ? 0 : phi_fail(err, PHI_FORMAT, "the graph names %zu of its %zu weights",
						n.seen, g->count);
}

static int
count_weight(void *ctx, const struct phi_onnx_found *found, struct phi_onnx_change *change, struct phi_err *err)
{
	size_t *const count = ctx;
	(void)change;
	(void)err;
	*count += found->marked;
	return 0;
}

int
phi_onnx_graph_open(struct phi_onnx_graph *g, const void *bytes, size_t size, struct phi_arena *arena,
	struct phi_err *err)
{
	struct phi_onnx_edits edits = { 0 };
	struct phi_wire_file *const file = phi_calloc(1, sizeof *file, err);
	*g = (struct phi_onnx_graph){ .bytes = bytes, .size = size };
	if (!file)
		return -1;
	phi_wire_file_lend(file, bytes, size);
	int result = phi_onnx_scan(file, count_weight, &g->count, &edits, err);
	phi_onnx_edits_free(&edits);
	phi_free(file);
	if (!result && g->count > PHI_TENSORS_MAX)
		result = phi_fail(err, PHI_LIMIT, "%zu weights, more than %d", g->count, PHI_TENSORS_MAX);
	if (!result)
		result = unpack(g, err) < 0 || name_all(g, arena, err) < 0 ? -1 : 0;
	if (result)
		phi_onnx_graph_close(g);
	return result;
}

void
phi_onnx_graph_close(struct phi_onnx_graph *g)
{
	bool failed;
	ProtobufCAllocator allocator = { allocate, release, &failed };
	if (g->model)
		protobuf_c_message_free_unpacked(&g->model->base, &allocator);
	g->model = NULL;
}

const PhiOnnx__Attribute *
phi_onnx_attribute(const PhiOnnx__Node *node, const char *name)
{
	for (size_t i = 0; i < node->n_attribute; i++)
		if (node->attribute[i]->name && !strcmp(node->attribute[i]->name, name))
			return node->attribute[i];
	return NULL;
}

int64_t
phi_onnx_attribute_int(const PhiOnnx__Node *node, const char *name, int64_t otherwise)
{
	const PhiOnnx__Attribute *const a = phi_onnx_attribute(node, name);
	return a && a->has_i ? a->i : otherwise;
}

bool
phi_onnx_is(const PhiOnnx__Node *node, const char *domain, const char *op)
{
	const char *const d = !node->domain || !strcmp(node->domain, "ai.onnx") ? "" : node->domain;
	return node->op_type && !strcmp(node->op_type, op) && !strcmp(d, domain);
}

const char *
phi_onnx_input(const PhiOnnx__Node *node, size_t i)
{
	return i < node->n_input && *node->input[i] ? node->input[i] : NULL;
}
