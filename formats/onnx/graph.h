/* A model's graph: ONNX's own messages as protobuf-c makes them of a ModelProto without its weights, and the
 * weights' names. What stands in the place of a weight's numbers is TensorProto's field `weight`.
 *
 * The bytes are kept beside it: what is written is those bytes, with data and changes put in, so that whatever
 * nobody touches stays as it was. They travel as the model's side file PHI_ONNX_SIDE, through our stream, too. */
#ifndef PHI_ONNX_GRAPH_H
#define PHI_ONNX_GRAPH_H

#include "formats/core/model.h"
#include "formats/onnx/onnx.pb-c.h"

#define PHI_ONNX_SIDE "graph.onnx"

/* A tensor whose numbers are elsewhere. */
struct phi_onnx_weight {
	PhiOnnx__Tensor *tensor;
	const PhiOnnx__Graph *graph; /* whose initializer it is, or NULL */
	/* Of an initializer of the main graph its name; else what leads there: "loop.body/w" of the graph
	 * `body` of the node loop, "NAME.values" and "NAME.indices" of a sparse one, the output's name of a
	 * Constant. In the arena. */
	const char *name;
};

struct phi_onnx_graph {
	const uint8_t *bytes; /* lent */
	size_t size;
	PhiOnnx__Model *model;
	struct phi_onnx_weight *weights; /* by the number in the field; in the arena */
	size_t count;
};

/* Scans (within the limits of scan.h), unpacks and names: `bytes` has `count` weights. Bytes and arena are lent
 * for the graph's life. */
int phi_onnx_graph_open(struct phi_onnx_graph *graph, const void *bytes, size_t size, struct phi_arena *arena,
	struct phi_err *err);
void phi_onnx_graph_close(struct phi_onnx_graph *graph);

/* A node's attribute by name, or NULL. */
const PhiOnnx__Attribute *phi_onnx_attribute(const PhiOnnx__Node *node, const char *name);
/* The integer of an attribute, or what it is when it is not there. */
int64_t phi_onnx_attribute_int(const PhiOnnx__Node *node, const char *name, int64_t otherwise);
/* Is it this operator of the domain ("" is ai.onnx)? */
bool phi_onnx_is(const PhiOnnx__Node *node, const char *domain, const char *op);
/* The i-th input's name, or NULL if it is left out. */
const char *phi_onnx_input(const PhiOnnx__Node *node, size_t i);

#endif
