/* Integers, little-endian, two's complement, and BOOL (a byte, anything but zero is 1). Read only:
 * each becomes the nearest F32, ties to even (exact up to 2^24). */
#include "quant/codec.h"
#include "quant/lanes.h"

#define DECODE(name, size, expression) \
	static void decode_##name(const uint8_t *src, float *dst, size_t blocks) \
	{ \
		for (size_t i = 0; i < blocks; i++) { \
			const uint8_t *const p = src + i * (size); \
			dst[i] = (float)(expression); \
		} \
	}
DECODE(i8, 1, (int8_t)*p)
DECODE(u8, 1, *p)
DECODE(i16, 2, (int16_t)phi_load16(p))
DECODE(u16, 2, phi_load16(p))
DECODE(i32, 4, (int32_t)phi_load32(p))
DECODE(u32, 4, phi_load32(p))
DECODE(i64, 8, (int64_t)phi_load64(p))
DECODE(u64, 8, phi_load64(p))
DECODE(bool, 1, *p != 0)

const struct phi_codec PHI_CODECS(integer)[] = {
	{ .id = PHI_I8, .group = 1, .decode = decode_i8 },
	{ .id = PHI_U8, .group = 1, .decode = decode_u8 },
	{ .id = PHI_I16, .group = 1, .decode = decode_i16 },
	{ .id = PHI_U16, .group = 1, .decode = decode_u16 },
	{ .id = PHI_I32, .group = 1, .decode = decode_i32 },
	{ .id = PHI_U32, .group = 1, .decode = decode_u32 },
	{ .id = PHI_I64, .group = 1, .decode = decode_i64 },
	{ .id = PHI_U64, .group = 1, .decode = decode_u64 },
	{ .id = PHI_BOOL, .group = 1, .decode = decode_bool },
	PHI_CODECS_END,
};
