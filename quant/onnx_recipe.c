#include "quant/onnx_recipe.h"

#include "formats/core/escape.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { GROUP = 32 }; /* where none is asked for */

static const struct entry {
	const char *name;
	unsigned bits;
} table[] = {
#define RECIPE(name, bits, summary) { name, bits },
#include "quant/onnx_recipes.def"
#undef RECIPE
	/* Lowering did these: all floats are of one type. */
	{ "f32", 0 },
	{ "f16", 0 },
	{ "bf16", 0 },
};
enum { NENTRIES = sizeof table / sizeof *table };

const struct phi_recipe_info phi_recipes_onnx[] = {
#define RECIPE(name, bits, summary) { name, summary },
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

int
phi_onnx_recipe_find(const struct phi_recipe_options *o, struct phi_onnx_recipe *recipe, struct phi_err *err)
{
	const struct phi_graph_options *const graph = o->graph;
	size_t i = 0;
	while (i < NENTRIES && strcasecmp(table[i].name, o->recipe))
		i++;
	if (i == NENTRIES)
		return refuse(o->recipe, err);
	*recipe = (struct phi_onnx_recipe){ .name = table[i].name, .bits = table[i].bits, .zeros = has_zeros(graph),
		.group = graph && graph->group ? graph->group : GROUP };
	if (recipe->bits && !phi_type_onnx(recipe->bits, recipe->group, PHI_F32, recipe->zeros))
		return phi_fail(err, PHI_UNSUPPORTED, "blocks have 16, 32, 64, 128 or 256 weights, not %u", recipe->group);
	return 0;
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
	return phi_type_onnx(recipe->bits, recipe->group, t->type->id == PHI_F16 ? PHI_F16 : PHI_F32, recipe->zeros);
}
