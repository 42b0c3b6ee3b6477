/* JSON: what the strict parser refuses, what they let through, what we write. */
#include "formats/core/buffer.h"
#include "formats/core/json.h"
#include "formats/core/limits.h"
#include "formats/core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *
parse(const char *text, unsigned flags, struct phi_err *err)
{
	return phi_json_parse(text, strlen(text), flags, err);
}

/* Walks the members of an object to its end; their number, or -1. */
static int
count_members(const char *text, size_t size, struct phi_err *err)
{
	struct phi_json_members members = { 0 };
	int n = 0, more = phi_json_members_begin(&members, text, size, err) ? -1 : 1;
	while (more > 0) {
		more = phi_json_members_next(&members, err);
		n += more > 0;
	}
	phi_json_members_end(&members);
	return more < 0 ? -1 : n;
}

static void
accepts(void **state)
{
	(void)state;
	static const char *const good[] = { "{}", "[]", " [1, -2, 3.5, 1e3, 0, -0, 0.1E-2] ",
		"{\"a\":{\"b\":[true,false,null]}}\n", "[\"\\u00e9\\ud83d\\ude00 \\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
		"[\"\xc3\xa9\xf0\x9f\x98\x80\"]", "[[],{},[{}]]" };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct phi_err err = { 0 };
		json_t *const json = parse(good[i], 0, &err);
		if (!json)
			fail_msg("%s: %s", good[i], err.text);
		json_decref(json);
	}
}

static void
refuses(void **state)
{
	(void)state;
	static const char *const bad[] = { "", " ", "{", "}", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{a:1}", "[1 2]", "{} x", "{}{}", "[01]", "[1.]", "[.5]", "[+1]", "[1e]",
		"[--1]", "[-]", "['a']", "[\"a]", "[\"\\x\"]", "[\"\\u12\"]", "[\"\\u12g4\"]",
		"[\"\\ud800\"]", "[\"\\udc00\"]", "[\"\\ud800\\u0041\"]", "[\"\t\"]", "[\"\xff\"]",
		"[\"\xc0\x80\"]", "[\"\xed\xa0\x80\"]", "[tru]", "[nul]", "[NaN]", "[Infinity]",
		"\xef\xbb\xbf{}", "[1}", "{\"a\":1]", "[/**/1]", "{\"a\" 1}" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct phi_err err = { 0 };
		if (parse(bad[i], 0, &err))
			fail_msg("jansson takes %s", bad[i]);
		assert_int_equal(err.kind, PHI_FORMAT);
		assert_null(strchr(err.text, '\n'));
		if (count_members(bad[i], strlen(bad[i]), &err) >= 0)
			fail_msg("taken by members: %s", bad[i]);
		assert_int_equal(err.kind, PHI_FORMAT);
	}
}

/* jansson alone overlooks the first of these. */
static void
nul_bytes(void **state)
{
	(void)state;
	static const char bad[][6] = { "[2\0,3]", "[23]\0 ", "[\"a\0\"]", "\0[23] " };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct phi_err err = { 0 };
		assert_null(phi_json_parse(bad[i], 6, 0, &err));
		assert_int_equal(err.kind, PHI_FORMAT);
	}
}

static void
duplicates(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	assert_null(parse("{\"a\":1,\"a\":2}", 0, &err));
	assert_int_equal(err.kind, PHI_FORMAT);
	json_t *const json = parse("{\"a\":1,\"b\":{},\"a\":2}", PHI_JSON_KEEP_DUPLICATES, &err);
	assert_int_equal(json_integer_value(json_object_get(json, "a")), 2);
	json_decref(json);
}

static void
depth(void **state)
{
	(void)state;
	char text[4 * PHI_JSON_DEPTH_MAX];
	for (int n = PHI_JSON_DEPTH_MAX; n <= PHI_JSON_DEPTH_MAX + 1; n++) {
		struct phi_err err = { 0 };
		memset(text, '[', (size_t)n);
		memset(text + n, ']', (size_t)n);
		json_t *const json = phi_json_parse(text, 2 * (size_t)n, 0, &err);
		assert_int_equal(json != NULL, n == PHI_JSON_DEPTH_MAX);
		json_decref(json);
		assert_int_equal(err.kind, n == PHI_JSON_DEPTH_MAX ? PHI_OK : PHI_LIMIT);
	}
	/* Brackets within strings are no nesting. */
	struct phi_err err = { 0 };
	char quoted[200] = "[\"\\\"";
	memset(quoted + 4, '[', 150);
	strcpy(quoted + 154, "\"]");
	json_t *const json = parse(quoted, 0, &err);
	assert_non_null(json);
	json_decref(json);
}

static void
big_integers(void **state)
{
	(void)state;
	static const char text[] = "{\"model_max_length\":1000000000000000019884624838656,"
				   "\"s\":\"99999999999999999999\\\"99999999999999999999\","
				   "\"n\":[9007199254740993,-9223372036854775808,9223372036854775807,"
				   "-9223372036854775809,9223372036854775808]}";
	struct phi_err err = { 0 };
	assert_null(parse(text, 0, &err));
	assert_int_equal(err.kind, PHI_FORMAT);
	json_t *const json = parse(text, PHI_JSON_BIG_INTEGERS, &err);
	assert_non_null(json);
	assert_true(json_real_value(json_object_get(json, "model_max_length")) == 1e30);
	assert_string_equal(json_string_value(json_object_get(json, "s")),
		"99999999999999999999\"99999999999999999999");
	const json_t *const n = json_object_get(json, "n");
	assert_true(json_integer_value(json_array_get(n, 0)) == 9007199254740993);
	assert_true(json_integer_value(json_array_get(n, 1)) == INT64_MIN);
	assert_true(json_integer_value(json_array_get(n, 2)) == INT64_MAX);
	assert_true(json_is_real(json_array_get(n, 3)));
	assert_true(json_is_real(json_array_get(n, 4)));
	json_decref(json);
}

static void
nuls(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	assert_null(parse("[\"a\\u0000b\"]", 0, &err));
	json_t *const json = parse("[\"a\\u0000b\"]", PHI_JSON_NULS, &err);
	assert_int_equal(json_string_length(json_array_get(json, 0)), 3);
	json_decref(json);
}

static void
members(void **state)
{
	(void)state;
	static const char text[] = " {\"a\" : [1,{\"x\":2}] , \"a\":\"b\\u0000c\",\"\\u00e9\\u0000\":-7.5} ";
	struct phi_json_members m;
	struct phi_err err = { 0 };
	assert_int_equal(phi_json_members_begin(&m, text, strlen(text), &err), 0);
	assert_int_equal(phi_json_members_next(&m, &err), 1);
	assert_string_equal(json_string_value(m.name), "a");
	assert_int_equal(json_array_size(m.value), 2);
	assert_int_equal(phi_json_members_next(&m, &err), 1);
	assert_string_equal(json_string_value(m.name), "a");
	assert_int_equal(json_string_length(m.value), 3);
	assert_int_equal(phi_json_members_next(&m, &err), 1);
	assert_int_equal(json_string_length(m.name), 3);
	assert_true(json_real_value(m.value) == -7.5);
	assert_int_equal(phi_json_members_next(&m, &err), 0);
	phi_json_members_end(&m);
	assert_int_equal(count_members("{}", 2, &err), 0);
}

static void
members_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "'{' expected" },
		{ "[]", "'{' expected" },
		{ "{", "a name expected, but the text ends" },
		{ "{1:2}", "a name expected" },
		{ "{\"a\" 1}", "':' expected" },
		{ "{\"a\":1 \"b\":2}", "',' or '}' expected" },
		{ "{\"a\":1,}", "a name expected" },
		{ "{,\"a\":1}", "a name expected" },
		{ "{\"a\":1}x", "the end expected" },
		{ "{\"a\":1}{}", "the end expected" },
		{ "{\"a\":}", "JSON byte 6" },
		{ "{\"a\":{\"b\":1,\"b\":2}}", "duplicate" },
		{ "{\"a\":18446744073709551616}", "JSON byte" },
		{ "{\"\xff\":1}", "JSON byte" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct phi_err err = { 0 };
		if (count_members(bad[i].text, strlen(bad[i].text), &err) >= 0 ||
			!strstr(err.text, bad[i].says))
			fail_msg("%s: %s", bad[i].text, err.text);
	}
}

/* No prefix of a text is a text (but for trailing space). */
static void
truncation(void **state)
{
	(void)state;
	static const char text[] = "{\"a\":[1,2.5e3,\"x\\u00e9\\ud83d\\ude00\",true,null,{}],\"b\":-7}";
	for (size_t n = 0; n < strlen(text); n++) {
		struct phi_err err = { 0 };
		/* On the heap, so that a read beyond the end is seen. */
		char *const part = malloc(n ? n : 1);
		memcpy(part, text, n);
		assert_null(phi_json_parse(part, n, PHI_JSON_BIG_INTEGERS, &err));
		assert_int_equal(count_members(part, n, &err), -1);
		free(part);
	}
}

static void
strings_out(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ "plain/\x7f", "\"plain/\x7f\"" },
		{ "q\"b\\n\nt\tb\bf\fr\r\x01\x1f", "\"q\\\"b\\\\n\\nt\\tb\\bf\\fr\\r\\u0001\\u001f\"" },
		{ "\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
		{ "a\xff" "b\xc3", "\"a\xEF\xBF\xBD" "b\xEF\xBF\xBD\"" },
		{ "\xed\xa0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
	};
	struct phi_err err = { 0 };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct phi_buffer b = { 0 };
		assert_int_equal(
			phi_json_append_string(&b, cases[i].in, strlen(cases[i].in), &err), 0);
		assert_int_equal(b.size, strlen(cases[i].out));
		assert_memory_equal(b.data, cases[i].out, b.size);
		phi_buffer_free(&b);
	}
	struct phi_buffer b = { 0 };
	assert_int_equal(phi_json_append_string(&b, "a\0b", 3, &err), 0);
	assert_memory_equal(b.data, "\"a\\u0000b\"", b.size);
	phi_buffer_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test(duplicates),
		cmocka_unit_test(depth),
		cmocka_unit_test(big_integers),
		cmocka_unit_test(nuls),
		cmocka_unit_test(members),
		cmocka_unit_test(members_refused),
		cmocka_unit_test(truncation),
		cmocka_unit_test(strings_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
