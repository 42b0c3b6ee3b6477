/* Files with external data, and which weights share what in them. */
#include "formats/onnx/read.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/onnx/external.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int
add_file(struct phi_onnx *onnx, const char *location, struct phi_arena *arena, struct phi_err *err)
{
	if (onnx->nfiles == PHI_ONNX_FILES_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d files with external data", PHI_ONNX_FILES_MAX);
	if (phi_grow(&onnx->files, &onnx->files_capacity, onnx->nfiles, sizeof *onnx->files, err) < 0)
		return -1;
	struct phi_onnx_external *const f = &onnx->files[onnx->nfiles];
	f->name = phi_arena_strdup(arena, location, err);
	f->member = f->name ? phi_store_member(onnx->folder, f->name, err) : NULL;
	if (!f->member)
		return -1;
	onnx->nfiles++;
	return phi_member_spool(f->member, err);
}

/* Most models have one such file, or one a tensor in the order of the tensors: the last is looked at first. */
static int
find_file(struct phi_onnx *onnx, const char *location, struct phi_arena *arena, uint32_t *file,
	struct phi_err *err)
{
	for (size_t i = onnx->nfiles; i > 0; i--)
		if (!strcmp(onnx->files[i - 1].name, location)) {
			*file = (uint32_t)(i - 1);
			return 0;
		}
	*file = (uint32_t)onnx->nfiles;
	return add_file(onnx, location, arena, err);
}

int
phi_onnx_external(struct phi_onnx *onnx, struct phi_onnx_weight_data *weight, const struct phi_onnx_found *t,
	struct phi_arena *arena, struct phi_err *err)
{
	const uint64_t bytes = weight->data.size;
	struct phi_quoted q;
	if (!t->has_location || !*t->location)
		return phi_fail(err, PHI_FORMAT, "its data are external, but where is not said");
	if (t->has_length && t->length != bytes)
		return phi_fail(err, PHI_FORMAT, "external data of %" PRIu64 " bytes, where its shape has %" PRIu64,
			t->length, bytes);
	if (find_file(onnx, t->location, arena, &weight->file, err) < 0)
		return phi_context(err, "external data");
	const uint64_t size = phi_member_size(onnx->files[weight->file].member);
	if (!phi_fits(t->offset, bytes, size))
		return phi_fail(err, PHI_TRUNCATED, "external data: %" PRIu64 " bytes at offset %" PRIu64
			" pass the end of %s (%" PRIu64 ")", bytes, t->offset, phi_quote(&q, t->location), size);
	weight->data.offset = t->offset;
	return 0;
}

static int
compare(const void *a, const void *b, void *ctx)
{
	const struct phi_onnx_weight_data *const data = ctx;
	uint32_t i, j;
	memcpy(&i, a, sizeof i);
	memcpy(&j, b, sizeof j);
	const struct phi_onnx_weight_data *const x = &data[i], *const y = &data[j];
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->data.offset != y->data.offset)
		return x->data.offset < y->data.offset ? -1 : 1;
	if (x->data.size != y->data.size)
		return x->data.size < y->data.size ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* In the order of their places: the same range is one storage, another must begin behind the last. */
static int
share(struct phi_onnx *onnx, const uint32_t *order, size_t n, struct phi_err *err)
{
	const struct phi_onnx_weight_data *last = NULL;
	for (size_t i = 0; i < n; i++) {
		struct phi_onnx_weight_data *const w = &onnx->data[order[i]];
		if (last && last->file == w->file && last->data.size &&
			w->data.offset - last->data.offset < last->data.size) {
			if (w->data.offset != last->data.offset || w->data.size != last->data.size) {
				struct phi_quoted a, b, c;
				return phi_fail(err, PHI_FORMAT, "external data of tensors %s and %s overlap in %s",
					phi_quote(&a, onnx->graph.weights[last - onnx->data].name),
					phi_quote(&b, onnx->graph.weights[order[i]].name),
					phi_quote(&c, onnx->files[w->file].name));
			}
			w->storage = last->storage;
			continue;
		}
		w->storage = order[i];
		if (w->data.size)
			last = w;
	}
	return 0;
}

int
phi_onnx_share(struct phi_onnx *onnx, struct phi_err *err)
{
	uint32_t *const order = phi_calloc(onnx->ndata + 1, sizeof *order, err);
	size_t n = 0;
	if (!order)
		return -1;
	for (size_t i = 0; i < onnx->ndata; i++) {
		onnx->data[i].storage = (uint32_t)i;
		if (onnx->data[i].file != PHI_NONE)
			order[n++] = (uint32_t)i;
	}
	if (n)
		qsort_r(order, n, sizeof *order, compare, onnx->data);
	const int result = share(onnx, order, n, err);
	phi_free(order);
	return result;
}
