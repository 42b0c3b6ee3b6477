/* A block of IQ2 or IQ3: 256 weights through the search, up to what the formats pack: points,
 * signs, codes of the sub-blocks' scales and the block's own scale (facts/gguf.md 3.6). */
#ifndef PHI_QUANT_IQ_BLOCK_H
#define PHI_QUANT_IQ_BLOCK_H

#include "quant/iq_fit.h"
#include "quant/iq_search.h"

enum { IQ_SUBS_MAX = 16, IQ_BLOCK_PARTS_MAX = 64 };

struct iq_block {
	uint16_t points[IQ_BLOCK_PARTS_MAX]; /* their numbers */
	uint32_t signs[IQ_SUBS_MAX];
	uint8_t scales[IQ_SUBS_MAX];
	uint16_t d;
	unsigned zeros; /* bit j: sub-block j counts as zero */
	bool empty; /* none has a scale */
};

/* Mean squares of a block, as far as a type wants them. */
static inline float
iq_spread(const float *x, float factor)
{
	float sum = 0;
	for (int i = 0; i < IQ_BLOCK; i++)
		sum += x[i] * x[i];
	return factor * sum / IQ_BLOCK;
}

/* Makes the number of signs in each byte even: of eight weights the one that matters least changes
 * its. */
static inline void
make_even(struct iq_sub *s, const float *x, int n)
{
	for (int k = 0; k < n; k += 8) {
		if (!__builtin_parity(s->signs >> k & 0xFF))
			continue;
		int least = k;
		float loss = s->w[k] * x[k] * x[k];
		for (int i = k + 1; i < k + 8; i++)
			if (s->w[i] * x[i] * x[i] < loss) {
				loss = s->w[i] * x[i] * x[i];
				least = i;
			}
		s->x[least] = -s->x[least];
		s->signs ^= 1u << least;
	}
}

/* A sub-block of a block of spread `spread`; importance may be NULL. */
PHI_INLINE void
iq_prepare(const struct iq_shape f, const float *x, const float *importance, float spread,
	struct iq_sub *s)
{
	vf reach = vf_set(0);
	s->signs = 0;
	for (int i = 0; i < f.n; i += LANES) {
		const vf v = vf_load(x + i);
		const vf w = importance	   ? vf_load(importance + i) * vf_sqrt(spread + v * v)
			     : f.plain > 0 ? f.plain * spread + v * v
					   : v * v;
		s->signs |= vi_signs(vf_lt(v, vf_set(0))) << i;
		reach = vf_max(vf_abs(v), reach);
		vf_store(s->x + i, vf_abs(v));
		vf_store(s->w + i, w);
		vf_store(s->root + i, vf_sqrt(w));
	}
	if (f.even)
		make_even(s, x, f.n);
	s->reach = phi_float32(vi_reach((vi)vf_bits(reach)));
	s->most = s->x[0];
	for (int i = 0; i < f.n; i++) {
		s->most = s->x[i] > s->most ? s->x[i] : s->most;
		s->wx[i] = s->w[i] * s->x[i];
	}
}

/* Where a sub-block's trials start: its scale before them, and what they are taken from; 0: the
 * sub-block is zero. */
struct iq_start {
	float scale, over;
};

static inline struct iq_start
iq_start(const struct iq_shape f, const struct iq_sub *s)
{
	if (f.least > 0 ? s->most < f.least : s->most == 0)
		return (struct iq_start){ 0 };
	return (struct iq_start){ .scale = s->most / (float)(2 * f.levels - 1), .over = s->most };
}

static inline int
iq_scale_code(float scale, float inverse, int most)
{
	const int32_t l = nearest(0.5f * (inverse * scale - 1));
	return l < 0 ? 0 : l > most ? most : l;
}

/* Points, signs and scales of a block from its sub-blocks. */
PHI_INLINE void
iq_search_block(const struct iq_shape f, const struct phi_iq_near *near, const struct iq_sub *subs,
	const struct iq_start *starts, struct iq_block *b)
{
	const int parts = f.n / f.dims, nsubs = IQ_BLOCK / f.n;
	float scale[IQ_SUBS_MAX] = { 0 }, most = 0;
	memset(b, 0, sizeof *b);
	for (int j = 0; j < nsubs; j++) {
		struct iq_choice choice;
		if (!(starts[j].over > 0)) {
			b->zeros |= 1u << j;
			continue;
		}
		iq_search(f, near, &subs[j], starts[j].over, starts[j].scale, &choice);
		scale[j] = choice.scale < 0 ? -choice.scale : choice.scale;
		b->signs[j] = choice.scale < 0 ? ~subs[j].signs : subs[j].signs;
		for (int k = 0; k < parts; k++)
			b->points[j * parts + k] = near->numbers[choice.points[k]];
		most = isnan(scale[j]) ? INFINITY : scale[j] > most ? scale[j] : most;
	}
	b->empty = most == 0;
	if (b->empty)
		return;
	const float d = most / 31, inverse = 1 / d;
	b->d = half_of(d * f.factor);
	for (int j = 0; j < nsubs; j++)
		b->scales[j] = (uint8_t)iq_scale_code(scale[j], inverse, 15);
}

/* The same from the weights, where trials start at the largest of each sub-block. */
PHI_INLINE void
iq_encode_block(const struct iq_shape f, const struct phi_iq_near *near, const float *x,
	const float *importance, struct iq_block *b)
{
	const float spread = iq_spread(x, f.spread);
	struct iq_sub subs[IQ_SUBS_MAX];
	struct iq_start starts[IQ_SUBS_MAX];
	for (int j = 0; j < IQ_BLOCK / f.n; j++) {
		iq_prepare(
			f, x + j * f.n, importance ? importance + j * f.n : NULL, spread, &subs[j]);
		starts[j] = iq_start(f, &subs[j]);
	}
	iq_search_block(f, near, subs, starts, b);
}

#endif
