#include "formats/onnx/build.h"

#include "formats/core/bytes.h"
#include "formats/core/memory.h"
#include "formats/onnx/data.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { /* AttributeProto.type */
	ATTRIBUTE_FLOAT = 1,
	ATTRIBUTE_INT = 2,
	ATTRIBUTE_STRING = 3,
	ATTRIBUTE_GRAPH = 5,
};
enum { ATTRIBUTES_MAX = 16, OUTPUTS_MAX = 4, EXTERNAL = 1 };

static char nothing[1];

void
phi_onnx_build_init(struct phi_onnx_build *b, struct phi_arena *arena, const char *name, struct phi_err *err)
{
	*b = (struct phi_onnx_build){ .arena = arena, .err = err };
	phi_onnx__graph__init(&b->graph);
	b->graph.name = phi_onnx_text(b, "%s", name);
}

void
phi_onnx_build_free(struct phi_onnx_build *b)
{
	phi_free(b->graph.node);
	phi_free(b->graph.input);
	phi_free(b->graph.output);
	phi_free(b->graph.initializer);
	phi_onnx__graph__init(&b->graph);
}

char *
phi_onnx_text(struct phi_onnx_build *b, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	const int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	char *const text = b->failed || n < 0 ? NULL : phi_arena_alloc(b->arena, (size_t)n + 1, b->err);
	if (text)
		vsnprintf(text, (size_t)n + 1, fmt, again);
	va_end(again);
	b->failed = !text;
	return text ? text : nothing;
}

/* A zeroed element of the arena; NULL after a failure. */
static void *
make(struct phi_onnx_build *b, size_t count, size_t size)
{
	void *const p = b->failed ? NULL : phi_arena_calloc(b->arena, count, size, b->err);
	b->failed = !p;
	return p;
}

/* Room for one more in a list of pointers. */
static bool
grow(struct phi_onnx_build *b, void *list, size_t *capacity, size_t count)
{
	if (!b->failed)
		b->failed = phi_grow(list, capacity, count, sizeof(void *), b->err) < 0;
	return !b->failed;
}

char *
phi_onnx_node(struct phi_onnx_build *b, const char *op, const char *name, const char *const *inputs)
{
	static const char contrib[] = "com.microsoft:";
	const bool is_contrib = !strncmp(op, contrib, sizeof contrib - 1);
	size_t n = 0;
	while (inputs[n])
		n++;
	PhiOnnx__Node *const node = make(b, 1, sizeof *node);
	char **const in = make(b, n + 1, sizeof *in), **const out = make(b, OUTPUTS_MAX, sizeof *out);
	PhiOnnx__Attribute **const attributes = make(b, ATTRIBUTES_MAX, sizeof *attributes);
	if (!grow(b, &b->graph.node, &b->nodes, b->graph.n_node))
		return nothing;
	phi_onnx__node__init(node);
	for (size_t i = 0; i < n; i++)
		in[i] = phi_onnx_text(b, "%s", inputs[i]);
	node->name = phi_onnx_text(b, "%s", name);
	node->op_type = phi_onnx_text(b, "%s", is_contrib ? op + sizeof contrib - 1 : op);
	node->domain = is_contrib ? phi_onnx_text(b, "com.microsoft") : NULL;
	node->n_input = n;
	node->input = in;
	node->output = out;
	node->attribute = attributes;
	out[node->n_output++] = phi_onnx_text(b, "%s/output_0", name);
	b->graph.node[b->graph.n_node++] = b->last = node;
	return out[0];
}

void
phi_onnx_append(struct phi_onnx_build *b, PhiOnnx__Node *node)
{
	if (grow(b, &b->graph.node, &b->nodes, b->graph.n_node))
		b->graph.node[b->graph.n_node++] = b->last = node;
}

void
phi_onnx_node_output(struct phi_onnx_build *b, const char *name)
{
	char *const copy = phi_onnx_text(b, "%s", name);
	if (!b->failed)
		b->last->output[b->last->n_output++] = copy;
}

void
phi_onnx_rename(struct phi_onnx_build *b, const char *name)
{
	char *const copy = phi_onnx_text(b, "%s", name);
	if (!b->failed)
		b->last->output[0] = copy;
}

static PhiOnnx__Attribute *
attribute(struct phi_onnx_build *b, const char *name, int32_t type)
{
	PhiOnnx__Attribute *const a = make(b, 1, sizeof *a);
	char *const copy = phi_onnx_text(b, "%s", name);
	if (b->failed)
		return NULL;
	phi_onnx__attribute__init(a);
	a->name = copy;
	a->has_type = true;
	a->type = type;
	return b->last->attribute[b->last->n_attribute++] = a;
}

void
phi_onnx_int(struct phi_onnx_build *b, const char *name, int64_t value)
{
	PhiOnnx__Attribute *const a = attribute(b, name, ATTRIBUTE_INT);
	if (a) {
		a->has_i = true;
		a->i = value;
	}
}

void
phi_onnx_float(struct phi_onnx_build *b, const char *name, double value)
{
	PhiOnnx__Attribute *const a = attribute(b, name, ATTRIBUTE_FLOAT);
	if (a) {
		a->has_f = true;
		a->f = (float)value;
	}
}

void
phi_onnx_string(struct phi_onnx_build *b, const char *name, const char *value)
{
	PhiOnnx__Attribute *const a = attribute(b, name, ATTRIBUTE_STRING);
	char *const copy = phi_onnx_text(b, "%s", value);
	if (a) {
		a->has_s = true;
		a->s = (ProtobufCBinaryData){ strlen(copy), (uint8_t *)copy };
	}
}

/* A list's copy in the arena. */
static void *
settle(struct phi_onnx_build *b, const void *list, size_t n)
{
	void *const copy = make(b, n + 1, sizeof(void *));
	if (copy && n)
		memcpy(copy, list, n * sizeof(void *));
	return copy;
}

void
phi_onnx_subgraph(struct phi_onnx_build *b, const char *name, struct phi_onnx_build *graph)
{
	PhiOnnx__Attribute *const a = attribute(b, name, ATTRIBUTE_GRAPH);
	PhiOnnx__Graph *const g = make(b, 1, sizeof *g);
	b->failed = b->failed || graph->failed;
	if (!b->failed) {
		*g = graph->graph;
		g->node = settle(b, graph->graph.node, graph->graph.n_node);
		g->output = settle(b, graph->graph.output, graph->graph.n_output);
		a->g = g;
	}
	phi_onnx_build_free(graph);
}

static PhiOnnx__Shape *
shape(struct phi_onnx_build *b, const struct phi_onnx_dim *dims, size_t n)
{
	PhiOnnx__Shape *const s = make(b, 1, sizeof *s);
	PhiOnnx__Dimension **const list = make(b, n + 1, sizeof *list);
	if (b->failed)
		return NULL;
	phi_onnx__shape__init(s);
	s->dim = list;
	for (; s->n_dim < n; s->n_dim++) {
		const struct phi_onnx_dim *const dim = &dims[s->n_dim];
		PhiOnnx__Dimension *const d = make(b, 1, sizeof *d);
		if (!d)
			return NULL;
		phi_onnx__dimension__init(d);
		d->dim_param = dim->name ? phi_onnx_text(b, "%s", dim->name) : NULL;
		d->has_dim_value = !dim->name;
		d->dim_value = (int64_t)dim->size;
		list[s->n_dim] = d;
	}
	return s;
}

static PhiOnnx__ValueInfo *
value_info(struct phi_onnx_build *b, const char *name, int32_t type, const struct phi_onnx_dim *dims, size_t n)
{
	PhiOnnx__ValueInfo *const v = make(b, 1, sizeof *v);
	PhiOnnx__Type *const t = make(b, 1, sizeof *t);
	PhiOnnx__TensorType *const tensor = make(b, 1, sizeof *tensor);
	if (b->failed)
		return NULL;
	phi_onnx__value_info__init(v);
	phi_onnx__type__init(t);
	phi_onnx__tensor_type__init(tensor);
	v->name = phi_onnx_text(b, "%s", name);
	v->type = t;
	t->tensor_type = tensor;
	tensor->has_elem_type = true;
	tensor->elem_type = type;
	tensor->shape = dims ? shape(b, dims, n) : NULL;
	return v;
}

void
phi_onnx_build_input(struct phi_onnx_build *b, const char *name, int32_t type, const struct phi_onnx_dim *dims, size_t n)
{
	PhiOnnx__ValueInfo *const v = value_info(b, name, type, dims, n);
	if (grow(b, &b->graph.input, &b->inputs, b->graph.n_input))
		b->graph.input[b->graph.n_input++] = v;
}

void
phi_onnx_build_output(struct phi_onnx_build *b, const char *name, int32_t type, const struct phi_onnx_dim *dims,
	size_t n)
{
	PhiOnnx__ValueInfo *const v = value_info(b, name, type, dims, n);
	if (grow(b, &b->graph.output, &b->outputs, b->graph.n_output))
		b->graph.output[b->graph.n_output++] = v;
}

PhiOnnx__Tensor *
phi_onnx_initializer(struct phi_onnx_build *b, const char *name, int32_t type, const uint64_t *dims, size_t n)
{
	PhiOnnx__Tensor *const t = make(b, 1, sizeof *t);
	int64_t *const list = make(b, n + 1, sizeof *list);
	char *const copy = phi_onnx_text(b, "%s", name);
	if (!grow(b, &b->graph.initializer, &b->initializers, b->graph.n_initializer))
		return NULL;
	phi_onnx__tensor__init(t);
	for (size_t i = 0; i < n; i++)
		list[i] = (int64_t)dims[i];
	t->n_dims = n;
	t->dims = list;
	t->has_data_type = true;
	t->data_type = type;
	t->name = copy;
	return b->graph.initializer[b->graph.n_initializer++] = t;
}

static void
set_raw(PhiOnnx__Tensor *t, uint8_t *bytes, size_t size)
{
	t->has_raw_data = true;
	t->raw_data = (ProtobufCBinaryData){ size, bytes };
}

char *
phi_onnx_ints(struct phi_onnx_build *b, const char *name, const int64_t *values, size_t n, bool scalar)
{
	const uint64_t dims[] = { n };
	uint8_t *const bytes = make(b, n, 8);
	PhiOnnx__Tensor *const t =
		phi_onnx_initializer(b, name, phi_onnx_type_number(phi_type_of(PHI_I64)), dims, scalar ? 0 : 1);
	if (b->failed)
		return nothing;
	for (size_t i = 0; i < n; i++)
		phi_store64(bytes + 8 * i, (uint64_t)values[i]);
	set_raw(t, bytes, 8 * n);
	return t->name;
}

/* Of F16: numbers that are exact in it, zeros and infinities among them, above the subnormal ones. */
static uint16_t
exact_half(double value)
{
	int exponent;
	const uint16_t sign = signbit(value) ? 0x8000 : 0;
	const double m = frexp(fabs(value), &exponent);
	if (value == 0 || isinf(value))
		return (uint16_t)(sign | (value == 0 ? 0 : 0x7c00));
	return (uint16_t)(sign + (unsigned)((exponent + 13) * 1024) + (unsigned)lrint(m * 2048));
}

char *
phi_onnx_real(struct phi_onnx_build *b, const char *name, const struct phi_type *type, double value)
{
	uint8_t *const bytes = make(b, 1, 4);
	PhiOnnx__Tensor *const t = phi_onnx_initializer(b, name, phi_onnx_type_number(type), NULL, 0);
	if (b->failed)
		return nothing;
	if (type->id == PHI_F16)
		phi_store16(bytes, exact_half(value));
	else
		phi_store32(bytes, phi_bits32((float)value));
	set_raw(t, bytes, type->bytes);
	return t->name;
}

char *
phi_onnx_raw(struct phi_onnx_build *b, const char *name, const struct phi_type *type, const uint64_t *dims, unsigned rank,
	uint8_t *bytes)
{
	uint64_t size = type->bytes;
	PhiOnnx__Tensor *const t = phi_onnx_initializer(b, name, phi_onnx_type_number(type), dims, rank);
	if (b->failed)
		return nothing;
	for (unsigned i = 0; i < rank; i++)
		size *= dims[i];
	set_raw(t, bytes, (size_t)size);
	return t->name;
}

void
phi_onnx_attributes(struct phi_onnx_build *b, const PhiOnnx__Node *of)
{
	if (b->failed)
		return;
	b->last->n_attribute = of->n_attribute;
	b->last->attribute = of->attribute;
}

PhiOnnx__Node *
phi_onnx_copy(struct phi_onnx_build *b, const PhiOnnx__Node *node)
{
	PhiOnnx__Node *const copy = make(b, 1, sizeof *copy);
	char **const in = make(b, node->n_input + 1, sizeof *in), **const out = make(b, node->n_output + 1, sizeof *out);
	if (b->failed)
		return NULL;
	*copy = *node;
	copy->input = in;
	copy->output = out;
	for (size_t i = 0; i < node->n_input; i++)
		in[i] = node->input[i];
	for (size_t i = 0; i < node->n_output; i++)
		out[i] = node->output[i];
	return copy;
}

PhiOnnx__Entry *
phi_onnx_entry(struct phi_onnx_build *b, const char *key, const char *value)
{
	PhiOnnx__Entry *const e = make(b, 1, sizeof *e);
	if (!e)
		return NULL;
	phi_onnx__entry__init(e);
	e->key = phi_onnx_text(b, "%s", key);
	e->value = phi_onnx_text(b, "%s", value);
	return e;
}

char *
phi_onnx_beside(struct phi_onnx_build *b, const char *name, int32_t type, const uint64_t *dims, unsigned rank,
	const char *file, uint64_t offset, uint64_t size, const char *key, const char *value)
{
	PhiOnnx__Tensor *const t = phi_onnx_initializer(b, name, type, dims, rank);
	PhiOnnx__Entry **const list = make(b, 3, sizeof *list), **const noted = make(b, 1, sizeof *noted);
	char number[2][24];
	snprintf(number[0], sizeof number[0], "%" PRIu64, offset);
	snprintf(number[1], sizeof number[1], "%" PRIu64, size);
	if (b->failed)
		return nothing;
	list[0] = phi_onnx_entry(b, "location", file);
	list[1] = phi_onnx_entry(b, "offset", number[0]);
	list[2] = phi_onnx_entry(b, "length", number[1]);
	t->external_data = list;
	t->n_external_data = 3;
	t->has_data_location = true;
	t->data_location = EXTERNAL;
	if (value) {
		noted[0] = phi_onnx_entry(b, key, value);
		t->metadata_props = noted;
		t->n_metadata_props = 1;
	}
	return t->name;
}

int
phi_onnx_build_pack(struct phi_onnx_build *b, const PhiOnnx__Model *model, struct phi_buffer *out)
{
	if (b->failed)
		return -1;
	const size_t n = phi_onnx__model__get_packed_size(model);
	if (n > INT32_MAX)
		return phi_fail(b->err, PHI_LIMIT, "the graph takes %zu bytes, a file holds 2 GiB", n);
	if (phi_buffer_zeros(out, n, b->err))
		return -1;
	phi_onnx__model__pack(model, out->data + out->size - n);
	return 0;
}
