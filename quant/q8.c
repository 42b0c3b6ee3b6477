/* Q8_1 and Q8_K: what runtimes keep activations in; in a file by accident only. Read only.
 *
 *   Q8_1, 36 bytes: d F16, s F16 (d times the sum of the codes), q[32] i8        weight = q * d
 *   Q8_K, 292 bytes: d F32, q[256] i8, sums[16] i16                              weight = d * q
 */
#include "quant/codec.h"
#include "quant/lanes.h"

static void
decode_1(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += 36, dst += 32) {
		const float d = half_value(phi_load16(src));
		for (int k = 0; k < 32; k += LANES)
			vf_store(dst + k, vf_of_int(vi_load_s8(src + 4 + k)) * d);
	}
}

static void
decode_k(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, src += 292, dst += 256) {
		const float d = phi_float32(phi_load32(src));
		for (int k = 0; k < 256; k += LANES)
			vf_store(dst + k, d * vf_of_int(vi_load_s8(src + 4 + k)));
	}
}

const struct phi_codec PHI_CODECS(q8)[] = {
	{ .id = PHI_Q8_1, .group = 1, .decode = decode_1 },
	{ .id = PHI_Q8_K, .group = 1, .decode = decode_k },
	PHI_CODECS_END,
};
