/* --graph: every node, those of graphs within nodes and of functions, too. */
#include "formats/core/arena.h"
#include "formats/onnx/read.h"

static int emit_nodes(const struct phi_nodes *to, struct phi_arena *arena, PhiOnnx__Node *const *nodes, size_t n,
	const char *graph, struct phi_err *err);

static const char *
text(const char *s)
{
	return s ? s : "";
}

/* Graphs in graphs: no deeper than the scanner lets messages be. */
static int
emit_inner(const struct phi_nodes *to, struct phi_arena *arena, const PhiOnnx__Node *node, const char *graph,
	struct phi_err *err)
{
	for (size_t k = 0; k < node->n_attribute; k++) {
		const PhiOnnx__Attribute *const a = node->attribute[k];
		const char *const inner = a->g || a->n_graphs
			? phi_arena_printf(arena, err, "%s%s.%s/", graph,
				  node->n_output ? node->output[0] : text(node->name), text(a->name)) : "";
		if (!inner || (a->g && emit_nodes(to, arena, a->g->node, a->g->n_node, inner, err) < 0))
			return -1;
		for (size_t i = 0; i < a->n_graphs; i++)
			if (emit_nodes(to, arena, a->graphs[i]->node, a->graphs[i]->n_node, inner, err) < 0)
				return -1;
	}
	return 0;
}

static int
emit_nodes(const struct phi_nodes *to, struct phi_arena *arena, PhiOnnx__Node *const *nodes, size_t n,
	const char *graph, struct phi_err *err)
{
	for (size_t i = 0; i < n; i++) {
		const PhiOnnx__Node *const node = nodes[i];
		const struct phi_node_view view = { .graph = graph, .name = text(node->name), .op = text(node->op_type),
			.domain = text(node->domain), .inputs = (const char *const *)node->input,
			.ninputs = node->n_input, .outputs = (const char *const *)node->output,
			.noutputs = node->n_output };
		if (to->emit(to->ctx, &view, err) < 0 || emit_inner(to, arena, node, graph, err) < 0)
			return -1;
	}
	return 0;
}

int
phi_onnx_nodes(struct phi_source *source, const struct phi_nodes *to, struct phi_err *err)
{
	const struct phi_onnx *const onnx = source->state;
	const PhiOnnx__Model *const m = onnx->graph.model;
	struct phi_arena *const arena = phi_arena_new(err);
	int result = arena ? emit_nodes(to, arena, m->graph->node, m->graph->n_node, "", err) : -1;
	for (size_t i = 0; !result && i < m->n_functions; i++) {
		const char *const graph = phi_arena_printf(arena, err, "%s/", text(m->functions[i]->name));
		result = graph ? emit_nodes(to, arena, m->functions[i]->node, m->functions[i]->n_node, graph, err) : -1;
	}
	phi_arena_free(arena);
	return result;
}
