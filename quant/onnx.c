/* The blocks of ONNX Runtime's MatMulNBits and GatherBlockQuantized (onnx.h has the picture): codes of 2, 4 or 8 bits,
 * blocks of 16 to 256 weights.
 *
 * Encoding, by onnxruntime.quantization.matmul_nbits_quantizer of ONNX Runtime 1.32 (facts/onnx.md 3), of weights of the
 * scale's type, to which others are rounded first:
 *   default   MlasQuantizeBlockwise. Without zero points the number farther from zero (of equals the lower) is code 0
 *             exactly; with them the range is stretched to zero. Codes by the rounded scale, ties away from zero.
 *   qdq       MlasQDQQuantizeBlockwise: as default, but the zero point is added to what is rounded already
 *   rtn       quant_tensor: magnitudes over half of all codes, or the range as it is; by division in double, ties to
 *             even, by the unrounded scale. (Of an F16, over 3, 15 or 255, rounding by way of F32 is rounding once.)
 *   k_quant   onnx_k_quant.h; always with zero points.
 */
#include "quant/codec.h"
#include "quant/onnx_k_quant.h"

#include <float.h>

static void
decode(const uint8_t *src, float *dst, size_t blocks, const struct onnx_form *f)
{
	const unsigned run = f->block < GROUP_MAX ? f->block : GROUP_MAX;
	for (size_t b = 0; b < blocks; b++, src += onnx_bytes(f), dst += f->block) {
		uint8_t code[ONNX_BLOCK_MAX];
		const vf scale = vf_set(onnx_scale(src, f));
		const vi zero = vi_set(f->zero ? src[onnx_bytes(f) - 1] : 1 << (f->bits - 1));
		for (unsigned k = 0; k < f->block; k += run)
			unpack(src + k * f->bits / 8, run, f->bits, code + k);
		for (unsigned k = 0; k < f->block; k += LANES)
			vf_store(dst + k, vf_of_int(vi_load_u8(code + k) - zero) * scale);
	}
}

/* Of LANES blocks. */
struct heads {
	vf scale, zero;
};

/* `first`: of each block. Of zeros alone it gives the scale its sign. */
PHI_INLINE struct heads
heads_default(vf min, vf max, vf first, const struct onnx_form *f)
{
	const vf nothing = vf_set(0);
	if (!f->zero) {
		const vi zeros = vf_eq(min, nothing) & vf_eq(max, nothing);
		const vf extreme = vf_pick(zeros, first, vf_pick(vf_lt(vf_abs(min), vf_abs(max)), max, min));
		return (struct heads){ rounded(-extreme / onnx_middle(f), f->scale), vf_set(onnx_middle(f)) };
	}
	const vf low = vf_min(min, nothing), high = vf_max(max, nothing);
	const vf scale = (high - low) / onnx_most(f);
	const vf zero = vf_pick(vf_eq(scale, nothing), low, nothing - low / scale);
	const vf clamped = vf_min(vf_max(zero, nothing), vf_set(onnx_most(f)));
	return (struct heads){ rounded(scale, f->scale), vf_of_int(vf_round_away(clamped)) };
}

/* Codes of a block. `apart`: the zero point is added to what is rounded already. */
PHI_INLINE void
default_codes(const float *x, float inverse, float zero, bool apart, const struct onnx_form *f, uint8_t *code)
{
	const vf most = vf_set(onnx_most(f)), nothing = vf_set(0), limit = vf_set(2 * onnx_most(f));
	for (unsigned k = 0; k < f->block; k += 16) {
		vi q[16 / LANES];
		for (unsigned j = 0; j < 16 / LANES; j++) {
			const vf t = vf_load(x + k + j * LANES) * vf_set(inverse);
			const vf near = apart ? vf_of_int(vf_round_away(vf_min(vf_max(t, -limit), limit))) : t;
			q[j] = vf_round_away(vf_min(vf_max(near + vf_set(zero), nothing), most));
		}
		vi_store_bytes(code + k, q, 16);
	}
}

PHI_INLINE uint32_t
encode_blockwise(const float *src, uint8_t *dst, size_t blocks, bool apart, const struct onnx_form *f)
{
	vi reach = vi_set(0);
	for (size_t b = 0; b < blocks; b += LANES, src += LANES * f->block) {
		float x[LANES * ONNX_BLOCK_MAX], first[LANES], scale[LANES], zero[LANES], inverse[LANES];
		vf min, max;
		onnx_ranges(src, f, x, &min, &max, &reach);
		for (unsigned i = 0; i < LANES; i++)
			first[i] = x[i * f->block];
		const struct heads h = heads_default(min, max, vf_load(first), f);
		vf_store(scale, h.scale);
		vf_store(zero, h.zero);
		vf_store(inverse, vf_pick(vf_eq(h.scale, vf_set(0)), vf_set(0), 1 / h.scale));
		for (unsigned i = 0; i < LANES; i++, dst += onnx_bytes(f)) {
			uint8_t code[ONNX_BLOCK_MAX];
			default_codes(x + i * f->block, inverse[i], zero[i], apart, f, code);
			onnx_store(dst, code, scale[i], zero[i], f);
		}
	}
	return vi_reach(reach);
}

static uint32_t
encode_default(const float *src, uint8_t *dst, size_t blocks, const struct onnx_form *f)
{
	return encode_blockwise(src, dst, blocks, false, f);
}

static uint32_t
encode_qdq(const float *src, uint8_t *dst, size_t blocks, const struct onnx_form *f)
{
	return encode_blockwise(src, dst, blocks, true, f);
}

static uint32_t
encode_rtn(const float *src, uint8_t *dst, size_t blocks, const struct onnx_form *f)
{
	const double most = (double)onnx_most(f);
	vi reach = vi_set(0);
	for (size_t b = 0; b < blocks; b += LANES, src += LANES * f->block) {
		float x[LANES * ONNX_BLOCK_MAX], low[LANES], spans[LANES];
		vf min, max;
		onnx_ranges(src, f, x, &min, &max, &reach);
		const vf span = f->zero ? max - min : vf_max(vf_abs(min), vf_abs(max)) * 2.0f;
		vf_store(low, min);
		vf_store(spans, rounded(span, f->scale));
		for (unsigned i = 0; i < LANES; i++, dst += onnx_bytes(f)) {
			uint8_t code[ONNX_BLOCK_MAX];
			const double scale = spans[i] != 0 ? (double)spans[i] / most : 1;
			double zero = f->zero ? nearbyint(-(double)low[i] / scale) : (double)onnx_middle(f);
			zero = zero > 0 ? zero < most ? zero : most : 0;
			onnx_divided(x + i * f->block, f, scale, zero, code);
			onnx_store(dst, code, (float)scale, (float)zero, f);
		}
	}
	return vi_reach(reach);
}

#define NAME(what, bits, mark, block, scale) what##_##bits##mark##_##block##_##scale
#define FORM(width, numbers, type, point) \
	&(const struct onnx_form){ .bits = width, .block = numbers, .scale = PHI_##type, .zero = point }
#define ENCODE(way, bits, mark, block, scale, point)                                                         \
	static uint32_t NAME(encode_##way, bits, mark, block, scale)(const float *src, uint8_t *dst, size_t blocks) \
	{                                                                                                    \
		return encode_##way(src, dst, blocks, FORM(bits, block, scale, point));                      \
	}
#define ONNX_TYPE(bits, mark, block, scale, size, point)                                                     \
	static void NAME(decode, bits, mark, block, scale)(const uint8_t *src, float *dst, size_t blocks)    \
	{                                                                                                    \
		decode(src, dst, blocks, FORM(bits, block, scale, point));                                   \
	}                                                                                                    \
	static bool NAME(sound, bits, mark, block, scale)(const uint8_t *src)                                \
	{                                                                                                    \
		return isfinite(onnx_scale(src, FORM(bits, block, scale, point)));                           \
	}                                                                                                    \
	ENCODE(default, bits, mark, block, scale, point)                                                     \
	ENCODE(qdq, bits, mark, block, scale, point)                                                         \
	ENCODE(rtn, bits, mark, block, scale, point)                                                         \
	ENCODE(k_quant, bits, mark, block, scale, point)
#include "formats/core/onnx_types.def"

/* Up to these the difference of two weights is finite, and every weight is when rounded; rtn rounds the difference
 * (twice the magnitude), too. */
#define LARGEST_default_F32 (FLT_MAX / 2)
#define LARGEST_default_F16 0x1.ffdffep+15f
#define LARGEST_qdq_F32 LARGEST_default_F32
#define LARGEST_qdq_F16 LARGEST_default_F16
#define LARGEST_rtn_F32 (FLT_MAX / 2)
#define LARGEST_rtn_F16 0x1.ffdffep+14f
#define LARGEST_k_quant_F32 (FLT_MAX / 2)
#define LARGEST_k_quant_F16 0x1.ffdffep+15f

#define CODEC_OF(way, bits, mark, block, scale) .id = PHI_ONNX##bits##mark##_G##block##_##scale, .group = LANES,     \
	.decode = NAME(decode, bits, mark, block, scale), .encode = NAME(encode_##way, bits, mark, block, scale), \
	.sound = NAME(sound, bits, mark, block, scale), .largest = LARGEST_##way##_##scale

#define ONNX_TYPE(bits, mark, block, scale, size, point)                                                     \
	static const struct phi_codec NAME(qdq, bits, mark, block, scale) = {                                \
		CODEC_OF(qdq, bits, mark, block, scale) };                                                   \
	static const struct phi_codec NAME(rtn, bits, mark, block, scale) = {                                \
		CODEC_OF(rtn, bits, mark, block, scale) };                                                   \
	static const struct phi_codec NAME(k_quant, bits, mark, block, scale) = {                            \
		CODEC_OF(k_quant, bits, mark, block, scale) };
#include "formats/core/onnx_types.def"

const struct phi_codec PHI_CODECS(onnx)[] = {
#define ONNX_TYPE(bits, mark, block, scale, size, point)                                                     \
	{ CODEC_OF(default, bits, mark, block, scale), .as_rtn = &NAME(rtn, bits, mark, block, scale),       \
		.as_qdq = &NAME(qdq, bits, mark, block, scale),                                              \
		.as_k_quant = point ? &NAME(k_quant, bits, mark, block, scale) : NULL },
#include "formats/core/onnx_types.def"
	PHI_CODECS_END,
};
