/* Outputs: whole or not at all. */
#include "formats/core/output.h"
#include "formats/core/store.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct phi_err err;
static const struct phi_output_options forced = { .force = true };

static int
fresh(void **state)
{
	(void)state;
	(void)!system("rm -rf -- ./* ./.[!.]*");
	err = (struct phi_err){ 0 };
	return 0;
}

static void
holds(const char *path, const char *expected)
{
	long n;
	const char *const bytes = scratch_read(path, &n);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(bytes, expected, (size_t)n);
}

static void
failed_with(int status, const char *words)
{
	assert_int_equal(status, -1);
	if (!strstr(err.text, words))
		fail_msg("%s", err.text);
}

static void
file_appears_at_commit(void **state)
{
	(void)state;
	struct phi_output *const o = phi_output_open(PHI_OUTPUT_FILES, "out.gguf", NULL, &err);
	assert_non_null(o);
	assert_int_equal(phi_output_add(o, NULL, &err), 0);
	assert_int_equal(phi_output_size(o, 0, 6, &err), 0);
	assert_int_equal(phi_output_write_at(o, 0, 3, "def", 3, &err), 0);
	assert_int_equal(phi_output_write_at(o, 0, 0, "abc", 3, &err), 0);
	assert_int_equal(access("out.gguf", F_OK), -1);
	assert_int_equal(scratch_count("."), 1);
	assert_int_equal(phi_output_commit(o, &err), 0);
	phi_output_close(o);
	holds("out.gguf", "abcdef");
	assert_int_equal(scratch_count("."), 1);
}

static void
nothing_is_left_without_commit(void **state)
{
	(void)state;
	struct phi_output *o = phi_output_open(PHI_OUTPUT_FILES, "out", NULL, &err);
	phi_output_add(o, NULL, &err);
	phi_output_append(o, 0, "abc", 3, &err);
	phi_output_close(o);
	o = phi_output_open(PHI_OUTPUT_FOLDER, "out/", NULL, &err);
	phi_output_add(o, "a", &err);
	phi_output_add(o, "b", &err);
	phi_output_close(o);
	assert_int_equal(scratch_count("."), 0);
}

static void
existing_file_needs_force(void **state)
{
	(void)state;
	scratch_write("out", "old", 3);
	struct phi_output *o = phi_output_open(PHI_OUTPUT_FILES, "out", NULL, &err);
	failed_with(phi_output_add(o, NULL, &err), "out: exists already; --force replaces it");
	phi_output_close(o);
	o = phi_output_open(PHI_OUTPUT_FILES, "out", &forced, &err);
	assert_int_equal(phi_output_add(o, NULL, &err), 0);
	phi_output_append(o, 0, "new!", 4, &err);
	holds("out", "old");
	assert_int_equal(phi_output_commit(o, &err), 0);
	phi_output_close(o);
	holds("out", "new!");
	assert_int_equal(scratch_count("."), 1);
	mkdir("folder", 0755);
	o = phi_output_open(PHI_OUTPUT_FILES, "folder", &forced, &err);
	failed_with(phi_output_add(o, NULL, &err), "not a regular file");
	phi_output_close(o);
}

/* Someone makes the file while we write. */
static void
race_is_lost_politely(void **state)
{
	(void)state;
	struct phi_output *const o = phi_output_open(PHI_OUTPUT_FILES, "out", NULL, &err);
	phi_output_add(o, NULL, &err);
	scratch_write("out", "other", 5);
	failed_with(phi_output_commit(o, &err), "exists already");
	phi_output_close(o);
	holds("out", "other");
	assert_int_equal(scratch_count("."), 1);
}

static void
set_appears_together(void **state)
{
	(void)state;
	scratch_write("m-2", "old", 3);
	struct phi_output *o = phi_output_open(PHI_OUTPUT_FILES, "m", &forced, &err);
	phi_output_add(o, "m-1", &err);
	phi_output_add(o, "m-2", &err);
	phi_output_add(o, NULL, &err);
	failed_with(phi_output_add(o, "m-1", &err), "two output files");
	failed_with(phi_output_add(o, "../m", &err), "not a name");
	for (unsigned i = 0; i < 3; i++)
		phi_output_append(o, i, "123", i + 1, &err);
	/* the last target turns into a folder: the first two must come back */
	mkdir("m", 0755);
	failed_with(phi_output_commit(o, &err), "m: exists and is not a regular file");
	assert_int_equal(access("m-1", F_OK), -1);
	holds("m-2", "old");
	phi_output_close(o);
	assert_int_equal(scratch_count("."), 2);
	rmdir("m");
	o = phi_output_open(PHI_OUTPUT_FILES, "m", &forced, &err);
	phi_output_add(o, "m-1", &err);
	phi_output_add(o, "m-2", &err);
	phi_output_add(o, NULL, &err);
	for (unsigned i = 0; i < 3; i++)
		phi_output_append(o, i, "123", i + 1, &err);
	assert_int_equal(phi_output_commit(o, &err), 0);
	phi_output_close(o);
	holds("m-1", "1");
	holds("m-2", "12");
	holds("m", "123");
	assert_int_equal(scratch_count("."), 3);
}

static struct phi_output *
folder_output(const struct phi_output_options *options)
{
	struct phi_output *const o = phi_output_open(PHI_OUTPUT_FOLDER, "out/", options, &err);
	if (!o)
		return NULL;
	assert_int_equal(phi_output_add(o, "config.json", &err), 0);
	assert_int_equal(phi_output_add(o, "model.safetensors", &err), 0);
	phi_output_append(o, 0, "{}", 2, &err);
	phi_output_append(o, 1, "weights", 7, &err);
	return o;
}

static void
folder_is_exchanged(void **state)
{
	(void)state;
	struct phi_output *o = folder_output(NULL);
	assert_int_equal(access("out", F_OK), -1);
	assert_int_equal(phi_output_commit(o, &err), 0);
	phi_output_close(o);
	holds("out/config.json", "{}");
	assert_int_equal(scratch_count("."), 1);
	assert_null(folder_output(NULL));
	assert_non_null(strstr(err.text, "out: exists already"));
	scratch_write("out/config.json", "[old]", 5);
	o = folder_output(&forced);
	assert_int_equal(phi_output_commit(o, &err), 0);
	phi_output_close(o);
	holds("out/config.json", "{}");
	assert_int_equal(scratch_count("."), 1);
	assert_int_equal(scratch_count("out"), 2);
	scratch_write("out/thesis.tex", "dear", 4);
	o = folder_output(&forced);
	failed_with(phi_output_commit(o, &err), "holds thesis.tex");
	phi_output_close(o);
	holds("out/thesis.tex", "dear");
	assert_int_equal(scratch_count("."), 1);
	assert_int_equal(scratch_count("out"), 3);
}

/* A child that is killed by the signal whose handler abandons. */
static void
on_signal(int number)
{
	phi_output_abandon_all();
	signal(number, SIG_DFL);
	raise(number);
}

static void
signal_removes_temporaries(void **state)
{
	(void)state;
	const pid_t child = fork();
	if (!child) {
		signal(SIGTERM, on_signal);
		struct phi_output *const a = folder_output(NULL);
		struct phi_output *const b = phi_output_open(PHI_OUTPUT_FILES, "file", NULL, &err);
		phi_output_add(b, NULL, &err);
		if (!a || scratch_count(".") != 2)
			_exit(1);
		raise(SIGTERM);
		_exit(2);
	}
	int status;
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(scratch_count("."), 0);
}

static void
input_is_safe(void **state)
{
	(void)state;
	mkdir("in", 0755);
	scratch_write("in/model.safetensors", "x", 1);
	assert_int_equal(link("in/model.safetensors", "same"), 0);
	assert_int_equal(symlink("same", "link"), 0);
	struct phi_store *const folder = phi_store_open("in", NULL, &err);
	struct phi_store *const file = phi_store_open("same", NULL, &err);
	struct phi_output *o = phi_output_open(PHI_OUTPUT_FILES, "link", &forced, &err);
	failed_with(phi_output_protect(o, file, &err), "link: is the input");
	failed_with(phi_output_protect(o, folder, &err), "is the input");
	phi_output_close(o);
	o = phi_output_open(PHI_OUTPUT_FILES, "other", &forced, &err);
	assert_int_equal(phi_output_protect(o, folder, &err), 0);
	failed_with(phi_output_add(o, "same", &err), "is the input");
	phi_output_close(o);
	o = phi_output_open(PHI_OUTPUT_FOLDER, "in", &forced, &err);
	failed_with(phi_output_protect(o, folder, &err), "is the input");
	assert_int_equal(phi_output_protect(o, file, &err), 0);
	phi_output_close(o);
	phi_store_close(folder);
	phi_store_close(file);
}

static void
stdout_is_checked(void **state)
{
	(void)state;
	const int saved = dup(1), full = open("/dev/full", O_WRONLY);
	fflush(stdout);
	dup2(full, 1);
	struct phi_output *o = phi_output_open(PHI_OUTPUT_STDOUT, NULL, NULL, &err);
	const int added = phi_output_add(o, NULL, &err);
	const int wrote = phi_output_append(o, 0, "abc", 3, &err);
	phi_output_close(o);
	close(1);
	struct phi_output *const closed = phi_output_open(PHI_OUTPUT_STDOUT, NULL, NULL, NULL);
	const int out = open("out", O_WRONLY | O_CREAT, 0644); /* becomes 1 */
	o = phi_output_open(PHI_OUTPUT_STDOUT, NULL, NULL, &err);
	const int more = phi_output_add(o, NULL, &err) || phi_output_append(o, 0, "ab", 2, &err) ||
		phi_output_append(o, 0, "c", 1, &err) || phi_output_commit(o, &err);
	const int second = phi_output_add(o, "x", NULL);
	phi_output_close(o);
	dup2(saved, 1);
	assert_int_equal(out, 1);
	assert_null(closed);
	assert_int_equal(added, 0);
	assert_int_equal(more, 0);
	assert_int_equal(second, -1);
	assert_int_equal(wrote, -1);
	assert_string_equal(err.text, "stdout: cannot write at offset 0: No space left on device");
	holds("out", "abc");
	close(saved);
	close(full);
}

static void
bad_places_are_named(void **state)
{
	(void)state;
	assert_null(phi_output_open(PHI_OUTPUT_FILES, "no/such/out", NULL, &err));
	assert_non_null(strstr(err.text, "no/such/out: its folder cannot be opened"));
	assert_null(phi_output_open(PHI_OUTPUT_FILES, "out/", NULL, &err));
	assert_null(phi_output_open(PHI_OUTPUT_FOLDER, "/", NULL, &err));
	assert_null(phi_output_open(PHI_OUTPUT_FOLDER, "..", NULL, &err));
	assert_null(phi_output_open(PHI_OUTPUT_FILES, "", NULL, &err));
	char name[256];
	memset(name, 'n', 255);
	name[255] = '\0';
	struct phi_output *const o = phi_output_open(PHI_OUTPUT_FILES, name, NULL, &err);
	assert_int_equal(phi_output_add(o, NULL, &err), 0);
	assert_int_equal(phi_output_commit(o, &err), 0);
	phi_output_close(o);
	assert_int_equal(access(name, F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(file_appears_at_commit),
		TEST(nothing_is_left_without_commit),
		TEST(existing_file_needs_force),
		TEST(race_is_lost_politely),
		TEST(set_appears_together),
		TEST(folder_is_exchanged),
		TEST(signal_removes_temporaries),
		TEST(input_is_safe),
		TEST(stdout_is_checked),
		TEST(bad_places_are_named),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
