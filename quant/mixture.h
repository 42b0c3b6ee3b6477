/* A recipe at work on one model: which type each tensor gets, by the rules of recipes.def. Made of a
 * lowered model's metadata, names and shapes; never of bytes. */
#ifndef PHI_QUANT_MIXTURE_H
#define PHI_QUANT_MIXTURE_H

#include "quant/recipe.h"

/* What the rules ask of the model as a whole. Heads and layers are read from the keys of a GGUF
 * (general.architecture, ARCH.block_count ...); where they are not there, they are 0. */
struct phi_mixture_facts {
	uint64_t layers, heads, kv_heads, experts; /* heads: of the first layer */
	unsigned values; /* tensors that count as attention values */
	bool falcon, is_70b;
	bool untied; /* there is an output matrix */
	bool importance; /* the user gave it, for whatever tensors */
	bool fused_apart; /* attn_qkv is a role of its own (llama.cpp before 2026) */
};

struct phi_mixture {
	const struct phi_recipe *recipe;
	struct phi_mixture_facts facts;
	unsigned nvalue, ngate, nup, ndown; /* met so far, for i */
};

void phi_mixture_begin(struct phi_mixture *mixture, const struct phi_recipe *recipe,
	const struct phi_model *lowered);

/* The type of the next tensor; they are to be asked about in the model's order. *role and *when are words
 * for --explain, of the rule that fits; empty where none does. `when` is made of the conditions' words. */
struct phi_pick {
	const struct phi_type *type;
	const char *role; /* "attention values", or NULL: the base */
	uint32_t when;	  /* for phi_mixture_words */
};
struct phi_pick phi_mixture_pick(struct phi_mixture *mixture, const struct phi_tensor *t);

/* "first eighth of the layers, with importance": conditions in words. */
const char *phi_mixture_words(uint32_t when, char *dst, size_t size);

#endif
