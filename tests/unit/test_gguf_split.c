/* A GGUF in several files: the first part opens all, any other stays what it is, and what does not fit
 * together is refused. */
#include "formats/gguf/split.h"
#include "tests/unit/gguf_open.h"
#include "tests/unit/scratch.h"

/* What one test changes of the second part. */
struct change {
	uint64_t number, count, total;
	const char *name; /* of its tensor */
};

static const struct change whole = { 1, 2, 3, "blk.1.x" };

static void
put_split(struct maker *m, uint64_t number, uint64_t count, uint64_t total)
{
	put_key(m, "split.no", PHI_VALUE_U16);
	put_number(m, number, 2);
	put_key(m, "split.count", PHI_VALUE_U16);
	put_number(m, count, 2);
	put_key(m, "split.tensors.count", PHI_VALUE_I32);
	put_number(m, total, 4);
}

static void
save(const char *path, struct maker *m)
{
	scratch_write(path, m->bytes.data, m->bytes.size);
	phi_buffer_free(&m->bytes);
}

/* m-00001-of-00002.gguf with blk.0.x and blk.0.y, m-00002-of-00002.gguf with blk.1.x. */
static void
make_parts(const struct change *c)
{
	struct maker m = start(3, false, 2, 5);
	put_str(&m, "general.architecture", "phi3");
	put_split(&m, 0, 2, c->total);
	put_u32(&m, "answer", 42);
	put_info(&m, "blk.0.x", 8, 0, 0, 0);
	put_info(&m, "blk.0.y", 8, 0, 0, 32);
	pad(&m, 32);
	put_data(&m, 64, 0, 32);
	save("m-00001-of-00002.gguf", &m);
	m = start(3, false, 1, 3);
	put_split(&m, c->number, c->count, c->total);
	put_info(&m, c->name, 8, 0, 0, 0);
	pad(&m, 32);
	put_data(&m, 32, 100, 32);
	save("m-00002-of-00002.gguf", &m);
}

static struct opened
open_path(const char *path)
{
	struct opened o = { .fd = -1 };
	o.store = phi_store_open(path, NULL, &o.err);
	assert_non_null(o.store);
	o.source = phi_gguf_open(o.store, NULL, &o.err);
	return o;
}

static void
close_path(struct opened *o)
{
	phi_source_close(o->source);
	phi_store_close(o->store);
}

static void
the_first_opens_all(void **state)
{
	(void)state;
	make_parts(&whole);
	struct opened o = open_path("m-00001-of-00002.gguf");
	if (!o.source)
		fail_msg("%s", o.err.text);
	const struct phi_model *const model = o.source->model;
	assert_string_equal(model->name, "m");
	assert_int_equal(model->metadata.count, 2);
	assert_string_equal(model->metadata.items[1].key, "answer");
	assert_int_equal(model->ntensors, 3);
	assert_string_equal(model->tensors[2].name, "blk.1.x");
	assert_int_equal(model->tensors[2].plane[0].storage, 2);
	assert_string_equal(model->storages[1].file, "m-00001-of-00002.gguf");
	assert_string_equal(model->storages[2].file, "m-00002-of-00002.gguf");
	for (uint32_t i = 0; i < 3; i++) {
		uint8_t bytes[32];
		assert_int_equal(phi_source_read(o.source, i, 0, bytes, 32, &o.err), 0);
		const unsigned seed = i == 2 ? 100 : 7 * 32 * i;
		assert_int_equal(bytes[31], (uint8_t)(seed + 7 * 31));
	}
	assert_int_equal(model->nwarnings, 0);
	close_path(&o);
}

static void
another_stays_what_it_is(void **state)
{
	(void)state;
	make_parts(&whole);
	struct opened o = open_path("m-00002-of-00002.gguf");
	assert_non_null(o.source);
	assert_int_equal(o.source->model->ntensors, 1);
	assert_int_equal(o.source->model->metadata.count, 3);
	assert_int_equal(o.source->model->nwarnings, 1);
	assert_non_null(strstr(o.source->model->warnings[0], "part 2 of 2"));
	close_path(&o);
	assert_int_equal(rename("m-00001-of-00002.gguf", "renamed.gguf"), 0);
	o = open_path("renamed.gguf");
	assert_non_null(o.source);
	assert_int_equal(o.source->model->ntensors, 2);
	assert_non_null(strstr(o.source->model->warnings[0], "part 1 of 2"));
	close_path(&o);
}

static void
refused(const char *words)
{
	struct opened o = open_path("m-00001-of-00002.gguf");
	if (o.source || !strstr(o.err.text, words))
		fail_msg("%s", o.source ? "accepted" : o.err.text);
	close_path(&o);
}

static void
parts_that_do_not_fit(void **state)
{
	(void)state;
	static const struct {
		struct change change;
		const char *words;
	} bads[] = {
		{ { 0, 2, 3, "blk.1.x" }, "m-00002-of-00002.gguf: says it is part 1 of 2, not 2 of 2" },
		{ { 1, 3, 3, "blk.1.x" }, "says it is part 2 of 3, not 2 of 2" },
		{ { 2, 2, 3, "blk.1.x" }, "is part 3 of 2" },
		{ { 0, 0, 3, "blk.1.x" }, "not 2 of 2" },
		{ { 1, 2, 4, "blk.1.x" }, "its parts have 3 tensors, not 4" },
	};
	for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
		make_parts(&bads[i].change);
		refused(bads[i].words);
	}
	make_parts(&whole);
	assert_int_equal(truncate("m-00002-of-00002.gguf", 120), 0);
	refused("m-00002-of-00002.gguf: ");
	assert_int_equal(unlink("m-00002-of-00002.gguf"), 0);
	refused("m-00002-of-00002.gguf");
	/* What stands in its place must be a file. */
	assert_int_equal(mkdir("m-00002-of-00002.gguf", 0755), 0);
	refused("m-00002-of-00002.gguf");
	assert_int_equal(rmdir("m-00002-of-00002.gguf"), 0);
	assert_int_equal(mkfifo("m-00002-of-00002.gguf", 0644), 0);
	refused("m-00002-of-00002.gguf");
	assert_int_equal(unlink("m-00002-of-00002.gguf"), 0);
	assert_int_equal(symlink("/dev/zero", "m-00002-of-00002.gguf"), 0);
	refused("m-00002-of-00002.gguf");
	assert_int_equal(unlink("m-00002-of-00002.gguf"), 0);
}

static void
names_of_parts(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	assert_string_equal(phi_gguf_split_path(arena, "a/b-00001-of-00010.gguf", 9, 10, &err),
		"a/b-00010-of-00010.gguf");
	assert_null(phi_gguf_split_path(arena, "a/b-00002-of-00010.gguf", 9, 10, &err));
	assert_null(phi_gguf_split_path(arena, "a/b-00001-of-00010.bin", 9, 10, &err));
	assert_null(phi_gguf_split_path(arena, "-00001-of-00010.gguf", 9, 10, &err));
	assert_string_equal(phi_gguf_split_base(arena, "b-00001-of-00010", 10, &err), "b");
	assert_string_equal(phi_gguf_split_base(arena, "b", 10, &err), "b");
	phi_arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_opens_all),
		cmocka_unit_test(another_stays_what_it_is),
		cmocka_unit_test(parts_that_do_not_fit),
		cmocka_unit_test(names_of_parts),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
