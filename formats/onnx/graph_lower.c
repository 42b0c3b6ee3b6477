#include "formats/onnx/graph_lower.h"

#include <string.h>

/* Options */

static const char algorithm_key[] = "onnx.algorithm", accuracy_key[] = "onnx.accuracy_level", qdq_key[] = "onnx.qdq";
static const char *const algorithms[] = {
	[PHI_ALGORITHM_DEFAULT] = "default",
	[PHI_ALGORITHM_RTN] = "rtn",
	[PHI_ALGORITHM_K_QUANT] = "k_quant",
};
enum { NALGORITHMS = sizeof algorithms / sizeof *algorithms, ACCURACY_MAX = 4 };

int
phi_onnx_note_options(struct phi_model *model, const struct phi_graph_options *o, struct phi_err *err)
{
	struct phi_metadata *const list = &model->metadata;
	const char *const name = algorithms[o->algorithm];
	const struct phi_value algorithm = { .kind = PHI_VALUE_STRING, .s = { name, strlen(name) } };
	const struct phi_value accuracy = { .kind = PHI_VALUE_U32, .u = o->accuracy };
	const struct phi_value qdq = { .kind = PHI_VALUE_BOOL, .b = o->qdq };
	return phi_metadata_set(list, model->arena, algorithm_key, algorithm, err) < 0 ||
		phi_metadata_set(list, model->arena, accuracy_key, accuracy, err) < 0 ||
		phi_metadata_set(list, model->arena, qdq_key, qdq, err) < 0 ? -1 : 0;
}

int
phi_onnx_noted_options(const struct phi_model *model, struct phi_graph_options *o, struct phi_err *err)
{
	const char *const name = phi_value_string(phi_metadata_find(&model->metadata, algorithm_key));
	const struct phi_value *const accuracy = phi_metadata_find(&model->metadata, accuracy_key),
		*const qdq = phi_metadata_find(&model->metadata, qdq_key);
	*o = (struct phi_graph_options){ .algorithm = PHI_ALGORITHM_DEFAULT };
	for (unsigned i = 0; name && i < NALGORITHMS; i++)
		if (!strcmp(algorithms[i], name))
			o->algorithm = (enum phi_algorithm)i;
	if (accuracy && (accuracy->kind != PHI_VALUE_U32 || accuracy->u > ACCURACY_MAX))
		return phi_fail(err, PHI_FORMAT, "%s: not a number up to %d", accuracy_key, ACCURACY_MAX);
	o->accuracy = accuracy ? (unsigned)accuracy->u : 0;
	o->qdq = qdq && qdq->kind == PHI_VALUE_BOOL && qdq->b;
	return 0;
}

/* Weights */

bool
phi_onnx_turn(const struct phi_model *lowered, struct phi_tensor *t)
{
	struct phi_part *const part = t->parts;
	if (t->rank != 2 || t->nparts != 1 || part->kind != PHI_PART_TENSOR)
		return false;
	const struct phi_tensor *const from = part->view ? part->view : &lowered->origin->tensors[part->tensor];
	const unsigned now = part->transpose;
	if (from->type->elements != 1 || from->type->class == PHI_CLASS_PACKED || from->nplanes != 1 ||
		from->rank != 2 || part->row || part->rows != from->shape[now])
		return false;
	part->transpose = !now;
	part->rows = from->shape[!now];
	t->shape[0] = from->shape[!now];
	t->shape[1] = from->shape[now];
	return true;
}

struct lowering {
	struct phi_model *model;
	struct phi_names *names; /* of its tensors */
	struct phi_onnx_graph graph;
	struct phi_onnx_values values;
	const struct phi_onnx_operand *operands;
	bool done; /* the model was lowered before */
	struct phi_err *err;
};

static struct phi_tensor *
find(const struct lowering *l, const char *name)
{
	const uint32_t i = phi_names_find(l->names, name, strlen(name));
	return i == PHI_NONE ? NULL : &l->model->tensors[i];
}

/* The copy of a weight that is to be quantized, added where the model is not lowered yet; NULL in *twin: there is none. */
static int
find_twin(struct lowering *l, const struct phi_tensor *t, struct phi_tensor **twin)
{
	char *const name = phi_arena_printf(l->model->arena, l->err, "%s" PHI_ONNX_TWIN, t->name);
	*twin = name ? find(l, name) : NULL;
	if (!name || l->done || *twin) {
		*twin = l->done ? *twin : NULL;
		return name ? 0 : -1;
	}
	const struct phi_tensor copy = *t;
	struct phi_part *const part = phi_arena_alloc(l->model->arena, sizeof *part, l->err);
	*twin = part ? phi_model_add_tensor(l->model, l->err) : NULL;
	if (!*twin)
		return -1;
	*part = *copy.parts;
	**twin = copy;
	(*twin)->name = name;
	(*twin)->alias = PHI_NONE;
	(*twin)->parts = part;
	return 0;
}

static int
open_weight(struct lowering *l, const struct phi_onnx_operand *o, struct phi_tensor *t)
{
	if (!l->done && o->way == PHI_ONNX_TURNED && !phi_onnx_turn(l->model, t)) {
		t->why = "it cannot be turned as it is read: kept";
		return 0;
	}
	t->fixed = false;
	t->role = !o->gathered ? PHI_ROLE_NONE : o->product ? PHI_ROLE_OUTPUT : PHI_ROLE_EMBEDDING;
	if (!t->canonical && *o->node)
		t->canonical = phi_arena_strdup(l->model->arena, o->node, l->err);
	return *o->node && !t->canonical ? -1 : 0;
}

static int
lower_weight(struct lowering *l, uint32_t i)
{
	const struct phi_onnx_operand *const o = &l->operands[i];
	struct phi_tensor *t = find(l, l->graph.weights[i].name);
	if (!t)
		return 0;
	t->why = o->why;
	if (o->way != PHI_ONNX_FIXED && o->also && find_twin(l, t, &t) < 0)
		return -1;
	return t && o->way != PHI_ONNX_FIXED ? open_weight(l, o, t) : 0;
}

/* Tied weights stay tied where they are presented in the same way. */
static void
untie(struct phi_model *m)
{
	for (size_t i = 0; i < m->ntensors; i++) {
		struct phi_tensor *const t = &m->tensors[i];
		const struct phi_tensor *const first = t->alias == PHI_NONE ? t : &m->tensors[t->alias];
		if (t->fixed != first->fixed || t->role != first->role ||
			t->parts->transpose != first->parts->transpose)
			t->alias = PHI_NONE;
	}
}

static int
lower(struct lowering *l)
{
	struct phi_model *const m = l->model;
	const struct phi_side *const side = phi_model_side(m, PHI_ONNX_SIDE);
	l->names = phi_names_new(l->err);
	for (uint32_t i = 0; l->names && i < m->ntensors; i++) {
		m->tensors[i].fixed = true;
		if (phi_names_add(l->names, m->tensors[i].name, strlen(m->tensors[i].name), i, l->err) < 0)
			return -1;
	}
	if (!l->names || phi_onnx_graph_open(&l->graph, side->data, side->size, m->arena, l->err) < 0)
		return -1;
	if (phi_onnx_values_find(&l->values, &l->graph, l->err) < 0)
		return -1;
	l->operands = phi_onnx_operands(&l->values, m->arena, l->err);
	if (!l->operands)
		return -1;
	for (uint32_t i = 0; i < l->graph.count; i++)
		if (lower_weight(l, i) < 0)
			return -1;
	untie(m);
	return 0;
}

int
phi_onnx_lower_weights(struct phi_model *lowered, const struct phi_lower_options *options, struct phi_err *err)
{
	struct lowering l = { .model = lowered, .done = !strcmp(lowered->view, "onnx"), .err = err };
	int result = lower(&l);
	phi_onnx_values_free(&l.values);
	phi_onnx_graph_close(&l.graph);
	phi_names_free(l.names);
	if (!result && options && options->graph && options->recipe)
		result = phi_onnx_note_options(lowered, options->graph, err);
	lowered->view = "onnx";
	return result;
}
