/* A graph's weights as they are quantized: the model lowered to ONNX, of view "onnx". What can be quantized (operands.h)
 * is presented with rows that blocks run along: [K, N] as [N, K], by a part that is turned. Everything else is fixed.
 *
 * Through our stream the graph travels as it was, the tensors as they are presented; so which are turned follows from
 * the view and the graph. What was asked of the graph is in the model's metadata ("onnx.algorithm" ...). */
#ifndef PHI_ONNX_GRAPH_LOWER_H
#define PHI_ONNX_GRAPH_LOWER_H

#include "formats/core/format.h"
#include "formats/onnx/operands.h"

/* A weight that is needed as it is, too, is by this added to its name what is to be quantized. */
#define PHI_ONNX_TWIN "/product"

/* Exchanges the dimensions of a matrix that is one part; false: it cannot be. */
bool phi_onnx_turn(const struct phi_model *lowered, struct phi_tensor *t);

/* Notes what was asked of the graph in the metadata; reads it again, from a stream, too. */
int phi_onnx_note_options(struct phi_model *model, const struct phi_graph_options *options, struct phi_err *err);
int phi_onnx_noted_options(const struct phi_model *model, struct phi_graph_options *options, struct phi_err *err);

/* Of a model whose graph can be rewritten; `lowered` has the tensors of the origin as they are. */
int phi_onnx_lower_weights(struct phi_model *lowered, const struct phi_lower_options *options, struct phi_err *err);

/* The same where nothing is to be quantized: every weight of the graph is a tensor, as it is there, fixed. */
int phi_onnx_lower_as_is(struct phi_model *lowered, struct phi_err *err);

/* nbits.c: rewrites the graph for the types chosen. *places: of each weight of the new graph; in the plan's arena. */
struct phi_onnx_place_of;
int phi_onnx_quantize_graph(struct phi_plan *plan, struct phi_onnx_place_of **places, struct phi_err *err);

#endif
