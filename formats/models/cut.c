/* What a GGUF has whole and a checkpoint in parts. A part of a row-major tensor is a view of it, so that nothing is
 * copied, and any target can be made of the result. */
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/models/family.h"

#include <string.h>

struct cutting {
	struct phi_model *model;
	const struct phi_hparams *hparams;
};

/* Rows of a part, by the family's table. */
static uint64_t
rows_of(const struct cutting *c, const char *part)
{
	for (const struct phi_family_tensor *e = c->model->family->tensors; e->canonical || e->gguf; e++)
		if (e->canonical && !strcmp(e->canonical, part))
			return phi_family_extent(e->shape[0], c->hparams);
	return 0;
}

static int
add(struct cutting *c, struct phi_tensor t, const char *pattern, struct phi_holes holes, struct phi_err *err)
{
	struct phi_model *const model = c->model;
	t.name = t.canonical = phi_family_spell(pattern, holes, model->arena, err);
	struct phi_tensor *const to = t.name ? phi_model_add_tensor(model, err) : NULL;
	if (!to)
		return -1;
	*to = t;
	to->alias = PHI_NONE;
	const struct phi_family_tensor *const e = phi_family_entry(model, to);
	to->role = e ? e->role : PHI_ROLE_NONE;
	return 0;
}

static int
cut(struct cutting *c, const struct phi_tensor *whole, const struct phi_family_split *split,
	struct phi_holes holes, struct phi_err *err)
{
	const bool experts = phi_family_split_experts(split);
	const uint64_t all = whole->rank ? whole->shape[0] : 0;
	uint64_t at = 0;
	for (unsigned i = 0; at < all; i++) {
		const unsigned part = experts ? 0 : i;
		const uint64_t rows = experts ? 1
			: part < sizeof split->parts / sizeof *split->parts && split->parts[part]
				? rows_of(c, split->parts[part]) : 0;
		struct phi_tensor slice;
		struct phi_quoted q;
		holes.expert = experts ? (int)i : -1;
		if (!rows || !phi_tensor_slice(whole, at, rows, experts, &slice))
			return phi_fail(err, PHI_FORMAT, "tensor %s cannot be cut into its parts",
				phi_quote(&q, whole->name));
		if (add(c, slice, split->parts[part], holes, err) < 0)
			return -1;
		at += rows;
	}
	return 0;
}

/* A checkpoint has it in parts. */
static bool
is_whole(const struct phi_model *model, const struct phi_tensor *t)
{
	const struct phi_family_tensor *const e = phi_family_entry(model, t);
	return e && (e->presence == PHI_STACKED || e->presence == PHI_ELSEWHERE);
}

static int
take(struct cutting *c, const struct phi_tensor *t, struct phi_err *err)
{
	struct phi_holes holes;
	const struct phi_family_split *const split = phi_family_split_of(c->model->family, t, &holes);
	if (t->role == PHI_ROLE_ROPE_LONG || t->role == PHI_ROLE_ROPE_SHORT)
		return 0;
	if (split && is_whole(c->model, t))
		return cut(c, t, split, holes, err);
	return add(c, *t, t->canonical ? t->canonical : t->name, (struct phi_holes){ -1, -1 }, err);
}

int
phi_family_cut(struct phi_model *model, const struct phi_hparams *hparams, struct phi_err *err)
{
	struct cutting c = { model, hparams };
	struct phi_tensor *const old = model->tensors;
	const size_t n = model->ntensors;
	int result = 0;
	model->tensors = NULL;
	model->ntensors = model->tensors_capacity = 0;
	for (size_t i = 0; result == 0 && i < n; i++)
		result = take(&c, &old[i], err);
	phi_free(old);
	return result;
}
