/* How the families that are decoders of one kind differ in config.json: what a class of transformers
 * (5.23) assumes where the file is silent, because that is how the model is loaded there, and which names
 * mean what. Not for others than formats/models. */
#ifndef PHI_MODELS_RULES_H
#define PHI_MODELS_RULES_H

#include "formats/models/family.h"

struct phi_config_rules {
	uint32_t vocab, hidden, ffn, layers, heads, context;
	uint32_t kv_heads;	    /* 0: as many as heads */
	uint32_t original;	    /* context before rope scaling; 0: the context itself */
	uint32_t experts, used;	    /* 0: a family without experts */
	double epsilon, theta, partial;
	const char *epsilon_key;      /* config.json's */
	const char *gguf_epsilon_key; /* after "ARCH." */
	const char *const *activations; /* names of the one this family has, NULL-ended */
	const char *const *longropes; /* rope types that mean longrope here, NULL-ended; NULL: none does */
	/* For a config.json made of a GGUF: the type of the published checkpoints' weights; members of which a
	 * GGUF says nothing, as JSON (name, value, ...; NULL-ended); and, with longrope, short_mscale and
	 * long_mscale, or 0. */
	enum phi_type_id dtype;
	const char *const *usual;
	double mscale;
	/* What only this family has in config.json, and what it must not have; or NULL. */
	int (*more)(const struct phi_metadata *m, struct phi_hparams *h, struct phi_err *err);
};

/* The text models of others are Phi-3's. */
extern const struct phi_family_tensor phi_phi3_tensors[];
extern const struct phi_family_split phi_phi3_splits[];
extern const struct phi_config_rules phi_phi3_rules;

/* What follows from the numbers, and what must hold among them. */
int phi_hparams_derive(struct phi_hparams *h, struct phi_err *err);
/* config.json's words about the rotary embedding, in the spelling of either generation; derives. */
int phi_rope_read(const struct phi_model *model, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err);
/* The metadata of a GGUF. */
int phi_hparams_from_gguf(const struct phi_model *model, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err);

#endif
