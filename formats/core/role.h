/* The roles of tensors in a decoder: what a recipe may know about a tensor. A family gives them. */
#ifndef PHI_CORE_ROLE_H
#define PHI_CORE_ROLE_H

enum phi_role {
	PHI_ROLE_NONE, /* no family, or a tensor it does not name */
	PHI_ROLE_EMBEDDING,
	PHI_ROLE_OUTPUT,      /* lm_head */
	PHI_ROLE_OUTPUT_NORM,
	PHI_ROLE_ATTN_NORM,
	PHI_ROLE_ATTN_Q,
	PHI_ROLE_ATTN_K,
	PHI_ROLE_ATTN_V,
	PHI_ROLE_ATTN_QKV,
	PHI_ROLE_ATTN_KV_B, /* keys and values of a latent attention, second factor */
	PHI_ROLE_ATTN_OUTPUT,
	PHI_ROLE_FFN_NORM,
	PHI_ROLE_FFN_GATE,
	PHI_ROLE_FFN_UP,
	PHI_ROLE_FFN_GATE_UP, /* fused, gate first */
	PHI_ROLE_FFN_DOWN,
	PHI_ROLE_FFN_ROUTER,
	PHI_ROLE_ROPE_LONG,
	PHI_ROLE_ROPE_SHORT,
	PHI_ROLES,
};

/* "embedding", "attn_qkv", ...; for --explain and JSON. */
const char *phi_role_name(enum phi_role role);

#endif
