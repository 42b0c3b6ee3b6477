/* Numbers that are to be codes times one scale, none below 0: what is done with the scales and minima of the
 * sub-blocks of Q2_K, Q4_K and Q5_K where importance is given (make_qp_quants, facts/gguf.md 3.2). Each lane holds the
 * numbers of a super-block of its own.
 */
#ifndef PHI_QUANT_MULTIPLES_H
#define PHI_QUANT_MULTIPLES_H

#include "quant/search.h"

enum { MULTIPLES_MAX = 16 };

struct multiples {
	vf x[MULTIPLES_MAX], w[MULTIPLES_MAX]; /* numbers and how much they matter */
	vi code[MULTIPLES_MAX];
	vf scale;
};

PHI_INLINE vi
multiple(vf x, int most)
{
	return vi_min(vf_round_even(x), vi_set(most));
}

/* The error with the factor `inverse` and its codes, which are bytes at first. */
PHI_INLINE vf
multiples_error(const struct multiples *m, int n, int most, vf inverse, bool bytes)
{
	const vf scale = 1 / inverse;
	vf error = vf_set(0);
	for (int i = 0; i < n; i++) {
		const vi l = bytes ? vf_round_even(inverse * m->x[i]) & 255 : multiple(inverse * m->x[i], most);
		const vf diff = m->x[i] - scale * vf_of_int(l);
		error += m->w[i] * diff * diff;
	}
	return error;
}

/* One sweep: each code in turn moves to where the least-squares scale of the others puts it, if that is better.
 * Returns the lanes where one did. */
PHI_INLINE vi
multiples_sweep(struct multiples *m, int n, int most, vf *xl, vf *l2, vi active)
{
	const vf zero = vf_set(0);
	vi changed = vi_set(0);
	for (int i = 0; i < n; i++) {
		const vf x = m->x[i], w = m->w[i], old = vf_of_int(m->code[i]);
		vf a = *xl - w * x * old, b = *l2 - w * old * old;
		vi better = active & vf_lt(zero, a) & vf_lt(zero, b);
		const vi code = multiple(x * b / a, most);
		const vf to = vf_of_int(code);
		a += w * x * to;
		b += w * to * to;
		better &= ~vf_eq(to, old) & vf_lt(*xl * *xl * b, a * a * *l2);
		m->code[i] = vi_pick(better, code & 255, m->code[i]);
		*xl = vf_pick(better, a, *xl);
		*l2 = vf_pick(better, b, *l2);
		changed |= better;
	}
	return changed;
}

/* Codes 0 .. most as a rule; cut to bytes as the reference's are. */
PHI_INLINE void
multiples_search(struct multiples *m, int n, int most)
{
	vf top = vf_set(0), xl = vf_set(0), l2 = vf_set(0);
	for (int i = 0; i < n; i++)
		top = vf_max(top, m->x[i]);
	const vi flat = vf_lt(top, vf_set(1e-15f));
	vf inverse = vf_set((float)most) / top, best = multiples_error(m, n, most, inverse, true);
	for (int i = -4; i <= 4; i++) {
		if (i == 0)
			continue;
		const vf trial = vf_set(0.1f * (float)i + (float)most) / top;
		const vf error = multiples_error(m, n, most, trial, false);
		const vi better = vf_lt(error, best);
		best = vf_pick(better, error, best);
		inverse = vf_pick(better, trial, inverse);
	}
	for (int i = 0; i < n; i++) {
		const vi code = multiple(inverse * m->x[i], most);
		const vf l = vf_of_int(code);
		xl += m->w[i] * m->x[i] * l;
		l2 += m->w[i] * l * l;
		m->code[i] = code & 255;
	}
	vi active = ~flat;
	for (int i = 0; i < 5 && vi_signs(active); i++)
		active = multiples_sweep(m, n, most, &xl, &l2, active);
	m->scale = vf_pick(~flat & vf_lt(vf_set(0), l2), xl / l2, vf_set(0));
	for (int i = 0; i < n; i++)
		m->code[i] &= ~flat;
}

/* The n numbers of each of LANES super-blocks, one after the other, as codes (as many bytes) and scales; w is their
 * importance. */
PHI_INLINE void
multiples_of(const float *x, const float *w, int n, int most, uint8_t *code, float scale[LANES])
{
	struct multiples m;
	for (int i = 0; i < n; i++) {
		float a[LANES], b[LANES];
		for (int j = 0; j < LANES; j++) {
			a[j] = x[j * n + i];
			b[j] = w[j * n + i];
		}
		m.x[i] = vf_load(a);
		m.w[i] = vf_load(b);
	}
	multiples_search(&m, n, most);
	vf_store(scale, m.scale);
	for (int i = 0; i < n; i++) {
		int32_t codes[LANES];
		memcpy(codes, &m.code[i], sizeof codes);
		for (int j = 0; j < LANES; j++)
			code[j * n + i] = (uint8_t)codes[j];
	}
}

/* Scales and minima of the sub-blocks of LANES super-blocks, as whole multiples of d and dmin. */
struct weighed {
	uint8_t scale[LANES * MULTIPLES_MAX], min[LANES * MULTIPLES_MAX];
	float d[LANES], dmin[LANES];
};

/* Searches LANES super-blocks of `subs` sub-blocks of n weights with importance; `squares` has for each sub-block what
 * is added to the squares of its weights. Multiples are 0 to `top`. */
PHI_INLINE void
weighed_search(const float *src, const float *importance, const float *squares, int subs, int n, int most, int top,
	struct affine *found, struct weighed *out)
{
	float scale[LANES * MULTIPLES_MAX], min[LANES * MULTIPLES_MAX], sum[LANES * MULTIPLES_MAX];
	for (int first = 0; first < LANES * subs; first += ACROSS, found++) {
		vf x[32][GROUPS], w[32][GROUPS];
		lay_weighted(src + first * n, importance + first * n, squares + first, n, x, w);
		sum_across(n, w, sum + first);
		affine_search(n, most, x, w, -0.9f, 0.05f, 36, false, found);
		memcpy(scale + first, found->scale, sizeof found->scale);
		memcpy(min + first, found->min, sizeof found->min);
	}
	multiples_of(scale, sum, subs, top, out->scale, out->d);
	multiples_of(min, sum, subs, top, out->min, out->dmin);
}

#endif
