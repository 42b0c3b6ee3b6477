/* BF16: the upper half of a binary32, little-endian. Rounded to nearest, ties to even; a NaN keeps the
 * upper half of its fraction and becomes quiet (facts/gguf.md 2). */
#include "quant/codec.h"
#include "quant/lanes.h"

enum { GROUP = 2 * LANES };

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t i = 0; i < blocks; i += LANES)
		vf_store(dst + i, vf_of_bits(vu_load16(src + 2 * i) << 16));
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	vi most = vi_set(0);
	for (size_t i = 0; i < blocks; i += LANES) {
		const vf x = vf_load(src + i);
		most = vi_max(most, (vi)(vf_bits(x) & 0x7FFFFFFF));
		vu_store16(dst + 2 * i, vf_brain(x));
	}
	return vi_reach(most);
}

/* The last float below the tie between the largest BF16 and 2^128. */
const struct phi_codec PHI_CODECS(bf16)[] = {
	{ .id = PHI_BF16, .group = GROUP, .decode = decode, .encode = encode, .largest = 0x1.fefffep+127f },
	PHI_CODECS_END,
};
