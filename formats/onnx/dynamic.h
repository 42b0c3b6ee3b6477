/* int8_dynamic: weights are 8-bit integers of one scale, what they are multiplied with becomes such where it is
 * computed. What onnxruntime.quantization.quantize_dynamic writes (1.32), with its names:
 *
 *     A -> A_QuantizeLinear (DynamicQuantizeLinear) -> A_quantized, A_scale, A_zero_point      once for each A
 *     MatMulInteger or ConvInteger (A_quantized, W_quantized, A_zero_point, W_zero_point) -> Cast
 *          -> Mul (A_scale * W_scale) -> Add of the bias
 *     Gather of a table takes the codes; DequantizeLinear follows where somebody takes what it gathered
 *
 * The nodes are gone through once, in their order; what is known quantized when a node is reached, is used. */
#ifndef PHI_ONNX_DYNAMIC_H
#define PHI_ONNX_DYNAMIC_H

#include "formats/onnx/rewrite.h"

/* Writes the nodes anew, between begin and end. */
int phi_onnx_dynamic_write(struct phi_onnx_rewrite *r);

#endif
