/* Super-blocks of 256 weights, what Q4_K and Q5_K share: eight sub-blocks of 32, each with a scale and a
 * minimum of 6 bits, packed into 12 bytes:
 *
 *   0..3    s0..s3, upper two bits: those of s4..s7
 *   4..7    m0..m3, upper two bits: those of m4..m7
 *   8..11   low halves: s4..s7, high halves: m4..m7
 */
#ifndef PHI_QUANT_SUPER_H
#define PHI_QUANT_SUPER_H

#include "quant/multiples.h"
#include "quant/search.h"

enum { SUPER = 256, SUBS = 8, SUB = 32, SUPERS = ACROSS > SUBS ? ACROSS / SUBS : 1,
	SUPER_GROUP = LANES };

static inline void
pack_scales(uint8_t dst[12], const uint8_t scale[SUBS], const uint8_t min[SUBS])
{
	for (int j = 0; j < 4; j++) {
		dst[j] = (uint8_t)(scale[j] | scale[j + 4] >> 4 << 6);
		dst[j + 4] = (uint8_t)(min[j] | min[j + 4] >> 4 << 6);
		dst[j + 8] = (uint8_t)((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
	}
}

/* Scales, then minima, of the head at src (d and dmin before them): all in one register, four bytes a lane. */
static inline void
unpack_scales(const uint8_t src[16], uint8_t dst[2 * SUBS])
{
	typedef uint32_t fours __attribute__((vector_size(16)));
	const fours upper = { 0, 0x30303030, 0, 0x30303030 }, low = { 0x3F3F3F3F, 0x0F0F0F0F, 0x3F3F3F3F, 0 },
		high = { 0, 0, 0, 0x0F0F0F0F };
	fours head;
	memcpy(&head, src, sizeof head);
	const fours own = __builtin_shufflevector(head, head, 1, 3, 2, 3);
	const fours of_first = __builtin_shufflevector(head, head, 1, 1, 2, 2) >> 2;
	const fours codes = (own & low) | (own >> 4 & high) | (of_first & upper);
	memcpy(dst, &codes, sizeof codes);
}

/* Scales of the sub-blocks, then their minima, as floats: of the heads of LANES super-blocks, `bytes` apart. Many at a
 * time, so that they are read back from memory, which a factor for all lanes comes from at no cost. */
PHI_INLINE void
super_factors(const uint8_t *src, size_t bytes, float factor[LANES][2 * SUBS])
{
	for (int s = 0; s < LANES; s++, src += bytes) {
		const vf d = vf_set(half_value(phi_load16(src))), dmin = vf_set(half_value(phi_load16(src + 2)));
		uint8_t codes[2 * SUBS];
		unpack_scales(src, codes);
		for (int k = 0; k < 2 * SUBS; k += LANES) {
			const vf by =
				PHI_LANES > 8 ? vf_pick(vi_of_signs((1 << SUBS) - 1), d, dmin) : k < SUBS ? d : dmin;
			vf_store(factor[s] + k, by * vf_of_int(vi_load_u8(codes + k)));
		}
	}
}

/* The weights of a sub-block by their codes: scale * code - min. Registers of 16 lanes hold all there are. */
struct line {
	vf a, b;
};

PHI_INLINE struct line
line_of(float scale, float min)
{
#if PHI_LANES == 16
	const vf low = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	return (struct line){ scale * low - min, scale * (low + 16) - min };
#else
	return (struct line){ vf_set(scale), vf_set(min) };
#endif
}

/* Codes up to `most`, 15 or 31. */
PHI_INLINE vf
line_at(struct line line, vi code, int most)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	if (most < 16)
		return (vf)_mm512_permutexvar_ps((__m512i)code, (__m512)line.a);
	return (vf)_mm512_permutex2var_ps((__m512)line.a, (__m512i)code, (__m512)line.b);
#else
	(void)most;
	return line.a * vf_of_int(code) - line.b;
#endif
}

/* Numbers as 6-bit multiples of the largest's 63rd part. */
static inline void
six_bits(const float *x, float most, uint8_t code[SUBS])
{
	const float inverse = most > 0 ? 63.0f / most : 0;
	for (int j = 0; j < SUBS; j++) {
		const uint8_t c = (uint8_t)nearest(inverse * x[j]);
		code[j] = c < 63 ? c : 63;
	}
}

/* Searches ACROSS sub-blocks: the weights' importance grows with their size. */
PHI_INLINE void
super_search(const float *src, int most, float first, int steps, struct affine *found)
{
	vf x[SUB][GROUPS], w[SUB][GROUPS], squares[GROUPS];
	lay_across(src, SUB, x);
	EACH_GROUP squares[g] = x[0][g] * x[0][g];
	for (int i = 1; i < SUB; i++)
		EACH_GROUP squares[g] += x[i][g] * x[i][g];
	EACH_GROUP squares[g] = vf_sqrt(squares[g] / SUB);
	for (int i = 0; i < SUB; i++)
		EACH_GROUP w[i][g] = squares[g] + vf_abs(x[i][g]);
	affine_search(SUB, most, x, w, first, 0.1f, steps, false, found);
}

/* Scales and minima of a super-block, as they are stored. */
struct super_head {
	float d, dmin;
	uint8_t scale[SUBS], min[SUBS];
};

/* Writes the head of a super-block (16 bytes), and the codes under it; `found` is that of its first sub-block, number
 * `sub` of all. */
static inline void
super_finish(const float *src, const struct super_head *h, const struct affine *found, int sub, int most,
	uint8_t *dst, uint8_t codes[SUPER])
{
	uint8_t sc[2 * SUBS], *const mn = sc + SUBS;
	phi_store16(dst, half_of(h->d));
	phi_store16(dst + 2, half_of(h->dmin));
	pack_scales(dst + 4, h->scale, h->min);
	unpack_scales(dst, sc);
	for (int j = 0; j < SUBS; j++, sub++) {
		const float d = half_value(phi_load16(dst)) * sc[j], m = half_value(phi_load16(dst + 2)) * mn[j];
		if (d != 0)
			codes_again(src + j * SUB, SUB, d, m, 0, most, codes + j * SUB);
		else
			for (int i = 0; i < SUB; i++)
				codes[j * SUB + i] =
					affine_code(&found[sub / ACROSS], sub % ACROSS, most, src[j * SUB + i]);
	}
}

/* SUPERS super-blocks: writes d, dmin and the packed scales (16 bytes) at dst, `bytes` apart, and the codes. */
PHI_INLINE void
super_encode(const float *src, int most, float first, int steps, uint8_t *dst, size_t bytes,
	uint8_t codes[SUPERS * SUPER])
{
	enum { ALL = SUPERS * SUBS, BATCHES = ALL / ACROSS };
	struct affine found[BATCHES];
	float scale[ALL], min[ALL];
	for (int b = 0; b < BATCHES; b++) {
		super_search(src + b * ACROSS * SUB, most, first, steps, &found[b]);
		memcpy(scale + b * ACROSS, found[b].scale, sizeof found[b].scale);
		memcpy(min + b * ACROSS, found[b].min, sizeof found[b].min);
	}
	for (int s = 0; s < SUPERS; s++) {
		struct super_head h;
		const float top = largest_of(scale + s * SUBS, SUBS), low = largest_of(min + s * SUBS, SUBS);
		six_bits(scale + s * SUBS, top, h.scale);
		six_bits(min + s * SUBS, low, h.min);
		h.d = top / 63;
		h.dmin = low / 63;
		super_finish(src + s * SUPER, &h, found, s * SUBS, most, dst + (size_t)s * bytes, codes + s * SUPER);
	}
}

/* The same of LANES super-blocks where importance is given; facts/gguf.md 3.4. */
PHI_INLINE void
super_weigh(const float *src, const float *importance, int most, uint8_t *dst, size_t bytes,
	uint8_t codes[LANES * SUPER])
{
	enum { ALL = LANES * SUBS, BATCHES = ALL / ACROSS };
	struct affine found[BATCHES];
	struct weighed whole;
	float squares[ALL];
	repeat_across(2 * squares_across(src, SUPER) / SUPER, SUBS, squares);
	weighed_search(src, importance, squares, SUBS, SUB, most, 63, found, &whole);
	for (int s = 0; s < LANES; s++) {
		struct super_head h = { .d = whole.d[s], .dmin = whole.dmin[s] };
		memcpy(h.scale, whole.scale + s * SUBS, SUBS);
		memcpy(h.min, whole.min + s * SUBS, SUBS);
		super_finish(src + s * SUPER, &h, found, s * SUBS, most, dst + (size_t)s * bytes, codes + s * SUPER);
	}
}

static inline bool
super_sound(const uint8_t *block)
{
	return half_finite(phi_load16(block)) && half_finite(phi_load16(block + 2));
}

#endif
