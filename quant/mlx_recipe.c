#include "quant/mlx_recipe.h"

#include "formats/core/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { GROUP = 64 }; /* where none is asked for */

static const struct entry {
	const char *name, *other;
	unsigned low, high;
	enum phi_type_id type;
} table[] = {
#define RECIPE(name, other, low, high, type, summary) { name, other, low, high, type },
#include "quant/mlx_recipes.def"
#undef RECIPE
	/* Lowering did these: all floats are of one type. */
	{ "f32", NULL, 0, 0, PHI_TYPES },
	{ "f16", NULL, 0, 0, PHI_TYPES },
	{ "bf16", NULL, 0, 0, PHI_TYPES },
};
enum { NENTRIES = sizeof table / sizeof *table };

const struct phi_recipe_info phi_recipes_mlx[] = {
#define RECIPE(name, other, low, high, type, summary) { name, summary },
#include "quant/mlx_recipes.def"
#undef RECIPE
	{ NULL, NULL },
};

static const struct entry *
named(const char *name)
{
	for (size_t i = 0; i < NENTRIES; i++)
		if (!strcasecmp(table[i].name, name) || (table[i].other && !strcasecmp(table[i].other, name)))
			return &table[i];
	return NULL;
}

bool
phi_recipe_needs_target(const char *name)
{
	const struct entry *const e = named(name);
	struct phi_recipe_info const *r = phi_recipes;
	while (r->name && strcasecmp(r->name, name) != 0)
		r++;
	return e && !r->name && strcasecmp(name, "mxfp4") != 0;
}

static int
refuse(const char *name, struct phi_err *err)
{
	struct phi_quoted q;
	char list[256];
	size_t at = 0;
	for (size_t i = 0; i < NENTRIES && at < sizeof list; i++)
		at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", table[i].name);
	return phi_fail(err, PHI_ARGUMENT, "no recipe for MLX is called %s; there are %s", phi_quote(&q, name), list);
}

/* Layers, and whether there is a weight called down_proj, from which mlx-lm learns where a name has its layer. */
static int
count_layers(const struct phi_model *lowered, struct phi_mlx_recipe *recipe, struct phi_err *err)
{
	bool down = false;
	for (size_t i = 0; i < lowered->ntensors; i++) {
		const struct phi_tensor *const t = &lowered->tensors[i];
		down = down || strstr(t->name, "down_proj");
		if (t->layer >= 0 && (unsigned)t->layer >= recipe->layers)
			recipe->layers = (unsigned)t->layer + 1;
	}
	if (!down)
		return phi_fail(err, PHI_UNSUPPORTED,
			"recipe %s is for models with weights called down_proj, which this one has not", recipe->name);
	return 0;
}

int
phi_mlx_recipe_find(const char *name, unsigned group, const struct phi_model *lowered,
	struct phi_mlx_recipe *recipe, struct phi_err *err)
{
	const struct entry *const e = named(name);
	if (!e)
		return refuse(name, err);
	*recipe = (struct phi_mlx_recipe){ .name = e->name, .low = e->low, .high = e->high, .type = e->type,
		.group = group ? group : GROUP };
	const unsigned own = e->type == PHI_TYPES ? 0 : phi_type_of(e->type)->elements;
	if (group && own && group != own)
		return phi_fail(err, PHI_UNSUPPORTED, "recipe %s has groups of %u, not of %u", e->name, own, group);
	if (group && !own && e->low && !phi_type_mlx(e->low, group, PHI_F16))
		return phi_fail(err, PHI_UNSUPPORTED, "groups have 32, 64 or 128 weights, not %u", group);
	if (group && !e->low)
		return phi_fail(err, PHI_ARGUMENT, "recipe %s has no groups", e->name);
	return e->high ? count_layers(lowered, recipe, err) : 0;
}

bool
phi_mlx_is_module(const struct phi_tensor *t)
{
	static const char suffix[] = ".weight";
	const size_t n = strlen(t->name), m = sizeof suffix - 1;
	return t->rank >= 2 && n > m && !strcmp(t->name + n - m, suffix);
}

/* First and last eighth of the layers, and every third between. */
static bool
has_more(unsigned layers, int layer)
{
	const int n = (int)layers, i = layer < 0 ? 0 : layer;
	return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

/* The bits of a mixed recipe: by substrings of the name, as mlx-lm has it, so that qkv_proj is a v_proj. */
static unsigned
mixed_bits(const struct phi_mlx_recipe *r, const struct phi_tensor *t, const char **why)
{
	const bool more = has_more(r->layers, t->layer);
	if (strstr(t->name, "v_proj") && more) {
		*why = "attention values of some layers";
		return r->high;
	}
	if (strstr(t->name, "down_proj") && more) {
		*why = "down_proj of some layers";
		return r->high;
	}
	if (strstr(t->name, "lm_head")) {
		*why = "the head";
		return r->high;
	}
	return r->low;
}

/* What scales are, of a weight that is now of this type. */
static enum phi_type_id
scales_of(const struct phi_type *type)
{
	struct phi_type_fields fields;
	if (phi_type_fields(type, &fields))
		return fields.floats;
	return type->id == PHI_F32 || type->id == PHI_F16 ? type->id : PHI_BF16;
}

const struct phi_type *
phi_mlx_recipe_pick(const struct phi_mlx_recipe *recipe, const struct phi_tensor *t, const char **why)
{
	*why = NULL;
	if (!recipe->low) {
		*why = "made so for the target";
		return NULL;
	}
	if (!phi_mlx_is_module(t)) {
		*why = "no matrix: kept";
		return NULL;
	}
	if (recipe->type != PHI_TYPES)
		return phi_type_of(recipe->type);
	const unsigned bits = recipe->high ? mixed_bits(recipe, t, why) : recipe->low;
	return phi_type_mlx(bits, recipe->group, scales_of(t->type));
}
