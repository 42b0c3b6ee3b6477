/* Regions laid one after the other from the start of a file, so that none overlaps another and no
 * byte is left out: how --layout is made. */
#ifndef PHI_CORE_TILE_H
#define PHI_CORE_TILE_H

#include "formats/core/finding.h"

struct phi_tiler {
	const struct phi_regions *regions;
	const char *file;
	uint64_t at; /* where the next region begins */
};

/* The region from where the last one ended up to `end`; nothing if that is no byte further on. */
int phi_tile(struct phi_tiler *tiler, uint64_t end, const char *what, const char *name,
	struct phi_err *err);

#endif
