/* --layout: the weights, and between them the graph; then files with external data. */
#include "formats/core/memory.h"
#include "formats/core/tile.h"
#include "formats/onnx/read.h"

#include <stdlib.h>

struct piece {
	uint32_t file;
	uint64_t at, end;
	size_t weight;
};

static int
compare(const void *a, const void *b)
{
	const struct piece *const x = a, *const y = b;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->end != y->end ? (x->end < y->end ? -1 : 1) : x->weight < y->weight ? -1 : 1;
}

static size_t
gather(const struct phi_onnx *onnx, struct piece *pieces)
{
	size_t n = 0;
	for (size_t i = 0; i < onnx->ndata; i++) {
		const struct phi_onnx_weight_data *const w = &onnx->data[i];
		const uint64_t at = w->data.coded ? w->data.begin : w->data.offset;
		if (w->data.size && w->storage == i)
			pieces[n++] = (struct piece){ w->file, at, w->data.coded ? w->data.end : at + w->data.size, i };
	}
	if (n)
		qsort(pieces, n, sizeof *pieces, compare);
	return n;
}

static int
tile_file(const struct phi_onnx *onnx, uint32_t file, const struct piece *pieces, size_t n,
	const struct phi_regions *regions, struct phi_err *err)
{
	const bool own = file == PHI_NONE;
	const struct phi_member *const member = own ? onnx->member : onnx->files[file].member;
	struct phi_tiler tiler = { .regions = regions, .file = phi_member_name(member) };
	for (size_t i = 0; i < n; i++)
		if (pieces[i].file == file &&
			(phi_tile(&tiler, pieces[i].at, own ? "graph" : "gap", NULL, err) ||
				phi_tile(&tiler, pieces[i].end, "tensor",
					onnx->graph.weights[pieces[i].weight].name, err)))
			return -1;
	return phi_tile(&tiler, phi_member_size(member), own ? "graph" : "gap", NULL, err) ? -1 : 0;
}

int
phi_onnx_layout(struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	const struct phi_onnx *const onnx = source->state;
	struct piece *const pieces = phi_calloc(onnx->ndata + 1, sizeof *pieces, err);
	if (!pieces)
		return -1;
	const size_t n = gather(onnx, pieces);
	int result = tile_file(onnx, PHI_NONE, pieces, n, regions, err);
	size_t first = 0;
	for (uint32_t file = 0; !result && file < onnx->nfiles; file++) {
		size_t end = first;
		while (end < n && pieces[end].file == file)
			end++;
		result = tile_file(onnx, file, pieces + first, end - first, regions, err);
		first = end;
	}
	phi_free(pieces);
	return result;
}
