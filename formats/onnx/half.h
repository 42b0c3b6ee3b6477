/* A graph that computes with floats of another type: F16, BF16, or F32 again. To F16 by the rules of
 * onnxruntime.transformers.float16 (1.32; facts/onnx.md 3.11), node by node:
 *
 *     weights         of the type asked for, but those that only nodes in F32 take
 *     nodes in F32    those of operators that have no other floats, and those that are kept: casts stand before their
 *                     inputs (one for each value: X_cast_to_fp32) and behind their outputs
 *     others          Cast, the types of what is made from nothing, and tensors in the node are of the new type
 *     declared types  those of inputs, outputs and values; kept ones of inputs and outputs are cast
 *                     (graph_input_cast_0, graph_output_cast_0)
 *
 * Beyond that tool: types of values that nobody declares follow from the operators (elements.h); casts stand where they
 * are needed, within graphs of nodes, too, so that nodes are in order; operators that take only F32 by their schema, of
 * quantization, stay in F32; weights that are outputs, and Constants of one float, are of the new type, too.
 * To F32 nothing needs a cast. */
#ifndef PHI_ONNX_HALF_H
#define PHI_ONNX_HALF_H

#include "formats/core/format.h"

/* Is it a recipe that gives all floats one type? */
bool phi_onnx_is_float_recipe(const char *recipe);

/* Lowered so, with the graph rewritten. */
struct phi_model *phi_onnx_half_lower(const struct phi_model *model, const struct phi_lower_options *options,
	struct phi_err *err);

#endif
