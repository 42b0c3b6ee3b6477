#include "formats/onnx/elements.h"

#include "formats/core/memory.h"

#include <string.h>

/* What an operator's outputs are, a letter each, the last one for all that follow:
 *
 *     0 to 9   as that input          l i u b f   INT64, INT32, UINT8, BOOL, FLOAT
 *     t d o    as `to`, `dtype`, `output_datatype` say, or FLOAT; D: or as input 0; m: or INT32
 *     c        the tensor of `value`, or FLOAT
 *     q        as the zero point, input 2, or UINT8
 *     s e S    a sequence of input 0, of `dtype`; an element of the sequence, input 0
 *     ?        nobody knows
 *
 * All others: as input 0. Of ai.onnx to operator set 26, ai.onnx.ml 5, com.microsoft 1. */
static const struct {
	const char *op, *outputs;
} rules[] = {
	{ "And", "b" }, { "ArgMax", "l" }, { "ArgMin", "l" }, { "Bernoulli", "D" }, { "BlackmanWindow", "o" },
	{ "Cast", "t" }, { "CastLike", "1" }, { "CastMap", "?" }, { "CategoryMapper", "?" },
	{ "ConcatFromSequence", "S" }, { "Constant", "c" }, { "ConstantOfShape", "c" }, { "ConvInteger", "i" },
	{ "DequantizeLinear", "1" }, { "DictVectorizer", "?" }, { "Dropout", "0b" }, { "DynamicQuantizeLinear", "ufu" },
	{ "EmbedLayerNormalization", "2i2" }, { "Equal", "b" }, { "EyeLike", "D" }, { "FeatureVectorizer", "f" },
	{ "GatherBlockQuantized", "2" }, { "Greater", "b" }, { "GreaterOrEqual", "b" }, { "HammingWindow", "o" },
	{ "HannWindow", "o" }, { "IsInf", "b" }, { "IsNaN", "b" }, { "LabelEncoder", "?" },
	{ "LayerNormalization", "0f" }, { "Less", "b" }, { "LessOrEqual", "b" }, { "LinearClassifier", "lf" },
	{ "LinearRegressor", "f" }, { "MatMulInteger", "i" }, { "MatMulIntegerToFloat", "2" }, { "MaxPool", "0l" },
	{ "MelWeightMatrix", "o" }, { "Multinomial", "m" }, { "NonMaxSuppression", "l" }, { "NonZero", "l" },
	{ "Normalizer", "f" }, { "Not", "b" }, { "OneHot", "2" }, { "OneHotEncoder", "f" }, { "Or", "b" },
	{ "QLinearConv", "7" }, { "QLinearMatMul", "7" }, { "QuantizeLinear", "q" }, { "RandomNormal", "d" },
	{ "RandomNormalLike", "D" }, { "RandomUniform", "d" }, { "RandomUniformLike", "D" }, { "RegexFullMatch", "b" },
	{ "SVMClassifier", "lf" }, { "SVMRegressor", "f" }, { "Scaler", "f" }, { "SequenceAt", "S" },
	{ "SequenceConstruct", "s" }, { "SequenceEmpty", "e" }, { "SequenceLength", "l" }, { "Shape", "l" },
	{ "SimplifiedLayerNormalization", "0f" }, { "Size", "l" }, { "SkipLayerNormalization", "0ff0" },
	{ "SkipSimplifiedLayerNormalization", "0ff0" }, { "SplitToSequence", "s" }, { "TfIdfVectorizer", "f" },
	{ "TopK", "0l" }, { "TreeEnsembleClassifier", "lf" }, { "TreeEnsembleRegressor", "f" }, { "Unique", "0l" },
	{ "Where", "1" }, { "Xor", "b" }, { "ZipMap", "?" },
};
enum { NRULES = sizeof rules / sizeof *rules };
enum { UINT8 = 2, INT32 = 6, INT64 = 7, BOOL = 9 };

struct phi_onnx_value *
phi_onnx_element(const struct phi_onnx_elements *e, const char *name)
{
	const uint32_t i = name ? phi_names_find(e->names, name, strlen(name)) : PHI_NONE;
	return i == PHI_NONE ? NULL : &e->values[i];
}

/* Adds a name, or says more of one that is there. */
static int
note(struct phi_onnx_elements *e, const char *name, int32_t type, bool weight, bool constant, struct phi_err *err)
{
	if (!name || !*name)
		return 0;
	struct phi_onnx_value *v = phi_onnx_element(e, name);
	if (!v) {
		if (phi_grow(&e->values, &e->capacity, e->count, sizeof *e->values, err) < 0 ||
			phi_names_add(e->names, name, strlen(name), (uint32_t)e->count, err) < 0)
			return -1;
		v = &e->values[e->count++];
		*v = (struct phi_onnx_value){ 0 };
	}
	v->type = v->type ? v->type : type;
	v->weight = v->weight || weight;
	v->constant = v->constant || constant;
	return 0;
}

static int32_t
type_of(const struct phi_onnx_elements *e, const PhiOnnx__Node *node, size_t input)
{
	const struct phi_onnx_value *const v = phi_onnx_element(e, phi_onnx_input(node, input));
	return v ? v->type : 0;
}

static int32_t
declared(const PhiOnnx__ValueInfo *v)
{
	const PhiOnnx__Type *const t = v->type;
	if (t && t->tensor_type)
		return t->tensor_type->elem_type;
	const PhiOnnx__Type *const in = t && t->sequence_type ? t->sequence_type->elem_type : NULL;
	return in && in->tensor_type ? in->tensor_type->elem_type | PHI_ONNX_SEQUENCE : 0;
}

static int32_t
said(const PhiOnnx__Node *node, const char *attribute, int32_t otherwise)
{
	return (int32_t)phi_onnx_attribute_int(node, attribute, otherwise);
}

static int32_t
of_value(const PhiOnnx__Node *node)
{
	const PhiOnnx__Attribute *const a = phi_onnx_attribute(node, "value");
	if (a)
		return a->t ? a->t->data_type : 0;
	if (phi_onnx_attribute(node, "value_int") || phi_onnx_attribute(node, "value_ints"))
		return INT64;
	if (phi_onnx_attribute(node, "value_string") || phi_onnx_attribute(node, "value_strings") ||
		phi_onnx_attribute(node, "sparse_value"))
		return 0;
	return PHI_ONNX_FLOAT;
}

static int32_t
of_letter(const struct phi_onnx_elements *e, const PhiOnnx__Node *node, char letter)
{
	switch (letter) {
	case 'l': return INT64;
	case 'i': return INT32;
	case 'u': return UINT8;
	case 'b': return BOOL;
	case 'f': return PHI_ONNX_FLOAT;
	case 't': return said(node, "to", PHI_ONNX_FLOAT);
	case 'd': return said(node, "dtype", PHI_ONNX_FLOAT);
	case 'o': return said(node, "output_datatype", PHI_ONNX_FLOAT);
	case 'D': return said(node, "dtype", type_of(e, node, 0));
	case 'm': return said(node, "dtype", INT32);
	case 'c': return of_value(node);
	case 'q': return type_of(e, node, 2) ? type_of(e, node, 2) : said(node, "output_dtype", UINT8);
	case 's': return type_of(e, node, 0) | PHI_ONNX_SEQUENCE;
	case 'e': return said(node, "dtype", PHI_ONNX_FLOAT) | PHI_ONNX_SEQUENCE;
	case 'S': return type_of(e, node, 0) & ~PHI_ONNX_SEQUENCE;
	case '?': return 0;
	default: return type_of(e, node, (size_t)(letter - '0'));
	}
}

static const char *
rule_of(const PhiOnnx__Node *node)
{
	for (size_t i = 0; node->op_type && i < NRULES; i++)
		if (!strcmp(rules[i].op, node->op_type))
			return rules[i].outputs;
	return "0";
}

/* The graph whose outputs the node's are, and how many of its own come before them. */
static const PhiOnnx__Graph *
body_of(const PhiOnnx__Node *node, size_t *before)
{
	const PhiOnnx__Attribute *const branch = phi_onnx_attribute(node, "then_branch"),
		*const body = phi_onnx_attribute(node, "body");
	*before = phi_onnx_is(node, "", "Loop") ? 1 : 0;
	return branch ? branch->g : body ? body->g : NULL;
}

static int find_graph(struct phi_onnx_elements *e, const PhiOnnx__Graph *g, struct phi_err *err);

/* The inputs of a graph are the node's, of Loop and Scan. */
static int
find_inner(struct phi_onnx_elements *e, const PhiOnnx__Node *node, const PhiOnnx__Graph *g, struct phi_err *err)
{
	for (size_t i = 0; i < g->n_input; i++)
		if (note(e, g->input[i]->name, declared(g->input[i]), false, false, err) < 0 ||
			note(e, g->input[i]->name, type_of(e, node, i), false, false, err) < 0)
			return -1;
	return find_graph(e, g, err);
}

static int
find_node(struct phi_onnx_elements *e, const PhiOnnx__Node *node, struct phi_err *err)
{
	size_t before;
	const PhiOnnx__Graph *const body = body_of(node, &before);
	const char *letter = rule_of(node);
	for (size_t k = 0; k < node->n_attribute; k++) {
		const PhiOnnx__Attribute *const a = node->attribute[k];
		if (a->g && find_inner(e, node, a->g, err) < 0)
			return -1;
		for (size_t i = 0; i < a->n_graphs; i++)
			if (find_inner(e, node, a->graphs[i], err) < 0)
				return -1;
	}
	for (size_t i = 0; i < node->n_output; i++) {
		const bool constant = phi_onnx_is(node, "", "Constant");
		const struct phi_onnx_value *const made = body && i + before < body->n_output
			? phi_onnx_element(e, body->output[i + before]->name) : NULL;
		const int32_t type = body ? (made ? made->type : 0) : of_letter(e, node, *letter);
		if (note(e, node->output[i], type, constant, constant, err) < 0)
			return -1;
		letter += letter[1] != '\0';
	}
	return 0;
}

static int
note_declared(struct phi_onnx_elements *e, PhiOnnx__ValueInfo *const *list, size_t n, struct phi_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (note(e, list[i]->name, declared(list[i]), false, false, err) < 0)
			return -1;
	return 0;
}

/* Graphs in graphs: no deeper than the scanner lets messages be. */
static int
find_graph(struct phi_onnx_elements *e, const PhiOnnx__Graph *g, struct phi_err *err)
{
	for (size_t i = 0; i < g->n_initializer; i++)
		if (note(e, g->initializer[i]->name, g->initializer[i]->data_type, true, false, err) < 0)
			return -1;
	for (size_t i = 0; i < g->n_sparse_initializer; i++) {
		const PhiOnnx__Tensor *const t = g->sparse_initializer[i]->values;
		if (t && note(e, t->name, t->data_type, true, false, err) < 0)
			return -1;
	}
	if (note_declared(e, g->input, g->n_input, err) < 0 || note_declared(e, g->output, g->n_output, err) < 0 ||
		note_declared(e, g->value_info, g->n_value_info, err) < 0)
		return -1;
	for (size_t i = 0; i < g->n_node; i++)
		if (find_node(e, g->node[i], err) < 0)
			return -1;
	return 0;
}

int
phi_onnx_elements_find(struct phi_onnx_elements *e, const PhiOnnx__Graph *graph, struct phi_err *err)
{
	*e = (struct phi_onnx_elements){ .names = phi_names_new(err) };
	return e->names ? find_graph(e, graph, err) : -1;
}

void
phi_onnx_elements_free(struct phi_onnx_elements *e)
{
	phi_names_free(e->names);
	phi_free(e->values);
}
