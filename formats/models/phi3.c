/* Phi-3-mini and -medium, Phi-3.5-mini, Phi-4, Phi-4-mini and their reasoning kin: fused qkv and
 * gate_up, grouped queries, partial rotary, longrope, tied or not. No biases, RMS norms, SiLU.
 * Facts: facts/gguf.md 6.5, facts/pytorch_tf.md 2.2. */
#include "formats/models/graph.h"
#include "formats/models/rules.h"

#include <stddef.h>

static const char *const architectures[] = { "Phi3ForCausalLM", NULL };

const struct phi_family_tensor phi_phi3_tensors[] = {
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
	/* The fused ones in parts, as files in Llama's manner have them. */
	{ PHI_ROLE_ATTN_Q, "model.layers.{}.self_attn.q_proj.weight", "blk.{}.attn_q.weight", PHI_ELSEWHERE,
		{ PHI_DIM_HEADS, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ATTN_K, "model.layers.{}.self_attn.k_proj.weight", "blk.{}.attn_k.weight", PHI_ELSEWHERE,
		{ PHI_DIM_KV, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ATTN_V, "model.layers.{}.self_attn.v_proj.weight", "blk.{}.attn_v.weight", PHI_ELSEWHERE,
		{ PHI_DIM_KV, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_GATE, "model.layers.{}.mlp.gate_proj.weight", NULL, PHI_ELSEWHERE,
		{ PHI_DIM_FFN, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_UP, "model.layers.{}.mlp.up_proj.weight", NULL, PHI_ELSEWHERE,
		{ PHI_DIM_FFN, PHI_DIM_HIDDEN } },
	{ .canonical = NULL },
};

const struct phi_family_split phi_phi3_splits[] = {
	{ "model.layers.{}.self_attn.qkv_proj.weight",
		{ "model.layers.{}.self_attn.q_proj.weight", "model.layers.{}.self_attn.k_proj.weight",
			"model.layers.{}.self_attn.v_proj.weight" } },
	{ "model.layers.{}.mlp.gate_up_proj.weight",
		{ "model.layers.{}.mlp.gate_proj.weight", "model.layers.{}.mlp.up_proj.weight" } },
	{ .whole = NULL },
};

/* Longrope goes by three names: "su" and, for some weeks of 2024, "yarn" meant the same in this
 * family; transformers reads them as longrope. */
static const char *const longropes[] = { "longrope", "su", "yarn", NULL };
static const char *const activations[] = { "silu", "swish", NULL };

static const char *const usual[] = { "attention_bias", "false", "attention_dropout", "0.0", "embd_pdrop", "0.0",
	"initializer_range", "0.02", "resid_pdrop", "0.0", "use_cache", "true", NULL };

/* Phi3Config. */
const struct phi_config_rules phi_phi3_rules = {
	.vocab = 32064,
	.hidden = 3072,
	.ffn = 8192,
	.layers = 32,
	.heads = 32,
	.context = 4096,
	.original = 4096,
	.epsilon = 1e-5,
	.theta = 10000,
	.partial = 1,
	.epsilon_key = "rms_norm_eps",
	.gguf_epsilon_key = "attention.layer_norm_rms_epsilon",
	.activations = activations,
	.dtype = PHI_BF16,
	.usual = usual,
	.longropes = longropes,
};

const struct phi_graph_kind phi_graph_phi3 = { .layer = phi_graph_layer_phi3, .norm = "model.norm" };

const struct phi_family phi_family_phi3 = {
	.name = "phi3",
	.model_type = "phi3",
	.architectures = architectures,
	.gguf_arch = "phi3",
	.tensors = phi_phi3_tensors,
	.splits = phi_phi3_splits,
	.rules = &phi_phi3_rules,
	.graph = &phi_graph_phi3,
};
