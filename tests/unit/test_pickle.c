/* The pickle machine: programs of opcodes and the trees they leave; wrong ones, cut ones, greedy
 * ones. */
#include "formats/core/memory.h"
#include "formats/pytorch/pickle.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char printed[4096];

static void
put(const char *fmt, ...)
{
	const size_t n = strlen(printed);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(printed + n, sizeof printed - n, fmt, ap);
	va_end(ap);
}

static void print(const struct phi_pickle *node);

static void
print_items(const struct phi_pickle *node, const char *open, const char *close)
{
	put("%s", open);
	for (uint32_t i = 0; i < node->count; i++) {
		put("%s", i ? " " : "");
		print(node->items[i]);
	}
	put("%s", close);
}

static void
print_object(const struct phi_pickle *node)
{
	const struct phi_pickle_object *const o = node->object;
	put("call(");
	print(o->callable);
	put(" ");
	print(o->args);
	if (node->count)
		print_items(node, " {", "}");
	if (o->list)
		print(o->list);
	if (o->state) {
		put(" state ");
		print(o->state);
	}
	put(")");
}

static void
print(const struct phi_pickle *node)
{
	switch (node->kind) {
	case PHI_PICKLE_NONE:
		put("None");
		break;
	case PHI_PICKLE_BOOL:
		put(node->b ? "True" : "False");
		break;
	case PHI_PICKLE_INT:
		put("%" PRId64, node->i);
		break;
	case PHI_PICKLE_FLOAT:
		put("%g", node->f);
		break;
	case PHI_PICKLE_BIG:
		put("big%zu", node->string.size);
		break;
	case PHI_PICKLE_STRING:
	case PHI_PICKLE_BYTES:
		put("'%.*s'", (int)node->string.size, node->string.data);
		break;
	case PHI_PICKLE_GLOBAL:
		put("<%s>", node->string.data);
		break;
	case PHI_PICKLE_LIST:
		print_items(node, "[", "]");
		break;
	case PHI_PICKLE_TUPLE:
		print_items(node, "(", ")");
		break;
	case PHI_PICKLE_SET:
		print_items(node, "set(", ")");
		break;
	case PHI_PICKLE_DICT:
		print_items(node, "{", "}");
		break;
	case PHI_PICKLE_PERSISTENT:
		print_items(node, "id(", ")");
		break;
	case PHI_PICKLE_OBJECT:
		print_object(node);
		break;
	}
}

/* Runs the n bytes in memory of just that size. */
static int
run(const char *text, size_t n, size_t *used, struct phi_err *err)
{
	struct phi_arena *const arena = phi_arena_new(NULL);
	char *const copy = malloc(n ? n : 1);
	memcpy(copy, text, n);
	struct phi_pickle_tree tree;
	const int result = phi_pickle_run(arena, copy, n, &tree, err);
	printed[0] = '\0';
	*used = tree.used;
	if (!result)
		print(tree.root);
	free(copy);
	phi_arena_free(arena);
	return result;
}

struct program {
	const char *text;
	size_t size;
	const char *result; /* or a part of the message */
};
#define P(text, result)                                                                            \
	{                                                                                          \
		text, sizeof text - 1, result                                                      \
	}

static const struct program good[] = {
	P("\x80\x02N.", "None"),
	P("\x80\x05\x95\x02\0\0\0\0\0\0\0\x88.", "True"),
	P("(\x88\x89NK\x07M\x01\x02J\xff\xff\xff\xfft.", "(True False None 7 513 -1)"),
	P("(I42\nI-7\nI00\nI01\nL12L\nL-3L\nI9223372036854775808\nt.",
		"(42 -7 False True 12 -3 big19)"),
	P("I-9223372036854775808\n.", "-9223372036854775808"),
	P("(\x8a\0\x8a\x01\xff\x8a\x02\0\x80\x8a\x08\0\0\0\0\0\0\0\x80\x8a\x09\0\0\0\0\0\0\0\0\1t.",
		"(0 -1 -32768 -9223372036854775808 big9)"),
	P("(\x8b\x01\0\0\0\x05G\x3f\xf8\0\0\0\0\0\0F1.5\nt.", "(5 1.5 big3)"),
	P("(X\x02\0\0\0hi\x8c\x01xU\x01yT\x01\0\0\0z\x8d\x01\0\0\0\0\0\0\0wS'q'\nVu\nt.",
		"('hi' 'x' 'y' 'z' 'w' 'q' 'u')"),
	P("(C\x01"
	  "aB\x01\0\0\0b\x8e\x01\0\0\0\0\0\0\0c\x96\x01\0\0\0\0\0\0\0dt.",
		"('a' 'b' 'c' 'd')"),
	P("])}\x87.", "([] () {})"),
	P("(K\x01K\x02l.", "[1 2]"),
	P("(K\x01K\x02"
	  "d.",
		"{1 2}"),
	P("(K\x01\x91.", "set(1)"),
	P("\x8f(K\x01K\x02\x90.", "set(1 2)"),
	P("K\x01\x85K\x02\x86.", "((1) 2)"),
	P("]K\x01"
	  "a(K\x02K\x03"
	  "e.",
		"[1 2 3]"),
	P("}K\x01K\x02s(K\x03K\x04u.", "{1 2 3 4}"),
	P("ctorch\nfloat32\n.", "<torch float32>"),
	P("\x8c\x05torch\x8c\x03int\x93.", "<torch int>"),
	P("\x82\x07.", "<copyreg extension>"),
	P("cos\nsystem\n(X\x02\0\0\0lstR.", "call(<os system> ('ls'))"),
	P("ca\nb\n)\x81}X\x01\0\0\0kK\x01sb.", "call(<a b> () state {'k' 1})"),
	P("ca\nb\n)}\x92.", "call(<a b> ())"),
	P("(ca\nb\nK\x01o.", "call(<a b> (1))"),
	P("(K\x01ia\nb\n.", "call(<a b> (1))"),
	P("ca\nb\n)RK\x01K\x02sK\x03"
	  "a.",
		"call(<a b> () {1 2}[3])"),
	P("Pstorage\n.", "id('storage')"),
	P("K\x05Q.", "id(5)"),
	P("K\x01q\0K\x02r\x01\0\0\0h\0j\x01\0\0\0\x87.", "(2 1 2)"),
	P("K\x01p0\n0K\x02\x94h\x01g0\n\x86.", "(2 1)"),
	P("K\x01K\x02(K\x03"
	  "10K\x04\x86.",
		"(1 4)"),
	P("K\x01(00K\x02.", "2"),
	P("K\x01"
	  "2\x86.",
		"(1 1)"),
	P("(K\x01.", "1"),
};

static void
runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct phi_err err = { 0 };
		size_t used;
		if (run(good[i].text, good[i].size, &used, &err))
			fail_msg("program %zu (%s): %s", i, good[i].result, err.text);
		assert_string_equal(printed, good[i].result);
		assert_int_equal(used, good[i].size);
	}
}

static void
refuses(void **state)
{
	(void)state;
	static const struct program bad[] = {
		P("\x80\x06N.", "protocol 6"),
		P("\x80\x02\xff.", "no opcode"),
		P(".", "the stack is empty"),
		P("a.", "the stack is empty"),
		P("K\x01"
		  "a.",
			"no list to append to"),
		P("K\x01K\x02K\x03s.", "no dict to set items of"),
		P("]K\x02K\x03s.", "no dict to set items of"),
		P("K\x01(K\x02\x90.", "no set to add to"),
		P("}K\x01s.", "no dict"),
		P("}(K\x01u.", "a key without a value"),
		P("(K\x01"
		  "d.",
			"a key without a value"),
		P("t.", "no mark"),
		P("1.", "no mark"),
		P("0.", "the stack is empty"),
		P("2.", "nothing to repeat"),
		P("K\x01(2.", "nothing to repeat"),
		P("K\x01(\x85.", "the stack is empty"),
		P("q\0.", "nothing to memorize"),
		P("h\0.", "never given"),
		P("gx\n.", "not a memo number"),
		P("g\n.", "not a memo number"),
		P("g99999999999999999999\n.", "not a memo number"),
		P("K\x01r\xff\xff\xff\x7f.", "memo number beyond"),
		P("K\x01K\x02R.", "no tuple"),
		P("K\x01K\x02\x93.", "name is no string"),
		P("(o.", "no class"),
		P("K\x01"
		  "b.",
			"nothing to build"),
		P("Ix\n.", "not an integer"),
		P("I\n.", "not an integer"),
		P("I-\n.", "not an integer"),
		P("Sq\n.", "without quotes"),
		P("S'\n.", "without quotes"),
		P("\x8b\xff\xff\xff\xff.", "negative length"),
		P("\x97.", "buffers outside"),
		P("X\xff\xff\xff\xff"
		  "a.",
			"the text ends"),
		P("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
		  "a.",
			"the text ends"),
		P("\x95\xff\xff\xff\xff\xff\xff\xff\xff.", "the text ends"),
		P("ca\n", "the text ends"),
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct phi_err err = { 0 };
		size_t used;
		if (!run(bad[i].text, bad[i].size, &used, &err))
			fail_msg("program %zu (%s) runs: %s", i, bad[i].result, printed);
		if (!strstr(err.text, bad[i].result))
			fail_msg("program %zu: \"%s\" does not say \"%s\"", i, err.text,
				bad[i].result);
	}
}

/* Every prefix ends too early, and is known to: legacy files rely on it. */
static void
truncation(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		for (size_t n = 0; n < good[i].size; n++) {
			struct phi_err err = { 0 };
			size_t used;
			assert_int_equal(run(good[i].text, n, &used, &err), -1);
			assert_int_equal(err.kind, PHI_TRUNCATED);
		}
}

static void
limits(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	size_t used;
	enum { N = PHI_PICKLE_NODES_MAX + 16 };
	char *const text = malloc(N);
	memset(text, '(', N);
	assert_int_equal(run(text, N, &used, &err), -1);
	assert_int_equal(err.kind, PHI_LIMIT);
	memset(text, 'N', N);
	assert_int_equal(run(text, N, &used, &err), -1);
	assert_int_equal(err.kind, PHI_LIMIT);
	for (size_t i = 0; i < N; i++)
		text[i] = i % 2 ? '0' : '}';
	assert_int_equal(run(text, N / 2, &used, &err), -1);
	assert_int_equal(err.kind, PHI_TRUNCATED);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs),
		cmocka_unit_test(refuses),
		cmocka_unit_test(truncation),
		cmocka_unit_test(limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
