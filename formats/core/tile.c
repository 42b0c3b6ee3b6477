#include "formats/core/tile.h"

int
phi_tile(struct phi_tiler *tiler, uint64_t end, const char *what, const char *name,
	struct phi_err *err)
{
	const struct phi_region region = { .file = tiler->file,
		.offset = tiler->at,
		.size = end - tiler->at,
		.what = what,
		.name = name };
	if (end <= tiler->at)
		return 0;
	tiler->at = end;
	return tiler->regions->emit(tiler->regions->ctx, &region, err);
}
