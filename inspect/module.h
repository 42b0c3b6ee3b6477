/* Modules: the folders of tensors' names, with numbers in them (layers, experts) as stars:
 *
 *     model.layers.7.self_attn.qkv_proj.weight    ->   model.layers.*.self_attn.qkv_proj
 *
 * and what they hold, in the order of their first tensors. */
#ifndef PHI_INSPECT_MODULE_H
#define PHI_INSPECT_MODULE_H

#include "formats/core/model.h"

struct phi_module {
	const char *name;
	uint64_t tensors, weights, bytes; /* aliases are counted once, as in a census */
};

struct phi_modules {
	struct phi_arena *arena;
	struct phi_module *items;
	size_t count;
};

/* The module of a tensor's name, cut to `depth` components (0: whole), in dst. A name that does not fit is
 * cut. Returns the first number in the name, the layer, or -1. */
int phi_module_name(const char *name, unsigned depth, char *dst, size_t size);

/* Of the `count` tensors whose indices are given. */
int phi_modules_take(struct phi_modules *modules, const struct phi_model *model,
	const uint32_t *tensors, size_t count, unsigned depth, struct phi_err *err);
void phi_modules_free(struct phi_modules *modules);

#endif
