/* GPTQ and AWQ: X.qweight, X.qzeros, X.scales, and X.g_idx of GPTQ.
 *
 *     GPTQ   qweight I32 [in * b / 32, out]   a column is one stream of bits down the inputs
 *            qzeros  I32 [groups, out * b / 32]   along the outputs; v1: less one
 *            scales  F16 [groups, out]
 *            g_idx   I32 [in]   the group of each input (act-order)
 *     AWQ    qweight I32 [in, out / 8], qzeros I32 [groups, out / 8]   along the outputs, 4 bits, the
 *            codes of a word in the order 0 2 4 6 1 3 5 7 from the lowest bits up
 *            scales  F16 [groups, out]
 *
 * Both are [in, out]; the weight is [out, in]. b is what the shapes say: it may differ from module to
 * module, and config.json then has only the usual one. */
#include "formats/packed/draft.h"

#include <inttypes.h>
#include <string.h>

static bool
is_matrix(const struct phi_tensor *t, enum phi_type_id id)
{
	return t && t->rank == 2 && t->type->id == id;
}

static bool
is_scales(const struct phi_tensor *t)
{
	return is_matrix(t, PHI_F16) || is_matrix(t, PHI_BF16) || is_matrix(t, PHI_F32);
}

/* Groups of equal size, given by the scales' first dimension. */
static bool
set_group(struct phi_draft *draft, uint64_t groups, uint64_t *group)
{
	const uint64_t in = draft->packed.columns;
	if (!groups || in % groups) {
		phi_left_raw(draft, "%" PRIu64 " inputs are no whole number of %" PRIu64 " groups", in,
			groups);
		return false;
	}
	*group = in / groups;
	return true;
}

static int
add_planes(struct phi_draft *draft, unsigned bits, uint64_t group, bool awq, struct phi_err *err)
{
	static const uint8_t order[8] = { 0, 4, 1, 5, 2, 6, 3, 7 };
	struct phi_packed *const packed = &draft->packed;
	struct phi_packed_plane *const codes = phi_draft_plane(draft, PHI_PACKED_CODES, ".qweight");
	struct phi_packed_plane *const scales = phi_draft_plane(draft, PHI_PACKED_SCALE, ".scales");
	struct phi_packed_plane *const zeros = phi_draft_plane(draft, PHI_PACKED_ZERO, ".qzeros");
	if (!codes || !scales || !zeros)
		return 0;
	packed->meaning = PHI_CODE_UNSIGNED;
	codes->bits = zeros->bits = bits;
	codes->along_rows = awq;
	zeros->along_rows = true;
	codes->straddle = zeros->straddle = !awq;
	codes->order = zeros->order = awq ? order : NULL;
	codes->transposed = scales->transposed = zeros->transposed = true;
	scales->block[1] = zeros->block[1] = group;
	draft->tensor.rank = 2;
	draft->tensor.shape[0] = packed->rows;
	draft->tensor.shape[1] = packed->columns;
	draft->tag = awq ? "AWQ" : "GPTQ";
	if (!awq && phi_draft_member(draft, ".g_idx")) {
		struct phi_packed_plane *const index =
			phi_draft_plane(draft, PHI_PACKED_INDEX, ".g_idx");
		if (!index || index->type->id != PHI_I32)
			return index ? phi_left_raw(draft, "g_idx is %s", index->type->name) : 0;
		index->whole = true;
		index->cells[0] = 1;
		index->cells[1] = packed->columns;
		draft->act_order = phi_packed_config_true(draft->u->model, "desc_act");
	}
	return phi_draft_finish(draft, ".weight", err);
}

static int
make_gptq(struct phi_draft *draft, const struct phi_tensor *codes, const struct phi_tensor *scales,
	const struct phi_tensor *zeros, struct phi_err *err)
{
	const uint64_t out = codes->shape[1], groups = scales->shape[0];
	const uint64_t bits = out && zeros->shape[1] <= out ? zeros->shape[1] * 32 / out : 0;
	if ((bits != 2 && bits != 3 && bits != 4 && bits != 8) || zeros->shape[1] * 32 != out * bits)
		return phi_left_raw(draft, "%" PRIu64 " words of zero points for %" PRIu64
			" outputs are of no width that is known", zeros->shape[1], out);
	if (codes->shape[0] > UINT64_MAX / 32 || codes->shape[0] * 32 % bits)
		return phi_left_raw(draft, "%" PRIu64 " words hold no whole number of codes of %" PRIu64
			" bits", codes->shape[0], bits);
	const char *const version = phi_packed_config(draft->u->model, "checkpoint_format");
	uint64_t group;
	draft->packed.rows = out;
	draft->packed.columns = codes->shape[0] * 32 / bits;
	draft->packed.zero_bias = version && !strcmp(version, "gptq_v2") ? 0 : 1;
	if (version && strcmp(version, "gptq_v2") && strcmp(version, "gptq"))
		return phi_left_raw(draft, "GPTQ of the format %.32s", version);
	/* With an index the last group may be short. */
	if (phi_draft_member(draft, ".g_idx") && groups && draft->packed.columns % groups) {
		if (!phi_packed_config_number(draft->u->model, "group_size", &group) || !group)
			group = (draft->packed.columns + groups - 1) / groups;
	} else if (!set_group(draft, groups, &group)) {
		return 0;
	}
	return add_planes(draft, (unsigned)bits, group, false, err);
}

static int
make_awq(struct phi_draft *draft, const struct phi_tensor *codes, const struct phi_tensor *scales,
	struct phi_err *err)
{
	uint64_t group;
	draft->packed.rows = scales->shape[1];
	draft->packed.columns = codes->shape[0];
	return set_group(draft, scales->shape[0], &group) ? add_planes(draft, 4, group, true, err) : 0;
}

int
phi_recognise_qweight(struct phi_draft *draft, struct phi_err *err)
{
	const struct phi_tensor *const codes = phi_draft_member(draft, ".qweight");
	const struct phi_tensor *const scales = phi_draft_member(draft, ".scales");
	const struct phi_tensor *const zeros = phi_draft_member(draft, ".qzeros");
	if (!scales || !zeros)
		return phi_left_raw(draft, "there is no %s beside it", scales ? "qzeros" : "scales");
	if (!is_matrix(codes, PHI_I32) || !is_matrix(zeros, PHI_I32) || !is_scales(scales))
		return phi_left_raw(draft, "types or ranks are not those of GPTQ or AWQ");
	if (codes->shape[1] == scales->shape[1])
		return make_gptq(draft, codes, scales, zeros, err);
	if (scales->shape[1] % 8 == 0 && codes->shape[1] == scales->shape[1] / 8)
		return make_awq(draft, codes, scales, err);
	char a[128], b[128];
	return phi_left_raw(draft, "%s with scales of %s is neither GPTQ nor AWQ (gemm)",
		phi_tensor_shape(codes, a, sizeof a), phi_tensor_shape(scales, b, sizeof b));
}
