/* Blocks of ONNX Runtime's MatMulNBits with zero points that are numbers. They are read, and made of other blocks whose
 * codes are kept (transcode.h); of floats they are not made: a low of its own gains nothing over a zero point.
 *
 *   0        q    block * bits / 8 bytes, a stream of bits: code j in bits j * bits and on, lowest first
 *   then     s    scale: F32 or F16
 *   then     z    zero point, the same                                     weight = (code - z) * s
 */
#include "quant/codec.h"
#include "quant/onnx.h"

/* The form's zero point is not a byte's: f->zero is false, and z lies behind the scale. */
PHI_INLINE float
zero_of(const uint8_t *block, const struct onnx_form *f)
{
	const uint8_t *const zero = block + onnx_code_bytes(f) + onnx_scale_bytes(f);
	return f->scale == PHI_F32 ? phi_float32(phi_load32(zero)) : half_value(phi_load16(zero));
}

static void
decode(const uint8_t *src, float *dst, size_t blocks, const struct onnx_form *f)
{
	const unsigned run = f->block < GROUP_MAX ? f->block : GROUP_MAX;
	for (size_t b = 0; b < blocks; b++, src += onnx_bytes(f) + onnx_scale_bytes(f), dst += f->block) {
		uint8_t code[ONNX_BLOCK_MAX];
		const vf scale = vf_set(onnx_scale(src, f)), zero = vf_set(zero_of(src, f));
		for (unsigned k = 0; k < f->block; k += run)
			unpack(src + k * f->bits / 8, run, f->bits, code + k);
		for (unsigned k = 0; k < f->block; k += LANES)
			vf_store(dst + k, (vf_of_int(vi_load_u8(code + k)) - zero) * scale);
	}
}

#define NAME(what, bits, block, scale) what##_##bits##_##block##_##scale
#define FORM(width, numbers, type) &(const struct onnx_form){ .bits = width, .block = numbers, .scale = PHI_##type }
#define ONNX_FLOAT_TYPE(bits, block, scale, size)                                                            \
	static void NAME(decode, bits, block, scale)(const uint8_t *src, float *dst, size_t blocks)          \
	{                                                                                                    \
		decode(src, dst, blocks, FORM(bits, block, scale));                                          \
	}
#include "formats/core/onnx_float_types.def"

const struct phi_codec PHI_CODECS(onnx_float)[] = {
#define ONNX_FLOAT_TYPE(bits, block, scale, size)                                                            \
	{ .id = PHI_ONNX##bits##F_G##block##_##scale, .group = LANES, .decode = NAME(decode, bits, block, scale) },
#include "formats/core/onnx_float_types.def"
	PHI_CODECS_END,
};
