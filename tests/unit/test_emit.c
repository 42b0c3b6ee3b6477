/* Text and JSON of numbers, strings and metadata values. */
#include "inspect/emit.h"
#include "inspect/number.h"

#include "formats/core/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_real(void **state)
{
	(void)state;
	struct phi_number n;
	assert_string_equal(phi_number_real(&n, 1, false), "1.0");
	assert_string_equal(phi_number_real(&n, 0.1, false), "0.1");
	assert_string_equal(phi_number_real(&n, (double)0.1f, true), "0.1");
	assert_string_equal(phi_number_real(&n, (double)0.1f, false), "0.10000000149011612");
	assert_string_equal(phi_number_real(&n, -0.0, false), "-0.0");
	assert_string_equal(phi_number_real(&n, 1e300, false), "1e+300");
	assert_string_equal(phi_number_real(&n, NAN, false), "NaN");
	assert_string_equal(phi_number_real(&n, -INFINITY, true), "-Infinity");
	/* Whatever is printed reads back as what it was. */
	for (unsigned i = 1; i < 2000; i++) {
		const float f = (float)i / 3000 * (float)exp2((double)(i % 200) - 100);
		assert_true(strtof(phi_number_real(&n, f, true), NULL) == f);
		assert_true(strtod(phi_number_real(&n, f, false), NULL) == f);
	}
}

static void
test_units(void **state)
{
	(void)state;
	struct phi_number n;
	assert_string_equal(phi_number_count(&n, 0), "0");
	assert_string_equal(phi_number_count(&n, 999), "999");
	assert_string_equal(phi_number_count(&n, 3821079552), "3.82 B");
	assert_string_equal(phi_number_bytes(&n, 1), "1 bytes");
	assert_string_equal(phi_number_bytes(&n, 1536), "1.50 KiB");
	assert_string_equal(phi_number_bytes(&n, 123 << 20), "123 MiB");
	assert_string_equal(phi_number_bytes(&n, UINT64_MAX), "16777216 TiB");
}

static struct phi_value
string(const char *s, size_t n)
{
	return (struct phi_value){.kind = PHI_VALUE_STRING, .s = {s, n}};
}

static void
test_value_text(void **state)
{
	(void)state;
	char dst[100], longer[4096];
	struct phi_value v = string("a\nb\"", 4);
	assert_string_equal(phi_value_text(&v, dst, sizeof dst), "\"a\\x0ab\"\"");
	memset(longer, 'x', sizeof longer);
	v = string(longer, sizeof longer);
	assert_non_null(strstr(phi_value_text(&v, dst, sizeof dst), "...\" (4096 bytes)"));
	const int32_t numbers[] = {1, -2, 3};
	v = (struct phi_value){.kind = PHI_VALUE_ARRAY, .array = {PHI_VALUE_I32, 3, numbers}};
	char room[300];
	assert_string_equal(phi_value_text(&v, room, sizeof room), "[1, -2, 3]");
	v.array.count = 0;
	assert_string_equal(phi_value_text(&v, room, sizeof room), "[]");
	/* Never beyond its room, however long the elements. */
	const struct phi_string strings[] = {{longer, 4096}, {longer, 4096}, {longer, 4096}};
	v = (struct phi_value){.kind = PHI_VALUE_ARRAY, .array = {PHI_VALUE_STRING, 3, strings}};
	for (size_t size = 64; size < sizeof room; size++)
		assert_true(strlen(phi_value_text(&v, room, size)) < size);
}

/* What is emitted is JSON, whatever the strings. */
static void
test_json(void **state)
{
	(void)state;
	char *text = NULL;
	size_t size = 0;
	FILE *const out = open_memstream(&text, &size);
	const uint32_t many[65] = {7};
	const struct phi_value array = {.kind = PHI_VALUE_ARRAY, .array = {PHI_VALUE_U32, 65, many}};
	struct phi_emit e;
	phi_emit_begin(&e, out, 1);
	phi_emit_open(&e, '{');
	phi_emit_member(&e, "q\"\\\x01\xff", "\xc3\x28 \xf0\x9f\x98\x80");
	phi_emit_member(&e, "nothing", NULL);
	phi_emit_member_real(&e, "odd", NAN);
	phi_emit_key(&e, "short");
	phi_emit_value(&e, &array, false);
	phi_emit_key(&e, "full");
	phi_emit_value(&e, &array, true);
	phi_emit_key(&e, "empty");
	phi_emit_open(&e, '[');
	phi_emit_close(&e, ']');
	phi_emit_close(&e, '}');
	struct phi_err err = {0};
	assert_int_equal(phi_emit_finish(&e, &err), 0);
	fclose(out);
	json_t *const json = phi_json_parse(text, size, 0, &err);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "odd")), "NaN");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "short"), "length")),
		65);
	assert_int_equal(json_array_size(json_object_get(json, "full")), 65);
	assert_int_equal(json_array_size(json_object_get(json, "empty")), 0);
	json_decref(json);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_value_text),
		cmocka_unit_test(test_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
