/* Building an ONNX graph node by node. Everything lives in the arena but the lists, which phi_onnx_build_free
 * frees. The first failure is kept: from then on nothing is appended and names are "", so that a graph can be
 * written down without asking after every node; phi_onnx_build_pack says it. */
#ifndef PHI_ONNX_BUILD_H
#define PHI_ONNX_BUILD_H

#include "formats/core/arena.h"
#include "formats/core/buffer.h"
#include "formats/core/type.h"
#include "formats/onnx/onnx.pb-c.h"

#include <stdbool.h>

struct phi_onnx_build {
	struct phi_arena *arena; /* lent */
	struct phi_err *err;
	bool failed;
	PhiOnnx__Graph graph;
	size_t nodes, inputs, outputs, initializers; /* capacities */
	PhiOnnx__Node *last; /* the node appended last: attributes and further outputs are its */
};

/* A dimension: a name, or a number. */
struct phi_onnx_dim {
	const char *name;
	uint64_t size;
};

void phi_onnx_build_init(struct phi_onnx_build *b, struct phi_arena *arena, const char *name, struct phi_err *err);
void phi_onnx_build_free(struct phi_onnx_build *b);

/* Text in the arena; "" after a failure. */
char *phi_onnx_text(struct phi_onnx_build *b, const char *fmt, ...) PHI_PRINTF(2, 3);

/* Appends a node with these inputs (NULL-ended; "": left out) and one output, NAME/output_0, whose name it
 * returns. op is the operator of ai.onnx, or "com.microsoft:" before it. */
char *phi_onnx_node(struct phi_onnx_build *b, const char *op, const char *name, const char *const *inputs);
/* Appends a node that is there already; lent. */
void phi_onnx_append(struct phi_onnx_build *b, PhiOnnx__Node *node);
/* Another output of the last node; "": left out. */
void phi_onnx_node_output(struct phi_onnx_build *b, const char *name);
/* Renames the first output of the last node. */
void phi_onnx_rename(struct phi_onnx_build *b, const char *name);
void phi_onnx_int(struct phi_onnx_build *b, const char *name, int64_t value);
void phi_onnx_float(struct phi_onnx_build *b, const char *name, double value);
void phi_onnx_string(struct phi_onnx_build *b, const char *name, const char *value);
/* A graph as an attribute; it is moved, and its lists are the arena's from then on. */
void phi_onnx_subgraph(struct phi_onnx_build *b, const char *name, struct phi_onnx_build *graph);

/* Appends an input or an output of the graph. */
void phi_onnx_build_input(struct phi_onnx_build *b, const char *name, int32_t type, const struct phi_onnx_dim *dims,
	size_t n);
void phi_onnx_build_output(struct phi_onnx_build *b, const char *name, int32_t type,
	const struct phi_onnx_dim *dims, size_t n);

/* An initializer of a few bytes in the graph itself: n numbers of I64 (rank 0 if `scalar`), or one F32. */
char *phi_onnx_ints(struct phi_onnx_build *b, const char *name, const int64_t *values, size_t n, bool scalar);
char *phi_onnx_real(struct phi_onnx_build *b, const char *name, const struct phi_type *type, double value);
/* An initializer of a few numbers of any type; the bytes are lent for the arena's life. */
char *phi_onnx_raw(struct phi_onnx_build *b, const char *name, const struct phi_type *type, const uint64_t *shape,
	unsigned rank, uint8_t *bytes);
/* The attributes of another node go to the last one, too. */
void phi_onnx_attributes(struct phi_onnx_build *b, const PhiOnnx__Node *of);
/* A node like another, with lists of inputs and outputs of its own, that is in no graph yet; NULL after a failure. */
PhiOnnx__Node *phi_onnx_copy(struct phi_onnx_build *b, const PhiOnnx__Node *node);

/* An initializer whose bytes lie in a file beside the graph; key and value are noted with it, or NULL. */
char *phi_onnx_beside(struct phi_onnx_build *b, const char *name, int32_t type, const uint64_t *shape,
	unsigned rank, const char *file, uint64_t offset, uint64_t size, const char *key, const char *value);

/* Appends an initializer without data; the caller sets those. NULL after a failure. */
PhiOnnx__Tensor *phi_onnx_initializer(struct phi_onnx_build *b, const char *name, int32_t type, const uint64_t *shape,
	size_t rank);

/* A key and its value, for the model's properties. */
PhiOnnx__Entry *phi_onnx_entry(struct phi_onnx_build *b, const char *key, const char *value);

/* The bytes of a message, or the failure. */
int phi_onnx_build_pack(struct phi_onnx_build *b, const PhiOnnx__Model *model, struct phi_buffer *out);

#endif
