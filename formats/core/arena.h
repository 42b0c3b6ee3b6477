/* An arena: many small allocations with one life. Strings, names and arrays of a model live in the
 * model's arena and go with it. Not thread-safe. */
#ifndef PHI_CORE_ARENA_H
#define PHI_CORE_ARENA_H

#include "formats/core/error.h"

#include <stddef.h>

struct phi_arena;

struct phi_arena *phi_arena_new(struct phi_err *err);
void phi_arena_free(struct phi_arena *arena);

/* Aligned for any type, not zeroed; lives until phi_arena_free. n may be 0. */
void *phi_arena_alloc(struct phi_arena *arena, size_t n, struct phi_err *err);
/* Zeroed; count * size is checked. */
void *phi_arena_calloc(struct phi_arena *arena, size_t count, size_t size, struct phi_err *err);
/* A copy of n bytes plus a NUL. */
char *phi_arena_copy(struct phi_arena *arena, const void *bytes, size_t n, struct phi_err *err);
char *phi_arena_strdup(struct phi_arena *arena, const char *s, struct phi_err *err);
char *phi_arena_printf(struct phi_arena *arena, struct phi_err *err, const char *fmt, ...)
	PHI_PRINTF(3, 4);

#endif
