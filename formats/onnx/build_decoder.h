/* A decoder being built: the graph of models/graph.h as nodes of ONNX, and its weights in a file beside it.
 * Private to build_*.c. */
#ifndef PHI_ONNX_BUILD_DECODER_H
#define PHI_ONNX_BUILD_DECODER_H

#include "formats/core/names.h"
#include "formats/core/plan.h"
#include "formats/models/graph.h"
#include "formats/onnx/build.h"

#define PHI_ONNX_DECODER_FILE "model.onnx"
#define PHI_ONNX_DECODER_DATA "model.onnx.data"

struct phi_onnx_decoder {
	struct phi_onnx_build b;
	struct phi_plan *plan;
	struct phi_hparams h;
	struct phi_graph graph;
	struct phi_graph_options asked; /* now, or when the model was lowered */
	const struct phi_type *io; /* of what flows and is cached: F32 or F16 */
	struct phi_names *names;   /* canonical name -> tensor of the plan's model */
	const char **placed;	   /* of each tensor of the lowered model: its initializer; NULL: not yet */
	size_t nplaced;
	unsigned file; /* the one with the weights */
	uint64_t at;   /* where it ends so far */
	const char **values; /* of each operation: its result */
	bool rotates_outside; /* of attention, by an operator before it, which is told places */
	const char *lengths, *total, *cos, *sin, *places; /* inputs of attention, and of that operator */
	const char *extent; /* total, of 64 bits */
};

/* What input i of an operation is called. */
const char *phi_onnx_value(const struct phi_onnx_decoder *d, const struct phi_op *op, int i);

/* "model.layers.0.attn.o_proj" of an operation: the module as the runtime's own builder names it; and the node
 * "/model/layers.0/attn/o_proj". */
const char *phi_onnx_module(struct phi_onnx_decoder *d, const struct phi_op *op);
const char *phi_onnx_path(struct phi_onnx_decoder *d, const char *module);
/* The name of a weight: "model.layers.0.attn.o_proj.MatMul.weight". */
const char *phi_onnx_weight_name(struct phi_onnx_decoder *d, const struct phi_op *op,
	const struct phi_graph_weight *weight);

/* build_weights.c. The tensor of a weight; NULL after a failure. */
struct phi_tensor *phi_onnx_tensor(struct phi_onnx_decoder *d, const struct phi_graph_weight *weight);
/* The initializer of a weight of floats as it is, in the io type. */
const char *phi_onnx_vector(struct phi_onnx_decoder *d, const struct phi_graph_weight *weight);
/* x times the transposed weight; `path` names the node. */
const char *phi_onnx_product(struct phi_onnx_decoder *d, const char *path, const char *x,
	const struct phi_graph_weight *weight);
/* The rows of a weight that the tokens name. */
const char *phi_onnx_rows(struct phi_onnx_decoder *d, const char *path, const char *tokens,
	const struct phi_graph_weight *weight);
/* Adds a matrix that is made when it is written, and declares it. */
const char *phi_onnx_generated(struct phi_onnx_decoder *d, const char *name, const struct phi_type *type,
	uint64_t rows, uint64_t columns, void (*generate)(const void *, uint64_t, void *, size_t), const void *state);

/* For build_blocks.c. Where the next thing of this size goes; declares what lies there, noting its canonical name, if
 * any; a value in the type of what flows. */
uint64_t phi_onnx_place(struct phi_onnx_decoder *d, uint64_t size);
const char *phi_onnx_declare(struct phi_onnx_decoder *d, const char *name, const struct phi_type *type,
	const uint64_t *shape, unsigned rank, uint64_t at, uint64_t size, const char *canonical);
const char *phi_onnx_cast(struct phi_onnx_decoder *d, const struct phi_type *type, const char *name);

/* build_blocks.c. Is it a weight in ONNX Runtime's blocks? Then these two, as above. */
bool phi_onnx_in_blocks(struct phi_onnx_decoder *d, const struct phi_tensor *t);
const char *phi_onnx_product_of_blocks(struct phi_onnx_decoder *d, const char *path, const char *x,
	const struct phi_tensor *t);
const char *phi_onnx_rows_of_blocks(struct phi_onnx_decoder *d, const char *path, const char *tokens,
	const struct phi_tensor *t);

/* build_attention.c. Sets lengths, total and extent; then a layer's. */
void phi_onnx_lengths(struct phi_onnx_decoder *d);
const char *phi_onnx_attention(struct phi_onnx_decoder *d, const struct phi_op *op, const char *module);
/* build_rope.c. Declares the caches and sets cos, sin and places; after `extent`. */
void phi_onnx_rope(struct phi_onnx_decoder *d);
/* Must an operator of its own rotate? Then queries, keys and values are apart. */
bool phi_onnx_rotates_outside(const struct phi_hparams *h, const struct phi_graph_options *options);
/* build_experts.c */
const char *phi_onnx_experts(struct phi_onnx_decoder *d, const char *path, const struct phi_op *op);

/* A failure of the builder that is not of memory. */
void phi_onnx_refuse(struct phi_onnx_decoder *d, const char *fmt, ...) PHI_PRINTF(2, 3);

#endif
