/* A seccomp filter, assembled by hand: a list of what is refused.
 *
 *     load the architecture;   another one -> kill (32-bit calls have other numbers)
 *     load the call's number;  x32 -> refuse
 *     == one of the list       -> refuse: EPERM
 *     == clone3                -> ENOSYS, so that the C library falls back on clone, whose flags a
 *                                 filter can see
 *     == clone                 -> allowed for threads only
 *     anything else            -> allow
 */
#include "formats/core/sandbox_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define PHI_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define PHI_AUDIT_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef PHI_AUDIT_ARCH

/* From 403 on numbers are the same everywhere; older headers lack some of them. */
enum {
	NR_OPEN_TREE = 428,
	NR_MOVE_MOUNT = 429,
	NR_FSOPEN = 430,
	NR_FSCONFIG = 431,
	NR_FSMOUNT = 432,
	NR_FSPICK = 433,
	NR_PIDFD_OPEN = 434,
	NR_CLONE3 = 435,
	NR_PIDFD_GETFD = 438,
	NR_PROCESS_MADVISE = 440,
	NR_MOUNT_SETATTR = 442,
	NR_IO_URING_SETUP = 425,
	NR_IO_URING_ENTER = 426,
	NR_IO_URING_REGISTER = 427,
	X32_BIT = 0x40000000,
};

static const unsigned refused[] = {
	/* the network */
	__NR_socket, __NR_socketpair, __NR_connect, __NR_bind, __NR_listen, __NR_accept, __NR_accept4,
	/* other programs and processes */
	__NR_execve, __NR_execveat, __NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev,
	__NR_kcmp, NR_PIDFD_OPEN, NR_PIDFD_GETFD, NR_PROCESS_MADVISE,
#ifdef __NR_fork
	__NR_fork, __NR_vfork,
#endif
	/* the file system as a whole */
	__NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot, __NR_setns, __NR_unshare,
	__NR_open_by_handle_at, __NR_swapon, __NR_swapoff, __NR_quotactl, NR_OPEN_TREE, NR_MOVE_MOUNT,
	NR_FSOPEN, NR_FSCONFIG, NR_FSMOUNT, NR_FSPICK, NR_MOUNT_SETATTR,
	/* the kernel */
	__NR_bpf, __NR_perf_event_open, __NR_userfaultfd, __NR_init_module, __NR_finit_module,
	__NR_delete_module, __NR_kexec_load, __NR_reboot, __NR_settimeofday, __NR_clock_settime,
	__NR_add_key, __NR_request_key, __NR_keyctl, NR_IO_URING_SETUP, NR_IO_URING_ENTER,
	NR_IO_URING_REGISTER,
};

enum { NREFUSED = sizeof refused / sizeof *refused, PROGRAM_MAX = NREFUSED + 16 };

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short size;
};

static void
add(struct program *p, unsigned short code, unsigned char yes, unsigned char no, unsigned k)
{
	p->code[p->size++] = (struct sock_filter){ .code = code, .jt = yes, .jf = no, .k = k };
}

enum { LOAD = BPF_LD | BPF_W | BPF_ABS, EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
	ABOVE = BPF_JMP | BPF_JGE | BPF_K, BITS = BPF_JMP | BPF_JSET | BPF_K, RETURN = BPF_RET | BPF_K };

static void
assemble(struct program *p)
{
	add(p, LOAD, 0, 0, offsetof(struct seccomp_data, arch));
	add(p, EQUAL, 1, 0, PHI_AUDIT_ARCH);
	add(p, RETURN, 0, 0, SECCOMP_RET_KILL_PROCESS);
	add(p, LOAD, 0, 0, offsetof(struct seccomp_data, nr));
	/* Jumps count from the next instruction. The end: clone3, clone, load, flags, allow, refuse,
	 * missing. */
	const unsigned char to_refuse = NREFUSED + 5;
	add(p, ABOVE, to_refuse, 0, X32_BIT);
	for (unsigned i = 0; i < NREFUSED; i++)
		add(p, EQUAL, (unsigned char)(to_refuse - 1 - i), 0, refused[i]);
	add(p, EQUAL, 5, 0, NR_CLONE3);
	add(p, EQUAL, 0, 2, __NR_clone);
	add(p, LOAD, 0, 0, offsetof(struct seccomp_data, args)); /* the lower half: little-endian */
	add(p, BITS, 0, 1, CLONE_THREAD);
	add(p, RETURN, 0, 0, SECCOMP_RET_ALLOW);
	add(p, RETURN, 0, 0, SECCOMP_RET_ERRNO | EPERM);
	add(p, RETURN, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
}

int
phi_sandbox_filter(struct phi_err *err)
{
	struct program p = { .size = 0 };
	assemble(&p);
	const struct sock_fprog program = { .len = p.size, .filter = p.code };
	if (!syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
		return 1;
	if (errno == ENOSYS || errno == EINVAL)
		return 0;
	return phi_fail_errno(err, "cannot enter the sandbox (seccomp)");
}

#else

int
phi_sandbox_filter(struct phi_err *err)
{
	(void)err;
	return 0;
}

#endif
