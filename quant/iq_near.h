/* The points near a place off a grid: what an encoder of the IQ types chooses from.
 *
 * A place is what rounding makes of eight (IQ1, IQ2) or four (IQ3) weights: one of LEVELS indices a
 * coordinate, so LEVELS to the power of the coordinates in all; its number has the first coordinate
 * as its lowest digit, to the base of LEVELS. Where a place is itself a point, that is it. Else the
 * points near it are those at the grid's few smallest distances from it (integers, all points at
 * each of them), by distance, then by number: the order in which the reference tries them, where
 * the first of equals wins (facts/gguf.md 3.6).
 *
 * Points are kept in units of PHI_IQ_UNIT, so that a vector of them can be read; what is left of a
 * list's last unit repeats its last point, which never wins again.
 */
#ifndef PHI_QUANT_IQ_NEAR_H
#define PHI_QUANT_IQ_NEAR_H

#include <stdint.h>

enum { PHI_IQ_UNIT = 8 };

enum phi_iq_grid {
	PHI_IQ_2XXS,
	PHI_IQ_2XS,
	PHI_IQ_2S,
	PHI_IQ_1,
	PHI_IQ_3XXS,
	PHI_IQ_3S,
	PHI_IQ_GRIDS
};

struct phi_iq_near {
	/* For each place: the first unit of its list, from bit 16 on how many units it has, from
	 * bit 24 on how many points the last lacks; or, if it is a point, PHI_IQ_ON_GRID and the
	 * point. */
	const uint32_t *places;
	/* Points as iq_grids.h packs them. */
	const uint16_t *points;
	/* The number of a point in its grid. */
	const uint16_t *numbers;
};

#define PHI_IQ_ON_GRID 0x80000000u

/* Made at the first call for a grid (milliseconds), kept for good; any thread may ask. */
const struct phi_iq_near *phi_iq_near(enum phi_iq_grid grid);

#endif
