/* Two descriptions side by side: what one has whole and the other in parts.
 *
 *     a   qkv_proj [q + k + v, hidden]          b   q_proj, k_proj, v_proj
 *     a   ffn_gate_exps [experts, ffn, hidden]  b   experts.0.w1, experts.1.w1, ...
 *
 * The whole is cut, never the parts joined: a part of a row-major tensor is a view of it. */
#include "formats/core/memory.h"
#include "formats/models/family.h"

#include <string.h>

enum { PARTS = sizeof((struct phi_family_split *)0)->parts / sizeof(const char *) };

/* The tensors of a model by the names it is compared by. */
struct other {
	const struct phi_model *model;
	struct phi_names *names;
};

static const char *
name_of(const struct phi_tensor *t)
{
	return t->canonical ? t->canonical : t->name;
}

static int
index_tensors(struct other *other, struct phi_err *err)
{
	other->names = phi_names_new(err);
	if (!other->names)
		return -1;
	for (size_t i = 0; i < other->model->ntensors; i++) {
		const char *const name = name_of(&other->model->tensors[i]);
		if (phi_names_add(other->names, name, strlen(name), (uint32_t)i, err) < 0)
			return -1;
	}
	return 0;
}

static const struct phi_tensor *
find(const struct other *other, const char *name)
{
	const uint32_t i = phi_names_find(other->names, name, strlen(name));
	return i == PHI_NONE ? NULL : &other->model->tensors[i];
}

/* Adds indices [first, first + n) of the whole under a part's name. */
static int
add_slice(struct phi_model *model, const struct phi_tensor *whole, uint64_t first, uint64_t n, bool drop,
	const char *name, struct phi_err *err)
{
	struct phi_tensor slice;
	if (!phi_tensor_slice(whole, first, n, drop, &slice))
		return phi_fail(err, PHI_UNSUPPORTED, "%s cannot be cut", whole->name);
	slice.canonical = name;
	slice.role = PHI_ROLE_NONE;
	struct phi_tensor *const t = phi_model_add_tensor(model, err);
	if (!t)
		return -1;
	*t = slice;
	return 0;
}

/* 1 if it was cut, 0 if it cannot be, -1. `whole` is a copy: the list moves. */
static int
cut_experts(struct phi_model *model, const struct phi_tensor whole, const struct phi_family_split *split,
	struct phi_holes holes, const struct other *other, struct phi_err *err)
{
	struct phi_tensor slice;
	const char *const first = phi_family_spell(split->parts[0],
		(struct phi_holes){ holes.layer, 0 }, model->arena, err);
	if (!first)
		return -1;
	if (!find(other, first) || whole.rank < 2 || !phi_tensor_slice(&whole, 0, 1, true, &slice))
		return 0;
	for (uint64_t i = 0; i < whole.shape[0]; i++) {
		const char *const name = phi_family_spell(split->parts[0],
			(struct phi_holes){ holes.layer, (int)i }, model->arena, err);
		if (!name || add_slice(model, &whole, i, 1, true, name, err) < 0)
			return -1;
	}
	return 1;
}

/* The names of the parts and how many rows the other has of each. Returns how many there are; 0 if the other has not
 * all of them, or not the whole's rows; -1. */
static int
find_parts(struct phi_model *model, const struct phi_tensor *whole, const struct phi_family_split *split,
	struct phi_holes holes, const struct other *other, const char *names[PARTS], uint64_t rows[PARTS],
	struct phi_err *err)
{
	uint64_t left = whole->rank ? whole->shape[0] : 0;
	int n = 0;
	for (; n < PARTS && split->parts[n]; n++) {
		names[n] = phi_family_spell(split->parts[n], holes, model->arena, err);
		if (!names[n])
			return -1;
		const struct phi_tensor *const part = find(other, names[n]);
		if (!part || part->rank != whole->rank || part->shape[0] > left ||
			memcmp(part->shape + 1, whole->shape + 1, (whole->rank - 1) * sizeof *whole->shape))
			return 0;
		rows[n] = part->shape[0];
		left -= rows[n];
	}
	return left ? 0 : n;
}

static int
cut_rows(struct phi_model *model, const struct phi_tensor whole, const struct phi_family_split *split,
	struct phi_holes holes, const struct other *other, struct phi_err *err)
{
	const char *names[PARTS];
	uint64_t rows[PARTS], first = 0;
	struct phi_tensor slice;
	const int n = find_parts(model, &whole, split, holes, other, names, rows, err);
	if (n <= 0 || !phi_tensor_slice(&whole, 0, rows[0], false, &slice))
		return n < 0 ? -1 : 0;
	for (int i = 0; i < n; i++) {
		if (add_slice(model, &whole, first, rows[i], false, names[i], err) < 0)
			return -1;
		first += rows[i];
	}
	return 1;
}

/* The same for any tensor. */
static int
cut(struct phi_model *model, const struct phi_tensor *t, const struct other *other, struct phi_err *err)
{
	struct phi_holes holes;
	const struct phi_family_split *const split = phi_family_split_of(model->family, t, &holes);
	if (!split || find(other, t->canonical))
		return 0;
	return phi_family_split_experts(split) ? cut_experts(model, *t, split, holes, other, err)
				 : cut_rows(model, *t, split, holes, other, err);
}

/* Takes those that were cut out of the list; aliases of them are then first themselves. */
static int
close_gaps(struct phi_model *model, const bool *gone, struct phi_err *err)
{
	uint32_t *const to = phi_calloc(model->ntensors + 1, sizeof *to, err);
	uint32_t kept = 0;
	if (!to)
		return -1;
	for (size_t i = 0; i < model->ntensors; i++) {
		struct phi_tensor *const t = &model->tensors[i];
		to[i] = gone[i] ? PHI_NONE : kept;
		if (gone[i])
			continue;
		if (t->alias != PHI_NONE)
			t->alias = to[t->alias];
		model->tensors[kept++] = *t;
	}
	model->ntensors = kept;
	phi_free(to);
	return 0;
}

static int
cut_all(struct phi_model *model, const struct other *other, struct phi_err *err)
{
	const size_t n = model->ntensors;
	bool *const cuts = phi_calloc(n + 1, sizeof *cuts, err);
	int result = cuts ? 0 : -1;
	for (size_t i = 0; i < n && result >= 0; i++) {
		result = cut(model, &model->tensors[i], other, err);
		cuts[i] = result > 0;
	}
	bool *const gone = result < 0 ? NULL : phi_calloc(model->ntensors + 1, sizeof *gone, err);
	if (gone)
		memcpy(gone, cuts, n * sizeof *gone);
	result = gone ? close_gaps(model, gone, err) : -1;
	phi_free(cuts);
	phi_free(gone);
	return result;
}

static uint32_t
index_of(const struct phi_model *model, enum phi_role role)
{
	for (size_t i = 0; i < model->ntensors; i++)
		if (model->tensors[i].role == role)
			return (uint32_t)i;
	return PHI_NONE;
}

static int
name_head(struct phi_model *model, const struct other *other, struct phi_err *err)
{
	const uint32_t embedding = index_of(model, PHI_ROLE_EMBEDDING);
	const uint32_t head = index_of(other->model, PHI_ROLE_OUTPUT);
	struct phi_hparams h;
	if (embedding == PHI_NONE || head == PHI_NONE || index_of(model, PHI_ROLE_OUTPUT) != PHI_NONE ||
		phi_family_hparams(model, &h, NULL) < 0 || !h.tied)
		return 0;
	struct phi_tensor *const t = phi_model_add_tensor(model, err);
	if (!t)
		return -1;
	*t = model->tensors[embedding];
	t->canonical = other->model->tensors[head].canonical;
	t->role = PHI_ROLE_NONE;
	t->alias = embedding;
	return 0;
}

int
phi_family_align(struct phi_model *model, const struct phi_model *with, struct phi_err *err)
{
	struct other other = { .model = with };
	if (!model->family)
		return 0;
	int result = index_tensors(&other, err);
	if (!result)
		result = cut_all(model, &other, err);
	if (!result)
		result = name_head(model, &other, err);
	phi_names_free(other.names);
	return result;
}
