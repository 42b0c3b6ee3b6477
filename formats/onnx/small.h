/* Tensors of a few numbers that stand in the graph itself, not among its weights, in another type of floats. */
#ifndef PHI_ONNX_SMALL_H
#define PHI_ONNX_SMALL_H

#include "formats/onnx/build.h"

/* The tensor in the type `to`: FLOAT, FLOAT16 or BFLOAT16, as it is now. In the arena; NULL after a failure. As
 * onnxruntime.transformers.float16 does it, what F16 is too small for becomes its largest number (*clamped is set),
 * what is not 0 stays so. */
PhiOnnx__Tensor *phi_onnx_small_convert(struct phi_onnx_build *b, const PhiOnnx__Tensor *t, int32_t to, bool *clamped);
/* One of floats. */
PhiOnnx__Tensor *phi_onnx_small_make(struct phi_onnx_build *b, const float *values, size_t n, bool scalar, int32_t to,
	bool *clamped);

#endif
