/* Number types at work: the converter table and the recipes. */
#ifndef PHI_QUANT_H
#define PHI_QUANT_H

#include "formats/core/convert.h"
#include "formats/core/model.h"

/* The table the pump is given: every pair of types that has a way, through F32 where there is no
 * direct kernel. */
extern const struct phi_converters phi_quant_converters;

/* Which lane width the kernels run at: "1", "8", "16"; chosen at start by CPU, PHI_CPU= overrides
 * ("scalar", "avx2", "avx512"; an unknown or unavailable name is the scalar one). For --version -v. */
const char *phi_quant_cpu(void);

/* One choice of types: rules are ordered, the last that matches wins. */
struct phi_rule {
	const char *glob; /* over canonical or target names */
	const struct phi_type *type; /* NULL: keep the source's type (--keep) */
};

struct phi_recipe_options {
	size_t size;
	const char *recipe; /* "q8_0", "f16" ...; with pure a type's name; any case; NULL: rules only */
	bool pure;
	const struct phi_rule *rules;
	size_t nrules;
};

/* The recipes: name and one line each, ended by NULL name; for --help. */
struct phi_recipe_info {
	const char *name, *summary;
};
extern const struct phi_recipe_info phi_recipes[];

/* Chooses a type for each tensor of a lowered model that the target has not fixed. Pure: sees names,
 * roles, shapes, types, rules; never bytes. Sets type and why; sets model->recipe. */
int phi_choose(struct phi_model *lowered, const struct phi_recipe_options *options,
	struct phi_err *err);

#endif
