/* What the recognisers of formats/packed/ share: a look-up of members, and the draft of a packed tensor
 * that their planes are put into. Private to the folder. */
#ifndef PHI_PACKED_DRAFT_H
#define PHI_PACKED_DRAFT_H

#include "formats/packed/packed.h"

enum { PHI_DRAFT_MEMBERS = 16 };

struct phi_unpacking {
	struct phi_source *source;
	struct phi_model *model;
	struct phi_names *names; /* of all tensors */
	bool *taken;		 /* tensors that are members of a packed one */
	size_t made;
	size_t left;	 /* packed weights that stay as they are */
	char first[512]; /* of which one, and why */
	const struct phi_type **types; /* in the arena; made so far */
	size_t ntypes, types_capacity;
	/* Where each that is left is said, or NULL; the first failure of that. */
	const struct phi_findings *findings;
	struct phi_err failed;
};

/* A recogniser is called with each tensor whose name ends in its suffix; `stem` is the name without
 * it, lent. Returns 1 when *draft holds a packed tensor, 0 when not (after phi_left_raw where that is
 * worth telling), -1. */
struct phi_draft {
	struct phi_unpacking *u;
	const char *stem;
	uint32_t trigger;
	struct phi_tensor tensor; /* name, rank, shape and planes are to be filled */
	struct phi_packed packed;
	const char *code; /* how the codes are spelt where the meaning does not say: "NF4" */
	const char *tag;  /* last in the spelling: whose packing it is; or NULL */
	bool act_order;
	uint32_t members[PHI_DRAFT_MEMBERS];
	unsigned nmembers;
	uint32_t member_of[PHI_PLANES_MAX]; /* of each plane */
	bool flat; /* planes are strings of cells, of any shape */
};

typedef int phi_recognise_fn(struct phi_draft *draft, struct phi_err *err);
phi_recognise_fn phi_recognise_qweight; /* X.qweight */
phi_recognise_fn phi_recognise_nf4, phi_recognise_fp4; /* X.quant_state.bitsandbytes__nf4 */
phi_recognise_fn phi_recognise_int8; /* X.SCB */
phi_recognise_fn phi_recognise_weight_packed, phi_recognise_weight_scale,
	phi_recognise_scale_inv;
phi_recognise_fn phi_recognise_blocks; /* X_blocks */
/* What the format says itself; the stem is "". */
int phi_recognise_packing(struct phi_draft *draft, const struct phi_packing *packing, struct phi_err *err);

/* Says why the weight stays as it is. Returns 0. */
int phi_left_raw(struct phi_draft *draft, const char *fmt, ...) PHI_PRINTF(2, 3);
/* The tensor stem + suffix, or NULL. */
const struct phi_tensor *phi_draft_member(const struct phi_draft *draft, const char *suffix);
/* Takes a member that is no plane of the result (a shape, an activation's scale), if it is there. */
void phi_draft_absorb(struct phi_draft *draft, const char *suffix);
/* Appends tensor `index`, dense and little-endian, as a plane of blocks of 1 x 1; its cells are of its own type, or bytes
 * if several elements lie in one. */
struct phi_packed_plane *phi_draft_add(struct phi_draft *draft, enum phi_packed_role role, uint32_t index);
/* Appends the member as a plane, with its own type of cells, blocks of 1 x 1; returns it. The member is
 * there. NULL after phi_left_raw: it is no dense little-endian tensor. */
struct phi_packed_plane *phi_draft_plane(struct phi_draft *draft, enum phi_packed_role role,
	const char *suffix);
/* Reads the first n bytes of a member; it has at least that many, or it is left raw: 0; read: 1; -1. */
int phi_draft_read(struct phi_draft *draft, const struct phi_tensor *member, void *dst, size_t n,
	struct phi_err *err);
/* The last step: settles the planes, compares them with the members, spells the type. 1, 0 or -1. */
int phi_draft_finish(struct phi_draft *draft, const char *suffix, struct phi_err *err);

/* quantization_config.KEY: a string or NULL, a number or false. */
const char *phi_packed_config(const struct phi_model *model, const char *key);
bool phi_packed_config_number(const struct phi_model *model, const char *key, uint64_t *out);
bool phi_packed_config_true(const struct phi_model *model, const char *key);

#endif
