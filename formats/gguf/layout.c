#include "formats/gguf/layout.h"

#include "formats/core/checked.h"
#include "formats/core/memory.h"
#include "formats/core/tile.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/parts.h"

#include <stdlib.h>
#include <string.h>

int
phi_gguf_layout_open(
	struct phi_gguf_layout *layout, struct phi_member *member, struct phi_err *err)
{
	struct phi_gguf_cursor cursor;
	*layout = (struct phi_gguf_layout){ .member = member,
		.file = phi_member_name(member),
		.size = phi_member_size(member) };
	layout->model = phi_model_new("gguf", err);
	if (!layout->model || phi_gguf_cursor_open(&cursor, member, err))
		return -1;
	const int result = phi_gguf_read_header(&cursor, layout->model, &layout->header, err);
	layout->end = cursor.offset;
	phi_gguf_cursor_close(&cursor);
	/* A file without tensors ends with its keys. */
	if (!result && layout->header.data > layout->size)
		layout->header.data = layout->size;
	return result;
}

void
phi_gguf_layout_close(struct phi_gguf_layout *layout)
{
	phi_free(layout->header.extents);
	phi_model_free(layout->model);
}

struct walk {
	const struct phi_gguf_layout *layout;
	struct phi_tiler tiler;
};

/* What lies before `next`: padding up to the alignment, then what should not be there. */
static int
emit_between(struct walk *w, uint64_t next, const char *beyond, struct phi_err *err)
{
	const struct phi_gguf_header *const h = &w->layout->header;
	uint64_t end;
	if (w->tiler.at < h->data || !phi_round_up(w->tiler.at - h->data, h->alignment, &end))
		end = h->data;
	else
		end += h->data;
	return phi_tile(&w->tiler, end < next ? end : next, "padding", NULL, err) ||
			phi_tile(&w->tiler, next, beyond, NULL, err)
		? -1
		: 0;
}

static int
by_offset(const void *a, const void *b)
{
	const struct phi_gguf_extent *const x = a, *const y = b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size;
}

int
phi_gguf_layout_walk(const struct phi_gguf_layout *l, const struct phi_regions *regions,
	struct phi_err *err)
{
	const struct phi_gguf_header *const h = &l->header;
	struct walk w = { .layout = l, .tiler = { .regions = regions, .file = l->file } };
	struct phi_gguf_extent *const sorted = phi_calloc(h->ntensors + 1, sizeof *sorted, err);
	if (!sorted)
		return -1;
	if (h->ntensors)
		memcpy(sorted, h->extents, h->ntensors * sizeof *sorted);
	qsort(sorted, h->ntensors, sizeof *sorted, by_offset);
	int result = phi_tile(&w.tiler, l->end, "header", NULL, err);
	if (!result)
		result = phi_tile(&w.tiler, h->data, "padding", NULL, err);
	for (size_t i = 0; !result && i < h->ntensors; i++) {
		const uint64_t start = h->data + sorted[i].offset;
		result = emit_between(&w, start, "gap", err) ||
				phi_tile(&w.tiler, start + sorted[i].size, "tensor",
					l->model->tensors[sorted[i].tensor].name, err)
			? -1
			: 0;
	}
	if (!result)
		result = emit_between(&w, l->size, "trailing", err);
	phi_free(sorted);
	return result;
}

int
phi_gguf_layout(struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	int result = 0;
	for (size_t i = 0; !result && i < phi_gguf_parts(source); i++) {
		struct phi_gguf_layout layout;
		result = phi_gguf_layout_open(&layout, phi_gguf_part(source, i), err);
		if (!result)
			result = phi_gguf_layout_walk(&layout, regions, err);
		phi_gguf_layout_close(&layout);
	}
	return result;
}
