#include "formats/onnx/write.h"

#include "formats/core/buffer.h"
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/onnx/data.h"
#include "formats/onnx/graph.h"
#include "formats/onnx/scaled.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Keys of TensorProto's fields. */
enum { RAW_DATA = 9 << 3 | 2, EXTERNAL_DATA = 13 << 3 | 2, DATA_LOCATION = 14 << 3 };

struct writing {
	struct phi_plan *plan;
	struct phi_onnx_graph graph;
	uint32_t *tensors; /* of the model, by weight */
	bool external;
	const char *location; /* of the other file */
	uint64_t *offsets;    /* in it, by tensor; UINT64_MAX: within the model */
	uint64_t next;	      /* where the next goes */
};

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

static int
match(struct writing *w, struct phi_err *err)
{
	struct phi_plan *const plan = w->plan;
	struct phi_names *const names = phi_names_new(err);
	int result = names ? 0 : -1;
	for (uint32_t i = 0; !result && i < plan->model->ntensors; i++) {
		const char *const name = plan->model->tensors[i].name;
		result = phi_names_add(names, name, strlen(name), i, err) < 0 ? -1 : 0;
	}
	w->tensors = result ? NULL : phi_arena_calloc(plan->arena, w->graph.count + 1, sizeof *w->tensors, err);
	if (!w->tensors)
		result = -1;
	for (size_t i = 0; !result && i < w->graph.count; i++) {
		const char *const name = w->graph.weights[i].name;
		struct phi_quoted q;
		w->tensors[i] = phi_names_find(names, name, strlen(name));
		result = w->tensors[i] == PHI_NONE
			? phi_fail(err, PHI_ARGUMENT, "tensor %s is not there, but the graph needs it",
				  phi_quote(&q, name))
			: compare_weight(plan, &w->graph.weights[i], &plan->model->tensors[w->tensors[i]], err);
	}
	phi_names_free(names);
	if (!result && plan->model->ntensors != w->graph.count)
		result = phi_fail(err, PHI_ARGUMENT, "the graph has a place for %zu tensors, but there are %zu",
			w->graph.count, plan->model->ntensors);
	return result;
}

/* The other file */

static int
place(struct writing *w, uint32_t tensor, struct phi_err *err)
{
	struct phi_plan *const plan = w->plan;
	const uint64_t size = plan->bytes[tensor];
	const uint32_t alias = plan->model->tensors[tensor].alias;
	w->offsets[tensor] = UINT64_MAX;
	if (size < PHI_ONNX_EXTERNAL_MIN)
		return 0;
	if (phi_plan_is_repeated(plan, tensor) && w->offsets[alias] != UINT64_MAX) {
		w->offsets[tensor] = w->offsets[alias];
		return 0;
	}
	const uint64_t alignment = plan->options.alignment ? plan->options.alignment
		: size < PHI_ONNX_SECTION ? PHI_ONNX_PAGE : PHI_ONNX_SECTION;
	if (!phi_round_up(w->next, alignment, &w->offsets[tensor]) ||
		!phi_add(w->offsets[tensor], size, &w->next))
		return phi_fail(err, PHI_LIMIT, "the tensors are too large");
	return phi_plan_add_tensor(plan, tensor, 0, w->offsets[tensor], err);
}

static int
place_all(struct writing *w, struct phi_err *err)
{
	struct phi_plan *const plan = w->plan;
	const char *const output = plan->options.output ? plan->options.output : "model.onnx";
	w->external = true;
	w->location = phi_arena_printf(plan->arena, err, "%s.data", output);
	w->offsets = phi_arena_calloc(plan->arena, plan->model->ntensors + 1, sizeof *w->offsets, err);
	if (!w->location || !w->offsets || phi_plan_add_file(plan, w->location, err) < 0)
		return -1;
	for (uint32_t i = 0; i < plan->model->ntensors; i++)
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
	const uint32_t tensor = w->tensors[found->weight];
	const uint64_t size = w->plan->bytes[tensor];
	struct phi_buffer fields = { 0 };
	int result;
	if (w->external && w->offsets[tensor] != UINT64_MAX) {
		result = put_reference(w, w->offsets[tensor], size, &fields, err);
	} else {
		result = put_varint(&fields, RAW_DATA, err) < 0 ? -1 : put_varint(&fields, size, err);
		change->weight = tensor;
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
			result = phi_plan_add_tensor(plan, e->change.weight, file, at, err);
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

int
phi_onnx_complete(struct phi_plan *plan, struct phi_err *err)
{
	const struct phi_side *const side = phi_model_side(plan->model, PHI_ONNX_SIDE);
	struct writing w = { .plan = plan };
	if (!side)
		return phi_fail(err, PHI_UNSUPPORTED, "the input has no graph of ONNX to put its weights into");
	if (phi_onnx_graph_open(&w.graph, side->data, side->size, plan->arena, err) < 0)
		return phi_context(err, "%s", PHI_ONNX_SIDE);
	int result = match(&w, err);
	if (!result && plan->options.external)
		result = place_all(&w, err);
	if (!result)
		result = lay_out(&w, err);
	if (result > 0) /* too large for one file */
		result = place_all(&w, err) < 0 ? -1 : lay_out(&w, err);
	phi_onnx_graph_close(&w.graph);
	return result;
}

/* A graph computes with the types it was made for. */
struct phi_model *
phi_onnx_lower(const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	if (options && phi_onnx_is_scaled(options->recipe))
		return phi_onnx_scaled_lower(model, options, err);
	struct phi_model *const lowered = phi_model_lower_same(model, err);
	for (size_t i = 0; lowered && i < lowered->ntensors; i++)
		lowered->tensors[i].fixed = true;
	return lowered;
}
