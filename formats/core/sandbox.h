/* The sandbox: once inputs and the output are open, the process gives up what it will not need.
 * Landlock (where the kernel has it): nothing can be opened any more but beneath the named folders.
 * seccomp: no sockets, no exec, no ptrace, no mount. no_new_privs, no core dumps. Where the kernel
 * lacks a part, that part is skipped silently; phi_sandbox_state tells. Off in sanitizer builds and
 * with PHI_SANDBOX=off (for debuggers; tests use it too). */
#ifndef PHI_CORE_SANDBOX_H
#define PHI_CORE_SANDBOX_H

#include "formats/core/error.h"

struct phi_sandbox {
	const char *read[4];  /* folders whose files may still be opened for reading; NULL-ended */
	const char *const *more; /* more of those, NULL-ended; or NULL */
	const char *write[4]; /* folders in which files may be made, renamed, removed; NULL-ended */
};

int phi_sandbox_enter(const struct phi_sandbox *sandbox, struct phi_err *err);
/* "landlock 3, seccomp", "seccomp", "none": for --version -v. */
const char *phi_sandbox_state(void);

#endif
