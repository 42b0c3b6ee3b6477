/* Which tensor of one model is which of the other. */
#include "formats/core/memory.h"
#include "formats/models/family.h"
#include "inspect/compare.h"
#include "inspect/pick.h"

#include <string.h>

static const char *
name_of(const struct phi_tensor *t)
{
	return t->canonical ? t->canonical : t->name;
}

const struct phi_tensor *
phi_pair_tensor(const struct phi_comparison *c, const struct phi_pair *pair, unsigned side)
{
	const uint32_t index = side ? pair->b : pair->a;
	return index == PHI_NONE ? NULL : &c->source[side]->model->tensors[index];
}

const char *
phi_pair_name(const struct phi_comparison *c, const struct phi_pair *pair)
{
	const struct phi_tensor *const a = phi_pair_tensor(c, pair, 0);
	return name_of(a ? a : phi_pair_tensor(c, pair, 1));
}

const char *
phi_pair_state_name(enum phi_pair_state state)
{
	static const char *const names[] = {
		[PHI_PAIR_ONLY_A] = "only in a",
		[PHI_PAIR_ONLY_B] = "only in b",
		[PHI_PAIR_SHAPE] = "shape",
		[PHI_PAIR_UNKNOWN] = "not comparable",
		[PHI_PAIR_DIFFERS] = "differs",
		[PHI_PAIR_WITHIN] = "within tolerance",
		[PHI_PAIR_EQUAL] = "equal",
	};
	return names[state];
}

static bool
picked(const struct phi_diff_options *o, const struct phi_tensor *t)
{
	return phi_pick_matches(t, o->only, o->exclude);
}

static bool
same_shape(const struct phi_tensor *a, const struct phi_tensor *b)
{
	return a->rank == b->rank && !memcmp(a->shape, b->shape, a->rank * sizeof *a->shape);
}

/* One that is there transposed is looked at as the other has it. A square one could be either, unless it is known what
 * the other is. */
static void
turn(struct phi_tensor *t, const struct phi_tensor *other)
{
	if (t->multiplied != PHI_MULTIPLIED_BY_COLUMNS || other->multiplied == PHI_MULTIPLIED_BY_COLUMNS ||
		t->rank != 2 || other->rank != 2 || t->shape[0] != other->shape[1] || t->shape[1] != other->shape[0] ||
		(t->shape[0] == t->shape[1] && other->multiplied != PHI_MULTIPLIED_BY_ROWS))
		return;
	if (phi_tensor_turn(t))
		t->multiplied = PHI_MULTIPLIED_BY_ROWS;
}

static void
turn_alike(struct phi_comparison *c, uint32_t a, uint32_t b)
{
	struct phi_tensor *const x = &c->source[0]->model->tensors[a], *const y = &c->source[1]->model->tensors[b];
	turn(x, y);
	turn(y, x);
}

/* A tied weight that one side names twice and the other once is no difference. */
static bool
is_second_name(const struct phi_tensor *t)
{
	return t->alias != PHI_NONE;
}

static void
add(struct phi_comparison *c, uint32_t a, uint32_t b)
{
	struct phi_pair *const pair = &c->pairs[c->npairs++];
	*pair = (struct phi_pair){.a = a, .b = b, .state = PHI_PAIR_EQUAL};
	if (a != PHI_NONE && b != PHI_NONE)
		turn_alike(c, a, b);
	const struct phi_tensor *const x = phi_pair_tensor(c, pair, 0), *const y = phi_pair_tensor(c, pair, 1);
	if (!y)
		pair->state = PHI_PAIR_ONLY_A;
	else if (!x)
		pair->state = PHI_PAIR_ONLY_B;
	else if (!same_shape(x, y))
		pair->state = PHI_PAIR_SHAPE;
	else if ((x->nplanes && !phi_tensor_is_readable(x)) || (y->nplanes && !phi_tensor_is_readable(y)))
		pair->state = PHI_PAIR_UNKNOWN;
}

static int
pair_all(struct phi_comparison *c, struct phi_names *names, bool *taken, struct phi_err *err)
{
	const struct phi_model *const a = c->source[0]->model, *const b = c->source[1]->model;
	for (size_t i = 0; i < b->ntensors; i++) {
		const char *const name = name_of(&b->tensors[i]);
		if (phi_names_add(names, name, strlen(name), (uint32_t)i, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < a->ntensors; i++) {
		const struct phi_tensor *const t = &a->tensors[i];
		const uint32_t other = phi_names_find(names, name_of(t), strlen(name_of(t)));
		if (!picked(c->options, t) || (other == PHI_NONE && is_second_name(t)))
			continue;
		add(c, (uint32_t)i, other);
		if (other != PHI_NONE)
			taken[other] = true;
	}
	for (size_t i = 0; i < b->ntensors; i++)
		if (!taken[i] && picked(c->options, &b->tensors[i]) && !is_second_name(&b->tensors[i]))
			add(c, PHI_NONE, (uint32_t)i);
	return 0;
}

int
phi_comparison_pair(struct phi_comparison *c, struct phi_err *err)
{
	struct phi_model *const a = c->source[0]->model, *const b = c->source[1]->model;
	if (phi_family_align(a, b, err) || phi_family_align(b, a, err))
		return -1;
	const size_t na = a->ntensors, nb = b->ntensors;
	struct phi_names *const names = phi_names_new(err);
	bool *const taken = phi_calloc(nb + 1, sizeof *taken, err);
	c->pairs = phi_calloc(na + nb + 1, sizeof *c->pairs, err);
	const int result = names && taken && c->pairs ? pair_all(c, names, taken, err) : -1;
	phi_names_free(names);
	phi_free(taken);
	return result;
}

void
phi_comparison_free(struct phi_comparison *c)
{
	phi_free(c->blocks);
	phi_free(c->stats);
	phi_free(c->pairs);
}
