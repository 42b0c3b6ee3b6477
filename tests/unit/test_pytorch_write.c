/* Writing PyTorch checkpoints: what the plan says of sizes beyond 32 bits, who shares a storage, what is
 * refused, and checksums of data that comes in any order. (tests/peers compares whole files with torch.) */
#include "formats/core/memory.h"
#include "formats/core/zip.h"
#include "formats/core/zip_plan.h"
#include "formats/formats.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct phi_model *
new_model(void)
{
	struct phi_model *const m = phi_model_new("memory", NULL);
	m->view = "canonical";
	m->name = "m";
	return m;
}

static uint32_t
add_storage(struct phi_model *m, uint64_t size)
{
	*phi_model_add_storage(m, NULL) = (struct phi_storage){ .file = "memory", .size = size };
	return (uint32_t)m->nstorages - 1;
}

/* columns 0: of one dimension. */
static struct phi_tensor *
add(struct phi_model *m, const char *name, enum phi_type_id type, uint32_t storage, uint64_t offset,
	uint64_t rows, uint64_t columns)
{
	struct phi_tensor *const t = phi_model_add_tensor(m, NULL);
	t->name = name;
	t->type = phi_type_of(type);
	t->rank = columns ? 2 : 1;
	t->shape[0] = rows, t->shape[1] = columns;
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .storage = storage, .offset = offset, .dense = true };
	return t;
}

static struct phi_plan *
plan_of(const struct phi_model *m, const char *format, struct phi_err *err)
{
	const struct phi_format *const f = phi_format_named(format);
	const struct phi_plan_options options = { .size = sizeof options };
	struct phi_model *const lowered = phi_lower(m, f, NULL, err);
	assert_non_null(lowered);
	return phi_plan_make(lowered, f, &options, err);
}

/* Are the bytes in the literal item i? */
static bool
holds(const struct phi_plan *plan, size_t i, const void *bytes, size_t n)
{
	const struct phi_item *const item = &plan->items[i];
	assert_int_equal(item->tensor, PHI_NONE);
	return memmem(item->literal, (size_t)item->size, bytes, n) != NULL;
}

/* A size of 2^33 is five bytes of a pickle's integer; what follows it in the zip has 64-bit offsets. */
static void
beyond_32_bits(void **state)
{
	(void)state;
	static const uint64_t large = UINT64_C(1) << 33;
	static const char integer[] = "\x8a\x05\0\0\0\0\2", local[] = "\1\0\20\0\0\0\0\0\2\0\0\0\0\0\0\0",
			  central[] = "\1\0\20\0\0\0\0\0\2\0\0\0\0\0\0\0\2\0\0\0", later[] = "\1\0\10\0";
	struct phi_err err = { 0 };
	struct phi_model *const m = new_model();
	add(m, "a", PHI_U8, add_storage(m, large), 0, large, 0);
	add(m, "b", PHI_F32, add_storage(m, 8), 0, 2, 0);
	struct phi_plan *const plan = plan_of(m, "pytorch", &err);
	assert_non_null(plan);
	assert_int_equal(plan->nitems, 5);
	assert_true(holds(plan, 0, integer, sizeof integer - 1));
	assert_true(holds(plan, 0, local, sizeof local - 1));
	assert_true(holds(plan, 2, later, sizeof later - 1));
	assert_true(holds(plan, 4, central, sizeof central - 1));
	assert_true(holds(plan, 4, "\377\377\377\377\0\0", 6)); /* the end: see zip64's */
	for (int i = 1; i < 4; i += 2)
		assert_int_equal(plan->items[i].offset % 64, 0);
	assert_int_equal(plan->items[3].size, 8);
	assert_true(plan->items[3].offset > large);
	phi_plan_free(plan);
	phi_model_free(m);
}

/* Each count of bytes that a pickle's integer may take. */
static void
integers(void **state)
{
	(void)state;
	static const struct {
		uint64_t v;
		const char *bytes;
		size_t n;
	} cases[] = { { 0, "K\0", 2 }, { 255, "K\377", 2 }, { 256, "M\0\1", 3 },
		{ 65535, "M\377\377", 3 }, { 65536, "J\0\0\1\0", 5 },
		{ 0x7FFFFFFF, "J\377\377\377\177", 5 }, { 0x80000000, "\x8a\5\0\0\0\200\0", 7 },
		{ 0x7FFFFFFFFF, "\x8a\5\377\377\377\377\177", 7 },
		{ 0x8000000000, "\x8a\6\0\0\0\0\200\0", 8 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct phi_err err = { 0 };
		struct phi_model *const m = new_model();
		add(m, "a", PHI_U8, add_storage(m, cases[i].v), 0, cases[i].v, 0);
		struct phi_plan *const plan = plan_of(m, "pytorch", &err);
		assert_non_null(plan);
		char tuple[16];
		memcpy(tuple, cases[i].bytes, cases[i].n);
		memcpy(tuple + cases[i].n, "\x85", 1); /* the shape */
		assert_true(holds(plan, 0, tuple, cases[i].n + 1));
		phi_plan_free(plan);
		phi_model_free(m);
	}
}

/* Of eight tensors: views, a tie, one of another type on the same bytes, one strided alone, one alone. */
static void
shared(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = new_model();
	const uint32_t s = add_storage(m, 4096), other = add_storage(m, 4096);
	add(m, "whole", PHI_F32, s, 400, 10, 10);
	add(m, "rows", PHI_F32, s, 440, 2, 10);
	add(m, "again", PHI_F32, s, 400, 10, 10);
	struct phi_tensor *t = add(m, "column", PHI_F32, s, 408, 10, 0);
	t->plane[0].dense = false;
	t->plane[0].stride[0] = 10;
	add(m, "bits", PHI_I32, s, 400, 10, 10);
	t = add(m, "transposed", PHI_F16, other, 0, 4, 8);
	t->plane[0].dense = false;
	t->plane[0].stride[0] = 1, t->plane[0].stride[1] = 4;
	t = add(m, "sparse", PHI_U8, other, 1000, 10, 0);
	t->plane[0].dense = false;
	t->plane[0].stride[0] = 100;
	add(m, "empty", PHI_F32, s, 0, 0, 7);
	assert_int_equal(phi_model_find_aliases(m, &err), 0);
	struct phi_plan *const plan = plan_of(m, "pytorch", &err);
	assert_non_null(plan);
	/* From 400 to 800; the integers anew; 64 bytes as they are; ten without their gaps. */
	static const uint64_t sizes[] = { 400, 400, 64, 10 };
	size_t n = 0;
	for (size_t i = 0; i < plan->nitems; i++)
		if (plan->items[i].tensor != PHI_NONE) {
			assert_true(n < 4);
			assert_int_equal(plan->items[i].size, sizes[n++]);
		}
	assert_int_equal(n, 4);
	assert_true(holds(plan, 0, "K\nK\2K\n\x86", 7)); /* offset 10, shape [2, 10] */
	phi_plan_free(plan);
	phi_model_free(m);
}

static void
refusals(void **state)
{
	(void)state;
	static const char *const formats[] = { "pytorch", "hf-bin" };
	for (int i = 0; i < 2; i++) {
		struct phi_err err = { 0 };
		struct phi_model *const m = new_model();
		const uint32_t s = add_storage(m, 4096);
		add(m, "w", PHI_Q8_0, s, 0, 2, 32);
		assert_null(plan_of(m, formats[i], &err));
		assert_non_null(strstr(err.text, "tensor w: "));
		assert_non_null(strstr(err.text, "cannot hold Q8_0; the nearest it can is F16"));
		m->tensors[0].type = phi_type_of(PHI_F32);
		m->tensors[0].name = "w\xff";
		assert_null(plan_of(m, formats[i], &err));
		assert_non_null(strstr(err.text, "not a name"));
		phi_model_free(m);
	}
}

/* Without the registry a folder does not know who writes its files. */
static void
nobody(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = new_model();
	const struct phi_format *const f = phi_format_named("hf-bin");
	const struct phi_plan_options options = { .size = sizeof options };
	add(m, "w", PHI_F32, add_storage(m, 4), 0, 1, 0);
	assert_null(phi_plan_new(phi_lower(m, f, NULL, &err), f, &options, &err));
	assert_true(err.kind != PHI_OK);
	phi_model_free(m);
}

enum { BYTES = 100003 };
static uint8_t data[BYTES];

/* Writes the plan's one tensor in pieces, from the end to the start. */
static void
write_backwards(const struct phi_plan *plan, struct phi_err *err)
{
	const struct phi_output_options options = { .no_sync = true };
	struct phi_sink *const sink = phi_sink_open(plan,
		phi_output_open(PHI_OUTPUT_FILES, "o.pt", &options, err), err);
	assert_int_equal(sink->ops->begin(sink, err), 0);
	for (size_t end = BYTES, n = 1; end; n = 3 * n + 7) {
		n = n < end ? n : end;
		end -= n;
		assert_int_equal(sink->ops->data(sink, &plan->items[1], end, data + end, n, err), 0);
	}
	assert_int_equal(phi_sink_end(sink, err), 0);
	phi_sink_close(sink);
}

static void
any_order(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = new_model();
	for (size_t i = 0; i < BYTES; i++)
		data[i] = (uint8_t)(i * i >> 3);
	add(m, "w", PHI_U8, add_storage(m, BYTES), 0, BYTES, 0);
	struct phi_plan *const plan = plan_of(m, "pytorch", &err);
	write_backwards(plan, &err);
	struct phi_store *const store = phi_store_open("o.pt", NULL, &err);
	struct phi_member *const member = phi_store_member(store, NULL, &err);
	struct phi_arena *const arena = phi_arena_new(&err);
	struct phi_zip zip = { 0 };
	assert_int_equal(phi_zip_open(&zip, member, arena, &err), 0);
	assert_int_equal(zip.count, 7);
	for (size_t i = 0; i < zip.count; i++) {
		void *bytes;
		bool right;
		assert_int_equal(phi_zip_load(&zip, &zip.entries[i], BYTES, &bytes, &right, &err), 0);
		assert_true(right);
		assert_int_equal(zip.entries[i].data % 64, 0);
		if (!strcmp(zip.entries[i].name, "archive/data/0"))
			assert_memory_equal(bytes, data, BYTES);
		phi_free(bytes);
	}
	phi_zip_free(&zip);
	phi_arena_free(arena);
	phi_member_close(member);
	phi_store_close(store);
	phi_plan_free(plan);
	phi_model_free(m);
	unlink("o.pt");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beyond_32_bits),
		cmocka_unit_test(integers),
		cmocka_unit_test(shared),
		cmocka_unit_test(refusals),
		cmocka_unit_test(nobody),
		cmocka_unit_test(any_order),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
