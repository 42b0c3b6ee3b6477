/* An arena: a chain of blocks, each filled from its start. A request larger than a quarter of a block
 * gets one of its own, so that little is wasted at the ends. */
#include "formats/core/arena.h"

#include "formats/core/memory.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_BLOCK = 4 << 10, LARGEST_BLOCK = 256 << 10 };

struct block {
	struct block *next;
	alignas(max_align_t) unsigned char bytes[];
};

struct phi_arena {
	struct block *blocks; /* all of them; the order does not matter */
	unsigned char *at;    /* free place of the block being filled */
	size_t left;
	size_t block_size; /* of the next block */
};

struct phi_arena *
phi_arena_new(struct phi_err *err)
{
	struct phi_arena *const arena = phi_calloc(1, sizeof *arena, err);
	if (arena)
		arena->block_size = FIRST_BLOCK;
	return arena;
}

void
phi_arena_free(struct phi_arena *arena)
{
	if (!arena)
		return;
	for (struct block *b = arena->blocks, *next; b; b = next) {
		next = b->next;
		phi_free(b);
	}
	phi_free(arena);
}

static unsigned char *
add_block(struct phi_arena *arena, size_t n, struct phi_err *err)
{
	struct block *const b = phi_alloc(sizeof *b + n, err);
	if (!b)
		return NULL;
	b->next = arena->blocks;
	arena->blocks = b;
	return b->bytes;
}

void *
phi_arena_alloc(struct phi_arena *arena, size_t n, struct phi_err *err)
{
	const size_t align = alignof(max_align_t);
	if (n > SIZE_MAX / 2) {
		phi_fail(err, PHI_MEMORY, "out of memory (%zu bytes)", n);
		return NULL;
	}
	n = n ? (n + align - 1) / align * align : align;
	if (n > arena->left) {
		if (n > arena->block_size / 4)
			return add_block(arena, n, err);
		unsigned char *const bytes = add_block(arena, arena->block_size, err);
		if (!bytes)
			return NULL;
		arena->at = bytes;
		arena->left = arena->block_size;
		if (arena->block_size < LARGEST_BLOCK)
			arena->block_size *= 2;
	}
	void *const p = arena->at;
	arena->at += n;
	arena->left -= n;
	return p;
}

void *
phi_arena_calloc(struct phi_arena *arena, size_t count, size_t size, struct phi_err *err)
{
	size_t n;
	if (__builtin_mul_overflow(count, size, &n)) {
		phi_fail(err, PHI_MEMORY, "out of memory (%zu times %zu bytes)", count, size);
		return NULL;
	}
	void *const p = phi_arena_alloc(arena, n, err);
	return p ? memset(p, 0, n) : NULL;
}

char *
phi_arena_copy(struct phi_arena *arena, const void *bytes, size_t n, struct phi_err *err)
{
	if (n == SIZE_MAX) {
		phi_fail(err, PHI_MEMORY, "out of memory (%zu bytes)", n);
		return NULL;
	}
	char *const p = phi_arena_alloc(arena, n + 1, err);
	if (!p)
		return NULL;
	if (n)
		memcpy(p, bytes, n);
	p[n] = '\0';
	return p;
}

char *
phi_arena_strdup(struct phi_arena *arena, const char *s, struct phi_err *err)
{
	return phi_arena_copy(arena, s, strlen(s), err);
}

char *
phi_arena_printf(struct phi_arena *arena, struct phi_err *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		phi_fail(err, PHI_ARGUMENT, "text cannot be formatted");
		return NULL;
	}
	char *const p = phi_arena_alloc(arena, (size_t)n + 1, err);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
