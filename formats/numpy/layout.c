/* --layout of .npy and .npz. */
#include "formats/core/tile.h"
#include "formats/core/zip_check.h"
#include "formats/numpy/read.h"

struct arrays {
	const struct phi_numpy *numpy;
	const struct phi_model *model;
};

/* The tensor of an entry, or NULL: they are in the order of the entries. */
static const struct phi_tensor *
tensor_of(const struct phi_model *model, size_t entry)
{
	size_t low = 0, high = model->ntensors;
	while (low < high) {
		const size_t mid = low + (high - low) / 2;
		const size_t inner = model->storages[model->tensors[mid].plane[0].storage].inner;
		if (inner == entry)
			return &model->tensors[mid];
		if (inner < entry)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static int
tile_array(struct phi_tiler *tiler, const struct phi_storage *s, const char *name, uint64_t end,
	struct phi_err *err)
{
	return phi_tile(tiler, s->offset, "header", name, err) ||
			       phi_tile(tiler, s->offset + s->size, "tensor", name, err) ||
			       phi_tile(tiler, end, "trailing", NULL, err)
		       ? -1
		       : 0;
}

/* What is deflated cannot be told apart within. */
static int
tile_entry(void *ctx, size_t entry, struct phi_tiler *tiler, struct phi_err *err)
{
	const struct arrays *const a = ctx;
	const struct phi_zip_entry *const e = &a->numpy->zip.entries[entry];
	const struct phi_tensor *const t = tensor_of(a->model, entry);
	if (!t)
		return 0;
	if (e->deflated)
		return phi_tile(tiler, e->data + e->stored, "deflated tensor", t->name, err);
	return tile_array(
		tiler, &a->model->storages[t->plane[0].storage], t->name, e->data + e->stored, err);
}

int
phi_numpy_layout(struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	const struct phi_numpy *const s = source->state;
	struct arrays arrays = { .numpy = s, .model = source->model };
	if (s->archive)
		return phi_zip_layout(&s->zip, tile_entry, &arrays, regions, err);
	struct phi_tiler tiler = { .regions = regions, .file = phi_member_name(s->member) };
	return tile_array(&tiler, &source->model->storages[0], source->model->name,
		phi_member_size(s->member), err);
}
