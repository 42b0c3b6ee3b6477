/* The text model of Phi-4-multimodal as transformers itself has it (phi4mm.c: as its repository has it): the adapters are
 * files of their own there, so nothing is wrapped. */
#include "formats/models/rules.h"

#include <stddef.h>

static const char *const architectures[] = { "Phi4MultimodalForCausalLM", NULL };

static const struct phi_family_extra extras[] = {
	{ "model.embed_tokens_extend.image_embed.*", "vision tower" },
	{ "model.embed_tokens_extend.audio_embed.*", "audio tower" },
	{ .glob = NULL },
};

static const char *const longropes[] = { "longrope", "su", "yarn", NULL };
static const char *const activations[] = { "silu", "swish", NULL };

/* Phi4MultimodalConfig. */
static const struct phi_config_rules rules = {
	.vocab = 200064,
	.hidden = 3072,
	.ffn = 8192,
	.layers = 32,
	.heads = 32,
	.kv_heads = 8,
	.context = 131072,
	.original = 4096,
	.epsilon = 1e-5,
	.theta = 10000,
	.partial = 1,
	.epsilon_key = "rms_norm_eps",
	.gguf_epsilon_key = "attention.layer_norm_rms_epsilon",
	.activations = activations,
	.longropes = longropes,
};

const struct phi_family phi_family_phi4_multimodal = {
	.name = "phi4_multimodal",
	.model_type = "phi4_multimodal",
	.architectures = architectures,
	.gguf_arch = "phi3",
	.tensors = phi_phi3_tensors,
	.splits = phi_phi3_splits,
	.extras = extras,
	.rules = &rules,
};
