/* A set of names with an index for each: duplicates are found, lookups are constant, whatever the
 * file made the names look like (hashed with XXH3). Names are lent, not copied. */
#ifndef PHI_CORE_NAMES_H
#define PHI_CORE_NAMES_H

#include "formats/core/error.h"

#include <stddef.h>
#include <stdint.h>

#define PHI_NONE UINT32_MAX

struct phi_names;

struct phi_names *phi_names_new(struct phi_err *err);
void phi_names_free(struct phi_names *names);
/* Adds name -> index. Returns 0; 1 if the name is there already (its first index stays); -1. */
int phi_names_add(struct phi_names *names, const char *name, size_t size, uint32_t index,
	struct phi_err *err);
/* The index, or PHI_NONE. */
uint32_t phi_names_find(const struct phi_names *names, const char *name, size_t size);

#endif
