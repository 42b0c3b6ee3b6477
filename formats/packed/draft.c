#include "formats/packed/draft.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 128 };

int
phi_left_raw(struct phi_draft *draft, const char *fmt, ...)
{
	struct phi_unpacking *const u = draft->u;
	const struct phi_tensor *const t = &u->model->tensors[draft->trigger];
	char why[384];
	struct phi_quoted q;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	if (u->left++ == 0)
		snprintf(u->first, sizeof u->first, "%s: %s", phi_quote(&q, t->name), why);
	if (u->findings && !u->failed.kind)
		(void)phi_finding_emit(u->findings, PHI_FINDING_INVALID, "packed.members",
			t->nplanes ? u->model->storages[t->plane[0].storage].file : NULL, NULL,
			UINT64_MAX, &u->failed,
			"tensor %s: %s", phi_quote(&q, t->name), why);
	return 0;
}

static uint32_t
member_index(const struct phi_draft *draft, const char *suffix)
{
	char name[PHI_NAME_MAX + 64];
	const int n = snprintf(name, sizeof name, "%s%s", draft->stem, suffix);
	return phi_names_find(draft->u->names, name, (size_t)n);
}

const struct phi_tensor *
phi_draft_member(const struct phi_draft *draft, const char *suffix)
{
	const uint32_t index = member_index(draft, suffix);
	return index == PHI_NONE || draft->u->taken[index] ? NULL : &draft->u->model->tensors[index];
}

void
phi_draft_absorb(struct phi_draft *draft, const char *suffix)
{
	const uint32_t index = member_index(draft, suffix);
	if (index != PHI_NONE && draft->nmembers < PHI_DRAFT_MEMBERS)
		draft->members[draft->nmembers++] = index;
}

struct phi_packed_plane *
phi_draft_add(struct phi_draft *draft, enum phi_packed_role role, uint32_t index)
{
	const struct phi_tensor *const t = &draft->u->model->tensors[index];
	const unsigned i = draft->tensor.nplanes++;
	draft->members[draft->nmembers++] = draft->member_of[i] = index;
	draft->tensor.plane[i] = t->plane[0];
	draft->packed.nplanes = draft->tensor.nplanes;
	struct phi_packed_plane *const p = &draft->packed.plane[i];
	*p = (struct phi_packed_plane){ .role = role,
		.type = t->type->elements > 1 ? phi_type_of(PHI_U8) : t->type, .block = { 1, 1 } };
	return p;
}

struct phi_packed_plane *
phi_draft_plane(struct phi_draft *draft, enum phi_packed_role role, const char *suffix)
{
	const uint32_t index = member_index(draft, suffix);
	const struct phi_tensor *const t = &draft->u->model->tensors[index];
	if (t->nplanes != 1 || !t->plane[0].dense || t->plane[0].swap || t->type->elements != 1) {
		phi_left_raw(draft, "%s is not stored in a row", suffix);
		return NULL;
	}
	return phi_draft_add(draft, role, index);
}

int
phi_draft_read(struct phi_draft *draft, const struct phi_tensor *member, void *dst, size_t n,
	struct phi_err *err)
{
	uint64_t bytes;
	struct phi_quoted q;
	if (member->nplanes != 1 || !member->plane[0].dense || member->plane[0].swap ||
		!phi_tensor_bytes(member, &bytes) || bytes < n)
		return phi_left_raw(draft, "%s is too small", phi_quote(&q, member->name));
	if (phi_source_read(draft->u->source, member->plane[0].storage, member->plane[0].offset, dst, n,
		    err) < 0)
		return phi_context(err, "tensor %s", phi_quote(&q, member->name));
	return 1;
}

/* Is the member what the plane needs? */
static bool
agrees(const struct phi_draft *draft, unsigned i, const struct phi_tensor *member)
{
	const struct phi_packed_plane *const p = &draft->packed.plane[i];
	uint64_t bytes;
	if (!phi_tensor_bytes(member, &bytes) || bytes != p->bytes)
		return false;
	if (draft->flat || p->whole || member->rank < 2 || member->type->bytes != p->type->bytes)
		return true;
	/* A line of cells may be several dimensions (the blocks of MXFP4). */
	const uint64_t line = p->transposed ? p->cells[0] : p->cells[1];
	uint64_t n = 1;
	for (unsigned d = member->rank; d-- > 1 && n < line;)
		n *= member->shape[d];
	return n == line || line == 1;
}

static int
compare_members(struct phi_draft *draft)
{
	for (unsigned i = 0; i < draft->packed.nplanes; i++) {
		const struct phi_packed_plane *const p = &draft->packed.plane[i];
		const struct phi_tensor *const t = &draft->u->model->tensors[draft->member_of[i]];
		char shape[256];
		struct phi_quoted q;
		if (!agrees(draft, i, t))
			return phi_left_raw(draft, "%s is %s, expected [%" PRIu64 ", %" PRIu64 "]",
				phi_quote(&q, t->name), phi_tensor_shape(t, shape, sizeof shape),
				p->cells[p->transposed], p->cells[!p->transposed]);
	}
	return 1;
}

/* "G128", "CHANNEL", "TENSOR", "B128X128", "R32": which elements share a scale. */
static void
spell_group(const struct phi_packed *packed, const struct phi_packed_plane *scale, char *dst,
	size_t size)
{
	const uint64_t *const b = scale->block;
	if (scale->whole || (b[0] >= packed->rows && b[1] >= packed->columns && b[0] > 1))
		snprintf(dst, size, "TENSOR");
	else if (b[0] == 1 && b[1] >= packed->columns)
		snprintf(dst, size, "CHANNEL");
	else if (b[0] == 1)
		snprintf(dst, size, "G%" PRIu64, b[1]);
	else if (b[1] == 1)
		snprintf(dst, size, "R%" PRIu64, b[0]);
	else
		snprintf(dst, size, "B%" PRIu64 "X%" PRIu64, b[0], b[1]);
}

/* INT4 G128 F16 ZP GPTQ: the codes, what shares a scale, the scales' type (and that of the scales'
 * scales), zero points, act-order, whose packing. */
static void
spell(const struct phi_draft *draft, char *dst, size_t size)
{
	const struct phi_packed *const p = &draft->packed;
	static const char *const codes[] = { [PHI_CODE_F4] = "F4", [PHI_CODE_F8_E4M3] = "F8_E4M3",
		[PHI_CODE_F8_E5M2] = "F8_E5M2", [PHI_CODE_TABLE] = "TABLE",
		[PHI_CODE_NF4] = "NF4", [PHI_CODE_FP4] = "FP4" };
	const int scale = phi_packed_find(p, PHI_PACKED_SCALE);
	int over = phi_packed_find(p, PHI_PACKED_GLOBAL);
	char group[64];
	over = over < 0 ? phi_packed_find(p, PHI_PACKED_SCALE_NESTED) : over;
	spell_group(p, &p->plane[scale], group, sizeof group);
	char integer[16];
	snprintf(integer, sizeof integer, "INT%u", p->plane[0].bits);
	const char *const code = draft->code ? draft->code
		: codes[p->meaning] ? codes[p->meaning] : integer;
	snprintf(dst, size, "%s %s %s%s%s%s%s%s%s", code, group, p->plane[scale].type->name,
		over < 0 ? "" : "/", over < 0 ? "" : p->plane[over].type->name,
		phi_packed_find(p, PHI_PACKED_ZERO) < 0 ? "" : " ZP", draft->act_order ? " ACT" : "",
		draft->tag ? " " : "", draft->tag ? draft->tag : "");
}

/* One type for each spelling. */
static const struct phi_type *
intern(struct phi_unpacking *u, const char *name, struct phi_err *err)
{
	for (size_t i = u->ntypes; i-- > 0;)
		if (!strcmp(u->types[i]->name, name))
			return u->types[i];
	if (phi_grow(&u->types, &u->types_capacity, u->ntypes, sizeof *u->types, err) < 0)
		return NULL;
	struct phi_type *const type = phi_arena_calloc(u->model->arena, 1, sizeof *type, err);
	const char *const copy = type ? phi_arena_strdup(u->model->arena, name, err) : NULL;
	if (!copy)
		return NULL;
	*type = (struct phi_type){ .id = PHI_TYPES, .name = copy, .elements = 1, .bytes = 1,
		.class = PHI_CLASS_PACKED, .ggml = -1 };
	u->types[u->ntypes++] = type;
	return type;
}

/* Is the name to be one of the members', or no tensor's? */
static bool
is_free(const struct phi_draft *draft, const char *name)
{
	const uint32_t there = phi_names_find(draft->u->names, name, strlen(name));
	for (unsigned i = 0; i < draft->nmembers; i++)
		if (draft->members[i] == there)
			return true;
	return there == PHI_NONE;
}

int
phi_draft_finish(struct phi_draft *draft, const char *suffix, struct phi_err *err)
{
	struct phi_packed *const p = &draft->packed;
	struct phi_err why = { 0 };
	/* Flat packings know what there is of their last row. */
	uint64_t own[PHI_PLANES_MAX];
	for (unsigned i = 0; i < p->nplanes; i++)
		own[i] = p->plane[i].bytes;
	if (p->factor == 0)
		p->factor = 1;
	if (!p->matrices)
		p->matrices = 1;
	if (!p->rows || !p->columns)
		return phi_left_raw(draft, "it has no elements");
	if (phi_packed_settle(p, &why) < 0)
		return phi_left_raw(draft, "%s", why.text);
	for (unsigned i = 0; i < p->nplanes; i++)
		if (own[i])
			p->plane[i].bytes = own[i];
	if (!p->elements)
		p->elements = p->matrices * p->rows * p->columns;
	if (!compare_members(draft))
		return 0;
	char spelt[160];
	spell(draft, spelt, sizeof spelt);
	struct phi_tensor *const t = &draft->tensor;
	struct phi_arena *const arena = draft->u->model->arena;
	t->type = intern(draft->u, spelt, err);
	t->name = phi_arena_printf(arena, err, "%s%s", draft->stem, suffix);
	struct phi_packed *const kept = phi_arena_calloc(arena, 1, sizeof *kept, err);
	if (!t->type || !t->name || !kept)
		return -1;
	*kept = *p;
	t->packed = kept;
	return is_free(draft, t->name) ? 1 : phi_left_raw(draft, "there is a %s as well", suffix);
}

static const struct phi_value *
config_value(const struct phi_model *model, const char *key)
{
	char full[KEY_MAX];
	snprintf(full, sizeof full, "quantization_config.%s", key);
	return phi_metadata_find(&model->metadata, full);
}

const char *
phi_packed_config(const struct phi_model *model, const char *key)
{
	return phi_value_string(config_value(model, key));
}

bool
phi_packed_config_number(const struct phi_model *model, const char *key, uint64_t *out)
{
	const struct phi_value *const v = config_value(model, key);
	return v && phi_value_u64(v, out);
}

bool
phi_packed_config_true(const struct phi_model *model, const char *key)
{
	const struct phi_value *const v = config_value(model, key);
	return v && v->kind == PHI_VALUE_BOOL && v->b;
}
