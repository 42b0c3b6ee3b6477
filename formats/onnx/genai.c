#include "formats/onnx/genai.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/json.h"

#include <inttypes.h>
#include <string.h>

static const char config_name[] = "genai_config.json";

/* As the runtime's own builder has them: what is captured once is replayed, where the device can. */
static const char *
provider(enum phi_device device)
{
#define OPEN "\n                    {\n                        "
#define CLOSE "\n                        }\n                    }\n                "
	return device == PHI_DEVICE_CUDA
		? OPEN "\"cuda\": {\n                            \"enable_cuda_graph\": \"0\"" CLOSE
		: device == PHI_DEVICE_DML
		? OPEN "\"dml\": {\n                            \"enable_graph_capture\": \"1\"" CLOSE : "";
#undef OPEN
#undef CLOSE
}

static int
put_decoder(struct phi_buffer *out, const struct phi_hparams *h, enum phi_device device, bool places,
	struct phi_err *err)
{
	return phi_buffer_printf(out, err,
		"        \"decoder\": {\n"
		"            \"session_options\": {\n"
		"                \"log_id\": \"onnxruntime-genai\",\n"
		"                \"provider_options\": [%s]\n"
		"            },\n"
		"            \"filename\": \"model.onnx\",\n"
		"            \"head_size\": %" PRIu32 ",\n"
		"            \"hidden_size\": %" PRIu32 ",\n"
		"            \"inputs\": {\n"
		"                \"input_ids\": \"input_ids\",\n"
		"                \"attention_mask\": \"attention_mask\",\n"
		"%s"
		"                \"past_key_names\": \"past_key_values.%%d.key\",\n"
		"                \"past_value_names\": \"past_key_values.%%d.value\"\n"
		"            },\n"
		"            \"outputs\": {\n"
		"                \"logits\": \"logits\",\n"
		"                \"present_key_names\": \"present.%%d.key\",\n"
		"                \"present_value_names\": \"present.%%d.value\"\n"
		"            },\n"
		"            \"num_attention_heads\": %" PRIu32 ",\n"
		"            \"num_hidden_layers\": %" PRIu32 ",\n"
		"            \"num_key_value_heads\": %" PRIu32 "\n"
		"        },\n",
		provider(device), h->head_dim, h->hidden,
		places ? "                \"position_ids\": \"position_ids\",\n" : "", h->heads, h->layers, h->kv_heads);
}

static double
number(const json_t *g, const char *key, double otherwise)
{
	const json_t *const v = json_object_get(g, key);
	return json_is_number(v) ? json_number_value(v) : otherwise;
}

static const char *
flag(const json_t *g, const char *key, bool otherwise)
{
	const json_t *const v = json_object_get(g, key);
	return (json_is_boolean(v) ? json_is_true(v) : otherwise) ? "true" : "false";
}

static int
put_search(struct phi_buffer *out, const struct phi_hparams *h, const json_t *g, struct phi_err *err)
{
	return phi_buffer_printf(out, err,
		"    \"search\": {\n"
		"        \"diversity_penalty\": %.9g,\n"
		"        \"do_sample\": %s,\n"
		"        \"early_stopping\": true,\n"
		"        \"length_penalty\": %.9g,\n"
		"        \"max_length\": %" PRIu32 ",\n"
		"        \"min_length\": 0,\n"
		"        \"no_repeat_ngram_size\": %.0f,\n"
		"        \"num_beams\": %.0f,\n"
		"        \"num_return_sequences\": 1,\n"
		"        \"past_present_share_buffer\": true,\n"
		"        \"repetition_penalty\": %.9g,\n"
		"        \"temperature\": %.9g,\n"
		"        \"top_k\": %.0f,\n"
		"        \"top_p\": %.9g\n"
		"    }\n",
		number(g, "diversity_penalty", 0), flag(g, "do_sample", false), number(g, "length_penalty", 1),
		h->context, number(g, "no_repeat_ngram_size", 0), number(g, "num_beams", 1),
		number(g, "repetition_penalty", 1), number(g, "temperature", 1), number(g, "top_k", 50),
		number(g, "top_p", 1));
}

/* The runtime's kinds of models: those of these families that it treats apart, for longrope's sake. */
static const char *
kind(const struct phi_family *family)
{
	return !strcmp(family->name, "phi2") ? "phi" : !strcmp(family->name, "phimoe") ? "phimoe" : "phi3";
}

static int
write_config(const struct phi_model *model, const struct phi_hparams *h, enum phi_device device, bool places,
	struct phi_buffer *out, struct phi_err *err)
{
	json_t *g;
	if (phi_onnx_genai_side(model, "generation_config.json", &g, err))
		return -1;
	const int result = phi_buffer_printf(out, err, "{\n    \"model\": {\n") ||
		phi_onnx_genai_tokens(out, model, g, err) ||
		phi_buffer_printf(out, err, "        \"context_length\": %" PRIu32 ",\n", h->context) ||
		put_decoder(out, h, device, places, err) ||
		phi_buffer_printf(out, err, "        \"type\": \"%s\",\n        \"vocab_size\": %" PRIu32 "\n    },\n",
			kind(model->family), h->vocab) ||
		put_search(out, h, g, err) || phi_buffer_printf(out, err, "}\n");
	json_decref(g);
	return result ? -1 : 0;
}

static int
add_file(struct phi_plan *plan, const char *name, const void *data, size_t size, struct phi_err *err)
{
	struct phi_quoted q;
	for (unsigned f = 0; f < plan->nfiles; f++)
		if (!strcmp(plan->files[f].name, name))
			return phi_fail(err, PHI_FORMAT, "side file %s: not the decoder's name", phi_quote(&q, name));
	return phi_plan_add_file(plan, name, err) ||
		phi_plan_add_literal(plan, name, plan->nfiles - 1, 0, data, size, err) ? -1 : 0;
}

int
phi_onnx_genai_complete(struct phi_plan *plan, const struct phi_hparams *h, enum phi_device device, bool places,
	struct phi_err *err)
{
	const struct phi_model *const model = plan->model;
	struct phi_buffer text = { 0 };
	for (size_t i = 0; i < model->nsides; i++)
		if (strcmp(model->sides[i].name, config_name) &&
			add_file(plan, model->sides[i].name, model->sides[i].data, model->sides[i].size, err))
			return -1;
	int result = write_config(model, h, device, places, &text, err);
	const void *const data = result ? NULL : phi_arena_copy(plan->arena, text.data, text.size, err);
	result = data ? add_file(plan, config_name, data, text.size, err) : -1;
	phi_buffer_free(&text);
	return result;
}
