/* The hyper-parameters in config.json, by the rules of a family. What the file does not say has the
 * default of the family's class in transformers. */
#include "formats/core/escape.h"
#include "formats/models/hparam.h"
#include "formats/models/rules.h"

#include <inttypes.h>
#include <string.h>

/* What follows from the numbers, and what must hold among them. */
int
phi_hparams_derive(struct phi_hparams *h, struct phi_err *err)
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

/* Things a config.json may say that would make it another model than the one we write. */
static int
refuse_odd(const struct phi_metadata *m, const struct phi_config_rules *rules,
	const struct phi_hparams *h, struct phi_err *err)
{
	if (phi_hparam_group(m, "quantization_config."))
		return phi_fail(err, PHI_UNSUPPORTED,
			"quantization_config: the weights are quantized already, which is not read yet");
	const char *const act = phi_value_string(phi_hparam_find(m, "hidden_act"));
	struct phi_quoted q;
	const char *const *known = rules->activations;
	while (act && *known && strcmp(act, *known) != 0)
		known++;
	if (act && !*known)
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

/* A window of 0 tokens and none are two things to a reader of the file. */
static int
read_counts(const struct phi_metadata *m, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err)
{
	const uint32_t none = 0;
	if (phi_hparam_count(m, "vocab_size", &rules->vocab, &h->vocab, err) < 0 ||
		phi_hparam_count(m, "hidden_size", &rules->hidden, &h->hidden, err) < 0 ||
		phi_hparam_count(m, "intermediate_size", &rules->ffn, &h->ffn, err) < 0 ||
		phi_hparam_count(m, "num_hidden_layers", &rules->layers, &h->layers, err) < 0 ||
		phi_hparam_count(m, "num_attention_heads", &rules->heads, &h->heads, err) < 0 ||
		phi_hparam_count(m, "num_key_value_heads",
			rules->kv_heads && !phi_metadata_find(m, "num_key_value_heads")
				? &rules->kv_heads : &h->heads, &h->kv_heads, err) < 0 ||
		phi_hparam_tokens(m, "max_position_embeddings", &rules->context, &h->context, err) < 0)
		return -1;
	h->has_sliding_window = phi_hparam_find(m, "sliding_window") != NULL;
	return phi_hparam_tokens(m, "sliding_window", &none, &h->sliding_window, err);
}

static int
read_experts(const struct phi_metadata *m, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err)
{
	if (!rules->experts)
		return 0;
	if (phi_hparam_count(m, "num_local_experts", &rules->experts, &h->experts, err) < 0 ||
		phi_hparam_count(m, "num_experts_per_tok", &rules->used, &h->experts_used, err) < 0)
		return -1;
	if (h->experts_used > h->experts)
		return phi_fail(err, PHI_FORMAT, "%" PRIu32 " experts for a token, of %" PRIu32,
			h->experts_used, h->experts);
	return 0;
}

static int
read_config(const struct phi_model *model, struct phi_hparams *h, struct phi_err *err)
{
	const struct phi_config_rules *const rules = model->family->rules;
	const struct phi_metadata *const m = &model->metadata;
	if (read_counts(m, rules, h, err) < 0 || read_experts(m, rules, h, err) < 0 ||
		phi_hparam_real(m, rules->epsilon_key, &rules->epsilon, &h->norm_epsilon, err) < 0 ||
		phi_hparam_flag(m, "tie_word_embeddings", false, &h->tied, err) < 0)
		return -1;
	h->bos = phi_hparam_token(m, "bos_token_id");
	h->eos = phi_hparam_token(m, "eos_token_id");
	h->pad = phi_hparam_token(m, "pad_token_id");
	if (phi_rope_read(model, rules, h, err) < 0 || refuse_odd(m, rules, h, err) < 0)
		return -1;
	return rules->more ? rules->more(m, h, err) : 0;
}

int
phi_family_hparams(const struct phi_model *model, struct phi_hparams *out, struct phi_err *err)
{
	*out = (struct phi_hparams){ .bos = -1 };
	if (phi_family_from_gguf(model))
		return phi_hparams_from_gguf(model, model->family->rules, out, err);
	if (read_config(model, out, err) < 0)
		return phi_context(err, "config.json");
	return 0;
}
