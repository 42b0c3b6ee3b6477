/* Phi-3-mini and -medium, Phi-3.5-mini, Phi-4, Phi-4-mini and their reasoning kin: fused qkv and
 * gate_up, grouped queries, partial rotary, longrope, tied or not. No biases, RMS norms, SiLU.
 *
 * config.json comes in two generations. transformers 4 wrote rope_theta, partial_rotary_factor,
 * rope_scaling {type, long_factor, short_factor}; transformers 5 writes all of them into
 * rope_parameters. What neither says has the default of the class Phi3Config (transformers 5.23),
 * because that is how the model is loaded there. Facts: facts/gguf.md 6.5, facts/pytorch_tf.md 2.2. */
#include "formats/core/escape.h"
#include "formats/models/family.h"
#include "formats/models/hparam.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const architectures[] = { "Phi3ForCausalLM", NULL };

static const struct phi_family_tensor tensors[] = {
	{ PHI_ROLE_EMBEDDING, "model.embed_tokens.weight", "token_embd.weight", PHI_ALWAYS,
		{ PHI_DIM_VOCAB, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ATTN_NORM, "model.layers.{}.input_layernorm.weight", "blk.{}.attn_norm.weight",
		PHI_ALWAYS, { PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ATTN_QKV, "model.layers.{}.self_attn.qkv_proj.weight", "blk.{}.attn_qkv.weight",
		PHI_ALWAYS, { PHI_DIM_QKV, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ATTN_OUTPUT, "model.layers.{}.self_attn.o_proj.weight",
		"blk.{}.attn_output.weight", PHI_ALWAYS, { PHI_DIM_HIDDEN, PHI_DIM_HEADS } },
	{ PHI_ROLE_FFN_NORM, "model.layers.{}.post_attention_layernorm.weight",
		"blk.{}.ffn_norm.weight", PHI_ALWAYS, { PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_GATE_UP, "model.layers.{}.mlp.gate_up_proj.weight", "blk.{}.ffn_up.weight",
		PHI_ALWAYS, { PHI_DIM_FFN_TWICE, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_DOWN, "model.layers.{}.mlp.down_proj.weight", "blk.{}.ffn_down.weight",
		PHI_ALWAYS, { PHI_DIM_HIDDEN, PHI_DIM_FFN } },
	{ PHI_ROLE_OUTPUT_NORM, "model.norm.weight", "output_norm.weight", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_OUTPUT, "lm_head.weight", "output.weight", PHI_UNTIED,
		{ PHI_DIM_VOCAB, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ROPE_LONG, NULL, "rope_factors_long.weight", PHI_MAYBE,
		{ PHI_DIM_HALF_ROTARY } },
	{ PHI_ROLE_ROPE_SHORT, NULL, "rope_factors_short.weight", PHI_MAYBE,
		{ PHI_DIM_HALF_ROTARY } },
	{ PHI_ROLE_NONE, "model.layers.{}.self_attn.rotary_emb.inv_freq", NULL, PHI_DROPPED,
		{ PHI_DIM_ANY } },
	{ .canonical = NULL },
};

/* What follows from the numbers, and what must hold among them. */
static int
derive(struct phi_hparams *h, struct phi_err *err)
{
	if (h->hidden % h->heads)
		return phi_fail(err, PHI_FORMAT, "%" PRIu32 " heads do not divide hidden size %" PRIu32,
			h->heads, h->hidden);
	if (h->kv_heads > h->heads || h->heads % h->kv_heads)
		return phi_fail(err, PHI_FORMAT,
			"%" PRIu32 " key-value heads do not divide %" PRIu32 " heads", h->kv_heads,
			h->heads);
	h->head_dim = h->hidden / h->heads;
	if (h->rotary == 0 || h->rotary % 2 || h->rotary > h->head_dim)
		return phi_fail(err, PHI_FORMAT,
			"%" PRIu32 " rotary dimensions in heads of %" PRIu32, h->rotary, h->head_dim);
	return 0;
}

/* Everything about the rotary embedding but its type, as config.json has it under `group`. */
static int
read_rotary(const struct phi_metadata *m, const char *group, struct phi_hparams *h,
	struct phi_err *err)
{
	char key[64];
	double theta = 10000, partial = 1;
	if (phi_hparam_real(m, "rope_theta", &theta, &theta, err) < 0 ||
		phi_hparam_real(m, "partial_rotary_factor", &partial, &partial, err) < 0)
		return -1;
	snprintf(key, sizeof key, "%srope_theta", group);
	if (phi_hparam_real(m, key, &theta, &h->rope_theta, err) < 0)
		return -1;
	snprintf(key, sizeof key, "%spartial_rotary_factor", group);
	if (phi_hparam_real(m, key, &partial, &h->partial_rotary, err) < 0)
		return -1;
	if (h->partial_rotary > 1)
		return phi_fail(err, PHI_FORMAT, "%s is above 1", key);
	/* The product is truncated before the division, as transformers and the converter do. */
	h->rotary = (uint32_t)(h->partial_rotary * h->hidden) / h->heads;
	return 0;
}

/* Longrope goes by three names: "su" and, for some weeks of 2024, "yarn" meant the same in this
 * family; transformers reads them as longrope. */
static int
read_type(const struct phi_metadata *m, const char *group, struct phi_hparams *h,
	struct phi_err *err)
{
	char key[64];
	snprintf(key, sizeof key, "%srope_type", group);
	const struct phi_value *v = phi_hparam_find(m, key);
	if (!v) {
		snprintf(key, sizeof key, "%stype", group);
		v = phi_hparam_find(m, key);
	}
	if (!v)
		return 0;
	const char *const type = phi_value_string(v);
	struct phi_quoted q;
	if (!type)
		return phi_fail(err, PHI_FORMAT, "%s is no name", key);
	if (!strcmp(type, "longrope") || !strcmp(type, "su") || !strcmp(type, "yarn"))
		h->rope = PHI_ROPE_LONGROPE;
	else if (strcmp(type, "default") != 0)
		return phi_fail(err, PHI_UNSUPPORTED, "%s \"%s\" is not known for this model", key,
			phi_quote(&q, type));
	return 0;
}

/* The two lists of divisors and the length they are measured from. */
static int
read_factors(const struct phi_model *model, const char *group, struct phi_hparams *h,
	struct phi_err *err)
{
	const struct phi_metadata *const m = &model->metadata;
	char longer[64], shorter[64], original[80];
	snprintf(longer, sizeof longer, "%slong_factor", group);
	snprintf(shorter, sizeof shorter, "%sshort_factor", group);
	snprintf(original, sizeof original, "%soriginal_max_position_embeddings", group);
	const uint32_t usual = 4096;
	uint32_t outer;
	if (phi_hparam_tokens(m, "original_max_position_embeddings", &usual, &outer, err) < 0)
		return -1;
	h->original_context = outer;
	if (h->rope == PHI_ROPE_PLAIN)
		return phi_hparam_find(m, longer)
			? phi_fail(err, PHI_FORMAT, "%s without the rope type longrope", longer)
			: phi_hparam_tokens(m, original, &outer, &h->original_context, err);
	if (phi_hparam_reals(m, longer, model->arena, &h->long_factor, &h->nlong, err) < 0 ||
		phi_hparam_reals(m, shorter, model->arena, &h->short_factor, &h->nshort, err) < 0)
		return -1;
	if (!h->nlong || !h->nshort)
		return phi_fail(err, PHI_FORMAT, "%s is missing", h->nlong ? shorter : longer);
	if (h->nlong != h->rotary / 2 || h->nshort != h->rotary / 2)
		return phi_fail(err, PHI_FORMAT,
			"%s has %zu numbers, but half the rotary dimensions are %" PRIu32,
			h->nlong != h->rotary / 2 ? longer : shorter,
			h->nlong != h->rotary / 2 ? h->nlong : h->nshort, h->rotary / 2);
	if (h->original_context < 2)
		return phi_fail(err, PHI_FORMAT, "original_max_position_embeddings is %" PRIu32,
			h->original_context);
	return 0;
}

static int
read_rope(const struct phi_model *model, struct phi_hparams *h, struct phi_err *err)
{
	const struct phi_metadata *const m = &model->metadata;
	if (phi_hparam_group(m, "rope_parameters.full_attention.") ||
		phi_hparam_group(m, "rope_parameters.sliding_attention."))
		return phi_fail(err, PHI_UNSUPPORTED,
			"rope_parameters differ by kind of layer, which this model has not");
	const char *const group =
		phi_hparam_group(m, "rope_scaling.") ? "rope_scaling." : "rope_parameters.";
	if (read_rotary(m, group, h, err) < 0 || derive(h, err) < 0 ||
		read_type(m, group, h, err) < 0 || read_factors(model, group, h, err) < 0)
		return -1;
	/* In doubles, rounded once by whoever stores it: 131072 / 4096 gives 1.1902380714238083. */
	const double scale = (double)h->context / h->original_context;
	h->attention_factor = h->rope == PHI_ROPE_LONGROPE && scale > 1
		? sqrt(1 + log(scale) / log(h->original_context)) : 1;
	return 0;
}

/* Things a config.json may say that would make it another model than the one we write. */
static int
refuse_odd(const struct phi_metadata *m, const struct phi_hparams *h, struct phi_err *err)
{
	if (phi_hparam_group(m, "quantization_config."))
		return phi_fail(err, PHI_UNSUPPORTED,
			"quantization_config: the weights are quantized already, which is not read yet");
	const char *const act = phi_value_string(phi_hparam_find(m, "hidden_act"));
	struct phi_quoted q;
	if (act && strcmp(act, "silu") != 0 && strcmp(act, "swish") != 0)
		return phi_fail(err, PHI_UNSUPPORTED, "hidden_act \"%s\" is not known for this model",
			phi_quote(&q, act));
	uint32_t dim;
	if (phi_hparam_count(m, "head_dim", &h->head_dim, &dim, err) < 0)
		return -1;
	if (dim != h->head_dim)
		return phi_fail(err, PHI_UNSUPPORTED, "head_dim is %" PRIu32 ", expected %" PRIu32, dim,
			h->head_dim);
	return 0;
}

static int
read_config(const struct phi_model *model, struct phi_hparams *h, struct phi_err *err)
{
	const struct phi_metadata *const m = &model->metadata;
	const uint32_t vocab = 32064, hidden = 3072, ffn = 8192, layers = 32, heads = 32,
		       context = 4096, none = 0;
	const double epsilon = 1e-5;
	if (phi_hparam_count(m, "vocab_size", &vocab, &h->vocab, err) < 0 ||
		phi_hparam_count(m, "hidden_size", &hidden, &h->hidden, err) < 0 ||
		phi_hparam_count(m, "intermediate_size", &ffn, &h->ffn, err) < 0 ||
		phi_hparam_count(m, "num_hidden_layers", &layers, &h->layers, err) < 0 ||
		phi_hparam_count(m, "num_attention_heads", &heads, &h->heads, err) < 0 ||
		phi_hparam_count(m, "num_key_value_heads", &h->heads, &h->kv_heads, err) < 0 ||
		phi_hparam_tokens(m, "max_position_embeddings", &context, &h->context, err) < 0 ||
		phi_hparam_tokens(m, "sliding_window", &none, &h->sliding_window, err) < 0 ||
		phi_hparam_real(m, "rms_norm_eps", &epsilon, &h->norm_epsilon, err) < 0 ||
		phi_hparam_flag(m, "tie_word_embeddings", false, &h->tied, err) < 0)
		return -1;
	h->has_sliding_window = phi_hparam_find(m, "sliding_window") != NULL;
	h->bos = phi_hparam_token(m, "bos_token_id");
	h->eos = phi_hparam_token(m, "eos_token_id");
	h->pad = phi_hparam_token(m, "pad_token_id");
	if (read_rope(model, h, err) < 0)
		return -1;
	return refuse_odd(m, h, err);
}

static const struct phi_tensor *
tensor_of(const struct phi_model *model, enum phi_role role)
{
	for (size_t i = 0; i < model->ntensors; i++)
		if (model->tensors[i].role == role)
			return &model->tensors[i];
	return NULL;
}

static int
read_gguf(const struct phi_model *model, struct phi_hparams *h, struct phi_err *err)
{
	const struct phi_metadata *const m = &model->metadata;
	const struct phi_tensor *const embedding = tensor_of(model, PHI_ROLE_EMBEDDING);
	const uint32_t none = 0;
	const double theta = 10000, one = 1;
	if (phi_hparam_count(m, "phi3.embedding_length", NULL, &h->hidden, err) < 0 ||
		phi_hparam_count(m, "phi3.feed_forward_length", NULL, &h->ffn, err) < 0 ||
		phi_hparam_count(m, "phi3.block_count", NULL, &h->layers, err) < 0 ||
		phi_hparam_count(m, "phi3.attention.head_count", NULL, &h->heads, err) < 0 ||
		phi_hparam_count(m, "phi3.attention.head_count_kv", &h->heads, &h->kv_heads, err) < 0 ||
		phi_hparam_tokens(m, "phi3.context_length", NULL, &h->context, err) < 0 ||
		phi_hparam_tokens(m, "phi3.rope.scaling.original_context_length", &h->context,
			&h->original_context, err) < 0 ||
		phi_hparam_tokens(m, "phi3.attention.sliding_window", &none, &h->sliding_window,
			err) < 0 ||
		phi_hparam_real(m, "phi3.attention.layer_norm_rms_epsilon", NULL, &h->norm_epsilon,
			err) < 0 ||
		phi_hparam_real(m, "phi3.rope.freq_base", &theta, &h->rope_theta, err) < 0 ||
		phi_hparam_real(m, "phi3.rope.scaling.attn_factor", &one, &h->attention_factor, err) < 0)
		return -1;
	const uint32_t head = h->hidden / h->heads;
	if (phi_hparam_count(m, "phi3.rope.dimension_count", &head, &h->rotary, err) < 0 ||
		derive(h, err) < 0)
		return -1;
	if (!embedding || embedding->rank != 2 || embedding->shape[0] > PHI_HPARAM_MAX)
		return phi_fail(err, PHI_FORMAT, "tensor token_embd.weight is missing or misshapen");
	h->vocab = (uint32_t)embedding->shape[0];
	h->partial_rotary = (double)h->rotary / h->head_dim;
	h->has_sliding_window = h->sliding_window > 0; /* 0 stands for none: Phi-4 */
	h->tied = !tensor_of(model, PHI_ROLE_OUTPUT);
	if (tensor_of(model, PHI_ROLE_ROPE_LONG))
		h->rope = PHI_ROPE_LONGROPE;
	h->bos = phi_hparam_token(m, "tokenizer.ggml.bos_token_id");
	h->eos = phi_hparam_token(m, "tokenizer.ggml.eos_token_id");
	h->pad = phi_hparam_token(m, "tokenizer.ggml.padding_token_id");
	return 0;
}

static int
hparams(const struct phi_model *model, struct phi_hparams *out, struct phi_err *err)
{
	*out = (struct phi_hparams){ .bos = -1 };
	if (phi_family_from_gguf(model))
		return read_gguf(model, out, err);
	if (read_config(model, out, err) < 0)
		return phi_context(err, "config.json");
	return 0;
}

const struct phi_family phi_family_phi3 = {
	.name = "phi3",
	.architectures = architectures,
	.gguf_arch = "phi3",
	.tensors = tensors,
	.hparams = hparams,
	.check = phi_family_check,
};
