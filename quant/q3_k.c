/* Q3_K: 256 weights in 110 bytes, 3.4375 bits a weight.
 *
 *   0    h[32]   u8   bit b of byte l: the third bit of code 32 b + l
 *   32   q[64]   u8   byte 32 h + l: lower bits of codes 128 h + l, + 32, + 64, + 96, two each, low to high
 *   96   s[12]        scales of 16 weights each, six bits plus 32: of scale j the lower four in the low (j < 8)
 *                     or high half of byte j % 8, the upper two in byte 8 + j % 4 at bit j / 4 * 2
 *   108  d       F16  scale of the scales
 *
 *   weight = (d * scale) * (code - 4)
 *
 * Encoding (quantize_row_q3_K_ref): facts/gguf.md 3.2 (make_q3_quants) and 3.3; with importance 3.4.
 */
#include "quant/codec.h"

/* A sweep is one long chain of divisions: more groups of lanes than elsewhere hide it. */
#define PHI_GROUPS (PHI_LANES == 1 ? 1 : PHI_LANES == 8 ? 4 : 2)
#include "quant/search.h"

/* Few sub-blocks need many sweeps: the more blocks they are taken from, the fuller the lanes. */
enum { N = 256, SUBS = 16, SUB = 16, BYTES = 110, HALF = 4, SWEEPS = 5,
	GROUP = LANES == 8 ? 16 : LANES, ALL = GROUP * SUBS, WEIGHTED = LANES * SUBS };

static int
scale_at(const uint8_t *block, int j)
{
	const uint8_t *const s = block + 96;
	const int low = j < 8 ? s[j] & 15 : s[j - 8] >> 4;
	return (low | (s[8 + j % 4] >> j / 4 * 2 & 3) << 4) - 32;
}

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES, dst += N) {
		const float d = half_value(phi_load16(src + 108));
		for (int e = 0; e < N; e += SUB) {
			const uint8_t *const q = src + 32 + e / 128 * 32 + e % 32, *const high = src + e % 32;
			const vf scale = vf_set(d * (float)scale_at(src, e / SUB));
			for (int k = 0; k < SUB; k += LANES) {
				const vi two = vi_load_u8(q + k) >> e % 128 / 32 * 2 & 3;
				const vi third = vi_load_u8(high + k) >> e / 32 & 1;
				vf_store(dst + e + k, scale * vf_of_int((two | third << 2) - HALF));
			}
		}
	}
}

/* What is found for the sub-blocks of GROUP blocks: scales, and codes -HALF .. HALF - 1 as floats. */
struct found {
	float scale[ALL], xl[ALL], l2[ALL];
	float code[ALL][SUB];
};

/* ACROSS sub-blocks in the course of the search. */
struct state {
	vf x[SUB][GROUPS], w[SUB][GROUPS], wx[SUB][GROUPS], code[SUB][GROUPS];
	vf xl[GROUPS], l2[GROUPS]; /* sums of w * x * code, of w * code * code */
};

PHI_INLINE void
weigh_by_size(struct state *s)
{
	for (int i = 0; i < SUB; i++)
		EACH_GROUP {
			s->w[i][g] = s->x[i][g] * s->x[i][g];
			s->wx[i][g] = s->w[i][g] * s->x[i][g];
		}
}

/* One sweep: each code in turn moves to where the least-squares scale of the others puts it, if that is
 * better. Sets the lanes where one did. */
PHI_INLINE void
sweep(struct state *s, vi changed[GROUPS])
{
	const vf zero = vf_set(0);
	EACH_GROUP changed[g] = vi_set(0);
	for (int i = 0; i < SUB; i++)
		EACH_GROUP {
			const vf old = s->code[i][g];
			vf xl = s->xl[g] - s->wx[i][g] * old, l2 = s->l2[g] - s->w[i][g] * old * old;
			vi better = vf_lt(zero, xl);
			const vf to = signed_code(s->x[i][g] * l2 / xl, HALF, false);
			xl += s->wx[i][g] * to;
			l2 += s->w[i][g] * to * to;
			better &= ~vf_eq(to, old) & vf_lt(zero, l2) &
				vf_lt(s->xl[g] * s->xl[g] * l2, xl * xl * s->l2[g]);
			s->code[i][g] = vf_pick(better, to, old);
			s->xl[g] = vf_pick(better, xl, s->xl[g]);
			s->l2[g] = vf_pick(better, l2, s->l2[g]);
			changed[g] |= better;
		}
}

/* The codes of ACROSS sub-blocks from or to rows of their own, which `at` names. */
PHI_INLINE void
load_codes(struct state *s, const struct found *f, const uint16_t at[ACROSS])
{
	EACH_GROUP for (int i = 0; i < SUB; i += LANES) {
		vf rows[LANES];
		for (int j = 0; j < LANES; j++)
			rows[j] = vf_load(f->code[at[g * LANES + j]] + i);
		vf_transpose(rows);
		for (int j = 0; j < LANES; j++)
			s->code[i + j][g] = rows[j];
	}
}

PHI_INLINE void
store_codes(const struct state *s, struct found *f, const uint16_t at[ACROSS])
{
	EACH_GROUP for (int i = 0; i < SUB; i += LANES) {
		vf rows[LANES];
		for (int j = 0; j < LANES; j++)
			rows[j] = s->code[i + j][g];
		vf_transpose(rows);
		for (int j = 0; j < LANES; j++)
			vf_store(f->code[at[g * LANES + j]] + i, rows[j]);
	}
}

/* Appends to `list` those of `at` whose lane is set; returns how many are in it. */
PHI_INLINE int
note_changed(const vi changed[GROUPS], const uint16_t at[ACROSS], uint16_t *list, int n)
{
	EACH_GROUP for (unsigned left = vi_signs(changed[g]); left; left &= left - 1)
		list[n++] = at[g * LANES + __builtin_ctz(left)];
	return n;
}

/* The first codes and a first sweep of the ACROSS sub-blocks from `first` on. Appends those that it changed to
 * `list`. */
static int
begin(const float *src, int first, struct found *f, uint16_t *list, int n)
{
	struct state s;
	vf extreme[GROUPS];
	vi flat[GROUPS], changed[GROUPS];
	uint16_t at[ACROSS];
	for (int j = 0; j < ACROSS; j++)
		at[j] = (uint16_t)(first + j);
	lay_across(src + first * SUB, SUB, s.x);
	weigh_by_size(&s);
	extremes_across(SUB, s.x, extreme, flat);
	EACH_GROUP {
		s.xl[g] = s.l2[g] = vf_set(0);
		extreme[g] = vf_set(-HALF) / extreme[g];
	}
	for (int i = 0; i < SUB; i++)
		EACH_GROUP {
			const vf code = signed_code(extreme[g] * s.x[i][g], HALF, false);
			s.xl[g] += s.wx[i][g] * code;
			s.l2[g] += s.w[i][g] * code * code;
			s.code[i][g] = code;
		}
	sweep(&s, changed);
	EACH_GROUP {
		const vf none = vf_set(0);
		changed[g] &= ~flat[g];
		s.xl[g] = vf_pick(flat[g], none, s.xl[g]);
		s.l2[g] = vf_pick(flat[g], none, s.l2[g]);
		for (int i = 0; i < SUB; i++)
			s.code[i][g] = vf_pick(flat[g], vf_set(-HALF), s.code[i][g]);
	}
	store_codes(&s, f, at);
	store_across(f->xl + first, s.xl);
	store_across(f->l2 + first, s.l2);
	return note_changed(changed, at, list, n);
}

/* Another sweep of the ACROSS sub-blocks that `at` names, of which `real` count: appends to `list` those
 * changed. */
static int
go_on(const float *src, const uint16_t at[ACROSS], int real, struct found *f, uint16_t *list, int n)
{
	struct state s;
	vi changed[GROUPS];
	float xl[ACROSS], l2[ACROSS];
	for (int j = 0; j < ACROSS; j++) {
		xl[j] = f->xl[at[j]];
		l2[j] = f->l2[at[j]];
	}
	EACH_GROUP {
		s.xl[g] = vf_load(xl + g * LANES);
		s.l2[g] = vf_load(l2 + g * LANES);
		for (int i = 0; i < SUB; i += LANES) {
			vf rows[LANES];
			for (int j = 0; j < LANES; j++)
				rows[j] = vf_load(src + at[g * LANES + j] * SUB + i);
			vf_transpose(rows);
			for (int j = 0; j < LANES; j++)
				s.x[i + j][g] = rows[j];
		}
	}
	load_codes(&s, f, at);
	weigh_by_size(&s);
	sweep(&s, changed);
	store_codes(&s, f, at);
	store_across(xl, s.xl);
	store_across(l2, s.l2);
	for (int j = 0; j < real; j++) {
		f->xl[at[j]] = xl[j];
		f->l2[at[j]] = l2[j];
	}
	const int most = note_changed(changed, at, list, n);
	/* Beyond `real` the last is repeated. */
	while (n < most && list[n] != at[real - 1])
		n++;
	return n < most ? n + 1 : n;
}

/* make_q3_quants for all sub-blocks. Four in five are left alone by the first sweep already: the others are
 * brought together for the next. */
static void
search(const float *src, struct found *f)
{
	uint16_t list[ALL + ACROSS];
	int n = 0;
	for (int k = 0; k < ALL; k += ACROSS)
		n = begin(src, k, f, list, n);
	for (int i = 1; i < SWEEPS && n; i++) {
		const int all = n;
		n = 0;
		for (int k = 0; k < all; k += ACROSS) {
			uint16_t at[ACROSS];
			const int real = all - k < ACROSS ? all - k : ACROSS;
			for (int j = 0; j < ACROSS; j++)
				at[j] = list[k + (j < real ? j : real - 1)];
			n = go_on(src, at, real, f, list, n);
		}
	}
	for (int k = 0; k < ALL; k += LANES) {
		const vf xl = vf_load(f->xl + k), l2 = vf_load(f->l2 + k), zero = vf_set(0);
		vf_store(f->scale + k, vf_pick(vf_lt(zero, l2), xl / l2, zero));
	}
}

/* Scales of sub-blocks as multiples of one: 6 bits each, and the factor. */
struct head {
	float d;
	uint8_t six[SUBS];
};

static void
scales_of(const float scale[SUBS], struct head *h)
{
	float most = 0, extreme = 0;
	for (int j = 0; j < SUBS; j++)
		if (fabsf(scale[j]) > most) {
			most = fabsf(scale[j]);
			extreme = scale[j];
		}
	*h = (struct head){ 0 };
	if (extreme == 0)
		return;
	const float inverse = -32.0f / extreme;
	for (int j = 0; j < SUBS; j++) {
		const int8_t l = (int8_t)nearest(inverse * scale[j]);
		h->six[j] = (uint8_t)((l < -32 ? -32 : l > 31 ? 31 : l) + 32);
	}
	h->d = 1 / inverse;
}

static void
pack_codes(const uint8_t codes[N], uint8_t *dst)
{
	bytes32 third = { 0 };
	for (int b = 0; b < 8; b++)
		third |= (bytes32_load(codes + 32 * b) >> 2 & 0x01010101) << b;
	bytes32_store(dst, third);
	for (int h = 0; h < 2; h++) {
		bytes32 pairs = { 0 };
		for (int b = 0; b < 4; b++)
			pairs |= (bytes32_load(codes + 128 * h + 32 * b) & 0x03030303) << 2 * b;
		bytes32_store(dst + 32 + 32 * h, pairs);
	}
}

/* Scales, codes and bytes of one block. `found` has the codes that are to stay where a scale is none. */
static void
finish(const float *src, const struct head *h, const float (*found)[SUB], uint8_t *dst)
{
	uint8_t codes[N];
	memset(dst + 96, 0, 12);
	for (int j = 0; j < SUBS; j++) {
		dst[96 + j % 8] |= (uint8_t)(j < 8 ? h->six[j] & 15 : h->six[j] << 4);
		dst[104 + j % 4] |= (uint8_t)(h->six[j] >> 4 << j / 4 * 2);
	}
	phi_store16(dst + 108, half_of(h->d));
	const float stored = half_value(phi_load16(dst + 108));
	for (int j = 0; j < SUBS; j++) {
		const float d = stored * (float)(h->six[j] - 32);
		if (d != 0)
			codes_again(src + j * SUB, SUB, d, 0, -HALF, HALF - 1, codes + j * SUB);
		else
			for (int i = 0; i < SUB; i++)
				codes[j * SUB + i] = (uint8_t)(int)(found[j][i] + HALF);
	}
	pack_codes(codes, dst);
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += GROUP) {
		struct found f;
		search(src + b * N, &f);
		for (size_t k = 0; k < GROUP; k++) {
			struct head h;
			scales_of(f.scale + k * SUBS, &h);
			finish(src + (b + k) * N, &h, (const float (*)[SUB])f.code + k * SUBS, dst + (b + k) * BYTES);
		}
	}
	return floats_reach(src, blocks * N);
}

/* Searches the scales of the sub-blocks of LANES blocks where importance is given, and what they count for. */
static void
search_weighted(const float *src, const float *importance, struct symmetric *found, float *scale, float *sum)
{
	float squares[WEIGHTED];
	repeat_across(2 * squares_across(src, N) / N, SUBS, squares);
	for (int k = 0; k < WEIGHTED; k += ACROSS, found++) {
		vf x[SUB][GROUPS], w[SUB][GROUPS];
		lay_weighted(src + k * SUB, importance + k * SUB, squares + k, SUB, x, w);
		sum_across(SUB, w, sum + k);
		symmetric_search(SUB, HALF, x, w, found);
		memcpy(scale + k, found->scale, sizeof found->scale);
	}
}

/* The scales of the blocks, searched in their turn. */
static void
scales_weighted(const float *scale, const float *sum, struct head h[LANES])
{
	float x[ACROSS * SUBS] = { 0 }, w[ACROSS * SUBS] = { 0 };
	vf across_x[SUBS][GROUPS], across_w[SUBS][GROUPS];
	struct symmetric found;
	memcpy(x, scale, WEIGHTED * sizeof *x);
	memcpy(w, sum, WEIGHTED * sizeof *w);
	lay_across(x, SUBS, across_x);
	lay_across(w, SUBS, across_w);
	symmetric_search(SUBS, 32, across_x, across_w, &found);
	for (int k = 0; k < LANES; k++) {
		h[k].d = found.scale[k];
		for (int j = 0; j < SUBS; j++)
			h[k].six[j] = symmetric_code(&found, k, 32, scale[k * SUBS + j]);
	}
}

static uint32_t
encode_weighted(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b += LANES) {
		struct symmetric found[WEIGHTED / ACROSS];
		struct head h[LANES];
		float scale[WEIGHTED], sum[WEIGHTED], codes[SUBS][SUB];
		search_weighted(src + b * N, importance + b * N, found, scale, sum);
		scales_weighted(scale, sum, h);
		for (size_t k = 0; k < LANES; k++) {
			const float *const x = src + (b + k) * N;
			for (int i = 0; i < N; i++) {
				const int sub = (int)k * SUBS + i / SUB;
				codes[i / SUB][i % SUB] = (float)symmetric_code(&found[sub / ACROSS], sub % ACROSS, HALF,
					x[i]) - HALF;
			}
			finish(x, &h[k], (const float (*)[SUB])codes, dst + (b + k) * BYTES);
		}
	}
	return floats_reach(src, blocks * N);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block + 108));
}

const struct phi_codec PHI_CODECS(q3_k)[] = {
	{ .id = PHI_Q3_K, .group = GROUP, .decode = decode, .encode = encode,
		.encode_weighted = encode_weighted, .largest = 0x1p+21f, .sound = sound },
	PHI_CODECS_END,
};
