#include "formats/onnx/values.h"

#include "formats/core/memory.h"

#include <string.h>

static int find_scopes(struct phi_onnx_values *v, PhiOnnx__Graph *g, struct phi_err *err);

static int
find_inner(struct phi_onnx_values *v, PhiOnnx__Node *node, struct phi_err *err)
{
	for (size_t k = 0; k < node->n_attribute; k++) {
		PhiOnnx__Attribute *const a = node->attribute[k];
		if (a->g && find_scopes(v, a->g, err) < 0)
			return -1;
		for (size_t i = 0; i < a->n_graphs; i++)
			if (find_scopes(v, a->graphs[i], err) < 0)
				return -1;
	}
	return 0;
}

/* Graphs in graphs: no deeper than the scanner lets messages be. */
static int
find_scopes(struct phi_onnx_values *v, PhiOnnx__Graph *g, struct phi_err *err)
{
	if (phi_grow(&v->scopes, &v->capacity, v->nscopes, sizeof *v->scopes, err) < 0)
		return -1;
	v->scopes[v->nscopes++] = g;
	for (size_t i = 0; i < g->n_node; i++)
		if (find_inner(v, g->node[i], err) < 0)
			return -1;
	return 0;
}

/* Values */

/* A name of a value, and the weight that it is, or NULL. */
static int
note_value(struct phi_onnx_values *v, const char *name, const PhiOnnx__Tensor *t, uint32_t scope,
	struct phi_err *err)
{
	if (!name || !*name)
		return 0;
	const int there = phi_names_add(v->taken, name, strlen(name), 0, err);
	const uint32_t before = there > 0 ? phi_names_find(v->weights, name, strlen(name)) : PHI_NONE;
	if (there < 0)
		return -1;
	if (before != PHI_NONE)
		v->twice[before] = true;
	if (!t || !t->has_weight)
		return 0;
	v->owners[t->weight] = scope;
	v->twice[t->weight] = there > 0;
	return phi_names_add(v->weights, name, strlen(name), (uint32_t)t->weight, err) < 0 ? -1 : 0;
}

static const PhiOnnx__Tensor *
constant_of(const PhiOnnx__Node *node)
{
	const bool constant = phi_onnx_is(node, "", "Constant") && node->n_output == 1;
	const PhiOnnx__Attribute *const a = constant ? phi_onnx_attribute(node, "value") : NULL;
	return a ? a->t : NULL;
}

bool
phi_onnx_weight_in(const struct phi_onnx_values *v, const char *name, uint32_t scope)
{
	const uint32_t i = name ? phi_names_find(v->weights, name, strlen(name)) : PHI_NONE;
	return i != PHI_NONE && v->owners[i] == scope;
}

/* An input that an initializer gives its value to is the same value. */
static int
note_scope(struct phi_onnx_values *v, uint32_t scope, struct phi_err *err)
{
	const PhiOnnx__Graph *const g = v->scopes[scope];
	for (size_t i = 0; i < g->n_initializer; i++)
		if (note_value(v, g->initializer[i]->name, g->initializer[i], scope, err) < 0)
			return -1;
	for (size_t i = 0; i < g->n_input; i++)
		if (!phi_onnx_weight_in(v, g->input[i]->name, scope) && note_value(v, g->input[i]->name, NULL, scope, err) < 0)
			return -1;
	for (size_t i = 0; i < g->n_node; i++) {
		const PhiOnnx__Node *const node = g->node[i];
		for (size_t k = 0; k < node->n_output; k++)
			if (note_value(v, node->output[k], k ? NULL : constant_of(node), scope, err) < 0)
				return -1;
	}
	return 0;
}

static int
find(struct phi_onnx_values *v, struct phi_err *err)
{
	const size_t n = v->graph->count + 1;
	v->weights = phi_names_new(err);
	v->taken = v->weights ? phi_names_new(err) : NULL;
	v->owners = v->taken ? phi_calloc(n, sizeof *v->owners, err) : NULL;
	v->twice = v->owners ? phi_calloc(n, sizeof *v->twice, err) : NULL;
	if (!v->twice || find_scopes(v, v->graph->model->graph, err) < 0)
		return -1;
	memset(v->owners, 0xff, n * sizeof *v->owners);
	for (uint32_t i = 0; i < v->nscopes; i++)
		if (note_scope(v, i, err) < 0)
			return -1;
	return 0;
}

int
phi_onnx_values_find(struct phi_onnx_values *v, const struct phi_onnx_graph *graph, struct phi_err *err)
{
	*v = (struct phi_onnx_values){ .graph = graph };
	if (!graph->model->graph)
		return phi_fail(err, PHI_FORMAT, "a model without a graph");
	return find(v, err);
}

void
phi_onnx_values_free(struct phi_onnx_values *v)
{
	phi_names_free(v->weights);
	phi_names_free(v->taken);
	phi_free(v->owners);
	phi_free(v->twice);
	phi_free(v->scopes);
}

uint32_t
phi_onnx_weight_of(const struct phi_onnx_values *v, const char *value)
{
	const uint32_t i = value ? phi_names_find(v->weights, value, strlen(value)) : PHI_NONE;
	return i == PHI_NONE || v->twice[i] ? PHI_NONE : i;
}
