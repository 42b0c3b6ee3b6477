/* config.json of a decoder's folder that comes without one, as the runtime's builder makes it. What the model is like
 * stands in genai_config.json, in the attributes of the graph's operators, and in the shapes of the weights:
 *
 *     genai_config.json    heads, their size, the tokens that begin and end a text, how to sample
 *     attributes           epsilon of the norms, the sliding window
 *     weights              vocabulary, hidden and feed-forward size, layers, is the head the embedding?
 *     caches               everything about the rotary embedding (genai_rope.c)
 */
#include "formats/onnx/genai_read.h"

#include "formats/core/escape.h"
#include "formats/core/json_write.h"
#include "formats/models/config_text.h"
#include "formats/models/hparam.h"
#include "formats/onnx/genai_rope.h"

#include <inttypes.h>
#include <string.h>

/* "phi": Phi-1 to Phi-2. */
static const char *const families[][2] = { { "phi3", "phi3" }, { "phi", "phi2" }, { "phimoe", "phimoe" } };

int
phi_genai_family(struct phi_model *model, const json_t *config, struct phi_err *err)
{
	const char *const type = json_string_value(json_object_get(json_object_get(config, "model"), "type"));
	struct phi_quoted q;
	for (size_t i = 0; type && i < sizeof families / sizeof *families; i++)
		for (const struct phi_family *const *f = phi_families; *f && !strcmp(families[i][0], type); f++)
			if (!strcmp((*f)->name, families[i][1])) {
				model->family = *f;
				return 0;
			}
	if (!type)
		return phi_fail(err, PHI_FORMAT, "it does not say what the model is (model.type)");
	return phi_fail(err, PHI_UNSUPPORTED, "model.type %s is no known family, and there is no config.json",
		phi_quote(&q, type));
}

static int
count(const json_t *object, const char *key, int64_t most, uint32_t *out, struct phi_err *err)
{
	const json_t *const v = json_object_get(object, key);
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > most)
		return phi_fail(err, PHI_FORMAT, PHI_GENAI_CONFIG ": %s is no number from 1 to %" PRId64, key, most);
	*out = (uint32_t)json_integer_value(v);
	return 0;
}

/* A token, or the first of several; -1: none is said. */
static int64_t
token(const json_t *model, const char *key)
{
	const json_t *const v = json_object_get(model, key), *const first = json_is_array(v) ? json_array_get(v, 0) : v;
	return json_is_integer(first) && json_integer_value(first) >= 0 ? json_integer_value(first) : -1;
}

static int
read_config(const json_t *config, struct phi_hparams *h, struct phi_err *err)
{
	const json_t *const model = json_object_get(config, "model"), *const decoder = json_object_get(model, "decoder");
	h->bos = token(model, "bos_token_id");
	h->eos = token(model, "eos_token_id");
	h->pad = token(model, "pad_token_id");
	return count(model, "context_length", UINT32_MAX, &h->context, err) ||
		count(decoder, "head_size", PHI_HPARAM_MAX, &h->head_dim, err) ||
		count(decoder, "num_attention_heads", PHI_HPARAM_MAX, &h->heads, err) ||
		count(decoder, "num_key_value_heads", PHI_HPARAM_MAX, &h->kv_heads, err) ? -1 : 0;
}

/* Weights */

static const struct phi_tensor *
weight(const struct phi_genai *genai, const char *canonical)
{
	const uint32_t i = phi_names_find(genai->weights, canonical, strlen(canonical));
	return i == PHI_NONE ? NULL : &genai->found[i].tensor;
}

/* Rows or columns of the first that is there; at most what a hyper-parameter may be, else 0. */
static uint32_t
extent(const struct phi_genai *genai, const char *const *names, unsigned dim)
{
	for (; *names; names++) {
		const struct phi_tensor *const t = weight(genai, *names);
		if (t)
			return t->rank == 2 && t->shape[dim] <= PHI_HPARAM_MAX ? (uint32_t)t->shape[dim] : 0;
	}
	return 0;
}

static int
read_weights(const struct phi_genai *genai, const struct phi_model *model, struct phi_hparams *h, struct phi_err *err)
{
	static const char *const embedding[] = { "model.embed_tokens.weight", NULL };
	static const char *const down[] = { "model.layers.0.mlp.down_proj.weight", "model.layers.0.mlp.fc2.weight", NULL };
	struct phi_holes holes;
	h->vocab = extent(genai, embedding, 0);
	h->hidden = extent(genai, embedding, 1);
	h->ffn = extent(genai, down, 1);
	h->tied = !weight(genai, "lm_head.weight");
	for (size_t i = 0; i < genai->nfound; i++)
		if (phi_family_match("model.layers.{}.input_layernorm.weight", genai->found[i].canonical, &holes) &&
			holes.layer < PHI_HPARAM_MAX && (uint32_t)holes.layer >= h->layers)
			h->layers = (uint32_t)holes.layer + 1;
	if (h->vocab && h->hidden && h->ffn && h->layers)
		return 0;
	return phi_fail(err, PHI_UNSUPPORTED, "the weights of a %s model are not among the decoder's, and there is no "
		"config.json", model->family->name);
}

/* Attributes */

static bool
is_norm(const PhiOnnx__Node *node)
{
	return phi_onnx_is(node, "", "SimplifiedLayerNormalization") || phi_onnx_is(node, "", "LayerNormalization") ||
		phi_onnx_is(node, "", "RMSNormalization");
}

static int
read_graph(const struct phi_genai *genai, struct phi_hparams *h, struct phi_err *err)
{
	const PhiOnnx__Graph *const graph = phi_genai_graph(genai);
	for (size_t i = 0; i < graph->n_node; i++) {
		const PhiOnnx__Node *const node = graph->node[i];
		const PhiOnnx__Attribute *const epsilon = is_norm(node) ? phi_onnx_attribute(node, "epsilon") : NULL;
		if (epsilon && epsilon->has_f)
			h->norm_epsilon = (double)epsilon->f;
		if (phi_onnx_attribute_int(node, "rotary_interleaved", 0) || phi_onnx_attribute_int(node, "interleaved", 0))
			return phi_fail(err, PHI_UNSUPPORTED, "attention that rotates neighbours (rotary_interleaved) is that of "
				"no Phi model");
		const int64_t window = phi_onnx_attribute_int(node, "local_window_size", -1);
		if (window > 0 && window <= UINT32_MAX) {
			h->sliding_window = (uint32_t)window;
			h->has_sliding_window = true;
		}
	}
	return h->norm_epsilon > 0 && h->norm_epsilon < 1 ? 0 : phi_fail(err, PHI_UNSUPPORTED,
		"the graph has no norm whose epsilon is known, and there is no config.json");
}

/* Of quantized weights nothing tells what they were: what the family's checkpoints are in. */
static const struct phi_type *
dtype_of(const struct phi_genai *genai, const struct phi_model *model)
{
	const struct phi_type *type = NULL;
	for (size_t i = 0; i < genai->nfound; i++) {
		const struct phi_tensor *const t = &genai->found[i].tensor;
		if (t->type->class != PHI_CLASS_FLOAT)
			return phi_family_dtype(model->family);
		type = t->type;
	}
	return type ? type : phi_family_dtype(model->family);
}

/* Files */

static int
add_side(struct phi_model *model, const char *name, struct phi_buffer *text, int written, struct phi_err *err)
{
	const int result = written ? -1 : phi_model_add_side(model, name, text->data, text->size, err);
	phi_buffer_free(text);
	*text = (struct phi_buffer){ 0 };
	return result;
}

static void
write_tokens(struct phi_json_writer *w, const char *key, const json_t *ids)
{
	if (json_is_integer(ids) && json_integer_value(ids) >= 0)
		phi_json_write_count(w, key, (uint64_t)json_integer_value(ids));
	if (!json_is_array(ids))
		return;
	phi_json_write_open(w, key, '[');
	for (size_t i = 0; i < json_array_size(ids); i++)
		write_tokens(w, NULL, json_is_array(json_array_get(ids, i)) ? NULL : json_array_get(ids, i));
	phi_json_write_close(w, ']');
}

static void
write_real(struct phi_json_writer *w, const json_t *search, const char *key)
{
	const json_t *const v = json_object_get(search, key);
	if (json_is_real(v))
		phi_json_write_real(w, key, json_real_value(v), false);
}

/* What is sampled with, and all ends of a text. */
static int
write_generation(const json_t *config, struct phi_buffer *out, struct phi_err *err)
{
	static const char *const ids[] = { "bos_token_id", "eos_token_id", "pad_token_id" };
	const json_t *const model = json_object_get(config, "model"), *const search = json_object_get(config, "search");
	const json_t *const top = json_object_get(search, "top_k");
	struct phi_json_writer w;
	phi_json_write_begin(&w, out, err);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		write_tokens(&w, ids[i], json_object_get(model, ids[i]));
	if (json_is_true(json_object_get(search, "do_sample"))) {
		phi_json_write_flag(&w, "do_sample", true);
		write_real(&w, search, "temperature");
		write_real(&w, search, "top_p");
		if (json_is_integer(top) && json_integer_value(top) > 0)
			phi_json_write_count(&w, "top_k", (uint64_t)json_integer_value(top));
	}
	return phi_json_write_end(&w);
}

int
phi_genai_config(struct phi_genai *genai, struct phi_model *model, const json_t *config, struct phi_err *err)
{
	struct phi_hparams h = { .attention_factor = 1 };
	struct phi_buffer text = { 0 };
	if (read_config(config, &h, err) || read_weights(genai, model, &h, err) ||
		read_graph(genai, &h, err) || phi_genai_rope(genai->composition.below, model->arena, &h, err))
		return -1;
	const char *const made_up = phi_config_made_up(model->family, &h, model->arena, err);
	if (!made_up || add_side(model, "config.json", &text,
		phi_config_text(model->family, &h, dtype_of(genai, model), &text, err), err))
		return -1;
	if (!phi_model_side(model, "generation_config.json") &&
		add_side(model, "generation_config.json", &text, write_generation(config, &text, err), err))
		return -1;
	return phi_model_warn(model, err, "without a config.json a decoder does not say all that a checkpoint does; as in %s "
		"models are set: %s", model->family->name, made_up);
}
