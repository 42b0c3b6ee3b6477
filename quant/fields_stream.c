/* The fields of MLX's and ONNX's types: codes as a stream of bits, the first in the lowest; then the scale, and the bias
 * or the zero point of those that have one. */
#include "quant/fields_bits.h"

#include "formats/core/bytes.h"

#include <string.h>

static uint32_t
take_head(const struct phi_shape *shape, const uint8_t *src)
{
	return shape->heads == PHI_FLOATS ? phi_load32(src) : phi_load16(src);
}

static void
put_head(const struct phi_shape *shape, uint32_t bits, uint8_t *dst)
{
	if (shape->heads == PHI_FLOATS)
		phi_store32(dst, bits);
	else
		phi_store16(dst, (uint16_t)bits);
}

static size_t
head_size(const struct phi_shape *shape)
{
	return shape->heads == PHI_FLOATS ? 4 : 2;
}

void
phi_unpack_stream(const struct phi_shape *shape, const uint8_t *block, struct phi_fields *f)
{
	const unsigned bits = shape->bits;
	const uint8_t *const heads = block + shape->group * bits / 8;
	for (unsigned i = 0; i < shape->group; i++) {
		const unsigned at = i * bits, second = at / 8 + 1 < shape->group * bits / 8 ? block[at / 8 + 1] : 0;
		f->code[i] = (uint8_t)((block[at / 8] | second << 8) >> at % 8 & ((1 << bits) - 1));
	}
	if (shape->scales == PHI_TABLED) {
		f->scale[0] = heads[0];
		return;
	}
	f->d = take_head(shape, heads);
	if (shape->lows == PHI_ADDED || shape->lows == PHI_SHIFTED)
		f->dmin = take_head(shape, heads + head_size(shape));
	if (shape->lows == PHI_ZEROED)
		f->min[0] = heads[head_size(shape)];
}

void
phi_pack_stream(const struct phi_shape *shape, const struct phi_fields *f, uint8_t *block)
{
	const unsigned bits = shape->bits, size = shape->group * bits / 8;
	memset(block, 0, size);
	for (unsigned i = 0; i < shape->group; i++) {
		const unsigned at = i * bits, word = (unsigned)f->code[i] << at % 8;
		block[at / 8] |= (uint8_t)word;
		if (word >> 8)
			block[at / 8 + 1] |= (uint8_t)(word >> 8);
	}
	if (shape->scales == PHI_TABLED) {
		block[size] = (uint8_t)f->scale[0];
		return;
	}
	put_head(shape, f->d, block + size);
	if (shape->lows == PHI_ADDED || shape->lows == PHI_SHIFTED)
		put_head(shape, f->dmin, block + size + head_size(shape));
	if (shape->lows == PHI_ZEROED)
		block[size + head_size(shape)] = (uint8_t)f->min[0];
}
