/* Escaping, UTF-8, globs. */
#include "formats/core/escape.h"
#include "formats/core/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
escapes(const char *s, size_t n, const char *expected)
{
	char out[64];
	assert_string_equal(phi_escape(out, sizeof out, s, n), expected);
}

static void
text_is_made_safe(void **state)
{
	(void)state;
	escapes("blk.0.weight", 12, "blk.0.weight");
	escapes("a\033[31m\n", 7, "a\\x1b[31m\\x0a");
	escapes("a\0b", 3, "a\\x00b");
	escapes("a\\b", 3, "a\\\\b");
	escapes("\xff\xc3", 2, "\\xff\\xc3");
	escapes("\xc3\xa9", 2, "\xc3\xa9");
	escapes("\xe2\x80\xae", 3, "\\u{202e}");
	escapes("\xc2\x9b", 2, "\\u{009b}");
	escapes("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");
}

static void
long_text_is_cut(void **state)
{
	(void)state;
	char out[8];
	assert_string_equal(phi_escape(out, sizeof out, "abcdefg", 7), "abcdefg");
	assert_string_equal(phi_escape(out, sizeof out, "abcdefgh", 8), "abcd...");
	assert_string_equal(phi_escape(out, sizeof out, "abc\n\n", 5), "abc...");
	assert_string_equal(phi_escape(out, sizeof out, "\n\n\n", 3), "\\x0a...");
}

static void
utf8_is_checked(void **state)
{
	(void)state;
	assert_true(phi_utf8_valid("\xf4\x8f\xbf\xbf", 4));
	assert_false(phi_utf8_valid("\xf4\x90\x80\x80", 4));
	assert_false(phi_utf8_valid("\xc0\x80", 2));
	assert_false(phi_utf8_valid("\xe0\x80\x80", 3));
	assert_false(phi_utf8_valid("\xe2\x82", 2));
	assert_true(phi_utf8_valid("", 0));
}

static void
globs_match(void **state)
{
	(void)state;
	assert_true(phi_glob_match("*", ""));
	assert_true(phi_glob_match("*.attn_*", "blk.0.attn_qkv.weight"));
	assert_true(phi_glob_match("model.layers.?.*", "model.layers.1.a"));
	assert_false(phi_glob_match("model.layers.?.*", "model.layers.12.a"));
	assert_true(phi_glob_match("blk.[0-3].*", "blk.2.x"));
	assert_false(phi_glob_match("blk.[!0-3].*", "blk.2.x"));
	assert_true(phi_glob_match("a\\*b", "a*b"));
	assert_false(phi_glob_match("a\\*b", "axb"));
	assert_true(phi_glob_match("a[", "a["));
	assert_true(phi_glob_match("[]]", "]"));
	assert_false(phi_glob_match("", "a"));
	assert_false(phi_glob_match("a", ""));
}

static void
globs_are_not_exponential(void **state)
{
	(void)state;
	char text[4096];
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_false(phi_glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_made_safe),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(utf8_is_checked),
		cmocka_unit_test(globs_match),
		cmocka_unit_test(globs_are_not_exponential),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
