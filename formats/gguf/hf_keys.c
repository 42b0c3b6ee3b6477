#include "formats/gguf/hf_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { QUANTIZATION_VERSION = 2 }; /* GGML_QNT_VERSION */

int
phi_hf_text(struct phi_model *lowered, const char *key, struct phi_string text,
	struct phi_err *err)
{
	if (!text.size)
		return 0;
	return phi_metadata_add(&lowered->metadata, lowered->arena, key,
		(struct phi_value){ .kind = PHI_VALUE_STRING, .s = text }, err);
}

static int
count(struct phi_model *lowered, const char *key, uint32_t value, struct phi_err *err)
{
	char full[96];
	snprintf(full, sizeof full, "%s.%s", lowered->family->gguf_arch, key);
	return phi_metadata_add_u32(&lowered->metadata, lowered->arena, full, value, err);
}

static int
real(struct phi_model *lowered, const char *key, double value, struct phi_err *err)
{
	char full[96];
	snprintf(full, sizeof full, "%s.%s", lowered->family->gguf_arch, key);
	return phi_metadata_add_f32(&lowered->metadata, lowered->arena, full, value, err);
}

/* What the converter leaves out or makes up, the runtime takes for granted: a checkpoint that has it
 * otherwise would run as another model. */
static int
phi2_fits(const struct phi_hparams *h, struct phi_err *err)
{
	if (h->ffn != 4 * (uint64_t)h->hidden)
		return phi_fail(err, PHI_UNSUPPORTED, "intermediate_size is %" PRIu32 ", but a phi2 GGUF "
			"has four times the hidden size", h->ffn);
	if (h->kv_heads != h->heads)
		return phi_fail(err, PHI_UNSUPPORTED, "%" PRIu32 " key-value heads, but a phi2 GGUF has "
			"as many as heads, %" PRIu32, h->kv_heads, h->heads);
	return h->rope_theta == 10000 ? 0 : phi_fail(err, PHI_UNSUPPORTED,
		"rope_theta is %g, but a phi2 GGUF has 10000", h->rope_theta);
}

static int
phi2_keys(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err)
{
	const struct phi_hparams *const h = facts->hparams;
	if (phi2_fits(h, err) < 0 || count(lowered, "context_length", h->context, err) < 0 ||
		count(lowered, "embedding_length", h->hidden, err) < 0 ||
		count(lowered, "feed_forward_length", h->ffn, err) < 0 ||
		count(lowered, "block_count", h->layers, err) < 0 ||
		count(lowered, "attention.head_count", h->heads, err) < 0 ||
		count(lowered, "attention.head_count_kv", h->kv_heads, err) < 0 ||
		real(lowered, "attention.layer_norm_epsilon", h->norm_epsilon, err) < 0 ||
		count(lowered, "rope.dimension_count", h->rotary, err) < 0 ||
		phi_metadata_add_u32(&lowered->metadata, lowered->arena, "general.file_type",
			facts->file_type, err) < 0)
		return -1;
	return phi_metadata_add_bool(&lowered->metadata, lowered->arena,
		"tokenizer.ggml.add_bos_token", false, err);
}

static int
phi3_keys(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err)
{
	const struct phi_hparams *const h = facts->hparams;
	if (count(lowered, "context_length", h->context, err) < 0 ||
		count(lowered, "rope.scaling.original_context_length", h->original_context, err) < 0 ||
		count(lowered, "embedding_length", h->hidden, err) < 0 ||
		count(lowered, "feed_forward_length", h->ffn, err) < 0 ||
		count(lowered, "block_count", h->layers, err) < 0 ||
		count(lowered, "attention.head_count", h->heads, err) < 0 ||
		count(lowered, "attention.head_count_kv", h->kv_heads, err) < 0 ||
		real(lowered, "attention.layer_norm_rms_epsilon", h->norm_epsilon, err) < 0 ||
		count(lowered, "rope.dimension_count", h->rotary, err) < 0 ||
		real(lowered, "rope.freq_base", h->rope_theta, err) < 0 ||
		phi_metadata_add_u32(&lowered->metadata, lowered->arena, "general.file_type",
			facts->file_type, err) < 0)
		return -1;
	/* 0 stands for none, and tells llama.cpp that this is a Phi-4. */
	return count(lowered, "attention.sliding_window", h->sliding_window, err);
}

static int
phimoe_keys(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err)
{
	if (phi3_keys(lowered, facts, err) < 0 ||
		count(lowered, "expert_used_count", facts->hparams->experts_used, err) < 0)
		return -1;
	return count(lowered, "expert_count", facts->hparams->experts, err);
}

/* What each architecture's keys are; a new one is a function and a line. */
static const struct {
	const char *arch;
	int (*add)(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err);
} architectures[] = {
	{ "phi2", phi2_keys },
	{ "phi3", phi3_keys },
	{ "phimoe", phimoe_keys },
};

static int
architecture_keys(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err)
{
	for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
		if (!strcmp(architectures[i].arch, lowered->family->gguf_arch))
			return architectures[i].add(lowered, facts, err);
	return phi_fail(err, PHI_UNSUPPORTED, "%s models cannot be made a GGUF yet",
		lowered->family->name);
}

/* A key that is set twice keeps its first place and takes the last value. */
static void
settle_twice(struct phi_metadata *m, const char *key)
{
	size_t first = m->count;
	for (size_t i = 0; i < m->count; i++) {
		if (strcmp(m->items[i].key, key) != 0)
			continue;
		if (first == m->count) {
			first = i;
			continue;
		}
		m->items[first].value = m->items[i].value;
		memmove(&m->items[i], &m->items[i + 1], (m->count - i - 1) * sizeof *m->items);
		m->count--;
		return;
	}
}

int
phi_hf_keys(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err)
{
	struct phi_metadata *const m = &lowered->metadata;
	if (phi_metadata_add_string(m, lowered->arena, "general.architecture",
		    lowered->family->gguf_arch, err) < 0)
		return -1;
	if (facts->hparams->rope == PHI_ROPE_LONGROPE &&
		real(lowered, "rope.scaling.attn_factor", facts->hparams->attention_factor, err) < 0)
		return -1;
	if (phi_metadata_add_string(m, lowered->arena, "general.type", "model", err) < 0 ||
		phi_hf_general(lowered, facts, err) < 0 || architecture_keys(lowered, facts, err) < 0 ||
		phi_metadata_add_u32(m, lowered->arena, "general.quantization_version",
			QUANTIZATION_VERSION, err) < 0)
		return -1;
	if (phi_hf_vocabulary(lowered, facts, err) < 0)
		return -1;
	settle_twice(m, "tokenizer.ggml.add_bos_token");
	return 0;
}
