#include "formats/core/role.h"

static const char *const names[PHI_ROLES] = {
	[PHI_ROLE_NONE] = "none",
	[PHI_ROLE_EMBEDDING] = "embedding",
	[PHI_ROLE_OUTPUT] = "output",
	[PHI_ROLE_OUTPUT_NORM] = "output_norm",
	[PHI_ROLE_ATTN_NORM] = "attn_norm",
	[PHI_ROLE_ATTN_Q] = "attn_q",
	[PHI_ROLE_ATTN_K] = "attn_k",
	[PHI_ROLE_ATTN_V] = "attn_v",
	[PHI_ROLE_ATTN_QKV] = "attn_qkv",
	[PHI_ROLE_ATTN_KV_B] = "attn_kv_b",
	[PHI_ROLE_ATTN_OUTPUT] = "attn_output",
	[PHI_ROLE_FFN_NORM] = "ffn_norm",
	[PHI_ROLE_FFN_GATE] = "ffn_gate",
	[PHI_ROLE_FFN_UP] = "ffn_up",
	[PHI_ROLE_FFN_GATE_UP] = "ffn_gate_up",
	[PHI_ROLE_FFN_DOWN] = "ffn_down",
	[PHI_ROLE_FFN_ROUTER] = "ffn_router",
	[PHI_ROLE_ROPE_LONG] = "rope_long",
	[PHI_ROLE_ROPE_SHORT] = "rope_short",
};

const char *
phi_role_name(enum phi_role role)
{
	return names[role];
}
