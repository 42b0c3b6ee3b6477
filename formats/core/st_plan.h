/* Planning safetensors files: what the lone file and the folder of shards have in common. */
#ifndef PHI_CORE_ST_PLAN_H
#define PHI_CORE_ST_PLAN_H

#include "formats/core/format.h"

/* How a folder keeps the __metadata__ of its files among what config.json says. */
#define PHI_ST_METADATA "__metadata__."

/* Lowers to what Hugging Face libraries load: tensors that have a canonical name take it, and those that have a
 * native type that. */
struct phi_model *phi_st_lower(const struct phi_model *model,
	const struct phi_lower_options *options, struct phi_err *err);

/* The tensors to be written, in the model's order, as indices in the plan's arena. Left out, with
 * one warning each, are those with the same bytes as an earlier one: the container shares nothing,
 * and its reference refuses them; the libraries that load it tie them again. Refuses types and
 * names that the container cannot hold. */
int phi_st_plan_choose(
	struct phi_plan *plan, uint32_t **tensors, size_t *count, struct phi_err *err);

/* Lays out planned file number `file` (just added, empty): its header as a literal, then the
 * tensors in the reference's order. The header carries the model's metadata if that is nothing but
 * strings, as a safetensors file's own is, else those strings whose key begins with PHI_ST_METADATA
 * (which it loses); in any case "format": "pt" where it says no format. */
int phi_st_plan_file(struct phi_plan *plan, unsigned file, const uint32_t *tensors, size_t count,
	struct phi_err *err);

#endif
