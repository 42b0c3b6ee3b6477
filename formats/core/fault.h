/* Faults on demand, for tests; compiled in only with -DPHI_FAULTS (make FAULTS=1).
 *
 *   PHI_FAIL_ALLOC=k    the k-th allocation fails (k+: from the k-th on)
 *   PHI_FAIL_IO=k       the k-th read or write of the store or an output fails with EIO (k+ likewise)
 *   PHI_SHORT_IO=1      every read and write moves one byte at most; every other call is EINTR
 */
#ifndef PHI_CORE_FAULT_H
#define PHI_CORE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef PHI_FAULTS
bool phi_fault_alloc(void); /* should this allocation fail? */
/* Should this call fail (errno set), or be cut to fewer bytes? */
bool phi_fault_io(size_t *n);
#else
static inline bool
phi_fault_alloc(void)
{
	return false;
}
static inline bool
phi_fault_io(size_t *n)
{
	(void)n;
	return false;
}
#endif

#endif
