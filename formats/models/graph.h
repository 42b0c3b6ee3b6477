/* The decoder of a family as a graph of few kinds of operations, which the formats of runtimes lower to
 * theirs: what is computed of what with which weights, and nothing of how a runtime wants it.
 *
 *     tokens -> EMBED -> [ layer ] * layers -> NORM -> LINEAR -> logits
 *
 *     phi3    x += o(ATTENTION(qkv(NORM x)));  x += down(SILU(gate(n)) * up(n)), n = NORM x
 *     phi2    n = NORM x;  x += dense(ATTENTION(q n, k n, v n)) + fc2(GELU(fc1 n))
 *     phimoe  as phi3 with q, k, v apart, and EXPERTS for the last part
 *
 * An operation has one result, named by its index. Facts: facts/gguf.md 6.5, transformers 5.23. */
#ifndef PHI_MODELS_GRAPH_H
#define PHI_MODELS_GRAPH_H

#include "formats/models/family.h"

enum phi_op_kind {
	PHI_OP_EMBED,	  /* the rows of `weight` that the tokens name */
	PHI_OP_NORM,	  /* over the last dimension, epsilon as the hyper-parameters say: root mean square times
			   * weight; with a bias: less the mean, over the deviation, times weight, plus bias */
	PHI_OP_LINEAR,	  /* in[0] * transposed weight, plus bias */
	PHI_OP_ATTENTION, /* causal, of rotated queries in[0] and keys in[1], values in[2], with what was before,
			   * in the window; only in[0]: all three beside each other */
	PHI_OP_ADD,
	PHI_OP_MULTIPLY,
	PHI_OP_SILU, /* x / (1 + exp -x) */
	PHI_OP_GELU, /* by tanh */
	/* Of in[0]; in[1] are the router's numbers: sparsemixer picks two experts for each token and weighs what
	 * they give, each down(SILU(gate x) * up x). */
	PHI_OP_EXPERTS,
};

/* A matrix or a vector of the checkpoint, or rows of one. */
struct phi_graph_weight {
	const char *name;  /* canonical, as if it were by itself; NULL: there is none */
	const char *whole; /* canonical: what it is rows of where it is not by itself; or NULL */
	uint64_t row, rows; /* of the whole; of a stack of experts: row is the expert */
	enum phi_role role;
};

enum { PHI_EXPERT_GATE, PHI_EXPERT_UP, PHI_EXPERT_DOWN, PHI_EXPERT_WEIGHTS };

struct phi_op {
	enum phi_op_kind kind;
	int layer;	  /* or -1 */
	const char *name; /* of the module, without ".weight": "model.layers.0.mlp.down_proj" */
	uint32_t in[3];	  /* operations; PHI_NONE: none */
	struct phi_graph_weight weight, bias;
	/* Of PHI_OP_EXPERTS: PHI_EXPERT_WEIGHTS for each. */
	const struct phi_graph_weight *experts;
};

struct phi_graph {
	struct phi_arena *arena; /* lent */
	const struct phi_hparams *hparams;
	bool apart; /* queries, keys and values are values of their own, also where the checkpoint has one matrix for all */
	struct phi_op *ops; /* each after what it needs; the last one gives the logits */
	size_t nops, capacity;
};

/* The graph of a family with these hyper-parameters, which are lent; all in the arena, but for ops, which
 * phi_graph_free frees; `apart` as above. A family without a graph is refused. */
int phi_graph_make(const struct phi_family *family, const struct phi_hparams *hparams, bool apart,
	struct phi_arena *arena, struct phi_graph *out, struct phi_err *err);
void phi_graph_free(struct phi_graph *graph);
/* How many operations need the result of this one. */
unsigned phi_graph_uses(const struct phi_graph *graph, uint32_t op);

/* Appends a layer's operations to those before, whose result is *x; *x becomes its own. */
typedef int phi_graph_layer_fn(struct phi_graph *graph, int layer, uint32_t *x, struct phi_err *err);
phi_graph_layer_fn phi_graph_layer_phi2, phi_graph_layer_phi3, phi_graph_layer_phimoe;
extern const struct phi_graph_kind phi_graph_phi3;

/* What a family says of its decoder. */
struct phi_graph_kind {
	phi_graph_layer_fn *layer;
	const char *norm;	   /* the last one: "model.norm" */
	bool norm_bias, head_bias; /* always */
};

/* For layers: appends an operation and returns its index, or PHI_NONE. */
uint32_t phi_graph_add(struct phi_graph *graph, const struct phi_op *op, struct phi_err *err);

#endif
