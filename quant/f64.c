/* F64: IEEE binary64, little-endian. Read only: one rounding to F32, to nearest, ties to even. */
#include "quant/codec.h"
#include "quant/lanes.h"

#include <math.h>

static void
decode(const uint8_t *src, float *dst, size_t blocks)
{
	for (size_t i = 0; i < blocks; i++)
		dst[i] = (float)phi_float64(phi_load64(src + 8 * i));
}

static bool
is_finite(const uint8_t *element)
{
	return isfinite(phi_float64(phi_load64(element)));
}

const struct phi_codec PHI_CODECS(f64)[] = {
	{ .id = PHI_F64, .group = 1, .decode = decode, .finite = is_finite },
	PHI_CODECS_END,
};
