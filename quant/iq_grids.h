/* The grids of the IQ types: sets of points that stand for eight (IQ2, IQ1) or four (IQ3) weights at once.
 * A point is one number: indices of the grid's few values, two bits each, or three bits each for IQ3, the
 * first coordinate lowest. All are sorted. iq_grids.py made them. */
#ifndef PHI_QUANT_IQ_GRIDS_H
#define PHI_QUANT_IQ_GRIDS_H

#include <stdint.h>

extern const uint16_t phi_grid_2xxs[256], phi_grid_2xs[512], phi_grid_2s[1024], phi_grid_1[2048],
	phi_grid_3xxs[256], phi_grid_3s[512];

#endif
