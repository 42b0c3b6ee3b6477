/* Importance laid out for the kernels: that of each element of a tile, and what is one number a row. */
#ifndef PHI_QUANT_WEIGH_H
#define PHI_QUANT_WEIGH_H

#include "quant/groups.h"

#include "formats/core/convert.h"

enum { PHI_TILE = 4096, PHI_WEIGH_ROWS = 8 };

/* Begin with what a conversion was given: whole rows of convert->from at src, n elements in all. */
struct phi_weighing {
	const struct phi_convert *convert;
	const uint8_t *src;
	uint64_t n, row;
	const float *importance; /* of a row */
	/* Rows [first, end): the means of their squares. */
	uint64_t first, end;
	float mean[PHI_WEIGH_ROWS];
	/* Of the tile. */
	float laid[PHI_TILE], squares[PHI_TILE];
};

/* Sets the importance of tile->n elements (a tile at most) from element i on, and if the encoder asks the mean
 * squares of their rows. Elements that the encoder cannot hold count as 0 (NaN) or its largest number. Valid
 * until the next call. */
void phi_weigh(struct phi_weighing *w, uint64_t i, struct phi_weights *tile);

#endif
