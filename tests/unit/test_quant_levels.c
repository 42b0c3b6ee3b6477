/* Every number type, both ways, at every level of this machine: the same bytes as the scalar level, the same
 * offender, and nothing read or written beside the blocks (guard pages at both ends, results filled
 * beforehand). */
#include "quant/convert.h"
#include "tests/unit/quant_inputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* `size` bytes that lie at the start or at the end of pages with an inaccessible page on either side. */
struct guarded {
	uint8_t *map;
	size_t mapped, pages;
};

static struct guarded
guarded_new(size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct guarded g = { .pages = (size + page - 1) / page * page };
	g.mapped = g.pages + 2 * page;
	g.map = mmap(NULL, g.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(g.map, MAP_FAILED);
	assert_int_equal(mprotect(g.map + page, g.pages, PROT_READ | PROT_WRITE), 0);
	return g;
}

static uint8_t *
place(const struct guarded *g, size_t size, bool at_end)
{
	uint8_t *const start = g->map + sysconf(_SC_PAGESIZE);
	return at_end ? start + g->pages - size : start;
}

enum { ELEMENTS_MAX = 9600, BYTES_MAX = ELEMENTS_MAX * 8, MARGIN = 512 };
static struct guarded source, result;
static uint8_t expected[BYTES_MAX];
static float x[ELEMENTS_MAX], importance[ELEMENTS_MAX];

static int
open_pages(void **state)
{
	(void)state;
	source = guarded_new(BYTES_MAX);
	result = guarded_new(BYTES_MAX + MARGIN);
	return 0;
}

static int
close_pages(void **state)
{
	(void)state;
	munmap(source.map, source.mapped);
	munmap(result.map, result.mapped);
	return 0;
}

struct job {
	const struct phi_type *from, *to;
	const uint8_t *data; /* of `from`, n elements */
	uint64_t n;
	enum phi_overflow policy;
	const char *what;
	uint64_t row; /* with importance, of as many columns; else 0 */
};

static uint64_t
bytes_of(const struct phi_type *type, uint64_t n)
{
	return n / type->elements * type->bytes;
}

/* Runs at a level, data at the start or the end of its pages; returns the status, *bad on failure. */
static int
run(const struct job *job, const struct phi_level *level, bool at_end, uint8_t **out, uint64_t *bad)
{
	struct phi_convert convert;
	uint8_t *const in = place(&source, bytes_of(job->from, job->n), at_end);
	const size_t size = bytes_of(job->to, job->n);
	uint8_t *const start = at_end ? place(&result, size + MARGIN, true) : place(&result, size, false);
	*out = at_end ? start + MARGIN : start;
	memcpy(in, job->data, bytes_of(job->from, job->n));
	memset(start, 0xA5, size + MARGIN);
	assert_int_equal(phi_convert_find(level, job->from, job->to, &convert, NULL), 0);
	*bad = UINT64_MAX;
	const int status = convert.run(&convert, in, *out, job->n,
		job->row ? job->row : job->n, job->row ? importance : NULL, job->policy, bad);
	for (const uint8_t *p = start; p < start + size + MARGIN; p++)
		if ((p < *out || p >= *out + size) && *p != 0xA5)
			fail_msg("%s: %s: %s to %s wrote beside its %zu bytes", level->name, job->what,
				job->from->name, job->to->name, size);
	return status;
}

/* Which NaN comes of two is the order of operands, and that the compiler's choice. */
static void
one_nan(const struct phi_type *type, uint8_t *data, size_t size)
{
	if (type->id != PHI_F32)
		return;
	for (size_t i = 0; i < size; i += 4)
		if ((phi_load32(data + i) & 0x7FFFFFFF) > 0x7F800000)
			phi_store32(data + i, 0x7FC00000);
}

static void
compare(const struct job *job)
{
	unsigned n;
	const struct phi_level *const levels = phi_levels(&n);
	uint64_t bad, expected_bad;
	uint8_t *out;
	const size_t size = bytes_of(job->to, job->n);
	const int status = run(job, &levels[0], false, &out, &expected_bad);
	one_nan(job->to, out, size);
	memcpy(expected, out, size);
	for (unsigned l = 0; l < n; l++)
		for (int at_end = 0; at_end < 2 && phi_level_runs(&levels[l]); at_end++) {
			const int s = run(job, &levels[l], at_end, &out, &bad);
			if (s != status || bad != expected_bad)
				fail_msg("%s: %s to %s, %s: status %d at %lld instead of %d at %lld", levels[l].name,
					job->from->name, job->to->name, job->what, s, (long long)bad, status,
					(long long)expected_bad);
			one_nan(job->to, out, size);
			for (size_t i = 0; i < size && status == 0; i++)
				if (out[i] != expected[i])
					fail_msg("%s: %s to %s, %s: byte %zu is %02x instead of %02x", levels[l].name,
						job->from->name, job->to->name, job->what, i, out[i], expected[i]);
		}
}

/* Counts of blocks that leave every kind of rest. */
static uint64_t
count(int i, const struct phi_type *type)
{
	static const uint64_t counts[] = { 1, 15, 16, 5, 2, 71, 17, 33, 300 };
	const uint64_t most = ELEMENTS_MAX / type->elements;
	return (counts[i % 9] < most ? counts[i % 9] : most) * type->elements;
}

/* Policies matter where something may not fit. */
static bool
is_wild(int input)
{
	return input == INPUT_1E30 || input == INPUT_BITS || input >= INPUTS_FINITE;
}

static void
encode_all(const struct phi_type *type)
{
	const struct phi_type *const f32 = phi_type_of(PHI_F32), *const f16 = phi_type_of(PHI_F16);
	/* Searches take their time: few counts, but a whole group and a rest. */
	const int every = type->elements == 256 ? 3 : 1;
	for (int input = 0; input < INPUTS; input++) {
		char what[32];
		snprintf(what, sizeof what, "input %d", input);
		input_fill(input, x, ELEMENTS_MAX);
		for (int policy = is_wild(input) ? PHI_OVERFLOW_FAIL : PHI_OVERFLOW_KEEP;
			policy <= PHI_OVERFLOW_KEEP; policy++)
			for (int c = 0; c < 9; c += every) {
				struct job job = { f32, type, (const uint8_t *)x, count(c, type),
					(enum phi_overflow)policy, what, 0 };
				compare(&job);
				job.from = f16; /* the same bytes as halves: any bit pattern */
				if (is_wild(input))
					compare(&job);
			}
	}
}

/* With importance: one row, or rows that tiles and groups cut anywhere. */
static void
weigh_all(const struct phi_type *type)
{
	const struct phi_type *const f32 = phi_type_of(PHI_F32), *const f16 = phi_type_of(PHI_F16);
	/* Searches take their time. */
	const uint64_t most = type->elements == 256 ? 17 : ELEMENTS_MAX / type->elements;
	const uint64_t rows[] = { 3, most, 1, 2, 7 };
	const int nrows = type->elements == 256 ? 2 : 5;
	for (int input = 0; input < INPUTS; input++) {
		char what[32];
		snprintf(what, sizeof what, "input %d with importance", input);
		input_fill(input, x, ELEMENTS_MAX);
		for (int policy = is_wild(input) ? PHI_OVERFLOW_FAIL : PHI_OVERFLOW_KEEP;
			policy <= PHI_OVERFLOW_KEEP; policy++)
			for (int r = 0; r < nrows; r++) {
				const uint64_t row = rows[r] * type->elements;
				struct job job = { f32, type, (const uint8_t *)x, most / rows[r] * row,
					(enum phi_overflow)policy, what, row };
				compare(&job);
				job.from = f16;
				if (is_wild(input))
					compare(&job);
			}
	}
}

static void
decode_all(const struct phi_type *type)
{
	static uint8_t data[BYTES_MAX];
	for (uint32_t i = 0; i < BYTES_MAX; i++)
		data[i] = input_code(i);
	for (int policy = PHI_OVERFLOW_FAIL; policy <= PHI_OVERFLOW_KEEP; policy++)
		for (int c = 0; c < 9; c++) {
			const struct job job = { type, phi_type_of(PHI_F32), data, count(c, type),
				(enum phi_overflow)policy, "codes", 0 };
			compare(&job);
		}
}

static void
all_levels_agree(void **state)
{
	(void)state;
	unsigned n, tried = 0;
	const struct phi_level *const levels = phi_levels(&n);
	for (int id = 0; id < PHI_TYPES; id++) {
		const struct phi_codec *const codec = phi_codec_of(&levels[0], (enum phi_type_id)id);
		if (!codec || id == PHI_F32)
			continue;
		for (uint32_t i = 0; i < ELEMENTS_MAX; i++)
			importance[i] = input_importance(i);
		if (codec->encode)
			encode_all(phi_type_of((enum phi_type_id)id));
		if (phi_codec_importance(codec) != PHI_IMPORTANCE_NONE)
			weigh_all(phi_type_of((enum phi_type_id)id));
		if (codec->decode)
			decode_all(phi_type_of((enum phi_type_id)id));
		tried++;
	}
	assert_true(tried > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_levels_agree) };
	return cmocka_run_group_tests(tests, open_pages, close_pages);
}
