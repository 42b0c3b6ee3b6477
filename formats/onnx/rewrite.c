#include "formats/onnx/rewrite.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/onnx/data.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int
index_tensors(struct phi_onnx_rewrite *r)
{
	const struct phi_model *const model = r->plan->model;
	r->tensors = phi_names_new(r->err);
	for (uint32_t i = 0; r->tensors && i < model->ntensors; i++)
		if (phi_names_add(r->tensors, model->tensors[i].name, strlen(model->tensors[i].name), i, r->err) < 0)
			return -1;
	return r->tensors ? 0 : -1;
}

static int
make_lists(struct phi_onnx_rewrite *r)
{
	const PhiOnnx__Model *const m = r->old.model;
	r->dropped = phi_arena_calloc(r->plan->arena, r->old.count + 1, sizeof *r->dropped, r->err);
	r->opsets = r->dropped ? phi_arena_calloc(r->plan->arena, m->n_opset_import + 4, sizeof *r->opsets, r->err) : NULL;
	if (!r->opsets)
		return -1;
	for (; r->nopsets < m->n_opset_import; r->nopsets++)
		r->opsets[r->nopsets] = m->opset_import[r->nopsets];
	return 0;
}

static int
begin(struct phi_onnx_rewrite *r)
{
	const struct phi_side *const side = phi_model_side(r->plan->model, PHI_ONNX_SIDE);
	if (!side)
		return phi_fail(r->err, PHI_UNSUPPORTED, "the input has no graph of ONNX");
	if (phi_onnx_graph_open(&r->old, side->data, side->size, r->plan->arena, r->err) < 0)
		return phi_context(r->err, "%s", PHI_ONNX_SIDE);
	r->opsets_were = r->old.model->opset_import;
	r->nopsets_were = r->old.model->n_opset_import;
	if (phi_onnx_values_find(&r->values, &r->old, r->err) < 0 || make_lists(r) < 0)
		return -1;
	r->scopes = phi_calloc(r->values.nscopes, sizeof *r->scopes, r->err);
	for (; r->scopes && r->nscopes < r->values.nscopes; r->nscopes++) {
		struct phi_onnx_scope *const s = &r->scopes[r->nscopes];
		s->graph = r->values.scopes[r->nscopes];
		s->was = *s->graph;
		phi_onnx_build_init(&s->b, r->plan->arena, "", r->err);
	}
	r->scope = r->scopes;
	r->b = r->scope ? &r->scope->b : NULL;
	return r->scopes ? index_tensors(r) : -1;
}

int
phi_onnx_rewrite_begin(struct phi_onnx_rewrite *r, struct phi_plan *plan, struct phi_err *err)
{
	*r = (struct phi_onnx_rewrite){ .plan = plan, .err = err };
	return begin(r);
}

/* Nodes */

static bool
has_failed(const struct phi_onnx_rewrite *r)
{
	for (size_t i = 0; i < r->nscopes; i++)
		if (r->scopes[i].b.failed)
			return true;
	return false;
}

void
phi_onnx_keep(struct phi_onnx_rewrite *r, PhiOnnx__Node *node)
{
	phi_onnx_append(r->b, node);
	r->kept = true;
}

/* What the node held goes with it. */
static void
drop(struct phi_onnx_rewrite *r, const PhiOnnx__Node *node)
{
	for (size_t i = 0; i < node->n_attribute; i++) {
		const PhiOnnx__Attribute *const a = node->attribute[i];
		if (a->t && a->t->has_weight)
			r->dropped[a->t->weight] = true;
		if (!r->b->failed && (a->g || a->n_graphs))
			r->b->failed = phi_fail(r->err, PHI_ARGUMENT, "a node with graphs in it is not replaced") < 0;
	}
}

void
phi_onnx_rewrite_nodes(struct phi_onnx_rewrite *r, phi_onnx_visit_fn *visit, void *ctx)
{
	for (size_t i = 0; i < r->nscopes; i++) {
		r->scope = &r->scopes[i];
		r->b = &r->scope->b;
		for (size_t k = 0; k < r->scope->was.n_node && !has_failed(r); k++) {
			r->kept = false;
			visit(r, r->scope->was.node[k], ctx);
			if (!r->kept)
				drop(r, r->scope->was.node[k]);
		}
	}
}

/* Names */

struct phi_tensor *
phi_onnx_tensor_of(const struct phi_onnx_rewrite *r, const char *name)
{
	const uint32_t i = name ? phi_names_find(r->tensors, name, strlen(name)) : PHI_NONE;
	return i == PHI_NONE ? NULL : &r->plan->model->tensors[i];
}

char *
phi_onnx_claim(struct phi_onnx_rewrite *r, char *name)
{
	struct phi_quoted q;
	const int there = r->b->failed ? -1 : phi_names_add(r->values.taken, name, strlen(name), 0, r->err);
	if (there > 0)
		phi_fail(r->err, PHI_UNSUPPORTED, "the graph has a value %s already: it is quantized, it seems",
			phi_quote(&q, name));
	r->b->failed = there != 0;
	return name;
}

char *
phi_onnx_fresh(struct phi_onnx_rewrite *r, const char *fmt, ...)
{
	char text[PHI_NAME_MAX + 128];
	va_list args;
	va_start(args, fmt);
	const int n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (!r->b->failed && (n < 0 || (size_t)n >= sizeof text))
		r->b->failed = phi_fail(r->err, PHI_LIMIT, "a name of the graph is too long") < 0;
	char *name = phi_onnx_text(r->b, "%s", text);
	for (unsigned i = 1; !r->b->failed; i++) {
		const int there = phi_names_add(r->values.taken, name, strlen(name), 0, r->err);
		if (!there)
			break;
		r->b->failed = there < 0;
		name = phi_onnx_text(r->b, "%s_%u", text, i);
	}
	return name;
}

/* Weights */

struct phi_onnx_scope *
phi_onnx_owner(const struct phi_onnx_rewrite *r, uint32_t weight)
{
	return r->values.owners[weight] == PHI_NONE ? r->scope : &r->scopes[r->values.owners[weight]];
}

void
phi_onnx_weight(struct phi_onnx_rewrite *r, struct phi_onnx_scope *scope, const char *name, int32_t data_type,
	const uint64_t *shape, unsigned rank, uint32_t tensor, int field)
{
	struct phi_onnx_build *const b = &scope->b;
	PhiOnnx__Tensor *const t = phi_onnx_initializer(b, name, data_type, shape, rank);
	if (!t)
		return;
	if (phi_grow(&r->made, &r->made_capacity, r->nmade, sizeof *r->made, r->err) < 0) {
		b->failed = true;
		return;
	}
	t->has_weight = true;
	r->made[r->nmade++] = (struct phi_onnx_made){ .tensor = t,
		.place = { .tensor = tensor, .field = field } };
}

void
phi_onnx_turned_weight(struct phi_onnx_rewrite *r, struct phi_onnx_scope *scope, const char *name,
	int32_t data_type, const uint64_t shape[2], uint32_t tensor, int field, bool sign)
{
	const size_t n = r->nmade;
	phi_onnx_weight(r, scope, name, data_type, shape, 2, tensor, field);
	if (r->nmade == n)
		return;
	r->made[n].place.turned = true;
	r->made[n].place.sign = sign;
}

void
phi_onnx_generated_weight(struct phi_onnx_rewrite *r, struct phi_onnx_scope *scope, const char *name,
	const uint64_t shape[2], void (*generate)(const void *, uint64_t, void *, size_t), const void *state)
{
	struct phi_onnx_build *const b = &scope->b;
	const struct phi_type *const type = phi_type_of(PHI_U8);
	const uint64_t size = shape[0] * shape[1];
	struct phi_part *const part = b->failed ? NULL : phi_arena_calloc(r->plan->arena, 1, sizeof *part, r->err);
	struct phi_tensor *const t = part ? phi_plan_make_tensor(r->plan, size, r->err) : NULL;
	b->failed = !t;
	if (!t)
		return;
	*part = (struct phi_part){ .kind = PHI_PART_GENERATE, .generate = generate, .state = state, .size = size };
	t->name = name;
	t->type = type;
	t->rank = 2;
	memcpy(t->shape, shape, 2 * sizeof *shape);
	t->fixed = true;
	t->parts = part;
	t->nparts = 1;
	phi_onnx_weight(r, scope, name, phi_onnx_type_number(type), shape, 2,
		(uint32_t)(t - r->plan->model->tensors), PHI_ONNX_WHOLE);
}

/* Versions */

void
phi_onnx_need_version(struct phi_onnx_rewrite *r, int64_t ir_version)
{
	if (r->ir_version < ir_version)
		r->ir_version = ir_version;
}

static PhiOnnx__Opset *
find_opset(const struct phi_onnx_rewrite *r, const char *domain)
{
	for (size_t i = 0; i < r->nopsets; i++) {
		const char *const d = r->opsets[i]->domain;
		if (!strcmp(d && strcmp(d, "ai.onnx") ? d : "", domain))
			return r->opsets[i];
	}
	return NULL;
}

int64_t
phi_onnx_opset_version(const struct phi_onnx_rewrite *r, const char *domain)
{
	const PhiOnnx__Opset *const o = find_opset(r, domain);
	return o && o->has_version ? o->version : 0;
}

void
phi_onnx_need_opset(struct phi_onnx_rewrite *r, const char *domain, int64_t version)
{
	PhiOnnx__Opset *const there = find_opset(r, domain);
	if (there) {
		if (!there->has_version || there->version < version)
			there->version = version;
		there->has_version = true;
		return;
	}
	PhiOnnx__Opset *const o = r->b->failed ? NULL : phi_arena_alloc(r->plan->arena, sizeof *o, r->err);
	r->b->failed = !o;
	if (!o)
		return;
	phi_onnx__opset__init(o);
	o->domain = phi_onnx_text(r->b, "%s", domain);
	o->has_version = true;
	o->version = version;
	r->opsets[r->nopsets++] = o; /* there is room for as many domains as there are */
}

/* The end */

static int
note_uses(const struct phi_onnx_rewrite *r, const PhiOnnx__Graph *g, struct phi_names *uses)
{
	for (size_t i = 0; i < g->n_node; i++)
		for (size_t k = 0; k < g->node[i]->n_input; k++)
			if (phi_names_add(uses, g->node[i]->input[k], strlen(g->node[i]->input[k]), 0, r->err) < 0)
				return -1;
	for (size_t i = 0; i < g->n_output; i++)
		if (g->output[i]->name &&
			phi_names_add(uses, g->output[i]->name, strlen(g->output[i]->name), 0, r->err) < 0)
			return -1;
	return 0;
}

static bool
is_in(const struct phi_names *names, const char *name)
{
	return name && phi_names_find(names, name, strlen(name)) != PHI_NONE;
}

/* Those that were taken, and are no more, go: with what was said of them. */
static bool
is_gone(const struct phi_names *before, const struct phi_names *after, const char *name)
{
	return is_in(before, name) && !is_in(after, name);
}

static int
settle_initializers(struct phi_onnx_rewrite *r, struct phi_onnx_scope *s, const struct phi_names *before,
	const struct phi_names *after)
{
	PhiOnnx__Graph *const g = s->graph;
	const size_t n = g->n_initializer + s->b.graph.n_initializer;
	PhiOnnx__Tensor **const list = phi_arena_calloc(r->plan->arena, n + 1, sizeof *list, r->err);
	if (!list)
		return -1;
	g->n_initializer = 0;
	for (size_t i = 0; i < s->was.n_initializer; i++) {
		PhiOnnx__Tensor *const t = s->was.initializer[i];
		if (!is_gone(before, after, t->name))
			list[g->n_initializer++] = t;
		else if (t->has_weight)
			r->dropped[t->weight] = true;
	}
	for (size_t i = 0; i < s->b.graph.n_initializer; i++)
		list[g->n_initializer++] = s->b.graph.initializer[i];
	g->initializer = list;
	return 0;
}

/* Of inputs, and of what is said of values, the names of initializers that go. */
static int
settle_values(struct phi_onnx_rewrite *r, const struct phi_onnx_scope *s, const struct phi_names *before,
	const struct phi_names *after, PhiOnnx__ValueInfo ***values, size_t *count)
{
	PhiOnnx__ValueInfo **const was = *values,
		**const list = phi_arena_calloc(r->plan->arena, *count + 1, sizeof *list, r->err);
	const size_t n = *count;
	if (!list)
		return -1;
	*count = 0;
	for (size_t i = 0; i < n; i++)
		if (!is_gone(before, after, was[i]->name) || !phi_onnx_weight_in(&r->values, was[i]->name, (uint32_t)(s - r->scopes)))
			list[(*count)++] = was[i];
	*values = list;
	return 0;
}

static int
settle_scopes(struct phi_onnx_rewrite *r, struct phi_names *before, struct phi_names *after)
{
	for (size_t i = 0; i < r->nscopes; i++) {
		struct phi_onnx_scope *const s = &r->scopes[i];
		if (note_uses(r, s->graph, before) < 0)
			return -1;
		s->graph->node = s->b.graph.node;
		s->graph->n_node = s->b.graph.n_node;
		if (note_uses(r, s->graph, after) < 0)
			return -1;
	}
	for (size_t i = 0; i < r->nscopes; i++) {
		struct phi_onnx_scope *const s = &r->scopes[i];
		PhiOnnx__Graph *const g = s->graph;
		if (settle_initializers(r, s, before, after) < 0 ||
			settle_values(r, s, before, after, &g->input, &g->n_input) < 0 ||
			settle_values(r, s, before, after, &g->value_info, &g->n_value_info) < 0)
			return -1;
	}
	return 0;
}

/* The numbers of the weights, one after the other, and what each is. */
static int
number(struct phi_onnx_rewrite *r)
{
	const size_t n = r->old.count + r->nmade;
	size_t count = 0;
	r->places = phi_arena_calloc(r->plan->arena, n + 1, sizeof *r->places, r->err);
	if (!r->places)
		return -1;
	for (size_t i = 0; i < r->old.count; i++) {
		const struct phi_onnx_weight *const w = &r->old.weights[i];
		const struct phi_tensor *const t = phi_onnx_tensor_of(r, w->name);
		struct phi_quoted q;
		if (r->dropped[i])
			continue;
		if (!t)
			return phi_fail(r->err, PHI_ARGUMENT, "tensor %s is not there, but the graph needs it",
				phi_quote(&q, w->name));
		r->places[count] = (struct phi_onnx_place_of){ .tensor = (uint32_t)(t - r->plan->model->tensors),
			.field = PHI_ONNX_WHOLE };
		w->tensor->weight = count++;
	}
	for (size_t i = 0; i < r->nmade; i++) {
		r->places[count] = r->made[i].place;
		r->made[i].tensor->weight = count++;
	}
	return 0;
}

static int
replace_side(struct phi_onnx_rewrite *r)
{
	struct phi_model *const model = r->plan->model;
	PhiOnnx__Model *const m = r->old.model;
	struct phi_buffer bytes = { 0 };
	m->opset_import = r->opsets;
	m->n_opset_import = r->nopsets;
	if (r->ir_version && (!m->has_ir_version || m->ir_version < r->ir_version)) {
		m->has_ir_version = true;
		m->ir_version = r->ir_version;
	}
	int result = phi_onnx_build_pack(&r->scopes->b, m, &bytes);
	const void *const data = result ? NULL : phi_arena_copy(r->plan->arena, bytes.data, bytes.size, r->err);
	for (size_t i = 0; data && i < model->nsides; i++)
		if (!strcmp(model->sides[i].name, PHI_ONNX_SIDE))
			model->sides[i] = (struct phi_side){ .name = PHI_ONNX_SIDE, .data = data, .size = bytes.size };
	phi_buffer_free(&bytes);
	return data ? 0 : -1;
}

int
phi_onnx_rewrite_end(struct phi_onnx_rewrite *r)
{
	if (has_failed(r))
		return -1;
	struct phi_names *const before = phi_names_new(r->err), *const after = before ? phi_names_new(r->err) : NULL;
	const int result = after ? settle_scopes(r, before, after) : -1;
	phi_names_free(before);
	phi_names_free(after);
	return result < 0 || number(r) < 0 || replace_side(r) < 0 ? -1 : 0;
}

/* The messages' owners get their lists back: what is new is the arena's. */
void
phi_onnx_rewrite_close(struct phi_onnx_rewrite *r)
{
	for (size_t i = 0; i < r->nscopes; i++) {
		PhiOnnx__Graph *const g = r->scopes[i].graph;
		*g = r->scopes[i].was;
		phi_onnx_build_free(&r->scopes[i].b);
	}
	if (r->old.model && r->opsets) {
		r->old.model->opset_import = r->opsets_were;
		r->old.model->n_opset_import = r->nopsets_were;
	}
	phi_onnx_graph_close(&r->old);
	phi_onnx_values_free(&r->values);
	phi_names_free(r->tensors);
	phi_free(r->scopes);
	phi_free(r->made);
}
