/* The text model of Phi-4-multimodal: Phi-4-mini's. Its linear layers are wrapped for two adapters, one for images and
 * one for speech, which text alone does not go through: base_layer is the weight.
 *
 *     model.layers.{}.self_attn.qkv_proj.base_layer.weight
 *     model.layers.{}.self_attn.qkv_proj.lora_A.vision.weight, lora_B.vision, lora_A.speech, lora_B.speech
 *     model.embed_tokens_extend.image_embed.*, audio_embed.*
 *
 * Facts: facts/pytorch_tf.md 2.2. */
#include "formats/models/graph.h"
#include "formats/models/rules.h"

#include <stddef.h>

static const char *const architectures[] = { "Phi4MMForCausalLM", NULL };

static const struct phi_family_extra extras[] = {
	{ "model.embed_tokens_extend.image_embed.*", "vision tower" },
	{ "model.embed_tokens_extend.audio_embed.*", "audio tower" },
	{ "*.lora_A.*", "LoRA" },
	{ "*.lora_B.*", "LoRA" },
	{ .glob = NULL },
};

const struct phi_family phi_family_phi4mm = {
	.name = "phi4mm",
	.model_type = "phi4mm",
	.architectures = architectures,
	.gguf_arch = "phi3",
	.tensors = phi_phi3_tensors,
	.splits = phi_phi3_splits,
	.extras = extras,
	.wrapper = "base_layer",
	.rules = &phi_phi3_rules,
	.graph = &phi_graph_phi3,
};
