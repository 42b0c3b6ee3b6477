/* What MLX's types share: codes as a stream of bits, and arithmetic in the weights' own type. */
#ifndef PHI_QUANT_MLX_H
#define PHI_QUANT_MLX_H

#include "quant/lanes.h"

#include "formats/core/type.h"

enum { GROUP_MAX = 128, SPARE = 8 };

/* Eight codes, a byte each, as 8 * bits bits: neighbours are joined to pairs, pairs to fours. */
static inline uint64_t
joined(const uint8_t *code, unsigned bits)
{
	const uint64_t bytes = 0x00FF00FF00FF00FF, pairs = 0x0000FFFF0000FFFF, fours = 0xFFFFFFFF;
	uint64_t x = phi_load64(code);
	x = (x & bytes) | (x >> 8 & bytes) << bits;
	x = (x & pairs) | (x >> 16 & pairs) << 2 * bits;
	return (x & fours) | x >> 32 << 4 * bits;
}

/* n codes, a multiple of 16, of 2 to 8 bits, the first in the lowest bits. */
static inline void
pack(const uint8_t *code, unsigned n, unsigned bits, uint8_t *dst)
{
	uint8_t packed[GROUP_MAX + SPARE];
	if (bits == 4) {
		for (unsigned i = 0; i < n; i += 16)
			phi_store64(dst + i / 2, joined(code + i, 4) | joined(code + i + 8, 4) << 32);
		return;
	}
	if (bits == 8) {
		memcpy(dst, code, n);
		return;
	}
	for (unsigned i = 0; i < n; i += 8)
		phi_store64(packed + i / 8 * bits, joined(code + i, bits));
	memcpy(dst, packed, n / 8 * bits);
}

static inline void
unpack(const uint8_t *src, unsigned n, unsigned bits, uint8_t *code)
{
	const uint64_t fours = (UINT64_C(1) << 4 * bits) - 1;
	const uint64_t pairs = ((UINT64_C(1) << 2 * bits) - 1) * 0x0000000100000001;
	const uint64_t bytes = ((UINT64_C(1) << bits) - 1) * 0x0001000100010001;
	uint8_t packed[GROUP_MAX + SPARE];
	memcpy(packed, src, n / 8 * bits);
	memset(packed + n / 8 * bits, 0, SPARE);
	for (unsigned i = 0; i < n; i += 8) {
		uint64_t x = phi_load64(packed + i / 8 * bits);
		x = (x & fours) | (x >> 4 * bits & fours) << 32;
		x = (x & pairs) | (x >> 2 * bits & pairs) << 16;
		phi_store64(code + i, (x & bytes) | (x >> bits & bytes) << 8);
	}
}

/* As the type holds it: F32, F16 or BF16. */
PHI_INLINE vf
rounded(vf x, enum phi_type_id scale)
{
	uint8_t halves[2 * LANES];
	if (scale == PHI_BF16)
		return vf_of_bits(vf_brain(x) << 16);
	if (scale == PHI_F32)
		return x;
	vu_store16(halves, vf_half(x));
	return vf_load_half(halves);
}

#endif
