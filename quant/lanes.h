/* Lanes: vectors of PHI_LANES floats or integers, as GCC and clang spell them. A kernel is written
 * once with these types and compiled at width 1, 4, 8 and 16; every lane does what one scalar would do,
 * in the same order, so all widths give the same bytes (with -ffp-contract=off; no FMA).
 *
 * Two ways to use them:
 *   along   the lanes hold neighbours of one block: fine where the only reductions are max and min,
 *           which do not mind the order (Q8_0, Q4_0, plain floats);
 *   across  each lane holds a block of its own: for the searches, whose sums must run left to right.
 *
 * A type wider than the CPU's registers is slower than scalar, so the width follows the level. Where
 * a compiler finds no good instruction for the portable form, x86's is named below it.
 */
#ifndef PHI_QUANT_LANES_H
#define PHI_QUANT_LANES_H

#include "quant/numbers.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LANES = PHI_LANES };

#define PHI_INLINE static inline __attribute__((always_inline))

#if PHI_LANES == 1
typedef float vf;    /* floats */
typedef int32_t vi;  /* integers, and masks: all ones or zero */
typedef uint32_t vu; /* bits */
typedef uint16_t vh; /* halves in memory */
typedef int8_t vb;   /* bytes in memory */
#else
typedef float vf __attribute__((vector_size(4 * PHI_LANES)));
typedef int32_t vi __attribute__((vector_size(4 * PHI_LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * PHI_LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * PHI_LANES)));
typedef int8_t vb __attribute__((vector_size(PHI_LANES)));
#endif

/* Memory of any alignment. */
static inline vf
vf_load(const void *p)
{
	vf v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline void
vf_store(void *p, vf v)
{
	memcpy(p, &v, sizeof v);
}

#if PHI_LANES == 1

static inline vf
vf_set(float x)
{
	return x;
}

static inline vi
vi_set(int32_t x)
{
	return x;
}

static inline vu
vf_bits(vf x)
{
	return phi_bits32(x);
}

static inline vf
vf_of_bits(vu x)
{
	return phi_float32(x);
}

static inline vi
vf_lt(vf a, vf b)
{
	return -(a < b);
}

static inline vi
vf_eq(vf a, vf b)
{
	return -(a == b);
}

static inline vi
vi_lt(vi a, vi b)
{
	return -(a < b);
}

static inline vi
vi_eq(vi a, vi b)
{
	return -(a == b);
}

static inline vf
vf_of_int(vi x)
{
	return (float)x;
}

static inline vu
vu_load16(const void *p)
{
	return phi_load16(p);
}

static inline void
vu_store16(void *p, vu x)
{
	phi_store16(p, (uint16_t)x);
}

static inline vi
vi_load_s8(const void *p)
{
	int8_t b;
	memcpy(&b, p, 1);
	return b;
}

static inline vi
vi_load_u8(const void *p)
{
	return *(const uint8_t *)p;
}

#else

static inline vf
vf_set(float x)
{
	return x - (vf){ 0 };
}

static inline vi
vi_set(int32_t x)
{
	return x - (vi){ 0 };
}

static inline vu
vf_bits(vf x)
{
	return (vu)x;
}

static inline vf
vf_of_bits(vu x)
{
	return (vf)x;
}

static inline vi
vf_lt(vf a, vf b)
{
	return a < b;
}

static inline vi
vf_eq(vf a, vf b)
{
	return a == b;
}

static inline vi
vi_lt(vi a, vi b)
{
	return a < b;
}

static inline vi
vi_eq(vi a, vi b)
{
	return a == b;
}

static inline vf
vf_of_int(vi x)
{
	return __builtin_convertvector(x, vf);
}

static inline vu
vu_load16(const void *p)
{
#if PHI_LANES == 4 && defined(__SSE2__)
	return (vu)_mm_unpacklo_epi16(_mm_loadl_epi64(p), _mm_setzero_si128());
#else
	vh h;
	memcpy(&h, p, sizeof h);
	return __builtin_convertvector(h, vu);
#endif
}

/* The low 16 bits of each lane. */
static inline void
vu_store16(void *p, vu x)
{
	const vh h = __builtin_convertvector(x, vh);
	memcpy(p, &h, sizeof h);
}

static inline vi
vi_load_s8(const void *p)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128(p));
#elif PHI_LANES == 8 && defined(__AVX2__)
	return (vi)_mm256_cvtepi8_epi32(_mm_loadl_epi64(p));
#elif PHI_LANES == 4 && defined(__SSE2__)
	const __m128i b = _mm_cvtsi32_si128((int32_t)phi_load32(p));
	const __m128i twice = _mm_unpacklo_epi8(b, b);
	return (vi)_mm_srai_epi32(_mm_unpacklo_epi16(twice, twice), 24);
#else
	vb b;
	memcpy(&b, p, sizeof b);
	return __builtin_convertvector(b, vi);
#endif
}

static inline vi
vi_load_u8(const void *p)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128(p));
#elif PHI_LANES == 8 && defined(__AVX2__)
	return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64(p));
#elif PHI_LANES == 4 && defined(__SSE2__)
	const __m128i none = _mm_setzero_si128(), b = _mm_cvtsi32_si128((int32_t)phi_load32(p));
	return (vi)_mm_unpacklo_epi16(_mm_unpacklo_epi8(b, none), none);
#else
	return vi_load_s8(p) & 0xFF;
#endif
}

#endif

/* 32 bytes, four a lane, whatever the level: for packing codes. A shift moves bits into the next byte: mask them. */
typedef uint32_t bytes32 __attribute__((vector_size(32)));

static inline bytes32
bytes32_load(const void *p)
{
	bytes32 v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline void
bytes32_store(void *p, bytes32 v)
{
	memcpy(p, &v, sizeof v);
}

/* mask ? a : b */
static inline vi
vi_pick(vi mask, vi a, vi b)
{
	return (mask & a) | (~mask & b);
}

static inline vf
vf_pick(vi mask, vf a, vf b)
{
#if PHI_LANES == 8 && defined(__AVX__)
	return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
#endif
	return vf_of_bits(((vu)mask & vf_bits(a)) | (~(vu)mask & vf_bits(b)));
}

static inline vf
vf_abs(vf x)
{
	return vf_of_bits(vf_bits(x) & 0x7FFFFFFF);
}

/* a > b ? a : b, also for NaN and zeros: the second operand unless the first is above. */
static inline vf
vf_max(vf a, vf b)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif PHI_LANES == 8 && defined(__AVX__)
	return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#elif PHI_LANES == 4 && defined(__SSE2__)
	return (vf)_mm_max_ps((__m128)a, (__m128)b);
#else
	return vf_pick(vf_lt(b, a), a, b);
#endif
}

/* a < b ? a : b */
static inline vf
vf_min(vf a, vf b)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif PHI_LANES == 8 && defined(__AVX__)
	return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#elif PHI_LANES == 4 && defined(__SSE2__)
	return (vf)_mm_min_ps((__m128)a, (__m128)b);
#else
	return vf_pick(vf_lt(a, b), a, b);
#endif
}

static inline vf
vf_sqrt(vf x)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vf)_mm512_sqrt_ps((__m512)x);
#elif PHI_LANES == 8 && defined(__AVX__)
	return (vf)_mm256_sqrt_ps((__m256)x);
#elif PHI_LANES == 4 && defined(__SSE2__)
	return (vf)_mm_sqrt_ps((__m128)x);
#elif PHI_LANES == 1
	return sqrtf(x);
#else
	for (int i = 0; i < LANES; i++)
		x[i] = sqrtf(x[i]);
	return x;
#endif
}

static inline vi
vi_max(vi a, vi b)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b);
#elif PHI_LANES == 8 && defined(__AVX2__)
	return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
	return vi_pick(vi_lt(b, a), a, b);
#endif
}

static inline vi
vi_min(vi a, vi b)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vi)_mm512_min_epi32((__m512i)a, (__m512i)b);
#elif PHI_LANES == 8 && defined(__AVX2__)
	return (vi)_mm256_min_epi32((__m256i)a, (__m256i)b);
#else
	return vi_pick(vi_lt(a, b), a, b);
#endif
}

/* A cast to int32_t as x86 does it: cut towards zero; NaN and what does not fit is INT32_MIN. */
static inline vi
vf_cut(vf x)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vi)_mm512_cvttps_epi32((__m512)x);
#elif PHI_LANES == 8 && defined(__AVX__)
	return (vi)_mm256_cvttps_epi32((__m256)x);
#elif PHI_LANES == 4 && defined(__SSE2__)
	return (vi)_mm_cvttps_epi32((__m128)x);
#elif PHI_LANES == 1
	return float_cut(x);
#else
	const vi fits = vf_lt(vf_abs(x), vf_set(0x1p31f));
	return vi_pick(fits, __builtin_convertvector(vf_pick(fits, x, vf_set(0)), vi),
		vi_set(INT32_MIN));
#endif
}

/* (int)roundf(x), half away from zero, for |x| < 2^22; vf_cut's INT32_MIN from 2^31 on and for NaN.
 * The number added is the largest below one half: one half itself would take 0.49999997 to 1. */
static inline vi
vf_round_away(vf x)
{
	const vu half = (vf_bits(x) & 0x80000000) | vf_bits(vf_set(0x1.fffffep-2f));
	return vf_cut(x + vf_of_bits(half));
}

/* The nearest integer, ties to even, for |x| <= 2^22; the reference's nearest_int(), rubbish from
 * larger numbers included: adding 1.5 * 2^23 leaves no room for a fraction. */
static inline vi
vf_round_even(vf x)
{
	return (vi)(vf_bits(x + 12582912.0f) & 0x007FFFFF) - 0x00400000;
}

/* rintf(x), of any x: to the nearest whole number, ties to even (a zero's sign is that of x). From 2^23 on all numbers
 * are whole. */
static inline vf
vf_whole(vf x)
{
	const vf size = vf_abs(x), whole = (size + 0x1p23f) - 0x1p23f;
	const vf back = vf_of_bits(vf_bits(whole) | (vf_bits(x) & 0x80000000));
	return vf_pick(vf_lt(size, vf_set(0x1p23f)), back, x);
}

/* F32 to F16 bits, as half_of() (x86's own instruction differs in the NaN only). */
static inline vu
vf_half(vf x)
{
#if PHI_LANES == 1
	return half_of(x);
#else
	const vu w = vf_bits(x), magnitude = w & 0x7FFFFFFF, sign = (w >> 16) & 0x8000;
#if PHI_LANES == 16 && defined(__AVX512F__)
	const vu h = (vu)_mm512_cvtepu16_epi32(
		_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif PHI_LANES == 8 && defined(__F16C__)
	const vu h = (vu)_mm256_cvtepu16_epi32(
		_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#else
	const vf scaled = (vf_of_bits(magnitude) * 0x1p+112f) * 0x1p-110f;
	const vi exponent = vi_max((vi)(w & 0x7F800000), vi_set(0x38800000));
	const vu bits = vf_bits(vf_of_bits((vu)exponent + 0x07800000) + scaled);
	const vu h = sign | (((bits >> 13) & 0x7C00) + (bits & 0x0FFF));
#endif
	const vi nan = vi_lt(vi_set(0x7F800000), (vi)magnitude);
	return (vu)vi_pick(nan, (vi)(sign | 0x7E00), (vi)h);
#endif
}

/* F16 in memory to F32, as half_value(). */
static inline vf
vf_load_half(const void *p)
{
#if PHI_LANES == 1
	return half_value(phi_load16(p));
#elif PHI_LANES == 16 && defined(__AVX512F__)
	return (vf)_mm512_cvtph_ps(_mm256_loadu_si256(p));
#elif PHI_LANES == 8 && defined(__F16C__)
	return (vf)_mm256_cvtph_ps(_mm_loadu_si128(p));
#else
	const vu w = vu_load16(p) << 16, sign = w & 0x80000000, magnitude = w & 0x7FFF0000;
	const vf normal = vf_of_bits((magnitude >> 3) + 0x70000000) * 0x1p-112f;
	const vf denormal = vf_of_bits((magnitude >> 16) | 0x3F000000) - 0.5f;
	const vi small = vi_lt((vi)magnitude, vi_set(0x04000000));
	return vf_of_bits(sign | vf_bits(vf_pick(small, denormal, normal)));
#endif
}

/* F32 to BF16 bits: to nearest, ties to even; a NaN keeps what fits of its fraction and becomes
 * quiet. */
static inline vu
vf_brain(vf x)
{
	const vu w = vf_bits(x);
	const vi nan = vi_lt(vi_set(0x7F800000), (vi)(w & 0x7FFFFFFF));
	return (vu)vi_pick(nan, (vi)((w >> 16) | 64), (vi)((w + (0x7FFF + ((w >> 16) & 1))) >> 16));
}

/* The low bytes of count / LANES vectors, side by side; count is 16 or 32 (so one vector or two at
 * width 16, at most 32 at width 1). */
static inline void
vi_store_bytes(uint8_t *dst, const vi *v, int count)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	for (int i = 0; i < count / 16; i++)
		_mm_storeu_si128((void *)(dst + 16 * i), _mm512_cvtepi32_epi8((__m512i)v[i]));
#elif PHI_LANES == 8 && defined(__AVX2__)
	const __m256i low = _mm256_set1_epi32(0xFF);
	for (int i = 0; i < count / 16; i++) {
		const __m256i a = _mm256_and_si256((__m256i)v[2 * i], low);
		const __m256i b = _mm256_and_si256((__m256i)v[2 * i + 1], low);
		const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xD8);
		_mm_storeu_si128((void *)(dst + 16 * i), _mm_packus_epi16(_mm256_castsi256_si128(words),
			_mm256_extracti128_si256(words, 1)));
	}
#elif PHI_LANES == 4 && defined(__SSE2__)
	const __m128i low = _mm_set1_epi32(0xFF);
	for (int i = 0; i < count / 16; i++) {
		const __m128i a = _mm_and_si128((__m128i)v[4 * i], low);
		const __m128i b = _mm_and_si128((__m128i)v[4 * i + 1], low);
		const __m128i c = _mm_and_si128((__m128i)v[4 * i + 2], low);
		const __m128i d = _mm_and_si128((__m128i)v[4 * i + 3], low);
		_mm_storeu_si128((void *)(dst + 16 * i), _mm_packus_epi16(_mm_packs_epi32(a, b),
			_mm_packs_epi32(c, d)));
	}
#elif PHI_LANES == 1
	for (int i = 0; i < count; i++)
		dst[i] = (uint8_t)v[i];
#else
	for (int i = 0; i < count / LANES; i++) {
		const vb b = __builtin_convertvector(v[i], vb);
		memcpy(dst + LANES * i, &b, sizeof b);
	}
#endif
}

#if PHI_LANES > 1
/* The place of lane i when two vectors a and b are folded: within each run of 2 * h lanes the first h of
 * the result come from a, the others from b; the run's lower half (o = 0) or upper half (o = h). */
#define FROM(i, h, o) (i) / (2 * (h)) * 2 * (h) + (i) / (h) % 2 * PHI_LANES + (i) % (h) + (o)
#define FROM4(i, h, o) FROM(i, h, o), FROM(i + 1, h, o), FROM(i + 2, h, o), FROM(i + 3, h, o)
#if PHI_LANES == 4
#define FROM_ALL(h, o) FROM4(0, h, o)
#elif PHI_LANES == 8
#define FROM_ALL(h, o) FROM4(0, h, o), FROM4(4, h, o)
#else
#define FROM_ALL(h, o) FROM4(0, h, o), FROM4(4, h, o), FROM4(8, h, o), FROM4(12, h, o)
#endif
#define FOLD(a, b, h) vf_max(__builtin_shufflevector(a, b, FROM_ALL(h, 0)), \
	__builtin_shufflevector(a, b, FROM_ALL(h, h)))
#endif

/* Exchanges rows and lanes: LANES vectors become those of the same lane. */
static inline void
vf_transpose(vf rows[LANES])
{
#if PHI_LANES > 1
#define EXCHANGE(h) \
	for (int i = 0; i < LANES; i++) \
		if (i / (h) % 2 == 0) { \
			const vf a = rows[i], b = rows[i + (h)]; \
			rows[i] = __builtin_shufflevector(a, b, FROM_ALL(h, 0)); \
			rows[i + (h)] = __builtin_shufflevector(a, b, FROM_ALL(h, h)); \
		}
#if PHI_LANES >= 16
	EXCHANGE(8)
#endif
#if PHI_LANES >= 8
	EXCHANGE(4)
#endif
	EXCHANGE(2)
	EXCHANGE(1)
#undef EXCHANGE
#else
	(void)rows;
#endif
}

/* Lane i of the result is the largest lane of rows[i]: LANES reductions for the price of two. Rows are
 * overwritten. Exact but for NaN and the sign of zero, where max takes what it likes. */
static inline vf
vf_max_rows(vf rows[LANES])
{
#if PHI_LANES >= 16
	for (int i = 0; i < 8; i++)
		rows[i] = FOLD(rows[i], rows[i + 8], 8);
#endif
#if PHI_LANES >= 8
	for (int i = 0; i < 4; i++)
		rows[i] = FOLD(rows[i], rows[i + 4], 4);
#endif
#if PHI_LANES >= 4
	for (int i = 0; i < 2; i++)
		rows[i] = FOLD(rows[i], rows[i + 2], 2);
	rows[0] = FOLD(rows[0], rows[1], 1);
#endif
	return rows[0];
}

/* table[index % 8] */
static inline vf
vf_lookup8(const float table[8], vi index)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	const __m512 twice = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(table)),
		_mm256_loadu_ps(table), 1);
	return (vf)_mm512_permutexvar_ps((__m512i)index, twice);
#elif PHI_LANES == 8 && defined(__AVX2__)
	return (vf)_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)index);
#else
	int32_t at[LANES];
	float found[LANES];
	memcpy(at, &index, sizeof at);
	for (int i = 0; i < LANES; i++)
		found[i] = table[at[i] & 7];
	return vf_load(found);
#endif
}

/* table[index], 0 to 15 */
static inline vf
vf_lookup16(const float table[16], vi index)
{
#if PHI_LANES == 16 && defined(__AVX512F__)
	return (vf)_mm512_permutexvar_ps((__m512i)index, _mm512_loadu_ps(table));
#else
	return vf_pick(vi_lt(vi_set(7), index), vf_lookup8(table + 8, index), vf_lookup8(table, index));
#endif
}

/* Bit i is the sign bit of lane i: of a mask, whether lane i is set. */
static inline unsigned
vi_signs(vi x)
{
#if PHI_LANES == 16 && defined(__AVX512DQ__)
	return _mm512_movepi32_mask((__m512i)x);
#elif PHI_LANES == 8 && defined(__AVX__)
	return (unsigned)_mm256_movemask_ps((__m256)x);
#elif PHI_LANES == 4 && defined(__SSE2__)
	return (unsigned)_mm_movemask_ps((__m128)x);
#else
	int32_t lanes[LANES];
	unsigned signs = 0;
	memcpy(lanes, &x, sizeof lanes);
	for (int i = 0; i < LANES; i++)
		signs |= (unsigned)(lanes[i] < 0) << i;
	return signs;
#endif
}

/* 1 << i in lane i. */
static inline vi
vi_lane_bits(void)
{
#if PHI_LANES == 1
	return 1;
#else
	vi bits;
	for (int i = 0; i < LANES; i++)
		bits[i] = 1 << i;
	return bits;
#endif
}

/* Where bit i of the number is set, in lane i: a mask. */
static inline vi
vi_of_signs(unsigned signs)
{
	const vi bits = vi_lane_bits();
	return ~vi_lt((vi_set((int32_t)signs) & bits) - 1, vi_set(0));
}

/* The largest lane. */
static inline uint32_t
vi_reach(vi x)
{
	int32_t lanes[LANES], most = 0;
	memcpy(lanes, &x, sizeof lanes);
	for (int i = 0; i < LANES; i++)
		most = lanes[i] > most ? lanes[i] : most;
	return (uint32_t)most;
}

/* The largest magnitude of n floats as codec.h's encode returns it. */
static inline uint32_t
floats_reach(const float *x, size_t n)
{
	const size_t whole = n - n % LANES;
	vi most = vi_set(0);
	for (size_t i = 0; i < whole; i += LANES)
		most = vi_max(most, (vi)(vf_bits(vf_load(x + i)) & 0x7FFFFFFF));
	uint32_t reach = vi_reach(most);
	for (size_t i = whole; i < n; i++) {
		const uint32_t size = phi_bits32(x[i]) & 0x7FFFFFFF;
		reach = size > reach ? size : reach;
	}
	return reach;
}

#endif
