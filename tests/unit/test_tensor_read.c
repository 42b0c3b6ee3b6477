/* Reading strided views: every view of a small storage against the definition, at every cut. */
#include "formats/core/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ELEMENTS = 240000 };
static uint16_t weights[ELEMENTS];

static int
mem_read(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	(void)source;
	if (storage != 0 || offset > sizeof weights || n > sizeof weights - offset)
		return phi_fail(err, PHI_TRUNCATED, "beyond the end");
	memcpy(dst, (const uint8_t *)weights + offset, n);
	return 0;
}

static const struct phi_source_ops ops = { .read = mem_read };

static struct phi_source *
open_source(void)
{
	struct phi_source *const s = phi_source_new("memory", &ops, 0, NULL);
	for (unsigned i = 0; i < ELEMENTS; i++)
		weights[i] = (uint16_t)(i * 40503u >> 3);
	*phi_model_add_storage(s->model, NULL) = (struct phi_storage){ .size = sizeof weights };
	return s;
}

struct view {
	unsigned rank;
	uint64_t shape[4];
	int64_t stride[4];
	uint64_t offset; /* elements */
};

static uint16_t
by_definition(const struct view *v, uint64_t i)
{
	int64_t at = (int64_t)v->offset;
	for (unsigned d = v->rank; d-- > 0; i /= v->shape[d])
		at += (int64_t)(i % v->shape[d]) * v->stride[d];
	return weights[at];
}

static struct phi_tensor
tensor_of(const struct view *v)
{
	struct phi_tensor t = { .name = "view", .type = phi_type_of(PHI_U16), .rank = v->rank,
		.nplanes = 1, .alias = PHI_NONE };
	for (unsigned d = 0; d < v->rank; d++) {
		t.shape[d] = v->shape[d];
		t.plane[0].stride[d] = v->stride[d];
	}
	t.plane[0].offset = 2 * v->offset;
	return t;
}

static void
check_view(struct phi_source *s, const struct view *v)
{
	static uint16_t got[ELEMENTS];
	const struct phi_tensor t = tensor_of(v);
	uint64_t n;
	assert_true(phi_tensor_elements(&t, &n));
	for (uint64_t step = n; step; step = step > 7 ? step / 7 : 0)
		for (uint64_t first = 0; first < n; first += step) {
			const uint64_t run = n - first < step ? n - first : step;
			memset(got, 0xee, sizeof got);
			assert_int_equal(phi_tensor_read(s, &t, false, first, run, got, NULL), 0);
			for (uint64_t i = 0; i < run; i++)
				assert_int_equal(got[i], by_definition(v, first + i));
			if (run < ELEMENTS)
				assert_int_equal(got[run], 0xeeee);
		}
}

static void
test_views(void **state)
{
	(void)state;
	static const struct view views[] = {
		{ 0, { 0 }, { 0 }, 17 },
		{ 1, { 100 }, { 1 }, 5 },
		{ 1, { 100 }, { 3 }, 0 },
		{ 1, { 100 }, { -2 }, 500 },
		{ 1, { 100 }, { 0 }, 9 },
		{ 2, { 40, 50 }, { 50, 1 }, 0 },
		{ 2, { 40, 50 }, { 200, 1 }, 3 },
		{ 2, { 50, 40 }, { 1, 50 }, 0 },
		{ 2, { 300, 400 }, { 1, 600 }, 11 },
		{ 2, { 20, 30 }, { 2, 100 }, 0 },
		{ 2, { 1, 30 }, { 1, 7 }, 0 },
		{ 3, { 5, 6, 7 }, { 1, 5, 30 }, 0 },
		{ 3, { 5, 6, 7 }, { 42, 0, 1 }, 0 },
		{ 4, { 4, 3, 5, 6 }, { 90, 1, 18, 3 }, 0 },
		{ 3, { 8, 60, 70 }, { 1, 8, 480 }, 0 },
		{ 3, { 8, 60, 70 }, { -1, -8, -480 }, 40000 },
		{ 3, { 3, 50, 4 }, { 60000, 2, 39000 }, 0 },
		{ 4, { 2, 1, 30, 40 }, { 1200, 99999999, -1, 30 }, 29 },
	};
	struct phi_source *const s = open_source();
	for (size_t i = 0; i < sizeof views / sizeof *views; i++)
		check_view(s, &views[i]);
	phi_source_close(s);
}

static void
test_transposed_and_swapped(void **state)
{
	(void)state;
	const struct view rows = { 2, { 31, 57 }, { 57, 1 }, 0 }, turned = { 2, { 57, 31 }, { 1, 57 }, 0 };
	struct phi_source *const s = open_source();
	struct phi_tensor t = tensor_of(&rows);
	static uint16_t got[31 * 57];
	t.plane[0].dense = true;
	assert_int_equal(phi_tensor_read(s, &t, true, 0, 31 * 57, got, NULL), 0);
	for (unsigned i = 0; i < 31 * 57; i++)
		assert_int_equal(got[i], by_definition(&turned, i));
	t.plane[0].swap = true;
	assert_int_equal(phi_tensor_read(s, &t, false, 3, 20, got, NULL), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(got[i], (uint16_t)(weights[i + 3] << 8 | weights[i + 3] >> 8));
	phi_source_close(s);
}

/* What the model's check lets through cannot read outside; what it refuses would. */
static void
test_views_outside_are_refused(void **state)
{
	(void)state;
	static const struct {
		struct view view;
		bool good;
	} cases[] = {
		{ { 1, { ELEMENTS }, { 1 }, 0 }, true },
		{ { 1, { ELEMENTS }, { 1 }, 1 }, false },
		{ { 1, { ELEMENTS / 2 }, { 2 }, 1 }, true },
		{ { 1, { ELEMENTS / 2 }, { 2 }, 2 }, false },
		{ { 1, { 100 }, { -1 }, 99 }, true },
		{ { 1, { 100 }, { -1 }, 98 }, false },
		{ { 2, { 1ull << 62, 2 }, { INT64_MAX, 1 }, 0 }, false },
		{ { 2, { 1 << 15, 1 << 10 }, { 0, 0 }, 0 }, true },
		{ { 2, { 1 << 15, (1 << 10) + 1 }, { 0, 0 }, 0 }, false },
		{ { 2, { 1ull << 40, 1ull << 24 }, { 0, 0 }, 0 }, false },
		{ { 2, { 0, 5 }, { INT64_MAX, INT64_MAX }, 1ull << 60 }, true },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct phi_source *const s = open_source();
		*phi_model_add_tensor(s->model, NULL) = tensor_of(&cases[i].view);
		const int result = phi_model_check(s->model, NULL);
		if (result != (cases[i].good ? 0 : -1))
			fail_msg("case %zu gave %d", i, result);
		phi_source_close(s);
	}
}

static void
test_names_are_checked(void **state)
{
	(void)state;
	struct phi_source *const s = open_source();
	const struct view v = { 1, { 4 }, { 1 }, 0 };
	*phi_model_add_tensor(s->model, NULL) = tensor_of(&v);
	*phi_model_add_tensor(s->model, NULL) = tensor_of(&v);
	struct phi_err err;
	assert_int_equal(phi_model_check(s->model, &err), -1);
	assert_string_equal(err.text, "tensor view is there twice");
	s->model->tensors[1].name = "";
	assert_int_equal(phi_model_check(s->model, &err), -1);
	s->model->tensors[1].name = "other";
	assert_int_equal(phi_model_check(s->model, &err), 0);
	assert_int_equal(phi_model_find_aliases(s->model, &err), 0);
	assert_int_equal(s->model->tensors[1].alias, 0);
	assert_int_equal(s->model->tensors[0].alias, PHI_NONE);
	phi_source_close(s);
}

/* Fields of blocks in planes of their own: whatever stretch is asked for is what the whole has there. */
static void
planes_are_woven(void **state)
{
	struct phi_source *const source = open_source();
	const struct phi_type *const type = phi_type_of(PHI_MLX4_G64_BF16);
	const struct phi_tensor t = { .name = "woven", .type = type, .rank = 2, .shape = { 40, 6400 }, .nplanes = 3,
		.plane = { { .offset = 6, .dense = true }, { .offset = 200000, .dense = true },
			{ .offset = 210000, .dense = true } }, .alias = PHI_NONE };
	enum { BLOCKS = 4000, BYTES = 36 };
	static uint8_t whole[BLOCKS * BYTES], part[BLOCKS * BYTES];
	(void)state;
	assert_int_equal(type->bytes, BYTES);
	assert_int_equal(phi_tensor_read(source, &t, false, 0, BLOCKS * 64, whole, NULL), 0);
	const uint8_t *const file = (const uint8_t *)weights;
	for (size_t i = 0; i < BLOCKS; i++) {
		assert_memory_equal(whole + i * BYTES, file + 6 + 32 * i, 32);
		assert_memory_equal(whole + i * BYTES + 32, file + 200000 + 2 * i, 2);
		assert_memory_equal(whole + i * BYTES + 34, file + 210000 + 2 * i, 2);
	}
	for (size_t first = 0; first < BLOCKS; first += 1237)
		for (size_t n = 1; n <= BLOCKS - first; n *= 3) {
			assert_int_equal(phi_tensor_read(source, &t, false, first * 64, n * 64, part, NULL), 0);
			assert_memory_equal(part, whole + first * BYTES, n * BYTES);
		}
	assert_int_equal(phi_tensor_read(source, &t, false, 32, 64, part, NULL), -1);
	assert_int_equal(phi_tensor_read(source, &t, true, 0, 64, part, NULL), -1);
	phi_source_close(source);
}

static void
a_slice_is_one_of_each_plane(void **state)
{
	struct phi_source *const source = open_source();
	const struct phi_tensor t = { .name = "stack", .type = phi_type_of(PHI_MLX_NVFP4), .rank = 3,
		.shape = { 5, 3, 64 }, .nplanes = 2, .plane = { { .offset = 8, .dense = true },
			{ .offset = 9000, .dense = true } }, .alias = PHI_NONE };
	uint8_t whole[5 * 3 * 4 * 9], part[3 * 4 * 9];
	(void)state;
	assert_int_equal(phi_tensor_read(source, &t, false, 0, 5 * 3 * 64, whole, NULL), 0);
	for (uint64_t e = 0; e < 5; e++) {
		struct phi_tensor one;
		assert_true(phi_tensor_slice(&t, e, 1, true, &one));
		assert_int_equal(one.rank, 2);
		assert_int_equal(phi_tensor_read(source, &one, false, 0, 3 * 64, part, NULL), 0);
		assert_memory_equal(part, whole + e * sizeof part, sizeof part);
	}
	phi_source_close(source);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planes_are_woven),
		cmocka_unit_test(a_slice_is_one_of_each_plane),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_transposed_and_swapped),
		cmocka_unit_test(test_views_outside_are_refused),
		cmocka_unit_test(test_names_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
