/* Arithmetic on numbers that came from a file. Each returns false when the result does not fit, and
 * then leaves *out alone. Ranges are compared by subtraction: `offset + size` is never computed. */
#ifndef PHI_CORE_CHECKED_H
#define PHI_CORE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool
phi_add(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t r;
	if (__builtin_add_overflow(a, b, &r))
		return false;
	*out = r;
	return true;
}

static inline bool
phi_mul(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t r;
	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*out = r;
	return true;
}

/* Rounds a up to a multiple of `to` (any number above 0). */
static inline bool
phi_round_up(uint64_t a, uint64_t to, uint64_t *out)
{
	const uint64_t rest = a % to;
	return phi_add(a, rest ? to - rest : 0, out);
}

/* Do `size` bytes at `offset` lie within `total`? */
static inline bool
phi_fits(uint64_t offset, uint64_t size, uint64_t total)
{
	return size <= total && offset <= total - size;
}

#endif
