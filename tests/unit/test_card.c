/* Front matter of model cards: what is a text, what hostile ones do, which keys they become. That the keys
 * are the converter's is tests/peers/test_any_folder.py's to show. */
#include "formats/gguf/card_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct phi_card *
card_of(const char *text, struct phi_err *err)
{
	const struct phi_side readme = { .name = "README.md", .data = text, .size = strlen(text) };
	return phi_card_read(&readme, err);
}

static void
tells_texts_from_others(void **state)
{
	(void)state;
	static const struct {
		const char *written;
		enum phi_card_kind kind;
	} all[] = {
		{ "mit", PHI_CARD_TEXT }, { "1.0.0", PHI_CARD_TEXT }, { "'1.0'", PHI_CARD_TEXT },
		{ "\"\"", PHI_CARD_TEXT }, { "0x", PHI_CARD_TEXT }, { "1e5", PHI_CARD_TEXT },
		{ "nope", PHI_CARD_TEXT }, { "2024-1", PHI_CARD_TEXT },
		{ "1.0", PHI_CARD_OTHER }, { "12", PHI_CARD_OTHER }, { "0o7", PHI_CARD_TEXT },
		{ "0b1", PHI_CARD_OTHER }, { "1:30", PHI_CARD_OTHER }, { "1:60", PHI_CARD_TEXT },
		{ ".inf", PHI_CARD_OTHER }, { "No", PHI_CARD_OTHER }, { "on", PHI_CARD_OTHER },
		{ "2024-01-31", PHI_CARD_OTHER }, { "2024-1-3 4:05:06 +1", PHI_CARD_OTHER },
		{ "~", PHI_CARD_ABSENT }, { "", PHI_CARD_ABSENT }, { "null", PHI_CARD_ABSENT },
		{ "[a]", PHI_CARD_LIST }, { "{a: b}", PHI_CARD_MAP }, { "\"a\\0b\"", PHI_CARD_OTHER },
		{ "!!int 5", PHI_CARD_OTHER }, { "!x y", PHI_CARD_OTHER },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct phi_err err;
		char text[64];
		snprintf(text, sizeof text, "---\nkey: %s\n---\n", all[i].written);
		struct phi_card *const card = card_of(text, &err);
		if (!card)
			fail_msg("%s: %s", all[i].written, err.text);
		const struct phi_card_value v = phi_card_find(card, "key");
		if (v.kind != all[i].kind || !v.there)
			fail_msg("%s is %d", all[i].written, v.kind);
		assert_false(phi_card_find(card, "other").there);
		phi_card_free(card);
	}
}

/* The country that YAML takes for a falsehood, tabs, ends of lines, equal keys. */
static void
reads_as_python_does(void **state)
{
	(void)state;
	struct phi_err err;
	struct phi_card *const card = card_of("---\r\na:\r- no\n-\tb: x\na: y\n---\nnot: [yaml\n", &err);
	assert_non_null(card);
	const struct phi_card_value a = phi_card_find(card, "a");
	assert_int_equal(a.kind, PHI_CARD_TEXT);
	assert_string_equal(a.text.data, "y");
	phi_card_free(card);
	struct phi_card *const list = card_of("---\na:\n- no\n- yes\n---", &err);
	const struct phi_card_value v = phi_card_find(list, "a");
	assert_int_equal(v.size, 2);
	assert_int_equal(phi_card_item(list, &v, 0).kind, PHI_CARD_TEXT);
	assert_int_equal(phi_card_item(list, &v, 1).kind, PHI_CARD_OTHER);
	phi_card_free(list);
}

static void
finds_none(void **state)
{
	(void)state;
	static const char *const none[] = { "", "# Title\n", "--- \na: b\n", "\xef\xbb\xbf---\na: b\n", "---",
		"---\n", "---\n---\n", "---\njust text\n---\n", "---\n- a\n---\n", "\n---\na: b\n---\n" };
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		struct phi_err err = { .kind = PHI_SYSTEM };
		assert_null(card_of(none[i], &err));
		assert_int_equal(err.kind, PHI_OK);
	}
}

static void
refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "---\na: [b\n---\n", "is no YAML" },
		{ "---\nok: x\na: *b\n---\n", "line 3 is no YAML: found undefined alias" },
		{ "---\na: b\n...\nc: d\n---\n", "is no YAML" },
		{ "---\na: b\n--- c\n---\n", "more than one YAML document" },
		{ "---\na: \xff\n---\n", "no UTF-8" },
		{ "---\na: \x01\n---\n", "is no YAML" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct phi_err err;
		assert_null(card_of(bad[i].text, &err));
		assert_int_equal(err.kind, PHI_FORMAT);
		if (!strstr(err.text, bad[i].why))
			fail_msg("%s: %s", bad[i].why, err.text);
	}
}

/* "---", then n times `with`. */
static char *
repeated(const char *start, const char *with, size_t n)
{
	const size_t size = strlen(with);
	char *const text = malloc(strlen(start) + n * size + 1);
	assert_non_null(text);
	strcpy(text, start);
	char *p = text + strlen(start);
	for (size_t i = 0; i < n; i++, p += size)
		memcpy(p, with, size);
	*p = '\0';
	return text;
}

static void
bounds_size_and_depth(void **state)
{
	(void)state;
	struct phi_err err;
	char *text = repeated("---\n", "a: b\n", PHI_CARD_MAX / 5 + 2);
	assert_null(card_of(text, &err));
	assert_int_equal(err.kind, PHI_LIMIT);
	free(text);
	static const size_t brackets[] = { PHI_CARD_BRACKETS_MAX, PHI_CARD_BRACKETS_MAX + 1 };
	for (size_t i = 0; i < 2; i++) {
		text = repeated("---\na: ", "[", brackets[i]);
		assert_null(card_of(text, &err));
		assert_int_equal(err.kind, i ? PHI_LIMIT : PHI_FORMAT);
		free(text);
	}
}

static int
lists_of(const char *text, struct phi_model *m, struct phi_err *err)
{
	struct phi_card *const card = card_of(text, err);
	if (!card)
		fail_msg("%s", err->text);
	struct phi_card_reading r = { .card = card, .lowered = m, .elements = 1000 };
	const int result = phi_card_lists(&r, err);
	phi_card_free(card);
	return result;
}

/* Many names of one long text are not written out one by one without end. */
static void
bounds_aliases(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("gguf", &err);
	char *const start = repeated("---\nx: &x '", "0123456789abcdef", 1024);
	char *const open = malloc(strlen(start) + 32);
	strcpy(open, start);
	strcat(open, "'\ntags:\n");
	char *const text = repeated(open, "- *x\n", 200);
	assert_int_equal(lists_of(text, m, &err), -1);
	assert_int_equal(err.kind, PHI_LIMIT);
	assert_string_equal(err.text, "README.md: more than 1048576 bytes of texts in the card");
	free(text);
	free(open);
	free(start);
	/* A list in itself has no texts. */
	const size_t before = m->nwarnings;
	assert_int_equal(lists_of("---\ntags: &a [*a]\n---\n", m, &err), 0);
	assert_int_equal(m->nwarnings, before + 1);
	phi_model_free(m);
}

static void
bounds_relatives(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("gguf", &err);
	char *const text = repeated("---\nbase_model:\n", "- a\n", PHI_CARD_ITEMS_MAX + 1);
	assert_int_equal(lists_of(text, m, &err), -1);
	assert_string_equal(err.text, "README.md: 4097 of base_model, at most 4096");
	free(text);
	phi_model_free(m);
}

static void
names_relatives(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("gguf", &err);
	assert_int_equal(lists_of("---\nbase_model: microsoft/phi-2\ndatasets:\n- https://huggingface.co/a/b\n"
		"- {name: n, url: 5}\n- 7\n---\n", m, &err), 0);
	static const char *const keys[][2] = { { "general.base_model.0.name", "Phi 2" },
		{ "general.base_model.0.version", "2" }, { "general.base_model.0.organization", "Microsoft" },
		{ "general.base_model.0.repo_url", "https://huggingface.co/microsoft/phi-2" },
		{ "general.dataset.0.name", "B" }, { "general.dataset.0.repo_url",
		"https://huggingface.co/a/b" }, { "general.dataset.1.name", "n" } };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		assert_string_equal(phi_value_string(phi_metadata_find(&m->metadata, keys[i][0])), keys[i][1]);
	assert_null(phi_metadata_find(&m->metadata, "general.dataset.1.url"));
	assert_int_equal(m->nwarnings, 2);
	phi_model_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tells_texts_from_others),
		cmocka_unit_test(reads_as_python_does), cmocka_unit_test(finds_none),
		cmocka_unit_test(refuses), cmocka_unit_test(bounds_size_and_depth),
		cmocka_unit_test(bounds_aliases), cmocka_unit_test(bounds_relatives),
		cmocka_unit_test(names_relatives) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
