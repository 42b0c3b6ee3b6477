/* k_quant of onnxruntime.quantization 1.32 (quant_tensor_k_quant_cpu; facts/onnx.md 3.5): twenty trials of a scale and a
 * minimum, fitted by least squares, errors weighted by sqrt(mean of squares) + |x|.
 *
 * Each lane holds a block of its own. Sums are NumPy's: eight sums, of every eighth number each, then the halves of
 * those; of 256 numbers those of both halves.
 */
#ifndef PHI_QUANT_ONNX_K_QUANT_H
#define PHI_QUANT_ONNX_K_QUANT_H

#define PHI_GROUPS 1
#include "quant/onnx.h"
#include "quant/search.h"

enum { RUN = 128, TRIALS = 20 };

struct eights {
	vf sum[8];
};

PHI_INLINE vf
total(const struct eights *e)
{
	const vf *const s = e->sum;
	return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

struct k_search {
	unsigned n;
	float most;
	vf x[ONNX_BLOCK_MAX], w[ONNX_BLOCK_MAX], q[ONNX_BLOCK_MAX];
	vf min, max, scale, best, sum_w, sum_x;
};

/* Sums of w and w * x. */
static inline void
k_weigh(struct k_search *s)
{
	vf squares = vf_set(0);
	s->sum_w = s->sum_x = vf_set(0);
	for (unsigned from = 0; from < s->n; from += RUN) {
		struct eights e = { { vf_set(0) } };
		for (unsigned i = from; i < s->n && i < from + RUN; i += 8)
			for (unsigned j = 0; j < 8; j++)
				e.sum[j] += s->x[i + j] * s->x[i + j];
		squares += total(&e);
	}
	const vf mean = vf_sqrt(squares / (float)s->n);
	for (unsigned from = 0; from < s->n; from += RUN) {
		struct eights w = { { vf_set(0) } }, wx = { { vf_set(0) } };
		for (unsigned i = from; i < s->n && i < from + RUN; i += 8)
			for (unsigned j = 0; j < 8; j++) {
				s->w[i + j] = mean + vf_abs(s->x[i + j]);
				w.sum[j] += s->w[i + j];
				wx.sum[j] += s->w[i + j] * s->x[i + j];
			}
		s->sum_w += total(&w);
		s->sum_x += total(&wx);
	}
}

/* top / (max - min), 1 where there is no range. */
PHI_INLINE vf
k_inverse(const struct k_search *s, float top)
{
	return vf_pick(vf_eq(s->min, s->max), vf_set(1), vf_set(top) / (s->max - s->min));
}

PHI_INLINE vf
k_code(const struct k_search *s, vf x, vf inverse)
{
	const vf t = vf_max(vf_min(inverse * (x - s->min), vf_set(s->most)), vf_set(0));
	return (t + 12582912.0f) - 12582912.0f;
}

/* The error of the codes in q. */
static inline vf
k_error(const struct k_search *s, vf scale, vf min)
{
	vf error = vf_set(0);
	for (unsigned from = 0; from < s->n; from += RUN) {
		struct eights e = { { vf_set(0) } };
		for (unsigned i = from; i < s->n && i < from + RUN; i += 8)
			for (unsigned j = 0; j < 8; j++) {
				const vf off = scale * s->q[i + j] + min - s->x[i + j];
				e.sum[j] += s->w[i + j] * (off * off);
			}
		error += total(&e);
	}
	return error;
}

static inline void
k_start(struct k_search *s)
{
	const vf inverse = k_inverse(s, s->most);
	s->scale = 1 / inverse;
	for (unsigned i = 0; i < s->n; i++)
		s->q[i] = k_code(s, s->x[i], inverse);
	/* Where the range is too small to divide by NumPy's error is not a number: no trial is better. */
	s->best = vf_pick(vf_lt(inverse, vf_set(INFINITY)), k_error(s, s->scale, s->min), vf_set(-1));
}

/* The minimum of a trial that was better is that of the next ones' codes. */
static inline void
k_try(struct k_search *s, float top)
{
	const vf inverse = k_inverse(s, top);
	vf l = vf_set(0), ll = vf_set(0), xl = vf_set(0);
	for (unsigned from = 0; from < s->n; from += RUN) {
		struct eights a = { { vf_set(0) } }, b = { { vf_set(0) } }, c = { { vf_set(0) } };
		for (unsigned i = from; i < s->n && i < from + RUN; i += 8)
			for (unsigned j = 0; j < 8; j++) {
				const vf q = k_code(s, s->x[i + j], inverse), wq = s->w[i + j] * q;
				s->q[i + j] = q;
				a.sum[j] += wq;
				b.sum[j] += wq * q;
				c.sum[j] += wq * s->x[i + j];
			}
		l += total(&a);
		ll += total(&b);
		xl += total(&c);
	}
	const vf det = s->sum_w * ll - l * l;
	const vf scale = (s->sum_w * xl - s->sum_x * l) / det, min = (ll * s->sum_x - l * xl) / det;
	const vf error = k_error(s, scale, min);
	const vi better = vf_lt(error, s->best) & vf_lt(vf_abs(inverse), vf_set(INFINITY));
	s->best = vf_pick(better, error, s->best);
	s->scale = vf_pick(better, scale, s->scale);
	s->min = vf_pick(better, min, s->min);
}

/* 0 to `most`, to nearest; what is not a number is 0. */
PHI_INLINE vf
k_zero(const struct k_search *s)
{
	const vf t = vf_min(vf_max(-s->min / s->scale, vf_set(0)), vf_set(s->most));
	return (t + 12582912.0f) - 12582912.0f;
}

static onnx_encode_fn encode_k_quant;

static uint32_t
encode_k_quant(const float *src, uint8_t *dst, size_t blocks, const struct onnx_form *f)
{
	vi reach = vi_set(0);
	struct k_search s = { .n = f->block, .most = onnx_most(f) };
	for (size_t b = 0; b < blocks; b += LANES, src += LANES * f->block) {
		float x[LANES * ONNX_BLOCK_MAX], scale[LANES], zero[LANES];
		uint8_t code[ONNX_BLOCK_MAX];
		onnx_ranges(src, f, x, &s.min, &s.max, &reach);
		for (unsigned i = 0; i < s.n; i += LANES)
			load_across(x + i, (int)s.n, s.x + i);
		k_weigh(&s);
		k_start(&s);
		for (int i = 0; i < TRIALS; i++)
			k_try(&s, (float)(-1 + 0.1 * i + (double)s.most));
		vf_store(scale, s.scale);
		vf_store(zero, k_zero(&s));
		for (int i = 0; i < LANES; i++, dst += onnx_bytes(f)) {
			onnx_divided(x + i * f->block, f, (double)scale[i], (double)zero[i], code);
			onnx_store(dst, code, scale[i], zero[i], f);
		}
	}
	return vi_reach(reach);
}

#endif
