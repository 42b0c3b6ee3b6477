/* TQ1_0 and TQ2_0: 256 ternary weights, -d, 0 or d.
 *
 *   TQ1_0, 54 bytes, 1.6875 bits a weight
 *   0    q[32]   u8   five codes a byte: m, m + 32, ... m + 128
 *   32   q[16]   u8   five codes a byte: 160 + m, + 16, ... + 64
 *   48   h[4]    u8   four codes a byte: 240 + m, + 4, + 8, + 12
 *   52   d       F16  largest magnitude
 *
 *   Codes c0 .. c4 make the number t = c0 * 81 + c1 * 27 + c2 * 9 + c3 * 3 + c4, stored as the fraction
 *   ceil(t * 256 / 243) of 256: code n is the whole part of 3 * (byte * 3^n mod 256) / 256.
 *
 *   TQ2_0, 66 bytes, 2.0625 bits a weight
 *   0    q[64]   u8   byte 32 h + m: codes 128 h + m, + 32, + 64, + 96, two bits each, low to high
 *   64   d       F16
 *
 *   weight = (code - 1) * d
 *
 * Encoding: code = lroundf(x / d) + 1 by way of 1 / d; facts/gguf.md 3.1.
 */
#include "quant/codec.h"
#include "quant/lanes.h"

enum { N = 256, BYTES1 = 54, BYTES2 = 66 };

/* Codes and scale of a block; returns the largest magnitude. Where 1 / d is infinite lroundf gives a number
 * whose lower half is 0: code 1. */
static uint32_t
ternary(const float *x, uint8_t codes[N], uint16_t *scale)
{
	const uint32_t most = floats_reach(x, N);
	const float d = phi_float32(most), inverse = d != 0 ? 1 / d : 0;
	*scale = half_of(d);
	for (int j = 0; j < N; j += 16) {
		vi q[16 / LANES];
		for (int k = 0; k < 16 / LANES; k++)
			q[k] = vf_round_away(vf_load(x + j + k * LANES) * inverse) + 1;
		vi_store_bytes(codes + j, q, 16);
	}
	return most;
}

/* `count` bytes of `n` codes each, `count` apart. */
static void
pack_trits(const uint8_t *codes, int count, int n, uint8_t *dst)
{
	for (int m = 0; m < count; m++) {
		uint32_t t = 0;
		for (int i = 0; i < 5; i++)
			t = t * 3 + (i < n ? codes[m + i * count] : 0);
		dst[m] = (uint8_t)((t * 256 + 242) / 243);
	}
}

static void
unpack_trits(const uint8_t *src, int count, int n, float d, float *dst)
{
	static const uint8_t power[] = { 1, 3, 9, 27, 81 };
	for (int i = 0; i < n; i++)
		for (int m = 0; m < count; m++) {
			const uint8_t q = (uint8_t)(src[m] * power[i]);
			dst[m + i * count] = (float)((q * 3 >> 8) - 1) * d;
		}
}

static void
decode1(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES1, dst += N) {
		const float d = half_value(phi_load16(src + 52));
		unpack_trits(src, 32, 5, d, dst);
		unpack_trits(src + 32, 16, 5, d, dst + 160);
		unpack_trits(src + 48, 4, 4, d, dst + 240);
	}
}

static uint32_t
encode1(const float *src, uint8_t *dst, size_t blocks)
{
	uint32_t reach = 0;
	for (size_t b = 0; b < blocks; b++, src += N, dst += BYTES1) {
		uint8_t codes[N];
		uint16_t scale;
		const uint32_t most = ternary(src, codes, &scale);
		reach = most > reach ? most : reach;
		pack_trits(codes, 32, 5, dst);
		pack_trits(codes + 160, 16, 5, dst + 32);
		pack_trits(codes + 240, 4, 4, dst + 48);
		phi_store16(dst + 52, scale);
	}
	return reach;
}

static void
decode2(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += BYTES2, dst += N) {
		const float d = half_value(phi_load16(src + 64));
		for (int e = 0; e < N; e += 32)
			for (int m = 0; m < 32; m += LANES) {
				const vi q = vi_load_u8(src + e / 128 * 32 + m) >> e % 128 / 32 * 2 & 3;
				vf_store(dst + e + m, vf_of_int(q - 1) * d);
			}
	}
}

static uint32_t
encode2(const float *src, uint8_t *dst, size_t blocks)
{
	uint32_t reach = 0;
	for (size_t b = 0; b < blocks; b++, src += N, dst += BYTES2) {
		uint8_t codes[N];
		uint16_t scale;
		const uint32_t most = ternary(src, codes, &scale);
		reach = most > reach ? most : reach;
		for (int h = 0; h < 2; h++)
			for (int m = 0; m < 32; m++) {
				const uint8_t *const q = codes + 128 * h + m;
				dst[32 * h + m] = (uint8_t)(q[0] | q[32] << 2 | q[64] << 4 | q[96] << 6);
			}
		phi_store16(dst + 64, scale);
	}
	return reach;
}

/* The last float that rounds to 65504, the largest F16. */
const struct phi_codec PHI_CODECS(tq)[] = {
	{ .id = PHI_TQ1_0, .group = 1, .decode = decode1, .encode = encode1, .largest = 0x1.ffdffep+15f },
	{ .id = PHI_TQ2_0, .group = 1, .decode = decode2, .encode = encode2, .largest = 0x1.ffdffep+15f },
	PHI_CODECS_END,
};
