/* Weights of a graph that get one scale each (core/scaling.h): which operators take them so. The rules are those of
 * ONNX Runtime's quantizers, onnxruntime/quantization 1.32.
 *
 *     int8_dynamic   quantize_dynamic: MatMul and Conv with a constant weight, Gemm without factors (a MatMul and an
 *                    Add then), Gather of a constant table
 *
 * Lowering says which tensors are scaled; types are chosen (a rule may keep one); completing writes the graph for those
 * that are (dynamic.c). */
#ifndef PHI_ONNX_SCALED_H
#define PHI_ONNX_SCALED_H

#include "formats/core/format.h"
#include "formats/onnx/graph.h"

/* How a node takes one of its inputs. */
struct phi_onnx_use {
	unsigned input;
	const struct phi_type *type;
	enum phi_scaling_rule rule;
	bool transposed; /* the codes are those of the transposed weight */
	bool columns;	 /* one scale for each index of the last axis, where that is asked for */
	bool reducible;
};

/* Does the recipe make such weights? */
bool phi_onnx_is_scaled(const char *recipe);

/* What quantize_dynamic makes of a node; false: it stays as it is. The input may be no weight. */
bool phi_onnx_dynamic_use(const PhiOnnx__Node *node, struct phi_onnx_use *use);

struct phi_model *phi_onnx_scaled_lower(const struct phi_model *model, const struct phi_lower_options *options,
	struct phi_err *err);

/* The tensor of a lowered model with the codes of a weight, taken so; NULL: it stays float. */
const struct phi_tensor *phi_onnx_scaled_find(const struct phi_model *lowered, const struct phi_names *names,
	const char *weight, bool transposed);

/* Initializers: the scales and the zero points; a list if they are of an axis. */
struct phi_onnx_build;
void phi_onnx_scales(struct phi_onnx_build *b, const struct phi_scaling *scaling, const char *scale, const char *zero);

/* Rewrites the graph for the types chosen. *places: of each weight of the new graph; in the plan's arena. */
struct phi_onnx_place_of;
int phi_onnx_scale_graph(struct phi_plan *plan, struct phi_onnx_place_of **places, struct phi_err *err);

#endif
