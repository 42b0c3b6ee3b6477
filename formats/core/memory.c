/* Allocation through one gate, so that every one can be made to fail. */
#include "formats/core/memory.h"

#include "formats/core/fault.h"

#include <stdint.h>
#include <stdlib.h>

enum { LARGE = 4096, LINE = 64 };

static void *
allocate(size_t n)
{
	void *p;
	if (n < LARGE)
		return malloc(n ? n : 1);
	return posix_memalign(&p, LINE, n) == 0 ? p : NULL;
}

void *
phi_alloc(size_t n, struct phi_err *err)
{
	void *const p = phi_fault_alloc() ? NULL : allocate(n);
	if (!p)
		phi_fail(err, PHI_MEMORY, "out of memory (%zu bytes)", n);
	return p;
}

void *
phi_calloc(size_t count, size_t size, struct phi_err *err)
{
	size_t n;
	if (__builtin_mul_overflow(count, size, &n)) {
		phi_fail(err, PHI_MEMORY, "out of memory (%zu times %zu bytes)", count, size);
		return NULL;
	}
	void *const p = phi_fault_alloc() ? NULL : calloc(1, n ? n : 1);
	if (!p)
		phi_fail(err, PHI_MEMORY, "out of memory (%zu bytes)", n);
	return p;
}

void *
phi_realloc(void *p, size_t count, size_t size, struct phi_err *err)
{
	size_t n;
	if (__builtin_mul_overflow(count, size, &n)) {
		phi_fail(err, PHI_MEMORY, "out of memory (%zu times %zu bytes)", count, size);
		return NULL;
	}
	void *const q = phi_fault_alloc() ? NULL : realloc(p, n ? n : 1);
	if (!q)
		phi_fail(err, PHI_MEMORY, "out of memory (%zu bytes)", n);
	return q;
}

void
phi_free(void *p)
{
	free(p);
}

int
phi_grow(void *items, size_t *capacity, size_t count, size_t size, struct phi_err *err)
{
	if (count < *capacity)
		return 0;
	if (count > SIZE_MAX / 2 - 8)
		return phi_fail(err, PHI_MEMORY, "out of memory (%zu items)", count);
	const size_t wanted = count < 8 ? 8 : 2 * count;
	/* `items` is the address of a pointer of the caller's type: memcpy, to stay within the rules of
	 * aliasing. */
	void *old;
	__builtin_memcpy(&old, items, sizeof old);
	void *const fresh = phi_realloc(old, wanted, size, err);
	if (!fresh)
		return -1;
	__builtin_memcpy(items, &fresh, sizeof fresh);
	*capacity = wanted;
	return 0;
}

int
phi_reserve(void *block, size_t *capacity, uint64_t size, struct phi_err *err)
{
	void **const p = block;
	if (*p && *capacity >= size)
		return 0;
	phi_free(*p);
	*p = phi_alloc((size_t)size, err);
	*capacity = *p ? (size_t)size : 0;
	return *p ? 0 : -1;
}
