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
 * Encoding (quantize_row_q3_K_ref): facts/gguf.md 3.2 (make_q3_quants) and 3.3.
 */
#include "quant/codec.h"
#include "quant/search.h"

enum { N = 256, SUBS = 16, SUB = 16, BYTES = 110, HALF = 4, BLOCKS = ACROSS > SUBS ? ACROSS / SUBS : 1 };

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

/* What the search finds: scales and codes (0 .. 7; all 0 without a scale). */
struct found {
	float scale[ACROSS];
	uint8_t codes[ACROSS][SUB];
};

struct sums {
	vf xl[GROUPS], l2[GROUPS]; /* of w * x * code, of w * code * code */
};

/* One sweep: each code in turn moves to where the least-squares scale of the others puts it, if that is
 * better. Returns whether one did. */
PHI_INLINE bool
sweep(const vf (*x)[GROUPS], const vf (*w)[GROUPS], const vf (*wx)[GROUPS], vf (*code)[GROUPS], struct sums *s)
{
	const vf zero = vf_set(0);
	vi changed = vi_set(0);
	for (int i = 0; i < SUB; i++)
		EACH_GROUP {
			const vf old = code[i][g];
			vf xl = s->xl[g] - wx[i][g] * old, l2 = s->l2[g] - w[i][g] * old * old;
			vi better = vf_lt(zero, xl);
			const vf to = signed_code(x[i][g] * l2 / xl, HALF, false);
			xl += wx[i][g] * to;
			l2 += w[i][g] * to * to;
			better &= ~vf_eq(to, old) & vf_lt(zero, l2) &
				vf_lt(s->xl[g] * s->xl[g] * l2, xl * xl * s->l2[g]);
			code[i][g] = vf_pick(better, to, old);
			s->xl[g] = vf_pick(better, xl, s->xl[g]);
			s->l2[g] = vf_pick(better, l2, s->l2[g]);
			changed |= better;
		}
	return vi_signs(changed) != 0;
}

/* make_q3_quants for ACROSS sub-blocks. A sub-block that a sweep leaves alone stays as it is. */
static void
search(const float *src, struct found *out)
{
	vf x[SUB][GROUPS], w[SUB][GROUPS], wx[SUB][GROUPS], code[SUB][GROUPS], extreme[GROUPS], scale[GROUPS];
	vi flat[GROUPS];
	struct sums s;
	lay_across(src, SUB, x);
	extremes_across(SUB, x, extreme, flat);
	EACH_GROUP s.xl[g] = s.l2[g] = vf_set(0);
	for (int i = 0; i < SUB; i++)
		EACH_GROUP {
			w[i][g] = x[i][g] * x[i][g];
			wx[i][g] = w[i][g] * x[i][g];
			code[i][g] = signed_code(vf_set(-HALF) / extreme[g] * x[i][g], HALF, false);
			s.xl[g] += wx[i][g] * code[i][g];
			s.l2[g] += w[i][g] * code[i][g] * code[i][g];
		}
	for (int i = 0; i < 5 && sweep(x, w, wx, code, &s); i++)
		;
	EACH_GROUP {
		const vi none = flat[g] | ~vf_lt(vf_set(0), s.l2[g]);
		scale[g] = vf_pick(none, vf_set(0), s.xl[g] / s.l2[g]);
	}
	store_across(out->scale, scale);
	for (int i = 0; i < SUB; i++)
		EACH_GROUP {
			int32_t lanes[LANES];
			const vi c = vf_cut(code[i][g] + HALF) & ~flat[g];
			memcpy(lanes, &c, sizeof lanes);
			for (int j = 0; j < LANES; j++)
				out->codes[g * LANES + j][i] = (uint8_t)lanes[j];
		}
}

static void
pack_scales(const float scale[SUBS], uint8_t *dst)
{
	float most = 0, extreme = 0;
	for (int j = 0; j < SUBS; j++)
		if (fabsf(scale[j]) > most) {
			most = fabsf(scale[j]);
			extreme = scale[j];
		}
	memset(dst + 96, 0, 12);
	phi_store16(dst + 108, 0);
	if (extreme == 0)
		return;
	const float inverse = -32.0f / extreme;
	for (int j = 0; j < SUBS; j++) {
		const int8_t l = (int8_t)nearest(inverse * scale[j]);
		const int six = (l < -32 ? -32 : l > 31 ? 31 : l) + 32;
		dst[96 + j % 8] |= (uint8_t)(j < 8 ? six & 15 : six << 4);
		dst[104 + j % 4] |= (uint8_t)(six >> 4 << j / 4 * 2);
	}
	phi_store16(dst + 108, half_of(1 / inverse));
}

/* Scales, codes and bytes of one block from what was found for its sub-blocks, which begin at `first`. */
static void
finish(const float *src, const struct found *found, int first, uint8_t *dst)
{
	float scale[SUBS];
	uint8_t codes[N];
	for (int j = 0; j < SUBS; j++)
		scale[j] = found[(first + j) / ACROSS].scale[(first + j) % ACROSS];
	pack_scales(scale, dst);
	for (int j = 0; j < SUBS; j++) {
		const float d = half_value(phi_load16(dst + 108)) * (float)scale_at(dst, j);
		if (d != 0)
			codes_again(src + j * SUB, SUB, d, 0, -HALF, HALF - 1, codes + j * SUB);
		else
			memcpy(codes + j * SUB, found[(first + j) / ACROSS].codes[(first + j) % ACROSS], SUB);
	}
	memset(dst, 0, 32);
	for (int i = 0; i < N; i++)
		dst[i % 32] |= (uint8_t)(codes[i] >> 2 << i / 32);
	for (int i = 0; i < 64; i++) {
		const uint8_t *const q = codes + i / 32 * 128 + i % 32;
		dst[32 + i] = (uint8_t)((q[0] & 3) | (q[32] & 3) << 2 | (q[64] & 3) << 4 | (q[96] & 3) << 6);
	}
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	enum { BATCHES = BLOCKS * SUBS / ACROSS };
	for (size_t b = 0; b < blocks; b += BLOCKS) {
		struct found found[BATCHES];
		for (int k = 0; k < BATCHES; k++)
			search(src + b * N + (size_t)k * ACROSS * SUB, &found[k]);
		for (int k = 0; k < BLOCKS; k++)
			finish(src + (b + (size_t)k) * N, found, k * SUBS, dst + (b + (size_t)k) * BYTES);
	}
	return floats_reach(src, blocks * N);
}

static bool
sound(const uint8_t *block)
{
	return half_finite(phi_load16(block + 108));
}

const struct phi_codec PHI_CODECS(q3_k)[] = {
	{ .id = PHI_Q3_K, .group = BLOCKS, .decode = decode, .encode = encode, .largest = 0x1p+21f,
		.sound = sound },
	PHI_CODECS_END,
};
