/* A block of ONNX Runtime's, and what its three ways of quantizing share.
 *
 *   0        q    block * bits / 8 bytes, a stream of bits: code j in bits j * bits and on, lowest first
 *   then     s    scale: F32 or F16
 *   then     z    zero point, a byte; or none: it is the middle code       weight = (code - z) * s
 */
#ifndef PHI_QUANT_ONNX_H
#define PHI_QUANT_ONNX_H

#include "quant/mlx.h"

enum { ONNX_BLOCK_MAX = 256 };

struct onnx_form {
	unsigned bits, block;
	enum phi_type_id scale;
	bool zero; /* has zero points */
};

PHI_INLINE size_t
onnx_scale_bytes(const struct onnx_form *f)
{
	return f->scale == PHI_F32 ? 4 : 2;
}

PHI_INLINE size_t
onnx_code_bytes(const struct onnx_form *f)
{
	return f->block * f->bits / 8;
}

PHI_INLINE size_t
onnx_bytes(const struct onnx_form *f)
{
	return onnx_code_bytes(f) + onnx_scale_bytes(f) + f->zero;
}

PHI_INLINE float
onnx_most(const struct onnx_form *f)
{
	return (float)((1 << f->bits) - 1);
}

PHI_INLINE float
onnx_middle(const struct onnx_form *f)
{
	return (float)(1 << (f->bits - 1));
}

PHI_INLINE float
onnx_scale(const uint8_t *block, const struct onnx_form *f)
{
	const uint8_t *const scale = block + onnx_code_bytes(f);
	return f->scale == PHI_F32 ? phi_float32(phi_load32(scale)) : half_value(phi_load16(scale));
}

/* Writes what a block has: a code a byte, the scale rounded to what it is stored as, the zero point. */
PHI_INLINE void
onnx_store(uint8_t *dst, const uint8_t *code, float scale, float zero, const struct onnx_form *f)
{
	const unsigned run = f->block < GROUP_MAX ? f->block : GROUP_MAX;
	for (unsigned k = 0; k < f->block; k += run)
		pack(code + k, run, f->bits, dst + k * f->bits / 8);
	dst += onnx_code_bytes(f);
	if (f->scale == PHI_F32)
		phi_store32(dst, phi_bits32(scale));
	else
		phi_store16(dst, half_of(scale));
	if (f->zero)
		dst[onnx_scale_bytes(f)] = (uint8_t)zero;
}

/* The weights of LANES blocks as the scale's type holds them, and the range of each; raises *reach to the largest
 * magnitude of src. Zeros of the range have no sign. */
PHI_INLINE void
onnx_ranges(const float *src, const struct onnx_form *f, float *x, vf *min, vf *max, vi *reach)
{
	vf high[LANES], low[LANES];
	for (int i = 0; i < LANES; i++, src += f->block, x += f->block) {
		high[i] = low[i] = vf_set(-INFINITY);
		for (unsigned k = 0; k < f->block; k += LANES) {
			const vf raw = vf_load(src + k), v = rounded(raw, f->scale);
			*reach = vi_max(*reach, (vi)vf_bits(vf_abs(raw)));
			high[i] = vf_max(high[i], v);
			low[i] = vf_max(low[i], -v);
			vf_store(x + k, v);
		}
	}
	*max = vf_max_rows(high) + 0.0f;
	*min = 0.0f - vf_max_rows(low);
}

/* The codes of a block by division in double, as NumPy does it: to nearest, ties to even; what is not a number is 0.
 * (Adding 1.5 * 2^52 leaves no room for a fraction.) */
static inline void
onnx_divided(const float *x, const struct onnx_form *f, double scale, double zero, uint8_t *code)
{
	const double most = (double)onnx_most(f);
	int32_t q[ONNX_BLOCK_MAX];
	for (unsigned j = 0; j < f->block; j++) {
		double t = (double)x[j] / scale + zero;
		t = t > 0 ? t : 0;
		t = t < most ? t : most;
		q[j] = (int32_t)((t + 0x1.8p52) - 0x1.8p52);
	}
	for (unsigned j = 0; j < f->block; j++)
		code[j] = (uint8_t)q[j];
}

/* Floats to blocks, as a codec's encode. */
typedef uint32_t onnx_encode_fn(const float *src, uint8_t *dst, size_t blocks, const struct onnx_form *f);

#endif
