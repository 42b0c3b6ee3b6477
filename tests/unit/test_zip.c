/* The zip directory: what is in it, and every lie it may tell. */
#include "formats/core/memory.h"
#include "formats/core/spool.h"
#include "formats/core/zip.h"
#include "tests/unit/scratch.h"
#include "tests/unit/zip_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static char text[5000]; /* compresses well */

static void
make(struct zip_maker *z)
{
	memset(z, 0, sizeof *z);
	memset(text, 'x', sizeof text);
	zip_add(z, "a/plain", "hello", 5, 0);
	zip_add(z, "a/packed", text, sizeof text, 8);
	zip_add(z, "a/empty", "", 0, 0);
	zip_close(z);
}

struct opened {
	struct phi_store *store;
	struct phi_member *member;
	struct phi_arena *arena;
	struct phi_zip zip;
	struct phi_err err;
	int result;
};

static void
open_bytes(struct opened *o, const void *bytes, size_t n)
{
	*o = (struct opened){ .arena = phi_arena_new(NULL), .result = -1 };
	scratch_write("file.zip", bytes, n);
	o->store = phi_store_open("file.zip", NULL, &o->err);
	o->member = o->store ? phi_store_member(o->store, NULL, &o->err) : NULL;
	assert_non_null(o->member);
	o->result = phi_zip_open(&o->zip, o->member, o->arena, &o->err);
}

static void
close_opened(struct opened *o)
{
	phi_zip_free(&o->zip);
	phi_member_close(o->member);
	phi_store_close(o->store);
	phi_arena_free(o->arena);
}

static void
reads(void **state)
{
	(void)state;
	static struct zip_maker z;
	make(&z);
	struct opened o;
	open_bytes(&o, z.bytes, z.size);
	assert_string_equal(o.err.text, "");
	assert_int_equal(o.result, 0);
	assert_int_equal(o.zip.count, 3);
	assert_null(phi_zip_find(&o.zip, "a"));
	const struct phi_zip_entry *const plain = phi_zip_find(&o.zip, "a/plain");
	assert_memory_equal(z.bytes + plain->data, "hello", 5);
	void *data;
	bool right = false;
	assert_int_equal(phi_zip_load(&o.zip, plain, 5, &data, &right, &o.err), 0);
	assert_memory_equal(data, "hello", 5);
	assert_true(right);
	phi_free(data);
	const struct phi_zip_entry *const packed = phi_zip_find(&o.zip, "a/packed");
	assert_int_equal(phi_zip_load(&o.zip, packed, 1 << 20, &data, &right, &o.err), 0);
	assert_memory_equal(data, text, sizeof text);
	assert_true(right);
	phi_free(data);
	assert_int_equal(phi_zip_load(&o.zip, packed, sizeof text - 1, &data, &right, &o.err), -1);
	assert_int_equal(o.err.kind, PHI_LIMIT);
	static const struct phi_spool_options options = { .beside = "." };
	struct phi_spool *const spool = phi_spool_new(&options, &o.err);
	assert_int_equal(phi_zip_inflate(&o.zip, packed, spool, &o.err), 0);
	assert_int_equal(phi_spool_size(spool), sizeof text);
	phi_spool_free(spool);
	close_opened(&o);
}

/* A file cut anywhere has no end record; bytes added behind it hide it. */
static void
truncation(void **state)
{
	(void)state;
	static struct zip_maker z;
	make(&z);
	struct opened o;
	for (size_t n = 0; n < z.size; n++) {
		open_bytes(&o, z.bytes, n);
		assert_int_equal(o.result, -1);
		assert_true(o.err.text[0] != 0);
		close_opened(&o);
	}
	open_bytes(&o, z.bytes, z.size + 1);
	assert_int_equal(o.result, -1);
	close_opened(&o);
}

static void
lies(void **state)
{
	(void)state;
	static struct zip_maker z;
	enum { LOCAL, DIRECTORY, SECOND, END };
	static const struct {
		int base; /* LOCAL: the first local header; DIRECTORY, SECOND: its entries; END */
		size_t at;
		uint64_t value;
		unsigned bytes;
		const char *says;
	} cases[] = {
		{ LOCAL, 0, 0, 4, "no header" },
		{ LOCAL, 8, 8, 2, "disagrees" },
		{ LOCAL, 18, 4, 4, "disagrees" },
		{ LOCAL, 22, 4, 4, "disagrees" },
		{ LOCAL, 22, 0, 4, "disagrees" },
		{ LOCAL, 26, 6, 2, "disagrees" },
		{ LOCAL, 28, 65535, 2, "pass the entries' end" },
		{ LOCAL, 30, 'b', 1, "disagrees" },
		{ DIRECTORY, 0, 0, 4, "is none" },
		{ DIRECTORY, 20, 6, 4, "disagrees" },
		{ DIRECTORY, 20, UINT32_MAX, 4, "disagrees" },
		{ DIRECTORY, 24, 6, 4, "disagrees" },
		{ DIRECTORY, 28, 0, 2, "no proper name" },
		{ DIRECTORY, 28, 65535, 2, "passes its end" },
		{ DIRECTORY, 30, 1, 2, "is none" },
		{ DIRECTORY, 42, 1, 4, "no header" },
		{ DIRECTORY, 42, UINT32_MAX, 4, "beyond the entries' end" },
		{ DIRECTORY, 46, 0, 1, "no proper name" },
		{ DIRECTORY, 48, 'q', 1, "disagrees" },
		{ SECOND, 42, 0, 4, "disagrees" },
		{ END, 4, 1, 2, "several disks" },
		{ END, 8, 2, 2, "several disks" },
		{ END, 12, 1, 4, "does not end at its end record" },
		{ END, 16, 0, 4, "does not end at its end record" },
		{ END, 16, UINT32_MAX, 4, "does not end at its end record" },
		{ END, 20, 1, 2, "no end record" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		make(&z);
		const size_t base[] = { 0, z.directory, z.directory + 46 + 7, z.end };
		uint8_t bytes[8];
		phi_store64(bytes, cases[i].value);
		memcpy(z.bytes + base[cases[i].base] + cases[i].at, bytes, cases[i].bytes);
		struct opened o;
		open_bytes(&o, z.bytes, z.size);
		if (!o.result || !strstr(o.err.text, cases[i].says))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, o.err.text,
				cases[i].says);
		close_opened(&o);
	}
}

static void
names_twice(void **state)
{
	(void)state;
	static struct zip_maker z;
	memset(&z, 0, sizeof z);
	zip_add(&z, "a/x", "1", 1, 0);
	zip_add(&z, "a/x", "2", 1, 0);
	zip_close(&z);
	struct opened o;
	open_bytes(&o, z.bytes, z.size);
	assert_int_equal(o.result, -1);
	assert_non_null(strstr(o.err.text, "is there twice"));
	close_opened(&o);
}

/* The second entry's header inside the first one's data: the quoted bomb. */
static void
overlap(void **state)
{
	(void)state;
	static struct zip_maker inner, z;
	memset(&inner, 0, sizeof inner);
	memset(&z, 0, sizeof z);
	zip_add(&inner, "b", "data", 4, 0);
	zip_add(&z, "a", inner.bytes, inner.size, 0);
	z.entries[1] = inner.entries[0];
	z.entries[1].header = 30 + 1;
	z.count = 2;
	zip_close(&z);
	struct opened o;
	open_bytes(&o, z.bytes, z.size);
	assert_int_equal(o.result, -1);
	assert_non_null(strstr(o.err.text, "overlaps"));
	close_opened(&o);
}

/* Sizes and bytes of a deflated entry that do not belong together; encryption; another method. */
static void
bad_data(void **state)
{
	(void)state;
	static struct zip_maker z;
	static const struct {
		size_t local,
			central; /* fields: size 22, 24; stored 18, 20; method 8, 10; flags 6, 8 */
		uint64_t value;
		unsigned bytes;
		const char *says;
	} cases[] = {
		{ 22, 24, 4999, 4, "bad deflated data" },
		{ 22, 24, 5001, 4, "inflates to 5000" },
		{ 22, 24, 100000000, 4, "cannot come of" },
		{ 8, 10, 12, 2, "neither stored nor" },
		{ 6, 8, 1, 2, "encrypted" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		make(&z);
		uint8_t bytes[8];
		phi_store64(bytes, cases[i].value);
		memcpy(z.bytes + z.entries[1].header + cases[i].local, bytes, cases[i].bytes);
		memcpy(z.bytes + z.directory + 53 + cases[i].central, bytes, cases[i].bytes);
		struct opened o;
		void *data = NULL;
		bool right;
		open_bytes(&o, z.bytes, z.size);
		assert_string_equal(o.err.text, "");
		assert_int_equal(phi_zip_load(&o.zip, &o.zip.entries[1], UINT64_C(1) << 32, &data,
					 &right, &o.err),
			-1);
		if (!strstr(o.err.text, cases[i].says))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, o.err.text,
				cases[i].says);
		close_opened(&o);
	}
	/* A wrong checksum is told. */
	make(&z);
	z.bytes[z.entries[0].header + 30 + 7] ^= 1;
	struct opened o;
	void *data;
	bool right = true;
	open_bytes(&o, z.bytes, z.size);
	assert_int_equal(phi_zip_load(&o.zip, &o.zip.entries[0], 5, &data, &right, &o.err), 0);
	assert_false(right);
	phi_free(data);
	close_opened(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(truncation),
		cmocka_unit_test(lies),
		cmocka_unit_test(names_twice),
		cmocka_unit_test(overlap),
		cmocka_unit_test(bad_data),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
