/* Completes a plan. The records, in torch's order:
 *
 *     NAME/data.pkl  .format_version "1"  .storage_alignment "64"  byteorder "little"
 *     NAME/data/0 ...                 the storages, in the order in which the pickle names them
 *     NAME/version "3\n"  .data/serialization_id
 *
 * NAME is what torch calls a file that it writes to a pipe, "archive"; in a folder, the name of the file
 * without its suffix. A contiguous dict comes out as torch.save's, to the byte.
 *
 * Tensors that are copied and whose bytes lie in one storage of the source share one here as well: from
 * the first byte that any of them shows to the last. A lone view keeps its strides if that takes no more
 * bytes than laying it out anew (a transposed matrix, an expanded bias). What is converted is laid out
 * anew; tied tensors stay tied. */
#include "formats/pytorch/write.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/zip_plan.h"
#include "formats/pytorch/write_id.h"
#include "formats/pytorch/write_pickle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of a storage of the source that a tensor shows; none if it is empty. */
struct claim {
	uint32_t index; /* of the file's tensors */
	uint32_t storage, type;
	bool swap;
	uint64_t begin, end;
};

/* Claims that share a storage: one of the file. */
struct run {
	uint64_t begin, end;
	uint32_t kept; /* its number once a tensor has named it, or PHI_NONE */
};

struct layout {
	struct phi_plan *plan;
	const uint32_t *tensors;
	size_t count;
	struct claim *claims;
	size_t nclaims;
	struct run *runs;
	uint32_t *run_of; /* of each tensor of the file, or PHI_NONE */
	uint32_t *place;  /* of each tensor of the model: its index in the file, or PHI_NONE */
	struct phi_torch_view *views;
	struct phi_torch_kept *kept;
	uint32_t *keeper; /* of each kept storage: the tensor of the file that is its item */
	uint32_t nkept;
};

static struct phi_tensor *
tensor_at(const struct layout *l, size_t i)
{
	return &l->plan->model->tensors[l->tensors[i]];
}

static int
check_tensor(const struct phi_plan *plan, uint32_t index, struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[index];
	struct phi_quoted q;
	if (!phi_torch_dtype_of(t->type))
		return phi_plan_refuse(plan, index, "F16", err);
	if (!phi_utf8_valid(t->name, strlen(t->name)))
		return phi_fail(err, PHI_UNSUPPORTED, "tensor \"%s\": not a name %s can hold",
			phi_quote(&q, t->name), plan->format->name);
	return 0;
}

/* The tensor of the source that t is an exact copy of, or NULL. */
static const struct phi_tensor *
copied(const struct layout *l, const struct phi_tensor *t)
{
	const struct phi_part *const part = t->parts;
	if (t->nparts != 1 || part->kind != PHI_PART_TENSOR || part->transpose || part->view)
		return NULL;
	const struct phi_tensor *const from = &l->plan->model->origin->tensors[part->tensor];
	const bool same = from->type == t->type && from->rank == t->rank && from->nplanes == 1 &&
		!memcmp(from->shape, t->shape, t->rank * sizeof *t->shape);
	const bool whole = !t->rank || (!part->row && part->rows == t->shape[0]);
	return same && whole && !from->packed ? from : NULL;
}

/* Where the last byte of a view ends; false if it is none that torch has, or too large. */
static bool
find_end(const struct phi_tensor *t, uint64_t *end)
{
	const struct phi_plane *const p = &t->plane[0];
	uint64_t bytes, last = 0, reach;
	if (p->dense)
		return phi_tensor_bytes(t, &bytes) && phi_add(p->offset, bytes, end);
	for (unsigned d = 0; d < t->rank; d++)
		if (p->stride[d] < 0 || !t->shape[d] ||
			!phi_mul(t->shape[d] - 1, (uint64_t)p->stride[d], &reach) ||
			!phi_add(last, reach, &last))
			return false;
	return phi_add(last, 1, &last) && phi_mul(last, t->type->bytes, &bytes) &&
		phi_add(p->offset, bytes, end);
}

static void
claim_storage(struct layout *l, uint32_t index)
{
	const struct phi_tensor *const from = copied(l, tensor_at(l, index));
	struct claim *const c = &l->claims[l->nclaims];
	if (!from || !find_end(from, &c->end))
		return;
	c->index = index;
	c->storage = from->plane[0].storage;
	c->type = from->type->id;
	c->swap = from->plane[0].swap;
	c->begin = from->plane[0].offset;
	l->nclaims++;
}

static int
by_storage(const void *pa, const void *pb)
{
	const struct claim *const a = pa, *const b = pb;
	if (a->storage != b->storage)
		return a->storage < b->storage ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->swap != b->swap)
		return a->swap ? 1 : -1;
	return a->index < b->index ? -1 : 1;
}

/* Shall these n claims of one storage share it? */
static bool
worth_sharing(const struct layout *l, const struct claim *c, size_t n, const struct run *run)
{
	const struct phi_type *const type = phi_type_of((enum phi_type_id)c->type);
	for (size_t i = 0; i < n; i++)
		if (c[i].end > c[i].begin && (c[i].begin - run->begin) % type->bytes)
			return false;
	if (n > 1)
		return true;
	const struct phi_tensor *const t = tensor_at(l, c->index);
	const struct phi_tensor *const from = copied(l, t);
	return !from->plane[0].dense && run->end - run->begin <= l->plan->bytes[l->tensors[c->index]];
}

static void
widen(struct run *run, const struct claim *c)
{
	if (c->begin == c->end)
		return;
	run->begin = c->begin < run->begin ? c->begin : run->begin;
	run->end = c->end > run->end ? c->end : run->end;
}

static void
find_runs(struct layout *l)
{
	size_t n;
	if (l->nclaims)
		qsort(l->claims, l->nclaims, sizeof *l->claims, by_storage);
	for (size_t i = 0; i < l->nclaims; i += n) {
		const struct claim *const c = &l->claims[i];
		struct run run = { UINT64_MAX, 0, PHI_NONE };
		for (n = 0; i + n < l->nclaims && c[n].storage == c->storage &&
			c[n].type == c->type && c[n].swap == c->swap; n++)
			widen(&run, &c[n]);
		if (!run.end)
			run.begin = 0;
		l->runs[i] = run;
		const bool shared = worth_sharing(l, c, n, &run);
		for (size_t k = 0; shared && k < n; k++)
			l->run_of[c[k].index] = (uint32_t)i;
	}
}

static uint32_t
keep(struct layout *l, uint32_t index, uint64_t bytes)
{
	l->kept[l->nkept] = (struct phi_torch_kept){
		.dtype = phi_torch_dtype_of(tensor_at(l, index)->type), .bytes = bytes };
	l->keeper[l->nkept] = index;
	return l->nkept++;
}

/* A tensor within a run: its own offset and strides. */
static void
view_run(struct layout *l, uint32_t index)
{
	const struct phi_tensor *const t = tensor_at(l, index);
	const struct phi_plane *const plane = &copied(l, t)->plane[0];
	struct run *const run = &l->runs[l->run_of[index]];
	if (run->kept == PHI_NONE)
		run->kept = keep(l, index, run->end - run->begin);
	l->views[index] = (struct phi_torch_view){ .tensor = t, .storage = run->kept,
		.offset = plane->offset < run->begin ? 0 /* it is empty */
			: (plane->offset - run->begin) / t->type->bytes,
		.stride = plane->dense ? NULL : plane->stride };
}

/* The tensor of the file that this one, which is converted, is tied to; or PHI_NONE. */
static uint32_t
tied_to(const struct layout *l, uint32_t index)
{
	const struct phi_tensor *const t = tensor_at(l, index);
	if (!phi_plan_is_repeated(l->plan, l->tensors[index]))
		return PHI_NONE;
	const struct phi_tensor *const other = &l->plan->model->tensors[t->alias];
	const uint32_t place = l->place[t->alias];
	const bool same = other->rank == t->rank &&
		!memcmp(other->shape, t->shape, t->rank * sizeof *t->shape);
	return same && place != PHI_NONE && place < index ? place : PHI_NONE;
}

static void
view_tensors(struct layout *l)
{
	for (uint32_t i = 0; i < l->count; i++) {
		const uint32_t tied = l->run_of[i] == PHI_NONE ? tied_to(l, i) : PHI_NONE;
		if (l->run_of[i] != PHI_NONE) {
			view_run(l, i);
			continue;
		}
		if (tied != PHI_NONE)
			l->views[i] = l->views[tied];
		else
			l->views[i].storage = keep(l, i, l->plan->bytes[l->tensors[i]]);
		l->views[i].tensor = tensor_at(l, i);
	}
}

static int
make_room(struct layout *l, struct phi_err *err)
{
	const size_t n = l->plan->model->ntensors;
	l->claims = phi_calloc(l->count, sizeof *l->claims, err);
	l->runs = phi_calloc(l->count, sizeof *l->runs, err);
	l->run_of = phi_calloc(l->count, sizeof *l->run_of, err);
	l->place = phi_calloc(n, sizeof *l->place, err);
	l->views = phi_calloc(l->count, sizeof *l->views, err);
	l->kept = phi_calloc(l->count, sizeof *l->kept, err);
	l->keeper = phi_calloc(l->count, sizeof *l->keeper, err);
	if (!l->claims || !l->runs || !l->run_of || !l->place || !l->views || !l->kept || !l->keeper)
		return -1;
	for (size_t i = 0; i < n; i++)
		l->place[i] = PHI_NONE;
	for (size_t i = 0; i < l->count; i++) {
		l->run_of[i] = PHI_NONE;
		l->place[l->tensors[i]] = (uint32_t)i;
	}
	return 0;
}

static void
free_layout(struct layout *l)
{
	phi_free(l->claims);
	phi_free(l->runs);
	phi_free(l->run_of);
	phi_free(l->place);
	phi_free(l->views);
	phi_free(l->kept);
	phi_free(l->keeper);
}

static int
lay_out(struct layout *l, struct phi_err *err)
{
	if (make_room(l, err))
		return -1;
	for (uint32_t i = 0; i < l->count; i++) {
		if (check_tensor(l->plan, l->tensors[i], err))
			return -1;
		claim_storage(l, i);
	}
	find_runs(l);
	view_tensors(l);
	return 0;
}

/* A run as one tensor of the source: all of it in a row. */
static const struct phi_tensor *
run_tensor(const struct layout *l, uint32_t index, struct phi_err *err)
{
	const struct run *const run = &l->runs[l->run_of[index]];
	const struct phi_tensor *const from = copied(l, tensor_at(l, index));
	struct phi_tensor *const t = phi_arena_alloc(l->plan->arena, sizeof *t, err);
	if (!t)
		return NULL;
	*t = *from;
	t->rank = 1;
	t->shape[0] = (run->end - run->begin) / t->type->bytes * t->type->elements;
	t->plane[0].offset = run->begin;
	t->plane[0].dense = true;
	return t;
}

static int
plan_storage(const struct layout *l, struct phi_zip_file *zip, uint32_t number, struct phi_err *err)
{
	const uint32_t index = l->keeper[number], tensor = l->tensors[index];
	const uint64_t size = l->kept[number].bytes;
	char name[32];
	snprintf(name, sizeof name, "data/%" PRIu32, number);
	if (phi_zip_plan_data(zip, name, "", 0, size, err))
		return -1;
	const uint64_t offset = zip->data;
	if (l->run_of[index] == PHI_NONE)
		return phi_plan_add_tensor(l->plan, tensor, zip->file, offset, err);
	const struct phi_tensor *const view = run_tensor(l, index, err);
	return view ? phi_plan_add_view(l->plan, tensor, view, zip->file, offset, err) : -1;
}

static int
plan_records(const struct layout *l, struct phi_zip_file *zip, struct phi_err *err)
{
	struct phi_buffer pickle = { 0 };
	int result = phi_torch_pickle(&pickle, l->views, l->count, l->kept, l->nkept, err);
	if (!result)
		result = phi_zip_plan_bytes(zip, "data.pkl", pickle.data, pickle.size, err);
	phi_buffer_free(&pickle);
	if (result || phi_zip_plan_bytes(zip, ".format_version", "1", 1, err) ||
		phi_zip_plan_bytes(zip, ".storage_alignment", "64", 2, err) ||
		phi_zip_plan_bytes(zip, "byteorder", "little", 6, err))
		return -1;
	for (uint32_t i = 0; i < l->nkept; i++)
		if (plan_storage(l, zip, i, err))
			return -1;
	if (phi_zip_plan_bytes(zip, "version", "3\n", 2, err) ||
		phi_zip_plan_sealed(zip, ".data/serialization_id", PHI_TORCH_ID_SIZE, phi_torch_id,
			err))
		return -1;
	return phi_zip_plan_close(zip, err);
}

/* NAME of the picture. */
static const char *
folder_of(const struct phi_plan *plan, unsigned file, struct phi_err *err)
{
	const char *const name = plan->files[file].name;
	if (!name)
		return "archive";
	const char *const dot = strrchr(name, '.');
	return phi_arena_copy(plan->arena, name, dot ? (size_t)(dot - name) : strlen(name), err);
}

int
phi_pytorch_plan_file(struct phi_plan *plan, unsigned file, const uint32_t *tensors, size_t count,
	struct phi_err *err)
{
	struct layout l = { .plan = plan, .tensors = tensors, .count = count };
	const char *const folder = folder_of(plan, file, err);
	struct phi_zip_file zip = { 0 };
	const int result = !folder || lay_out(&l, err) ||
		phi_zip_plan_open(&zip, plan, file, &phi_zip_torch, folder, err) || plan_records(&l, &zip, err);
	phi_zip_plan_free(&zip);
	free_layout(&l);
	return result ? -1 : 0;
}

int
phi_pytorch_complete(struct phi_plan *plan, struct phi_err *err)
{
	const size_t n = plan->model->ntensors;
	uint32_t *const all = phi_calloc(n, sizeof *all, err);
	if (!all)
		return -1;
	for (size_t i = 0; i < n; i++)
		all[i] = (uint32_t)i;
	const int result = phi_plan_add_file(plan, NULL, err) ||
		phi_pytorch_plan_file(plan, 0, all, n, err);
	phi_free(all);
	return result ? -1 : phi_plan_warn_left_out(plan, false, err);
}
