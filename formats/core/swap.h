/* Byte order of numbers within types: what a big-endian machine wrote, as little-endian. */
#ifndef PHI_CORE_SWAP_H
#define PHI_CORE_SWAP_H

#include "formats/core/type.h"

/* Swaps, in place, the bytes of every number wider than a byte in n bytes of whole blocks of a type. */
void phi_type_swap(const struct phi_type *type, void *p, uint64_t n);

/* Does a type have numbers wider than a byte? Else swapping changes nothing. */
bool phi_type_swaps(const struct phi_type *type);

#endif
