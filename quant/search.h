/* The searches of the K types: scale (and minimum) of a sub-block by trying and refitting. Sums run left to
 * right within a sub-block, so the lanes run across: each holds a sub-block of its own and does what the
 * reference does for one (facts/gguf.md 3.2). Two groups of lanes at a time hide the latency of the sums,
 * which are chains; registers of 512 bits need no second.
 */
#ifndef PHI_QUANT_SEARCH_H
#define PHI_QUANT_SEARCH_H

#include "quant/lanes.h"

/* A file may ask for more groups before it includes this. */
#ifndef PHI_GROUPS
#define PHI_GROUPS (PHI_LANES == 1 || PHI_LANES == 16 ? 1 : 2)
#endif

enum { GROUPS = PHI_GROUPS, ACROSS = LANES * GROUPS };

#define EACH_GROUP for (int g = 0; g < GROUPS; g++)

/* Elements 0 to LANES - 1 of LANES rows `stride` apart side by side. */
PHI_INLINE void
load_across(const float *src, int stride, vf x[LANES])
{
	for (int j = 0; j < LANES; j++)
		x[j] = vf_load(src + j * stride);
	vf_transpose(x);
}

/* Element i of ACROSS sub-blocks of n floats (a multiple of 16) side by side. */
PHI_INLINE void
lay_across(const float *src, int n, vf (*x)[GROUPS])
{
	EACH_GROUP
		for (int i = 0; i < n; i += LANES) {
			vf rows[LANES];
			load_across(src + g * LANES * n + i, n, rows);
			for (int j = 0; j < LANES; j++)
				x[i + j][g] = rows[j];
		}
}

/* The same, and the weight of each where importance is given: importance * sqrt(s + x * x), s being one number a
 * sub-block. */
PHI_INLINE void
lay_weighted(const float *src, const float *importance, const float *squares, int n, vf (*x)[GROUPS],
	vf (*w)[GROUPS])
{
	lay_across(src, n, x);
	lay_across(importance, n, w);
	for (int i = 0; i < n; i++)
		EACH_GROUP w[i][g] *= vf_sqrt(vf_load(squares + g * LANES) + x[i][g] * x[i][g]);
}

/* Sums of the squares of LANES blocks of n floats (a multiple of 16), left to right. */
PHI_INLINE vf
squares_across(const float *src, int n)
{
	vf sum = vf_set(0);
	for (int i = 0; i < n; i += LANES) {
		vf x[LANES];
		load_across(src + i, n, x);
		for (int j = 0; j < LANES; j++)
			sum += x[j] * x[j];
	}
	return sum;
}

/* Writes lane i of v `times` times from i * times on. */
PHI_INLINE void
repeat_across(vf v, int times, float *dst)
{
	float lanes[LANES];
	vf_store(lanes, v);
	for (int i = 0; i < LANES * times; i++)
		dst[i] = lanes[i / times];
}

/* Sums of n weights, left to right. */
PHI_INLINE void
sum_across(int n, const vf (*w)[GROUPS], float *dst)
{
	vf sum[GROUPS];
	EACH_GROUP sum[g] = vf_set(0);
	for (int i = 0; i < n; i++)
		EACH_GROUP sum[g] += w[i][g];
	EACH_GROUP vf_store(dst + g * LANES, sum[g]);
}

PHI_INLINE void
store_across(float *dst, const vf v[GROUPS])
{
	EACH_GROUP vf_store(dst + g * LANES, v[g]);
}

/* What affine_search finds for each sub-block: weight = scale * code - min, with the codes
 * clamp(nearest((x - base) * inverse)); `flat`: no scale, all codes 0. */
struct affine {
	float scale[ACROSS], min[ACROSS], inverse[ACROSS], base[ACROSS];
	int32_t flat[ACROSS];
};

/* A code of the search, where no later step makes a better one. */
static inline uint8_t
affine_code(const struct affine *a, int sub, int most, float x)
{
	const int32_t v = nearest(a->inverse[sub] * (x - a->base[sub]));
	return a->flat[sub] ? 0 : (uint8_t)(v < 0 ? 0 : v > most ? most : v);
}

/* nearest_int() and clamping to 0 .. most, as floats. `near`: |x| < 2^22 is known. */
PHI_INLINE vf
clamped_code(vf x, int most, bool near)
{
	if (near)
		return vf_max(vf_min((x + 12582912.0f) - 12582912.0f, vf_set((float)most)), vf_set(0));
	return vf_of_int(vi_max(vi_min(vf_round_even(x), vi_set(most)), vi_set(0)));
}

/* The state of a search. */
struct affine_state {
	vf sum_w[GROUPS], sum_x[GROUPS], min[GROUPS], low[GROUPS], max[GROUPS], scale[GROUPS], best[GROUPS],
		inverse[GROUPS], base[GROUPS];
	vi flat[GROUPS];
};

/* |diff|, or its square. */
PHI_INLINE vf
deviation(vf diff, bool mad)
{
	return mad ? vf_abs(diff) : diff * diff;
}

/* Are all of inverse * (x - min) small enough to be rounded the quick way? */
PHI_INLINE bool
all_near(const struct affine_state *s, const vf inverse[GROUPS])
{
	vi far = vi_set(0);
	EACH_GROUP {
		const vf a = vf_abs(inverse[g] * (s->low[g] - s->min[g]));
		const vf b = vf_abs(inverse[g] * (s->max[g] - s->min[g]));
		const vi near = vf_lt(a, vf_set(4194303)) & vf_lt(b, vf_set(4194303));
		far |= ~(near | s->flat[g]);
	}
	return vi_signs(far) == 0;
}

/* Codes under a trial inverse, a least-squares scale and minimum for them; taken if the error shrinks. */
PHI_INLINE void
affine_try(struct affine_state *s, int n, int most, const vf (*x)[GROUPS], const vf (*w)[GROUPS],
	const vf inverse[GROUPS], bool mad, bool near)
{
	const vf zero = vf_set(0);
	vf q[32][GROUPS], sum_l[GROUPS], sum_l2[GROUPS], sum_xl[GROUPS], det[GROUPS], scale[GROUPS],
		min[GROUPS], error[GROUPS];
	EACH_GROUP sum_l[g] = sum_l2[g] = sum_xl[g] = error[g] = zero;
	for (int i = 0; i < n; i++)
		EACH_GROUP {
			q[i][g] = clamped_code(inverse[g] * (x[i][g] - s->min[g]), most, near);
			const vf wq = w[i][g] * q[i][g];
			sum_l[g] += wq;
			sum_l2[g] += wq * q[i][g];
			sum_xl[g] += wq * x[i][g];
		}
	EACH_GROUP {
		det[g] = s->sum_w[g] * sum_l2[g] - sum_l[g] * sum_l[g];
		scale[g] = (s->sum_w[g] * sum_xl[g] - s->sum_x[g] * sum_l[g]) / det[g];
		min[g] = (sum_l2[g] * s->sum_x[g] - sum_l[g] * sum_xl[g]) / det[g];
		const vi above = vf_lt(zero, min[g]);
		scale[g] = vf_pick(above, sum_xl[g] / sum_l2[g], scale[g]);
		min[g] = vf_pick(above, zero, min[g]);
	}
	for (int i = 0; i < n; i++)
		EACH_GROUP
			error[g] += w[i][g] * deviation(scale[g] * q[i][g] + min[g] - x[i][g], mad);
	EACH_GROUP {
		const vi better = vf_lt(zero, det[g]) & vf_lt(error[g], s->best[g]);
		s->inverse[g] = vf_pick(better, inverse[g], s->inverse[g]);
		s->base[g] = vf_pick(better, s->min[g], s->base[g]);
		s->best[g] = vf_pick(better, error[g], s->best[g]);
		s->scale[g] = vf_pick(better, scale[g], s->scale[g]);
		s->min[g] = vf_pick(better, min[g], s->min[g]);
	}
}

/* Sums and range; the first codes, between minimum (0 at most) and maximum, and their error. */
PHI_INLINE void
affine_start(struct affine_state *s, int n, int most, const vf (*x)[GROUPS], const vf (*w)[GROUPS],
	bool mad)
{
	const vf zero = vf_set(0);
	EACH_GROUP {
		s->min[g] = s->max[g] = x[0][g];
		s->sum_w[g] = w[0][g];
		s->sum_x[g] = w[0][g] * x[0][g];
	}
	for (int i = 1; i < n; i++)
		EACH_GROUP {
			s->min[g] = vf_min(x[i][g], s->min[g]);
			s->max[g] = vf_max(x[i][g], s->max[g]);
			s->sum_w[g] += w[i][g];
			s->sum_x[g] += w[i][g] * x[i][g];
		}
	EACH_GROUP {
		s->low[g] = s->min[g];
		s->min[g] = vf_pick(vf_lt(zero, s->min[g]), zero, s->min[g]);
		s->base[g] = s->min[g];
		s->flat[g] = vf_eq(s->max[g], s->min[g]);
		s->inverse[g] = vf_set((float)most) / (s->max[g] - s->min[g]);
		s->scale[g] = 1 / s->inverse[g];
		s->best[g] = zero;
	}
	for (int i = 0; i < n; i++)
		EACH_GROUP {
			const vf q = clamped_code(s->inverse[g] * (x[i][g] - s->min[g]), most, false);
			s->best[g] += w[i][g] * deviation(s->scale[g] * q + s->min[g] - x[i][g], mad);
		}
}

/* make_qkx2_quants for ACROSS sub-blocks of n weights x with importances w, codes 0 .. most. */
PHI_INLINE void
affine_search(int n, int most, const vf (*x)[GROUPS], const vf (*w)[GROUPS], float first, float step,
	int steps, bool mad, struct affine *out)
{
	struct affine_state s;
	affine_start(&s, n, most, x, w, mad);
	for (int i = 0; i <= steps; i++) {
		const float top = first + step * (float)i + (float)most;
		vf inverse[GROUPS];
		EACH_GROUP inverse[g] = vf_set(top) / (s.max[g] - s.min[g]);
		if (all_near(&s, inverse))
			affine_try(&s, n, most, x, w, inverse, mad, true);
		else
			affine_try(&s, n, most, x, w, inverse, mad, false);
	}
	/* A flat sub-block's error is 0 or NaN from the start: no trial was better, base is its minimum. */
	EACH_GROUP {
		s.scale[g] = vf_pick(s.flat[g], vf_set(0), s.scale[g]);
		s.min[g] = -vf_pick(s.flat[g], s.base[g], s.min[g]);
		memcpy(out->flat + g * LANES, &s.flat[g], sizeof s.flat[g]);
	}
	store_across(out->scale, s.scale);
	store_across(out->min, s.min);
	store_across(out->inverse, s.inverse);
	store_across(out->base, s.base);
}

/* What symmetric_search finds for each sub-block: weight = scale * (code - half), with the codes
 * half + clamp(nearest(x * inverse)); `flat`: no scale, all codes 0. */
struct symmetric {
	float scale[ACROSS], inverse[ACROSS];
	int32_t flat[ACROSS];
};

static inline uint8_t
symmetric_code(const struct symmetric *s, int sub, int half, float x)
{
	const int32_t v = nearest(s->inverse[sub] * x);
	return s->flat[sub] ? 0 : (uint8_t)(half + (v < -half ? -half : v > half - 1 ? half - 1 : v));
}

/* The x of largest magnitude of each sub-block, the first of equals, and whether it counts as zero. True
 * if all of x are finite: their codes can then be rounded the quick way. */
PHI_INLINE bool
extremes_across(int n, const vf (*x)[GROUPS], vf extreme[GROUPS], vi flat[GROUPS])
{
	vf most[GROUPS];
	vi odd = vi_set(0);
	EACH_GROUP most[g] = extreme[g] = vf_set(0);
	for (int i = 0; i < n; i++)
		EACH_GROUP {
			const vf size = vf_abs(x[i][g]);
			const vi larger = vf_lt(most[g], size);
			most[g] = vf_pick(larger, size, most[g]);
			extreme[g] = vf_pick(larger, x[i][g], extreme[g]);
			odd |= ~vf_lt(size, vf_set(INFINITY));
		}
	EACH_GROUP flat[g] = vf_lt(most[g], vf_set(1e-15f));
	return vi_signs(odd) == 0;
}

/* nearest_int() and clamping to -half .. half - 1, as floats. */
PHI_INLINE vf
signed_code(vf x, int half, bool near)
{
	if (near)
		return vf_max(vf_min((x + 12582912.0f) - 12582912.0f, vf_set((float)(half - 1))),
			vf_set((float)-half));
	return vf_of_int(vi_max(vi_min(vf_round_even(x), vi_set(half - 1)), vi_set(-half)));
}

/* Sums of w * x * code and w * code * code under an inverse; wx is w * x. */
PHI_INLINE void
symmetric_sums(int n, int half, const vf (*x)[GROUPS], const vf (*w)[GROUPS], const vf (*wx)[GROUPS],
	const vf inverse[GROUPS], bool near, vf sum_xl[GROUPS], vf sum_l2[GROUPS])
{
	EACH_GROUP sum_xl[g] = sum_l2[g] = vf_set(0);
	for (int i = 0; i < n; i++)
		EACH_GROUP {
			const vf l = signed_code(inverse[g] * x[i][g], half, near);
			sum_xl[g] += wx[i][g] * l;
			sum_l2[g] += w[i][g] * l * l;
		}
}

PHI_INLINE void
symmetric_tries(int n, int half, const vf (*x)[GROUPS], const vf (*w)[GROUPS], const vf (*wx)[GROUPS],
	const vf extreme[GROUPS], bool near, vf scale[GROUPS], vf inverse[GROUPS])
{
	const vf zero = vf_set(0);
	vf sum_xl[GROUPS], sum_l2[GROUPS], best[GROUPS], trial[GROUPS];
	EACH_GROUP inverse[g] = vf_set((float)-half) / extreme[g];
	symmetric_sums(n, half, x, w, wx, inverse, near, sum_xl, sum_l2);
	EACH_GROUP {
		scale[g] = vf_pick(vf_eq(sum_l2[g], zero), zero, sum_xl[g] / sum_l2[g]);
		best[g] = scale[g] * sum_xl[g];
	}
	for (int i = -9; i <= 9; i++) {
		if (i == 0)
			continue;
		EACH_GROUP trial[g] = vf_set(-((float)half + 0.1f * (float)i)) / extreme[g];
		symmetric_sums(n, half, x, w, wx, trial, near, sum_xl, sum_l2);
		EACH_GROUP {
			const vi better = vf_lt(zero, sum_l2[g]) &
				vf_lt(best[g] * sum_l2[g], sum_xl[g] * sum_xl[g]);
			const vf s = sum_xl[g] / sum_l2[g];
			inverse[g] = vf_pick(better, trial[g], inverse[g]);
			scale[g] = vf_pick(better, s, scale[g]);
			best[g] = vf_pick(better, s * sum_xl[g], best[g]);
		}
	}
}

/* make_qx_quants for ACROSS sub-blocks of n weights x (32 at most) with importances w, codes 0 .. 2 * half - 1. */
PHI_INLINE void
symmetric_search(int n, int half, const vf (*x)[GROUPS], const vf (*w)[GROUPS], struct symmetric *out)
{
	vf wx[32][GROUPS], extreme[GROUPS], scale[GROUPS], inverse[GROUPS];
	vi flat[GROUPS];
	const bool near = extremes_across(n, x, extreme, flat);
	for (int i = 0; i < n; i++)
		EACH_GROUP wx[i][g] = w[i][g] * x[i][g];
	if (near)
		symmetric_tries(n, half, x, w, wx, extreme, true, scale, inverse);
	else
		symmetric_tries(n, half, x, w, wx, extreme, false, scale, inverse);
	EACH_GROUP {
		scale[g] = vf_pick(flat[g], vf_set(0), scale[g]);
		memcpy(out->flat + g * LANES, &flat[g], sizeof flat[g]);
	}
	store_across(out->scale, scale);
	store_across(out->inverse, inverse);
}

/* Codes of n weights (a multiple of 16) under scale and minimum as stored, counted from `low`:
 * clamp(nearest((x + m) / d)) - low. */
static inline void
codes_again(const float *x, int n, float d, float m, int low, int high, uint8_t *codes)
{
	for (int i = 0; i < n; i += 16) {
		vi q[16 / LANES];
		for (int k = 0; k < 16 / LANES; k++) {
			const vi v = vf_round_even((vf_load(x + i + k * LANES) + m) / d);
			q[k] = vi_max(vi_min(v, vi_set(high)), vi_set(low)) - low;
		}
		vi_store_bytes(codes + i, q, 16);
	}
}

#endif
