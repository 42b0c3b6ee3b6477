/* Phi-1, Phi-1.5, Phi-2: attention and feed-forward beside each other behind one LayerNorm, biases
 * everywhere, the head's included, GELU, partial rotary. Facts: facts/gguf.md 6.5.
 *
 * Their first repositories spelled everything otherwise (model_type phi-msft, n_embd, mixer.Wqkv); neither
 * transformers nor the converter reads those. */
#include "formats/models/graph.h"
#include "formats/models/hparam.h"
#include "formats/models/rules.h"

static const char *const architectures[] = { "PhiForCausalLM", NULL };

#define LAYER "model.layers.{}."

static const struct phi_family_tensor tensors[] = {
	{ PHI_ROLE_EMBEDDING, "model.embed_tokens.weight", "token_embd.weight", PHI_ALWAYS,
		{ PHI_DIM_VOCAB, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ATTN_NORM, LAYER "input_layernorm.weight", "blk.{}.attn_norm.weight", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "input_layernorm.bias", "blk.{}.attn_norm.bias", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ATTN_Q, LAYER "self_attn.q_proj.weight", "blk.{}.attn_q.weight", PHI_ALWAYS,
		{ PHI_DIM_HEADS, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "self_attn.q_proj.bias", "blk.{}.attn_q.bias", PHI_ALWAYS,
		{ PHI_DIM_HEADS } },
	{ PHI_ROLE_ATTN_K, LAYER "self_attn.k_proj.weight", "blk.{}.attn_k.weight", PHI_ALWAYS,
		{ PHI_DIM_KV, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "self_attn.k_proj.bias", "blk.{}.attn_k.bias", PHI_ALWAYS,
		{ PHI_DIM_KV } },
	{ PHI_ROLE_ATTN_V, LAYER "self_attn.v_proj.weight", "blk.{}.attn_v.weight", PHI_ALWAYS,
		{ PHI_DIM_KV, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "self_attn.v_proj.bias", "blk.{}.attn_v.bias", PHI_ALWAYS,
		{ PHI_DIM_KV } },
	{ PHI_ROLE_ATTN_OUTPUT, LAYER "self_attn.dense.weight", "blk.{}.attn_output.weight",
		PHI_ALWAYS, { PHI_DIM_HIDDEN, PHI_DIM_HEADS } },
	{ PHI_ROLE_NONE, LAYER "self_attn.dense.bias", "blk.{}.attn_output.bias", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_UP, LAYER "mlp.fc1.weight", "blk.{}.ffn_up.weight", PHI_ALWAYS,
		{ PHI_DIM_FFN, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "mlp.fc1.bias", "blk.{}.ffn_up.bias", PHI_ALWAYS, { PHI_DIM_FFN } },
	{ PHI_ROLE_FFN_DOWN, LAYER "mlp.fc2.weight", "blk.{}.ffn_down.weight", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN, PHI_DIM_FFN } },
	{ PHI_ROLE_NONE, LAYER "mlp.fc2.bias", "blk.{}.ffn_down.bias", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_OUTPUT_NORM, "model.final_layernorm.weight", "output_norm.weight", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, "model.final_layernorm.bias", "output_norm.bias", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_OUTPUT, "lm_head.weight", "output.weight", PHI_UNTIED,
		{ PHI_DIM_VOCAB, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, "lm_head.bias", "output.bias", PHI_ALWAYS, { PHI_DIM_VOCAB } },
	{ PHI_ROLE_NONE, LAYER "self_attn.rotary_emb.inv_freq", NULL, PHI_DROPPED,
		{ PHI_DIM_ANY } },
	/* As the converter writes them if it is told to fuse them. */
	{ PHI_ROLE_ATTN_QKV, LAYER "self_attn.qkv_proj.weight", "blk.{}.attn_qkv.weight", PHI_ELSEWHERE,
		{ PHI_DIM_QKV, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "self_attn.qkv_proj.bias", "blk.{}.attn_qkv.bias", PHI_ELSEWHERE,
		{ PHI_DIM_QKV } },
	{ .canonical = NULL },
};

static const struct phi_family_split splits[] = {
	{ LAYER "self_attn.qkv_proj.weight", { LAYER "self_attn.q_proj.weight",
		LAYER "self_attn.k_proj.weight", LAYER "self_attn.v_proj.weight" } },
	{ LAYER "self_attn.qkv_proj.bias", { LAYER "self_attn.q_proj.bias",
		LAYER "self_attn.k_proj.bias", LAYER "self_attn.v_proj.bias" } },
	{ .whole = NULL },
};

static int
refuse(const struct phi_metadata *m, struct phi_hparams *h, struct phi_err *err)
{
	bool norms;
	(void)h;
	if (phi_hparam_find(m, "n_embd"))
		return phi_fail(err, PHI_UNSUPPORTED,
			"n_embd: the spelling of the first repositories is not known");
	if (phi_hparam_flag(m, "qk_layernorm", false, &norms, err) < 0)
		return -1;
	return norms ? phi_fail(err, PHI_UNSUPPORTED, "qk_layernorm is not known for this model") : 0;
}

/* gelu_pytorch_tanh is the same function. */
static const char *const activations[] = { "gelu_new", "gelu_pytorch_tanh", NULL };

static const char *const usual[] = { "attention_dropout", "0.0", "embd_pdrop", "0.0", "initializer_range", "0.02",
	"qk_layernorm", "false", "resid_pdrop", "0.0", "use_cache", "true", NULL };

/* PhiConfig. */
static const struct phi_config_rules rules = {
	.vocab = 51200,
	.hidden = 2048,
	.ffn = 8192,
	.layers = 24,
	.heads = 32,
	.context = 2048,
	.epsilon = 1e-5,
	.theta = 10000,
	.partial = 0.5,
	.epsilon_key = "layer_norm_eps",
	.gguf_epsilon_key = "attention.layer_norm_epsilon",
	.activations = activations,
	.dtype = PHI_F16,
	.usual = usual,
	.more = refuse,
};

static const struct phi_graph_kind graph = { .layer = phi_graph_layer_phi2, .norm = "model.final_layernorm",
	.norm_bias = true, .head_bias = true };

const struct phi_family phi_family_phi2 = {
	.name = "phi2",
	.model_type = "phi",
	.architectures = architectures,
	.gguf_arch = "phi2",
	.tensors = tensors,
	.splits = splits,
	.rules = &rules,
	.graph = &graph,
};
