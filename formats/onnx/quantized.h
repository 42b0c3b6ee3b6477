/* Quantized weights: which tensors the operators take as one, and how (core/packed.h). Facts: the schemas of ONNX
 * 1.23 and of ONNX Runtime 1.32's com.microsoft.
 *
 *     MatMulNBits            codes [N, groups, bytes], low bits first; scales, zero points [N, groups]
 *     GatherBlockQuantized   the same of rows of an embedding
 *     DequantizeLinear       of int8, uint8, int4, uint4, int2, uint2, float8 initializers: by tensor, by axis, by
 *                            blocks along an axis (opset 21)
 *     MatMulInteger          scale in the Mul behind it, as quantize_dynamic writes it; and the operators that have
 *                            all in their inputs: QLinearMatMul, QLinearConv, MatMulIntegerToFloat ...
 *     MatMulBnb4             NF4 and FP4, high bits first
 *
 * What is in other layouts (QMoE, prepacked weights, sparse) stays as it is stored. */
#ifndef PHI_ONNX_QUANTIZED_H
#define PHI_ONNX_QUANTIZED_H

#include "formats/onnx/graph.h"

/* Sets model->packings; the model's tensors are described. */
int phi_onnx_packings(struct phi_model *model, const PhiOnnx__Model *proto, struct phi_err *err);

#endif
