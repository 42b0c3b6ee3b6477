#include "formats/onnx/operands.h"

#include "formats/onnx/data.h"

#include <string.h>

static bool
is_one(const PhiOnnx__Node *node, const char *name)
{
	const PhiOnnx__Attribute *const a = phi_onnx_attribute(node, name);
	return !a || (a->has_f && a->f == 1);
}

size_t
phi_onnx_operand_input(const PhiOnnx__Node *node)
{
	return phi_onnx_is(node, "", "Gather") ? 0 : 1;
}

enum phi_onnx_way
phi_onnx_takes(const PhiOnnx__Node *node, size_t input)
{
	if (input != phi_onnx_operand_input(node) || node->n_output != 1 || node->n_input < 2)
		return PHI_ONNX_FIXED;
	if (phi_onnx_is(node, "", "MatMul"))
		return PHI_ONNX_TURNED;
	if (phi_onnx_is(node, "", "Gather"))
		return phi_onnx_attribute_int(node, "axis", 0) ? PHI_ONNX_FIXED : PHI_ONNX_ROWS;
	if (!phi_onnx_is(node, "", "Gemm") || phi_onnx_attribute_int(node, "transA", 0) || !is_one(node, "alpha") ||
		(phi_onnx_input(node, 2) && !is_one(node, "beta")))
		return PHI_ONNX_FIXED;
	return phi_onnx_attribute_int(node, "transB", 0) ? PHI_ONNX_ROWS : PHI_ONNX_TURNED;
}

/* Why a weight is none to be quantized, whoever takes it; "": for what it is. */
static const char *
unfit(const struct phi_onnx_weight *w)
{
	const PhiOnnx__Tensor *const t = w->tensor;
	const struct phi_type *const type = phi_onnx_type(t->data_type);
	if (t->n_dims != 2 || t->dims[0] <= 0 || t->dims[1] <= 0 || !type || type->class != PHI_CLASS_FLOAT)
		return "";
	if (type->id == PHI_BF16)
		return "BF16: there are no blocks with such scales";
	return type->id == PHI_F32 || type->id == PHI_F16 ? NULL : "";
}

/* What takes it, the ways that go before others first. */
static void
note_way(struct phi_onnx_operand *o, const PhiOnnx__Node *node, enum phi_onnx_way way)
{
	if (way > o->way) {
		o->way = way;
		o->node = node->name ? node->name : "";
	}
}

static void
note_use(struct phi_onnx_operand *o, const PhiOnnx__Node *node, enum phi_onnx_way way)
{
	const bool gathered = phi_onnx_is(node, "", "Gather");
	if (way == PHI_ONNX_FIXED || way != o->way) {
		o->also = true;
		return;
	}
	o->gathered |= gathered;
	o->product |= !gathered;
}

static void
look_at(const struct phi_onnx_values *v, const PhiOnnx__Graph *g, bool standard, struct phi_onnx_operand *list,
	void (*note)(struct phi_onnx_operand *, const PhiOnnx__Node *, enum phi_onnx_way))
{
	for (size_t i = 0; i < g->n_node; i++)
		for (size_t k = 0; k < g->node[i]->n_input; k++) {
			const uint32_t w = phi_onnx_weight_of(v, phi_onnx_input(g->node[i], k));
			const bool left = standard && phi_onnx_is(g->node[i], "", "Gather");
			if (w != PHI_NONE)
				note(&list[w], g->node[i], left ? PHI_ONNX_FIXED : phi_onnx_takes(g->node[i], k));
		}
}

/* Is the number of rows odd, as the weight is presented? */
static bool
is_odd(const struct phi_onnx_weight *w, enum phi_onnx_way way)
{
	return w->tensor->dims[way == PHI_ONNX_TURNED] % 2 != 0;
}

static void
settle(const struct phi_onnx_values *v, bool standard, struct phi_onnx_operand *list)
{
	for (size_t i = 0; i < v->graph->count; i++) {
		const char *reason = unfit(&v->graph->weights[i]);
		if (!reason && standard && list[i].way && is_odd(&v->graph->weights[i], list[i].way))
			reason = "an odd number of rows: kept with --qdq";
		if (reason || list[i].way == PHI_ONNX_FIXED)
			list[i] = (struct phi_onnx_operand){ .why = reason ? (*reason ? reason : NULL)
				: v->twice[i] ? "its name is there more than once: kept"
				: "no MatMul, Gemm or Gather takes it: kept" };
	}
}

struct phi_onnx_operand *
phi_onnx_operands(const struct phi_onnx_values *v, bool standard, struct phi_arena *arena, struct phi_err *err)
{
	struct phi_onnx_operand *const list = phi_arena_calloc(arena, v->graph->count + 1, sizeof *list, err);
	if (!list)
		return NULL;
	for (size_t s = 0; s < v->nscopes; s++)
		look_at(v, v->scopes[s], standard, list, note_way);
	for (size_t s = 0; s < v->nscopes; s++) {
		look_at(v, v->scopes[s], standard, list, note_use);
		for (size_t i = 0; i < v->scopes[s]->n_output; i++) {
			const uint32_t w = phi_onnx_weight_of(v, v->scopes[s]->output[i]->name);
			if (w != PHI_NONE)
				list[w].also = true;
		}
	}
	settle(v, standard, list);
	return list;
}
