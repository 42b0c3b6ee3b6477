/* The text model of Phi-3-vision, Phi-3.5-vision and Phi-4-reasoning-vision: Phi-3's, with what sees beside it.
 * llama.cpp's converter takes the text of the last; of the others it takes nothing. Facts: facts/gguf.md 6.5. */
#include "formats/models/graph.h"
#include "formats/models/rules.h"

#include <stddef.h>

static const char *const architectures[] = { "Phi3VForCausalLM", "Phi4ForCausalLMV", NULL };

static const struct phi_family_extra extras[] = {
	{ "model.vision_embed_tokens.*", "vision tower" },
	{ "model.vision_tower.*", "vision tower" },
	{ "vision_tower.*", "vision tower" },
	{ "model.mm_projector.*", "projector" },
	{ "mm_projector.*", "projector" },
	{ .glob = NULL },
};

const struct phi_family phi_family_phi3v = {
	.name = "phi3v",
	.model_type = "phi3_v",
	.architectures = architectures,
	.gguf_arch = "phi3",
	.tensors = phi_phi3_tensors,
	.splits = phi_phi3_splits,
	.extras = extras,
	.rules = &phi_phi3_rules,
	.graph = &phi_graph_phi3,
};
