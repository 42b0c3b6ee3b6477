/* The arithmetic of packed tensors; the only function of its kind, for the converter table. */
#ifndef PHI_QUANT_UNPACK_H
#define PHI_QUANT_UNPACK_H

#include "formats/core/packed.h"

phi_unpack_fn phi_unpack;

#endif
