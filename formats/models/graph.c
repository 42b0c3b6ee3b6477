#include "formats/models/graph.h"

#include "formats/core/memory.h"

#include <string.h>

uint32_t
phi_graph_add(struct phi_graph *graph, const struct phi_op *op, struct phi_err *err)
{
	if (phi_grow(&graph->ops, &graph->capacity, graph->nops, sizeof *graph->ops, err) < 0)
		return PHI_NONE;
	graph->ops[graph->nops] = *op;
	return (uint32_t)graph->nops++;
}

static int
make(struct phi_graph *g, const struct phi_graph_kind *kind, struct phi_err *err)
{
	const struct phi_hparams *const h = g->hparams;
	const struct phi_graph_weight embedding = { .name = "model.embed_tokens.weight", .role = PHI_ROLE_EMBEDDING };
	const struct phi_graph_weight head = { .name = "lm_head.weight", .role = PHI_ROLE_OUTPUT };
	uint32_t x = phi_graph_add(g, &(struct phi_op){ .kind = PHI_OP_EMBED, .layer = -1,
		.name = "model.embed_tokens", .in = { PHI_NONE, PHI_NONE, PHI_NONE }, .weight = embedding }, err);
	for (uint32_t i = 0; x != PHI_NONE && i < h->layers; i++)
		if (kind->layer(g, (int)i, &x, err))
			return -1;
	const char *const weight = phi_arena_printf(g->arena, err, "%s.weight", kind->norm);
	const char *const bias = weight ? phi_arena_printf(g->arena, err, "%s.bias", kind->norm) : NULL;
	if (x == PHI_NONE || !bias)
		return -1;
	x = phi_graph_add(g, &(struct phi_op){ .kind = PHI_OP_NORM, .layer = -1, .name = kind->norm,
		.in = { x, PHI_NONE, PHI_NONE }, .weight = { .name = weight, .role = PHI_ROLE_OUTPUT_NORM },
		.bias = { .name = kind->norm_bias ? bias : NULL } }, err);
	if (x == PHI_NONE)
		return -1;
	x = phi_graph_add(g, &(struct phi_op){ .kind = PHI_OP_LINEAR, .layer = -1, .name = "lm_head",
		.in = { x, PHI_NONE, PHI_NONE }, .weight = h->tied ? embedding : head,
		.bias = { .name = h->head_bias || kind->head_bias ? "lm_head.bias" : NULL } }, err);
	return x == PHI_NONE ? -1 : 0;
}

int
phi_graph_make(const struct phi_family *family, const struct phi_hparams *hparams, bool apart,
	struct phi_arena *arena, struct phi_graph *out, struct phi_err *err)
{
	*out = (struct phi_graph){ .arena = arena, .hparams = hparams, .apart = apart };
	if (!family->graph)
		return phi_fail(err, PHI_UNSUPPORTED, "the decoder of family %s is not known", family->name);
	if (make(out, family->graph, err) == 0)
		return 0;
	phi_graph_free(out);
	return -1;
}

void
phi_graph_free(struct phi_graph *graph)
{
	phi_free(graph->ops);
	graph->ops = NULL;
	graph->nops = graph->capacity = 0;
}

unsigned
phi_graph_uses(const struct phi_graph *graph, uint32_t op)
{
	unsigned n = 0;
	for (size_t i = op + 1; i < graph->nops; i++)
		for (int k = 0; k < 3; k++)
			n += graph->ops[i].in[k] == op;
	return n;
}
