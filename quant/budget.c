#include "quant/budget.h"

#include "formats/core/memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

/* A step along a tensor's hull. */
struct step {
	double worth; /* error saved for a byte */
	size_t tensor, to;
	size_t number; /* in the order they were found: a tensor's own, from below */
};

struct search {
	const struct phi_option *options;
	size_t n, each;
	uint64_t budget;
	size_t *choice;
	struct phi_budget_point at;
	void (*point)(void *ctx, const struct phi_budget_point *point);
	void *ctx;
	struct step *steps; /* of all hulls */
	size_t nsteps;
};

static const struct phi_option *
option(const struct search *s, size_t tensor, size_t k)
{
	return &s->options[tensor * s->each + k];
}

static bool
is_offered(const struct phi_option *o)
{
	return o->bytes != UINT64_MAX;
}

/* Error saved for a byte by going from one to a larger one. */
static double
worth(const struct phi_option *from, const struct phi_option *to)
{
	return (from->error - to->error) / (double)(to->bytes - from->bytes);
}

/* Smallest; of equals the one with less error, then the first. */
static int
begin(struct search *s, struct phi_err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		size_t best = s->each;
		for (size_t k = 0; k < s->each; k++) {
			const struct phi_option *const o = option(s, i, k);
			if (!is_offered(o))
				continue;
			const struct phi_option *const b = best < s->each ? option(s, i, best) : NULL;
			if (!b || o->bytes < b->bytes || (o->bytes == b->bytes && o->error < b->error))
				best = k;
		}
		if (best == s->each)
			return phi_fail(err, PHI_ARGUMENT, "a tensor without options");
		s->choice[i] = best;
		s->at.bytes += option(s, i, best)->bytes;
		s->at.error += option(s, i, best)->error;
	}
	if (s->at.bytes > s->budget)
		return phi_fail(err, PHI_UNSUPPORTED, "the smallest types make %" PRIu64 " bytes, the budget leaves %" PRIu64,
			s->at.bytes, s->budget);
	return 0;
}

/* The best step up from an option: the one that saves most for a byte, of equals the farthest; each: none. */
static size_t
next_on_hull(const struct search *s, size_t tensor, size_t from)
{
	const struct phi_option *const o = option(s, tensor, from);
	size_t best = s->each;
	for (size_t k = 0; k < s->each; k++) {
		const struct phi_option *const p = option(s, tensor, k);
		if (!is_offered(p) || p->bytes <= o->bytes || !(p->error < o->error))
			continue;
		const double own = worth(o, p), least = best < s->each ? worth(o, option(s, tensor, best)) : 0;
		if (best == s->each || own > least || (own == least && p->bytes > option(s, tensor, best)->bytes))
			best = k;
	}
	return best;
}

/* Most worth first, then as found. */
static int
by_worth(const void *pa, const void *pb)
{
	const struct step *const a = pa, *const b = pb;
	if (a->worth != b->worth)
		return a->worth > b->worth ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

static void
find_steps(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t from = s->choice[i], to; (to = next_on_hull(s, i, from)) < s->each; from = to) {
			s->steps[s->nsteps] = (struct step){ worth(option(s, i, from), option(s, i, to)), i, to,
				s->nsteps };
			s->nsteps++;
		}
	qsort(s->steps, s->nsteps, sizeof *s->steps, by_worth);
}

/* Takes a step if it fits. */
static bool
take(struct search *s, size_t tensor, size_t to)
{
	const struct phi_option *const from = option(s, tensor, s->choice[tensor]), *const o = option(s, tensor, to);
	const uint64_t more = o->bytes - from->bytes;
	if (more > s->budget - s->at.bytes)
		return false;
	s->choice[tensor] = to;
	s->at.bytes += more;
	s->at.error += o->error - from->error;
	if (s->point)
		s->point(s->ctx, &s->at);
	return true;
}

/* A hull's steps come in their order, for their worth falls. One that does not fit ends its tensor's. */
static void
climb(struct search *s, bool *stuck)
{
	for (size_t i = 0; i < s->nsteps; i++) {
		const struct step *const step = &s->steps[i];
		if (!stuck[step->tensor] && !take(s, step->tensor, step->to))
			stuck[step->tensor] = true;
	}
}

/* The best single step that fits, anywhere; false: there is none. */
static bool
fill(struct search *s)
{
	struct step best = { .tensor = s->n };
	for (size_t i = 0; i < s->n; i++) {
		const struct phi_option *const from = option(s, i, s->choice[i]);
		for (size_t k = 0; k < s->each; k++) {
			const struct phi_option *const to = option(s, i, k);
			if (!is_offered(to) || to->bytes <= from->bytes || !(to->error < from->error) ||
				to->bytes - from->bytes > s->budget - s->at.bytes)
				continue;
			if (best.tensor == s->n || worth(from, to) > best.worth)
				best = (struct step){ .worth = worth(from, to), .tensor = i, .to = k };
		}
	}
	return best.tensor < s->n && take(s, best.tensor, best.to);
}

int
phi_budget_choose(const struct phi_option *options, size_t n, size_t each, uint64_t budget, size_t *choice,
	void (*point)(void *ctx, const struct phi_budget_point *point), void *ctx, struct phi_err *err)
{
	struct search s = { .options = options, .n = n, .each = each, .budget = budget, .choice = choice,
		.point = point, .ctx = ctx };
	if (begin(&s, err) < 0)
		return -1;
	bool *const stuck = phi_calloc(n + 1, sizeof *stuck, err);
	s.steps = stuck ? phi_calloc(n * each + 1, sizeof *s.steps, err) : NULL;
	const bool made = s.steps;
	if (made) {
		if (point)
			point(ctx, &s.at);
		find_steps(&s);
		climb(&s, stuck);
		while (fill(&s))
			;
	}
	phi_free(stuck);
	phi_free(s.steps);
	return made ? 0 : -1;
}
