/* Arena, buffer, growing arrays, names. */
#include "formats/core/arena.h"
#include "formats/core/buffer.h"
#include "formats/core/memory.h"
#include "formats/core/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
sizes_are_checked(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	assert_null(phi_calloc(SIZE_MAX / 2, 4, &err));
	assert_int_equal(err.kind, PHI_MEMORY);
	void *const p = phi_alloc(0, &err);
	assert_non_null(p);
	assert_null(phi_realloc(p, SIZE_MAX, 2, &err));
	phi_free(p);
}

static void
arrays_grow(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	uint32_t *v = NULL;
	size_t capacity = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(phi_grow(&v, &capacity, i, sizeof *v, &err), 0);
		v[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(v[i], i);
	phi_free(v);
}

static void
arenas_keep_what_they_gave(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	char *texts[5000];
	for (int i = 0; i < 5000; i++) {
		texts[i] = phi_arena_printf(arena, &err, "tensor %d", i);
		assert_int_equal((uintptr_t)texts[i] % 16, 0);
		if (i % 1000 == 0)
			assert_non_null(phi_arena_calloc(arena, 1 << 20, 1, &err));
	}
	for (int i = 0; i < 5000; i++) {
		char expected[32];
		snprintf(expected, sizeof expected, "tensor %d", i);
		assert_string_equal(texts[i], expected);
	}
	assert_non_null(phi_arena_alloc(arena, 0, &err));
	assert_null(phi_arena_alloc(arena, SIZE_MAX - 8, &err));
	phi_arena_free(arena);
}

static void
buffers_collect(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_buffer b = { 0 };
	assert_int_equal(phi_buffer_append(&b, NULL, 0, &err), 0);
	assert_int_equal(phi_buffer_u32(&b, 0x04030201, &err), 0);
	assert_int_equal(phi_buffer_u64(&b, 0x0807060504030201, &err), 0);
	assert_int_equal(phi_buffer_printf(&b, &err, "%s %d", "x", 7), 0);
	assert_int_equal(phi_buffer_zeros(&b, 2, &err), 0);
	assert_int_equal(b.size, 17);
	assert_memory_equal(b.data, "\1\2\3\4\1\2\3\4\5\6\7\10x 7\0\0", 17);
	phi_buffer_free(&b);
}

static void
names_are_found(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_names *const names = phi_names_new(&err);
	static char texts[20000][16];
	for (uint32_t i = 0; i < 20000; i++) {
		const size_t n = (size_t)snprintf(texts[i], sizeof texts[i], "t%u", i);
		assert_int_equal(phi_names_add(names, texts[i], n, i, &err), 0);
	}
	assert_int_equal(phi_names_add(names, "t77", 3, 5, &err), 1);
	assert_int_equal(phi_names_find(names, "t77", 3), 77);
	assert_int_equal(phi_names_find(names, "t19999", 6), 19999);
	assert_int_equal(phi_names_find(names, "t20000", 6), PHI_NONE);
	assert_int_equal(phi_names_find(names, "t77", 2), 7);
	phi_names_free(names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_checked),	 cmocka_unit_test(arrays_grow),
		cmocka_unit_test(arenas_keep_what_they_gave), cmocka_unit_test(buffers_collect),
		cmocka_unit_test(names_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
