#include "quant/recipe.h"

#include "formats/core/escape.h"

#include <stdio.h>
#include <strings.h>

const struct phi_recipe phi_recipe_table[] = {
#define RECIPE(name, base, summary) { #name, summary, PHI_##base },
#include "quant/recipes.def"
#undef RECIPE
	{ NULL, NULL, PHI_TYPES },
};

const struct phi_recipe_info phi_recipes[] = {
#define RECIPE(name, base, summary) { #name, summary },
#include "quant/recipes.def"
#undef RECIPE
	{ NULL, NULL },
};

/* What llama-quantize calls some of them as well. */
static const struct {
	const char *other, *name;
} aliases[] = {
#define ALIAS(other, name) { #other, #name },
#include "quant/recipes.def"
#undef ALIAS
};

/* Where a row is no multiple of a type's block (llama-quant.cpp, facts/gguf.md 4.4). What is not listed
 * goes to F16 at once. */
static const struct {
	enum phi_type_id type, instead;
} fallbacks[] = {
	{ PHI_IQ1_S, PHI_IQ4_NL },
	{ PHI_IQ1_M, PHI_IQ4_NL },
	{ PHI_IQ2_XXS, PHI_IQ4_NL },
	{ PHI_IQ2_XS, PHI_IQ4_NL },
	{ PHI_IQ2_S, PHI_IQ4_NL },
	{ PHI_IQ3_XXS, PHI_IQ4_NL },
	{ PHI_IQ3_S, PHI_IQ4_NL },
	{ PHI_IQ4_XS, PHI_IQ4_NL },
	{ PHI_Q2_0, PHI_Q4_0 },
	{ PHI_Q2_K, PHI_Q4_0 },
	{ PHI_Q3_K, PHI_Q4_0 },
	{ PHI_TQ1_0, PHI_Q4_0 },
	{ PHI_TQ2_0, PHI_Q4_0 },
	{ PHI_Q4_K, PHI_Q5_0 },
	{ PHI_Q5_K, PHI_Q5_1 },
	{ PHI_Q6_K, PHI_Q8_0 },
};

bool
phi_type_made(const struct phi_type *type)
{
	struct phi_convert convert;
	return phi_quant_converters.find(phi_type_of(PHI_F32), type, &convert, NULL) == 0;
}

const struct phi_type *
phi_type_fitting(const struct phi_type *type, uint64_t row)
{
	if (row % type->elements == 0)
		return type;
	for (size_t i = 0; i < sizeof fallbacks / sizeof *fallbacks; i++)
		if (fallbacks[i].type == type->id) {
			const struct phi_type *const instead = phi_type_of(fallbacks[i].instead);
			if (row % instead->elements == 0)
				return instead;
		}
	return phi_type_of(PHI_F16);
}

/* "F32, F16, ..." of the types that can be made, or of the recipes. */
static const char *
listed(bool types, char *dst, size_t size)
{
	size_t at = 0;
	dst[0] = 0;
	for (int i = 0; at < size && (types ? i < PHI_TYPES : phi_recipe_table[i].name != NULL); i++) {
		const enum phi_type_id id = types ? (enum phi_type_id)i : phi_recipe_table[i].base;
		const char *const name = types ? phi_type_of(id)->name : phi_recipe_table[i].name;
		if (id != PHI_TYPES && !phi_type_made(phi_type_of(id)))
			continue;
		at += (size_t)snprintf(dst + at, size - at, "%s%s", at ? ", " : "", name);
	}
	return dst;
}

static const struct phi_recipe *
named(const char *name)
{
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (strcasecmp(aliases[i].other, name) == 0)
			name = aliases[i].name;
	for (const struct phi_recipe *r = phi_recipe_table; r->name; r++)
		if (strcasecmp(r->name, name) == 0)
			return r;
	return NULL;
}

static int
refuse(const char *name, bool pure, const struct phi_type *type, struct phi_err *err)
{
	struct phi_quoted q;
	char list[512];
	listed(pure, list, sizeof list);
	if (type)
		return phi_fail(err, PHI_UNSUPPORTED, "there is no way to make %s; there are %s",
			type->name, list);
	return phi_fail(err, PHI_ARGUMENT, "no %s is called %s; there are %s", pure ? "type" : "recipe",
		phi_quote(&q, name), list);
}

int
phi_recipe_find(const char *name, bool pure, const struct phi_recipe **recipe,
	const struct phi_type **type, struct phi_err *err)
{
	const struct phi_recipe *const found = named(name);
	*type = phi_type_named(name);
	*recipe = pure ? NULL : found;
	if (found && found->base == PHI_TYPES) {
		*recipe = found;
		*type = NULL;
		return 0;
	}
	if (found && !(pure && *type))
		*type = phi_type_of(found->base);
	return *type && (pure || found) && phi_type_made(*type) ? 0 : refuse(name, pure, *type, err);
}
