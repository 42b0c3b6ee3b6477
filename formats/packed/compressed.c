/* compressed-tensors, FP8 and NVIDIA's NVFP4. All are [out, in], codes along the inputs.
 *
 *     pack-quantized   X.weight_packed I32 [out, words], X.weight_shape [2], X.weight_scale [out, groups],
 *                      X.weight_zero_point I32 [out * b / 32, groups], X.weight_g_idx; a code is its
 *                      value plus 2^(b-1), a stream of bits from word to word; older files put only whole
 *                      codes in a word
 *     nvfp4            X.weight_packed U8 [out, in / 2], X.weight_scale F8_E4M3 [out, in / 16],
 *                      X.weight_global_scale F32: the scales are divided by it
 *     mxfp4            X.weight_packed U8, X.weight_scale U8 [out, in / 32]: 2^(e - 127)
 *     int-, float-     X.weight I8 or F8, X.weight_scale: [1], [out], [out, 1], [out, groups] or by blocks
 *     mxfp8            X.weight F8, X.weight_scale U8 [out, in / 32]
 *     FP8 by blocks    X.weight F8, X.weight_scale_inv F32 [out / 128, in / 128]: a factor for all that
 *     modelopt NVFP4   X.weight U8 [out, in / 2], X.weight_scale F8_E4M3, X.weight_scale_2 F32, a factor */
#include "formats/packed/draft.h"

#include <inttypes.h>
#include <string.h>

enum { BITS_MAX = 8 };

static uint64_t
up(uint64_t n, uint64_t d)
{
	return n / d + (n % d != 0);
}

static void
set_shape(struct phi_draft *draft, uint64_t rows, uint64_t columns)
{
	draft->packed.rows = draft->tensor.shape[0] = rows;
	draft->packed.columns = draft->tensor.shape[1] = columns;
	draft->tensor.rank = 2;
}

/* What is there besides: scales of activations and of the cache, which no float model has. */
static void
absorb_others(struct phi_draft *draft)
{
	static const char *const others[] = { ".input_scale", ".input_global_scale",
		".input_zero_point", ".output_scale", ".k_scale", ".v_scale" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		phi_draft_absorb(draft, others[i]);
}

static bool
is_scale_type(enum phi_type_id id)
{
	return id == PHI_F32 || id == PHI_F16 || id == PHI_BF16 || id == PHI_F8_E4M3 ||
		id == PHI_F8_E8M0;
}

/* The size of a block in one direction: config.json's, or 128. */
static uint64_t
block_size(const struct phi_model *model, unsigned direction)
{
	const struct phi_value *const v =
		phi_metadata_find(&model->metadata, "quantization_config.weight_block_size");
	if (v && v->kind == PHI_VALUE_ARRAY && v->array.count == 2 && v->array.kind == PHI_VALUE_I64) {
		const int64_t size = ((const int64_t *)v->array.data)[direction];
		if (size > 0)
			return (uint64_t)size;
	}
	return 128;
}

/* Which elements share a scale, by the shape of the scales. */
static int
set_blocks(struct phi_draft *draft, struct phi_packed_plane *p, const struct phi_tensor *t)
{
	const uint64_t rows = draft->packed.rows, columns = draft->packed.columns;
	uint64_t n;
	if (!phi_tensor_elements(t, &n) || !n || !rows || !columns)
		return phi_left_raw(draft, "it has no elements");
	if (n == 1) {
		p->whole = true;
		p->cells[0] = p->cells[1] = 1;
		return 1;
	}
	const uint64_t a = t->shape[0], b = n / a;
	p->block[1] = columns;
	if (a == rows && b == 1)
		return 1;
	if (a == rows && columns % b == 0) {
		p->block[1] = columns / b;
		return 1;
	}
	p->block[0] = block_size(draft->u->model, 0);
	p->block[1] = block_size(draft->u->model, 1);
	if (t->rank == 2 && a == up(rows, p->block[0]) && b == up(columns, p->block[1]))
		return 1;
	char have[128], of[128];
	return phi_left_raw(draft, "scales of %s do not divide a matrix of %s",
		phi_tensor_shape(t, have, sizeof have),
		phi_tensor_shape(&draft->tensor, of, sizeof of));
}

static int
add_scale(struct phi_draft *draft, const char *suffix)
{
	const struct phi_tensor *const t = phi_draft_member(draft, suffix);
	struct phi_packed_plane *const p = phi_draft_plane(draft, PHI_PACKED_SCALE, suffix);
	if (!p)
		return 0;
	if (p->type->id == PHI_U8)
		p->type = phi_type_of(PHI_F8_E8M0);
	if (!is_scale_type(p->type->id))
		return phi_left_raw(draft, "its scales are %s", p->type->name);
	return set_blocks(draft, p, t);
}

/* The scale of the scales. */
static int
add_global(struct phi_draft *draft, const char *suffix, bool divide)
{
	struct phi_packed_plane *const p = phi_draft_plane(draft, PHI_PACKED_GLOBAL, suffix);
	if (!p)
		return 0;
	if (p->type->id != PHI_F32)
		return phi_left_raw(draft, "%s is %s", suffix, p->type->name);
	p->whole = true;
	p->cells[0] = p->cells[1] = 1;
	draft->packed.divide = divide;
	return 1;
}

/* Zero points: as packed as the codes, but down the outputs, or one a cell. */
static int
add_zero(struct phi_draft *draft, bool straddle)
{
	const int scale = phi_packed_find(&draft->packed, PHI_PACKED_SCALE);
	if (!phi_draft_member(draft, ".weight_zero_point"))
		return 1;
	struct phi_packed_plane *const p =
		phi_draft_plane(draft, PHI_PACKED_ZERO, ".weight_zero_point");
	if (!p)
		return 0;
	const struct phi_packed_plane *const s = &draft->packed.plane[scale];
	p->whole = s->whole;
	memcpy(p->block, s->block, sizeof p->block);
	memcpy(p->cells, s->cells, sizeof p->cells);
	if (p->type->id == PHI_I32) {
		if (p->block[0] != 1 || p->whole)
			return phi_left_raw(draft, "zero points of a tensor or of blocks are packed");
		p->bits = draft->packed.plane[0].bits;
		p->along_rows = true;
		p->straddle = straddle;
	} else if (p->type->id == PHI_I8) {
		if (draft->packed.plane[0].type->id == PHI_I32)
			return phi_left_raw(draft, "packed codes have zero points that are not");
	} else if (!is_scale_type(p->type->id)) {
		return phi_left_raw(draft, "its zero points are %s", p->type->name);
	}
	return 1;
}

static int
add_index(struct phi_draft *draft)
{
	if (!phi_draft_member(draft, ".weight_g_idx"))
		return 1;
	struct phi_packed_plane *const p = phi_draft_plane(draft, PHI_PACKED_INDEX, ".weight_g_idx");
	if (!p)
		return 0;
	if (p->type->id != PHI_I32)
		return phi_left_raw(draft, "g_idx is %s", p->type->name);
	p->whole = true;
	p->cells[0] = 1;
	p->cells[1] = draft->packed.columns;
	draft->act_order = true;
	return 1;
}

/* weight_shape: the two numbers; a wrong rank or type leaves the weight raw. */
static int
read_shape(struct phi_draft *draft, uint64_t shape[2], struct phi_err *err)
{
	const struct phi_tensor *const t = phi_draft_member(draft, ".weight_shape");
	int64_t wide[2];
	int32_t narrow[2];
	if (!t || t->rank != 1 || t->shape[0] != 2 ||
		(t->type->id != PHI_I64 && t->type->id != PHI_I32))
		return phi_left_raw(draft, "there is no weight_shape of two numbers");
	const bool is_wide = t->type->id == PHI_I64;
	const int there = phi_draft_read(draft, t, is_wide ? (void *)wide : narrow,
		is_wide ? sizeof wide : sizeof narrow, err);
	if (there <= 0)
		return there;
	for (unsigned i = 0; i < 2; i++) {
		const int64_t n = is_wide ? wide[i] : narrow[i];
		if (n < 1 || n > PHI_PACKED_COLUMNS_MAX)
			return phi_left_raw(draft, "weight_shape says %" PRId64, n);
		shape[i] = (uint64_t)n;
	}
	return 1;
}

/* Does a group of config.json have codes of so many bits? */
static bool
is_configured(const struct phi_model *model, unsigned bits)
{
	static const char head[] = "quantization_config.config_groups.", tail[] = ".weights.num_bits";
	for (size_t i = 0; i < model->metadata.count; i++) {
		const struct phi_meta *const m = &model->metadata.items[i];
		const size_t n = strlen(m->key);
		uint64_t value;
		if (n > sizeof tail && !strncmp(m->key, head, sizeof head - 1) &&
			!strcmp(m->key + n - (sizeof tail - 1), tail) &&
			phi_value_u64(&m->value, &value) && value == bits)
			return true;
	}
	return false;
}

/* The width of codes that fill so many words a row: of two that could, the one config.json has. */
static unsigned
find_bits(const struct phi_model *model, uint64_t columns, uint64_t words, bool *straddle)
{
	unsigned found = 0;
	bool sure = false;
	for (unsigned b = 1; b <= BITS_MAX; b++) {
		const bool stream = words == up(columns * b, 32), whole = words == up(columns, 32 / b);
		if ((!stream && !whole) || (found && (sure || !is_configured(model, b))))
			continue;
		found = b;
		sure = is_configured(model, b);
		*straddle = stream;
	}
	return found;
}

static int
recognise_pack(struct phi_draft *draft, const struct phi_tensor *t, struct phi_err *err)
{
	uint64_t shape[2] = { 0, 0 };
	bool straddle = true;
	const int there = read_shape(draft, shape, err);
	if (there <= 0)
		return there;
	set_shape(draft, shape[0], shape[1]);
	const unsigned bits = find_bits(draft->u->model, shape[1], t->shape[1], &straddle);
	if (!bits || t->shape[0] != shape[0])
		return phi_left_raw(draft, "[%" PRIu64 ", %" PRIu64 "] words cannot hold [%" PRIu64
			", %" PRIu64 "] codes", t->shape[0], t->shape[1], shape[0], shape[1]);
	struct phi_packed_plane *const codes =
		phi_draft_plane(draft, PHI_PACKED_CODES, ".weight_packed");
	if (!codes)
		return 0;
	codes->bits = bits;
	codes->straddle = straddle;
	draft->packed.meaning = PHI_CODE_OFFSET;
	if (!add_scale(draft, ".weight_scale") || !add_zero(draft, straddle) || !add_index(draft))
		return 0;
	phi_draft_absorb(draft, ".weight_shape");
	absorb_others(draft);
	draft->tag = "CT";
	return phi_draft_finish(draft, ".weight", err);
}

static int
recognise_f4(struct phi_draft *draft, const char *suffix, const char *global, bool divide,
	struct phi_err *err)
{
	const struct phi_tensor *const t = phi_draft_member(draft, suffix);
	if (t->rank != 2 || t->shape[1] > UINT64_MAX / 2)
		return phi_left_raw(draft, "it is no matrix");
	set_shape(draft, t->shape[0], t->shape[1] * 2);
	struct phi_packed_plane *const codes = phi_draft_plane(draft, PHI_PACKED_CODES, suffix);
	if (!codes)
		return 0;
	codes->bits = 4;
	draft->packed.meaning = PHI_CODE_F4;
	if (!add_scale(draft, ".weight_scale") ||
		(phi_draft_member(draft, global) && !add_global(draft, global, divide)))
		return 0;
	/* Codes of 6 bits look the same, but for the length of their groups. */
	const struct phi_packed_plane *const s = &draft->packed.plane[1];
	if (s->whole || s->block[0] != 1 || s->block[1] != (s->type->id == PHI_F8_E8M0 ? 32 : 16))
		return phi_left_raw(draft, "its groups are not those of MXFP4 or NVFP4");
	absorb_others(draft);
	return phi_draft_finish(draft, ".weight", err);
}

int
phi_recognise_weight_packed(struct phi_draft *draft, struct phi_err *err)
{
	const struct phi_tensor *const t = phi_draft_member(draft, ".weight_packed");
	if (!phi_draft_member(draft, ".weight_scale"))
		return phi_left_raw(draft, "there is no weight_scale beside it");
	if (phi_draft_member(draft, ".meta"))
		return phi_left_raw(draft, "marlin-24 is not decoded");
	draft->tag = "CT";
	if (t->type->id == PHI_U8)
		return recognise_f4(draft, ".weight_packed", ".weight_global_scale", true, err);
	if (t->type->id == PHI_I32 && t->rank == 2)
		return recognise_pack(draft, t, err);
	return phi_left_raw(draft, "codes in %s are not known", t->type->name);
}

/* X.weight of whole bytes with scales beside it. */
static int
recognise_bytes(struct phi_draft *draft, const struct phi_tensor *t, const char *scale,
	struct phi_err *err)
{
	if (t->rank != 2)
		return phi_left_raw(draft, "its weight is no matrix");
	set_shape(draft, t->shape[0], t->shape[1]);
	draft->packed.meaning = t->type->id == PHI_I8 ? PHI_CODE_SIGNED
		: t->type->id == PHI_F8_E4M3	      ? PHI_CODE_F8_E4M3
						      : PHI_CODE_F8_E5M2;
	struct phi_packed_plane *const codes = phi_draft_plane(draft, PHI_PACKED_CODES, ".weight");
	if (!codes)
		return 0;
	codes->bits = 8;
	if (!add_scale(draft, scale) || !add_zero(draft, false))
		return 0;
	absorb_others(draft);
	return phi_draft_finish(draft, ".weight", err);
}

static int
recognise_scaled(struct phi_draft *draft, const char *scale, struct phi_err *err)
{
	const struct phi_tensor *const t = phi_draft_member(draft, ".weight");
	if (!t)
		return 0;
	if (t->type->id == PHI_I8 || t->type->id == PHI_F8_E4M3 || t->type->id == PHI_F8_E5M2)
		return recognise_bytes(draft, t, scale, err);
	if (t->type->id == PHI_U8 && phi_draft_member(draft, ".weight_scale_2")) {
		draft->tag = "MODELOPT";
		return recognise_f4(draft, ".weight", ".weight_scale_2", false, err);
	}
	return 0; /* scales beside a float weight are about something else */
}

int
phi_recognise_weight_scale(struct phi_draft *draft, struct phi_err *err)
{
	return recognise_scaled(draft, ".weight_scale", err);
}

int
phi_recognise_scale_inv(struct phi_draft *draft, struct phi_err *err)
{
	return recognise_scaled(draft, ".weight_scale_inv", err);
}
