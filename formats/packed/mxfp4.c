/* The experts of gpt-oss: X_blocks and X_scales make X.
 *
 *     X_blocks  U8 [experts, out, groups, 16]   two codes a byte, the lower half first
 *     X_scales  U8 [experts, out, groups]       2^(e - 127)
 *     X         [experts, groups * 32, out]     as the library has it: transposed */
#include "formats/packed/draft.h"

#include <string.h>

int
phi_recognise_blocks(struct phi_draft *draft, struct phi_err *err)
{
	const struct phi_tensor *const b = phi_draft_member(draft, "_blocks");
	const struct phi_tensor *const s = phi_draft_member(draft, "_scales");
	if (!s || b->type->id != PHI_U8 || s->type->id != PHI_U8 || b->rank < 3 || b->rank > 4 ||
		s->rank != b->rank - 1 || b->shape[b->rank - 1] != 16 ||
		memcmp(b->shape, s->shape, s->rank * sizeof *s->shape) != 0)
		return s ? phi_left_raw(draft, "blocks and scales do not belong together") : 0;
	const unsigned first = b->rank - 3;
	const uint64_t out = b->shape[first], groups = b->shape[first + 1];
	if (groups > UINT64_MAX / 32)
		return phi_left_raw(draft, "too many groups");
	struct phi_packed *const packed = &draft->packed;
	packed->matrices = first ? b->shape[0] : 1;
	packed->rows = groups * 32;
	packed->columns = out;
	packed->meaning = PHI_CODE_F4;
	if (!packed->matrices)
		return phi_left_raw(draft, "it has no elements");
	struct phi_packed_plane *const codes = phi_draft_plane(draft, PHI_PACKED_CODES, "_blocks");
	struct phi_packed_plane *const scales = phi_draft_plane(draft, PHI_PACKED_SCALE, "_scales");
	if (!codes || !scales)
		return 0;
	codes->bits = 4;
	codes->along_rows = codes->transposed = true;
	scales->type = phi_type_of(PHI_F8_E8M0);
	scales->block[0] = 32;
	scales->transposed = true;
	draft->tensor.rank = b->rank - 1;
	draft->tensor.shape[0] = packed->matrices;
	draft->tensor.shape[first] = packed->rows;
	draft->tensor.shape[first + 1] = packed->columns;
	return phi_draft_finish(draft, "", err);
}
