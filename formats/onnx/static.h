/* w8a8, w8a16: what is computed has known ranges and is 8 or 16 bits between operators, weights are 8 bits of one
 * scale. The graph says so by pairs, which a runtime melts into its operators: what
 * onnxruntime.quantization.quantize_static writes in its QDQ format (1.32), with its names.
 *
 *     X -> X_QuantizeLinear -> X_QuantizeLinear_Output -> X_DequantizeLinear -> X_DequantizeLinear_Output
 *     W_quantized -> W_DequantizeLinear -> W_DequantizeLinear_Output          scales X_scale, X_zero_point
 *
 * An output Y of the graph keeps its name behind the pair: the node makes Y_QuantizeLinear_Input. Before operator set
 * 21 pairs of 16 bits are com.microsoft's. */
#ifndef PHI_ONNX_STATIC_H
#define PHI_ONNX_STATIC_H

#include "formats/onnx/rewrite.h"
#include "formats/onnx/scaled.h"

/* The type of what is computed, by the recipe; NULL: it is another recipe. */
const struct phi_type *phi_onnx_static_type(const char *recipe);

/* Sets the scaling of the weights and biases that are to be quantized; `names`: those that can be. */
int phi_onnx_static_lower(struct phi_model *lowered, const PhiOnnx__Model *graph, const struct phi_names *names,
	const struct phi_lower_options *options, struct phi_err *err);
/* Writes the nodes anew, between begin and end. */
int phi_onnx_static_write(struct phi_onnx_rewrite *r);

#endif
