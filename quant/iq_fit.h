/* The scale IQ2_XXS begins with: a least-squares fit of codes 0 .. 4 without a grid
 * (make_qp_quants, facts/gguf.md 3.2), LANES sub-blocks at a time. The reference keeps codes in
 * bytes without sign, though a weight may be negative: a code of -1 is 255 where it is read back.
 */
#ifndef PHI_QUANT_IQ_FIT_H
#define PHI_QUANT_IQ_FIT_H

#include "quant/search.h"

enum { FIT_N = 32, FIT_MOST = 4 };

struct fit {
	vf x[FIT_N], w[FIT_N], code[FIT_N]; /* codes as bytes */
	vf xl, l2; /* sums of w * x * code, of w * code * code */
};

static inline vf
as_byte(vi code)
{
	return vf_of_int(code & 0xFF);
}

/* The weighted error under a trial. */
PHI_INLINE vf
fit_error(const struct fit *f, vf inverse, bool first)
{
	const vf scale = 1 / inverse;
	vf error = vf_set(0);
	for (int i = 0; i < FIT_N; i++) {
		const vi l = vf_round_even(inverse * f->x[i]);
		const vf code = first ? as_byte(l) : vf_of_int(vi_min(vi_set(FIT_MOST), l));
		const vf off = f->x[i] - scale * code;
		error += f->w[i] * off * off;
	}
	return error;
}

/* Each code in turn moves to where the least-squares scale of the others puts it, if that is
 * better. */
PHI_INLINE bool
fit_sweep(struct fit *f)
{
	const vf zero = vf_set(0);
	vi changed = vi_set(0);
	for (int i = 0; i < FIT_N; i++) {
		const vf w = f->w[i], x = f->x[i], old = f->code[i];
		vf xl = f->xl - w * x * old, l2 = f->l2 - w * old * old;
		vi better = vf_lt(zero, xl) & vf_lt(zero, l2);
		const vi to = vi_min(vi_set(FIT_MOST), vf_round_even(x * l2 / xl));
		const vf code = vf_of_int(to);
		xl += w * x * code;
		l2 += w * code * code;
		better &= ~vf_eq(code, old) & vf_lt(f->xl * f->xl * l2, xl * xl * f->l2);
		f->code[i] = vf_pick(better, as_byte(to), old);
		f->xl = vf_pick(better, xl, f->xl);
		f->l2 = vf_pick(better, l2, f->l2);
		changed |= better;
	}
	return vi_signs(changed) != 0;
}

/* Scales of the sub-blocks whose weights and importance are laid across; `most` is the largest
 * weight of each. */
PHI_INLINE vf
fit_scale(struct fit *f, vf most)
{
	const vf zero = vf_set(0);
	vf inverse = FIT_MOST / most, best = fit_error(f, inverse, true);
	for (int i = -4; i <= 4; i++) {
		if (i == 0)
			continue;
		const vf trial = (0.1f * (float)i + FIT_MOST) / most,
			 error = fit_error(f, trial, false);
		const vi better = vf_lt(error, best);
		best = vf_pick(better, error, best);
		inverse = vf_pick(better, trial, inverse);
	}
	f->xl = f->l2 = zero;
	for (int i = 0; i < FIT_N; i++) {
		const vi l = vi_min(vi_set(FIT_MOST), vf_round_even(inverse * f->x[i]));
		const vf code = vf_of_int(l);
		f->xl += f->w[i] * f->x[i] * code;
		f->l2 += f->w[i] * code * code;
		f->code[i] = as_byte(l);
	}
	for (int i = 0; i < 5 && fit_sweep(f); i++)
		;
	return vf_pick(vf_lt(zero, f->l2), f->xl / f->l2, zero);
}

#endif
