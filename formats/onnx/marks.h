/* Which values of a graph are quantized where inputs and outputs have known ranges (w8a8, w8a16): what
 * onnxruntime.quantization.quantize_static marks in its QDQ format (1.32), operator by operator.
 *
 *     MatMul, Gemm, Conv ...     inputs and outputs; a constant is a weight, the third a bias
 *     Add, Mul, Concat ...       inputs and outputs; a constant is as what is computed
 *     Relu, Clip                 gone, if the codes of what comes after say it: the range ends there
 *     Reshape, MaxPool, Gather ...   outputs have the scale of the input, if that has one
 *
 * Pure: made from the graph and the ranges, when it is lowered and when it is written. */
#ifndef PHI_ONNX_MARKS_H
#define PHI_ONNX_MARKS_H

#include "formats/core/graph_options.h"
#include "formats/core/names.h"
#include "formats/core/scaling.h"
#include "formats/core/tensor.h"
#include "formats/onnx/graph.h"

enum phi_onnx_mark_kind {
	PHI_ONNX_MARK_COMPUTED, /* has a range, or the scale of another */
	PHI_ONNX_MARK_WEIGHT,   /* a constant: its range is that of its numbers */
	PHI_ONNX_MARK_BIAS,     /* a constant whose scale follows from those of two others */
};

struct phi_onnx_marked {
	const char *name;
	enum phi_onnx_mark_kind kind;
	const struct phi_type *type;
	enum phi_scaling_rule rule;
	int axis;	  /* of a weight's scales, or -1 */
	uint32_t like;	  /* the mark whose scale it has, or PHI_NONE */
	float scale;	  /* of what has a range */
	int32_t zero;
	uint32_t input, weight; /* of a bias: marks */
	bool gone;	  /* it is marked no more */
};

struct phi_onnx_marks {
	struct phi_onnx_marked *items;
	size_t count, capacity;
	struct phi_names *names; /* value -> mark */
	struct phi_names *gone;  /* input of a Relu that is gone -> its node in the main graph */
	uint32_t ncomputed;	 /* with a range of their own */
};

struct phi_onnx_marking {
	const PhiOnnx__Model *model;
	const struct phi_graph_options *options; /* with ranges */
	const struct phi_type *computed; /* U8 or U16 */
	/* The shape of a constant of F32 by name; NULL: it is none. */
	const struct phi_tensor *(*constant)(void *ctx, const char *name);
	void *ctx;
};

int phi_onnx_marks_make(struct phi_onnx_marks *marks, const struct phi_onnx_marking *marking, struct phi_err *err);
void phi_onnx_marks_free(struct phi_onnx_marks *marks);

/* By name, or NULL; NULL: it is not marked. */
const struct phi_onnx_marked *phi_onnx_mark_of(const struct phi_onnx_marks *marks, const char *value);
/* The mark that says the scale: itself, or whose it has; NULL: that one is gone. */
const struct phi_onnx_marked *phi_onnx_mark_root(const struct phi_onnx_marks *marks, const struct phi_onnx_marked *mark);
/* The least range that a device takes, or 0. */
float phi_onnx_least_width(const struct phi_graph_options *options);
/* The version of the standard operators, or 0. */
int64_t phi_onnx_opset(const PhiOnnx__Model *model);

#endif
