/* The pump on a source and a sink in memory: every kind of item, random and sequential at both ends,
 * any number of workers: always the same bytes. */
#include "formats/core/format.h"
#include "formats/core/memory.h"
#include "formats/core/pump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { STORAGES = 4, ROWS = 96, COLUMNS = 2500, SIZE = ROWS * COLUMNS * 2 };

/* ---- a source: four U16 matrices whose elements say where they are */

static uint16_t weights[STORAGES][ROWS * COLUMNS];
static uint64_t arrived; /* the next byte a sequential read may ask for, over all storages */
static int finished;

static int
mem_read(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	if (offset + n > SIZE)
		return phi_fail(err, PHI_TRUNCATED, "beyond the end");
	if (source->sequential) {
		assert_true(storage * (uint64_t)SIZE + offset >= arrived);
		arrived = storage * (uint64_t)SIZE + offset + n;
	}
	memcpy(dst, (const uint8_t *)weights[storage] + offset, n);
	return 0;
}

static int
mem_finish(struct phi_source *source, struct phi_err *err)
{
	(void)source, (void)err;
	finished++;
	return 0;
}

static const struct phi_source_ops mem_source = { .read = mem_read, .finish = mem_finish };

static const char *const names[STORAGES] = { "a", "b", "c", "d" };

static struct phi_source *
open_source(bool sequential)
{
	struct phi_source *const s = phi_source_new("memory", &mem_source, 0, NULL);
	for (unsigned i = 0; i < STORAGES; i++) {
		for (unsigned k = 0; k < ROWS * COLUMNS; k++)
			weights[i][k] = (uint16_t)(k * 7 + i * 1000);
		*phi_model_add_storage(s->model, NULL) =
			(struct phi_storage){ .file = "memory", .size = SIZE };
		struct phi_tensor *const t = phi_model_add_tensor(s->model, NULL);
		t->name = names[i];
		t->type = phi_type_of(PHI_U16);
		t->rank = 2;
		t->shape[0] = ROWS, t->shape[1] = COLUMNS;
		t->nplanes = 1;
		t->plane[0] = (struct phi_plane){ .storage = i, .dense = true };
	}
	s->sequential = sequential;
	arrived = 0;
	finished = 0;
	return s;
}

/* ---- a sink: one buffer */

static uint8_t *out;
static size_t out_size;
static uint64_t written; /* sequential: where the next byte must go */
static bool sink_is_sequential;

static bool
mem_sequential(const struct phi_sink *sink)
{
	(void)sink;
	return sink_is_sequential;
}

static int
mem_begin(struct phi_sink *sink, struct phi_err *err)
{
	(void)err;
	out_size = (size_t)sink->plan->files[0].size;
	out = test_calloc(1, out_size);
	written = 0;
	return 0;
}

static int
mem_data(struct phi_sink *sink, const struct phi_item *item, uint64_t offset, const void *src,
	size_t n, struct phi_err *err)
{
	(void)sink, (void)err;
	if (sink_is_sequential) {
		assert_int_equal(item->offset + offset, written);
		written += n;
	}
	assert_true(item->offset + offset + n <= out_size);
	memcpy(out + item->offset + offset, src, n);
	return 0;
}

static int
mem_end(struct phi_sink *sink, struct phi_err *err)
{
	(void)sink, (void)err;
	return 0;
}

static const struct phi_sink_ops mem_sink = { .sequential = mem_sequential, .begin = mem_begin,
	.data = mem_data, .end = mem_end };

/* Items in the order of the model's tensors, back to back. */
static int
complete(struct phi_plan *plan, struct phi_err *err)
{
	if (phi_plan_add_file(plan, NULL, err) < 0)
		return -1;
	for (uint32_t i = 0; i < plan->model->ntensors; i++)
		if (phi_plan_add_tensor(plan, i, 0, plan->files[0].size, err) < 0)
			return -1;
	return 0;
}

static const struct phi_format memory_format = { .name = "memory", .complete = complete,
	.sink = &mem_sink };

/* ---- a conversion: U16 -> U32, adding the importance of the column, failing on one value if told to */

static int poison = -1;
static bool demanding;

static int
widen(const struct phi_convert *c, const void *src, void *dst, uint64_t n, uint64_t row,
	const float *importance, enum phi_overflow policy, uint64_t *bad)
{
	(void)c, (void)policy;
	assert_true(!importance || n % row == 0);
	for (uint64_t i = 0; i < n; i++) {
		uint16_t v;
		memcpy(&v, (const uint8_t *)src + 2 * i, 2);
		const uint32_t w = v + (importance ? (uint32_t)importance[i % row] : 0);
		memcpy((uint8_t *)dst + 4 * i, &w, 4);
		if (v == poison) {
			*bad = i;
			return -1;
		}
	}
	return 0;
}

static int
find(const struct phi_type *from, const struct phi_type *to, struct phi_convert *c,
	struct phi_err *err)
{
	if (from->id != PHI_U16 || to->id != PHI_U32)
		return phi_fail(err, PHI_UNSUPPORTED, "no way from %s to %s", from->name, to->name);
	*c = (struct phi_convert){ .from = from, .to = to, .run = widen,
		.importance = demanding ? PHI_IMPORTANCE_NEEDED : PHI_IMPORTANCE_TAKEN };
	return 0;
}

static const struct phi_converters converters = { .find = find };

/* ---- the model asked for: all kinds of items, in an order that is not that of arrival */

static void
count_up(const void *state, uint64_t offset, void *dst, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)dst)[i] = (uint8_t)(*(const int *)state + (int)(offset + i));
}

static struct phi_tensor *
add(struct phi_model *m, const char *name, enum phi_type_id type, uint64_t rows, uint64_t columns,
	unsigned nparts, const struct phi_part *parts)
{
	struct phi_tensor *const t = phi_model_add_tensor(m, NULL);
	t->name = name;
	t->type = phi_type_of(type);
	t->rank = 2;
	t->shape[0] = rows, t->shape[1] = columns;
	t->nparts = nparts;
	t->parts = phi_arena_calloc(m->arena, nparts, sizeof *parts, NULL);
	memcpy(t->parts, parts, nparts * sizeof *parts);
	return t;
}

/* How much column c of expert e matters. */
static float
importance_of(size_t e, size_t c)
{
	return 65536 * (float)(1 + (e * COLUMNS + c) % 50000);
}

enum { EXPERTS = 6 };

static int
read_importance(const struct phi_columns *columns, uint64_t first, float *dst, uint64_t n, struct phi_err *err)
{
	(void)columns;
	(void)err;
	assert_true(first % COLUMNS == 0 && n == COLUMNS && first / COLUMNS < EXPERTS);
	for (uint64_t i = 0; i < n; i++)
		dst[i] = importance_of(first / COLUMNS, i);
	return 0;
}

/* Experts that begin and end within its parts and chunks. */
static void
add_experts(struct phi_model *m)
{
	static const struct phi_columns importance = { .read = read_importance };
	const struct phi_part parts[] = { { .kind = PHI_PART_TENSOR, .tensor = 0, .rows = ROWS },
		{ .kind = PHI_PART_TENSOR, .tensor = 1, .rows = ROWS } };
	struct phi_tensor *const t = add(m, "experts", PHI_U32, EXPERTS, 2 * ROWS / EXPERTS, 2, parts);
	t->rank = 3;
	t->shape[2] = COLUMNS;
	t->importance = &importance;
}

static struct phi_part
rows_of(uint32_t tensor, uint64_t row, uint64_t rows)
{
	return (struct phi_part){ .kind = PHI_PART_TENSOR, .tensor = tensor, .row = row, .rows = rows };
}

static struct phi_model *
wanted(const struct phi_model *origin, bool transposed)
{
	static const int start = 3;
	static const uint8_t literal[16] = "sixteen bytes..";
	struct phi_model *const m = phi_model_new("memory", NULL);
	m->origin = origin;
	const struct phi_part d = rows_of(3, 0, ROWS), b = rows_of(1, 0, ROWS);
	const struct phi_part mix[] = { rows_of(2, 10, 20), rows_of(0, 0, ROWS), rows_of(2, 90, 6) };
	struct phi_part t = rows_of(0, 7, 500), l = { .kind = PHI_PART_LITERAL, .literal = literal,
		.size = sizeof literal };
	struct phi_part g = { .kind = PHI_PART_GENERATE, .generate = count_up, .state = &start,
		.size = 600000 };
	t.transpose = true;
	add(m, "copy", PHI_U16, ROWS, COLUMNS, 1, &d);
	add(m, "convert", PHI_U32, ROWS, COLUMNS, 1, &b);
	add(m, "literal", PHI_U8, 4, 4, 1, &l);
	add(m, "concat", PHI_U32, 20 + ROWS + 6, COLUMNS, 3, mix);
	add(m, "again", PHI_U16, ROWS, COLUMNS, 1, &d);
	add(m, "generate", PHI_U8, 600, 1000, 1, &g);
	if (transposed)
		add(m, "transpose", PHI_U32, 500, ROWS, 1, &t);
	add_experts(m);
	return m;
}

static int
pump(bool pipe_in, bool pipe_out, bool transposed, unsigned jobs, uint64_t memory, uint8_t **bytes,
	struct phi_err *err)
{
	struct phi_source *const source = open_source(pipe_in);
	struct phi_plan *const plan =
		phi_plan_new(wanted(source->model, transposed), &memory_format, NULL, err);
	assert_non_null(plan);
	const char path[] = "build/test_pump.out";
	struct phi_output *const output = phi_output_open(PHI_OUTPUT_FILES, path,
		&(struct phi_output_options){ .force = true, .no_sync = true }, err);
	assert_non_null(output);
	phi_output_add(output, NULL, err);
	struct phi_sink *const sink = phi_sink_open(plan, output, err);
	const struct phi_spool_options spool = { .beside = "build" };
	const struct phi_pump_options options = { .size = sizeof options, .jobs = jobs,
		.converters = &converters, .memory = memory, .spool = &spool };
	sink_is_sequential = pipe_out;
	assert_int_equal(phi_plan_measure(plan, source, &options, err), 0);
	assert_true(plan->memory > 0);
	const int result = phi_pump(source, sink, &options, err);
	phi_sink_close(sink);
	phi_plan_free(plan);
	phi_source_close(source);
	unlink(path);
	*bytes = out;
	return result;
}

static uint32_t
u32_at(const uint8_t *bytes, size_t at)
{
	uint32_t v;
	memcpy(&v, bytes + at, 4);
	return v;
}

static void
test_bytes_are_what_was_asked(void **state)
{
	(void)state;
	uint8_t *bytes;
	assert_int_equal(pump(false, false, true, 2, 0, &bytes, NULL), 0);
	size_t at = 0;
	assert_memory_equal(bytes, weights[3], SIZE);
	at += SIZE;
	for (size_t i = 0; i < ROWS * COLUMNS; i++)
		assert_int_equal(u32_at(bytes, at + 4 * i), weights[1][i]);
	at += 2 * SIZE;
	assert_memory_equal(bytes + at, "sixteen bytes..", 16);
	at += 16;
	for (size_t i = 0; i < 20 * COLUMNS; i++)
		assert_int_equal(u32_at(bytes, at + 4 * i), weights[2][10 * COLUMNS + i]);
	at += 20 * COLUMNS * 4;
	for (size_t i = 0; i < ROWS * COLUMNS; i++)
		assert_int_equal(u32_at(bytes, at + 4 * i), weights[0][i]);
	at += 2 * SIZE;
	for (size_t i = 0; i < 6 * COLUMNS; i++)
		assert_int_equal(u32_at(bytes, at + 4 * i), weights[2][90 * COLUMNS + i]);
	at += 6 * COLUMNS * 4;
	assert_memory_equal(bytes + at, weights[3], SIZE);
	at += SIZE;
	for (size_t i = 0; i < 600000; i++)
		assert_int_equal(bytes[at + i], (uint8_t)(3 + i));
	at += 600000;
	for (size_t r = 0; r < 500; r++)
		for (size_t c = 0; c < ROWS; c++)
			assert_int_equal(u32_at(bytes, at + 4 * (r * ROWS + c)),
				weights[0][c * COLUMNS + 7 + r]);
	at += 500 * ROWS * 4;
	for (size_t i = 0; i < 2 * ROWS * COLUMNS; i++)
		assert_int_equal(u32_at(bytes, at + 4 * i), weights[i / (ROWS * COLUMNS)][i % (ROWS * COLUMNS)] +
			(uint32_t)importance_of(i / (2 * ROWS / EXPERTS * COLUMNS), i % COLUMNS));
	test_free(bytes);
}

/* Random and pipe at both ends, few and many workers, held and spooled: one result. */
static void
test_always_the_same_bytes(void **state)
{
	(void)state;
	static const uint64_t memories[] = { 0, 1, 3 << 20 };
	for (int transposed = 0; transposed < 2; transposed++) {
		uint8_t *expected, *bytes;
		assert_int_equal(pump(false, false, transposed, 1, 0, &expected, NULL), 0);
		const size_t size = out_size;
		for (int mode = 0; mode < 4; mode++)
			for (unsigned jobs = 1; jobs <= 5; jobs += 2)
				for (int m = 0; m < 3; m++) {
					struct phi_err err;
					if (pump(mode & 1, mode & 2, transposed, jobs, memories[m],
						    &bytes, &err) < 0)
						fail_msg("%s", err.text);
					assert_int_equal(out_size, size);
					assert_memory_equal(bytes, expected, size);
					assert_int_equal(finished, mode & 1);
					test_free(bytes);
				}
		test_free(expected);
	}
}

static void
test_first_offender_is_named(void **state)
{
	(void)state;
	/* 1000 + 7k mod 65536 = 1007 first at element 1 of b. */
	poison = 1007;
	for (unsigned jobs = 1; jobs <= 4; jobs++) {
		struct phi_err err;
		uint8_t *bytes;
		assert_int_equal(pump(false, false, false, jobs, 0, &bytes, &err), -1);
		assert_string_equal(err.text, "memory: tensor b: element 1 is not finite, or too large "
			"for U32 (see --on-overflow)");
		test_free(bytes);
	}
	poison = -1;
}

/* A type that is not made without importance is refused where there is none. */
static void
test_importance_may_be_demanded(void **state)
{
	(void)state;
	struct phi_err err;
	uint8_t *bytes;
	demanding = true;
	assert_int_equal(pump(false, false, false, 1, 0, &bytes, &err), -1);
	assert_string_equal(err.text, "tensor convert: U32 is not made without importance");
	demanding = false;
	test_free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_what_was_asked),
		cmocka_unit_test(test_always_the_same_bytes),
		cmocka_unit_test(test_first_offender_is_named),
		cmocka_unit_test(test_importance_may_be_demanded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
