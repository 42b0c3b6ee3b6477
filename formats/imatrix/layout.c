/* --layout: each entry is a header, its count of calls, a header again (the number of values), its
 * values. */
#include "formats/core/tile.h"
#include "formats/imatrix/imatrix.h"

static int
tile_tensor(struct phi_tiler *tiler, const struct phi_model *model, size_t i, struct phi_err *err)
{
	const struct phi_tensor *const t = &model->tensors[i];
	const struct phi_storage *const s = &model->storages[t->plane[0].storage];
	return phi_tile(tiler, s->offset, "header", NULL, err) ||
			       phi_tile(tiler, s->offset + s->size, "tensor", t->name, err)
		       ? -1
		       : 0;
}

int
phi_imatrix_layout(
	struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	const struct phi_model *const model = source->model;
	struct phi_tiler tiler = { .regions = regions, .file = phi_member_name(source->state) };
	/* The values of an entry are the first of its two tensors, and the last in the file. */
	for (size_t i = 0; i < model->ntensors; i++)
		if (tile_tensor(&tiler, model, i ^ 1, err))
			return -1;
	return phi_tile(&tiler, phi_member_size(source->state), "trailer", NULL, err);
}
