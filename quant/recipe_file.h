/* A recipe in a file: the type of each tensor by name. It is what phi-quant -n --json prints; of it are read
 *
 *     {"recipe": "q4_k_m",                                  or null; what else there is does not matter
 *      "rules": [{"name": GLOB, "dtype": TYPE}, ...],       may be missing: rules as on the command line
 *      "items": [{"name": TENSOR, "dtype": TYPE}, ...]}     may be missing: one tensor each; without a
 *                                                           dtype (files, the header) passed over
 *
 * so that a plan can be edited, and made again. A type of null keeps the source's. */
#ifndef PHI_QUANT_RECIPE_FILE_H
#define PHI_QUANT_RECIPE_FILE_H

#include "quant/quant.h"

enum { PHI_RECIPE_FILE_MAX = 64 << 20 }; /* bytes; 100,000 tensors take 20 MB */

struct phi_recipe_file {
	const char *recipe; /* in lower case, or NULL */
	const struct phi_rule *rules;
	size_t nrules;
	struct phi_arena *arena;
};

struct phi_recipe_file *phi_recipe_file_open(const char *path, struct phi_err *err);
struct phi_recipe_file *phi_recipe_file_parse(const char *text, size_t size, struct phi_err *err);
void phi_recipe_file_close(struct phi_recipe_file *file);

#endif
