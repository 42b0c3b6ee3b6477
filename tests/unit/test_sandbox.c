/* Inside the sandbox: every violation is forced, and what the tools need still works. */
#include "formats/core/output.h"
#include "formats/core/sandbox.h"
#include "formats/core/store.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

static const struct phi_sandbox sandbox = { .read = { "in" }, .write = { "out" } };

/* Runs in a child inside the sandbox; its exit status. */
static int
inside(int (*body)(void))
{
	fflush(NULL);
	const pid_t child = fork();
	if (!child) {
		struct phi_err err;
		if (phi_sandbox_enter(&sandbox, &err)) {
			fprintf(stderr, "%s\n", err.text);
			_exit(100);
		}
		_exit(body());
	}
	int status;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

enum { HAS_LANDLOCK = 1, HAS_SECCOMP = 2 };

static int
parts(void)
{
	return (strstr(phi_sandbox_state(), "landlock") ? HAS_LANDLOCK : 0) |
	       (strstr(phi_sandbox_state(), "seccomp") ? HAS_SECCOMP : 0);
}

static int
denied(long result)
{
	return result == -1 && (errno == EPERM || errno == EACCES || errno == EXDEV) ? 0 : 1;
}

static int
socket_is_made(void)
{
	return denied(socket(AF_INET, SOCK_STREAM, 0)) || denied(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
program_is_run(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };
	return denied(execv("/bin/true", argv));
}

static int
process_is_forked(void)
{
	const pid_t child = fork();
	if (child == 0)
		_exit(0);
	return denied(child);
}

static int
process_is_traced(void)
{
	return denied(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
folder_is_mounted(void)
{
	return denied(mount("none", "out", "tmpfs", 0, NULL)) || denied(chroot("out"));
}

static int
x32_is_called(void)
{
#ifdef __x86_64__
	return denied(syscall(0x40000000 | 39));
#else
	return 0;
#endif
}

static int
file_elsewhere_is_read(void)
{
	return denied(open("/etc/passwd", O_RDONLY)) || denied(open("elsewhere", O_RDONLY)) ||
		denied(open("in/../elsewhere", O_RDONLY)) || denied(open("in/link", O_RDONLY));
}

static int
file_elsewhere_is_made(void)
{
	return denied(open("new", O_WRONLY | O_CREAT, 0600)) ||
		denied(open("in/new", O_WRONLY | O_CREAT, 0600)) ||
		denied(open("in/file", O_WRONLY)) || denied(unlink("in/file")) ||
		denied(rename("out/file", "moved")) || denied(mkdir("folder", 0700)) ||
		denied(symlink("/etc/passwd", "out/link"));
}

static void *
nothing(void *arg)
{
	return arg;
}

/* What the tools do after entering. */
static int
work_is_done(void)
{
	static const struct phi_output_options force = { .force = true };
	pthread_t thread;
	struct phi_err err;
	char byte;
	if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
		return 1;
	struct phi_store *const in = phi_store_open("in", NULL, &err);
	struct phi_member *const m = in ? phi_store_member(in, "file", &err) : NULL;
	if (!m || phi_member_read(m, 0, &byte, 1, &err) || byte != 'i')
		return 2;
	struct phi_output *o = phi_output_open(PHI_OUTPUT_FILES, "out/file", &force, &err);
	if (!o || phi_output_add(o, NULL, &err) || phi_output_append(o, 0, "new", 3, &err) ||
		phi_output_size(o, 0, 2, &err) || phi_output_commit(o, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 3;
	}
	phi_output_close(o);
	for (int i = 0; i < 2; i++) {
		o = phi_output_open(PHI_OUTPUT_FOLDER, "out/folder", &force, &err);
		if (!o || phi_output_add(o, "a", &err) || phi_output_append(o, 0, "a", 1, &err) ||
			phi_output_commit(o, &err)) {
			fprintf(stderr, "%s\n", err.text);
			return 4;
		}
		phi_output_close(o);
	}
	return 0;
}

static int
prepare(void **state)
{
	if (scratch_enter(state))
		return -1;
	mkdir("in", 0755);
	mkdir("out", 0755);
	scratch_write("in/file", "in", 2);
	scratch_write("out/file", "out", 3);
	scratch_write("elsewhere", "x", 1);
	return symlink("../elsewhere", "in/link");
}

/* Which parts the kernel has, learnt in a child: the state there is not ours. */
static int kernel;

static void
state_is_told(void **state)
{
	(void)state;
	kernel = inside(parts);
	assert_in_range(kernel, 0, 3);
	assert_string_equal(phi_sandbox_state(), "none");
	print_message("landlock: %s, seccomp: %s\n", kernel & HAS_LANDLOCK ? "yes" : "no",
		kernel & HAS_SECCOMP ? "yes" : "no");
}

static void
calls_are_refused(void **state)
{
	(void)state;
	if (!(kernel & HAS_SECCOMP))
		skip();
	assert_int_equal(inside(socket_is_made), 0);
	assert_int_equal(inside(program_is_run), 0);
	assert_int_equal(inside(process_is_forked), 0);
	assert_int_equal(inside(process_is_traced), 0);
	assert_int_equal(inside(folder_is_mounted), 0);
	assert_int_equal(inside(x32_is_called), 0);
}

static void
paths_are_refused(void **state)
{
	(void)state;
	if (!(kernel & HAS_LANDLOCK))
		skip();
	assert_int_equal(inside(file_elsewhere_is_read), 0);
	assert_int_equal(inside(file_elsewhere_is_made), 0);
}

static void
work_goes_on(void **state)
{
	(void)state;
	long n;
	assert_int_equal(inside(work_is_done), 0);
	assert_memory_equal(scratch_read("out/file", &n), "ne", 2);
	assert_int_equal(scratch_count("out"), 2);
}

static void
it_can_be_turned_off(void **state)
{
	(void)state;
	setenv("PHI_SANDBOX", "off", 1);
	assert_int_equal(inside(parts), 0);
	assert_int_equal(inside(socket_is_made), 1);
	unsetenv("PHI_SANDBOX");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_is_told),
		cmocka_unit_test(calls_are_refused),
		cmocka_unit_test(paths_are_refused),
		cmocka_unit_test(work_goes_on),
		cmocka_unit_test(it_can_be_turned_off),
	};
	return cmocka_run_group_tests(tests, prepare, scratch_leave);
}
