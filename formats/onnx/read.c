#include "formats/onnx/read.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/onnx/external.h"
#include "formats/onnx/operands.h"
#include "formats/onnx/quantized.h"

#include <inttypes.h>
#include <string.h>

/* Values of attributes are weights from here on: below, they are shapes and numbers of the graph. */
enum { ATTRIBUTE_MIN = 256 };

struct opening {
	struct phi_onnx *onnx;
	struct phi_store *store;
	struct phi_wire_file file;
	struct phi_arena *arena;
	bool odd_keys;
};

/* The numbers of elements that no rows of ours can hold are a string of bytes (odd rows of 4 bits). */
static void
shape_of(struct phi_onnx_weight_data *w, const struct phi_onnx_found *t)
{
	w->rank = t->rank;
	memcpy(w->shape, t->dims, sizeof w->shape);
	w->data_type = t->data_type;
	const struct phi_type *const type = phi_onnx_type(t->data_type);
	const uint64_t row = t->rank ? t->dims[t->rank - 1] : 1;
	if (type->elements > 1 && row % type->elements) {
		w->rank = 1;
		w->shape[0] = w->data.size;
		w->data_type = phi_onnx_type_number(phi_type_of(PHI_U8));
	}
}

static int
open_folder(struct opening *o, struct phi_err *err)
{
	struct phi_onnx *const onnx = o->onnx;
	if (!onnx->folder)
		onnx->folder = phi_store_beside(o->store, &onnx->owns_folder, err);
	return onnx->folder ? 0 : -1;
}

static int
add_weight(struct opening *o, const struct phi_onnx_found *t, struct phi_err *err)
{
	struct phi_onnx *const onnx = o->onnx;
	uint64_t bytes;
	if (onnx->ndata == PHI_TENSORS_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d weights", PHI_TENSORS_MAX);
	if (phi_grow(&onnx->data, &onnx->data_capacity, onnx->ndata, sizeof *onnx->data, err) < 0)
		return -1;
	struct phi_onnx_weight_data *const w = &onnx->data[onnx->ndata];
	*w = (struct phi_onnx_weight_data){ .file = PHI_NONE };
	if (!phi_onnx_bytes(phi_onnx_type(t->data_type), t->dims, t->rank, &bytes))
		return phi_fail(err, PHI_FORMAT, "its shape has more elements than 64 bits count");
	if (phi_onnx_data_find(&w->data, &o->file, t, bytes, o->arena, err) < 0)
		return -1;
	shape_of(w, t);
	o->odd_keys = o->odd_keys || t->odd_key;
	if (t->external && (open_folder(o, err) < 0 || phi_onnx_external(onnx, w, t, o->arena, err) < 0))
		return -1;
	onnx->ndata++;
	return 0;
}

static bool
is_weight(const struct phi_onnx_found *t)
{
	const uint64_t typed = t->typed_end - t->typed_at;
	if (!phi_onnx_type(t->data_type))
		return false;
	if (t->place == PHI_ONNX_ATTRIBUTE)
		return t->external || t->raw_size >= ATTRIBUTE_MIN || typed >= ATTRIBUTE_MIN;
	return t->place != PHI_ONNX_ELSEWHERE;
}

/* key of field 500000001, a varint */
static const uint8_t mark_key[] = { 0x88, 0xd0, 0xac, 0xf3, 0x0e };

static int
take(void *ctx, const struct phi_onnx_found *t, struct phi_onnx_change *change, struct phi_err *err)
{
	struct opening *const o = ctx;
	if (t->marked)
		return phi_fail(err, PHI_FORMAT, "a field that only our streams have (500000001)");
	if (!phi_onnx_type_name(t->data_type))
		return phi_fail(err, PHI_UNSUPPORTED, "its type, %" PRId32 ", is not known", t->data_type);
	if (!is_weight(t)) {
		if (t->external)
			return phi_fail(err, PHI_UNSUPPORTED, "external data of a tensor in this place");
		return 0;
	}
	const uint64_t number = o->onnx->ndata;
	if (add_weight(o, t, err) < 0)
		return -1;
	uint8_t *const mark = phi_arena_alloc(o->arena, sizeof mark_key + 10, err);
	if (!mark)
		return -1;
	memcpy(mark, mark_key, sizeof mark_key);
	change->bytes = mark;
	change->size = sizeof mark_key;
	uint64_t v = number;
	for (; v > 0x7f; v >>= 7)
		mark[change->size++] = (uint8_t)(v | 0x80);
	mark[change->size++] = (uint8_t)v;
	return 1;
}

/* Describing */

static int
add_storages(struct phi_onnx *onnx, struct phi_model *model, const char *file, struct phi_err *err)
{
	for (size_t i = 0; i < onnx->ndata; i++) {
		const struct phi_onnx_weight_data *const w = &onnx->data[i];
		struct phi_storage *const s = phi_model_add_storage(model, err);
		if (!s)
			return -1;
		*s = (struct phi_storage){ .file = w->file == PHI_NONE ? file : onnx->files[w->file].name,
			.offset = w->data.coded ? w->data.begin : w->data.offset, .size = w->data.size,
			.inner = (uint32_t)i };
	}
	return 0;
}

static int
add_tensors(struct phi_onnx *onnx, struct phi_model *model, struct phi_err *err)
{
	for (size_t i = 0; i < onnx->ndata; i++) {
		const struct phi_onnx_weight_data *const w = &onnx->data[i];
		struct phi_tensor *const t = phi_model_add_tensor(model, err);
		if (!t)
			return -1;
		t->name = onnx->graph.weights[i].name;
		t->type = phi_onnx_type(w->data_type);
		t->rank = w->rank;
		memcpy(t->shape, w->shape, sizeof t->shape);
		t->nplanes = 1;
		t->plane[0] = (struct phi_plane){ .storage = w->storage, .dense = true };
	}
	return 0;
}

/* How products are made with the weights. */
static int
note_products(struct phi_onnx *onnx, struct phi_model *model, struct phi_err *err)
{
	struct phi_onnx_values values = { 0 };
	const struct phi_onnx_operand *const operands = phi_onnx_values_find(&values, &onnx->graph, err) < 0
		? NULL : phi_onnx_operands(&values, false, model->arena, err);
	for (size_t i = 0; operands && i < onnx->ndata; i++)
		model->tensors[i].multiplied = operands[i].way == PHI_ONNX_TURNED ? PHI_MULTIPLIED_BY_COLUMNS
			: operands[i].product ? PHI_MULTIPLIED_BY_ROWS : PHI_MULTIPLIED_UNKNOWN;
	phi_onnx_values_free(&values);
	return operands ? 0 : -1;
}

static int
describe(struct opening *o, struct phi_model *model, struct phi_err *err)
{
	struct phi_onnx *const onnx = o->onnx;
	struct phi_onnx_edits edits = { 0 };
	phi_wire_file_open(&o->file, onnx->member);
	int result = phi_onnx_scan(&o->file, take, o, &edits, err);
	if (!result)
		result = phi_onnx_edited(&o->file, &edits, &onnx->bytes, err);
	phi_onnx_edits_free(&edits);
	const char *const file = phi_arena_strdup(model->arena, phi_member_name(onnx->member), err);
	if (result || !file || phi_model_add_side(model, PHI_ONNX_SIDE, onnx->bytes.data, onnx->bytes.size, err) < 0 ||
		phi_onnx_graph_open(&onnx->graph, onnx->bytes.data, onnx->bytes.size, model->arena, err) < 0)
		return -1;
	if (!onnx->graph.model->graph)
		return phi_fail(err, PHI_FORMAT, "a model without a graph");
	if (o->odd_keys && phi_model_warn(model, err, "external data have keys that are not known; "
						     "they are not kept") < 0)
		return -1;
	return phi_onnx_share(onnx, err) < 0 || add_storages(onnx, model, file, err) < 0 ||
			       add_tensors(onnx, model, err) < 0 || phi_onnx_keys(model, onnx->graph.model, err) < 0 ||
			       phi_onnx_packings(model, onnx->graph.model, err) < 0 ||
			       note_products(onnx, model, err) < 0
		       ? -1
		       : 0;
}

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	const struct phi_onnx *const onnx = source->state;
	const struct phi_onnx_weight_data *const w = &onnx->data[source->model->storages[storage].inner];
	if (!phi_fits(offset, n, w->data.size))
		return phi_fail(err, PHI_ARGUMENT, "read beyond the end of a storage");
	return phi_onnx_data_read(&w->data, w->file == PHI_NONE ? onnx->member : onnx->files[w->file].member,
		offset, dst, n, err);
}

static void
close_state(struct phi_source *source)
{
	struct phi_onnx *const onnx = source->state;
	phi_onnx_graph_close(&onnx->graph);
	phi_buffer_free(&onnx->bytes);
	for (size_t i = 0; i < onnx->nfiles; i++)
		phi_member_close(onnx->files[i].member);
	phi_free(onnx->files);
	phi_free(onnx->data);
	phi_member_close(onnx->member);
	if (onnx->owns_folder)
		phi_store_close(onnx->folder);
	phi_free(onnx);
}

static const struct phi_source_ops ops = {
	.read = read_storage,
	.check = phi_onnx_check,
	.layout = phi_onnx_layout,
	.graph = phi_onnx_nodes,
	.close = close_state,
};

struct phi_source *
phi_onnx_open(struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("onnx", &ops, sizeof(struct phi_onnx), err);
	(void)options;
	if (!source)
		return NULL;
	struct opening *const o = phi_calloc(1, sizeof *o, err);
	struct phi_onnx *const onnx = source->state;
	int result = -1;
	if (o) {
		o->onnx = onnx;
		o->store = store;
		o->arena = source->model->arena;
		source->model->name = phi_arena_strdup(o->arena, phi_store_base(store), err);
		onnx->member = source->model->name ? phi_store_member(store, NULL, err) : NULL;
		result = onnx->member ? describe(o, source->model, err) : -1;
	}
	phi_free(o);
	if (!result)
		return source;
	phi_source_close(source);
	return NULL;
}
