/* From one block type to another without quantizing anew: codes are kept, scales are written as the other type stores
 * them. What --lossless and --keep-codes work with.
 *
 *   Q4_0, Q4_1, MLX4_*     codes of 4 bits with a scale and a low; likewise Q5_0, Q5_1, MLX5_* and Q8_0, MLX8_*
 *   Q4_0, ONNX4_*          the same, all scales alone; likewise Q8_0, ONNX8_*; zero points where they are the middle
 *   ONNX4F_*               the same, the low as a zero point that is a number: rounded; likewise ONNX8F_*
 *   MXFP4, MLX_MXFP4       the same codes and bytes of scale
 *
 * A group becomes as many blocks as it takes; blocks are never joined. Where the new type has no low of its own (Q4_0,
 * Q5_0, Q8_0), what does not fit it exactly is refused. */
#ifndef PHI_QUANT_TRANSCODE_H
#define PHI_QUANT_TRANSCODE_H

#include "formats/core/convert.h"

/* Can codes of `from` be kept in `to`? */
bool phi_transcodes(const struct phi_type *from, const struct phi_type *to);

/* The type that takes the codes of `type` in a view ("gguf", "mlx"), in the F16 scales that both have; `type` itself if
 * that view needs none or has none. */
const struct phi_type *phi_twin(const struct phi_type *type, const char *view);

/* For a target that is ONNX, where what flows is of type `floats`: the blocks that take the codes of `type`, with scales of
 * that type, or the floats where there are none. */
const struct phi_type *phi_twin_of_onnx(const struct phi_type *type, const struct phi_type *floats);

/* n elements; transcodes() holds. `lossless`: every decoded value must stay the same (a zero's sign aside). Returns 0, or
 * -1 with the first element in *bad of a block that cannot. *ulp is raised to the largest rounding of a scale or low,
 * in units of its last place. */
int phi_transcode(const struct phi_type *from, const struct phi_type *to, const void *src, void *dst, uint64_t n,
	bool lossless, float *ulp, uint64_t *bad);

#endif
