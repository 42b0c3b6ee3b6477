/* Experts in plain operators, each run on the tokens that chose it (the CPU has no fused one that routes as this family
 * does).
 *
 *     sparsemixer, twice: m, i = the largest of scores; of softmax(scores, but for those further below m than noise
 *     allows) the i-th is its weight; then again without the first
 *
 *     for each expert: rows = where it was chosen; result[rows] += down(SILU(gate x[rows]) * up x[rows]) * weight
 */
#include "formats/onnx/build_decoder.h"
#include "formats/onnx/data.h"

#include <math.h>

/* Constants that all layers share. */
struct constants {
	const char *zero, *one, *last, *experts, *rows, *scores, *noise, *floor, *nothing;
};

struct mixture {
	struct phi_onnx_decoder *d;
	const char *path;
	struct constants c;
	const char *x, *shape;	       /* [tokens, hidden]; the shape that it had */
	const char *scores;	       /* [tokens, experts] */
	const char *chosen, *weights;  /* [tokens, 2] */
};

#define CONSTANT "/model/constants/experts/"

/* Declared with the first layer; the names are the same in all. */
static struct constants
constants(struct phi_onnx_decoder *d, bool first)
{
	struct phi_onnx_build *const b = &d->b;
	const struct constants c = { .zero = CONSTANT "0", .one = CONSTANT "1", .last = CONSTANT "-1",
		.experts = CONSTANT "all", .rows = CONSTANT "rows", .scores = CONSTANT "scores",
		.noise = CONSTANT "noise", .floor = CONSTANT "floor", .nothing = CONSTANT "nothing" };
	const int64_t rows[] = { -1, d->h.hidden }, scores[] = { -1, d->h.experts };
	int64_t *const all = phi_arena_calloc(b->arena, d->h.experts, sizeof *all, b->err);
	b->failed = b->failed || !all;
	if (!first || b->failed)
		return c;
	phi_onnx_ints(b, c.zero, (const int64_t[]){ 0 }, 1, true);
	phi_onnx_ints(b, c.one, (const int64_t[]){ 1 }, 1, false);
	phi_onnx_ints(b, c.last, (const int64_t[]){ -1 }, 1, false);
	phi_onnx_ints(b, c.rows, rows, 2, false);
	phi_onnx_ints(b, c.scores, scores, 2, false);
	for (uint32_t i = 0; i < d->h.experts; i++) {
		all[i] = i;
		phi_onnx_ints(b, phi_onnx_text(b, CONSTANT "number_%u", i), &all[i], 1, true);
	}
	phi_onnx_ints(b, c.experts, all, d->h.experts, false);
	phi_onnx_real(b, c.noise, phi_type_of(PHI_F32), 2 * d->h.router_noise);
	phi_onnx_real(b, c.floor, phi_type_of(PHI_F32), -INFINITY);
	phi_onnx_real(b, c.nothing, phi_type_of(PHI_F32), 0);
	return c;
}

/* A node of up to three inputs, in the folder of the layer. */
static const char *
node(struct mixture *m, const char *op, const char *name, const char *a, const char *b, const char *c)
{
	return phi_onnx_node(&m->d->b, op, phi_onnx_text(&m->d->b, "%s/%s", m->path, name),
		(const char *const[]){ a, b, c, NULL });
}

/* Sums and scores are F32: the operators that add to rows, and infinity, want it. */
static const char *
cast(struct mixture *m, const char *name, const char *x, const struct phi_type *to)
{
	if (m->d->io->id == PHI_F32)
		return x;
	x = node(m, "Cast", name, x, NULL, NULL);
	phi_onnx_int(&m->d->b, "to", phi_onnx_type_number(to));
	return x;
}

/* The number n of the two choices, of `left`: the scores that may still be chosen. */
static void
pick(struct mixture *m, int n, const char *left, const char **index, const char **weight)
{
	struct phi_onnx_build *const b = &m->d->b;
	const char *const base = m->path;
	m->path = phi_onnx_text(b, "%s/router_%d", base, n);
	const char *const most = node(m, "TopK", "TopK", left, m->c.one, NULL);
	phi_onnx_int(b, "axis", -1);
	*index = phi_onnx_text(b, "%s/TopK/output_1", m->path);
	phi_onnx_node_output(b, *index);
	const char *const factor = node(m, "Max", "Max", node(m, "Abs", "Abs", m->scores, NULL, NULL), most, NULL);
	const char *const gap = node(m, "Div", "Div", node(m, "Sub", "Sub", most, m->scores, NULL), factor, NULL);
	const char *const far = node(m, "Greater", "Greater", gap, m->c.noise, NULL);
	const char *const near = node(m, "Where", "Where", far, m->c.floor, left);
	const char *const share = node(m, "Softmax", "Softmax", near, NULL, NULL);
	phi_onnx_int(b, "axis", -1);
	*weight = node(m, "GatherElements", "GatherElements", share, *index, NULL);
	phi_onnx_int(b, "axis", 1);
	m->path = base;
}

static void
route(struct mixture *m)
{
	struct phi_onnx_build *const b = &m->d->b;
	const char *index[2], *weight[2];
	pick(m, 1, m->scores, &index[0], &weight[0]);
	const char *const first = node(m, "Equal", "router/Equal", m->c.experts, index[0], NULL);
	pick(m, 2, node(m, "Where", "router/Where", first, m->c.floor, m->scores), &index[1], &weight[1]);
	m->chosen = node(m, "Concat", "router/chosen/Concat", index[0], index[1], NULL);
	phi_onnx_int(b, "axis", 1);
	m->weights = node(m, "Concat", "router/weights/Concat", weight[0], weight[1], NULL);
	phi_onnx_int(b, "axis", 1);
	m->weights = cast(m, "router/weights/Cast", m->weights, m->d->io);
}

static const char *
product(struct mixture *m, const char *name, const char *x, const struct phi_graph_weight *w)
{
	return phi_onnx_product(m->d, phi_onnx_text(&m->d->b, "%s/%s/MatMul", m->path, name), x, w);
}

/* Adds what an expert makes of its tokens to the sum. */
static const char *
expert(struct mixture *m, uint32_t number, const struct phi_graph_weight *w, const char *sum)
{
	struct phi_onnx_build *const b = &m->d->b;
	const char *const base = m->path;
	m->path = phi_onnx_text(b, "%s/experts.%u", base, number);
	const char *const hit = node(m, "Equal", "Equal", m->chosen, phi_onnx_text(b, CONSTANT "number_%u", number), NULL);
	const char *const places = node(m, "NonZero", "NonZero", hit, NULL, NULL);
	const char *const rows = node(m, "Gather", "rows/Gather", places, m->c.zero, NULL);
	const char *const pairs = node(m, "Transpose", "Transpose", places, NULL, NULL);
	const char *const weight = node(m, "GatherND", "weights/GatherND", m->weights, pairs, NULL);
	const char *const x = node(m, "Gather", "Gather", m->x, rows, NULL);
	const char *const gate = product(m, "w1", x, &w[PHI_EXPERT_GATE]);
	const char *const up = product(m, "w3", x, &w[PHI_EXPERT_UP]);
	const char *const s = node(m, "Mul", "act_fn/Mul", gate, node(m, "Sigmoid", "act_fn/Sigmoid", gate, NULL, NULL), NULL);
	const char *const down = product(m, "w2", node(m, "Mul", "Mul", s, up, NULL), &w[PHI_EXPERT_DOWN]);
	const char *const column = node(m, "Unsqueeze", "weights/Unsqueeze", weight, m->c.last, NULL);
	const char *const y = cast(m, "weights/Cast", node(m, "Mul", "weights/Mul", down, column, NULL),
		phi_type_of(PHI_F32));
	sum = node(m, "ScatterND", "ScatterND", sum, node(m, "Unsqueeze", "rows/Unsqueeze", rows, m->c.last, NULL), y);
	phi_onnx_string(b, "reduction", "add");
	m->path = base;
	return sum;
}

const char *
phi_onnx_experts(struct phi_onnx_decoder *d, const char *path, const struct phi_op *op)
{
	struct mixture m = { .d = d, .path = path, .c = constants(d, op->layer == 0) };
	if (d->h.experts_used != 2) {
		phi_onnx_refuse(d, "%u experts for a token: sparsemixer picks 2", d->h.experts_used);
		return "";
	}
	m.shape = node(&m, "Shape", "Shape", d->values[op->in[0]], NULL, NULL);
	m.x = node(&m, "Reshape", "Reshape", d->values[op->in[0]], m.c.rows, NULL);
	m.scores = node(&m, "Reshape", "router/Reshape", d->values[op->in[1]], m.c.scores, NULL);
	m.scores = cast(&m, "router/Cast", m.scores, phi_type_of(PHI_F32));
	route(&m);
	const char *const extent = node(&m, "Shape", "sum/Shape", m.x, NULL, NULL);
	const char *sum = node(&m, "Expand", "sum/Expand", m.c.nothing, extent, NULL);
	for (uint32_t e = 0; e < d->h.experts && !d->b.failed; e++)
		sum = expert(&m, e, &op->experts[e * PHI_EXPERT_WEIGHTS], sum);
	sum = cast(&m, "sum/Cast", sum, d->io);
	return node(&m, "Reshape", "sum/Reshape", sum, m.shape, NULL);
}
