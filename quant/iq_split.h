/* The search of IQ1: which weights of a sub-block become -1, 0, 1 (all shifted by an eighth, up or
 * down). Sorted, they are cut in two places; every pair of cuts is tried, with either shift
 * (facts/gguf.md 3.7). A lane is a sub-block; the sums up to each cut are kept, so that a trial
 * takes a few operations.
 */
#ifndef PHI_QUANT_IQ_SPLIT_H
#define PHI_QUANT_IQ_SPLIT_H

#include "quant/iq_search.h"

enum { SPLIT_MAX = 32 };

/* Weights sorted, smallest first, of equals the one that comes first; where each was. */
struct sorted {
	vf x[SPLIT_MAX];
	vi from[SPLIT_MAX];
};

/* Puts a pair in order. */
PHI_INLINE void
order(struct sorted *s, int a, int b)
{
	const vf x = s->x[a], y = s->x[b];
	const vi from_x = s->from[a], from_y = s->from[b];
	const vi swap = vf_lt(y, x) | (vf_eq(x, y) & vi_lt(from_y, from_x));
	s->x[a] = vf_pick(swap, y, x);
	s->x[b] = vf_pick(swap, x, y);
	s->from[a] = vi_pick(swap, from_y, from_x);
	s->from[b] = vi_pick(swap, from_x, from_y);
}

/* Batcher's network: sorted runs of length p are merged to runs of 2 p, in steps of pairs ever
 * closer. */
PHI_INLINE void
sort_across(struct sorted *s, int n)
{
	for (int p = 1; p < n; p *= 2)
		for (int k = p; k >= 1; k /= 2)
			for (int j = k % p; j + k < n; j += 2 * k)
				for (int i = j; i < j + k && i + k < n; i++)
					if (i / (2 * p) == (i + k) / (2 * p))
						order(s, i, i + k);
}

/* The best pair of cuts: sorted weights below `first` are -1, from `second` on 1. */
struct split {
	vf scale, best;
	vi cuts; /* first * 64 + second; -1: none */
	vi shift; /* which of the shifts, as the trial numbers them */
};

/* A trial; `which` tells it. */
PHI_INLINE void
weigh(struct split *s, vf qx, vf q2, int cuts, int shift)
{
	const vi better = vf_lt(vf_set(0), q2) & vf_lt(s->best * q2, qx * qx);
	if (!vi_signs(better))
		return;
	const vf scale = qx / q2;
	s->scale = vf_pick(better, scale, s->scale);
	s->best = vf_pick(better, scale * qx, s->best);
	s->cuts = vi_pick(better, vi_set(cuts), s->cuts);
	s->shift = vi_pick(better, vi_set(shift), s->shift);
}

PHI_INLINE struct split
no_split(void)
{
	return (struct split){
		.scale = vf_set(0), .best = vf_set(-FLT_MAX), .cuts = vi_set(-1), .shift = vi_set(0)
	};
}

/* IQ1_S: one shift for 32 weights; 0 up, 1 down. wx and w are in sorted order. */
static struct split
split_whole(const vf wx[32], const vf w[32])
{
	enum { N_ = 32 };
	static const float up[3] = { -0.875f, 0.125f, 1.125f },
			   down[3] = { -1.125f, -0.125f, 0.875f };
	vf sx[N_ + 1], sw[N_ + 1], x_up[N_ + 1], x_down[N_ + 1], w_up[N_ + 1], w_down[N_ + 1];
	struct split s = no_split();
	sx[0] = sw[0] = vf_set(0);
	for (int i = 0; i < N_; i++) {
		sx[i + 1] = sx[i] + wx[i];
		sw[i + 1] = sw[i] + w[i];
	}
	for (int i = 0; i <= N_; i++) {
		x_up[i] = (sx[N_] - sx[i]) * up[2];
		x_down[i] = (sx[N_] - sx[i]) * down[2];
		w_up[i] = (sw[N_] - sw[i]) * up[2] * up[2];
		w_down[i] = (sw[N_] - sw[i]) * down[2] * down[2];
	}
	for (int i = 0; i <= N_; i++) {
		const vf a_up = sx[i] * up[0], a_down = sx[i] * down[0];
		const vf b_up = sw[i] * up[0] * up[0], b_down = sw[i] * down[0] * down[0];
		for (int j = i; j <= N_; j++) {
			const vf x = (sx[j] - sx[i]) * up[1], q = (sw[j] - sw[i]) * up[1] * up[1];
			weigh(&s, a_up + x + x_up[j], b_up + q + w_up[j], i * 64 + j, 0);
			weigh(&s, a_down - x + x_down[j], b_down + q + w_down[j], i * 64 + j, 1);
		}
	}
	return s;
}

/* IQ1_M: of 16 weights each half has a shift of its own, down for the first in bit 1, for the
 * second in bit 0. half[i] is the mask of weights of the second half. With t the sum over all of a
 * half and p those up to the cuts, w * x * value adds up to t * top - p1 - p2, whichever the shift,
 * for the values lie one apart. */
static struct split
split_halves(const vf wx[16], const vf w[16], const vi half[16])
{
	enum { N_ = 16 };
	static const float top[2] = { 1.125f, 0.875f }, one[2] = { 0.75f, 1.25f },
			   two[2] = { -1.25f, -0.75f };
	vf px[2][N_ + 1], pw[2][N_ + 1];
	struct split s = no_split();
	for (int h = 0; h < 2; h++)
		px[h][0] = pw[h][0] = vf_set(0);
	for (int i = 0; i < N_; i++)
		for (int h = 0; h < 2; h++) {
			const vi mine = h ? half[i] : ~half[i];
			px[h][i + 1] = vf_pick(mine, px[h][i] + wx[i], px[h][i]);
			pw[h][i + 1] = vf_pick(mine, pw[h][i] + w[i], pw[h][i]);
		}
	for (int i = 0; i <= N_; i++)
		for (int j = i; j <= N_; j++) {
			vf qx[2][2], q2[2][2];
			for (int h = 0; h < 2; h++)
				for (int d = 0; d < 2; d++) {
					qx[h][d] = px[h][N_] * top[d] - (px[h][i] + px[h][j]);
					q2[h][d] = pw[h][N_] * top[d] * top[d] + pw[h][i] * one[d] +
						   pw[h][j] * two[d];
				}
			for (int k = 0; k < 4; k++)
				weigh(&s, qx[0][k >> 1] + qx[1][k & 1],
					q2[0][k >> 1] + q2[1][k & 1], i * 64 + j, k);
		}
	return s;
}

#endif
