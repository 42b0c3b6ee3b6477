/* Packings that several types share, and the super-blocks' (fields_super.c). */
#ifndef PHI_QUANT_FIELDS_BITS_H
#define PHI_QUANT_FIELDS_BITS_H

#include "quant/fields.h"

/* n codes of four bits: low half of byte j is code j, high half code j + n / 2. */
static inline void
take_nibbles(const uint8_t *src, unsigned n, uint8_t *code)
{
	for (unsigned i = 0; i < n / 2; i++) {
		code[i] = src[i] & 15;
		code[i + n / 2] = src[i] >> 4;
	}
}

static inline void
put_nibbles(const uint8_t *code, unsigned n, uint8_t *dst)
{
	for (unsigned i = 0; i < n / 2; i++)
		dst[i] = (uint8_t)((code[i] & 15) | code[i + n / 2] << 4);
}

/* 256 codes of two bits: byte 32 h + m has codes 128 h + m, + 32, + 64, + 96, low to high. */
static inline void
take_pairs(const uint8_t *src, uint8_t code[256])
{
	for (unsigned i = 0; i < 256; i++)
		code[i] = src[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

static inline void
put_pairs(const uint8_t code[256], uint8_t *dst)
{
	for (unsigned i = 0; i < 64; i++) {
		const uint8_t *const q = code + i / 32 * 128 + i % 32;
		dst[i] = (uint8_t)((q[0] & 3) | (q[32] & 3) << 2 | (q[64] & 3) << 4 | (q[96] & 3) << 6);
	}
}

/* Codes of shape->bits bits, then d (or scale[0], one byte) and dmin. */
void phi_unpack_stream(const struct phi_shape *shape, const uint8_t *block, struct phi_fields *fields);
void phi_pack_stream(const struct phi_shape *shape, const struct phi_fields *fields, uint8_t *block);

#define PHI_SUPER(name)                                                                                    \
	void phi_unpack_##name(const uint8_t *block, struct phi_fields *fields);                           \
	void phi_pack_##name(const struct phi_fields *fields, uint8_t *block)
PHI_SUPER(q2_k);
PHI_SUPER(q3_k);
PHI_SUPER(q4_k);
PHI_SUPER(q5_k);
PHI_SUPER(q6_k);
PHI_SUPER(iq4_xs);
#undef PHI_SUPER

#endif
