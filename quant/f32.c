/* F32: IEEE binary32, little-endian; what everything else is converted through. */
#include "quant/codec.h"
#include "quant/lanes.h"

#include <float.h>

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	memcpy(dst, src, blocks * sizeof *dst);
}

static uint32_t
encode(const float *src, uint8_t *dst, size_t blocks)
{
	memcpy(dst, src, blocks * sizeof *src);
	return floats_reach(src, blocks);
}

const struct phi_codec PHI_CODECS(f32)[] = {
	{ .id = PHI_F32, .group = 1, .decode = decode, .encode = encode, .largest = FLT_MAX },
	PHI_CODECS_END,
};
