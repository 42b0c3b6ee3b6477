/* The seccomp half of the sandbox; sandbox.c alone includes this. */
#ifndef PHI_CORE_SANDBOX_FILTER_H
#define PHI_CORE_SANDBOX_FILTER_H

#include "formats/core/error.h"

/* Installs the filter for all threads. Returns 1; 0 where the kernel or this CPU's system call numbers
 * are not known to us; -1 on any other failure. */
int phi_sandbox_filter(struct phi_err *err);

#endif
