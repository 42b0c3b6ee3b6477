/* Which weights of a graph can be quantized: matrices of floats whose rows a block can run along, as the operators that
 * take them see it.
 *
 *     MatMul(x, W), Gemm(x, W)      W [K, N] is multiplied with by its columns: turned
 *     Gemm(x, W, transB)            W [N, K]: by its rows
 *     Gather(W, tokens)             W [V, H]: rows are looked up
 *
 * Gemm counts where alpha and beta are 1 and x is not turned. A weight that others take, too, or that is an output, is
 * there twice: once as it is. Functions are left alone. */
#ifndef PHI_ONNX_OPERANDS_H
#define PHI_ONNX_OPERANDS_H

#include "formats/onnx/values.h"

enum phi_onnx_way {
	PHI_ONNX_FIXED, /* not to be quantized */
	PHI_ONNX_ROWS,
	PHI_ONNX_TURNED,
};

/* Of a weight. */
struct phi_onnx_operand {
	enum phi_onnx_way way;
	bool also;     /* needed as it is, too */
	bool product, gathered; /* multiplied with; looked up */
	const char *node; /* the first node that takes it so; lent; may be "" */
	const char *why;  /* it is fixed, or NULL: nobody would expect otherwise */
};

/* The ways of one node's input. */
enum phi_onnx_way phi_onnx_takes(const PhiOnnx__Node *node, size_t input);
/* The input that is a weight a product or a lookup is made with: 1 or 0. */
size_t phi_onnx_operand_input(const PhiOnnx__Node *node);

/* Of each weight of the graph; in the arena. `standard`: for DequantizeLinear (--qdq), which looks nothing up, and whose
 * codes of all rows, an even number, lie beside each other. */
struct phi_onnx_operand *phi_onnx_operands(const struct phi_onnx_values *values, bool standard,
	struct phi_arena *arena, struct phi_err *err);

#endif
