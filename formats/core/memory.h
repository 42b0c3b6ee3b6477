/* Allocation. All of the library's own memory comes from here, so that a test can make the k-th
 * allocation fail (fault.h). A failure is an error of kind PHI_MEMORY, never an abort. Memory grows
 * with bytes really read, never with a number read from a file: callers check counts first. */
#ifndef PHI_CORE_MEMORY_H
#define PHI_CORE_MEMORY_H

#include "formats/core/error.h"

#include <stddef.h>
#include <stdint.h>

/* n may be 0: the result is then a valid pointer to free. From 4 KiB on it begins at a cache line: stores of 64 bytes
 * across two lines take twice as long. */
void *phi_alloc(size_t n, struct phi_err *err);
/* Zeroed; count * size is checked. */
void *phi_calloc(size_t count, size_t size, struct phi_err *err);
/* count * size is checked; on failure the old block stays valid and is still the caller's. */
void *phi_realloc(void *p, size_t count, size_t size, struct phi_err *err);
void phi_free(void *p);

/* Makes room for one more element in a heap array: *items of *capacity elements of `size` bytes,
 * `count` of them used; doubles. Returns 0 or -1. Use: if (phi_grow(&v, &cap, n, sizeof *v, err)). */
int phi_grow(void *items, size_t *capacity, size_t count, size_t size, struct phi_err *err);

/* Makes room for `size` bytes in a buffer that is used again and again, whose content may go: *block of *capacity
 * bytes. */
int phi_reserve(void *block, size_t *capacity, uint64_t size, struct phi_err *err);

#endif
