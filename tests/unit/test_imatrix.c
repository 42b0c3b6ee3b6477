/* Importance files: the older kind byte by byte, good and bad, and what is made of either kind. */
#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/gguf/gguf.h"
#include "formats/imatrix/imatrix.h"
#include "quant/importance.h"
#include "tests/unit/gguf_maker.h"
#include "tests/unit/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct phi_source *(*opener)(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);

struct opened {
	struct phi_store *store;
	struct phi_source *source;
	struct phi_importance_list *list;
	struct phi_err err;
};

static struct opened
open_bytes(const struct phi_buffer *b, opener open)
{
	struct opened o = { 0 };
	const struct phi_open_options options = { .size = sizeof options };
	scratch_write("file.dat", b->data, b->size);
	o.store = phi_store_open("file.dat", NULL, &o.err);
	assert_non_null(o.store);
	o.source = open(o.store, &options, &o.err);
	if (o.source && !phi_model_check(o.source->model, &o.err))
		o.list = phi_importance_read(o.source, &o.err);
	return o;
}

static void
close_all(struct opened *o)
{
	phi_importance_free(o->list);
	phi_source_close(o->source);
	phi_store_close(o->store);
}

static void
number(struct phi_buffer *b, int32_t n)
{
	assert_int_equal(phi_buffer_u32(b, (uint32_t)n, NULL), 0);
}

static void
text(struct phi_buffer *b, const char *s)
{
	number(b, (int32_t)strlen(s));
	assert_int_equal(phi_buffer_append(b, s, strlen(s), NULL), 0);
}

static void
entry(struct phi_buffer *b, const char *name, int32_t calls, int32_t n, const float *values)
{
	text(b, name);
	number(b, calls);
	number(b, n);
	for (int32_t i = 0; i < n; i++)
		number(b, (int32_t)phi_bits32(values[i]));
}

static const float four[] = { 2, 4, 6, 8 }, two[] = { 5, 0 };

/* Two matrices, the second never seen. */
static struct phi_buffer
good(bool trailer)
{
	struct phi_buffer b = { 0 };
	number(&b, 2);
	entry(&b, "blk.0.ffn_up.weight", 4, 4, four);
	entry(&b, "blk.0.ffn_down.weight", 0, 2, two);
	if (trailer) {
		number(&b, 12);
		text(&b, "wiki.txt");
	}
	return b;
}

static void
the_older_kind(void **state)
{
	(void)state;
	for (int trailer = 0; trailer < 2; trailer++) {
		struct phi_buffer b = good(trailer);
		struct opened o = open_bytes(&b, phi_imatrix_open);
		if (!o.list)
			fail_msg("%s", o.err.text);
		const struct phi_model *const m = o.source->model;
		assert_int_equal(m->ntensors, 4);
		assert_string_equal(m->tensors[0].name, "blk.0.ffn_up.weight.in_sum2");
		assert_string_equal(m->tensors[3].name, "blk.0.ffn_down.weight.counts");
		assert_int_equal(phi_importance_count(o.list), 2);
		const struct phi_importance_of *const up =
			phi_importance_find(o.list, "blk.0.ffn_up.weight");
		assert_int_equal(up->size, 4);
		assert_int_equal(up->experts, 1);
		assert_int_equal(up->unseen, 0);
		float values[4];
		assert_int_equal(up->numbers.read(&up->numbers, 0, values, 4, NULL), 0);
		for (int i = 0; i < 4; i++)
			assert_true(values[i] == four[i] / 4);
		const struct phi_importance_of *const down =
			phi_importance_find(o.list, "blk.0.ffn_down.weight");
		assert_int_equal(down->numbers.read(&down->numbers, 0, values, 2, NULL), 0);
		assert_true(values[0] == 5 && values[1] == 0); /* the sums as they are */
		assert_int_equal(down->numbers.read(&down->numbers, 1, values, 1, NULL), 0);
		assert_true(values[0] == 0);
		assert_null(phi_importance_find(o.list, "blk.0.ffn"));
		assert_int_equal(phi_importance_chunks(o.list), trailer ? 12 : 0);
		if (trailer)
			assert_string_equal(phi_importance_dataset(o.list), "wiki.txt");
		else
			assert_null(phi_importance_dataset(o.list));
		close_all(&o);
		phi_buffer_free(&b);
	}
}

/* Every cut of a good file is refused or is one with a shorter end. */
static void
cut_short(void **state)
{
	(void)state;
	struct phi_buffer b = good(true);
	const size_t whole = b.size, end = whole - 16, chunks = end + 4;
	for (b.size = 0; b.size < whole; b.size++) {
		struct opened o = open_bytes(&b, phi_imatrix_open);
		const bool fits = b.size == end || b.size == chunks;
		assert_int_equal(o.list != NULL, fits);
		assert_true(fits || o.err.text[0]);
		close_all(&o);
	}
	b.size = whole;
	phi_buffer_free(&b);
}

static void
expect(struct phi_buffer *b, opener open, const char *message)
{
	struct opened o = open_bytes(b, open);
	assert_null(o.list);
	if (!strstr(o.err.text, message))
		fail_msg("%s, not %s", o.err.text, message);
	close_all(&o);
	phi_buffer_free(b);
	*b = (struct phi_buffer){ 0 };
}

static void
bad_files(void **state)
{
	(void)state;
	static const float nan_[] = { 1, NAN }, negative[] = { 1, -1 }, inf[] = { INFINITY };
	struct phi_buffer b = { 0 };
	number(&b, -1);
	number(&b, 1);
	expect(&b, phi_imatrix_open, "offset 0: number of entries is -1");
	number(&b, PHI_IMATRIX_ENTRIES_MAX + 1);
	expect(&b, phi_imatrix_open, "number of entries is 524289, above the limit (524288)");
	number(&b, 0);
	expect(&b, phi_imatrix_open, "0 entries in 4 bytes");
	number(&b, 3);
	entry(&b, "a", 1, 4, four);
	expect(&b, phi_imatrix_open, "3 entries in 33 bytes");
	number(&b, 1);
	number(&b, 1 << 30);
	number(&b, 0);
	number(&b, 0);
	number(&b, 0);
	expect(&b, phi_imatrix_open,
		"entry 1 of 1: offset 4: number of characters of a name is 1073741824");
	number(&b, 1);
	number(&b, 3);
	assert_int_equal(phi_buffer_append(&b, "a\0b", 3, NULL), 0);
	number(&b, 1);
	number(&b, 1);
	number(&b, 1);
	expect(&b, phi_imatrix_open, "offset 8: a NUL in a name");
	number(&b, 1);
	entry(&b, "some.weight", 1, 0, four);
	expect(&b, phi_imatrix_open, "an entry without values");
	number(&b, 1);
	entry(&b, "some.weight", -2, 1, four);
	expect(&b, phi_imatrix_open, "number of calls is -2");
	number(&b, 1);
	text(&b, "some.weight");
	number(&b, 1);
	number(&b, INT32_MAX);
	expect(&b, phi_imatrix_open,
		"2147483647 values at offset 27 end beyond the end of the file (27)");
	number(&b, 2);
	entry(&b, "a.weight", 1, 2, two);
	entry(&b, "a.weight", 1, 2, two);
	expect(&b, phi_imatrix_open, "a.weight.in_sum2");
	number(&b, 1);
	entry(&b, "a.weight", 1, 2, nan_);
	expect(&b, phi_imatrix_open, "tensor a.weight.in_sum2: importance of column 1 is nan");
	number(&b, 1);
	entry(&b, "a.weight", 1, 2, negative);
	expect(&b, phi_imatrix_open, "importance of column 1 is -1");
	number(&b, 1);
	entry(&b, "a.weight", 1, 1, inf);
	expect(&b, phi_imatrix_open, "importance of column 0 is inf");
	b = good(true);
	number(&b, 0);
	expect(&b, phi_imatrix_open, "4 bytes follow the end (");
}

static void
tensor(struct maker *m, const char *name, uint64_t rows, uint64_t row, unsigned type,
	uint64_t offset)
{
	put_text(m, name);
	put_number(m, 2, 4);
	put_count(m, row);
	put_count(m, rows);
	put_number(m, type, 4);
	put_number(m, offset, 8);
}

/* A GGUF of sums and counts of two experts; type and number of the counts as asked. */
static struct phi_buffer
gguf(uint64_t ncounts, unsigned type, const char *counts_name, const float *sums,
	const float *counts)
{
	struct maker m = start(3, false, 2, 1);
	put_text(&m, "imatrix.chunk_count");
	put_number(&m, PHI_VALUE_U32, 4);
	put_number(&m, 7, 4);
	tensor(&m, "w.in_sum2", 2, 2, 0, 0);
	tensor(&m, counts_name, ncounts, 1, type, 32);
	while (m.bytes.size % 32)
		put_number(&m, 0, 1);
	for (int i = 0; i < 8; i++)
		put_number(&m, i < 4 ? phi_bits32(sums[i]) : 0, 4);
	for (uint64_t i = 0; i < 8; i++)
		put_number(&m, i < ncounts ? phi_bits32(counts[i]) : 0, 4);
	return m.bytes;
}

static void
the_newer_kind(void **state)
{
	(void)state;
	static const float counts[] = { 3.4f, 0 };
	struct phi_buffer b = gguf(2, 0, "w.counts", four, counts);
	struct opened o = open_bytes(&b, phi_gguf_open);
	if (!o.list)
		fail_msg("%s", o.err.text);
	const struct phi_importance_of *const w = phi_importance_at(o.list, 0);
	assert_string_equal(w->name, "w");
	assert_int_equal(w->experts, 2);
	assert_int_equal(w->unseen, 1);
	float values[4];
	assert_int_equal(w->numbers.read(&w->numbers, 0, values, 4, NULL), 0);
	assert_true(values[0] == 2.0f / 3 && values[1] == 4.0f / 3); /* counts are rounded */
	assert_true(values[2] == 1 && values[3] == 1);
	assert_int_equal(w->numbers.read(&w->numbers, 1, values, 2, NULL), 0);
	assert_true(values[0] == 4.0f / 3 && values[1] == 1);
	assert_int_equal(phi_importance_chunks(o.list), 7);
	close_all(&o);
	phi_buffer_free(&b);
}

static void
bad_ggufs(void **state)
{
	(void)state;
	static const float counts[] = { 1, 1, 1 }, minus[] = { -1, 1 },
			   infinite[] = { INFINITY, 1 };
	static const float tiny[] = { 1e-45f, 1, 1, 1 };
	struct phi_buffer b = gguf(2, 0, "v.counts", four, counts);
	expect(&b, phi_gguf_open, "tensor w.in_sum2: there are no counts for these sums");
	b = gguf(3, 0, "w.counts", four, counts);
	expect(&b, phi_gguf_open, "4 sums and 3 counts");
	b = gguf(2, 1, "w.counts", four, counts);
	expect(&b, phi_gguf_open, "sums are F32 and counts F16, not F32");
	b = gguf(2, 0, "w.counts", four, minus);
	expect(&b, phi_gguf_open, "count 0 is -1");
	b = gguf(2, 0, "w.counts", four, infinite);
	expect(&b, phi_gguf_open, "count 0 is inf");
	b = gguf(2, 0, "w.sums", tiny, counts);
	expect(&b, phi_gguf_open, "there are no counts");
	struct maker m = start(3, false, 0, 0);
	expect(&m.bytes, phi_gguf_open, "has no importance: no imatrix file");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_older_kind),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(the_newer_kind),
		cmocka_unit_test(bad_ggufs),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
