/* The search of IQ2 and IQ3: for a sub-block of weights a scale, and for each few of them a point
 * of a grid, tried over a range of scales (facts/gguf.md 3.6). Sums run left to right, so the lanes
 * never share a sum:
 *
 *   places, sums   a lane is a trial: all trials of a sub-block go side by side;
 *   nearest        a lane is a candidate point near one place
 *                  (iq_batch.h), or a trial (iq_nearest.h).
 */
#ifndef PHI_QUANT_IQ_SEARCH_H
#define PHI_QUANT_IQ_SEARCH_H

#include "quant/iq_batch.h"

enum { IQ_BLOCK = 256, IQ_SUB_MAX = 32 };

/* A type's search. `levels` indices of `bits` bits in each of `dims` coordinates make a part; a
 * coordinate's value is 2 * index + 1. */
struct iq_shape {
	enum phi_iq_grid grid;
	int n; /* weights of a sub-block */
	int dims, bits, levels;
	bool short_lists; /* few points are near a place */
	int side; /* trials -side .. side */
	float step; /* of a trial */
	bool even; /* a byte of signs has an even number of bits set */
	enum {
		IQ_REFIT_OFF_GRID,
		IQ_REFIT_ALL,
		IQ_REFIT_ALWAYS
	} refit; /* the parts off the grid; all if one is; all */
	float least; /* a sub-block whose largest weight is below is zero; 0: only if it is 0 */
	float spread; /* what the mean square is multiplied by */
	float plain; /* the share of it in the weights' importance where none is given */
	float factor; /* of the block's scale as stored */
};

/* A sub-block ready to be searched: magnitudes (one of eight negative where the signs had to be
 * even), their importance, its root and its product with them; signs, a bit each. */
struct iq_sub {
	float x[IQ_SUB_MAX], w[IQ_SUB_MAX], root[IQ_SUB_MAX], wx[IQ_SUB_MAX];
	float most, reach; /* the largest x, and magnitude */
	uint32_t signs;
};

/* What was found: the scale may be negative, then all signs change. */
struct iq_choice {
	float scale;
	uint16_t points[IQ_PARTS_MAX];
};

/* The values at coordinate i of points: 2 * index + 1. */
PHI_INLINE vf
coordinate(vi points, int bits, int i)
{
#if PHI_LANES >= 8
	static const float three[16] = { 1, 3, 5, 0, 1, 3, 5, 0, 1, 3, 5, 0, 1, 3, 5, 0 };
	static const float eight[16] = { 1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15 };
	return vf_permute(vf_load(bits == 2 ? three : eight), (vi)((vu)points >> bits * i));
#else
	return vf_of_int((points >> bits * i & ((1 << bits) - 1)) * 2 + 1);
#endif
}

/* 0, 1, 2 ... */
static inline vi
vi_lanes(void)
{
	static const int32_t lanes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	vi v;
	memcpy(&v, lanes, sizeof v);
	return v;
}

/* The index of the value nearest to x * inverse; of what lies far beyond (see nearest()) rubbish.
 */
static inline int
index_of(float x, float inverse, int levels)
{
	const int32_t l = nearest(0.5f * (inverse * x - 1));
	return l < 0 ? 0 : l > levels - 1 ? levels - 1 : l;
}

/* The places of a part's weights under LANES scales. `near`: no rubbish. */
PHI_INLINE vi
places_across(int dims, int levels, const float *x, vf inverse, bool near)
{
	const vf half = inverse * 0.5f;
	vi place = vi_set(0);
	for (int i = dims - 1; i >= 0; i--) {
		vi index;
		if (near) {
			const vf v = half * x[i] - 0.5f;
			index = (vi)vf_bits(
					vf_min(vf_max(v, vf_set(0)), vf_set((float)(levels - 1))) +
					12582912.0f) -
				0x4B400000;
		} else
			index = vi_max(vi_min(vf_round_even(0.5f * (inverse * x[i] - 1)),
					       vi_set(levels - 1)),
				vi_set(0));
		place = place * levels + index;
	}
	return place;
}

PHI_INLINE struct iq_values
values_of(const struct iq_shape f)
{
	return (struct iq_values){ .dims = f.dims, .bits = f.bits, .first = 1, .step = 2 };
}

/* All trials of a sub-block. */
struct iq_trials {
	int n; /* in use */
	float inverse[IQ_TRIALS_MAX], scale[IQ_TRIALS_MAX];
	float qx[IQ_TRIALS_MAX],
		q2[IQ_TRIALS_MAX]; /* sums of w * x * value, of w * value * value */
	uint32_t point[IQ_PARTS_MAX]
		      [IQ_TRIALS_MAX]; /* first their places; upper bits are rubbish */
	struct iq_lengths lengths;
};

PHI_INLINE void
lay_trials(const struct iq_shape f, float over, struct iq_trials *t)
{
	t->n = 2 * f.side + 1;
	for (int c = 0; c < t->n; c += LANES) {
		const vf i = vf_of_int(vi_lanes() + (c - f.side));
		const vf inverse = (vf_set((float)(2 * f.levels - 1)) + i * f.step) / over;
		vf_store(t->inverse + c, inverse);
		vf_store(t->scale + c, 1 / inverse);
	}
}

PHI_INLINE void
sum_trials(const struct iq_shape f, const struct iq_sub *s, struct iq_trials *t)
{
	for (int c = 0; c < t->n; c += LANES) {
		vf qx = vf_set(0), q2 = vf_set(0);
		for (int i = 0; i < f.n; i++) {
			vi point;
			memcpy(&point, t->point[i / f.dims] + c, sizeof point);
			const vf q = coordinate(point, f.bits, i % f.dims);
			qx += s->wx[i] * q;
			q2 += s->w[i] * q * q;
		}
		vf_store(t->qx + c, qx);
		vf_store(t->q2 + c, q2);
	}
}

/* What places of iq_near.h has for the places of LANES trials. */
PHI_INLINE vi
look_up(const uint32_t *places, vi place)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vi)_mm512_i32gather_epi32((__m512i)place, places, 4);
#elif PHI_LANES == 8 && defined(__AVX2__)
	return (vi)_mm256_i32gather_epi32((const int *)places, (__m256i)place, 4);
#else
	int32_t lanes[LANES];
	memcpy(lanes, &place, sizeof lanes);
	for (int i = 0; i < LANES; i++)
		lanes[i] = (int32_t)places[lanes[i]];
	memcpy(&place, lanes, sizeof place);
	return place;
#endif
}

/* Notes which of the LANES trials from c on have lists of which length. */
PHI_INLINE void
sort_lengths(vi place, int k, int c, bool all, struct iq_lengths *l)
{
	const vi units = (vi)((vu)place >> 16) & 0xFF;
	l->trials[0][k] |= vi_signs(place) << c;
	if (!all)
		return;
	for (int q = 1; q < IQ_LONG; q++)
		l->trials[q][k] |= vi_signs(vi_eq(units, vi_set(q)) & ~place) << c;
	l->trials[IQ_LONG][k] |= vi_signs(vi_lt(vi_set(IQ_LONG - 1), units) & ~place) << c;
}

/* The points of all parts under all trials. Where lists are short, places are settled for a vector
 * of trials at once, unless it were mostly empty. */
PHI_INLINE void
snap_trials(const struct iq_shape f, const struct phi_iq_near *near, const struct iq_sub *s,
	bool close, struct iq_trials *t)
{
	const struct iq_parts parts = { s->x, s->root, t->scale, t->point };
	const uint32_t used = (uint32_t)((UINT64_C(1) << t->n) - 1);
	const int nparts = f.n / f.dims;
	memset(&t->lengths, 0, sizeof t->lengths);
	for (int k = 0; k < nparts; k++) {
		const float *const x = s->x + k * f.dims, *const w = s->root + k * f.dims;
		for (int c = 0; c < t->n; c += LANES) {
			vi place = look_up(near->places,
				places_across(f.dims, f.levels, x, vf_load(t->inverse + c), close));
			const bool at_once =
				IQ_BY_PLACE || (f.short_lists && t->n - c >= LANES / 2);
			sort_lengths(place, k, c, !at_once, &t->lengths);
			if (at_once)
				place = settle_places(near, values_of(f), f.levels, x, w,
					vf_load(t->scale + c), place, used >> c);
			memcpy(t->point[k] + c, &place, sizeof place);
		}
		for (int q = 0; q <= IQ_LONG; q++)
			t->lengths.trials[q][k] &= used;
	}
	settle_all(near, values_of(f), &parts, nparts, &t->lengths);
}

/* Points and scale once more for a scale found: parts that lie off the grid, or all. */
PHI_INLINE void
refit(const struct iq_shape f, const struct phi_iq_near *near, const struct iq_sub *s,
	unsigned off_grid, struct iq_choice *choice)
{
	const float inverse = 1 / choice->scale;
	float qx = 0, q2 = 0;
	for (int k = 0; k < f.n / f.dims; k++) {
		const float *const x = s->x + k * f.dims;
		unsigned place = 0;
		if (f.refit == IQ_REFIT_OFF_GRID && !(off_grid >> k & 1))
			continue;
		for (int i = f.dims - 1; i >= 0; i--)
			place = place * (unsigned)f.levels +
				(unsigned)index_of(x[i], inverse, f.levels);
		choice->points[k] = (uint16_t)nearest_point(near, near->places[place], values_of(f),
			x, s->root + k * f.dims, choice->scale);
	}
	for (int i = 0; i < f.n; i++) {
		const float q = (float)((choice->points[i / f.dims] >> i % f.dims * f.bits &
						((1 << f.bits) - 1)) *
						2 +
					1);
		qx += s->wx[i] * q;
		q2 += s->w[i] * q * q;
	}
	if (q2 > 0)
		choice->scale = qx / q2;
}

/* Scale and points of a sub-block; trials are around `over` divided by the largest value. */
PHI_INLINE void
iq_search(const struct iq_shape f, const struct phi_iq_near *near, const struct iq_sub *s,
	float over, float scale, struct iq_choice *choice)
{
	struct iq_trials t;
	float best = 0;
	int winner = -1;
	unsigned off_grid = 0;
	lay_trials(f, over, &t);
	if (t.inverse[t.n - 1] * s->reach < 0x1p22f)
		snap_trials(f, near, s, true, &t);
	else
		snap_trials(f, near, s, false, &t);
	sum_trials(f, s, &t);
	choice->scale = scale;
	for (int c = 0; c < t.n; c++)
		if (t.q2[c] > 0 && t.qx[c] * t.qx[c] > best * t.q2[c]) {
			choice->scale = t.qx[c] / t.q2[c];
			best = choice->scale * t.qx[c];
			winner = c;
		}
	for (int k = 0; k < f.n / f.dims; k++)
		choice->points[k] = winner < 0 ? 0 : (uint16_t)t.point[k][winner];
	const unsigned all = (1u << f.n / f.dims) - 1;
	if (f.refit == IQ_REFIT_ALWAYS)
		off_grid = all;
	else if (winner < 0)
		off_grid = f.refit == IQ_REFIT_ALL ? all : 0;
	else
		for (int k = 0; k < f.n / f.dims; k++)
			off_grid |= (~t.lengths.trials[0][k] >> winner & 1) << k;
	if (off_grid && choice->scale > 0)
		refit(f, near, s, off_grid, choice);
}

#endif
