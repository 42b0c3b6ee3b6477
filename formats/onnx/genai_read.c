#include "formats/onnx/genai_read.h"

#include "formats/core/config.h"
#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/core/sides.h"

#include <string.h>

enum { CONFIG_MAX = 1 << 20 }; /* bytes of genai_config.json: some two thousand are usual */

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	const struct phi_genai *const genai = source->state;
	return phi_onnx_compose_read(&genai->composition, storage, offset, dst, n, err);
}

static void
forget(struct phi_genai *genai)
{
	phi_names_free(genai->weights);
	phi_free(genai->found);
	genai->weights = NULL;
	genai->found = NULL;
}

static void
close_state(struct phi_source *source)
{
	struct phi_genai *const genai = source->state;
	forget(genai);
	phi_onnx_compose_end(&genai->composition);
	phi_source_close(genai->composition.below);
	phi_free(genai);
}

/* What the decoder's file has to say of itself. */

static struct phi_source *
decoder_of(struct phi_source *source)
{
	return ((struct phi_genai *)source->state)->composition.below;
}

static int
check(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	return phi_onnx_check(decoder_of(source), findings, err);
}

static int
layout(struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	return phi_onnx_layout(decoder_of(source), regions, err);
}

static int
graph(struct phi_source *source, const struct phi_nodes *nodes, struct phi_err *err)
{
	return phi_onnx_nodes(decoder_of(source), nodes, err);
}

static const struct phi_source_ops ops = {
	.read = read_storage,
	.check = check,
	.layout = layout,
	.graph = graph,
	.close = close_state,
};

static json_t *
load_config(struct phi_store *store, struct phi_err *err)
{
	struct phi_member *const member = phi_store_member(store, PHI_GENAI_CONFIG, err);
	void *text = NULL;
	size_t size = 0;
	json_t *root = NULL;
	if (member && !phi_member_load(member, CONFIG_MAX, &text, &size, err))
		root = phi_json_parse(text, size, 0, err);
	phi_free(text);
	phi_member_close(member);
	return root;
}

/* The decoder's file: a name in the folder itself, not beneath it, nor a list of models in a row. */
static const char *
decoder_name(struct phi_store *store, const json_t *config, struct phi_err *err)
{
	const json_t *const decoder = json_object_get(json_object_get(config, "model"), "decoder");
	const char *const name = json_string_value(json_object_get(decoder, "filename"));
	struct phi_quoted q;
	if (json_object_get(decoder, "pipeline"))
		phi_fail(err, PHI_UNSUPPORTED, "a decoder in several files (pipeline) is not read");
	else if (!name || !*name)
		phi_fail(err, PHI_FORMAT, "it names no file for the decoder (model.decoder.filename)");
	else if (strchr(name, '/') || strchr(name, '\\'))
		phi_fail(err, PHI_FORMAT, "its decoder, %s, is not in this folder", phi_quote(&q, name));
	else if (!phi_store_has(store, name))
		phi_fail(err, PHI_FORMAT, "its decoder, %s, is missing", phi_quote(&q, name));
	else
		return name;
	return NULL;
}

/* Opens the decoder and puts its packed weights together. */
static struct phi_source *
open_decoder(struct phi_store *store, const char *name, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_open_options inner = *options;
	struct phi_quoted q;
	inner.members = false;
	struct phi_store *const single = phi_store_single(store, name, err);
	struct phi_source *const decoder = single ? phi_onnx_open(single, &inner, err) : NULL;
	if (decoder) {
		decoder->outer = single;
		if (!options->registry->settle(decoder, &inner, err))
			return decoder;
		phi_source_close(decoder);
	} else {
		phi_store_close(single);
	}
	phi_context(err, "%s", phi_quote(&q, name));
	return NULL;
}

static int
take_warnings(struct phi_model *model, const struct phi_model *from, struct phi_err *err)
{
	for (size_t i = 0; i < from->nwarnings; i++)
		if (phi_model_warn(model, err, "%s", from->warnings[i]))
			return -1;
	return 0;
}

/* config.json is there, or made. */
static int
describe_config(struct phi_model *model, struct phi_err *err)
{
	const struct phi_side *const config = phi_model_side(model, "config.json");
	if (phi_config_describe(model, config->data, config->size, err) || phi_family_assign(model, err))
		return phi_context(err, "config.json");
	return model->family ? 0 : phi_fail(err, PHI_UNSUPPORTED,
		"config.json: no known family of models: the decoder's weights cannot be named");
}

/* Names need a family, and a configuration that is made needs the weights. */
static int
find(struct phi_genai *genai, struct phi_model *model, const json_t *config, struct phi_err *err)
{
	if (phi_model_side(model, "config.json"))
		return describe_config(model, err) || phi_genai_find(genai, model, err) ? -1 : 0;
	if (phi_genai_family(model, config, err))
		return phi_context(err, PHI_GENAI_CONFIG);
	return phi_genai_find(genai, model, err) || phi_genai_config(genai, model, config, err) ||
			describe_config(model, err) ? -1 : 0;
}

static int
describe(struct phi_source *source, struct phi_store *store, const json_t *config,
	const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_genai *const genai = source->state;
	struct phi_model *const model = source->model;
	const char *const name = decoder_name(store, config, err);
	if (!name)
		return phi_context(err, PHI_GENAI_CONFIG);
	model->name = phi_arena_strdup(model->arena, phi_store_base(store), err);
	if (!model->name || phi_model_load_sides(model, store, err))
		return -1;
	genai->composition.below = open_decoder(store, name, options, err);
	if (!genai->composition.below || take_warnings(model, genai->composition.below->model, err))
		return -1;
	return find(genai, model, config, err) || phi_onnx_compose_begin(&genai->composition, model, err) ||
			phi_genai_settle(genai, model, err) ? -1 : 0;
}

struct phi_source *
phi_onnx_genai_open(struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("onnx-genai", &ops, sizeof(struct phi_genai), err);
	json_t *const config = source ? load_config(store, err) : NULL;
	int result = -1;
	if (config)
		result = describe(source, store, config, options, err);
	else if (source)
		phi_context(err, PHI_GENAI_CONFIG);
	json_decref(config);
	if (!result) {
		forget(source->state);
		return source;
	}
	phi_source_close(source);
	return NULL;
}
