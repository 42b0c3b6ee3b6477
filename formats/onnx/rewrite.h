/* Rewriting a graph for the types that were chosen: nodes and weights go, others come, the rest is as it was.
 *
 *     begin             opens the model's side file PHI_ONNX_SIDE
 *     nodes             asks of every node of every graph, of those within nodes, too: keep() or new ones in their
 *                       place, by build.h in r->b
 *     weight            a new initializer whose bytes are a tensor's of the plan, or a field's of its blocks
 *     end               initializers that nobody takes any more go (those that are outputs stay), operator sets and
 *                       version are raised where asked; the side file is the new graph
 *     close
 *
 * Failures are sticky as build.h's are: end says them. Functions are left alone. Messages keep what nobody knows, but
 * fields come in the order of their numbers. */
#ifndef PHI_ONNX_REWRITE_H
#define PHI_ONNX_REWRITE_H

#include "formats/core/plan.h"
#include "formats/onnx/build.h"
#include "formats/onnx/values.h"

enum { PHI_ONNX_WHOLE = -1 };

/* What a weight of the new graph is, by its number in the graph. */
struct phi_onnx_place_of {
	uint32_t tensor; /* of the plan's model */
	int field;	 /* of its blocks, or PHI_ONNX_WHOLE */
	bool turned, sign; /* of a field: as core/turned.h has it */
};

/* A graph that is rewritten, the main one or one within a node. */
struct phi_onnx_scope {
	PhiOnnx__Graph *graph;
	PhiOnnx__Graph was; /* its lists before: they own the messages */
	struct phi_onnx_build b;
};

struct phi_onnx_rewrite {
	struct phi_plan *plan;
	struct phi_err *err;
	struct phi_onnx_graph old;
	struct phi_onnx_values values; /* of the old graph, and names that were made */
	struct phi_onnx_build *b; /* of the graph whose nodes are asked of: new nodes go there */
	struct phi_onnx_scope *scope;
	/* The rest is the mechanism's own. */
	struct phi_onnx_scope *scopes;
	size_t nscopes;
	struct phi_names *tensors; /* of the plan's model */
	bool *dropped;		   /* of each old weight: it is gone */
	struct phi_onnx_made {
		PhiOnnx__Tensor *tensor;
		struct phi_onnx_place_of place;
	} *made; /* by weight() */
	size_t nmade, made_capacity;
	bool kept;		   /* the node that is asked of */
	int64_t ir_version;
	PhiOnnx__Opset **opsets, **opsets_were; /* the model's list, with room for more; as it was */
	size_t nopsets, nopsets_were;
	struct phi_onnx_place_of *places; /* after end: of each weight; in the plan's arena */
};

/* The plan's model has the graph and its tensors; both stay the caller's. close() also after a failure. */
int phi_onnx_rewrite_begin(struct phi_onnx_rewrite *r, struct phi_plan *plan, struct phi_err *err);

typedef void phi_onnx_visit_fn(struct phi_onnx_rewrite *r, PhiOnnx__Node *node, void *ctx);
void phi_onnx_rewrite_nodes(struct phi_onnx_rewrite *r, phi_onnx_visit_fn *visit, void *ctx);

/* The node goes on. */
void phi_onnx_keep(struct phi_onnx_rewrite *r, PhiOnnx__Node *node);

/* The tensor of the plan's model by name, or NULL. */
struct phi_tensor *phi_onnx_tensor_of(const struct phi_onnx_rewrite *r, const char *name);

/* A name that no value has, the text if it can be. */
char *phi_onnx_fresh(struct phi_onnx_rewrite *r, const char *fmt, ...) PHI_PRINTF(2, 3);

/* A name that is to be as it is, for a new value; a failure if there is a value of that name. */
char *phi_onnx_claim(struct phi_onnx_rewrite *r, char *name);

/* Declares an initializer in the scope: the bytes are `tensor`'s of the plan's model, or one field of its blocks.
 * Shape and type say what they are to the operators. One declaration a field. */
void phi_onnx_weight(struct phi_onnx_rewrite *r, struct phi_onnx_scope *scope, const char *name, int32_t data_type,
	const uint64_t *shape, unsigned rank, uint32_t tensor, int field);
/* The same of a field whose plane is turned (core/turned.h). */
void phi_onnx_turned_weight(struct phi_onnx_rewrite *r, struct phi_onnx_scope *scope, const char *name,
	int32_t data_type, const uint64_t shape[2], uint32_t tensor, int field, bool sign);
/* One of bytes, rank 2, that are made when they are written. */
void phi_onnx_generated_weight(struct phi_onnx_rewrite *r, struct phi_onnx_scope *scope, const char *name,
	const uint64_t shape[2], void (*generate)(const void *, uint64_t, void *, size_t), const void *state);
/* The scope that an old weight is declared in. */
struct phi_onnx_scope *phi_onnx_owner(const struct phi_onnx_rewrite *r, uint32_t weight);

/* At least this version of an operator set, and of the format. */
void phi_onnx_need_opset(struct phi_onnx_rewrite *r, const char *domain, int64_t version);
/* The version of an operator set as it is now; 0: it is not there. */
int64_t phi_onnx_opset_version(const struct phi_onnx_rewrite *r, const char *domain);
void phi_onnx_need_version(struct phi_onnx_rewrite *r, int64_t ir_version);

int phi_onnx_rewrite_end(struct phi_onnx_rewrite *r);
void phi_onnx_rewrite_close(struct phi_onnx_rewrite *r);

#endif
