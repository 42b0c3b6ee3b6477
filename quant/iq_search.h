/* The search of IQ2 and IQ3: for a sub-block of weights a scale, and for each few of them a point of a grid, tried
 * over a range of scales (facts/gguf.md 3.6). Sums run left to right, so the lanes never share a sum:
 *
 *   places, sums   a lane is a trial: all trials of a sub-block go side by side;
 *   nearest        a lane is a candidate point near one place. What a coordinate adds to the distance depends on
 *                  its index alone, so it is worked out for each index once and looked up.
 */
#ifndef PHI_QUANT_IQ_SEARCH_H
#define PHI_QUANT_IQ_SEARCH_H

#include "quant/iq_near.h"
#include "quant/search.h"

#include <float.h>

/* Trials are padded to whole vectors. */
enum { IQ_BLOCK = 256, IQ_SUB_MAX = 32, IQ_TRIALS_MAX = 32, IQ_PARTS_MAX = 8 };

/* A type's search. `levels` indices of `bits` bits in each of `dims` coordinates make a part; a coordinate's value is
 * 2 * index + 1. */
struct iq_shape {
	enum phi_iq_grid grid;
	int n; /* weights of a sub-block */
	int dims, bits, levels;
	int side;   /* trials -side .. side */
	float step; /* of a trial */
	bool even;  /* a byte of signs has an even number of bits set */
	enum { IQ_REFIT_OFF_GRID, IQ_REFIT_ALL, IQ_REFIT_ALWAYS } refit; /* the parts off the grid; all if one is; all */
	float least; /* a sub-block whose largest weight is below is zero; 0: only if it is 0 */
	float spread; /* what the mean square is multiplied by */
	float plain;  /* the share of it in the weights' importance where none is given */
	float factor; /* of the block's scale as stored */
};

/* A sub-block ready to be searched: magnitudes (one of eight negative where the signs had to be even), their
 * importance, its root and its product with them; signs, a bit each. */
struct iq_sub {
	float x[IQ_SUB_MAX], w[IQ_SUB_MAX], root[IQ_SUB_MAX], wx[IQ_SUB_MAX];
	float most; /* the largest x */
	uint32_t signs;
};

/* What was found: the scale may be negative, then all signs change. */
struct iq_choice {
	float scale;
	uint16_t points[IQ_PARTS_MAX];
};

/* What the indices of a coordinate stand for (exact: small multiples of eighths). */
struct iq_values {
	int dims, bits;
	float first, step;
};

#if PHI_LANES >= 8

/* table[index % LANES] */
static inline vf
vf_permute(vf table, vi index)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vf)_mm512_permutexvar_ps((__m512i)index, (__m512)table);
#elif PHI_LANES == 8 && defined(__AVX2__)
	return (vf)_mm256_permutevar8x32_ps((__m256)table, (__m256i)index);
#else
	return __builtin_shuffle(table, index);
#endif
}

/* The values of the indices 0, 1, 2 ... , again and again. */
PHI_INLINE vf
value_table(const struct iq_values v)
{
	static const float four[16] = { 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3 };
	static const float eight[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7 };
	return vf_load(v.bits == 2 ? four : eight) * v.step + v.first;
}

/* The values of coordinate i. */
PHI_INLINE vf
coordinate(const struct iq_values v, vi points, int i)
{
	return vf_permute(value_table(v), (vi)((vu)points >> v.bits * i));
}

#else

PHI_INLINE vf
coordinate(const struct iq_values v, vi points, int i)
{
	return vf_of_int(points >> v.bits * i & ((1 << v.bits) - 1)) * v.step + v.first;
}

#endif

/* The smallest lane. */
static inline float
vf_least(vf v)
{
#if PHI_LANES == 16
	v = vf_min(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
	v = vf_min(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3));
	v = vf_min(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1));
	v = vf_min(v, __builtin_shufflevector(v, v, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0));
	return v[0];
#elif PHI_LANES == 8
	v = vf_min(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
	v = vf_min(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1));
	v = vf_min(v, __builtin_shufflevector(v, v, 1, 0, 1, 0, 1, 0, 1, 0));
	return v[0];
#elif PHI_LANES == 4
	v = vf_min(v, __builtin_shufflevector(v, v, 2, 3, 0, 1));
	v = vf_min(v, __builtin_shufflevector(v, v, 1, 0, 1, 0));
	return v[0];
#else
	return v;
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

/* Which of a list's points is the first of the nearest: squared distances so far, and where in the list. */
PHI_INLINE int
first_of_least(vf least, vi at, bool one_vector)
{
	const unsigned equal = vi_signs(vf_eq(least, vf_set(vf_least(least))));
	if (one_vector)
		return __builtin_ctz(equal);
	int32_t places[LANES], first = INT32_MAX;
	memcpy(places, &at, sizeof places);
	for (unsigned left = equal; left; left &= left - 1)
		first = places[__builtin_ctz(left)] < first ? places[__builtin_ctz(left)] : first;
	return first;
}

/* The point near a place that is nearest to x under a scale and importance w. */
PHI_INLINE unsigned
nearest_point(const struct phi_iq_near *near, uint32_t place, const struct iq_values v, const float *x,
	const float *w, float scale)
{
	const uint16_t *const list = near->points + (place & 0xFFFF) * PHI_IQ_UNIT;
	const int n = (int)(place >> 16 & 0x7FFF) * PHI_IQ_UNIT;
	vf least = vf_set(FLT_MAX);
	vi at = vi_lanes(), own = at;
#if PHI_LANES >= 8
	vf adds[8];
	for (int i = 0; i < v.dims; i++) {
		const vf off = scale * value_table(v) - vf_set(x[i]);
		adds[i] = w[i] * off * off;
	}
#endif
	for (int p = 0; p < n; p += LANES) {
		const vi points = (vi)vu_load16(list + p);
		vf sum = vf_set(0);
		for (int i = 0; i < v.dims; i++) {
#if PHI_LANES >= 8
			sum += vf_permute(adds[i], (vi)((vu)points >> v.bits * i));
#else
			const vf off = scale * coordinate(v, points, i) - vf_set(x[i]);
			sum += w[i] * off * off;
#endif
		}
		const vi less = vf_lt(sum, least);
		least = vf_pick(less, sum, least);
		at = vi_pick(less, own, at);
		own += LANES;
	}
	return list[first_of_least(least, at, n == LANES)];
}

/* The index of the value nearest to x * inverse; of what lies far beyond (see nearest()) rubbish. */
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
			index = (vi)vf_bits(vf_min(vf_max(v, vf_set(0)), vf_set((float)(levels - 1))) + 12582912.0f) -
				0x4B400000;
		} else
			index = vi_max(vi_min(vf_round_even(0.5f * (inverse * x[i] - 1)), vi_set(levels - 1)), vi_set(0));
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
	float qx[IQ_TRIALS_MAX], q2[IQ_TRIALS_MAX]; /* sums of w * x * value, of w * value * value */
	uint32_t place[IQ_PARTS_MAX][IQ_TRIALS_MAX], point[IQ_PARTS_MAX][IQ_TRIALS_MAX];
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
			const vf q = coordinate(values_of(f), point, i % f.dims);
			qx += s->wx[i] * q;
			q2 += s->w[i] * q * q;
		}
		vf_store(t->qx + c, qx);
		vf_store(t->q2 + c, q2);
	}
}

PHI_INLINE void
snap_trials(const struct iq_shape f, const struct phi_iq_near *near, const struct iq_sub *s, bool close,
	struct iq_trials *t)
{
	for (int k = 0; k < f.n / f.dims; k++) {
		const float *const x = s->x + k * f.dims, *const root = s->root + k * f.dims;
		for (int c = 0; c < t->n; c += LANES) {
			vi place = places_across(f.dims, f.levels, x, vf_load(t->inverse + c), close);
			memcpy(t->place[k] + c, &place, sizeof place);
		}
		for (int c = 0; c < t->n; c++) {
			t->place[k][c] = near->places[t->place[k][c]];
			t->point[k][c] = nearest_point(near, t->place[k][c], values_of(f), x, root, t->scale[c]);
		}
	}
}

/* Points and scale once more for a scale found: parts that lie off the grid, or all. */
PHI_INLINE void
refit(const struct iq_shape f, const struct phi_iq_near *near, const struct iq_sub *s, unsigned off_grid,
	struct iq_choice *choice)
{
	const float inverse = 1 / choice->scale;
	float qx = 0, q2 = 0;
	for (int k = 0; k < f.n / f.dims; k++) {
		const float *const x = s->x + k * f.dims;
		unsigned place = 0;
		if (f.refit == IQ_REFIT_OFF_GRID && !(off_grid >> k & 1))
			continue;
		for (int i = f.dims - 1; i >= 0; i--)
			place = place * (unsigned)f.levels + (unsigned)index_of(x[i], inverse, f.levels);
		choice->points[k] = (uint16_t)nearest_point(near, near->places[place], values_of(f), x,
			s->root + k * f.dims, choice->scale);
	}
	for (int i = 0; i < f.n; i++) {
		const float q = (float)((choice->points[i / f.dims] >> i % f.dims * f.bits & ((1 << f.bits) - 1)) * 2 + 1);
		qx += s->wx[i] * q;
		q2 += s->w[i] * q * q;
	}
	if (q2 > 0)
		choice->scale = qx / q2;
}

/* Scale and points of a sub-block; trials are around `over` divided by the largest value. */
PHI_INLINE void
iq_search(const struct iq_shape f, const struct phi_iq_near *near, const struct iq_sub *s, float over, float scale,
	struct iq_choice *choice)
{
	struct iq_trials t;
	float best = 0;
	int winner = -1;
	unsigned off_grid;
	lay_trials(f, over, &t);
	float reach = 0;
	for (int i = 0; i < f.n; i++)
		reach = fabsf(s->x[i]) > reach ? fabsf(s->x[i]) : reach;
	if (t.inverse[t.n - 1] * reach < 0x1p22f)
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
	off_grid = f.refit == IQ_REFIT_ALWAYS || (f.refit == IQ_REFIT_ALL && winner < 0) ? 1u << 31 : 0;
	for (int k = 0; k < f.n / f.dims; k++) {
		choice->points[k] = winner < 0 ? 0 : (uint16_t)t.point[k][winner];
		if (winner >= 0 && !(t.place[k][winner] & PHI_IQ_ON_GRID))
			off_grid |= 1u << k;
	}
	if (off_grid && choice->scale > 0)
		refit(f, near, s, off_grid, choice);
}

#endif
