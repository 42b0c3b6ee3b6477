/* F16: IEEE binary16, little-endian: sign, 5 bits of exponent (bias 15), 10 of fraction. Rounded to
 * nearest, ties to even, denormals kept (facts/gguf.md 2). */
#include "quant/codec.h"
#include "quant/lanes.h"

enum { GROUP = 2 * LANES };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t i = 0; i < blocks; i += LANES)
		vf_store(dst + i, vf_load_half(src + 2 * i));
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	vi most = vi_set(0);
	for (size_t i = 0; i < blocks; i += LANES) {
		const vf x = vf_load(src + i);
		most = vi_max(most, (vi)(vf_bits(x) & 0x7FFFFFFF));
		vu_store16(dst + 2 * i, vf_half(x));
	}
	return vi_reach(most);
}

/* 65519.996: the last float that rounds to 65504, the largest F16. */
const struct phi_codec PHI_CODECS(f16)[] = {
	{ .id = PHI_F16, .group = GROUP, .decode = decode, .encode = encode, .largest = 0x1.ffdffep+15f },
	PHI_CODECS_END,
};
