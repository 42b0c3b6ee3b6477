/* A safetensors file through the store: from a file and from a pipe, whole, cut, with a tail. */
#include "formats/core/bytes.h"
#include "formats/safetensors/read.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char json[] = "{\"__metadata__\":{\"format\":\"pt\"},"
			   "\"second\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]},"
			   "\"first\":{\"dtype\":\"I16\",\"shape\":[2,2],\"data_offsets\":[0,8]},"
			   "\"third\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[11,19]}} ";
enum { DATA = 19, HEADER = 8 + sizeof json - 1, SIZE = HEADER + DATA };

static void
make(uint8_t *file)
{
	phi_store64(file, sizeof json - 1);
	memcpy(file + 8, json, sizeof json - 1);
	for (int i = 0; i < DATA; i++)
		file[HEADER + i] = (uint8_t)i;
}

struct opened {
	struct phi_store *store;
	struct phi_source *source;
	struct phi_err err;
	int pipe;
};

static void
open_bytes(struct opened *o, const void *bytes, size_t n, bool pipes)
{
	static const struct phi_spool_options spool = { .refuse = true };
	*o = (struct opened){ .pipe = -1 };
	char path[64] = "file.safetensors";
	if (pipes) {
		int fds[2];
		assert_int_equal(pipe(fds), 0);
		assert_int_equal(write(fds[1], bytes, n), n);
		close(fds[1]);
		o->pipe = fds[0];
		snprintf(path, sizeof path, "/proc/self/fd/%d", o->pipe);
	} else {
		scratch_write(path, bytes, n);
	}
	o->store = phi_store_open(path, &spool, &o->err);
	if (o->store)
		o->source = phi_safetensors_open(o->store, NULL, &o->err);
}

static void
close_opened(struct opened *o)
{
	phi_source_close(o->source);
	phi_store_close(o->store);
	if (o->pipe >= 0)
		close(o->pipe);
}

static void
reads(void **state)
{
	(void)state;
	uint8_t file[SIZE];
	make(file);
	for (int pipes = 0; pipes < 2; pipes++) {
		struct opened o;
		open_bytes(&o, file, sizeof file, pipes);
		assert_string_equal(o.err.text, "");
		assert_non_null(o.source);
		assert_int_equal(o.source->sequential, pipes);
		const struct phi_model *const m = o.source->model;
		assert_int_equal(m->ntensors, 3);
		assert_string_equal(m->tensors[0].name, "first");
		assert_string_equal(m->tensors[1].name, "second");
		assert_string_equal(m->tensors[2].name, "third");
		assert_string_equal(
			phi_value_string(phi_metadata_find(&m->metadata, "format")), "pt");
		assert_string_equal(m->name, pipes ? "model" : "file");
		assert_int_equal(m->storages[1].offset, HEADER + 8);
		uint8_t bytes[8];
		assert_int_equal(phi_source_read(o.source, 0, 2, bytes, 4, &o.err), 0);
		assert_memory_equal(bytes, file + HEADER + 2, 4);
		assert_int_equal(phi_source_read(o.source, 2, 0, bytes, 8, &o.err), 0);
		assert_memory_equal(bytes, file + HEADER + 11, 8);
		assert_int_equal(phi_source_finish(o.source, &o.err), 0);
		/* Beyond the storage, though within the file. */
		if (!pipes)
			assert_int_equal(phi_source_read(o.source, 0, 1, bytes, 8, &o.err), -1);
		close_opened(&o);
	}
}

/* A file is known to be short when it is opened; a pipe at the latest when it is finished. */
static void
truncation(void **state)
{
	(void)state;
	uint8_t file[SIZE];
	make(file);
	for (size_t n = 0; n < sizeof file; n++)
		for (int pipes = 0; pipes < 2; pipes++) {
			struct opened o;
			open_bytes(&o, file, n, pipes);
			if (pipes && n >= HEADER) {
				assert_non_null(o.source);
				assert_int_equal(phi_source_finish(o.source, &o.err), -1);
			} else {
				assert_null(o.source);
			}
			assert_int_equal(o.err.kind, PHI_TRUNCATED);
			assert_true(o.err.text[0] != 0);
			close_opened(&o);
		}
}

static void
tail(void **state)
{
	(void)state;
	uint8_t file[SIZE + 1];
	make(file);
	file[SIZE] = 0;
	for (int pipes = 0; pipes < 2; pipes++) {
		struct opened o;
		open_bytes(&o, file, sizeof file, pipes);
		if (pipes)
			assert_int_equal(phi_source_finish(o.source, &o.err), -1);
		else
			assert_null(o.source);
		assert_int_equal(o.err.kind, PHI_FORMAT);
		close_opened(&o);
	}
}

static void
absurd_lengths(void **state)
{
	(void)state;
	static const uint64_t lengths[] = { 0, 1, SIZE - 7, 99999999, 100000001, UINT64_C(1) << 63,
		UINT64_MAX, UINT64_MAX - 7 };
	uint8_t file[SIZE];
	make(file);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		for (int pipes = 0; pipes < 2; pipes++) {
			struct opened o;
			phi_store64(file, lengths[i]);
			open_bytes(&o, file, sizeof file, pipes);
			assert_null(o.source);
			assert_true(o.err.kind == PHI_LIMIT || o.err.kind == PHI_FORMAT ||
				    o.err.kind == PHI_TRUNCATED);
			close_opened(&o);
		}
}

/* Every bit of the file flipped in turn: refused, or read to the end. */
static void
flips(void **state)
{
	(void)state;
	uint8_t file[SIZE];
	make(file);
	for (size_t bit = 0; bit < 8 * HEADER; bit++) {
		struct opened o;
		file[bit / 8] ^= (uint8_t)(1 << bit % 8);
		open_bytes(&o, file, sizeof file, false);
		if (!o.source)
			assert_true(o.err.text[0] != 0);
		close_opened(&o);
		file[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(truncation),
		cmocka_unit_test(tail),
		cmocka_unit_test(absurd_lengths),
		cmocka_unit_test(flips),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
