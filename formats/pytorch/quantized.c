/* Tensors quantized by torch (facts/pytorch_tf.md 1.4):
 *
 *   torch._utils _rebuild_qtensor   (storage, offset, size, stride, scheme, requires_grad, hooks)
 *       scheme   (per_tensor_affine, scale, zero point), or
 *                (per_channel_affine, scales, zero points, axis); both are tensors
 *
 * Such a tensor is one of a packed type (formats/core/packed.h): codes as they lie in the file, scales
 * and zero points in a made storage, as F32, one pair or one a channel. torch computes by channel in
 * F64 and rounds once: the two differ by an ulp where a scale is no F32. The codes of quint4x2 and
 * quint2x4 follow each other without regard to rows: they are widened to a byte each.
 *
 * What cannot be put so (qint32, of which F32 loses bits) is shown as its integers. */
#include "formats/pytorch/view.h"

#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <string.h>

struct phi_torch_pending {
	const char *name;
	uint8_t *scales, *zeros; /* channels * repeats numbers each */
	uint64_t channels, repeats;
	struct phi_tensor read[2]; /* the scales and the zero points, as the file has them */
};

struct quantized {
	struct phi_torch_view view;
	struct phi_tensor tensor;
	struct phi_packed packed;
	bool channels;
	uint64_t axis;
	double scale;
	int64_t zero;
	const struct phi_pickle *scales, *zeros; /* of channels */
};

static bool
read_scheme(struct quantized *q, const struct phi_pickle *scheme)
{
	const struct phi_pickle *const kind = phi_pickle_item(scheme, 0);
	const struct phi_pickle *const a = phi_pickle_item(scheme, 1);
	const struct phi_pickle *const b = phi_pickle_item(scheme, 2);
	if (phi_pickle_is_global(kind, "torch per_tensor_affine")) {
		if (!a || a->kind != PHI_PICKLE_FLOAT || !b || b->kind != PHI_PICKLE_INT)
			return false;
		q->scale = a->f;
		q->zero = b->i;
		return true;
	}
	q->channels = true;
	q->scales = a;
	q->zeros = b;
	return (phi_pickle_is_global(kind, "torch per_channel_affine") ||
		       phi_pickle_is_global(kind, "torch per_channel_affine_float_qparams")) &&
	       phi_torch_whole_number(phi_pickle_item(scheme, 3), &q->axis) &&
	       q->axis < q->view.rank;
}

/* The matrices of the tensor: those whose rows, or columns, are the channels. */
static bool
split(struct quantized *q)
{
	struct phi_packed *const p = &q->packed;
	const struct phi_torch_view *const v = &q->view;
	uint64_t before = 1, after = 1;
	const unsigned last = v->rank ? v->rank - 1 : 0;
	const unsigned at = q->channels ? (unsigned)q->axis : last;
	for (unsigned d = 0; d < v->rank; d++)
		if (d != at && !phi_mul(d < at ? before : after, v->size[d],
				       d < at ? &before : &after))
			return false;
	const uint64_t n = v->rank ? v->size[at] : 1;
	const bool columns = !q->channels || at == last;
	p->matrices = columns ? 1 : before;
	p->rows = columns ? before : n;
	p->columns = columns ? n : after;
	return phi_mul(p->matrices, p->rows, &p->elements) &&
	       phi_mul(p->elements, p->columns, &p->elements) && p->elements;
}

static void
set_plane(struct quantized *q, enum phi_packed_role role, enum phi_type_id cell, unsigned bits)
{
	struct phi_packed *const p = &q->packed;
	const bool columns = p->matrices == 1 && q->axis + 1 == q->view.rank;
	struct phi_packed_plane *const plane = &p->plane[p->nplanes++];
	*plane = (struct phi_packed_plane){ .role = role, .type = phi_type_of(cell), .bits = bits,
		.block = { 1, 1 } };
	if (role == PHI_PACKED_CODES)
		return;
	plane->whole = !q->channels;
	plane->cells[0] = plane->cells[1] = 1;
	if (columns)
		plane->block[0] = p->rows;
	else
		plane->block[1] = p->columns;
}

static int
settle(struct quantized *q, struct phi_err *err)
{
	const struct phi_torch_dtype *const type = q->view.dtype;
	q->packed.meaning = type->id == PHI_I8 ? PHI_CODE_SIGNED : PHI_CODE_UNSIGNED;
	q->packed.factor = 1;
	q->packed.wide = true;
	set_plane(q, PHI_PACKED_CODES, type->id, 8);
	set_plane(q, PHI_PACKED_SCALE, PHI_F32, 0);
	set_plane(q, PHI_PACKED_ZERO, PHI_F32, 0);
	return phi_packed_settle(&q->packed, err);
}

/* "QINT8 TENSOR F32 ZP": torch's name of the codes, what shares a scale, the scales' type. */
static const struct phi_type *
find_type(struct phi_torch *torch, const struct quantized *q, struct phi_err *err)
{
	struct phi_arena *const arena = torch->model->arena;
	char *const name = phi_arena_printf(arena, err, "%s %s F32 ZP", q->view.dtype->name,
		q->channels ? "CHANNEL" : "TENSOR");
	for (char *c = name; c && *c; c++)
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
	for (size_t i = 0; name && i < torch->ntypes; i++)
		if (!strcmp(torch->types[i]->name, name))
			return torch->types[i];
	if (!name || phi_grow(&torch->types, &torch->types_capacity, torch->ntypes,
			     sizeof *torch->types, err))
		return NULL;
	struct phi_type *const type = phi_arena_calloc(arena, 1, sizeof *type, err);
	if (!type)
		return NULL;
	*type = (struct phi_type){ .id = PHI_TYPES, .name = name, .elements = 1, .bytes = 1,
		.class = PHI_CLASS_PACKED, .ggml = -1 };
	torch->types[torch->ntypes++] = type;
	return type;
}

/* Codes of less than a byte: those of all elements, one after the other from the storage's start.
 * Returns 1; 0: they lie in another way; -1. */
static int
find_codes(struct phi_torch *torch, struct quantized *q, struct phi_err *err)
{
	const uint64_t there = torch->model->storages[q->view.storage].size;
	const unsigned per = 8 / q->view.dtype->bits;
	if (phi_torch_set_view(torch, &q->view, &q->tensor, err))
		return -1;
	if (q->view.offset || !q->tensor.plane[0].dense)
		return 0;
	if (q->packed.elements / per + (q->packed.elements % per != 0) > there)
		return phi_fail(err, PHI_FORMAT, "%" PRIu64 " codes out of a storage of %" PRIu64
			" bytes", q->packed.elements, there);
	return 1;
}

/* The codes' plane, a byte each. */
static int
place_codes(struct phi_torch *torch, struct quantized *q, struct phi_err *err)
{
	struct phi_tensor *const t = &q->tensor;
	const unsigned bits = q->view.dtype->bits;
	if (bits == 8 && t->plane[0].dense)
		return 0;
	uint32_t storage;
	struct phi_torch_made *const made =
		phi_torch_make(torch, q->packed.elements, &storage, err);
	if (!made)
		return -1;
	made->view = *t;
	if (bits != 8) {
		made->bits = bits;
		made->view.rank = 1;
		made->view.shape[0] = (q->packed.elements * bits + 7) / 8;
	}
	t->plane[0] = (struct phi_plane){ .storage = storage, .dense = true };
	return 0;
}

/* A parameter of the scheme as the file has it: a dense list of numbers, to be read later. */
static int
find_list(struct phi_torch *torch, const struct phi_pickle *node, uint64_t n, struct phi_tensor *t,
	struct phi_err *err)
{
	const struct phi_pickle *args = NULL;
	struct phi_torch_view v = { .dtype = NULL };
	const enum phi_torch_call call = phi_torch_call_of(node, &args);
	if (call != PHI_TORCH_PLAIN && call != PHI_TORCH_TYPED)
		return phi_fail(err, PHI_FORMAT, "its scales are no dense tensors");
	if (phi_torch_read_view(torch, args, call == PHI_TORCH_TYPED, &v, err) ||
		phi_torch_check_view(torch, &v, err) || phi_torch_set_view(torch, &v, t, err))
		return phi_context(err, "its scales");
	if (v.rank != 1 || v.size[0] != n)
		return phi_fail(err, PHI_FORMAT, "its scales are not one for each of %" PRIu64, n);
	switch (t->type->id) {
	case PHI_F32:
	case PHI_F64:
	case PHI_I32:
	case PHI_I64:
		return 0;
	default:
		return phi_fail(err, PHI_FORMAT, "its scales are %s", t->type->name);
	}
}

/* Scales and zero points: the planes 1 and 2, in one made storage. */
static int
place_scales(struct phi_torch *torch, struct quantized *q, const char *name, struct phi_err *err)
{
	const uint64_t bytes = q->packed.plane[1].bytes;
	uint32_t storage;
	uint8_t *const room = phi_torch_room(torch, 2 * bytes, err);
	struct phi_torch_made *const made =
		room ? phi_torch_make(torch, 2 * bytes, &storage, err) : NULL;
	if (!made)
		return -1;
	made->bytes = room;
	for (unsigned i = 0; i < 2; i++)
		q->tensor.plane[1 + i] = (struct phi_plane){
			.storage = storage, .offset = i * bytes, .dense = true };
	if (!q->channels) {
		phi_store32(room, phi_bits32((float)q->scale));
		phi_store32(room + 4, phi_bits32((float)q->zero));
		return 0;
	}
	if (phi_grow(&torch->pending, &torch->pending_capacity, torch->npending,
		    sizeof *torch->pending, err))
		return -1;
	struct phi_torch_pending *const p = &torch->pending[torch->npending];
	const uint64_t channels = q->view.size[q->axis];
	*p = (struct phi_torch_pending){ .name = phi_arena_strdup(torch->model->arena, name, err),
		.scales = room, .zeros = room + bytes, .channels = channels,
		.repeats = bytes / 4 / channels };
	if (!p->name || find_list(torch, q->scales, channels, &p->read[0], err) ||
		find_list(torch, q->zeros, channels, &p->read[1], err))
		return -1;
	torch->npending++;
	return 0;
}

static int
add_packed(struct phi_torch *torch, struct quantized *q, const char *name, struct phi_err *err)
{
	struct phi_arena *const arena = torch->model->arena;
	if (place_codes(torch, q, err) || place_scales(torch, q, name, err))
		return -1;
	struct phi_tensor *const t = phi_torch_new_tensor(
		torch, name, q->view.dtype->id, q->view.rank, q->view.size, err);
	struct phi_packed *const packed =
		t ? phi_arena_calloc(arena, 1, sizeof *packed, err) : NULL;
	const struct phi_type *const type = packed ? find_type(torch, q, err) : NULL;
	if (!type)
		return -1;
	*packed = q->packed;
	t->type = type;
	t->packed = packed;
	t->nplanes = packed->nplanes;
	memcpy(t->plane, q->tensor.plane, sizeof t->plane);
	return 0;
}

int
phi_torch_add_quantized(struct phi_torch *torch, const struct phi_pickle *args, const char *name,
	const char **why, bool *left, struct phi_err *err)
{
	struct quantized q = { .scale = 0 };
	struct phi_err none = { 0 };
	if (phi_torch_read_view(torch, args, false, &q.view, err))
		return -1;
	const unsigned bits = q.view.dtype->bits;
	if (!bits)
		return phi_fail(err, PHI_FORMAT, "it is quantized, but its storage is not");
	const bool known = read_scheme(&q, phi_pickle_item(args, 4));
	const bool some = known && split(&q);
	if (bits < 8) {
		const int found = some ? find_codes(torch, &q, err) : 0;
		if (found < 0)
			return -1;
		if (!found) {
			*why = "it is quantized in a way that is not known";
			*left = true;
			return 0;
		}
	} else if (phi_torch_check_view(torch, &q.view, err) ||
		   phi_torch_set_view(torch, &q.view, &q.tensor, err)) {
		return -1;
	}
	if (bits == 32 || !some || settle(&q, &none))
		return phi_torch_add_view(torch, &q.view, name, why, left, err);
	return add_packed(torch, &q, name, err);
}

/* Scales, after placing */

static float
number(const struct phi_type *type, const uint8_t *p)
{
	switch ((int)type->id) {
	case PHI_F32:
		return phi_float32(phi_load32(p));
	case PHI_F64:
		return (float)phi_float64(phi_load64(p));
	case PHI_I32:
		return (float)(int32_t)phi_load32(p);
	default:
		return (float)(int64_t)phi_load64(p);
	}
}

static int
read_list(struct phi_source *source, const struct phi_torch_pending *p, unsigned i, uint8_t *dst,
	struct phi_err *err)
{
	const struct phi_tensor *const t = &p->read[i];
	uint8_t *const raw = phi_calloc((size_t)p->channels, t->type->bytes, err);
	int result = raw ? phi_tensor_read(source, t, false, 0, p->channels, raw, err) : -1;
	for (uint64_t k = 0; !result && k < p->repeats; k++)
		for (uint64_t c = 0; c < p->channels; c++)
			phi_store32(dst + 4 * (k * p->channels + c),
				phi_bits32(number(t->type, raw + c * t->type->bytes)));
	phi_free(raw);
	return result;
}

static void
place_made(struct phi_model *model, const struct phi_torch_made *made, struct phi_storage *storage,
	const char *file, uint64_t pickle)
{
	const struct phi_plane *const plane = &made->view.plane[0];
	storage->file = file;
	storage->offset = pickle;
	if (!made->bytes && made->view.nplanes)
		storage->offset = model->storages[plane->storage].offset + plane->offset;
}

int
phi_torch_settle(struct phi_torch *torch, struct phi_source *source, const char *file,
	uint64_t pickle, struct phi_err *err)
{
	for (size_t i = 0; i < torch->count; i++)
		if (torch->storages[i].made)
			place_made(torch->model, torch->storages[i].made,
				&torch->model->storages[i], file, pickle);
	for (size_t i = 0; i < torch->npending; i++) {
		struct phi_quoted q;
		const struct phi_torch_pending *const p = &torch->pending[i];
		if (read_list(source, p, 0, p->scales, err) ||
			read_list(source, p, 1, p->zeros, err))
			return phi_context(err, "tensor %s", phi_quote(&q, p->name));
	}
	return 0;
}
