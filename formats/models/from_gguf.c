/* The hyper-parameters in a GGUF's metadata: ARCH.embedding_length and the like, and what its tensors
 * say: the vocabulary's size, whether there is a head of its own, which biases there are. */
#include "formats/models/hparam.h"
#include "formats/models/rules.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 96 };

/* Is there a tensor of this presence? */
static bool
has(const struct phi_model *model, enum phi_presence presence)
{
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_family_tensor *const e =
			phi_family_entry(model, &model->tensors[i]);
		if (e && e->presence == presence)
			return true;
	}
	return false;
}

static const char *
spell(const struct phi_model *model, const char *key, char full[KEY_MAX])
{
	snprintf(full, KEY_MAX, "%s.%s", model->family->gguf_arch, key);
	return full;
}

static int
count(const struct phi_model *model, const char *key, const uint32_t *absent, uint32_t *out,
	struct phi_err *err)
{
	char full[KEY_MAX];
	return phi_hparam_count(&model->metadata, spell(model, key, full), absent, out, err);
}

static int
tokens(const struct phi_model *model, const char *key, const uint32_t *absent, uint32_t *out,
	struct phi_err *err)
{
	char full[KEY_MAX];
	return phi_hparam_tokens(&model->metadata, spell(model, key, full), absent, out, err);
}

static int
real(const struct phi_model *model, const char *key, const double *absent, double *out,
	struct phi_err *err)
{
	char full[KEY_MAX];
	return phi_hparam_real(&model->metadata, spell(model, key, full), absent, out, err);
}

static int
read_keys(const struct phi_model *model, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err)
{
	const uint32_t none = 0;
	const double theta = 10000, one = 1;
	if (count(model, "embedding_length", NULL, &h->hidden, err) < 0 ||
		count(model, "feed_forward_length", NULL, &h->ffn, err) < 0 ||
		count(model, "block_count", NULL, &h->layers, err) < 0 ||
		count(model, "attention.head_count", NULL, &h->heads, err) < 0 ||
		count(model, "attention.head_count_kv", &h->heads, &h->kv_heads, err) < 0 ||
		tokens(model, "context_length", NULL, &h->context, err) < 0 ||
		tokens(model, "rope.scaling.original_context_length", &h->context,
			&h->original_context, err) < 0 ||
		tokens(model, "attention.sliding_window", &none, &h->sliding_window, err) < 0 ||
		real(model, rules->gguf_epsilon_key, NULL, &h->norm_epsilon, err) < 0 ||
		real(model, "rope.freq_base", &theta, &h->rope_theta, err) < 0 ||
		real(model, "rope.scaling.attn_factor", &one, &h->attention_factor, err) < 0)
		return -1;
	if (rules->experts && (count(model, "expert_count", NULL, &h->experts, err) < 0 ||
		count(model, "expert_used_count", NULL, &h->experts_used, err) < 0))
		return -1;
	const uint32_t head = h->hidden / h->heads;
	return count(model, "rope.dimension_count", &head, &h->rotary, err);
}

int
phi_hparams_from_gguf(const struct phi_model *model, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err)
{
	const struct phi_metadata *const m = &model->metadata;
	const struct phi_tensor *const embedding = phi_model_with_role(model, PHI_ROLE_EMBEDDING);
	if (read_keys(model, rules, h, err) < 0 || phi_hparams_derive(h, err) < 0)
		return -1;
	if (!embedding || embedding->rank != 2 || embedding->shape[0] > PHI_HPARAM_MAX)
		return phi_fail(err, PHI_FORMAT, "tensor token_embd.weight is missing or misshapen");
	h->vocab = (uint32_t)embedding->shape[0];
	h->partial_rotary = (double)h->rotary / h->head_dim;
	h->has_sliding_window = h->sliding_window > 0; /* 0 stands for none: Phi-4 */
	h->tied = !phi_model_with_role(model, PHI_ROLE_OUTPUT);
	h->attention_bias = has(model, PHI_ATTENTION_BIAS);
	h->head_bias = has(model, PHI_HEAD_BIAS);
	if (phi_model_with_role(model, PHI_ROLE_ROPE_LONG))
		h->rope = PHI_ROPE_LONGROPE;
	h->bos = phi_hparam_token(m, "tokenizer.ggml.bos_token_id");
	h->eos = phi_hparam_token(m, "tokenizer.ggml.eos_token_id");
	h->pad = phi_hparam_token(m, "tokenizer.ggml.padding_token_id");
	return 0;
}
