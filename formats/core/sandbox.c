/* Landlock through its three system calls, for which there is no library; the numbers of rights grow
 * with the kernel's version of it (ABI), and only those it knows may be asked for.
 *
 *   ABI 1 Linux 5.13   13 rights           ABI 4 Linux 6.7    TCP
 *   ABI 2 Linux 5.19   rename to elsewhere ABI 5 Linux 6.10   ioctl on devices
 *   ABI 3 Linux 6.2    truncate            ABI 6 Linux 6.12   signals, abstract sockets */
#include "formats/core/sandbox.h"

#include "formats/core/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	NR_CREATE_RULESET = 444, /* the same on every architecture */
	NR_ADD_RULE = 445,
	NR_RESTRICT_SELF = 446,
	CREATE_RULESET_VERSION = 1,
	RULE_PATH_BENEATH = 1,
};

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_ALL_1 = (1 << 13) - 1,
	FS_ALL_2 = (1 << 14) - 1,
	FS_ALL_3 = (1 << 15) - 1,
	FS_ALL_5 = (1 << 16) - 1,
	NET_ALL_4 = 3, /* bind, connect */
	SCOPE_ALL_6 = 3, /* abstract sockets, signals */
	READING = FS_READ_FILE | FS_READ_DIR,
	WRITING = READING | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |
		FS_REFER | FS_TRUNCATE,
};

struct ruleset {
	uint64_t fs, net, scoped;
};

/* The kernel's picture has no padding behind its 12 bytes. */
struct rule {
	uint64_t allowed;
	int32_t folder;
} __attribute__((packed));

static char state[64] = "none";

static struct ruleset
rights_of(long abi)
{
	return (struct ruleset){
		.fs = abi >= 5 ? FS_ALL_5 : abi >= 3 ? FS_ALL_3 : abi == 2 ? FS_ALL_2 : FS_ALL_1,
		.net = abi >= 4 ? NET_ALL_4 : 0,
		.scoped = abi >= 6 ? SCOPE_ALL_6 : 0,
	};
}

static size_t
size_of_rights(long abi)
{
	return abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
}

/* A folder that is not there needs no rule: whoever opens it will say so. */
static int
allow(int ruleset, const char *folder, uint64_t rights, struct phi_err *err)
{
	const int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	const struct rule rule = { .allowed = rights, .folder = fd };
	const long status = syscall(NR_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
	const int error = errno;
	close(fd);
	errno = error;
	return status ? phi_fail_errno(err, "cannot enter the sandbox (%s)", folder) : 0;
}

static int
allow_all(int ruleset, const struct phi_sandbox *s, uint64_t rights, struct phi_err *err)
{
	for (unsigned i = 0; i < sizeof s->read / sizeof *s->read && s->read[i]; i++)
		if (allow(ruleset, s->read[i], READING & rights, err))
			return -1;
	for (const char *const *folder = s->more; folder && *folder; folder++)
		if (allow(ruleset, *folder, READING & rights, err))
			return -1;
	for (unsigned i = 0; i < sizeof s->write / sizeof *s->write && s->write[i]; i++)
		if (allow(ruleset, s->write[i], WRITING & rights, err))
			return -1;
	return 0;
}

/* Returns the ABI in force, 0 where there is none, -1. */
static long
enter_landlock(const struct phi_sandbox *s, struct phi_err *err)
{
	const long abi = syscall(NR_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
	if (abi < 1)
		return 0;
	const struct ruleset rights = rights_of(abi);
	const int ruleset = (int)syscall(NR_CREATE_RULESET, &rights, size_of_rights(abi), 0);
	if (ruleset < 0)
		return phi_fail_errno(err, "cannot enter the sandbox (Landlock)");
	int status = allow_all(ruleset, s, rights.fs, err);
	if (!status && syscall(NR_RESTRICT_SELF, ruleset, 0))
		status = phi_fail_errno(err, "cannot enter the sandbox (Landlock)");
	close(ruleset);
	return status ? -1 : abi;
}

int
phi_sandbox_enter(const struct phi_sandbox *sandbox, struct phi_err *err)
{
	const char *const wish = getenv("PHI_SANDBOX");
#ifdef PHI_SANITIZED
	return 0; /* LeakSanitizer stops its threads with ptrace */
#endif
	if (wish && !strcmp(wish, "off"))
		return 0;
	const struct rlimit no_core = { 0, 0 };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || setrlimit(RLIMIT_CORE, &no_core))
		return phi_fail_errno(err, "cannot enter the sandbox");
	const long abi = enter_landlock(sandbox, err);
	if (abi < 0)
		return -1;
	const int filter = phi_sandbox_filter(err);
	if (filter < 0)
		return -1;
	if (abi)
		snprintf(state, sizeof state, "landlock %ld%s", abi, filter ? ", seccomp" : "");
	else if (filter)
		strcpy(state, "seccomp");
	return 0;
}

const char *
phi_sandbox_state(void)
{
	return state;
}
