#include "formats/onnx/dynamic.h"

#include "formats/core/memory.h"
#include "formats/onnx/data.h"
#include "formats/onnx/scaled.h"

#include <string.h>

enum { FLOAT = 1 };

/* A value whose codes are there. */
struct value {
	char *codes, *scale, *zero;
	int axis;    /* of its scales; -1: it has one */
	bool weight; /* what is made of it again has a name of its own: the weight itself goes */
	bool there;  /* and itself, too */
};

struct dynamic {
	struct phi_onnx_rewrite *r;
	struct phi_onnx_build *b;
	struct phi_names *known;   /* value -> number in `values` */
	struct value *values;
	size_t count, capacity;
	struct phi_names *products; /* scales that are multiplied already */
	struct phi_err *err;
};

static const char *
name_of(const PhiOnnx__Node *node)
{
	return node->name ? node->name : "";
}

static struct value *
find(const struct dynamic *d, const char *name)
{
	const uint32_t i = name ? phi_names_find(d->known, name, strlen(name)) : PHI_NONE;
	return i == PHI_NONE ? NULL : &d->values[i];
}

/* The name of a new value. */
static char *
claim(struct dynamic *d, const char *of, const char *tail)
{
	return phi_onnx_claim(d->r, phi_onnx_text(d->b, "%s%s", of, tail));
}

static const struct value *
know(struct dynamic *d, const char *name, const struct value *value)
{
	static char empty[1];
	static const struct value nothing = { empty, empty, empty, -1, false, true };
	if (d->b->failed || phi_names_add(d->known, name, strlen(name), (uint32_t)d->count, d->err) < 0 ||
		phi_grow(&d->values, &d->capacity, d->count, sizeof *d->values, d->err) < 0) {
		d->b->failed = true;
		return &nothing;
	}
	d->values[d->count] = *value;
	return &d->values[d->count++];
}

/* The codes of what is computed. */
static const struct value *
activation(struct dynamic *d, const char *name)
{
	struct phi_onnx_build *const b = d->b;
	const struct value *const have = find(d, name);
	if (have)
		return have;
	const char *const inputs[] = { name, NULL };
	const struct value v = { .codes = claim(d, name, "_quantized"), .axis = -1, .there = true,
		.scale = claim(d, name, "_scale"), .zero = claim(d, name, "_zero_point") };
	phi_onnx_node(b, "DynamicQuantizeLinear", phi_onnx_text(b, "%s_QuantizeLinear", name), inputs);
	phi_onnx_rename(b, v.codes);
	phi_onnx_node_output(b, v.scale);
	phi_onnx_node_output(b, v.zero);
	return know(d, name, &v);
}

/* The codes of a weight; NULL: it is not quantized. */
static const struct value *
weight(struct dynamic *d, const char *name, bool transposed)
{
	struct phi_onnx_build *const b = d->b;
	const struct phi_model *const model = d->r->plan->model;
	const struct phi_tensor *const t = name ? phi_onnx_scaled_find(model, d->r->tensors, name, transposed) : NULL;
	const char *const key = phi_onnx_text(b, "%s%s", name ? name : "", transposed ? "_Transposed" : "");
	const struct value *const have = t && !b->failed ? find(d, key) : NULL;
	if (!t || have || b->failed)
		return have;
	const struct value v = { .codes = claim(d, key, "_quantized"),
		.scale = claim(d, key, "_scale"), .zero = claim(d, key, "_zero_point"),
		.axis = t->scaling->axis,
		.weight = strcmp(t->name, name) == 0 && !transposed, .there = strcmp(t->name, name) != 0 };
	phi_onnx_weight(d->r, d->r->scope, v.codes, phi_onnx_type_number(t->type), t->shape, t->rank,
		(uint32_t)(t - model->tensors), PHI_ONNX_WHOLE);
	phi_onnx_scales(b, t->scaling, v.scale, v.zero);
	return know(d, key, &v);
}

/* What is there as codes only, for a node that computes with numbers: the name of those. */
static const char *
dequantize(struct dynamic *d, const char *name)
{
	struct phi_onnx_build *const b = d->b;
	struct value *const v = find(d, name);
	if (!v || (v->there && !v->weight))
		return name;
	const char *const numbers = v->weight ? phi_onnx_text(b, "%s_DequantizeLinear_Output", name) : name;
	if (v->there)
		return numbers;
	if (v->weight)
		claim(d, numbers, "");
	const char *const inputs[] = { v->codes, v->scale, v->zero, NULL };
	v->there = true;
	phi_onnx_node(b, "DequantizeLinear", phi_onnx_text(b, "%s_DequantizeLinear", name), inputs);
	phi_onnx_rename(b, numbers);
	if (v->axis >= 0)
		phi_onnx_int(b, "axis", v->axis);
	return numbers;
}

enum { DEPTH = 8 }; /* as scaled.c: what is deeper was not quantized */

static void
dequantize_within(struct dynamic *d, const PhiOnnx__Node *node, unsigned depth)
{
	for (size_t i = 0; i < node->n_attribute && depth < DEPTH; i++) {
		const PhiOnnx__Attribute *const a = node->attribute[i];
		for (size_t k = 0; k < a->n_graphs + (a->g != NULL); k++) {
			const PhiOnnx__Graph *const g = k < a->n_graphs ? a->graphs[k] : a->g;
			for (size_t n = 0; n < g->n_node; n++) {
				for (size_t j = 0; j < g->node[n]->n_input; j++)
					dequantize(d, g->node[n]->input[j]);
				dequantize_within(d, g->node[n], depth + 1);
			}
			for (size_t j = 0; j < g->n_output; j++)
				dequantize(d, g->output[j]->name);
		}
	}
}

static void
keep(struct dynamic *d, PhiOnnx__Node *node)
{
	PhiOnnx__Node *taken = node;
	for (size_t i = 0; i < node->n_input; i++) {
		const char *const numbers = dequantize(d, node->input[i]);
		if (numbers == node->input[i])
			continue;
		taken = taken == node ? phi_onnx_copy(d->b, node) : taken;
		if (taken)
			taken->input[i] = phi_onnx_text(d->b, "%s", numbers);
	}
	dequantize_within(d, node, 0);
	if (taken)
		phi_onnx_keep(d->r, taken);
}

/* Where a node without a name is, its scales' names say which product it is. */
static const char *
product_of_scales(struct dynamic *d, const char *name, const struct value *a, const struct value *w)
{
	struct phi_onnx_build *const b = d->b;
	const char *const node = *name ? phi_onnx_text(b, "%s_scales_mul", name)
				       : phi_onnx_text(b, "%s_%s_mul", a->scale, w->scale);
	const char *const output = phi_onnx_text(b, "%s:0", node);
	const char *const inputs[] = { a->scale, w->scale, NULL };
	if (b->failed)
		return "";
	const int known = phi_names_add(d->products, node, strlen(node), 0, d->err);
	b->failed = known < 0;
	if (known == 0) {
		phi_onnx_node(b, "Mul", node, inputs);
		phi_onnx_rename(b, claim(d, output, ""));
	}
	return output;
}

/* The product in integers of what `node` multiplies, and the number it stands for, named `output`. `attributes`: the
 * node's go with it. */
static void
multiply(struct dynamic *d, const char *op, const char *old_name, const char *old_output, const struct value *a,
	const struct value *w, const char *output, const PhiOnnx__Node *attributes)
{
	struct phi_onnx_build *const b = d->b;
	const char *const name = *old_name ? phi_onnx_text(b, "%s_quant", old_name) : "";
	const char *const product = claim(d, old_output, "_output_quantized");
	const char *const inputs[] = { a->codes, w->codes, a->zero, w->zero, NULL };
	phi_onnx_node(b, op, name, inputs);
	phi_onnx_rename(b, product);
	if (attributes)
		phi_onnx_attributes(b, attributes);
	const char *const cast[] = { product, NULL };
	phi_onnx_node(b, "Cast", phi_onnx_text(b, "%s_cast", product), cast);
	phi_onnx_rename(b, claim(d, product, "_cast_output"));
	phi_onnx_int(b, "to", FLOAT);
	const char *const scales = product_of_scales(d, name, a, w);
	const char *const mul[] = { phi_onnx_text(b, "%s_cast_output", product), scales, NULL };
	phi_onnx_node(b, "Mul", *name ? phi_onnx_text(b, "%s_output_scale_mul", name) : "", mul);
	phi_onnx_rename(b, output);
}

static void
write_matmul(struct dynamic *d, const PhiOnnx__Node *node, const struct value *w)
{
	struct phi_onnx_build *const b = d->b;
	const bool gemm = !strcmp(node->op_type, "Gemm");
	const char *const bias = phi_onnx_input(node, 2), *const out = node->output[0];
	const char *const name = gemm && *name_of(node) ? phi_onnx_text(b, "%s_MatMul", node->name) : name_of(node);
	const char *const product = gemm && node->n_input > 2 ? claim(d, out, "_MatMul") : out;
	const struct value a = *activation(d, node->input[0]);
	multiply(d, "MatMulInteger", name, product, &a, w, bias ? product : out, NULL);
	if (!gemm || !bias)
		return;
	const char *const inputs[] = { product, dequantize(d, bias), NULL };
	phi_onnx_node(b, "Add", *name_of(node) ? phi_onnx_text(b, "%s_Add", node->name) : "", inputs);
	phi_onnx_rename(b, out);
}

/* The bias of a Conv, one number a channel, is added along the second axis. */
static void
add_bias(struct dynamic *d, const char *bias, const char *scaled, const char *out, unsigned rank)
{
	struct phi_onnx_build *const b = d->b;
	int64_t shape[PHI_RANK_MAX];
	for (unsigned i = 0; i < rank; i++)
		shape[i] = i == 1 ? -1 : 1;
	const char *const reshape[] = { dequantize(d, bias),
		phi_onnx_ints(b, claim(d, out, "_bias_reshape_shape"), shape, rank, false), NULL };
	const char *const add[] = { scaled, claim(d, out, "_bias_reshape_output"), NULL };
	phi_onnx_node(b, "Reshape", "", reshape);
	phi_onnx_rename(b, add[1]);
	phi_onnx_node(b, "Add", phi_onnx_text(b, "%s_bias_add", out), add);
	phi_onnx_rename(b, out);
}

static void
write_conv(struct dynamic *d, const PhiOnnx__Node *node, const struct value *w, unsigned rank)
{
	const char *const bias = phi_onnx_input(node, 2), *const out = node->output[0];
	const char *const scaled = bias ? claim(d, out, "quant_scaled_output") : out;
	const struct value a = *activation(d, node->input[0]);
	multiply(d, "ConvInteger", name_of(node), out, &a, w, scaled, node);
	if (bias)
		add_bias(d, bias, scaled, out, rank);
}

/* An operator that moves numbers about moves their codes. */
static void
move_codes(struct dynamic *d, PhiOnnx__Node *node, const struct value *from)
{
	char *const codes = claim(d, node->output[0], "_quantized");
	const struct value v = { codes, from->scale, from->zero, -1, false, false };
	PhiOnnx__Node *const copy = phi_onnx_copy(d->b, node);
	if (!copy)
		return;
	copy->input[0] = from->codes;
	copy->output[0] = codes;
	phi_onnx_keep(d->r, copy);
	know(d, node->output[0], &v);
}

/* A Constant whose numbers are codes now, as an initializer. */
static bool
is_gone(const struct dynamic *d, const PhiOnnx__Node *node)
{
	const struct phi_tensor *const t = phi_onnx_is(node, "", "Constant") && node->n_output == 1
		? phi_onnx_tensor_of(d->r, node->output[0]) : NULL;
	return t && phi_tensor_is_scaled(t);
}

static void
write_node(struct dynamic *d, PhiOnnx__Node *node)
{
	struct phi_onnx_use use;
	if (is_gone(d, node))
		return;
	const bool taken = phi_onnx_dynamic_use(node, &use);
	const struct value *const w = taken ? weight(d, phi_onnx_input(node, use.input), use.transposed) : NULL;
	const struct value *const moved = phi_onnx_is(node, "", "Transpose") && node->n_input && node->n_output == 1
		? find(d, node->input[0]) : NULL;
	if (w) {
		const struct value v = *w; /* the list grows */
		const struct phi_tensor *const t = phi_onnx_scaled_find(d->r->plan->model, d->r->tensors,
			node->input[use.input], use.transposed);
		if (phi_onnx_is(node, "", "Gather"))
			move_codes(d, node, &v);
		else if (phi_onnx_is(node, "", "Conv"))
			write_conv(d, node, &v, t->rank);
		else
			write_matmul(d, node, &v);
	} else if (moved && moved->axis < 0) {
		const struct value v = *moved;
		move_codes(d, node, &v);
	} else {
		keep(d, node);
	}
}

static void
visit(struct phi_onnx_rewrite *r, PhiOnnx__Node *node, void *ctx)
{
	struct dynamic *const d = ctx;
	d->b = r->b;
	if (r->scope == r->scopes)
		write_node(d, node);
	else
		phi_onnx_keep(r, node);
}

static int
write_all(struct dynamic *d)
{
	struct phi_onnx_rewrite *const r = d->r;
	const PhiOnnx__Graph *const g = r->scopes->graph;
	d->known = phi_names_new(d->err);
	d->products = d->known ? phi_names_new(d->err) : NULL;
	if (!d->products)
		return -1;
	phi_onnx_rewrite_nodes(r, visit, d);
	d->b = &r->scopes->b;
	for (size_t i = 0; i < g->n_output; i++)
		dequantize(d, g->output[i]->name);
	return d->b->failed ? -1 : 0;
}

int
phi_onnx_dynamic_write(struct phi_onnx_rewrite *r)
{
	struct dynamic d = { .r = r, .b = r->b, .err = r->err };
	const int result = write_all(&d);
	phi_names_free(d.known);
	phi_names_free(d.products);
	phi_free(d.values);
	return result;
}
