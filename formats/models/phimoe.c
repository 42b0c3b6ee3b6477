/* Phi-3.5-MoE: the attention of Phi-3 with q, k and v apart and biases if the configuration says so,
 * LayerNorms with biases, a router and experts, each of which is three matrices of its own; a GGUF has them
 * stacked. Facts: facts/gguf.md 6.5.
 *
 * Its longrope has two factors of its own, short_mscale and long_mscale, which no GGUF can say: the
 * converter writes what it writes for Phi-3 (facts/anchors.md). */
#include "formats/models/graph.h"
#include "formats/models/hparam.h"
#include "formats/models/rules.h"

#include <stdio.h>

/* transformers 5 spells the class with a small "moe". */
static const char *const architectures[] = { "PhiMoEForCausalLM", "PhimoeForCausalLM", NULL };

#define LAYER "model.layers.{}."
#define MOE "model.layers.{}.block_sparse_moe."

static const struct phi_family_tensor tensors[] = {
	{ PHI_ROLE_EMBEDDING, "model.embed_tokens.weight", "token_embd.weight", PHI_ALWAYS,
		{ PHI_DIM_VOCAB, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ATTN_NORM, LAYER "input_layernorm.weight", "blk.{}.attn_norm.weight", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "input_layernorm.bias", "blk.{}.attn_norm.bias", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_ATTN_Q, LAYER "self_attn.q_proj.weight", "blk.{}.attn_q.weight", PHI_ALWAYS,
		{ PHI_DIM_HEADS, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "self_attn.q_proj.bias", "blk.{}.attn_q.bias", PHI_ATTENTION_BIAS,
		{ PHI_DIM_HEADS } },
	{ PHI_ROLE_ATTN_K, LAYER "self_attn.k_proj.weight", "blk.{}.attn_k.weight", PHI_ALWAYS,
		{ PHI_DIM_KV, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "self_attn.k_proj.bias", "blk.{}.attn_k.bias", PHI_ATTENTION_BIAS,
		{ PHI_DIM_KV } },
	{ PHI_ROLE_ATTN_V, LAYER "self_attn.v_proj.weight", "blk.{}.attn_v.weight", PHI_ALWAYS,
		{ PHI_DIM_KV, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "self_attn.v_proj.bias", "blk.{}.attn_v.bias", PHI_ATTENTION_BIAS,
		{ PHI_DIM_KV } },
	{ PHI_ROLE_ATTN_OUTPUT, LAYER "self_attn.o_proj.weight", "blk.{}.attn_output.weight",
		PHI_ALWAYS, { PHI_DIM_HIDDEN, PHI_DIM_HEADS } },
	{ PHI_ROLE_NONE, LAYER "self_attn.o_proj.bias", "blk.{}.attn_output.bias",
		PHI_ATTENTION_BIAS, { PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_NORM, LAYER "post_attention_layernorm.weight", "blk.{}.ffn_norm.weight",
		PHI_ALWAYS, { PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, LAYER "post_attention_layernorm.bias", "blk.{}.ffn_norm.bias", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_ROUTER, MOE "gate.weight", "blk.{}.ffn_gate_inp.weight", PHI_ALWAYS,
		{ PHI_DIM_EXPERTS, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_GATE, MOE "experts.{}.w1.weight", NULL, PHI_ALWAYS,
		{ PHI_DIM_FFN, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_DOWN, MOE "experts.{}.w2.weight", NULL, PHI_ALWAYS,
		{ PHI_DIM_HIDDEN, PHI_DIM_FFN } },
	{ PHI_ROLE_FFN_UP, MOE "experts.{}.w3.weight", NULL, PHI_ALWAYS,
		{ PHI_DIM_FFN, PHI_DIM_HIDDEN } },
	/* In the order in which the converter writes them. */
	{ PHI_ROLE_FFN_GATE, MOE "experts.w1.weight", "blk.{}.ffn_gate_exps.weight", PHI_STACKED,
		{ PHI_DIM_EXPERTS, PHI_DIM_FFN, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_FFN_DOWN, MOE "experts.w2.weight", "blk.{}.ffn_down_exps.weight", PHI_STACKED,
		{ PHI_DIM_EXPERTS, PHI_DIM_HIDDEN, PHI_DIM_FFN } },
	{ PHI_ROLE_FFN_UP, MOE "experts.w3.weight", "blk.{}.ffn_up_exps.weight", PHI_STACKED,
		{ PHI_DIM_EXPERTS, PHI_DIM_FFN, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_OUTPUT_NORM, "model.norm.weight", "output_norm.weight", PHI_ALWAYS,
		{ PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, "model.norm.bias", "output_norm.bias", PHI_ALWAYS, { PHI_DIM_HIDDEN } },
	{ PHI_ROLE_OUTPUT, "lm_head.weight", "output.weight", PHI_UNTIED,
		{ PHI_DIM_VOCAB, PHI_DIM_HIDDEN } },
	{ PHI_ROLE_NONE, "lm_head.bias", "output.bias", PHI_HEAD_BIAS, { PHI_DIM_VOCAB } },
	{ PHI_ROLE_ROPE_LONG, NULL, "rope_factors_long.weight", PHI_MAYBE,
		{ PHI_DIM_HALF_ROTARY } },
	{ PHI_ROLE_ROPE_SHORT, NULL, "rope_factors_short.weight", PHI_MAYBE,
		{ PHI_DIM_HALF_ROTARY } },
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
	{ MOE "experts.w1.weight", { MOE "experts.{}.w1.weight" } },
	{ MOE "experts.w2.weight", { MOE "experts.{}.w2.weight" } },
	{ MOE "experts.w3.weight", { MOE "experts.{}.w3.weight" } },
	{ .whole = NULL },
};

/* Longrope's factors of cos and sin; in rope_scaling, or in rope_parameters as transformers 5 writes them. */
static int
read_scales(const struct phi_metadata *m, struct phi_hparams *h, struct phi_err *err)
{
	static const char *const groups[] = { "rope_scaling.", "rope_parameters." };
	char longer[64], shorter[64];
	for (int i = 0; i < 2 && h->rope == PHI_ROPE_LONGROPE; i++) {
		snprintf(longer, sizeof longer, "%slong_mscale", groups[i]);
		snprintf(shorter, sizeof shorter, "%sshort_mscale", groups[i]);
		if (phi_hparam_real(m, longer, &h->long_scale, &h->long_scale, err) < 0 ||
			phi_hparam_real(m, shorter, &h->short_scale, &h->short_scale, err) < 0)
			return -1;
	}
	return 0;
}

static int
read_more(const struct phi_metadata *m, struct phi_hparams *h, struct phi_err *err)
{
	static const double noise = 0.01;
	if (read_scales(m, h, err) < 0 || phi_hparam_real(m, "router_jitter_noise", &noise, &h->router_noise, err) < 0 || phi_hparam_flag(m, "attention_bias", false, &h->attention_bias, err) < 0)
		return -1;
	return phi_hparam_flag(m, "lm_head_bias", false, &h->head_bias, err);
}

static const char *const longropes[] = { "longrope", NULL };
static const char *const activations[] = { "silu", "swish", NULL };

static const char *const usual[] = { "attention_dropout", "0.0", "hidden_dropout", "0.0", "initializer_range",
	"0.02", "input_jitter_noise", "0.01", "output_router_logits", "false", "router_aux_loss_coef", "0.0",
	"router_jitter_noise", "0.01", "use_cache", "true", NULL };

/* PhimoeConfig. */
static const struct phi_config_rules rules = {
	.vocab = 32064,
	.hidden = 4096,
	.ffn = 6400,
	.layers = 32,
	.heads = 32,
	.kv_heads = 8,
	.context = 131072,
	.experts = 16,
	.used = 2,
	.epsilon = 1e-5,
	.theta = 1e6,
	.partial = 1,
	.epsilon_key = "rms_norm_eps",
	.gguf_epsilon_key = "attention.layer_norm_rms_epsilon",
	.activations = activations,
	.dtype = PHI_BF16,
	.usual = usual,
	.mscale = 1.243163121016122, /* Phi-3.5-MoE's and Phi-mini-MoE's */
	.longropes = longropes,
	.more = read_more,
};

static const struct phi_graph_kind graph = { .layer = phi_graph_layer_phimoe, .norm = "model.norm",
	.norm_bias = true };

const struct phi_family phi_family_phimoe = {
	.name = "phimoe",
	.model_type = "phimoe",
	.architectures = architectures,
	.gguf_arch = "phimoe",
	.tensors = tensors,
	.splits = splits,
	.rules = &rules,
	.graph = &graph,
};
