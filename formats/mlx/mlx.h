/* The MLX folder: what mlx-lm writes and loads. A Hugging Face folder with the same names, whose quantized weights
 * are three tensors each (two for the floating-point modes), and whose config.json says how:
 *
 *     model.layers.0.mlp.down_proj.weight   U32 [out, in * bits / 32]   codes, a stream of bits along the row
 *     model.layers.0.mlp.down_proj.scales   [out, in / group]           F32, F16, BF16; U8 without biases
 *     model.layers.0.mlp.down_proj.biases   [out, in / group]
 *
 *     "quantization": {"group_size": 64, "bits": 4, "mode": "affine",
 *                      "model.layers.0.mlp.down_proj": {"group_size": 64, "bits": 6, "mode": "affine"},
 *                      "lm_head": false}
 *
 * Experts are stacked (switch_mlp). Here such a weight is one tensor of a type MLX*_G*_* (core/type.h), woven of
 * its planes when it is read and torn into them when it is written. Facts: facts/mlx.md 1 to 3, of mlx-lm 0.32.2. */
#ifndef PHI_MLX_MLX_H
#define PHI_MLX_MLX_H

#include "formats/core/format.h"

/* How a weight is quantized, as config.json says it. */
struct phi_mlx_form {
	const char *mode; /* "affine", "mxfp4" ...; one of ours, not the file's */
	unsigned group, bits;
};

/* The form of a type; false if it is none of MLX's. */
bool phi_mlx_form_of(const struct phi_type *type, struct phi_mlx_form *form);
bool phi_mlx_form_equal(const struct phi_mlx_form *a, const struct phi_mlx_form *b);
/* The form a mode has where config.json does not say (null or absent); NULL: there is no such mode. */
const struct phi_mlx_form *phi_mlx_form_usual(const char *mode);
/* The type of a form; scales: of the scales (not looked at but for affine). NULL: there is none. */
const struct phi_type *phi_mlx_type(const struct phi_mlx_form *form, enum phi_type_id scales);

/* read.c, lower.c, write.c */
struct phi_source *phi_mlx_open(struct phi_store *store, const struct phi_open_options *options,
	struct phi_err *err);
struct phi_model *phi_mlx_lower(const struct phi_model *model, const struct phi_lower_options *options,
	struct phi_err *err);
int phi_mlx_complete(struct phi_plan *plan, struct phi_err *err);

/* The path of the module a weight belongs to: its name without ".weight". 0: it is no weight. */
size_t phi_mlx_path(const char *name);

#endif
