/* Number types at work: the converter table and the recipes. */
#ifndef PHI_QUANT_H
#define PHI_QUANT_H

#include "formats/core/convert.h"
#include "formats/core/graph_options.h"
#include "formats/core/model.h"

/* The table the pump is given: every pair of types that has a way, through F32 where there is no
 * direct kernel. */
extern const struct phi_converters phi_quant_converters;

/* The same, for --search: block types get scales and codes of lower error than the reference's, never of
 * higher error in any block (quant/refine.h); IQ1 to IQ3 and MLX_MXFP8 are made as ever. */
extern const struct phi_converters phi_quant_searching;

/* The same with the defects of llama-quantize's kernels (--compat llama.cpp): a sub-block of zeros in IQ3_S
 * spoils those after it. */
extern const struct phi_converters phi_quant_as_llama;

/* For --lossless: every decoded value stays the same (a zero's sign aside), or the conversion fails at the first block of
 * which that is not true. Codes of blocks are kept where the other type can hold them (quant/transcode.h). */
extern const struct phi_converters phi_quant_lossless;

/* For --keep-codes: blocks go only into types that hold their codes; scales are rounded as those are stored. Other numbers
 * are converted as ever. */
extern const struct phi_converters phi_quant_keeping_codes;

/* The largest rounding of a scale or a low that --keep-codes made in this process, in units of the last place. */
float phi_quant_rounded(void);

/* The same with another of ONNX Runtime's algorithms for its types (--algo); k_quant makes only those with a zero
 * point. */
extern const struct phi_converters phi_quant_rtn, phi_quant_k_quant;
/* And as its default makes them for DequantizeLinear (--qdq). */
extern const struct phi_converters phi_quant_qdq;

/* What a type makes of importance. */
enum phi_importance phi_quant_importance(const struct phi_type *type);

/* The level the kernels run at: "scalar", "sse2", "avx2", "avx512", "neon"; the widest this CPU has.
 * PHI_CPU= names another (one that is unknown or not available: scalar). The bytes are the same at
 * all of them. For --version -v. */
const char *phi_quant_cpu(void);

/* Whose faults and habits a file is to have, for those who compare bytes; the default is the right file.
 * phi-quant(1) lists the differences. */
enum phi_compat {
	PHI_COMPAT_NONE,
	PHI_COMPAT_LLAMA,      /* llama-quantize as it is */
	PHI_COMPAT_LLAMA_2025, /* and as it chose types before 2026 */
};

enum phi_rule_kind {
	PHI_RULE_PATTERN, /* a glob; between slashes an ERE that is found in the name */
	PHI_RULE_GLOB,	  /* a glob, whatever it looks like: for files of others' making, where a regular
			   * expression could take any time and memory */
	PHI_RULE_NAME,	  /* one name, as it is spelled */
};

/* One choice of types: rules are ordered, the last that matches wins. */
struct phi_rule {
	const char *glob; /* over canonical or target names */
	const struct phi_type *type; /* NULL: keep the source's type (--keep) */
	enum phi_rule_kind kind;
};

struct phi_importance_list; /* quant/importance.h */

struct phi_recipe_options {
	size_t size;
	const char *recipe; /* "q4_k_m", "f16" ...; with pure a type's name; any case; NULL: rules only */
	bool pure;
	const struct phi_rule *rules;
	size_t nrules;
	/* Of the output matrix and of the embedding, whatever rules and recipe say; or NULL. Where there is no
	 * output matrix the embedding is one, too. */
	const struct phi_type *output_type, *embedding_type;
	const struct phi_importance_list *importance; /* lent for the model's life; or NULL */
	enum phi_compat compat;
	bool from_quantized; /* no warning about what is quantized already */
	unsigned group;	     /* of MLX: weights that share a scale; 0: as usual */
	const struct phi_graph_options *graph; /* of ONNX; or NULL */
	/* What keeps its type where the target has another for the same codes gets that one; lossless: and other numbers
	 * keep theirs. */
	bool keep_codes, lossless;
	bool lenient;	     /* what cannot be made for lack of importance is a warning: for -n */
};

/* The recipes: name and one line each, ended by NULL name; for --help. */
struct phi_recipe_info {
	const char *name, *summary;
};
extern const struct phi_recipe_info phi_recipes[];
/* Those of MLX, which phi_choose takes for models that were lowered to it. */
extern const struct phi_recipe_info phi_recipes_mlx[];
/* Those of ONNX, for models that were lowered to it. */
extern const struct phi_recipe_info phi_recipes_onnx[];
/* Is it a name that says nothing of the runtime it is for (int4, mixed_4_6)? */
bool phi_recipe_needs_target(const char *name);

/* Chooses a type for each tensor of a lowered model that the target has not fixed. Pure: sees metadata,
 * names, roles, shapes, types, rules; never bytes. Sets type, why and importance; sets model->recipe. */
int phi_choose(struct phi_model *lowered, const struct phi_recipe_options *options,
	struct phi_err *err);

#endif
