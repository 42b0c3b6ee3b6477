/* Tables in every style, names of modules, the size of a vocabulary. */
#include "inspect/module.h"
#include "inspect/table.h"
#include "inspect/vocabulary_size.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NAME, NUMBER, REAL, WORDS, LIST };

static const uint64_t counts[] = {0, 1, 7, 14};
static const char *const names[] = {"plain", "a,\"b\"\r\n\033[1m"};

static void
cell(const void *ctx, size_t row, unsigned id, struct phi_cell *c)
{
	(void)ctx;
	switch (id) {
	case NAME:
		phi_cell_set_text(c, names[row]);
		break;
	case NUMBER:
		phi_cell_set_bytes(c, 2048 * row);
		break;
	case REAL:
		if (row)
			phi_cell_set_real(c, row == 1 ? 0.1 : NAN);
		else
			c->kind = PHI_CELL_ABSENT;
		break;
	case WORDS:
		c->kind = PHI_CELL_WORDS;
		c->words[0] = "F32";
		c->words[1] = row ? "F16" : NULL;
		break;
	default:
		c->kind = PHI_CELL_BARS;
		c->list.counts = counts;
		c->list.n = 4;
	}
}

static const struct phi_column columns[] = {{NAME, "name", "name", false, NULL, 0},
	{NUMBER, "nbytes", "bytes", true, NULL, 0}, {REAL, "real", "real", true, "%.2f", 0},
	{WORDS, "types", "types", false, NULL, PHI_COLUMN_JSON},
	{LIST, "bars", "bars", false, NULL, 0}};
static const struct phi_table table = {.title = "things", .record = "thing", .columns = columns,
	.ncolumns = 5, .rows = 2, .cell = cell, .indent = "  "};

static char text[4096];

static FILE *
begin(void)
{
	memset(text, 0, sizeof text);
	return fmemopen(text, sizeof text, "w");
}

static void
test_text(void **state)
{
	(void)state;
	FILE *const out = begin();
	phi_table_print(&table, out);
	fclose(out);
	assert_string_equal(text, "things (2)\n"
		"  name                     bytes  real  types     bars\n"
		"  plain                  0 bytes     -  F32        \u2581\u2584\u2588\n"
		"  a,\"b\"\\x0d\\x0a\\x1b[1m  2.00 KiB  0.10  F32, F16   \u2581\u2584\u2588\n");
}

static void
test_json(void **state)
{
	(void)state;
	struct phi_err err = {0};
	FILE *const out = begin();
	assert_int_equal(phi_table_lines(&table, out, &err), 0);
	fclose(out);
	assert_string_equal(text, "{\"record\": \"thing\", \"name\": \"plain\", \"nbytes\": 0, "
		"\"types\": [\"F32\", null], \"bars\": [0, 1, 7, 14]}\n"
		"{\"record\": \"thing\", \"name\": \"a,\\\"b\\\"\\r\\n\\u001b[1m\", \"nbytes\": 2048, "
		"\"real\": 0.1, \"types\": [\"F32\", \"F16\"], \"bars\": [0, 1, 7, 14]}\n");
}

static void
test_csv(void **state)
{
	(void)state;
	FILE *const out = begin();
	phi_table_csv(&table, true, out);
	fclose(out);
	assert_string_equal(text, "name,nbytes,real,bars\r\nplain,0,,0 1 7 14\r\n"
		"\"a,\"\"b\"\"\\x0d\\x0a\\x1b[1m\",2048,0.1,0 1 7 14\r\n");
}

static void
test_module_name(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		unsigned depth;
		const char *module;
		int layer;
	} cases[] = {
		{"model.layers.7.self_attn.qkv_proj.weight", 0, "model.layers.*.self_attn.qkv_proj", 7},
		{"model.layers.31.mlp.experts.15.w1.weight", 0, "model.layers.*.mlp.experts.*.w1", 31},
		{"model.layers.7.self_attn.qkv_proj.weight", 3, "model.layers.*", 7},
		{"model.layers.7.self_attn.qkv_proj.weight", 1, "model", 7},
		{"weight", 0, "weight", -1}, {"weight", 5, "weight", -1}, {"", 0, "", -1},
		{"0", 0, "*", 0}, {"0.weight", 0, "*", 0}, {"a..b", 0, "a.", -1}, {".", 0, "", -1},
		{"x.99999999999.w", 0, "x.*", -1}, {"blk.0a.w", 0, "blk.0a", -1},
	};
	char dst[64];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(phi_module_name(cases[i].name, cases[i].depth, dst, sizeof dst),
			cases[i].layer);
		assert_string_equal(dst, cases[i].module);
	}
	/* What does not fit is left out. */
	phi_module_name("aaaa.bbbb.cccc.w", 0, dst, 11);
	assert_string_equal(dst, "aaaa.bbbb");
}

static struct phi_vocabulary_size
size_of(const char *json)
{
	struct phi_vocabulary_size size;
	/* No NUL behind it. */
	const size_t n = strlen(json);
	char *const copy = malloc(n + !n);
	memcpy(copy, json, n);
	phi_vocabulary_size_take(&size, copy, n);
	free(copy);
	return size;
}

static void
test_vocabulary_size(void **state)
{
	(void)state;
	struct phi_vocabulary_size s = size_of("{\"added_tokens\": [{\"id\": 9, \"content\": \"{\\\"id\\\": 77}\"}],"
		" \"model\": {\"type\" : \"BPE\", \"vocab\": {\"a\": 0, \"}\\\"\": 1, \"type\": 2}, \"merges\": [[\"a\", \"b\"]]}}");
	assert_string_equal(s.kind, "BPE");
	assert_int_equal(s.tokens, 10);
	s = size_of("{\"model\":{\"vocab\":[[\"a\",-1.5],[\"b\",-2.5],[\"[\",0]],\"type\":\"Unigram\"}}");
	assert_string_equal(s.kind, "Unigram");
	assert_int_equal(s.tokens, 3);
	/* Cut anywhere, it is no more than what there is. */
	const char *const whole = "{\"model\": {\"type\": \"B\\\\PE\", \"vocab\": {\"a\\\"\": 0, \"b\": 1}}}";
	for (size_t n = 0; n <= strlen(whole); n++) {
		char *const cut = strndup(whole, n);
		s = size_of(cut);
		assert_in_range(s.tokens, 0, 2);
		free(cut);
	}
	assert_int_equal(size_of("").tokens, 0);
	assert_int_equal(size_of("]]]}}}{\"vocab\":{\"a\":1}}").tokens, 0);
	assert_int_equal(size_of("\\").tokens, 0);
	assert_int_equal(size_of("\"\\").tokens, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_json),
		cmocka_unit_test(test_csv), cmocka_unit_test(test_module_name),
		cmocka_unit_test(test_vocabulary_size)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
