/* Fields of blocks in planes: torn at every allowed cut and woven at any, against the definition. */
#include "formats/core/field.h"
#include "formats/core/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 5, BLOCKS_MAX = 40 };

static struct phi_tensor
tensor_of(unsigned bits, uint64_t blocks)
{
	const struct phi_type *const type = phi_type_onnx(bits, 16, PHI_F16, true);
	return (struct phi_tensor){ .name = "w", .type = type, .rank = 2, .shape = { ROWS, blocks * type->elements },
		.alias = PHI_NONE };
}

/* The plane of zero points by its definition. */
static size_t
plane_of(const struct phi_tensor *t, unsigned bits, uint64_t blocks, const uint8_t *data, uint8_t *plane)
{
	const uint64_t row = (blocks * bits + 7) / 8;
	for (uint64_t r = 0; r < ROWS; r++)
		for (uint64_t k = 0; k < row * 8 / bits; k++) {
			const unsigned code = k < blocks ? data[(r * blocks + k + 1) * t->type->bytes - 1] : 1U << (bits - 1);
			uint8_t *const p = plane + r * row + k * bits / 8;
			*p = (uint8_t)(k * bits % 8 ? *p : 0) | (uint8_t)(code << k * bits % 8);
		}
	return row * ROWS;
}

static void
check(unsigned bits, uint64_t blocks)
{
	const struct phi_tensor t = tensor_of(bits, blocks);
	const unsigned pitch = t.type->bytes;
	const uint64_t n = ROWS * blocks;
	uint8_t data[ROWS * BLOCKS_MAX * 24], again[sizeof data];
	uint8_t want[ROWS * BLOCKS_MAX], plane[sizeof want], part[sizeof want];
	struct phi_field field;
	uint64_t bytes;
	size_t size;
	assert_true(phi_field_of(&t, 2, &field) && n * pitch <= sizeof data);
	for (uint64_t i = 0; i < n * pitch; i++)
		data[i] = (uint8_t)((i * 2654435761u >> 7) & (i % pitch == pitch - 1u ? (1u << bits) - 1 : 0xff));
	const size_t all = plane_of(&t, bits, blocks, data, want);
	assert_true(phi_tensor_field_bytes(&t, 2, &bytes));
	assert_int_equal(bytes, all);
	for (uint64_t most = 9; most <= n + 1; most++) {
		memset(plane, 0xee, sizeof plane);
		for (uint64_t first = 0, run; first < n; first += run) {
			run = phi_field_run(&field, first, n - first, most);
			assert_true(run > 0 && run <= n - first);
			const uint64_t at = phi_field_place(&field, first, run, &size);
			assert_true(size <= run || !field.bits);
			phi_field_tear(&field, first, run, data + first * pitch, plane + at);
		}
		assert_memory_equal(plane, want, all);
	}
	for (uint64_t first = 0; first < n; first++)
		for (uint64_t run = 1; run <= n - first; run++) {
			const uint64_t at = phi_field_place(&field, first, run, &size);
			memcpy(again, data, n * pitch);
			for (uint64_t i = 0; i < n; i++)
				again[(i + 1) * pitch - 1] = 0xaa;
			/* Nothing beyond what place says is looked at: memory checkers see it. */
			uint8_t *const exact = memcpy(part, want + at, size);
			phi_field_weave(&field, first, run, exact, again + first * pitch);
			assert_memory_equal(again + first * pitch, data + first * pitch, run * pitch);
		}
}

static void
zero_points_are_a_stream_of_bits_by_row(void **state)
{
	(void)state;
	for (unsigned bits = 2; bits <= 8; bits *= 2)
		for (uint64_t blocks = 1; blocks <= 19; blocks++)
			check(bits, blocks);
	check(4, BLOCKS_MAX);
}

static void
steps_end_with_bytes(void **state)
{
	(void)state;
	struct phi_field field;
	struct phi_tensor t = tensor_of(4, 3);
	assert_true(phi_field_of(&t, 2, &field));
	assert_int_equal(phi_field_step(&field, 1), 3);
	assert_int_equal(phi_field_step(&field, 8), 6);
	t = tensor_of(4, 16);
	assert_true(phi_field_of(&t, 2, &field));
	assert_int_equal(phi_field_step(&field, 1), 8);
	assert_int_equal(phi_field_step(&field, 23), 16);
	assert_true(phi_field_of(&t, 0, &field));
	assert_int_equal(phi_field_step(&field, 23), 23);
	assert_false(phi_field_of(&t, 3, &field));
	t.shape[1]++;
	assert_false(phi_field_of(&t, 0, &field));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_points_are_a_stream_of_bits_by_row),
		cmocka_unit_test(steps_end_with_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
