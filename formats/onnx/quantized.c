#include "formats/onnx/quantized.h"

#include "formats/core/checked.h"
#include "formats/core/memory.h"
#include "formats/onnx/data.h"

#include <ctype.h>
#include <string.h>

struct search {
	struct phi_model *model;
	struct phi_names *tensors; /* of the model */
	struct phi_names *makers, *takers; /* value -> the node of the main graph that makes it, the first that takes it */
	const PhiOnnx__Graph *graph;
	struct phi_packing *made;
	size_t count, capacity;
};

static const struct phi_tensor *
tensor_named(const struct search *s, const char *name)
{
	const uint32_t i = name ? phi_names_find(s->tensors, name, strlen(name)) : PHI_NONE;
	return i == PHI_NONE ? NULL : &s->model->tensors[i];
}

/* "W_Q4", "W_DQ_Q4", "W_Q4G32", "W_quantized" are W. */
static const char *
weight_name(const struct search *s, const char *codes, struct phi_err *err)
{
	static const char *const tails[] = { "_quantized", "_quant", "_Bnb4", NULL };
	size_t n = strlen(codes), end = n;
	while (end && isdigit((unsigned char)codes[end - 1]))
		end--;
	if (end > 1 && end < n && codes[end - 1] == 'G') {
		size_t g = end - 1;
		while (g && isdigit((unsigned char)codes[g - 1]))
			g--;
		if (g < end - 1)
			end = g;
	}
	if (end > 2 && end < n && codes[end - 1] == 'Q' && codes[end - 2] == '_') {
		end -= end > 5 && !strncmp(codes + end - 5, "_DQ", 3) ? 5 : 2;
		return phi_arena_copy(s->model->arena, codes, end, err);
	}
	for (const char *const *t = tails; *t; t++) {
		const size_t m = strlen(*t);
		if (n > m && !strcmp(codes + n - m, *t))
			return phi_arena_copy(s->model->arena, codes, n - m, err);
	}
	return codes;
}

static int
add(struct search *s, struct phi_packing *p, struct phi_err *err)
{
	const struct phi_tensor *const codes = tensor_named(s, p->codes);
	if (!codes || !tensor_named(s, p->scales) || (p->zeros && !tensor_named(s, p->zeros)))
		return 0;
	if (!p->matrices)
		p->matrices = 1;
	if (!p->rank) {
		p->rank = 2;
		p->shape[0] = p->rows;
		p->shape[1] = p->columns;
	}
	p->codes = codes->name;
	p->name = weight_name(s, codes->name, err);
	if (!p->name || phi_grow(&s->made, &s->capacity, s->count, sizeof *s->made, err) < 0)
		return -1;
	s->made[s->count++] = *p;
	return 0;
}

static bool
positive(const PhiOnnx__Node *node, const char *name, int64_t otherwise, uint64_t *out)
{
	const int64_t v = phi_onnx_attribute_int(node, name, otherwise);
	*out = (uint64_t)v;
	return v > 0;
}

static int
matmul_nbits(struct search *s, const PhiOnnx__Node *node, struct phi_err *err)
{
	uint64_t bits, block;
	struct phi_packing p = { .codes = phi_onnx_input(node, 1), .scales = phi_onnx_input(node, 2),
		.zeros = phi_onnx_input(node, 3), .tag = "NBITS", .by_rows = true };
	if (!positive(node, "K", 0, &p.columns) || !positive(node, "N", 0, &p.rows) ||
		!positive(node, "bits", 4, &bits) || !positive(node, "block_size", 0, &block) ||
		(bits != 2 && bits != 4 && bits != 8) || phi_onnx_input(node, 4) ||
		phi_onnx_attribute_int(node, "weight_prepacked", 0))
		return 0;
	p.bits = (unsigned)bits;
	p.group[0] = 1;
	p.group[1] = block;
	if (!phi_round_up(p.columns, block, &p.padded))
		return 0;
	p.meaning = p.zeros ? PHI_CODE_UNSIGNED : PHI_CODE_OFFSET;
	return add(s, &p, err);
}

/* What the codes of a tensor are by its type; false: none that are known. */
static bool
codes_of(const struct phi_tensor *t, struct phi_packing *p)
{
	switch (t->type->id) {
	case PHI_I8:
	case PHI_I4:
	case PHI_I2:
		p->meaning = PHI_CODE_SIGNED;
		break;
	case PHI_U8:
	case PHI_U4:
	case PHI_U2:
		p->meaning = PHI_CODE_UNSIGNED;
		break;
	case PHI_F8_E4M3:
		p->meaning = PHI_CODE_F8_E4M3;
		break;
	case PHI_F8_E5M2:
		p->meaning = PHI_CODE_F8_E5M2;
		break;
	case PHI_F4:
		p->meaning = PHI_CODE_F4;
		break;
	default:
		return false;
	}
	p->bits = 8 / t->type->elements;
	return true;
}

static int
gather_quantized(struct search *s, const PhiOnnx__Node *node, struct phi_err *err)
{
	struct phi_packing p = { .codes = phi_onnx_input(node, 0), .scales = phi_onnx_input(node, 2),
		.zeros = phi_onnx_input(node, 3), .tag = "GATHER" };
	const struct phi_tensor *const t = tensor_named(s, p.codes);
	const int64_t axis = phi_onnx_attribute_int(node, "quantize_axis", 1);
	uint64_t bits, block;
	if (!t || t->rank != 2 || (axis != 1 && axis != -1) || !codes_of(t, &p) ||
		!positive(node, "block_size", 128, &block) || !positive(node, "bits", 4, &bits))
		return 0;
	p.rows = t->shape[0];
	p.columns = t->shape[1];
	if (t->type->id == PHI_U8) {
		if ((bits != 2 && bits != 4 && bits != 8) || !phi_mul(p.columns, 8 / bits, &p.columns))
			return 0;
		p.bits = (unsigned)bits;
		p.meaning = p.zeros ? PHI_CODE_UNSIGNED : PHI_CODE_OFFSET;
	}
	p.group[0] = 1;
	p.group[1] = block;
	return add(s, &p, err);
}

/* As a matrix: rows and columns such that the axis is one of them; false: it is neither. */
static bool
as_matrix(const struct phi_tensor *t, int64_t axis, bool by_tensor, struct phi_packing *p)
{
	p->rank = t->rank;
	memcpy(p->shape, t->shape, sizeof p->shape);
	if (axis < 0)
		axis += (int64_t)t->rank;
	if (!t->rank || (!by_tensor && (axis < 0 || axis >= (int64_t)t->rank ||
					       (axis && axis != (int64_t)t->rank - 1))))
		return false;
	const unsigned split = t->rank == 1 ? 0 : by_tensor || axis ? t->rank - 1 : 1;
	p->rows = p->columns = 1;
	for (unsigned d = 0; d < t->rank; d++)
		if (!phi_mul(d < split ? p->rows : p->columns, t->shape[d], d < split ? &p->rows : &p->columns))
			return false;
	return p->rows && p->columns;
}

/* Weight, scale and zero point with a scale for the tensor, for each index of the axis, or for blocks along it. */
static int
linear(struct search *s, const PhiOnnx__Node *node, const size_t inputs[3], int64_t axis, uint64_t block,
	const char *scale, struct phi_err *err)
{
	struct phi_packing p = { .codes = phi_onnx_input(node, inputs[0]),
		.scales = scale ? scale : phi_onnx_input(node, inputs[1]), .zeros = phi_onnx_input(node, inputs[2]) };
	const struct phi_tensor *const t = tensor_named(s, p.codes), *const by = tensor_named(s, p.scales);
	uint64_t n = 0;
	if (!t || !by || !codes_of(t, &p) || !phi_tensor_elements(by, &n) || !n)
		return 0;
	const bool by_tensor = n == 1 && !block;
	if (!as_matrix(t, axis, by_tensor, &p) || (block && t->rank != 2))
		return 0;
	/* Rows are cut at whole bytes. */
	if (p.columns % t->type->elements)
		return 0;
	const bool rows = !by_tensor && (axis == 0 || axis == -(int64_t)t->rank) && t->rank > 1;
	p.group[0] = by_tensor ? p.rows : rows ? (block ? block : 1) : block ? 1 : p.rows;
	p.group[1] = by_tensor ? p.columns : rows ? (block ? 1 : p.columns) : block ? block : 1;
	/* A zero point of a float type is 0; of none but the codes' own it is something else. */
	const struct phi_tensor *const zeros = tensor_named(s, p.zeros);
	if (p.meaning != PHI_CODE_SIGNED && p.meaning != PHI_CODE_UNSIGNED)
		p.zeros = NULL;
	else if (p.zeros && (!zeros || phi_tensor_elements(zeros, &block) == false || block != n))
		return 0;
	p.tag = "QDQ";
	return add(s, &p, err);
}

static int
bnb4(struct search *s, const PhiOnnx__Node *node, struct phi_err *err)
{
	uint64_t block;
	struct phi_packing p = { .codes = phi_onnx_input(node, 1), .scales = phi_onnx_input(node, 2), .bits = 4,
		.high_first = true, .tag = "BNB", .by_rows = true };
	const int64_t type = phi_onnx_attribute_int(node, "quant_type", 1);
	if (!positive(node, "K", 0, &p.columns) || !positive(node, "N", 0, &p.rows) ||
		!positive(node, "block_size", 0, &block) || p.columns % block || p.columns % 2)
		return 0;
	p.group[0] = 1;
	p.group[1] = block;
	p.meaning = type ? PHI_CODE_NF4 : PHI_CODE_FP4;
	return add(s, &p, err);
}

static const PhiOnnx__Node *
node_of(const struct search *s, const struct phi_names *names, const char *value)
{
	const uint32_t i = value ? phi_names_find(names, value, strlen(value)) : PHI_NONE;
	return i == PHI_NONE ? NULL : s->graph->node[i];
}

/* MatMulInteger, Cast, then Mul by the product of two scales, one of which is a weight's. */
static const char *
scale_behind(const struct search *s, const PhiOnnx__Node *node)
{
	const PhiOnnx__Node *next = node;
	for (unsigned step = 0; step < 2; step++) {
		next = next && next->n_output ? node_of(s, s->takers, next->output[0]) : NULL;
		if (next && phi_onnx_is(next, "", "Mul"))
			break;
	}
	if (!next || !phi_onnx_is(next, "", "Mul"))
		return NULL;
	for (size_t i = 0; i < next->n_input; i++) {
		const PhiOnnx__Node *const product = node_of(s, s->makers, phi_onnx_input(next, i));
		if (tensor_named(s, phi_onnx_input(next, i)))
			return next->input[i];
		for (size_t k = 0; product && phi_onnx_is(product, "", "Mul") && k < product->n_input; k++)
			if (tensor_named(s, phi_onnx_input(product, k)))
				return product->input[k];
	}
	return NULL;
}

/* Operators with codes, scale and zero point among their inputs. */
static const struct {
	const char *domain, *op;
	size_t inputs[3];
	int64_t axis;
} plain[] = {
	{ "", "QLinearMatMul", { 3, 4, 5 }, -1 },
	{ "", "QLinearConv", { 3, 4, 5 }, 0 },
	{ "com.microsoft", "MatMulIntegerToFloat", { 1, 3, 5 }, -1 },
	{ "com.microsoft", "DynamicQuantizeMatMul", { 1, 2, 3 }, -1 },
};
enum { NPLAIN = sizeof plain / sizeof *plain };

static int
look_at(struct search *s, const PhiOnnx__Node *node, struct phi_err *err)
{
	static const size_t dequantize[3] = { 0, 1, 2 }, integer[3] = { 1, 99, 3 };
	if (phi_onnx_is(node, "com.microsoft", "MatMulNBits"))
		return matmul_nbits(s, node, err);
	if (phi_onnx_is(node, "com.microsoft", "GatherBlockQuantized"))
		return gather_quantized(s, node, err);
	if (phi_onnx_is(node, "com.microsoft", "MatMulBnb4"))
		return bnb4(s, node, err);
	if (phi_onnx_is(node, "", "DequantizeLinear") || phi_onnx_is(node, "com.microsoft", "DequantizeLinear")) {
		const int64_t block = phi_onnx_attribute_int(node, "block_size", 0);
		return block < 0 ? 0 : linear(s, node, dequantize, phi_onnx_attribute_int(node, "axis", 1),
					       (uint64_t)block, NULL, err);
	}
	if (phi_onnx_is(node, "", "MatMulInteger") || phi_onnx_is(node, "", "ConvInteger")) {
		const char *const scale = scale_behind(s, node);
		return scale ? linear(s, node, integer, node->op_type[0] == 'C' ? 0 : -1, 0, scale, err) : 0;
	}
	for (size_t i = 0; i < NPLAIN; i++)
		if (phi_onnx_is(node, plain[i].domain, plain[i].op))
			return linear(s, node, plain[i].inputs, plain[i].axis, 0, NULL, err);
	return 0;
}

static int
index_values(struct search *s, struct phi_err *err)
{
	for (uint32_t i = 0; i < s->model->ntensors; i++) {
		const char *const name = s->model->tensors[i].name;
		if (phi_names_add(s->tensors, name, strlen(name), i, err) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < s->graph->n_node; i++) {
		const PhiOnnx__Node *const node = s->graph->node[i];
		for (size_t k = 0; k < node->n_input; k++)
			if (phi_names_add(s->takers, node->input[k], strlen(node->input[k]), i, err) < 0)
				return -1;
		for (size_t k = 0; k < node->n_output; k++)
			if (phi_names_add(s->makers, node->output[k], strlen(node->output[k]), i, err) < 0)
				return -1;
	}
	return 0;
}

static int
keep(struct search *s, struct phi_err *err)
{
	struct phi_packing *const kept = phi_arena_calloc(s->model->arena, s->count + 1, sizeof *kept, err);
	if (!kept)
		return -1;
	for (size_t i = 0; i < s->count; i++) {
		struct phi_packing *const p = &s->made[i];
		p->scales = tensor_named(s, p->scales)->name;
		p->zeros = p->zeros ? tensor_named(s, p->zeros)->name : NULL;
		kept[i] = *p;
	}
	s->model->packings = kept;
	s->model->npackings = s->count;
	return 0;
}

int
phi_onnx_packings(struct phi_model *model, const PhiOnnx__Model *proto, struct phi_err *err)
{
	struct search s = { .model = model, .graph = proto->graph };
	s.tensors = phi_names_new(err);
	s.makers = s.tensors ? phi_names_new(err) : NULL;
	s.takers = s.makers ? phi_names_new(err) : NULL;
	int result = s.takers ? index_values(&s, err) : -1;
	for (size_t i = 0; !result && i < s.graph->n_node; i++)
		result = look_at(&s, s.graph->node[i], err);
	if (!result && s.count)
		result = keep(&s, err);
	phi_free(s.made);
	phi_names_free(s.tensors);
	phi_names_free(s.makers);
	phi_names_free(s.takers);
	return result;
}
