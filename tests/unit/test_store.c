/* Stores: files, pipes, folders with hostile names and links. */
#include "formats/core/memory.h"
#include "formats/core/store.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct phi_err err;

static void
file_is_read(void **state)
{
	(void)state;
	scratch_write("Phi-3.5.safetensors", "hello", 5);
	struct phi_store *const s = phi_store_open("Phi-3.5.safetensors", NULL, &err);
	assert_non_null(s);
	assert_int_equal(phi_store_kind(s), PHI_STORE_FILE);
	assert_string_equal(phi_store_base(s), "Phi-3.5");
	struct phi_member *const m = phi_store_member(s, NULL, &err);
	assert_string_equal(phi_member_name(m), "Phi-3.5.safetensors");
	assert_int_equal(phi_member_size(m), 5);
	char b[8] = { 0 };
	assert_int_equal(phi_member_read(m, 1, b, 4, &err), 0);
	assert_string_equal(b, "ello");
	assert_int_equal(phi_member_read(m, 2, b, 4, &err), -1);
	assert_int_equal(err.kind, PHI_TRUNCATED);
	assert_int_equal(phi_member_read(m, UINT64_MAX, b, 4, &err), -1);
	const uint8_t *head;
	size_t n;
	assert_int_equal(phi_member_peek(m, &head, &n, &err), 0);
	assert_int_equal(n, 5);
	void *data;
	assert_int_equal(phi_member_load(m, 4, &data, &n, &err), -1);
	assert_int_equal(err.kind, PHI_LIMIT);
	assert_int_equal(phi_member_load(m, 5, &data, &n, &err), 0);
	assert_string_equal(data, "hello");
	phi_free(data);
	struct phi_member *const w = phi_member_window(m, "w", 2, 2, &err);
	assert_int_equal(phi_member_read(w, 0, b, 2, &err), 0);
	assert_memory_equal(b, "ll", 2);
	assert_int_equal(phi_member_read(w, 1, b, 2, &err), -1);
	assert_null(phi_member_window(m, "w", 4, 2, &err));
	/* cut under us */
	assert_int_equal(truncate("Phi-3.5.safetensors", 2), 0);
	assert_int_equal(phi_member_read(m, 0, b, 5, &err), -1);
	assert_int_equal(err.kind, PHI_TRUNCATED);
	phi_member_close(w);
	phi_member_close(m);
	phi_store_close(s);
}

static void
missing_file_is_named(void **state)
{
	(void)state;
	assert_null(phi_store_open("no\nfile", NULL, &err));
	assert_int_equal(err.kind, PHI_SYSTEM);
	assert_string_equal(err.text, "no\\x0afile: No such file or directory");
}

/* A child that writes n bytes (i % 251) to a FIFO. */
static pid_t
feed(const char *fifo, size_t n)
{
	unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	const pid_t child = fork();
	if (child)
		return child;
	FILE *const f = fopen(fifo, "wb");
	for (size_t i = 0; i < n; i++)
		putc((int)(i % 251), f);
	_exit(fclose(f) != 0);
}

static void
expect_bytes(const uint8_t *b, size_t offset, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(b[i], (offset + i) % 251);
}

static void
pipe_is_read_forward(void **state)
{
	(void)state;
	const pid_t child = feed("fifo", 300000);
	struct phi_store *const s = phi_store_open("fifo", NULL, &err);
	assert_int_equal(phi_store_kind(s), PHI_STORE_PIPE);
	struct phi_member *m = phi_store_member(s, NULL, &err);
	assert_true(phi_member_sequential(m));
	assert_int_equal(phi_member_size(m), UINT64_MAX);
	const uint8_t *head;
	size_t n;
	assert_int_equal(phi_member_peek(m, &head, &n, &err), 0);
	assert_int_equal(n, PHI_PEEK_MAX);
	expect_bytes(head, 0, n);
	phi_member_close(m);
	m = phi_store_member(s, "-", &err);
	static uint8_t b[100000];
	assert_int_equal(phi_member_read(m, 60000, b, 50000, &err), 0);
	expect_bytes(b, 60000, 50000);
	assert_int_equal(phi_member_read(m, 10, b, 100, &err), 0);
	expect_bytes(b, 10, 100);
	assert_int_equal(phi_member_read(m, 109999, b, 1, &err), -1);
	assert_int_equal(err.kind, PHI_ARGUMENT);
	assert_int_equal(phi_member_spool(m, &err), -1);
	assert_int_equal(phi_member_read(m, 250000, b, 50000, &err), 0);
	expect_bytes(b, 250000, 50000);
	assert_int_equal(phi_member_read(m, 300000, b, 1, &err), -1);
	assert_int_equal(err.kind, PHI_TRUNCATED);
	phi_member_close(m);
	phi_store_close(s);
	waitpid(child, NULL, 0);
}

static void
pipe_is_spooled(void **state)
{
	(void)state;
	const pid_t child = feed("fifo", 300000);
	struct phi_store *const s = phi_store_open("fifo", NULL, &err);
	struct phi_member *m = phi_store_member(s, NULL, &err);
	assert_int_equal(phi_member_spool(m, &err), 0);
	assert_false(phi_member_sequential(m));
	phi_member_close(m);
	m = phi_store_member(s, NULL, &err);
	assert_false(phi_member_sequential(m));
	assert_int_equal(phi_member_size(m), 300000);
	uint8_t b[100];
	assert_int_equal(phi_member_read(m, 299900, b, 100, &err), 0);
	expect_bytes(b, 299900, 100);
	assert_int_equal(phi_member_read(m, 5, b, 100, &err), 0);
	expect_bytes(b, 5, 100);
	uint64_t at = 299999;
	size_t got;
	assert_int_equal(phi_member_read_some(m, &at, b, 100, &got, &err), 0);
	assert_int_equal(got, 1);
	assert_int_equal(phi_member_read_some(m, &at, b, 100, &got, &err), 0);
	assert_int_equal(got, 0);
	struct phi_member *const w = phi_member_window(m, "w", 100, 50, &err);
	assert_int_equal(phi_member_read(w, 1, b, 49, &err), 0);
	expect_bytes(b, 101, 49);
	phi_member_close(w);
	phi_member_close(m);
	phi_store_close(s);
	waitpid(child, NULL, 0);
}

static void
spooling_is_refused(void **state)
{
	(void)state;
	const pid_t child = feed("fifo", 10);
	const struct phi_spool_options options = { .refuse = true };
	struct phi_store *const s = phi_store_open("fifo", &options, &err);
	struct phi_member *const m = phi_store_member(s, NULL, &err);
	assert_int_equal(phi_member_spool(m, &err), -1);
	assert_non_null(strstr(err.text, "--no-spool"));
	void *data;
	size_t n;
	assert_int_equal(phi_member_load(m, 9, &data, &n, &err), -1);
	assert_int_equal(err.kind, PHI_LIMIT);
	phi_member_close(m);
	phi_store_close(s);
	waitpid(child, NULL, 0);
}

static void
opens(struct phi_store *s, const char *name, const char *expected)
{
	struct phi_member *const m = phi_store_member(s, name, &err);
	if (!m)
		fail_msg("%s", err.text);
	char b[16] = { 0 };
	assert_int_equal(phi_member_size(m), strlen(expected));
	assert_int_equal(phi_member_read(m, 0, b, strlen(expected), &err), 0);
	assert_string_equal(b, expected);
	phi_member_close(m);
}

static void
refuses(struct phi_store *s, const char *name, const char *why)
{
	assert_null(phi_store_member(s, name, &err));
	if (!strstr(err.text, why))
		fail_msg("%s", err.text);
}

/* The shape of a Hugging Face cache, with every kind of link that must not be followed. */
static void
make_folder(void)
{
	mkdir("cache", 0755);
	mkdir("cache/blobs", 0755);
	mkdir("cache/snapshots", 0755);
	mkdir("cache/snapshots/rev", 0755);
	mkdir("cache/snapshots/rev/sub", 0755);
	scratch_write("outside", "secret", 6);
	scratch_write("cache/blobs/abc", "blob", 4);
	assert_int_equal(chdir("cache/snapshots/rev"), 0);
	scratch_write("config.json", "{}", 2);
	scratch_write("sub/a", "sub", 3);
	assert_int_equal(symlink("../../blobs/abc", "model.safetensors"), 0);
	assert_int_equal(symlink("../../../blobs/abc", "sub/model"), 0);
	assert_int_equal(symlink("config.json", "same"), 0);
	assert_int_equal(symlink("../config.json", "sub/up"), 0);
	assert_int_equal(symlink("sub/../sub/a", "round"), 0);
	assert_int_equal(symlink("../../../outside", "out"), 0);
	assert_int_equal(symlink("../../blobs/../../outside", "out2"), 0);
	assert_int_equal(symlink("../../blobs/x/../abc", "fine"), 0);
	assert_int_equal(symlink("/etc/passwd", "absolute"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(symlink("sub", "folderlink"), 0);
	assert_int_equal(symlink("gone", "dangling"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(chdir(scratch_path), 0);
}

static void
folder_is_safe(void **state)
{
	(void)state;
	make_folder();
	struct phi_store *const s = phi_store_open("cache/snapshots/rev/", NULL, &err);
	assert_non_null(s);
	assert_string_equal(phi_store_base(s), "rev");
	opens(s, "config.json", "{}");
	opens(s, "model.safetensors", "blob");
	opens(s, "sub/model", "blob");
	opens(s, "sub/a", "sub");
	opens(s, "sub/up", "{}");
	opens(s, "same", "{}");
	opens(s, "round", "sub");
	opens(s, "fine", "blob");
	refuses(s, "out", "leads out");
	refuses(s, "out2", "leads out");
	refuses(s, "absolute", "leads out");
	refuses(s, "loop", "links");
	refuses(s, "folderlink/a", "cannot be opened");
	refuses(s, "folderlink", "not a regular file");
	refuses(s, "dangling", "No such file");
	refuses(s, "fifo", "not a regular file");
	refuses(s, "sub", "not a regular file");
	refuses(s, "../rev/config.json", "not a name");
	refuses(s, "/etc/passwd", "not a name");
	refuses(s, "sub//a", "not a name");
	refuses(s, "", "not a name");
	refuses(s, ".", "not a name");
	refuses(s, "sub/..", "not a name");
	const char *const *names;
	size_t n;
	assert_int_equal(phi_store_list(s, &names, &n, &err), 0);
	assert_int_equal(n, 13); /* fifo and dangling are listed: opening them says why not */
	assert_string_equal(names[0], "absolute");
	assert_true(phi_store_has(s, "config.json"));
	assert_true(phi_store_has(s, "sub/a"));
	assert_false(phi_store_has(s, "sub/b"));
	assert_false(phi_store_has(s, "nothing"));
	struct phi_store *const one = phi_store_single(s, "model.safetensors", &err);
	assert_int_equal(phi_store_kind(one), PHI_STORE_FILE);
	assert_string_equal(phi_store_base(one), "model");
	opens(one, NULL, "blob");
	phi_store_close(one);
	phi_store_close(s);
}

static void
stdin_file_is_a_file(void **state)
{
	(void)state;
	scratch_write("in", "0123456789", 10);
	const int saved = dup(0), fd = open("in", O_RDONLY);
	dup2(fd, 0);
	lseek(0, 4, SEEK_SET);
	struct phi_store *const s = phi_store_open("-", NULL, &err);
	assert_int_equal(phi_store_kind(s), PHI_STORE_FILE);
	assert_string_equal(phi_store_path(s), "stdin");
	opens(s, NULL, "456789");
	phi_store_close(s);
	const int folder = open(".", O_RDONLY);
	dup2(folder, 0);
	assert_null(phi_store_open(NULL, NULL, &err));
	assert_string_equal(err.text, "stdin: is a folder; give its name instead");
	dup2(saved, 0);
	close(saved);
	close(fd);
	close(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_is_read),
		cmocka_unit_test(missing_file_is_named),
		cmocka_unit_test(pipe_is_read_forward),
		cmocka_unit_test(pipe_is_spooled),
		cmocka_unit_test(spooling_is_refused),
		cmocka_unit_test(folder_is_safe),
		cmocka_unit_test(stdin_file_is_a_file),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
