#include "formats/gguf/hf_keys.h"

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

/* What each architecture's keys are; a new one is a function and a line. */
static const struct {
	const char *arch;
	int (*add)(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err);
} architectures[] = {
	{ "phi3", phi3_keys },
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
	return phi_hf_vocabulary(lowered, facts, err);
}
