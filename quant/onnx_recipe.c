#include "quant/onnx_recipe.h"

#include "formats/core/escape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { GROUP = 32 }; /* where none is asked for */

static const struct entry {
	const char *name;
	unsigned bits, head, layers;
} table[] = {
#define RECIPE(name, bits, head, layers, summary) { name, bits, (head) ? (head) : (bits), (layers) ? (layers) : (bits) },
#include "quant/onnx_recipes.def"
#undef RECIPE
	/* Lowering did these: all floats are of one type. */
	{ "f32", 0, 0, 0 },
	{ "f16", 0, 0, 0 },
	{ "bf16", 0, 0, 0 },
};
enum { NENTRIES = sizeof table / sizeof *table };

const struct phi_recipe_info phi_recipes_onnx[] = {
#define RECIPE(name, bits, head, layers, summary) { name, summary },
#include "quant/onnx_recipes.def"
#undef RECIPE
	{ NULL, NULL },
};

static int
refuse(const char *name, struct phi_err *err)
{
	struct phi_quoted q;
	char list[256];
	size_t at = 0;
	for (size_t i = 0; i < NENTRIES && at < sizeof list; i++)
		at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", table[i].name);
	return phi_fail(err, PHI_ARGUMENT, "no recipe for ONNX is called %s; there are %s", phi_quote(&q, name), list);
}

/* k_quant has zero points whatever is said. */
static bool
has_zeros(const struct phi_graph_options *graph)
{
	return graph && (graph->symmetry == PHI_SYMMETRY_NO || graph->algorithm == PHI_ALGORITHM_K_QUANT);
}

static int
count_layers(const struct phi_model *m)
{
	int layers = 0;
	for (size_t i = 0; i < m->ntensors; i++)
		layers = m->tensors[i].layer >= layers ? m->tensors[i].layer + 1 : layers;
	return layers;
}

int
phi_onnx_recipe_find(const struct phi_recipe_options *o, const struct phi_model *lowered,
	struct phi_onnx_recipe *recipe, struct phi_err *err)
{
	const struct phi_graph_options *const graph = o->graph;
	size_t i = 0;
	while (i < NENTRIES && strcasecmp(table[i].name, o->recipe))
		i++;
	if (i == NENTRIES)
		return refuse(o->recipe, err);
	*recipe = (struct phi_onnx_recipe){ .name = table[i].name, .bits = table[i].bits, .zeros = has_zeros(graph),
		.head_bits = table[i].head, .layer_bits = table[i].layers, .layers = count_layers(lowered),
		.group = graph && graph->group ? graph->group : GROUP };
	if (recipe->bits && !phi_type_onnx(recipe->bits, recipe->group, PHI_F32, recipe->zeros))
		return phi_fail(err, PHI_UNSUPPORTED, "blocks have 16, 32, 64, 128 or 256 weights, not %u", recipe->group);
	return 0;
}

/* Does a layer count among those that matter most: the first and the last eighth, and of the others each third? */
static bool
matters(int layer, int layers)
{
	const int first = (int)nearbyint(layers / 8.0), from = layer - first;
	return 8 * layer < layers || 8 * layer >= 7 * layers || (from % 3 + 3) % 3 == 2;
}

static unsigned
bits_of(const struct phi_onnx_recipe *r, const struct phi_tensor *t)
{
	switch (t->role) {
	case PHI_ROLE_OUTPUT:
	case PHI_ROLE_EMBEDDING:
		return r->head_bits;
	case PHI_ROLE_ATTN_QKV:
	case PHI_ROLE_ATTN_V:
	case PHI_ROLE_FFN_DOWN:
		return matters(t->layer, r->layers) ? r->layer_bits : r->bits;
	default:
		return r->bits;
	}
}

const struct phi_type *
phi_onnx_recipe_pick(const struct phi_onnx_recipe *recipe, const struct phi_tensor *t, bool tied, const char **why)
{
	*why = NULL;
	if (t->scaling)
		return t->scaling->type;
	if (!recipe->bits || t->rank != 2)
		return NULL;
	if (t->role == PHI_ROLE_EMBEDDING && !tied) {
		*why = "embedding: kept";
		return NULL;
	}
	const unsigned bits = bits_of(recipe, t);
	if (bits != recipe->bits)
		*why = t->layer < 0 ? "the head" : "a layer that matters";
	return phi_type_onnx(bits, recipe->group, t->type->id == PHI_F16 ? PHI_F16 : PHI_F32, recipe->zeros);
}
