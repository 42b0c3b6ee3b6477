/* A sub-block of IQ1 on its way: importance, split (iq_split.h), points of the grid
 * (facts/gguf.md 3.7). */
#ifndef PHI_QUANT_IQ_THIRD_H
#define PHI_QUANT_IQ_THIRD_H

#include "quant/iq_split.h"

enum { SUB_S = 32, SUB_M = 16 }; /* weights of a sub-block of IQ1_S, of IQ1_M */

/* A sub-block on its way: importance; what the split made of it. */
struct third {
	float w[SUB_S];
	float scale;
	bool zero; /* it has no points */
	uint8_t shift; /* as split's, negative scales turned round */
	uint8_t index[SUB_S]; /* 0, 1, 2 for -1, 0, 1 */
	uint16_t points[4]; /* their numbers */
};

/* Importance of n weights in a block of spread `spread`. */
PHI_INLINE void
weigh_sub(const float *x, const float *importance, float spread, int n, float *w)
{
	for (int i = 0; i < n; i += LANES) {
		const vf v = vf_load(x + i);
		vf_store(w + i,
			importance ? vf_load(importance + i) * vf_sqrt(spread + v * v) : v * v);
	}
}

/* Weights of LANES sub-blocks in order, with w * x and w. */
PHI_INLINE void
lay_sorted(const float *src, const struct third *subs, int n, struct sorted *s, vf *wx, vf *w)
{
	for (int i = 0; i < n; i++) {
		float lanes[LANES];
		for (int j = 0; j < LANES; j++)
			lanes[j] = src[j * n + i];
		s->x[i] = vf_load(lanes);
		s->from[i] = vi_set(i);
	}
	sort_across(s, n);
	for (int i = 0; i < n; i++) {
		int32_t from[LANES];
		float lanes[LANES];
		memcpy(from, &s->from[i], sizeof from);
		for (int j = 0; j < LANES; j++)
			lanes[j] = subs[j].w[from[j]];
		w[i] = vf_load(lanes);
		wx[i] = w[i] * s->x[i];
	}
}

/* Scales, shifts and indices of LANES sub-blocks. `turned`: what a shift is when all signs change.
 */
PHI_INLINE void
take_split(const float *src, const struct sorted *s, const struct split *split, int n, float least,
	int turned, struct third *subs)
{
	float scale[LANES];
	int32_t cuts[LANES], shift[LANES];
	vf_store(scale, split->scale);
	memcpy(cuts, &split->cuts, sizeof cuts);
	memcpy(shift, &split->shift, sizeof shift);
	for (int j = 0; j < LANES; j++) {
		const bool minus = scale[j] < 0;
		float most = 0;
		for (int i = 0; i < n; i++)
			most = fabsf(src[j * n + i]) > most ? fabsf(src[j * n + i]) : most;
		const bool zero = most < least || cuts[j] < 0;
		subs[j].zero = zero;
		subs[j].scale = zero ? 0 : minus ? -scale[j] : scale[j];
		subs[j].shift = (uint8_t)(zero ? 0 : minus ? shift[j] ^ turned : shift[j]);
		for (int i = 0; i < n; i++) {
			const uint8_t index = (uint8_t)((i >= cuts[j] / 64) + (i >= cuts[j] % 64));
			int32_t from[LANES];
			memcpy(from, &s->from[i], sizeof from);
			subs[j].index[from[j]] = (uint8_t)(minus ? 2 - index : index);
		}
	}
}

/* What an index stands for: shift up or down. */
static struct iq_values
values_of_shift(bool down)
{
	return (struct iq_values){
		.dims = 8, .bits = 2, .first = down ? -1.125f : -0.875f, .step = 1
	};
}

/* Is the shift of part k down? */
static bool
is_down(const struct third *t, int k, bool halves)
{
	return halves ? t->shift >> (1 - k) & 1 : t->shift;
}

/* Snaps a sub-block to points; if that moved it, its scale is fitted again. */
static void
snap(const struct phi_iq_near *near, const float *x, int n, bool halves, struct third *t)
{
	float qx = 0, q2 = 0;
	bool moved = false;
	for (int k = 0; k < n / 8; k++) {
		const struct iq_values values = values_of_shift(is_down(t, k, halves));
		unsigned place = 0;
		for (int i = 7; i >= 0; i--)
			place = place * 3 + t->index[8 * k + i];
		const uint32_t entry = near->places[place];
		const unsigned point =
			nearest_point(near, entry, values, x + 8 * k, t->w + 8 * k, t->scale);
		moved |= !(entry & PHI_IQ_ON_GRID);
		t->points[k] = near->numbers[point];
		for (int i = 0; i < 8; i++) {
			const float w = t->w[8 * k + i],
				    q = (float)(point >> 2 * i & 3) + values.first;
			qx += w * q * x[8 * k + i];
			q2 += w * q * q;
		}
	}
	if (moved && qx > 0 && q2 > 0)
		t->scale = qx / q2;
}

/* LANES sub-blocks of 32. */
static void
encode_subs_s(const struct phi_iq_near *near, const float *x, struct third *subs)
{
	struct sorted s;
	vf wx[SUB_S], w[SUB_S];
	lay_sorted(x, subs, SUB_S, &s, wx, w);
	const struct split split = split_whole(wx, w);
	take_split(x, &s, &split, SUB_S, 1e-12f, 1, subs);
	for (int j = 0; j < LANES; j++)
		if (!subs[j].zero)
			snap(near, x + j * SUB_S, SUB_S, false, &subs[j]);
}

/* LANES sub-blocks of 16. */
static void
encode_subs_m(const struct phi_iq_near *near, const float *x, struct third *subs)
{
	struct sorted s;
	vf wx[SUB_M], w[SUB_M];
	vi half[SUB_M];
	lay_sorted(x, subs, SUB_M, &s, wx, w);
	for (int i = 0; i < SUB_M; i++)
		half[i] = vi_lt(vi_set(7), s.from[i]);
	const struct split split = split_halves(wx, w, half);
	take_split(x, &s, &split, SUB_M, 1e-7f, 3, subs);
	for (int j = 0; j < LANES; j++)
		if (!subs[j].zero)
			snap(near, x + j * SUB_M, SUB_M, true, &subs[j]);
}

#endif
