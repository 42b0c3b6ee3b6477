/* What step (and low) suits a group, before anything is rounded: trials about the range, codes for each, and the
 * least-squares fit to those codes. */
#ifndef PHI_QUANT_REFINE_FIT_H
#define PHI_QUANT_REFINE_FIT_H

#include "quant/refine_group.h"

struct fit {
	float step, low;
	float gain; /* how far it brings the error below that of all zeros */
};

/* The best step for given codes, and its gain. */
REFINE struct fit
fit_step(struct sums s)
{
	const float step = s.xq / s.qq;
	return (struct fit){ .step = step, .gain = s.qq > 0 ? step * s.xq : 0 };
}

/* The best step and low >= 0 (or any, where lows are added). */
REFINE struct fit
fit_both(const struct phi_shape *shape, struct sums s)
{
	const float det = s.w * s.qq - s.q * s.q;
	const float step = (s.w * s.xq - s.x * s.q) / det, low = (s.q * s.xq - s.qq * s.x) / det;
	if (!(det > 0) || (low < 0 && shape->lows == PHI_LOWERED))
		return fit_step(s);
	return (struct fit){ .step = step, .low = low, .gain = step * s.xq - low * s.x };
}

static struct fit
fit_trial(const struct group *g, float step, float low)
{
	const struct sums s = group_sums(g, step, low);
	return g->shape->lows == PHI_NO_LOW ? fit_step(s) : fit_both(g->shape, s);
}

/* Fits, and codes again for what was fitted, until nothing is gained. */
REFINE void
fit_settle(const struct group *g, struct fit *best)
{
	for (int i = 0; i < 8; i++) {
		const struct fit next = fit_trial(g, best->step, best->low);
		if (!(next.gain > best->gain))
			return;
		*best = next;
	}
}

/* Codes around zero: the largest magnitude becomes any value from a little beyond the outermost down to half of it
 * (a quarter, of four codes or fewer); by steps of either sign. */
static struct fit
fit_symmetric(const struct group *g)
{
	const struct phi_shape *const shape = g->shape;
	const float first = shape->values ? shape->values[0] : shape->first;
	const float last = shape->values ? shape->values[shape->codes - 1] : first + (float)(shape->codes - 1);
	const float outer = -first > last ? -first : last, size = -g->least > g->most ? -g->least : g->most;
	const bool mirrored = first == -last;
	const float span = shape->codes <= 4 ? 3 : shape->codes <= 16 ? 1 : shape->codes <= 64 ? 0.3f : 0.04f;
	struct fit best = { 0 };
	for (int i = 0; i <= 24; i++) {
		const float step = size / (outer * (0.95f + span * (float)i / 24));
		for (int sign = 0; sign < (mirrored ? 1 : 2); sign++) {
			const struct fit fit = fit_trial(g, sign ? -step : step, 0);
			best = fit.gain > best.gain ? fit : best;
		}
	}
	fit_settle(g, &best);
	return best;
}

/* Codes above a low: both ends of the range move inwards. */
static struct fit
fit_affine(const struct group *g)
{
	const struct phi_shape *const shape = g->shape;
	const float most = (float)(shape->codes - 1), pull = shape->codes <= 4 ? 0.06f : 0.025f;
	const bool lowered = shape->lows == PHI_LOWERED;
	const float least = lowered && g->least > 0 ? 0 : g->least, range = g->most - least;
	struct fit best = { 0 };
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 8; j++) {
			const float from = least + range * pull * (float)(i - 1);
			const float to = g->most - range * pull * (float)(j - 1);
			const float low = lowered && from > 0 ? 0 : -from;
			const struct fit fit = fit_trial(g, (to + low) / most, low);
			best = fit.gain > best.gain ? fit : best;
		}
	fit_settle(g, &best);
	return best;
}

REFINE struct fit
fit_group(const struct group *g)
{
	return g->shape->lows == PHI_NO_LOW ? fit_symmetric(g) : fit_affine(g);
}

#endif
