/* The element types of a graph's values: what is declared, and where nothing is, what the operators make of their
 * inputs. Graphs within nodes see the values around them, and names are those of all graphs together. Functions are not
 * looked into. What nobody knows has type 0. */
#ifndef PHI_ONNX_ELEMENTS_H
#define PHI_ONNX_ELEMENTS_H

#include "formats/core/names.h"
#include "formats/onnx/graph.h"

enum { /* TensorProto.DataType */
	PHI_ONNX_FLOAT = 1,
	PHI_ONNX_FLOAT16 = 10,
	PHI_ONNX_BFLOAT16 = 16,
	PHI_ONNX_SEQUENCE = 1 << 16, /* added: of tensors of that type */
};

struct phi_onnx_value {
	int32_t type;
	bool weight, constant; /* an initializer, or what a Constant says */
	/* For those who change types: who takes it, and whether it is to stay. */
	bool half, full, kept;
};

struct phi_onnx_elements {
	struct phi_names *names;
	struct phi_onnx_value *values;
	size_t count, capacity;
};

int phi_onnx_elements_find(struct phi_onnx_elements *e, const PhiOnnx__Graph *graph, struct phi_err *err);
void phi_onnx_elements_free(struct phi_onnx_elements *e);
/* NULL: no value is called so. */
struct phi_onnx_value *phi_onnx_element(const struct phi_onnx_elements *e, const char *name);

#endif
