/* Weights in blocks, and the nodes that take them, by the names onnxruntime.quantization gives them (facts/onnx.md 3):
 *
 *     MatMul(x, W)      MatMulNBits(x, W_Q4 [N, groups, bytes], W_scales [N, groups], W_zero_points)   NODE_Q4
 *     Gemm(x, W, C)     the same with C as its bias, where that is a vector of N; else an Add behind it
 *     Gather(W, i)      GatherBlockQuantized(W_Q4 as [V, bytes], i, W_scales, W_zero_points)
 *
 *     MatMul with --qdq: DequantizeLinear(W_DQ_Q4 [K, N], W_DQ_scales [groups, N], W_DQ_zero_points)   NODE_DQ_Q4
 *                        and MatMul(x, W_DQ_Q4_output)   NODE_matmul_Q4; Gemm the same, without transB
 *
 * rtn and k_quant call them W_Q4G32, W_scale, W_zp. Gather always has zero points: processors do not agree on what is
 * meant without them (facts/onnx.md 2.2). */
#include "formats/onnx/graph_lower.h"

#include "formats/core/escape.h"
#include "formats/onnx/data.h"
#include "formats/onnx/rewrite.h"

#include <string.h>

enum { BLOCKS_OPSET = 21, BLOCKS_VERSION = 10 }; /* of DequantizeLinear in blocks, of 4 bits */

/* A weight as the new graph has it. */
struct blocks {
	const struct phi_type *type; /* NULL: it stays as it was */
	uint32_t tensor; /* of the plan's model */
	struct phi_type_fields fields;
	uint64_t n, k, groups; /* rows, columns, blocks of a row */
	/* Names; NULL: not declared yet, or no zero points. `rows`: the codes without groups. */
	const char *codes, *scales, *zeros, *rows;
	const char *floats; /* of DequantizeLinear */
	const struct phi_onnx_scope *seen; /* the graph that knows the rows, or the floats */
};

struct quantizing {
	struct phi_onnx_rewrite r;
	struct phi_graph_options options;
	const struct phi_onnx_operand *operands; /* of each old weight */
	struct blocks *blocks;			 /* of each old weight */
};

/* Weights */

static const char *
name_of(const struct quantizing *q, uint32_t weight)
{
	const struct phi_onnx_weight *const old = &q->r.old.weights[weight];
	return old->graph ? old->tensor->name : old->name;
}

/* Declares codes, scales and zero points where the weight was declared. */
static void
declare(struct quantizing *q, uint32_t weight)
{
	struct phi_onnx_rewrite *const r = &q->r;
	struct blocks *const w = &q->blocks[weight];
	struct phi_onnx_scope *const scope = phi_onnx_owner(r, weight);
	const bool plain = q->options.algorithm == PHI_ALGORITHM_DEFAULT, looked_up = !q->operands[weight].product;
	const int32_t bytes = phi_onnx_type_number(phi_type_of(PHI_U8));
	const uint64_t codes[] = { w->n, w->groups, w->fields.codes }, rows[] = { w->n, w->groups * w->fields.codes };
	const uint64_t scales[] = { w->n, w->groups }, zeros[] = { w->n, (w->groups * w->fields.bits + 7) / 8 };
	const char *const name = name_of(q, weight);
	w->codes = plain ? phi_onnx_fresh(r, "%s_Q%u", name, w->fields.bits)
		: phi_onnx_fresh(r, "%s_Q%uG%u", name, w->fields.bits, w->type->elements);
	w->scales = phi_onnx_fresh(r, plain ? "%s_scales" : "%s_scale", name);
	w->rows = looked_up ? w->codes : NULL;
	phi_onnx_weight(r, scope, w->codes, bytes, looked_up ? rows : codes, looked_up ? 2 : 3, w->tensor, 0);
	phi_onnx_weight(r, scope, w->scales, phi_onnx_type_number(phi_type_of(w->fields.scales)), scales, 2, w->tensor, 1);
	if (!w->fields.zero)
		return;
	w->zeros = phi_onnx_fresh(r, plain ? "%s_zero_points" : "%s_zp", name);
	phi_onnx_weight(r, scope, w->zeros, bytes, zeros, 2, w->tensor, 2);
}

static struct blocks *
declared(struct quantizing *q, uint32_t weight)
{
	if (!q->blocks[weight].codes)
		declare(q, weight);
	return &q->blocks[weight];
}

/* The middle code everywhere, as bytes; *state has the bits of a code. */
static void
middle(const void *state, uint64_t offset, void *dst, size_t n)
{
	const unsigned bits = *(const unsigned *)state;
	(void)offset;
	memset(dst, bits == 8 ? 0x80 : bits == 4 ? 0x88 : 0xaa, n);
}

/* Zero points of a weight that has none of its own. */
static const char *
middle_of(struct quantizing *q, uint32_t weight, const struct blocks *w)
{
	struct phi_onnx_rewrite *const r = &q->r;
	const uint64_t shape[] = { w->n, (w->groups * w->fields.bits + 7) / 8 };
	const char *const name = phi_onnx_fresh(r, "%s_zero_points", name_of(q, weight));
	unsigned *const bits = r->b->failed ? NULL : phi_arena_alloc(r->plan->arena, sizeof *bits, r->err);
	r->b->failed = !bits;
	if (!bits)
		return "";
	*bits = w->fields.bits;
	phi_onnx_generated_weight(r, phi_onnx_owner(r, weight), name, shape, middle, bits);
	return name;
}

/* Nodes */

/* "NODE_Q4", or nothing where the node has no name. */
static const char *
named(struct quantizing *q, const PhiOnnx__Node *node, const struct blocks *w)
{
	return node->name && *node->name ? phi_onnx_text(q->r.b, "%s_Q%u", node->name, w->fields.bits) : "";
}

/* x, times the weight, plus a bias if there is one. */
static const char *
multiply(struct quantizing *q, const PhiOnnx__Node *node, const struct blocks *w, const char *bias)
{
	struct phi_onnx_build *const b = q->r.b;
	const char *const zeros = w->zeros ? w->zeros : bias ? "" : NULL;
	const char *const y = phi_onnx_node(b, "com.microsoft:MatMulNBits", named(q, node, w),
		(const char *const[]){ node->input[0], w->codes, w->scales, zeros, bias ? "" : NULL, bias, NULL });
	phi_onnx_int(b, "K", (int64_t)w->k);
	phi_onnx_int(b, "N", (int64_t)w->n);
	phi_onnx_int(b, "bits", w->fields.bits);
	phi_onnx_int(b, "block_size", w->type->elements);
	if (q->options.accuracy)
		phi_onnx_int(b, "accuracy_level", q->options.accuracy);
	phi_onnx_need_opset(&q->r, "com.microsoft", 1);
	return y;
}

/* Is the value an initializer [n] of this graph or one around it? */
static bool
is_vector(const struct quantizing *q, const char *value, uint64_t n)
{
	const uint32_t i = phi_onnx_weight_of(&q->r.values, value);
	const PhiOnnx__Tensor *const t = i == PHI_NONE ? NULL : q->r.old.weights[i].tensor;
	return t && t->n_dims == 1 && (uint64_t)t->dims[0] == n;
}

static void
make_product(struct quantizing *q, const PhiOnnx__Node *node, uint32_t weight)
{
	struct phi_onnx_build *const b = q->r.b;
	const struct blocks *const w = declared(q, weight);
	const char *const addend = phi_onnx_is(node, "", "Gemm") ? phi_onnx_input(node, 2) : NULL;
	if (!addend || is_vector(q, addend, w->n)) {
		multiply(q, node, w, addend);
		phi_onnx_rename(b, node->output[0]);
		return;
	}
	multiply(q, node, w, NULL);
	const char *const y = phi_onnx_fresh(&q->r, "%s_product", node->output[0]);
	phi_onnx_rename(b, y);
	phi_onnx_node(b, "Add", node->name && *node->name ? phi_onnx_text(b, "%s_Add", node->name) : "",
		(const char *const[]){ y, addend, NULL });
	phi_onnx_rename(b, node->output[0]);
}

/* With --qdq */

static void
declare_turned(struct quantizing *q, uint32_t weight)
{
	struct phi_onnx_rewrite *const r = &q->r;
	struct blocks *const w = &q->blocks[weight];
	struct phi_onnx_scope *const scope = phi_onnx_owner(r, weight);
	const bool sign = !w->fields.zero;
	const struct phi_type *const type = phi_type_of(
		w->fields.bits == 8 ? (sign ? PHI_I8 : PHI_U8) : sign ? PHI_I4 : PHI_U4);
	const uint64_t codes[] = { w->k, w->n }, groups[] = { w->groups, w->n };
	const char *const name = name_of(q, weight);
	w->codes = phi_onnx_fresh(r, "%s_DQ_Q%u", name, w->fields.bits);
	w->scales = phi_onnx_fresh(r, "%s_DQ_scales", name);
	phi_onnx_turned_weight(r, scope, w->codes, phi_onnx_type_number(type), codes, w->tensor, 0, sign);
	phi_onnx_turned_weight(r, scope, w->scales, phi_onnx_type_number(phi_type_of(w->fields.scales)), groups, w->tensor,
		1, false);
	if (sign)
		return;
	w->zeros = phi_onnx_fresh(r, "%s_DQ_zero_points", name);
	phi_onnx_turned_weight(r, scope, w->zeros, phi_onnx_type_number(type), groups, w->tensor, 2, false);
}

/* The weight as floats, in this graph. */
static const char *
dequantize(struct quantizing *q, const PhiOnnx__Node *node, uint32_t weight)
{
	struct phi_onnx_build *const b = q->r.b;
	struct blocks *const w = &q->blocks[weight];
	const bool has = node->name && *node->name;
	if (!w->codes)
		declare_turned(q, weight);
	if (w->floats && w->seen == q->r.scope)
		return w->floats;
	phi_onnx_node(b, "DequantizeLinear", has ? phi_onnx_text(b, "%s_DQ_Q%u", node->name, w->fields.bits) : "",
		(const char *const[]){ w->codes, w->scales, w->zeros, NULL });
	w->floats = phi_onnx_fresh(&q->r, "%s_output", w->codes);
	w->seen = q->r.scope;
	phi_onnx_rename(b, w->floats);
	phi_onnx_int(b, "axis", 0);
	phi_onnx_int(b, "block_size", w->type->elements);
	phi_onnx_need_opset(&q->r, "", BLOCKS_OPSET);
	phi_onnx_need_version(&q->r, BLOCKS_VERSION);
	return w->floats;
}

static void
make_standard(struct quantizing *q, const PhiOnnx__Node *node, uint32_t weight)
{
	struct phi_onnx_build *const b = q->r.b;
	const bool gemm = phi_onnx_is(node, "", "Gemm"), has = node->name && *node->name;
	const char *const floats = dequantize(q, node, weight);
	phi_onnx_node(b, node->op_type,
		gemm || !has ? (has ? node->name : "") : phi_onnx_text(b, "%s_matmul_Q%u", node->name, q->blocks[weight].fields.bits),
		(const char *const[]){ node->input[0], floats, gemm ? phi_onnx_input(node, 2) : NULL, NULL });
	phi_onnx_rename(b, node->output[0]);
}

/* With com.microsoft */

/* The codes of a weight that is multiplied with, too, as a lookup wants them. */
static void
flatten(struct quantizing *q, uint32_t weight, struct blocks *w)
{
	struct phi_onnx_build *const b = q->r.b;
	const int64_t shape[] = { (int64_t)w->n, (int64_t)(w->groups * w->fields.codes) };
	const char *const to = phi_onnx_ints(b, phi_onnx_fresh(&q->r, "%s_rows_shape", name_of(q, weight)), shape, 2, false);
	phi_onnx_node(b, "Reshape", phi_onnx_text(b, "%s_rows_Reshape", name_of(q, weight)),
		(const char *const[]){ w->codes, to, NULL });
	w->rows = phi_onnx_fresh(&q->r, "%s_rows", w->codes);
	w->seen = q->r.scope;
	phi_onnx_rename(b, w->rows);
}

static void
make_lookup(struct quantizing *q, const PhiOnnx__Node *node, uint32_t weight)
{
	struct phi_onnx_build *const b = q->r.b;
	struct blocks *const w = declared(q, weight);
	if (q->operands[weight].product && (!w->rows || w->seen != q->r.scope))
		flatten(q, weight, w);
	if (!w->zeros)
		w->zeros = middle_of(q, weight, w);
	phi_onnx_node(b, "com.microsoft:GatherBlockQuantized", named(q, node, w),
		(const char *const[]){ w->rows, node->input[1], w->scales, w->zeros, NULL });
	phi_onnx_rename(b, node->output[0]);
	phi_onnx_int(b, "bits", w->fields.bits);
	phi_onnx_int(b, "block_size", w->type->elements);
	phi_onnx_int(b, "gather_axis", 0);
	phi_onnx_int(b, "quantize_axis", 1);
	phi_onnx_need_opset(&q->r, "com.microsoft", 1);
}

/* The weight of a node that is to be replaced, or PHI_NONE. */
static uint32_t
weight_of(const struct quantizing *q, const PhiOnnx__Node *node)
{
	const size_t input = phi_onnx_operand_input(node);
	const enum phi_onnx_way way = phi_onnx_takes(node, input);
	const bool left = q->options.qdq && phi_onnx_is(node, "", "Gather");
	const uint32_t i = way && !left ? phi_onnx_weight_of(&q->r.values, phi_onnx_input(node, input)) : PHI_NONE;
	return i == PHI_NONE || q->operands[i].way != way || !q->blocks[i].type ? PHI_NONE : i;
}

static bool
is_replaced_constant(const struct quantizing *q, const PhiOnnx__Node *node)
{
	const bool constant = phi_onnx_is(node, "", "Constant") && node->n_output == 1;
	const uint32_t i = constant ? phi_onnx_weight_of(&q->r.values, node->output[0]) : PHI_NONE;
	return i != PHI_NONE && q->blocks[i].type && !q->operands[i].also;
}

static void
visit(struct phi_onnx_rewrite *r, PhiOnnx__Node *node, void *ctx)
{
	struct quantizing *const q = ctx;
	const uint32_t i = weight_of(q, node);
	if (is_replaced_constant(q, node))
		return;
	if (i == PHI_NONE)
		phi_onnx_keep(r, node);
	else if (q->options.qdq)
		make_standard(q, node, i);
	else if (phi_onnx_is(node, "", "Gather"))
		make_lookup(q, node, i);
	else
		make_product(q, node, i);
}

static int
wrong_shape(const struct phi_onnx_rewrite *r, const struct phi_tensor *t)
{
	struct phi_quoted q;
	char shape[128];
	return phi_fail(r->err, PHI_FORMAT, "tensor %s: of shape %s, where the graph has another", phi_quote(&q, t->name),
		phi_tensor_shape(t, shape, sizeof shape));
}

/* What the plan has of a weight: blocks, or the floats it was, which are put as they were. */
static int
settle_weight(struct quantizing *q, uint32_t i)
{
	struct phi_onnx_rewrite *const r = &q->r;
	const struct phi_onnx_operand *const o = &q->operands[i];
	struct blocks *const w = &q->blocks[i];
	const char *const name = o->also ? phi_onnx_text(r->b, "%s" PHI_ONNX_TWIN, r->old.weights[i].name)
		: r->old.weights[i].name;
	struct phi_tensor *const t = o->way ? phi_onnx_tensor_of(r, name) : NULL;
	if (!t || r->b->failed)
		return r->b->failed ? -1 : 0;
	if (!phi_type_fields(t->type, &w->fields) || strcmp(w->fields.format, "onnx")) {
		struct phi_quoted quoted;
		return o->way != PHI_ONNX_TURNED || o->also || phi_onnx_turn(r->plan->model, t) ? 0
			: phi_fail(r->err, PHI_UNSUPPORTED, "tensor %s: cannot be turned as it is read",
				  phi_quote(&quoted, t->name));
	}
	const struct phi_type *const floats = phi_onnx_type(r->old.weights[i].tensor->data_type);
	if (floats->id != w->fields.scales) {
		struct phi_quoted quoted;
		return phi_fail(r->err, PHI_UNSUPPORTED, "tensor %s: %s, but the graph computes with %s: its scales must be "
			"that", phi_quote(&quoted, t->name), t->type->name, floats->name);
	}
	w->type = t->type;
	w->tensor = (uint32_t)(t - r->plan->model->tensors);
	w->n = t->shape[0];
	w->k = (uint64_t)r->old.weights[i].tensor->dims[o->way == PHI_ONNX_TURNED ? 0 : 1];
	w->groups = t->shape[1] / t->type->elements;
	if (t->rank != 2 || w->k > t->shape[1] || t->shape[1] - w->k >= t->type->elements ||
		w->n != (uint64_t)r->old.weights[i].tensor->dims[o->way == PHI_ONNX_TURNED ? 1 : 0])
		return wrong_shape(r, t);
	if (q->options.qdq && w->fields.bits == 2)
		return phi_fail(r->err, PHI_UNSUPPORTED, "DequantizeLinear has no codes of 2 bits in blocks");
	return 0;
}

static int
quantize(struct quantizing *q)
{
	struct phi_onnx_rewrite *const r = &q->r;
	struct phi_arena *const arena = r->plan->arena;
	q->operands = phi_onnx_operands(&r->values, q->options.qdq, arena, r->err);
	q->blocks = q->operands ? phi_arena_calloc(arena, r->old.count + 1, sizeof *q->blocks, r->err) : NULL;
	if (!q->blocks)
		return -1;
	for (uint32_t i = 0; i < r->old.count; i++)
		if (settle_weight(q, i) < 0)
			return -1;
	phi_onnx_rewrite_nodes(r, visit, q);
	return phi_onnx_rewrite_end(r);
}

/* Operators may mean other things in later versions; ONNX Runtime's tool raises it all the same. */
static int
warn_raised(const struct quantizing *q, int64_t before)
{
	if (before >= BLOCKS_OPSET || phi_onnx_opset_version(&q->r, "") == before)
		return 0;
	return phi_model_warn(q->r.plan->model, q->r.err, "the version of the operators is raised from %d to %d, which has "
		"DequantizeLinear in blocks: check the graph with the runtime", (int)before, BLOCKS_OPSET);
}

int
phi_onnx_quantize_graph(struct phi_plan *plan, struct phi_onnx_place_of **places, struct phi_err *err)
{
	struct quantizing q = { .blocks = NULL };
	int result = phi_onnx_noted_options(plan->model, &q.options, err);
	if (!result)
		result = phi_onnx_rewrite_begin(&q.r, plan, err);
	const int64_t before = result ? 0 : phi_onnx_opset_version(&q.r, "");
	if (!result)
		result = quantize(&q);
	if (!result)
		result = warn_raised(&q, before);
	*places = q.r.places;
	phi_onnx_rewrite_close(&q.r);
	return result;
}
