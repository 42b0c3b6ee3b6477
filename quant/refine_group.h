/* A group of weights under one scale, sixteen at a time. The vectors have this width at every level and are summed in
 * one order, so that all levels find the same. */
#ifndef PHI_QUANT_REFINE_GROUP_H
#define PHI_QUANT_REFINE_GROUP_H

#include "quant/fields.h"
#include "quant/numbers.h"

#include <string.h>

enum { WIDE = 16, WIDE_MAX = PHI_FIELD_CODES / WIDE };

typedef float wide __attribute__((vector_size(4 * WIDE)));
typedef int32_t wide_mask __attribute__((vector_size(4 * WIDE)));

#define REFINE static inline __attribute__((always_inline))

struct group {
	const struct phi_shape *shape;
	wide x[WIDE_MAX], w[WIDE_MAX];
	unsigned n; /* vectors */
	float least, most; /* of x */
};

REFINE wide
wide_set(float x)
{
	return x - (wide){ 0 };
}

REFINE wide
wide_load(const float *src)
{
	wide v;
	memcpy(&v, src, sizeof v);
	return v;
}

REFINE wide
wide_pick(wide_mask mask, wide yes, wide no)
{
	return (wide)(((wide_mask)yes & mask) | ((wide_mask)no & ~mask));
}

/* Halves upon halves. */
REFINE float
wide_sum(wide v)
{
	typedef float eight __attribute__((vector_size(32)));
	typedef float four __attribute__((vector_size(16)));
	const eight a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
		__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
	const four b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
	return (b[0] + b[2]) + (b[1] + b[3]);
}

/* The value nearest to t (of equals either), clamped. */
REFINE wide
nearest_value(const struct phi_shape *shape, wide t)
{
	if (!shape->values) {
		const wide low = wide_set(shape->first), high = wide_set(shape->first + (float)(shape->codes - 1));
		t = wide_pick(t > low, t, low);
		t = wide_pick(t < high, t, high);
		return (t + 12582912.0f) - 12582912.0f;
	}
	wide value = wide_set(shape->values[0]);
	for (unsigned i = 1; i < shape->codes; i++) {
		const float a = shape->values[i - 1], b = shape->values[i];
		value = wide_pick(t > wide_set((a + b) / 2), wide_set(b), value);
	}
	return value;
}

/* 1 / step; without a step all codes mean the same, whichever is taken. */
REFINE float
inverse_step(float step)
{
	return step != 0 ? 1 / step : 0;
}

/* The error under a step and a low as they will be stored, with the best codes for them. */
REFINE float
group_error(const struct group *g, float step, float low)
{
	const wide s = wide_set(step), m = wide_set(low), inverse = wide_set(inverse_step(step));
	wide error = { 0 };
	for (unsigned i = 0; i < g->n; i++) {
		const wide off = s * nearest_value(g->shape, (g->x[i] + m) * inverse) - m - g->x[i];
		error += g->w[i] * off * off;
	}
	return wide_sum(error);
}

/* Sums over a group with the codes that are best for a trial step and low. */
struct sums {
	float w, x, q, xq, qq; /* w, w x, w q, w x q, w q q */
};

REFINE struct sums
group_sums(const struct group *g, float step, float low)
{
	const wide m = wide_set(low), inverse = wide_set(inverse_step(step));
	wide w = { 0 }, x = { 0 }, q = { 0 }, xq = { 0 }, qq = { 0 };
	for (unsigned i = 0; i < g->n; i++) {
		const wide value = nearest_value(g->shape, (g->x[i] + m) * inverse);
		const wide wx = g->w[i] * g->x[i], wq = g->w[i] * value;
		w += g->w[i];
		x += wx;
		q += wq;
		xq += wx * value;
		qq += wq * value;
	}
	return (struct sums){ wide_sum(w), wide_sum(x), wide_sum(q), wide_sum(xq), wide_sum(qq) };
}

/* Where a value stands among those of the codes. */
REFINE unsigned
place_of(const struct phi_shape *shape, float value)
{
	unsigned place = 0;
	if (!shape->values)
		return (unsigned)(value - shape->first);
	while (place + 1 < shape->codes && shape->values[place] < value)
		place++;
	return place;
}

REFINE void
group_codes(const struct group *g, float step, float low, uint8_t *code)
{
	const float inverse = inverse_step(step);
	const struct phi_shape *const shape = g->shape;
	for (unsigned i = 0; i < g->n; i++) {
		const wide value = nearest_value(shape, (g->x[i] + low) * inverse);
		for (unsigned j = 0; j < WIDE; j++) {
			const unsigned place = place_of(shape, value[j]);
			code[i * WIDE + j] = shape->order ? shape->order[place] : (uint8_t)place;
		}
	}
}

REFINE void
group_load(struct group *g, const struct phi_shape *shape, const float *x, const float *importance)
{
	g->shape = shape;
	g->n = shape->group / WIDE;
	g->least = g->most = x[0];
	for (unsigned i = 0; i < g->n; i++) {
		g->x[i] = wide_load(x + i * WIDE);
		g->w[i] = importance ? wide_load(importance + i * WIDE) : wide_set(1);
	}
	for (unsigned i = 1; i < shape->group; i++) {
		g->least = x[i] < g->least ? x[i] : g->least;
		g->most = x[i] > g->most ? x[i] : g->most;
	}
}

#endif
