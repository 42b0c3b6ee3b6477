#include "formats/onnx/graph_lower.h"

#include "formats/onnx/data.h"

#include <string.h>

/* Options */

static const char algorithm_key[] = "onnx.algorithm", accuracy_key[] = "onnx.accuracy_level", qdq_key[] = "onnx.qdq",
	device_key[] = "onnx.device";
static const char *const algorithms[] = {
	[PHI_ALGORITHM_DEFAULT] = "default",
	[PHI_ALGORITHM_RTN] = "rtn",
	[PHI_ALGORITHM_K_QUANT] = "k_quant",
};
static const char *const devices[] = {
	[PHI_DEVICE_CPU] = "cpu",
	[PHI_DEVICE_CUDA] = "cuda",
	[PHI_DEVICE_DML] = "dml",
	[PHI_DEVICE_QNN] = "qnn",
};
enum {
	NALGORITHMS = sizeof algorithms / sizeof *algorithms,
	NDEVICES = sizeof devices / sizeof *devices,
	ACCURACY_MAX = 4,
};

/* The index of a name in a list, or 0. */
static unsigned
index_of(const char *name, const char *const *list, unsigned n)
{
	for (unsigned i = 0; name && i < n; i++)
		if (!strcmp(list[i], name))
			return i;
	return 0;
}

int
phi_onnx_note_options(struct phi_model *model, const struct phi_graph_options *o, struct phi_err *err)
{
	struct phi_metadata *const list = &model->metadata;
	const char *const name = algorithms[o->algorithm];
	const struct phi_value algorithm = { .kind = PHI_VALUE_STRING, .s = { name, strlen(name) } };
	const struct phi_value accuracy = { .kind = PHI_VALUE_U32, .u = o->accuracy };
	const struct phi_value qdq = { .kind = PHI_VALUE_BOOL, .b = o->qdq };
	const char *const made_for = devices[o->device];
	const struct phi_value device = { .kind = PHI_VALUE_STRING, .s = { made_for, strlen(made_for) } };
	return phi_metadata_set(list, model->arena, algorithm_key, algorithm, err) < 0 ||
		phi_metadata_set(list, model->arena, accuracy_key, accuracy, err) < 0 ||
		phi_metadata_set(list, model->arena, qdq_key, qdq, err) < 0 ||
		phi_metadata_set(list, model->arena, device_key, device, err) < 0 ? -1 : 0;
}

int
phi_onnx_noted_options(const struct phi_model *model, struct phi_graph_options *o, struct phi_err *err)
{
	const char *const name = phi_value_string(phi_metadata_find(&model->metadata, algorithm_key));
	const char *const device = phi_value_string(phi_metadata_find(&model->metadata, device_key));
	const struct phi_value *const accuracy = phi_metadata_find(&model->metadata, accuracy_key),
		*const qdq = phi_metadata_find(&model->metadata, qdq_key);
	*o = (struct phi_graph_options){ .algorithm = (enum phi_algorithm)index_of(name, algorithms, NALGORITHMS),
		.device = (enum phi_device)index_of(device, devices, NDEVICES) };
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
	uint32_t *holders; /* of each weight */
	bool done; /* the model was lowered before */
	bool standard; /* for standard operators */
	bool as_is; /* nothing is quantized */
	struct phi_err *err;
};

static struct phi_tensor *
find(const struct lowering *l, const char *name)
{
	const uint32_t i = phi_names_find(l->names, name, strlen(name));
	return i == PHI_NONE ? NULL : &l->model->tensors[i];
}

/* One logical weight made of several of the graph's? */
static bool
is_packed(const struct phi_tensor *t)
{
	return t->parts->kind == PHI_PART_TENSOR && (t->type->class == PHI_CLASS_PACKED || phi_tensor_is_woven(t));
}

/* Of each weight the packed tensor that has its bytes, or PHI_NONE; only of a file's own model. */
static int
find_holders(struct lowering *l)
{
	const struct phi_model *const origin = l->model->origin;
	const size_t n = l->graph.count;
	if (l->done || strcmp(origin->format, "onnx") || origin->nstorages != n)
		return 0;
	l->holders = phi_arena_alloc(l->model->arena, (n + 1) * sizeof *l->holders, l->err);
	if (!l->holders)
		return -1;
	memset(l->holders, 0xff, (n + 1) * sizeof *l->holders);
	for (uint32_t i = 0; i < origin->ntensors; i++)
		for (unsigned k = 0; k < origin->tensors[i].nplanes && is_packed(&l->model->tensors[i]); k++)
			l->holders[origin->tensors[i].plane[k].storage] = i;
	return 0;
}

/* The packed weights go: their members are there in their place. */
static int
drop_packed(struct lowering *l)
{
	struct phi_model *const m = l->model;
	uint32_t *const moved = phi_arena_calloc(m->arena, m->ntensors + 1, sizeof *moved, l->err);
	uint32_t kept = 0;
	if (!moved)
		return -1;
	for (size_t i = 0; i < m->ntensors; i++) {
		struct phi_tensor *const t = &m->tensors[i];
		const bool gone = !l->done && is_packed(t);
		moved[i] = gone ? PHI_NONE : kept;
		if (gone)
			continue;
		m->tensors[kept] = *t;
		if (t->alias != PHI_NONE)
			m->tensors[kept].alias = moved[t->alias];
		kept++;
	}
	m->ntensors = kept;
	return 0;
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
	t->parts->fillable = !l->done && !o->gathered && !l->standard;
	t->role = !o->gathered ? PHI_ROLE_NONE : o->product ? PHI_ROLE_OUTPUT : PHI_ROLE_EMBEDDING;
	if (!t->canonical && *o->node)
		t->canonical = phi_arena_strdup(l->model->arena, o->node, l->err);
	return *o->node && !t->canonical ? -1 : 0;
}

/* A member of a packed weight (model.h), which is one tensor in the origin: as the graph has it. Its bytes are the storage
 * of its number (read.c). */
static int
add_member(struct lowering *l, uint32_t i)
{
	struct phi_model *const m = l->model;
	const PhiOnnx__Tensor *const p = l->graph.weights[i].tensor;
	struct phi_tensor *const view = phi_arena_calloc(m->arena, 1, sizeof *view, l->err);
	struct phi_part *const part = view ? phi_arena_calloc(m->arena, 1, sizeof *part, l->err) : NULL;
	uint64_t bytes;
	if (!part)
		return -1;
	view->name = l->graph.weights[i].name;
	view->type = phi_onnx_type(p->data_type);
	for (; view->type && view->rank < p->n_dims && view->rank < PHI_RANK_MAX; view->rank++)
		view->shape[view->rank] = (uint64_t)p->dims[view->rank];
	if (!view->type || !phi_onnx_bytes(view->type, view->shape, view->rank, &bytes) ||
		bytes > m->origin->storages[i].size)
		return phi_fail(l->err, PHI_FORMAT, "a weight of the graph is not what its data are");
	if (phi_tensor_row(view) % view->type->elements) { /* odd rows of 4 bits are bytes */
		view->type = phi_type_of(PHI_U8);
		view->rank = 1;
		view->shape[0] = bytes;
	}
	view->layer = -1;
	view->alias = PHI_NONE;
	view->nplanes = 1;
	view->plane[0] = (struct phi_plane){ .storage = i, .dense = true };
	*part = (struct phi_part){ .kind = PHI_PART_TENSOR, .tensor = l->holders[i], .view = view,
		.rows = view->rank ? view->shape[0] : 1 };
	struct phi_tensor *const t = phi_model_add_tensor(m, l->err);
	if (!t)
		return -1;
	*t = *view;
	t->nplanes = 0;
	t->parts = part;
	t->nparts = 1;
	t->fixed = true;
	t->why = "quantized already: kept";
	return 0;
}

static int
lower_weight(struct lowering *l, uint32_t i)
{
	const struct phi_onnx_operand *const o = &l->operands[i];
	struct phi_tensor *t = find(l, l->graph.weights[i].name);
	if (!t || is_packed(t))
		return l->holders && l->holders[i] != PHI_NONE ? add_member(l, i) : 0;
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
	l->operands = l->as_is ? phi_arena_calloc(m->arena, l->graph.count + 1, sizeof *l->operands, l->err)
			       : phi_onnx_operands(&l->values, l->standard, m->arena, l->err);
	if (!l->operands || find_holders(l) < 0)
		return -1;
	for (uint32_t i = 0; i < l->graph.count; i++)
		if (lower_weight(l, i) < 0)
			return -1;
	untie(m);
	return drop_packed(l);
}

static int
run(struct lowering *l)
{
	const int result = lower(l);
	phi_onnx_values_free(&l->values);
	phi_onnx_graph_close(&l->graph);
	phi_names_free(l->names);
	return result;
}

int
phi_onnx_lower_as_is(struct phi_model *lowered, struct phi_err *err)
{
	struct lowering l = { .model = lowered, .as_is = true, .err = err };
	return run(&l);
}

int
phi_onnx_lower_weights(struct phi_model *lowered, const struct phi_lower_options *options, struct phi_err *err)
{
	struct lowering l = { .model = lowered, .done = !strcmp(lowered->view, "onnx"), .err = err };
	struct phi_graph_options asked;
	if (!l.done && options && options->graph && phi_onnx_note_options(lowered, options->graph, err) < 0)
		return -1;
	if (phi_onnx_noted_options(lowered, &asked, err) < 0)
		return -1;
	l.standard = asked.qdq;
	const int result = run(&l);
	lowered->view = "onnx";
	return result;
}
