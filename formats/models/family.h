/* Families of models: what turns a folder of tensors into a known decoder. A family recognises a
 * description (config.json's or GGUF's metadata), reads its hyper-parameters, and gives each tensor
 * its canonical name, role and layer. The list is models.def: ONE LINE A FAMILY, one file each. */
#ifndef PHI_MODELS_FAMILY_H
#define PHI_MODELS_FAMILY_H

#include "formats/core/model.h"

enum phi_rope { PHI_ROPE_PLAIN, PHI_ROPE_LONGROPE, PHI_ROPE_YARN };

/* Neutral hyper-parameters; units are elements, counts, tokens. Arrays live in the arena given. */
struct phi_hparams {
	uint32_t layers, hidden, ffn, heads, kv_heads, head_dim, vocab;
	uint32_t context, original_context; /* max_position_embeddings, and before rope scaling */
	uint32_t rotary;		    /* dimensions of a head that rotate */
	double norm_epsilon, rope_theta, partial_rotary;
	uint32_t sliding_window; /* 0: none */
	bool has_sliding_window;
	bool tied; /* lm_head is the embedding */
	enum phi_rope rope;
	const double *long_factor, *short_factor; /* rotary / 2 each, or NULL */
	size_t nlong, nshort;
	int64_t bos, eos, pad; /* -1: not said */
};

/* A tensor of the family: {} stands for the layer. Patterns of one table are distinct. */
struct phi_family_tensor {
	enum phi_role role;
	const char *canonical; /* "model.layers.{}.self_attn.qkv_proj.weight" */
	const char *gguf;      /* "blk.{}.attn_qkv.weight", or NULL */
	bool optional;	       /* lm_head of a tied model */
};

struct phi_family {
	const char *name;		  /* "phi3" */
	const char *const *architectures; /* config.json's, NULL-ended */
	const char *gguf_arch;		  /* general.architecture */
	const struct phi_family_tensor *tensors; /* ended by canonical NULL */
	/* Reads the metadata of a canonical (config.json) or GGUF description. Anything the family does
	 * not expect (unknown rope type, missing key) is an error, never a guess. */
	int (*hparams)(const struct phi_model *model, struct phi_hparams *out, struct phi_err *err);
	/* Compares names and shapes with the hyper-parameters: missing, extra, disagreeing. */
	int (*check)(const struct phi_model *model, const struct phi_hparams *hparams,
		struct phi_err *err);
};

/* All families, NULL-ended. */
extern const struct phi_family *const phi_families[];

/* Recognises the model (config.json's architectures or model_type, or general.architecture), sets
 * model->family and each tensor's canonical name, role and layer. No family: 0, and nothing is set.
 * Does not check: descriptions of odd models can still be inspected. */
int phi_family_assign(struct phi_model *model, struct phi_err *err);

#endif
