/* Blocks of 256 with scales of their own scales: bytes to fields and back. */
#include "quant/fields_bits.h"

#include "formats/core/bytes.h"

#include <string.h>

void
phi_unpack_q2_k(const uint8_t *block, struct phi_fields *f)
{
	for (unsigned g = 0; g < 16; g++) {
		f->scale[g] = block[g] & 15;
		f->min[g] = block[g] >> 4;
	}
	take_pairs(block + 16, f->code);
	f->d = phi_load16(block + 80);
	f->dmin = phi_load16(block + 82);
}

void
phi_pack_q2_k(const struct phi_fields *f, uint8_t *block)
{
	for (unsigned g = 0; g < 16; g++)
		block[g] = (uint8_t)(f->scale[g] | f->min[g] << 4);
	put_pairs(f->code, block + 16);
	phi_store16(block + 80, f->d);
	phi_store16(block + 82, f->dmin);
}

void
phi_unpack_q3_k(const uint8_t *block, struct phi_fields *f)
{
	const uint8_t *const s = block + 96;
	take_pairs(block + 32, f->code);
	for (unsigned i = 0; i < 256; i++)
		f->code[i] |= (uint8_t)((block[i % 32] >> i / 32 & 1) << 2);
	for (unsigned g = 0; g < 16; g++)
		f->scale[g] = (int16_t)(((s[g % 8] >> g / 8 * 4 & 15) | (s[8 + g % 4] >> g / 4 * 2 & 3) << 4) - 32);
	f->d = phi_load16(block + 108);
}

void
phi_pack_q3_k(const struct phi_fields *f, uint8_t *block)
{
	memset(block, 0, 32);
	memset(block + 96, 0, 12);
	put_pairs(f->code, block + 32);
	for (unsigned i = 0; i < 256; i++)
		block[i % 32] |= (uint8_t)(f->code[i] >> 2 << i / 32);
	for (unsigned g = 0; g < 16; g++) {
		const unsigned six = (unsigned)(f->scale[g] + 32);
		block[96 + g % 8] |= (uint8_t)((six & 15) << g / 8 * 4);
		block[104 + g % 4] |= (uint8_t)(six >> 4 << g / 4 * 2);
	}
	phi_store16(block + 108, f->d);
}

/* Eight scales and minima of six bits in 12 bytes: super.h has the picture. */
static void
take_sixes(const uint8_t *src, struct phi_fields *f)
{
	for (unsigned g = 0; g < 4; g++) {
		f->scale[g] = src[g] & 63;
		f->min[g] = src[g + 4] & 63;
		f->scale[g + 4] = (int16_t)((src[g + 8] & 15) | src[g] >> 6 << 4);
		f->min[g + 4] = (int16_t)(src[g + 8] >> 4 | src[g + 4] >> 6 << 4);
	}
}

static void
put_sixes(const struct phi_fields *f, uint8_t *dst)
{
	for (unsigned g = 0; g < 4; g++) {
		const unsigned scale = (unsigned)f->scale[g + 4], min = (unsigned)f->min[g + 4];
		dst[g] = (uint8_t)((unsigned)f->scale[g] | scale >> 4 << 6);
		dst[g + 4] = (uint8_t)((unsigned)f->min[g] | min >> 4 << 6);
		dst[g + 8] = (uint8_t)((scale & 15) | (min & 15) << 4);
	}
}

/* What Q4_K and Q5_K share: scales, and the lower four bits of the codes from byte `at` on. */
static void
take_lower(const uint8_t *block, unsigned at, struct phi_fields *f)
{
	f->d = phi_load16(block);
	f->dmin = phi_load16(block + 2);
	take_sixes(block + 4, f);
	for (unsigned p = 0; p < 4; p++)
		take_nibbles(block + at + 32 * p, 64, f->code + 64 * p);
}

static void
put_lower(const struct phi_fields *f, unsigned at, uint8_t *block)
{
	phi_store16(block, f->d);
	phi_store16(block + 2, f->dmin);
	put_sixes(f, block + 4);
	for (unsigned p = 0; p < 4; p++)
		put_nibbles(f->code + 64 * p, 64, block + at + 32 * p);
}

void
phi_unpack_q4_k(const uint8_t *block, struct phi_fields *f)
{
	take_lower(block, 16, f);
}

void
phi_pack_q4_k(const struct phi_fields *f, uint8_t *block)
{
	put_lower(f, 16, block);
}

/* As Q4_K, and bit g of byte l of what lies between: the fifth bit of code 32 g + l. */
void
phi_unpack_q5_k(const uint8_t *block, struct phi_fields *f)
{
	take_lower(block, 48, f);
	for (unsigned i = 0; i < 256; i++)
		f->code[i] |= (uint8_t)((block[16 + i % 32] >> i / 32 & 1) << 4);
}

void
phi_pack_q5_k(const struct phi_fields *f, uint8_t *block)
{
	put_lower(f, 48, block);
	memset(block + 16, 0, 32);
	for (unsigned i = 0; i < 256; i++)
		block[16 + i % 32] |= (uint8_t)(f->code[i] >> 4 << i / 32);
}

/* Where code i of Q6_K has its lower four bits: the byte, and the shift in it. */
static unsigned
low_byte(unsigned i)
{
	return i / 128 * 64 + i % 64;
}

static unsigned
low_shift(unsigned i)
{
	return i % 128 / 64 * 4;
}

void
phi_unpack_q6_k(const uint8_t *block, struct phi_fields *f)
{
	uint8_t upper[256];
	take_pairs(block + 128, upper);
	for (unsigned i = 0; i < 256; i++)
		f->code[i] = (uint8_t)((block[low_byte(i)] >> low_shift(i) & 15) | upper[i] << 4);
	for (unsigned g = 0; g < 16; g++)
		f->scale[g] = (int8_t)block[192 + g];
	f->d = phi_load16(block + 208);
}

void
phi_pack_q6_k(const struct phi_fields *f, uint8_t *block)
{
	uint8_t upper[256];
	memset(block, 0, 128);
	for (unsigned i = 0; i < 256; i++) {
		block[low_byte(i)] |= (uint8_t)((f->code[i] & 15) << low_shift(i));
		upper[i] = f->code[i] >> 4;
	}
	put_pairs(upper, block + 128);
	for (unsigned g = 0; g < 16; g++)
		block[192 + g] = (uint8_t)f->scale[g];
	phi_store16(block + 208, f->d);
}

void
phi_unpack_iq4_xs(const uint8_t *block, struct phi_fields *f)
{
	const unsigned high = phi_load16(block + 2);
	f->d = phi_load16(block);
	for (unsigned g = 0; g < 8; g++) {
		f->scale[g] = (int16_t)(((block[4 + g / 2] >> g % 2 * 4 & 15) | (high >> 2 * g & 3) << 4)) - 32;
		take_nibbles(block + 8 + 16 * g, 32, f->code + 32 * g);
	}
}

void
phi_pack_iq4_xs(const struct phi_fields *f, uint8_t *block)
{
	unsigned high = 0;
	phi_store16(block, f->d);
	memset(block + 4, 0, 4);
	for (unsigned g = 0; g < 8; g++) {
		const unsigned six = (unsigned)(f->scale[g] + 32);
		high |= six >> 4 << 2 * g;
		block[4 + g / 2] |= (uint8_t)((six & 15) << g % 2 * 4);
		put_nibbles(f->code + 32 * g, 32, block + 8 + 16 * g);
	}
	phi_store16(block + 2, (uint16_t)high);
}
