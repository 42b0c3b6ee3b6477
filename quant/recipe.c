#include "quant/recipe.h"

#include "formats/core/escape.h"

#include <stdio.h>
#include <strings.h>

const struct phi_recipe_info phi_recipes[] = {
	{ "f32", "32-bit floats" },
	{ "f16", "16-bit floats (IEEE)" },
	{ "bf16", "16-bit floats with the range of F32" },
	{ "q8_0", "8.5 bits a weight: blocks of 32" },
	{ NULL, NULL },
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
listed(bool pure, char *dst, size_t size)
{
	size_t at = 0;
	dst[0] = 0;
	for (int i = 0; pure ? i < PHI_TYPES : phi_recipes[i].name != NULL; i++) {
		if (pure && !phi_type_made(phi_type_of((enum phi_type_id)i)))
			continue;
		const char *const name = pure ? phi_type_of((enum phi_type_id)i)->name : phi_recipes[i].name;
		at += (size_t)snprintf(dst + at, size - at, "%s%s", at ? ", " : "", name);
		if (at >= size)
			break;
	}
	return dst;
}

const struct phi_type *
phi_recipe_type(const char *name, bool pure, struct phi_err *err)
{
	struct phi_quoted q;
	char list[512];
	const struct phi_type *const type = phi_type_named(name);
	const bool made = type && phi_type_made(type);
	if (pure && made)
		return type;
	for (const struct phi_recipe_info *r = phi_recipes; !pure && r->name; r++)
		if (strcasecmp(r->name, name) == 0)
			return type;
	listed(pure, list, sizeof list);
	if (!pure && made)
		phi_fail(err, PHI_ARGUMENT, "%s is a type, no recipe: add --pure, or take one of %s",
			phi_quote(&q, name), list);
	else if (pure && type)
		phi_fail(err, PHI_UNSUPPORTED, "there is no way to make %s; there are %s", type->name, list);
	else
		phi_fail(err, PHI_ARGUMENT, "no %s is called %s; there are %s", pure ? "type" : "recipe",
			phi_quote(&q, name), list);
	return NULL;
}
