/* The model as GGUF sees it. Three ways in:
 *
 *   view gguf               as it is; with a recipe, as llama-quantize would write it
 *   canonical, a family     lower_hf.c: as convert_hf_to_gguf writes it
 *   canonical, no family    names and tensors stay, metadata too; a file to keep tensors in and to
 * be read by tools. llama.cpp needs names and keys that only a family knows, so one warning says
 * that it will not load
 */
#include "formats/core/escape.h"
#include "formats/core/kept.h"
#include "formats/gguf/ftype.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/lower_hf.h"
#include "formats/gguf/quantize.h"
#include "formats/models/config_text.h"

#include <string.h>

static int
apply_recipe(
	struct phi_model *lowered, const struct phi_lower_options *options, struct phi_err *err)
{
	struct phi_quoted q;
	/* "auto" is for sources that have one type in all; a file keeps the types it has. */
	if (!options || !options->recipe || !strcmp(options->recipe, "auto"))
		return 0;
	const struct phi_gguf_ftype *const ftype = phi_gguf_ftype_named(options->recipe);
	if (!ftype)
		return phi_fail(err, PHI_ARGUMENT, "recipe %s makes no GGUF; q4_k_m, q8_0, f16 do",
			phi_quote(&q, options->recipe));
	return phi_gguf_as_quantized(lowered, ftype->id, options, err);
}

/* What GGUF has no kind for: nulls of config.json. They say no more than that a key is not there.
 */
static void
drop_nulls(struct phi_metadata *metadata)
{
	size_t kept = 0;
	for (size_t i = 0; i < metadata->count; i++)
		if (metadata->items[i].value.kind != PHI_VALUE_NULL)
			metadata->items[kept++] = metadata->items[i];
	metadata->count = kept;
}

static struct phi_model *
lower_plain(
	const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	struct phi_model *const lowered = phi_model_lower_same(model, err);
	if (!lowered)
		return NULL;
	lowered->view = "gguf";
	drop_nulls(&lowered->metadata);
	const bool foreign = strcmp(model->view, "gguf") != 0;
	const char *const name = options && options->name ? options->name : model->name;
	lowered->name = phi_arena_strdup(lowered->arena, name, err);
	if (!lowered->name || apply_recipe(lowered, options, err) ||
		(foreign && phi_model_warn(lowered, err,
				    "no known family of models: names stay as they are, and "
				    "llama.cpp will not load the file"))) {
		phi_model_free(lowered);
		return NULL;
	}
	return lowered;
}

/* What only the folder says goes behind the keys that runtimes look at. Takes the model. */
static struct phi_model *
keep(struct phi_model *lowered, const struct phi_lower_options *options, struct phi_err *err)
{
	if (!lowered || !options || !options->keep_all)
		return lowered;
	if (phi_kept_add_sides(lowered, err) == 0 &&
		phi_kept_add_types(lowered, phi_config_dtype(&lowered->origin->metadata), err) == 0)
		return lowered;
	phi_model_free(lowered);
	return NULL;
}

struct phi_model *
phi_gguf_lower(
	const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	if (!strcmp(model->view, "gguf"))
		return lower_plain(model, options, err);
	if (strcmp(model->view, "canonical")) {
		phi_fail(err, PHI_UNSUPPORTED, "a model that was made for %s cannot be made a GGUF",
			model->view);
		return NULL;
	}
	return keep(model->family ? phi_gguf_lower_hf(model, options, err)
				  : lower_plain(model, options, err), options, err);
}
