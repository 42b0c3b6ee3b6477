#include "formats/onnx/write.h"

#include "formats/core/buffer.h"
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/onnx/data.h"
#include "formats/onnx/graph_lower.h"
#include "formats/onnx/half.h"
#include "formats/onnx/rewrite.h"
#include "formats/onnx/scaled.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Keys of TensorProto's fields. */
enum { RAW_DATA = 9 << 3 | 2, EXTERNAL_DATA = 13 << 3 | 2, DATA_LOCATION = 14 << 3 };

struct writing {
	struct phi_plan *plan;
	struct phi_onnx_graph graph;
	const struct phi_onnx_place_of *places; /* by weight: what its bytes are */
	bool external;
	const char *location; /* of the other file */
	uint64_t *offsets;    /* in it, by weight; UINT64_MAX: within the model */
	uint32_t *firsts; /* by tensor and field: the weight that was placed for it, or PHI_NONE */
	uint64_t next;	      /* where the next goes */
};

static bool
size_of_weight(const struct phi_onnx_weight *w, uint64_t *bytes)
{
	uint64_t shape[PHI_RANK_MAX];
	const PhiOnnx__Tensor *const p = w->tensor;
	const struct phi_type *const type = phi_onnx_type(p->data_type);
	for (size_t i = 0; i < p->n_dims && i < PHI_RANK_MAX; i++)
		shape[i] = (uint64_t)p->dims[i];
	return type && p->n_dims <= PHI_RANK_MAX && phi_onnx_bytes(type, shape, (unsigned)p->n_dims, bytes);
}

/* Is the tensor what the graph says of the weight? As read.c describes them: odd rows of 4 bits are bytes. */
static int
compare_weight(const struct phi_plan *plan, const struct phi_onnx_weight *w, const struct phi_tensor *t,
	struct phi_err *err)
{
	const PhiOnnx__Tensor *const p = w->tensor;
	const struct phi_type *const type = phi_onnx_type(p->data_type);
	struct phi_quoted q;
	char have[128];
	uint64_t shape[PHI_RANK_MAX], bytes;
	unsigned rank = 0;
	if (!type || p->n_dims > PHI_RANK_MAX)
		return phi_fail(err, PHI_FORMAT, "weight %s of the graph has no type or shape", phi_quote(&q, w->name));
	for (; rank < p->n_dims; rank++)
		shape[rank] = (uint64_t)p->dims[rank];
	const uint64_t row = rank ? shape[rank - 1] : 1;
	const bool as_bytes = type->elements > 1 && row % type->elements;
	if (as_bytes) {
		const uint64_t n = phi_onnx_bytes(type, shape, rank, &bytes) ? bytes : UINT64_MAX;
		rank = 1;
		shape[0] = n;
	}
	if (t->type != (as_bytes ? phi_type_of(PHI_U8) : type))
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: %s, where the graph of %s computes with %s",
			phi_quote(&q, t->name), t->type->name, plan->format->name, type->name);
	if (t->rank != rank || memcmp(t->shape, shape, rank * sizeof *shape) != 0)
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: of shape %s, where the graph has another",
			phi_quote(&q, t->name), phi_tensor_shape(t, have, sizeof have));
	return 0;
}

static uint64_t
bytes_of_field(const struct phi_plan *plan, const struct phi_onnx_place_of *place)
{
	return (place->turned ? phi_plan_turned_bytes : phi_plan_field_bytes)(plan, place->tensor, (unsigned)place->field);
}

/* A field of blocks: is it as many bytes as the graph says? */
static int
compare_field(const struct phi_plan *plan, const struct phi_onnx_weight *w, const struct phi_onnx_place_of *place,
	struct phi_err *err)
{
	uint64_t bytes;
	struct phi_quoted q;
	if (size_of_weight(w, &bytes) && bytes == bytes_of_field(plan, place))
		return 0;
	return phi_fail(err, PHI_FORMAT, "weight %s of the graph has another size than its data", phi_quote(&q, w->name));
}

/* Each weight of the graph is the tensor of its name, and there are no more. */
static int
match(struct writing *w, struct phi_err *err)
{
	struct phi_plan *const plan = w->plan;
	struct phi_names *const names = phi_names_new(err);
	struct phi_onnx_place_of *places = NULL;
	int result = names ? 0 : -1;
	for (uint32_t i = 0; !result && i < plan->model->ntensors; i++) {
		const char *const name = plan->model->tensors[i].name;
		result = phi_names_add(names, name, strlen(name), i, err) < 0 ? -1 : 0;
	}
	if (!result)
		places = phi_arena_calloc(plan->arena, w->graph.count + 1, sizeof *places, err);
	w->places = places;
	if (!places)
		result = -1;
	for (size_t i = 0; !result && i < w->graph.count; i++) {
		const char *const name = w->graph.weights[i].name;
		struct phi_quoted q;
		places[i] = (struct phi_onnx_place_of){ .field = PHI_ONNX_WHOLE,
			.tensor = phi_names_find(names, name, strlen(name)) };
		if (places[i].tensor == PHI_NONE)
			result = phi_fail(err, PHI_ARGUMENT, "tensor %s is not there, but the graph needs it",
				phi_quote(&q, name));
	}
	phi_names_free(names);
	if (!result && plan->model->ntensors != w->graph.count)
		result = phi_fail(err, PHI_ARGUMENT, "the graph has a place for %zu tensors, but there are %zu",
			w->graph.count, plan->model->ntensors);
	return result;
}

static int
compare(const struct writing *w, struct phi_err *err)
{
	for (size_t i = 0; i < w->graph.count; i++) {
		const struct phi_onnx_place_of *const p = &w->places[i];
		if ((p->field == PHI_ONNX_WHOLE
				    ? compare_weight(w->plan, &w->graph.weights[i], &w->plan->model->tensors[p->tensor], err)
				    : compare_field(w->plan, &w->graph.weights[i], p, err)) < 0)
			return -1;
	}
	return 0;
}

static uint64_t
size_of(const struct writing *w, size_t weight)
{
	const struct phi_onnx_place_of *const p = &w->places[weight];
	return p->field == PHI_ONNX_WHOLE ? w->plan->bytes[p->tensor] : bytes_of_field(w->plan, p);
}

/* The item of a weight's bytes. */
static int
add_data(const struct writing *w, size_t weight, unsigned file, uint64_t offset, struct phi_err *err)
{
	const struct phi_onnx_place_of *const p = &w->places[weight];
	if (p->field == PHI_ONNX_WHOLE)
		return phi_plan_add_tensor(w->plan, p->tensor, file, offset, err);
	const char *const name = w->graph.weights[weight].name;
	return p->turned ? phi_plan_add_turned(w->plan, p->tensor, (unsigned)p->field, p->sign, name, file, offset, err)
			 : phi_plan_add_field(w->plan, p->tensor, (unsigned)p->field, name, file, offset, err);
}

/* The other file */

enum { FIRSTS = PHI_FIELDS_MAX - PHI_ONNX_WHOLE }; /* of a tensor */

static uint32_t *
first_of(const struct writing *w, uint32_t tensor, int field)
{
	return &w->firsts[(size_t)tensor * FIRSTS + (size_t)(field - PHI_ONNX_WHOLE)];
}

/* The weight placed before with the same bytes, or PHI_NONE. */
static uint32_t
same_bytes(const struct writing *w, uint32_t weight)
{
	const struct phi_onnx_place_of *const p = &w->places[weight];
	const bool tied = phi_plan_is_repeated(w->plan, p->tensor);
	return tied ? *first_of(w, w->plan->model->tensors[p->tensor].alias, p->field) : PHI_NONE;
}

static int
place(struct writing *w, uint32_t weight, struct phi_err *err)
{
	struct phi_plan *const plan = w->plan;
	const uint64_t size = size_of(w, weight);
	const uint32_t same = same_bytes(w, weight);
	w->offsets[weight] = UINT64_MAX;
	/* Fields go where their tensor goes: all of them are tied, or none. */
	if (plan->bytes[w->places[weight].tensor] < PHI_ONNX_EXTERNAL_MIN)
		return 0;
	if (same != PHI_NONE) {
		w->offsets[weight] = w->offsets[same];
		return 0;
	}
	const uint64_t alignment = plan->options.alignment ? plan->options.alignment
		: size < PHI_ONNX_SECTION ? PHI_ONNX_PAGE : PHI_ONNX_SECTION;
	if (!phi_round_up(w->next, alignment, &w->offsets[weight]) ||
		!phi_add(w->offsets[weight], size, &w->next))
		return phi_fail(err, PHI_LIMIT, "the tensors are too large");
	*first_of(w, w->places[weight].tensor, w->places[weight].field) = weight;
	return add_data(w, weight, 0, w->offsets[weight], err);
}

static int
place_all(struct writing *w, struct phi_err *err)
{
	struct phi_plan *const plan = w->plan;
	const char *const output = plan->options.output ? plan->options.output : "model.onnx";
	w->external = true;
	w->location = phi_arena_printf(plan->arena, err, "%s.data", output);
	w->offsets = phi_arena_calloc(plan->arena, w->graph.count + 1, sizeof *w->offsets, err);
	w->firsts = phi_arena_calloc(plan->arena, plan->model->ntensors + 1, FIRSTS * sizeof *w->firsts, err);
	if (!w->location || !w->offsets || !w->firsts || phi_plan_add_file(plan, w->location, err) < 0)
		return -1;
	memset(w->firsts, 0xff, (plan->model->ntensors + 1) * FIRSTS * sizeof *w->firsts);
	for (uint32_t i = 0; i < w->graph.count; i++)
		if (place(w, i, err) < 0)
			return -1;
	return 0;
}

/* Fields */

static int
put_varint(struct phi_buffer *out, uint64_t v, struct phi_err *err)
{
	uint8_t bytes[10];
	size_t n = 0;
	for (; v > 0x7f; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	return phi_buffer_append(out, bytes, n, err);
}

/* Keys and values are short. */
static int
put_entry(struct phi_buffer *out, const char *key, const char *value, struct phi_err *err)
{
	const size_t k = strlen(key), v = strlen(value);
	uint64_t sizes = 2 + k + 1 + 1 + (v > 0x7f) + v;
	return put_varint(out, EXTERNAL_DATA, err) < 0 || put_varint(out, sizes, err) < 0 ||
			       put_varint(out, 1 << 3 | 2, err) < 0 || put_varint(out, k, err) < 0 ||
			       phi_buffer_append(out, key, k, err) < 0 || put_varint(out, 2 << 3 | 2, err) < 0 ||
			       put_varint(out, v, err) < 0 || phi_buffer_append(out, value, v, err) < 0
		       ? -1
		       : 0;
}

static int
put_reference(struct writing *w, uint64_t offset, uint64_t size, struct phi_buffer *out, struct phi_err *err)
{
	char number[24], length[24];
	snprintf(number, sizeof number, "%" PRIu64, offset);
	snprintf(length, sizeof length, "%" PRIu64, size);
	return put_entry(out, "location", w->location, err) < 0 || put_entry(out, "offset", number, err) < 0 ||
			       put_entry(out, "length", length, err) < 0 || put_varint(out, DATA_LOCATION, err) < 0 ||
			       put_varint(out, 1, err) < 0
		       ? -1
		       : 0;
}

static int
put_weight(void *ctx, const struct phi_onnx_found *found, struct phi_onnx_change *change, struct phi_err *err)
{
	struct writing *const w = ctx;
	if (!found->marked)
		return 0;
	const uint32_t weight = (uint32_t)found->weight;
	const uint64_t size = size_of(w, weight);
	struct phi_buffer fields = { 0 };
	int result;
	if (w->external && w->offsets[weight] != UINT64_MAX) {
		result = put_reference(w, w->offsets[weight], size, &fields, err);
	} else {
		result = put_varint(&fields, RAW_DATA, err) < 0 ? -1 : put_varint(&fields, size, err);
		change->weight = weight;
		change->data = size;
	}
	change->bytes = result ? NULL : phi_arena_copy(w->plan->arena, fields.data, fields.size, err);
	change->size = fields.size;
	phi_buffer_free(&fields);
	return change->bytes ? 1 : -1;
}

/* Items */

static int
add_literal(struct writing *w, unsigned file, uint64_t *at, const void *bytes, size_t n, struct phi_err *err)
{
	if (!n)
		return 0;
	if (phi_plan_add_literal(w->plan, "graph", file, *at, bytes, n, err) < 0)
		return -1;
	*at += n;
	return 0;
}

/* Between two tensors all is one literal: the graph's bytes with the edits of them. */
static int
add_items(struct writing *w, const struct phi_onnx_edits *edits, struct phi_err *err)
{
	struct phi_plan *const plan = w->plan;
	const unsigned file = plan->nfiles;
	struct phi_buffer run = { 0 };
	uint64_t from = 0, at = 0;
	int result = phi_plan_add_file(plan, NULL, err);
	for (size_t i = 0; !result && i <= edits->count; i++) {
		const struct phi_onnx_edit *const e = i < edits->count ? &edits->items[i] : NULL;
		const uint64_t end = e ? e->at : w->graph.size;
		const bool data = e && e->change.data;
		result = phi_buffer_append(&run, w->graph.bytes + from, (size_t)(end - from), err);
		if (!result && e)
			result = phi_buffer_append(&run, e->change.bytes ? e->change.bytes : e->length,
				e->change.size, err);
		from = e ? e->at + e->removed : end;
		if (result || (e && !data))
			continue;
		const void *const bytes = phi_arena_copy(plan->arena, run.data, run.size, err);
		result = bytes ? add_literal(w, file, &at, bytes, run.size, err) : -1;
		run.size = 0;
		if (!result && data) {
			result = add_data(w, e->change.weight, file, at, err);
			at += e->change.data;
		}
	}
	phi_buffer_free(&run);
	return result;
}

static int
lay_out(struct writing *w, struct phi_err *err)
{
	struct phi_onnx_edits edits = { 0 };
	struct phi_wire_file *const file = phi_calloc(1, sizeof *file, err);
	int result = file ? 0 : -1;
	if (!result) {
		phi_wire_file_lend(file, w->graph.bytes, w->graph.size);
		result = phi_onnx_scan(file, put_weight, w, &edits, err);
	}
	if (!result && edits.size > PHI_ONNX_FILE_MAX) {
		if (w->external)
			result = phi_fail(err, PHI_UNSUPPORTED, "the graph alone has %" PRIu64
				" bytes, more than protobuf allows", edits.size);
		else
			result = 1;
	}
	if (!result)
		result = add_items(w, &edits, err);
	phi_onnx_edits_free(&edits);
	phi_free(file);
	return result;
}

/* For the types chosen. */
static int
rewrite(struct phi_plan *plan, struct phi_onnx_place_of **places, struct phi_err *err)
{
	return phi_onnx_is_scaled(plan->model->recipe) ? phi_onnx_scale_graph(plan, places, err)
						       : phi_onnx_quantize_graph(plan, places, err);
}

static int
complete(struct writing *w, struct phi_err *err)
{
	struct phi_plan *const plan = w->plan;
	struct phi_onnx_place_of *places = NULL;
	const bool lowered = !strcmp(plan->model->view, "onnx");
	if (lowered && rewrite(plan, &places, err) < 0)
		return -1;
	w->places = places;
	const struct phi_side *const side = phi_model_side(plan->model, PHI_ONNX_SIDE);
	if (phi_onnx_graph_open(&w->graph, side->data, side->size, plan->arena, err) < 0)
		return phi_context(err, "%s", PHI_ONNX_SIDE);
	int result = (!lowered && match(w, err) < 0) || compare(w, err) < 0 ? -1 : 0;
	if (!result && plan->options.external)
		result = place_all(w, err);
	if (!result)
		result = lay_out(w, err);
	if (result > 0) /* too large for one file */
		result = place_all(w, err) < 0 ? -1 : lay_out(w, err);
	phi_onnx_graph_close(&w->graph);
	return result;
}

int
phi_onnx_complete(struct phi_plan *plan, struct phi_err *err)
{
	struct writing w = { .plan = plan };
	if (!phi_model_side(plan->model, PHI_ONNX_SIDE))
		return phi_fail(err, PHI_UNSUPPORTED, "the input has no graph of ONNX to put its weights into");
	return complete(&w, err);
}

/* Weights from elsewhere get the types that the graph has them in; how it has them, compare() sees. */
static int
take_types(struct phi_model *lowered, struct phi_err *err)
{
	const struct phi_side *const side = phi_model_side(lowered, PHI_ONNX_SIDE);
	struct phi_onnx_graph graph = { 0 };
	if (!side || phi_onnx_graph_open(&graph, side->data, side->size, lowered->arena, err) < 0)
		return side ? -1 : 0;
	for (size_t i = 0; i < graph.count && i < lowered->ntensors; i++) {
		const struct phi_type *const type = phi_onnx_type(graph.weights[i].tensor->data_type);
		struct phi_tensor *const t = &lowered->tensors[i];
		if (type && type->class == PHI_CLASS_FLOAT && !strcmp(t->name, graph.weights[i].name))
			t->type = type;
	}
	phi_onnx_graph_close(&graph);
	return 0;
}

/* A graph computes with the types it was made for, but for weights that are to be quantized. */
struct phi_model *
phi_onnx_lower(const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	const char *const recipe = options ? options->recipe : NULL;
	const bool asked = recipe && strcmp(recipe, "f32") && strcmp(recipe, "f16");
	if (phi_onnx_is_scaled(recipe ? recipe : model->recipe))
		return phi_onnx_scaled_lower(model, options, err);
	if (phi_onnx_is_float_recipe(recipe) && phi_model_side(model, PHI_ONNX_SIDE))
		return phi_onnx_half_lower(model, options, err);
	struct phi_model *const lowered = phi_model_lower_same(model, err);
	if (!lowered)
		return NULL;
	if (phi_model_side(model, PHI_ONNX_SIDE) && (asked || !strcmp(model->view, "onnx"))) {
		if (!phi_onnx_lower_weights(lowered, options, err))
			return lowered;
		phi_model_free(lowered);
		return NULL;
	}
	for (size_t i = 0; i < lowered->ntensors; i++)
		lowered->tensors[i].fixed = true;
	if (!strcmp(model->format, "template") && take_types(lowered, err) < 0) {
		phi_model_free(lowered);
		return NULL;
	}
	return lowered;
}
