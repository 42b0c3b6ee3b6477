/* Families of models: what turns a folder of tensors into a known decoder. A family recognises a
 * description (config.json's or GGUF's metadata), reads its hyper-parameters, and gives each tensor
 * its canonical name, role and layer. The list is models.def: ONE LINE A FAMILY, one file each. */
#ifndef PHI_MODELS_FAMILY_H
#define PHI_MODELS_FAMILY_H

#include "formats/core/model.h"

enum phi_rope { PHI_ROPE_PLAIN, PHI_ROPE_LONGROPE };

/* Neutral hyper-parameters; units are elements, counts, tokens. Arrays live in the model's arena. */
struct phi_hparams {
	uint32_t layers, hidden, ffn, heads, kv_heads, head_dim, vocab;
	uint32_t context, original_context; /* max_position_embeddings, and before rope scaling */
	uint32_t rotary;		    /* dimensions of a head that rotate */
	double norm_epsilon, rope_theta, partial_rotary;
	double attention_factor; /* cos and sin are multiplied by it (longrope); else 1 */
	/* The same beyond the original context and up to it, where a family says it twice (phimoe). */
	double long_scale, short_scale;
	uint32_t sliding_window; /* 0: none */
	bool has_sliding_window;
	uint32_t experts, experts_used; /* of a layer, and for a token; 0: no experts */
	double router_noise; /* what scores may differ by, relatively, and still share (sparsemixer) */
	bool attention_bias, head_bias;
	bool tied; /* lm_head is the embedding */
	enum phi_rope rope;
	/* rotary / 2 each. NULL without longrope, and from a GGUF, where they are tensors. */
	const double *long_factor, *short_factor;
	size_t nlong, nshort;
	int64_t bos, eos, pad; /* -1: not said */
};

/* A dimension of a tensor, in terms of the hyper-parameters. */
enum phi_dim {
	PHI_DIM_NONE, /* no such dimension: the tensor has fewer */
	PHI_DIM_VOCAB,
	PHI_DIM_HIDDEN,
	PHI_DIM_FFN,
	PHI_DIM_FFN_TWICE,   /* gate and up, fused */
	PHI_DIM_EXPERTS,
	PHI_DIM_HEADS,	     /* heads * head_dim */
	PHI_DIM_KV,	     /* kv_heads * head_dim */
	PHI_DIM_QKV,	     /* (heads + 2 * kv_heads) * head_dim */
	PHI_DIM_HALF_ROTARY, /* rotary / 2 */
	PHI_DIM_ANY,	     /* rank and shape are not looked at */
};

/* When a tensor has to be there. */
enum phi_presence {
	PHI_ALWAYS,
	PHI_UNTIED,   /* unless the embedding serves as output; allowed then, too */
	PHI_ATTENTION_BIAS, /* if the configuration says so; else not allowed */
	PHI_HEAD_BIAS,
	PHI_STACKED, /* in a GGUF; elsewhere made of its experts, which are tensors of their own */
	PHI_MAYBE,
	PHI_ELSEWHERE, /* in files of other makers, fused or in parts (phi_family_split): never carried */
	PHI_DROPPED,  /* allowed, and carried to no target (inv_freq buffers of old checkpoints) */
};

/* A tensor of the family: {} stands for the layer, a second {} for the expert, with which the tensor is
 * one of those that make the stacked one of the same role. Patterns of one table are distinct. */
struct phi_family_tensor {
	enum phi_role role;
	const char *canonical; /* "model.layers.{}.self_attn.qkv_proj.weight"; NULL: GGUF's own */
	const char *gguf;      /* "blk.{}.attn_qkv.weight", or NULL */
	enum phi_presence presence;
	enum phi_dim shape[3]; /* outermost first */
};

/* What one maker's files have as one tensor and another's as several: its rows, part after part; or, where the one part
 * has a second hole, its indices of the outermost dimension, each of which is an expert's. Canonical names; all of
 * them have lines among the family's tensors. */
struct phi_family_split {
	const char *whole;
	const char *parts[3]; /* NULL-ended where there are fewer */
};

/* Tensors that are not the text model's, and what to call them. */
struct phi_family_extra {
	const char *glob, *what;
};

struct phi_config_rules; /* rules.h */
struct phi_graph_kind;	 /* graph.h */

struct phi_family {
	const char *name;		  /* "phi3" */
	const char *model_type;		  /* config.json's */
	const char *const *architectures; /* config.json's, NULL-ended */
	const char *gguf_arch;		  /* general.architecture */
	const struct phi_family_tensor *tensors; /* ended by an entry with neither name */
	const struct phi_family_split *splits;	 /* ended by one without a whole; or NULL */
	const struct phi_family_extra *extras;	 /* ended by one without a glob; or NULL */
	const char *wrapper; /* a component of names that says nothing: PEFT's "base_layer"; or NULL */
	const struct phi_config_rules *rules;
	const struct phi_graph_kind *graph; /* its decoder */
};

/* All families, NULL-ended. */
extern const struct phi_family *const phi_families[];

/* Recognises the model (config.json's architectures or model_type, or general.architecture), sets
 * model->family and each tensor's canonical name, role and layer. No family: 0, and nothing is set.
 * Does not check: descriptions of odd models can still be inspected. */
int phi_family_assign(struct phi_model *model, struct phi_err *err);

/* Is the description GGUF's (general.architecture), not config.json's? */
bool phi_family_from_gguf(const struct phi_model *model);

/* What stands in the holes of a pattern; -1 where it has none. */
struct phi_holes {
	int layer, expert;
};

/* Does a name fit a pattern? Numbers are written without leading zeros. */
bool phi_family_match(const char *pattern, const char *name, struct phi_holes *holes);
/* The name of a pattern with its holes filled, in the arena. */
const char *phi_family_spell(const char *pattern, struct phi_holes holes, struct phi_arena *arena,
	struct phi_err *err);
/* The table's entry of a tensor of the model, or one that is PHI_DROPPED for what is not the text model's; NULL:
 * the family does not know it. */
const struct phi_family_tensor *phi_family_entry(const struct phi_model *model,
	const struct phi_tensor *tensor);
/* The split whose whole the tensor is, and what stands in the holes of its name; or NULL. */
const struct phi_family_split *phi_family_split_of(const struct phi_family *family,
	const struct phi_tensor *tensor, struct phi_holes *holes);
/* Are its parts experts, one for each index of the whole's outermost dimension? */
bool phi_family_split_experts(const struct phi_family_split *split);
/* The expert in a tensor's canonical name, or -1. */
int phi_family_expert(const struct phi_model *model, const struct phi_tensor *tensor);

/* Reads a known family's metadata: config.json's keys with the defaults of its rules, or GGUF's. Anything the
 * family does not expect (unknown rope type, missing key) is an error, never a guess. */
int phi_family_hparams(const struct phi_model *model, struct phi_hparams *out, struct phi_err *err);

/* Elements of a dimension; 0 for PHI_DIM_NONE and PHI_DIM_ANY. */
uint64_t phi_family_extent(enum phi_dim dim, const struct phi_hparams *hparams);

/* Turns the tensors of a GGUF's description into those of a checkpoint: canonical names; what a checkpoint has in
 * parts (stacked experts, a fused q, k and v where the family has them apart) cut into views of its parts; rope
 * factors, which config.json has, taken out. Parts that a checkpoint has whole are left as they are: the
 * check that follows refuses them. */
int phi_family_cut(struct phi_model *model, const struct phi_hparams *hparams, struct phi_err *err);

/* Compares names and shapes with the hyper-parameters: every tensor of the table in every layer, of the table's
 * shape, and no other. */
int phi_family_check(const struct phi_model *model, const struct phi_hparams *hparams,
	struct phi_err *err);

/* Warns, once, of all that a lowered model's origin has beside the text model: towers, adapters. */
int phi_family_warn_extras(struct phi_model *lowered, struct phi_err *err);

/* Makes the description of a model comparable with another's, tensor by tensor, before anything is read: what the other
 * has in parts is cut into them, as views with their canonical names (the tensor's own stays the whole's); and a head
 * that only the other has is, where this model is tied, a second name of the embedding. To be called for
 * both; what cannot be cut so (other sizes) is left alone. Nothing can be converted from the result. */
int phi_family_align(struct phi_model *model, const struct phi_model *other, struct phi_err *err);

#endif
