/* A tar as a store, against tars that tar(1) makes and tars that are wrong. */
#include "formats/core/store.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct phi_err err;

static struct phi_store *file;

static struct phi_store *
open_tar(const char *path)
{
	file = phi_store_open(path, NULL, &err);
	assert_non_null(file);
	struct phi_member *const m = phi_store_member(file, NULL, &err);
	struct phi_store *const tar = phi_store_tar(m, &err);
	if (!tar)
		phi_store_close(file);
	return tar;
}

static void
close_tar(struct phi_store *tar)
{
	phi_store_close(tar);
	phi_store_close(file);
}

static void
shell(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static void
opens(struct phi_store *s, const char *name, const char *expected)
{
	struct phi_member *const m = phi_store_member(s, name, &err);
	if (!m)
		fail_msg("%s", err.text);
	char b[64] = { 0 };
	assert_int_equal(phi_member_size(m), strlen(expected));
	assert_int_equal(phi_member_read(m, 0, b, strlen(expected), &err), 0);
	assert_string_equal(b, expected);
	phi_member_close(m);
}

static void
entries_are_windows(void **state)
{
	(void)state;
	shell("mkdir -p Phi-4/sub && echo '{}' > Phi-4/config.json && printf w > Phi-4/model.bin &&"
	      ": > Phi-4/empty && echo deep > Phi-4/sub/x &&"
	      "head -c 100000 /dev/zero | tr '\\0' z > Phi-4/zz");
	static const char *const formats[] = { "gnu", "pax", "ustar", "v7" };
	for (unsigned i = 0; i < 4; i++) {
		char command[256];
		snprintf(command, sizeof command, "tar -c --format=%s -f a.tar Phi-4", formats[i]);
		shell(command);
		struct phi_store *const s = open_tar("a.tar");
		if (!s)
			fail_msg("%s", err.text);
		assert_string_equal(phi_store_base(s), "Phi-4");
		opens(s, "config.json", "{}\n");
		opens(s, "model.bin", "w");
		opens(s, "empty", "");
		opens(s, "sub/x", "deep\n");
		struct phi_member *const m = phi_store_member(s, "zz", &err);
		char b[2];
		assert_int_equal(phi_member_size(m), 100000);
		assert_int_equal(phi_member_read(m, 99999, b, 1, &err), 0);
		assert_int_equal(b[0], 'z');
		assert_int_equal(phi_member_read(m, 99999, b, 2, &err), -1);
		phi_member_close(m);
		assert_null(phi_store_member(s, "nothing", &err));
		assert_true(phi_store_has(s, "empty"));
		const char *const *names;
		size_t n;
		phi_store_list(s, &names, &n, &err);
		assert_int_equal(n, 5);
		assert_string_equal(names[0], "config.json");
		close_tar(s);
	}
	shell("tar -c -C Phi-4 -f a.tar .");
	struct phi_store *const s = open_tar("a.tar");
	assert_string_equal(phi_store_base(s), "a");
	opens(s, "sub/x", "deep\n");
	close_tar(s);
}

static void
refused(const char *command, const char *why)
{
	shell(command);
	assert_null(open_tar("b.tar"));
	if (!strstr(err.text, why))
		fail_msg("%s: %s", command, err.text);
}

static void
bad_entries_are_refused(void **state)
{
	(void)state;
	shell("mkdir -p d && echo a > d/a && ln -sf a d/link && ln -f d/a d/hard && mkfifo d/fifo");
	refused("tar -cf b.tar d/a d/link", "link: not a regular file");
	refused("tar -cf b.tar d/a d/hard", "hard: not a regular file");
	refused("tar -cf b.tar d/fifo", "fifo: not a regular file");
	refused("tar -cPf b.tar d/../d/a", "not a name");
	refused("tar -cPf b.tar \"$PWD/d/a\"", "not a name");
	refused("tar -cf b.tar d/a d/a --hard-dereference && tar -rf b.tar --hard-dereference d/a",
		"occurs twice");
	refused("truncate -s 10M d/holes && echo x >> d/holes && tar -cSf b.tar d/holes", "sparse");
}

/* Whatever is cut off or flipped: an error or a store, nothing worse; and no entry beyond the end. */
static void
damage_is_survived(void **state)
{
	(void)state;
	shell("mkdir -p e && echo a > e/a && head -c 3000 /dev/zero > e/b && echo c > e/c &&"
	      "tar -cf c.tar -b 1 e");
	long size;
	const char *const bytes = scratch_read("c.tar", &size);
	static char copy[1 << 20];
	if (size < 1024)
		fail_msg("tar(1) wrote %ld bytes", size);
	memcpy(copy, bytes, (size_t)size);
	for (long n = 1; n < size - 1024; n += n < 5000 ? 1 : 97) {
		scratch_write("cut.tar", copy, (size_t)n);
		struct phi_store *const s = open_tar("cut.tar");
		if (!s)
			continue;
		const char *const *names;
		size_t count;
		assert_int_equal(phi_store_list(s, &names, &count, &err), 0);
		for (size_t i = 0; i < count; i++) {
			char b[3000];
			struct phi_member *const m = phi_store_member(s, names[i], &err);
			assert_non_null(m);
			assert_true(phi_member_size(m) <= sizeof b);
			assert_int_equal(phi_member_read(m, 0, b, phi_member_size(m), &err), 0);
			phi_member_close(m);
		}
		close_tar(s);
	}
	for (long i = 0; i < size - 1024; i++) {
		copy[i] ^= 0x55;
		scratch_write("cut.tar", copy, (size_t)size);
		struct phi_store *const s = open_tar("cut.tar");
		if (s)
			close_tar(s);
		copy[i] ^= 0x55;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_windows),
		cmocka_unit_test(bad_entries_are_refused),
		cmocka_unit_test(damage_is_survived),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
