/* A layer of each family, operation by operation, as its class in transformers computes it. */
#include "formats/models/graph.h"

/* What is appended to; after a failure nothing is. */
struct layer {
	struct phi_graph *graph;
	int number;
	bool failed;
	struct phi_err *err;
};

static const char *
spell(struct layer *l, const char *pattern, int expert)
{
	const char *const name = l->failed ? NULL
		: phi_family_spell(pattern, (struct phi_holes){ l->number, expert }, l->graph->arena, l->err);
	l->failed = !name;
	return name;
}

static uint32_t
add(struct layer *l, const struct phi_op *op)
{
	const uint32_t i = l->failed ? PHI_NONE : phi_graph_add(l->graph, op, l->err);
	l->failed = i == PHI_NONE;
	return i;
}

/* An operation with a weight and, if asked for, a bias. PATH is in the layer. */
static uint32_t
with_weight(struct layer *l, enum phi_op_kind kind, uint32_t x, const char *path, bool bias, enum phi_role role)
{
	const char *const name = spell(l, path, -1);
	struct phi_op op = { .kind = kind, .layer = l->number, .name = name, .in = { x, PHI_NONE, PHI_NONE },
		.weight.role = role };
	if (!name)
		return PHI_NONE;
	op.weight.name = phi_arena_printf(l->graph->arena, l->err, "%s.weight", name);
	op.bias.name = bias ? phi_arena_printf(l->graph->arena, l->err, "%s.bias", name) : NULL;
	l->failed = !op.weight.name || (bias && !op.bias.name);
	return add(l, &op);
}

static uint32_t
norm(struct layer *l, uint32_t x, const char *path, bool bias, enum phi_role role)
{
	return with_weight(l, PHI_OP_NORM, x, path, bias, role);
}

static uint32_t
linear(struct layer *l, uint32_t x, const char *path, bool bias, enum phi_role role)
{
	return with_weight(l, PHI_OP_LINEAR, x, path, bias, role);
}

/* The same with the weight being rows of another. */
static uint32_t
linear_part(struct layer *l, uint32_t x, const char *path, const char *whole, uint64_t row, uint64_t rows,
	enum phi_role role)
{
	const uint32_t i = linear(l, x, path, false, role);
	const char *const name = spell(l, whole, -1);
	if (!name)
		return PHI_NONE;
	struct phi_graph_weight *const w = &l->graph->ops[i].weight;
	w->whole = name;
	w->row = row;
	w->rows = rows;
	return i;
}

/* An operation without weights, of up to three values; `path` names it. */
static uint32_t
plain(struct layer *l, enum phi_op_kind kind, const char *path, uint32_t a, uint32_t b, uint32_t c)
{
	const char *const name = spell(l, path, -1);
	return add(l, &(struct phi_op){ .kind = kind, .layer = l->number, .name = name, .in = { a, b, c } });
}

#define LAYER "model.layers.{}."
#define ATTN LAYER "self_attn."
#define MLP LAYER "mlp."
#define MOE LAYER "block_sparse_moe."

static uint32_t
attention(struct layer *l, uint32_t n, bool bias, const char *output)
{
	const uint32_t q = linear(l, n, ATTN "q_proj", bias, PHI_ROLE_ATTN_Q);
	const uint32_t k = linear(l, n, ATTN "k_proj", bias, PHI_ROLE_ATTN_K);
	const uint32_t v = linear(l, n, ATTN "v_proj", bias, PHI_ROLE_ATTN_V);
	const uint32_t a = plain(l, PHI_OP_ATTENTION, LAYER "self_attn", q, k, v);
	return linear(l, a, output, bias, PHI_ROLE_ATTN_OUTPUT);
}

/* down(SILU(gate n) * up n) */
static uint32_t
gated(struct layer *l, uint32_t n)
{
	const uint64_t ffn = l->graph->hparams->ffn;
	const uint32_t gate = linear_part(l, n, MLP "gate_proj", MLP "gate_up_proj.weight", 0, ffn, PHI_ROLE_FFN_GATE);
	const uint32_t up = linear_part(l, n, MLP "up_proj", MLP "gate_up_proj.weight", ffn, ffn, PHI_ROLE_FFN_UP);
	const uint32_t s = plain(l, PHI_OP_SILU, MLP "act_fn", gate, PHI_NONE, PHI_NONE);
	const uint32_t m = plain(l, PHI_OP_MULTIPLY, LAYER "mlp", s, up, PHI_NONE);
	return linear(l, m, MLP "down_proj", false, PHI_ROLE_FFN_DOWN);
}

/* Of one matrix: all beside each other, or by its rows. */
static uint32_t
fused_attention(struct layer *l, uint32_t n)
{
	static const char whole[] = ATTN "qkv_proj.weight";
	const struct phi_hparams *const h = l->graph->hparams;
	const uint64_t rows = (uint64_t)h->heads * h->head_dim, kv = (uint64_t)h->kv_heads * h->head_dim;
	if (!l->graph->apart) {
		const uint32_t qkv = linear(l, n, ATTN "qkv_proj", false, PHI_ROLE_ATTN_QKV);
		return plain(l, PHI_OP_ATTENTION, LAYER "self_attn", qkv, PHI_NONE, PHI_NONE);
	}
	const uint32_t q = linear_part(l, n, ATTN "q_proj", whole, 0, rows, PHI_ROLE_ATTN_Q);
	const uint32_t k = linear_part(l, n, ATTN "k_proj", whole, rows, kv, PHI_ROLE_ATTN_K);
	const uint32_t v = linear_part(l, n, ATTN "v_proj", whole, rows + kv, kv, PHI_ROLE_ATTN_V);
	return plain(l, PHI_OP_ATTENTION, LAYER "self_attn", q, k, v);
}

int
phi_graph_layer_phi3(struct phi_graph *graph, int layer, uint32_t *x, struct phi_err *err)
{
	struct layer l = { .graph = graph, .number = layer, .err = err };
	uint32_t n = norm(&l, *x, LAYER "input_layernorm", false, PHI_ROLE_ATTN_NORM);
	const uint32_t o = linear(&l, fused_attention(&l, n), ATTN "o_proj", false, PHI_ROLE_ATTN_OUTPUT);
	*x = plain(&l, PHI_OP_ADD, LAYER "attn_residual", *x, o, PHI_NONE);
	n = norm(&l, *x, LAYER "post_attention_layernorm", false, PHI_ROLE_FFN_NORM);
	*x = plain(&l, PHI_OP_ADD, LAYER "mlp_residual", *x, gated(&l, n), PHI_NONE);
	return l.failed ? -1 : 0;
}

int
phi_graph_layer_phi2(struct phi_graph *graph, int layer, uint32_t *x, struct phi_err *err)
{
	struct layer l = { .graph = graph, .number = layer, .err = err };
	const uint32_t n = norm(&l, *x, LAYER "input_layernorm", true, PHI_ROLE_ATTN_NORM);
	const uint32_t a = attention(&l, n, true, ATTN "dense");
	const uint32_t up = linear(&l, n, MLP "fc1", true, PHI_ROLE_FFN_UP);
	const uint32_t g = plain(&l, PHI_OP_GELU, MLP "act_fn", up, PHI_NONE, PHI_NONE);
	const uint32_t f = linear(&l, g, MLP "fc2", true, PHI_ROLE_FFN_DOWN);
	const uint32_t both = plain(&l, PHI_OP_ADD, LAYER "attn_mlp", a, f, PHI_NONE);
	*x = plain(&l, PHI_OP_ADD, LAYER "residual", *x, both, PHI_NONE);
	return l.failed ? -1 : 0;
}

/* A file has the experts one by one, or stacked. */
static const struct phi_graph_weight *
experts(struct layer *l)
{
	static const char *const one[] = { MOE "experts.{}.w1.weight", MOE "experts.{}.w3.weight",
		MOE "experts.{}.w2.weight" };
	static const char *const stack[] = { MOE "experts.w1.weight", MOE "experts.w3.weight",
		MOE "experts.w2.weight" };
	static const enum phi_role roles[] = { PHI_ROLE_FFN_GATE, PHI_ROLE_FFN_UP, PHI_ROLE_FFN_DOWN };
	const uint32_t n = l->graph->hparams->experts;
	struct phi_graph_weight *const w = l->failed ? NULL
		: phi_arena_calloc(l->graph->arena, (size_t)n * PHI_EXPERT_WEIGHTS, sizeof *w, l->err);
	l->failed = !w;
	for (uint32_t i = 0; i < n * PHI_EXPERT_WEIGHTS && !l->failed; i++) {
		const uint32_t kind = i % PHI_EXPERT_WEIGHTS, expert = i / PHI_EXPERT_WEIGHTS;
		w[i] = (struct phi_graph_weight){ .name = spell(l, one[kind], (int)expert),
			.whole = spell(l, stack[kind], -1), .row = expert, .rows = 1, .role = roles[kind] };
	}
	return w;
}

int
phi_graph_layer_phimoe(struct phi_graph *graph, int layer, uint32_t *x, struct phi_err *err)
{
	struct layer l = { .graph = graph, .number = layer, .err = err };
	uint32_t n = norm(&l, *x, LAYER "input_layernorm", true, PHI_ROLE_ATTN_NORM);
	const uint32_t a = attention(&l, n, graph->hparams->attention_bias, ATTN "o_proj");
	*x = plain(&l, PHI_OP_ADD, LAYER "attn_residual", *x, a, PHI_NONE);
	n = norm(&l, *x, LAYER "post_attention_layernorm", true, PHI_ROLE_FFN_NORM);
	const uint32_t router = linear(&l, n, MOE "gate", false, PHI_ROLE_FFN_ROUTER);
	const struct phi_graph_weight *const weights = experts(&l);
	const char *const name = spell(&l, LAYER "block_sparse_moe", -1);
	const uint32_t moe = add(&l, &(struct phi_op){ .kind = PHI_OP_EXPERTS, .layer = layer, .name = name,
		.in = { n, router, PHI_NONE }, .experts = weights });
	*x = plain(&l, PHI_OP_ADD, LAYER "moe_residual", *x, moe, PHI_NONE);
	return l.failed ? -1 : 0;
}
