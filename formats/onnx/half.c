#include "formats/onnx/half.h"

#include "formats/core/escape.h"
#include "formats/core/glob.h"
#include "formats/core/memory.h"
#include "formats/onnx/data.h"
#include "formats/onnx/elements.h"
#include "formats/onnx/graph_lower.h"
#include "formats/onnx/marks.h"
#include "formats/onnx/rewrite.h"
#include "formats/onnx/small.h"

#include <string.h>

static const char recipe_key[] = "onnx.floats"; /* in the metadata of what was lowered so */

struct half {
	struct phi_onnx_rewrite *r;
	struct phi_onnx_build *b;
	struct phi_onnx_elements elements;
	const struct phi_graph_options *options; /* or NULL */
	int32_t to;
	int64_t opset;
	struct phi_names *casts; /* "SCOPE TYPE NAME" -> its index in `made` */
	struct phi_names *io;	 /* inputs and outputs that keep their type -> number of them; outputs from OUTPUTS on */
	char **made;
	size_t nmade, capacity;
	bool clamped;
	struct phi_err *err;
};
enum { OUTPUTS = 1 << 30 };

static int32_t
number_of(const char *recipe)
{
	return !strcmp(recipe, "f16") ? PHI_ONNX_FLOAT16 : !strcmp(recipe, "bf16") ? PHI_ONNX_BFLOAT16
		: !strcmp(recipe, "f32") ? PHI_ONNX_FLOAT : 0;
}

bool
phi_onnx_is_float_recipe(const char *recipe)
{
	return recipe && number_of(recipe);
}

/* Does the type go? */
static bool
goes(const struct half *h, int32_t type)
{
	return type != h->to && (type == PHI_ONNX_FLOAT || type == PHI_ONNX_FLOAT16 || type == PHI_ONNX_BFLOAT16);
}

static const char *
word_of(int32_t type)
{
	return type == PHI_ONNX_FLOAT ? "fp32" : type == PHI_ONNX_FLOAT16 ? "fp16" : "bfloat16";
}

/* Which nodes stay in F32 */

static bool
is_in_list(const char *name, const char *const *list)
{
	while (*list && strcmp(*list, name))
		list++;
	return *list != NULL;
}

/* The tool's list, and those whose schema has no other floats. */
static bool
is_full_operator(const struct half *h, const PhiOnnx__Node *node)
{
	static const char *const operators[] = { "ArrayFeatureExtractor", "Binarizer", "CastMap", "CategoryMapper",
		"DictVectorizer", "FeatureVectorizer", "Imputer", "LabelEncoder", "LinearClassifier", "LinearRegressor",
		"Normalizer", "OneHotEncoder", "RandomUniformLike", "SVMClassifier", "SVMRegressor", "Scaler",
		"TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble", "ZipMap", "NonMaxSuppression", "TopK",
		"RoiAlign", "Range", "CumSum", "Min", "Max", "Upsample", "DynamicQuantizeLinear", "DynamicQuantizeMatMul",
		"DynamicQuantizeLSTM", "QGemm", "TfIdfVectorizer", "HannWindow", "HammingWindow", "BlackmanWindow",
		"MelWeightMatrix", NULL };
	enum { SCALES_OF_HALF = 19 };
	const bool linear = phi_onnx_is(node, "", "QuantizeLinear") || phi_onnx_is(node, "", "DequantizeLinear");
	return is_in_list(node->op_type, operators) || !strncmp(node->op_type, "QLinear", 7) ||
		(linear && h->opset < SCALES_OF_HALF);
}

static bool
is_kept(const struct half *h, const char *name)
{
	for (size_t i = 0; name && *name && h->options && i < h->options->nkeep; i++)
		if (phi_glob_match(h->options->keep[i], name))
			return true;
	return false;
}

static bool
has_graphs(const PhiOnnx__Node *node)
{
	for (size_t i = 0; i < node->n_attribute; i++)
		if (node->attribute[i]->g || node->attribute[i]->n_graphs)
			return true;
	return false;
}

static bool
is_full(const struct half *h, const PhiOnnx__Node *node)
{
	if (h->to == PHI_ONNX_FLOAT || !node->op_type || has_graphs(node) || phi_onnx_is(node, "", "Constant"))
		return false;
	if (is_full_operator(h, node) || is_kept(h, node->name))
		return true;
	for (size_t i = 0; i < node->n_input; i++) {
		const struct phi_onnx_value *const v = phi_onnx_element(&h->elements, node->input[i]);
		if (v && v->kept)
			return true;
	}
	return false;
}

/* Inputs that are F32 whatever the others are. */
static bool
is_full_input(const struct half *h, const PhiOnnx__Node *node, size_t i)
{
	enum { ROI = 11 };
	if (h->to == PHI_ONNX_FLOAT || !node->op_type)
		return false;
	if (!strcmp(node->op_type, "Resize"))
		return i == (h->opset < ROI ? 1 : 2);
	return (i == 1 || i == 2) &&
		(!strcmp(node->op_type, "GroupNorm") || !strcmp(node->op_type, "SkipGroupNorm"));
}

/* Weights are kept by their names, as nodes or as phi-inspect calls them. */
static void
note_kept(struct half *h)
{
	for (size_t i = 0; i < h->elements.count; i++)
		h->elements.values[i].kept = false;
	for (size_t i = 0; i < h->r->old.count; i++) {
		const struct phi_onnx_weight *const w = &h->r->old.weights[i];
		const bool named = w->tensor->name && *w->tensor->name;
		const char *const slash = strrchr(w->name, '/');
		const char *const name = named ? w->tensor->name : slash ? slash + 1 : w->name;
		struct phi_onnx_value *v = phi_onnx_element(&h->elements, name);
		if (!v || !v->weight)
			v = phi_onnx_element(&h->elements, w->name);
		if (v && v->weight && goes(h, v->type) && (is_kept(h, w->name) || is_kept(h, name)))
			v->kept = true;
	}
}

static void
note_uses(struct half *h, const PhiOnnx__Graph *g)
{
	for (size_t i = 0; i < g->n_node; i++) {
		const PhiOnnx__Node *const node = g->node[i];
		const bool full = is_full(h, node);
		for (size_t k = 0; k < node->n_input; k++) {
			struct phi_onnx_value *const v = phi_onnx_element(&h->elements, node->input[k]);
			if (v && (full || is_full_input(h, node, k)))
				v->full = true;
			else if (v)
				v->half = true;
		}
	}
	for (size_t i = 0; i < g->n_output; i++) {
		struct phi_onnx_value *const v = phi_onnx_element(&h->elements, g->output[i]->name);
		if (v)
			v->half = true;
	}
}

/* The type that a value gets. */
static int32_t
type_of(const struct half *h, const struct phi_onnx_value *v)
{
	const bool stays = v->weight && (v->kept || (h->to != PHI_ONNX_FLOAT && !v->constant && !v->half));
	return goes(h, v->type) && !stays ? h->to : v->type;
}

/* Weights */

static void
set_weight(struct half *h, PhiOnnx__Tensor *t)
{
	struct phi_tensor *const tensor = phi_onnx_tensor_of(h->r, h->r->old.weights[t->weight].name);
	if (tensor) {
		tensor->type = phi_onnx_type(h->to);
		tensor->nonzero = h->to == PHI_ONNX_FLOAT16;
		tensor->why = "the graph computes with it";
	}
	t->data_type = h->to;
}

static void
set_initializer(struct half *h, PhiOnnx__Tensor *t)
{
	const struct phi_onnx_value *const v = t ? phi_onnx_element(&h->elements, t->name) : NULL;
	struct phi_quoted q;
	if (!v || !goes(h, t->data_type) || type_of(h, v) != h->to)
		return;
	if (t->has_weight)
		set_weight(h, t);
	else if (t->raw_data.len || t->n_float_data || t->n_int32_data)
		h->b->failed = phi_fail(h->err, PHI_FORMAT, "initializer %s is no weight", phi_quote(&q, t->name)) < 0;
	else
		t->data_type = h->to;
}

/* Casts */

/* The name under which a value of type `from` is there in type `to`, in this graph. */
static char *
cast(struct half *h, char *name, int32_t from, int32_t to)
{
	if (from == to || h->b->failed)
		return name;
	char *const key = phi_onnx_text(h->b, "%zu %d %s", (size_t)(h->r->scope - h->r->scopes), (int)to, name);
	const uint32_t there = phi_names_find(h->casts, key, strlen(key));
	if (there != PHI_NONE)
		return h->made[there];
	const char *const inputs[] = { name, NULL };
	char *const made = phi_onnx_fresh(h->r, "%s_cast_to_%s", name, word_of(to));
	phi_onnx_node(h->b, "Cast", phi_onnx_text(h->b, "%s_node", made), inputs);
	phi_onnx_rename(h->b, made);
	phi_onnx_int(h->b, "to", to);
	if (h->b->failed || phi_grow(&h->made, &h->capacity, h->nmade, sizeof *h->made, h->err) < 0 ||
		phi_names_add(h->casts, key, strlen(key), (uint32_t)h->nmade, h->err) < 0) {
		h->b->failed = true;
		return name;
	}
	return h->made[h->nmade++] = made;
}

/* What an input or output that keeps its type is called where it has the new one. */
static char *
within(struct half *h, char *name)
{
	const uint32_t i = *name ? phi_names_find(h->io, name, strlen(name)) : PHI_NONE;
	if (i == PHI_NONE)
		return name;
	return i >= OUTPUTS ? phi_onnx_text(h->b, "graph_output_cast_%u", (unsigned)(i - OUTPUTS))
			    : phi_onnx_text(h->b, "graph_input_cast_%u", (unsigned)i);
}

static char *
input_as(struct half *h, const PhiOnnx__Node *node, size_t i, bool full)
{
	char *const name = node->input[i], *const in = within(h, name);
	const struct phi_onnx_value *const v = phi_onnx_element(&h->elements, name);
	if (!v || !goes(h, v->type))
		return in;
	const bool wanted = full || (v->type == PHI_ONNX_FLOAT && is_full_input(h, node, i));
	return cast(h, in, in == name ? type_of(h, v) : h->to, wanted ? PHI_ONNX_FLOAT : h->to);
}

/* Attributes */

static void
fail_memory(struct half *h)
{
	h->b->failed = true;
}

static PhiOnnx__Attribute *
copy_attribute(struct half *h, const PhiOnnx__Attribute *a)
{
	PhiOnnx__Attribute *const copy = phi_arena_alloc(h->b->arena, sizeof *copy, h->err);
	if (!copy)
		fail_memory(h);
	else
		*copy = *a;
	return copy;
}

/* As an attribute `value` of the new type. */
static PhiOnnx__Attribute *
make_value(struct half *h, const float *values, size_t n, bool scalar)
{
	enum { TENSOR = 4 };
	static char name[] = "value";
	PhiOnnx__Attribute *const a = phi_arena_alloc(h->b->arena, sizeof *a, h->err);
	if (!a) {
		fail_memory(h);
		return NULL;
	}
	phi_onnx__attribute__init(a);
	a->name = name;
	a->has_type = true;
	a->type = TENSOR;
	a->t = phi_onnx_small_make(h->b, values, n, scalar, h->to, &h->clamped);
	return a;
}

static PhiOnnx__Attribute *
make_dtype(struct half *h)
{
	enum { INT = 2 };
	static char name[] = "dtype";
	PhiOnnx__Attribute *const a = phi_arena_alloc(h->b->arena, sizeof *a, h->err);
	if (!a) {
		fail_memory(h);
		return NULL;
	}
	phi_onnx__attribute__init(a);
	a->name = name;
	a->has_type = a->has_i = true;
	a->type = INT;
	a->i = h->to;
	return a;
}

static bool
names_type(const PhiOnnx__Node *node, const char *attribute)
{
	static const char *const makers[] = { "EyeLike", "Multinomial", "RandomNormal", "RandomNormalLike",
		"RandomUniform", "RandomUniformLike", "SequenceEmpty", "Bernoulli", NULL };
	return (!strcmp(attribute, "to") && !strcmp(node->op_type, "Cast")) ||
		(!strcmp(attribute, "dtype") && is_in_list(node->op_type, makers)) ||
		(!strcmp(attribute, "output_dtype") && phi_onnx_is(node, "", "DequantizeLinear"));
}

static PhiOnnx__Attribute *
retype(struct half *h, const PhiOnnx__Node *node, PhiOnnx__Attribute *a)
{
	if (phi_onnx_is(node, "", "Constant") && a->name && !strcmp(a->name, "value_float"))
		return make_value(h, &a->f, 1, true);
	if (phi_onnx_is(node, "", "Constant") && a->name && !strcmp(a->name, "value_floats"))
		return make_value(h, a->floats, a->n_floats, false);
	if (a->name && names_type(node, a->name) && a->i <= INT32_MAX && goes(h, (int32_t)a->i))
		a->i = h->to;
	if (!a->t || !goes(h, a->t->data_type))
		return a;
	if (a->t->has_weight) {
		set_weight(h, a->t);
		return a;
	}
	PhiOnnx__Attribute *const copy = copy_attribute(h, a);
	if (copy)
		copy->t = phi_onnx_small_convert(h->b, a->t, h->to, &h->clamped);
	return copy;
}

/* What a node without such an attribute makes is F32. */
static PhiOnnx__Attribute *
missing(struct half *h, const PhiOnnx__Node *node)
{
	static const char *const makers[] = { "RandomNormal", "RandomUniform", "SequenceEmpty", NULL };
	static const float zero[1];
	if (h->to == PHI_ONNX_FLOAT)
		return NULL;
	if (is_in_list(node->op_type, makers) && !phi_onnx_attribute(node, "dtype"))
		return make_dtype(h);
	return phi_onnx_is(node, "", "ConstantOfShape") && !phi_onnx_attribute(node, "value")
		? make_value(h, zero, 1, false) : NULL;
}

static void
retype_attributes(struct half *h, PhiOnnx__Node *copy)
{
	const struct phi_onnx_value *const v = phi_onnx_is(copy, "", "Constant") && copy->n_output
		? phi_onnx_element(&h->elements, copy->output[0]) : NULL;
	if (!copy->op_type || (v && type_of(h, v) != h->to))
		return;
	PhiOnnx__Attribute **const list = phi_arena_calloc(h->b->arena, copy->n_attribute + 1, sizeof *list, h->err);
	PhiOnnx__Attribute *const more = list ? missing(h, copy) : NULL;
	if (!list) {
		fail_memory(h);
		return;
	}
	for (size_t i = 0; i < copy->n_attribute; i++)
		list[i] = retype(h, copy, copy->attribute[i]);
	copy->attribute = list;
	if (more)
		list[copy->n_attribute++] = more;
}

/* Nodes */

static void
write_node(struct half *h, PhiOnnx__Node *node)
{
	struct phi_onnx_build *const b = h->b;
	const bool full = is_full(h, node);
	PhiOnnx__Node *const copy = phi_onnx_copy(b, node);
	if (!copy)
		return;
	for (size_t i = 0; i < node->n_input; i++)
		copy->input[i] = input_as(h, node, i, full);
	for (size_t i = 0; i < node->n_output; i++) {
		const struct phi_onnx_value *const v = phi_onnx_element(&h->elements, node->output[i]);
		copy->output[i] = within(h, node->output[i]);
		if (full && v && goes(h, v->type))
			copy->output[i] = phi_onnx_fresh(h->r, "%s_cast_to_%s", copy->output[i], word_of(h->to));
	}
	if (!full)
		retype_attributes(h, copy);
	phi_onnx_keep(h->r, copy);
	for (size_t i = 0; full && i < node->n_output; i++) {
		const char *const inputs[] = { copy->output[i], NULL };
		char *const out = within(h, node->output[i]);
		if (copy->output[i] == out || !strcmp(copy->output[i], out))
			continue;
		phi_onnx_node(b, "Cast", phi_onnx_text(b, "%s_node", copy->output[i]), inputs);
		phi_onnx_rename(b, out);
		phi_onnx_int(b, "to", h->to);
	}
}

static void
visit(struct phi_onnx_rewrite *r, PhiOnnx__Node *node, void *ctx)
{
	struct half *const h = ctx;
	h->b = r->b;
	write_node(h, node);
}

/* What is declared */

static void
declare(struct half *h, PhiOnnx__ValueInfo *v, bool main)
{
	PhiOnnx__Type *const t = v->type;
	PhiOnnx__Type *const inner = t && t->sequence_type ? t->sequence_type->elem_type
		: t && t->optional_type ? t->optional_type->elem_type : NULL;
	const struct phi_onnx_value *const value = phi_onnx_element(&h->elements, v->name);
	if (main && v->name && phi_names_find(h->io, v->name, strlen(v->name)) != PHI_NONE)
		return;
	if (t && t->tensor_type && goes(h, t->tensor_type->elem_type))
		t->tensor_type->elem_type = value && value->type == t->tensor_type->elem_type ? type_of(h, value) : h->to;
	if (inner && inner->tensor_type && goes(h, inner->tensor_type->elem_type))
		inner->tensor_type->elem_type = h->to;
}

static void
declare_all(struct half *h, const PhiOnnx__Graph *g, bool main)
{
	for (size_t i = 0; i < g->n_initializer; i++)
		set_initializer(h, g->initializer[i]);
	for (size_t i = 0; i < g->n_sparse_initializer; i++)
		set_initializer(h, g->sparse_initializer[i]->values);
	for (size_t i = 0; i < g->n_input; i++)
		declare(h, g->input[i], main);
	for (size_t i = 0; i < g->n_output; i++)
		declare(h, g->output[i], main);
	for (size_t i = 0; i < g->n_value_info; i++)
		declare(h, g->value_info[i], main);
}

/* Inputs and outputs that keep their types */

static bool
is_made(const PhiOnnx__Graph *g, const char *name)
{
	for (size_t i = 0; i < g->n_node; i++)
		for (size_t k = 0; k < g->node[i]->n_output; k++)
			if (!strcmp(g->node[i]->output[k], name))
				return true;
	return false;
}

static int
note_io(struct half *h, const PhiOnnx__Graph *g)
{
	for (uint32_t i = 0; i < g->n_input; i++) {
		const char *const name = g->input[i]->name;
		const struct phi_onnx_value *const v = phi_onnx_element(&h->elements, name);
		if (v && goes(h, v->type) && !v->weight && phi_names_add(h->io, name, strlen(name), i, h->err) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < g->n_output; i++) {
		const char *const name = g->output[i]->name;
		const struct phi_onnx_value *const v = phi_onnx_element(&h->elements, name);
		if (v && goes(h, v->type) && is_made(g, name) &&
			phi_names_add(h->io, name, strlen(name), OUTPUTS + i, h->err) < 0)
			return -1;
	}
	return 0;
}

/* The casts of the inputs stand before all nodes, those of the outputs behind them. */
static void
cast_io(struct half *h, PhiOnnx__ValueInfo *const *list, size_t n, bool outputs)
{
	h->r->scope = h->r->scopes;
	h->b = h->r->b = &h->r->scope->b;
	for (size_t i = 0; i < n && !h->b->failed; i++) {
		char *const name = list[i]->name ? list[i]->name : (char[]){ "" }, *const in = within(h, name);
		const uint32_t k = phi_names_find(h->io, name, strlen(name));
		if (in == name || (k >= OUTPUTS) != outputs)
			continue;
		const char *const inputs[] = { outputs ? in : name, NULL };
		phi_onnx_node(h->b, "Cast", phi_onnx_text(h->b, "graph_%s_cast%zu", outputs ? "output" : "input", i), inputs);
		phi_onnx_rename(h->b, outputs ? name : in);
		phi_onnx_int(h->b, "to", outputs ? phi_onnx_element(&h->elements, name)->type : h->to);
	}
}

/* All of it */

static int
prepare(struct half *h)
{
	const struct phi_onnx_rewrite *const r = h->r;
	h->opset = phi_onnx_opset(r->old.model);
	h->casts = phi_names_new(h->err);
	h->io = h->casts ? phi_names_new(h->err) : NULL;
	if (!h->io || phi_onnx_elements_find(&h->elements, r->old.model->graph, h->err) < 0)
		return -1;
	if (r->old.model->n_functions)
		return phi_fail(h->err, PHI_UNSUPPORTED, "the model has functions: they are to be inlined before its floats "
			"get another type");
	note_kept(h);
	for (size_t i = 0; i < r->nscopes; i++)
		note_uses(h, r->scopes[i].graph);
	return h->options && h->options->keep_io ? note_io(h, r->scopes->graph) : 0;
}

/* The tensors are what the graph says, whatever they were made on the way here. */
static void
settle_tensors(struct half *h)
{
	for (size_t i = 0; i < h->r->old.count; i++) {
		const struct phi_type *const type = phi_onnx_type(h->r->old.weights[i].tensor->data_type);
		struct phi_tensor *const t = phi_onnx_tensor_of(h->r, h->r->old.weights[i].name);
		if (t && type && type->class == PHI_CLASS_FLOAT && t->type->class == PHI_CLASS_FLOAT)
			t->type = type;
		if (t)
			t->fixed = true;
	}
}

static int
write_all(struct half *h)
{
	struct phi_onnx_rewrite *const r = h->r;
	if (prepare(h) < 0)
		return -1;
	settle_tensors(h);
	for (size_t i = 0; i < r->nscopes; i++)
		declare_all(h, r->scopes[i].graph, i == 0);
	const PhiOnnx__Graph *const g = r->scopes->graph;
	cast_io(h, g->input, g->n_input, false);
	phi_onnx_rewrite_nodes(r, visit, h);
	cast_io(h, g->output, g->n_output, true);
	return h->b->failed ? -1 : phi_onnx_rewrite_end(r);
}

/* Weights are called after nodes and values, some of which have other names now. */
static int
rename_tensors(const struct phi_onnx_rewrite *r, struct phi_model *model, struct phi_err *err)
{
	const struct phi_side *const side = phi_model_side(model, PHI_ONNX_SIDE);
	struct phi_onnx_graph graph;
	if (phi_onnx_graph_open(&graph, side->data, side->size, model->arena, err) < 0)
		return -1;
	for (size_t i = 0; i < graph.count; i++)
		model->tensors[r->places[i].tensor].name = graph.weights[i].name;
	phi_onnx_graph_close(&graph);
	return 0;
}

static void
untie(struct phi_model *m)
{
	for (size_t i = 0; i < m->ntensors; i++)
		if (m->tensors[i].alias != PHI_NONE && m->tensors[m->tensors[i].alias].type != m->tensors[i].type)
			m->tensors[i].alias = PHI_NONE;
}

static int
rewrite(struct phi_model *lowered, const struct phi_lower_options *options, struct phi_err *err)
{
	struct phi_plan plan = { .model = lowered, .arena = lowered->arena };
	struct phi_onnx_rewrite r;
	struct half h = { .r = &r, .options = options->graph, .to = number_of(options->recipe), .err = err };
	int result = phi_onnx_rewrite_begin(&r, &plan, err);
	h.b = r.b;
	if (!result)
		result = write_all(&h);
	if (!result)
		result = rename_tensors(&r, lowered, err);
	if (!result && h.clamped)
		result = phi_model_warn(lowered, err, "numbers of the graph beyond 65504 become 65504");
	phi_onnx_rewrite_close(&r);
	phi_onnx_elements_free(&h.elements);
	phi_names_free(h.casts);
	phi_names_free(h.io);
	phi_free(h.made);
	return result;
}

static int
lower(struct phi_model *lowered, const struct phi_lower_options *options, struct phi_err *err)
{
	const struct phi_value done = { .kind = PHI_VALUE_STRING, .s = { options->recipe, strlen(options->recipe) } };
	const char *const before = phi_value_string(phi_metadata_find(&lowered->metadata, recipe_key));
	if (!strcmp(lowered->view, "onnx"))
		return phi_fail(err, PHI_UNSUPPORTED, "-t %s: the model is quantized already", options->recipe);
	if (phi_onnx_lower_as_is(lowered, err) < 0)
		return -1;
	if (before && !strcmp(before, options->recipe))
		return 0;
	if (rewrite(lowered, options, err) < 0)
		return -1;
	untie(lowered);
	return phi_metadata_set(&lowered->metadata, lowered->arena, recipe_key, done, err) < 0 ? -1 : 0;
}

struct phi_model *
phi_onnx_half_lower(const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	struct phi_model *const lowered = phi_model_lower_same(model, err);
	if (!lowered || lower(lowered, options, err) == 0)
		return lowered;
	phi_model_free(lowered);
	return NULL;
}
