/* The model as mlx-lm sees it: canonical names, experts stacked, all floats of one type, nothing twice. Which weights
 * are quantized is the recipe's to say (quant/mlx_recipe.h). */
#include "formats/mlx/experts.h"
#include "formats/mlx/mlx.h"

#include "formats/core/escape.h"
#include "formats/models/family.h"
#include "formats/models/stack.h"

#include <string.h>

static const struct {
	const char *word; /* config.json's, and the recipe's */
	const char *recipe;
	enum phi_type_id type;
} floats[] = {
	{ "float32", "f32", PHI_F32 },
	{ "float16", "f16", PHI_F16 },
	{ "bfloat16", "bf16", PHI_BF16 },
};
enum { NFLOATS = sizeof floats / sizeof *floats };

/* The type mlx-lm casts all floats to: what is asked for, else torch_dtype (it does not look at dtype); NULL: each
 * keeps its own. */
static const struct phi_type *
cast_of(const struct phi_model *model, const char *recipe)
{
	const char *const word = phi_value_string(phi_metadata_find(&model->metadata, "torch_dtype"));
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < NFLOATS; i++) {
			const char *const said = pass ? word : recipe;
			if (said && !strcmp(said, pass ? floats[i].word : floats[i].recipe))
				return phi_type_of(floats[i].type);
		}
	return NULL;
}

static bool
is_float(const struct phi_type *type)
{
	return type->id == PHI_F32 || type->id == PHI_F16 || type->id == PHI_BF16;
}

/* The float that what a tensor is made of stands for. */
static const struct phi_type *
float_of(const struct phi_type *type)
{
	struct phi_type_fields fields;
	if (is_float(type))
		return type;
	if (phi_type_fields(type, &fields))
		return phi_type_of(fields.floats);
	return phi_type_of(type->id == PHI_F64 ? PHI_F32 : PHI_BF16);
}

/* What is quantized for MLX already stays so, unless a recipe says otherwise; other quantized weights become what
 * the rest is. */
static void
set_types(struct phi_model *lowered, const char *recipe)
{
	const struct phi_type *const cast = cast_of(lowered, recipe);
	for (size_t i = 0; i < lowered->ntensors; i++) {
		struct phi_tensor *const t = &lowered->tensors[i];
		struct phi_type_fields fields;
		const bool kept = !recipe && phi_type_fields(t->type, &fields) && !strcmp(fields.format, "mlx");
		if (kept || t->type->class == PHI_CLASS_INTEGER || t->type->class == PHI_CLASS_BOOLEAN ||
			t->type->class == PHI_CLASS_COMPLEX)
			continue;
		t->type = cast ? cast : t->native ? t->native : float_of(t->type);
	}
}

/* Buffers of old checkpoints, and a head that is the embedding: mlx-lm has no module for them. */
static bool
is_left_out(const struct phi_model *model, const struct phi_tensor *t, const struct phi_hparams *h)
{
	const struct phi_family_tensor *const e = phi_family_entry(model, t);
	return (e && e->presence == PHI_DROPPED) || (h->tied && t->role == PHI_ROLE_OUTPUT);
}

static void
pick(struct phi_model *lowered, const struct phi_hparams *h)
{
	size_t kept = 0;
	for (size_t i = 0; i < lowered->ntensors; i++) {
		lowered->tensors[i].alias = PHI_NONE;
		if (!is_left_out(lowered, &lowered->tensors[i], h))
			lowered->tensors[kept++] = lowered->tensors[i];
	}
	lowered->ntensors = kept;
}

static int
rename_tensors(struct phi_model *lowered, struct phi_err *err)
{
	for (size_t i = 0; i < lowered->ntensors; i++) {
		struct phi_tensor *const t = &lowered->tensors[i];
		if (t->canonical)
			t->name = phi_mlx_stacked_name(t->canonical, lowered->arena, err);
		if (!t->name)
			return -1;
	}
	return 0;
}

static int
lower_family(struct phi_model *lowered, struct phi_err *err)
{
	struct phi_hparams h;
	if (!lowered->family)
		return phi_model_warn(lowered, err,
			"no known family of models: names stay as they are, and mlx-lm may not load the folder");
	if (phi_family_hparams(lowered->origin, &h, err) || phi_family_check(lowered->origin, &h, err))
		return -1;
	/* It would load no such folder. */
	if (h.experts && (!h.attention_bias || !h.head_bias || h.tied))
		return phi_fail(err, PHI_UNSUPPORTED,
			"mlx-lm's models of this family have biases and a head of their own, which this one has not");
	if (phi_family_warn_extras(lowered, err))
		return -1;
	pick(lowered, &h);
	return phi_family_stack_experts(lowered, &h, err) || rename_tensors(lowered, err) ? -1 : 0;
}

struct phi_model *
phi_mlx_lower(const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	const bool lowered_already = !strcmp(model->view, "mlx");
	/* A GGUF of a known family was made canonical before. */
	if (!lowered_already && model->family && strcmp(model->view, "canonical")) {
		phi_fail(err, PHI_UNSUPPORTED, "a model that was made for %s cannot be made an MLX folder",
			model->view);
		return NULL;
	}
	struct phi_model *const lowered = phi_model_lower_same(model, err);
	if (!lowered)
		return NULL;
	if (!lowered_already && lower_family(lowered, err)) {
		phi_model_free(lowered);
		return NULL;
	}
	lowered->view = "mlx";
	if (!lowered_already || (options && options->recipe))
		set_types(lowered, options ? options->recipe : NULL);
	return lowered;
}
