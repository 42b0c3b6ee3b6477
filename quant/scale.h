/* Codes of one scale (core/scaling.h): a whole tensor's, or an axis' index'. */
#ifndef PHI_QUANT_SCALE_H
#define PHI_QUANT_SCALE_H

#include "formats/core/convert.h"

/* phi_converters.scale. */
void phi_scale(const struct phi_scaling *scaling, const float *src, void *dst, uint64_t first, uint64_t n);

#endif
