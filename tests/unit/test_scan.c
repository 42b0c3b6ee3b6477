/* --scan by parts: what a global is, what the machine makes of a pickle, what is read of a file. */
#include "formats/core/spool.h"
#include "formats/pytorch/read.h"
#include "formats/pytorch/scan.h"
#include "tests/unit/scratch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static enum phi_scan_global
class_of(const char *module, const char *name)
{
	return phi_scan_classify(module, strlen(module), name, strlen(name));
}

static void
globals_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(class_of("collections", "OrderedDict"), PHI_GLOBAL_CONTAINER);
	assert_int_equal(class_of("torch._utils", "_rebuild_tensor_v2"), PHI_GLOBAL_TENSOR);
	assert_int_equal(class_of("torch", "FloatStorage"), PHI_GLOBAL_VALUE);
	assert_int_equal(class_of("torch.cuda", "HalfStorage"), PHI_GLOBAL_VALUE);
	assert_int_equal(class_of("torch", "float8_e4m3fn"), PHI_GLOBAL_VALUE);
	assert_int_equal(class_of("numpy.dtypes", "Float64DType"), PHI_GLOBAL_VALUE);
	assert_int_equal(class_of("__torch__.a.b", "M"), PHI_GLOBAL_CONTAINER);
	assert_int_equal(class_of("os", "system"), PHI_GLOBAL_DANGEROUS);
	assert_int_equal(class_of("os.path", "join"), PHI_GLOBAL_DANGEROUS);
	assert_int_equal(class_of("builtins", "getattr"), PHI_GLOBAL_DANGEROUS);
	assert_int_equal(class_of("osmium", "x"), PHI_GLOBAL_UNKNOWN);
	assert_int_equal(class_of("torch", "EvilStorage"), PHI_GLOBAL_UNKNOWN);
	assert_int_equal(class_of("torch.evil", "FloatStorage"), PHI_GLOBAL_UNKNOWN);
	assert_int_equal(class_of("torch", "Storage"), PHI_GLOBAL_UNKNOWN);
	assert_int_equal(class_of("__torch__evil", "M"), PHI_GLOBAL_UNKNOWN);
	assert_int_equal(class_of("a..b", "c"), PHI_GLOBAL_ODD);
	assert_int_equal(class_of(".a", "c"), PHI_GLOBAL_ODD);
	assert_int_equal(class_of("a.", "c"), PHI_GLOBAL_ODD);
	assert_int_equal(class_of("a", "b.c"), PHI_GLOBAL_ODD);
	assert_int_equal(class_of("a", "__b__"), PHI_GLOBAL_ODD);
	assert_int_equal(class_of("a", "1b"), PHI_GLOBAL_ODD);
	assert_int_equal(class_of("collections", "OrderedDict "), PHI_GLOBAL_ODD);
	assert_int_equal(class_of("", ""), PHI_GLOBAL_ODD);
}

/* The rules found, each followed by a space. */
struct found {
	char rules[2048];
	uint64_t offset; /* of the last */
	const char *stop_at; /* fail there */
};

static int
take(void *ctx, const struct phi_finding *finding, struct phi_err *err)
{
	struct found *const f = ctx;
	if (f->stop_at && !strcmp(f->stop_at, finding->rule))
		return phi_fail(err, PHI_SYSTEM, "stopped");
	assert_true(strlen(f->rules) + strlen(finding->rule) + 2 < sizeof f->rules);
	strcat(strcat(f->rules, finding->rule), " ");
	f->offset = finding->offset;
	return 0;
}

/* Scans bytes in a file. */
static int
scan(struct found *f, const void *bytes, size_t n, struct phi_err *err)
{
	const struct phi_findings findings = { .emit = take, .ctx = f };
	scratch_write("f", bytes, n);
	struct phi_store *const store = phi_store_open("f", NULL, err);
	assert_non_null(store);
	const int result = phi_pytorch_scan(store, &findings, err);
	phi_store_close(store);
	return result;
}

static void
finds(const char *rules, const void *bytes, size_t n)
{
	struct found f = { .rules = "" };
	struct phi_err err = { 0 };
	assert_int_equal(scan(&f, bytes, n, &err), 0);
	assert_string_equal(f.rules, rules);
}
#define FINDS(rules, text) finds(rules, text, sizeof(text) - 1)

static void
the_machine_follows_the_memo(void **state)
{
	(void)state;
	FINDS("", "\x80\x02}q\0.");
	FINDS("pickle.global.dangerous ", "\x80\x02" "cos\nsystem\n.");
	/* MEMOIZE counts the numbers in use, whatever they are. */
	FINDS("pickle.global.dangerous ",
		"\x80\x04\x8c\2osq\1\x8c\6systemq\0" "00\x8c\1x\x94" "0h\1h\0\x93.");
	FINDS("pickle.memo pickle.global.computed ", "\x80\x04\x95\4\0\0\0\0\0\0\0h\7h\7\x93.");
	FINDS("pickle.call.computed ", "\x80\x02" "ctorch\nSize\n)R)R.");
	FINDS("pickle.build.global ", "\x80\x02" "ctorch\nSize\n}b.");
}

static void
what_is_no_pickle_is_none(void **state)
{
	(void)state;
	FINDS("", "cat\ndog\nemu\n");
	FINDS("", "N.B. text");
	FINDS("", "....\x80\x02\x83\1\1...............");
	FINDS("", "\x80\x04K\1K\2\x93K");
	FINDS("", "");
	FINDS("", "\x80");
	FINDS("", "c");
	FINDS("", "c\n");
	FINDS("", "cos");
}

static void
offsets_are_those_of_the_opcode(void **state)
{
	struct found f = { .rules = "" };
	struct phi_err err = { 0 };
	(void)state;
	static const char text[] = "....................\x80\x02" "cos\nsystem\n)R.";
	assert_int_equal(scan(&f, text, sizeof text - 1, &err), 0);
	assert_string_equal(f.rules, "pickle.global.dangerous ");
	assert_int_equal(f.offset, 22);
}

static void
limits_are_findings(void **state)
{
	(void)state;
	const size_t n = 3 << 20;
	char *const text = malloc(n);
	assert_non_null(text);
	memset(text, 'N', n);
	memcpy(text, "\x80\x02", 2);
	finds("scan.limit ", text, n);
	memset(text + 2, '(', n - 2);
	memset(text + 2, 'N', 40);
	finds("scan.limit ", text, n);
	free(text);
}

struct count {
	size_t findings, limits;
};

static int
count(void *ctx, const struct phi_finding *finding, struct phi_err *err)
{
	struct count *const c = ctx;
	(void)err;
	c->findings++;
	c->limits += !strcmp(finding->rule, "scan.limit");
	return 0;
}

/* 1,000 findings, then one that says that there are more. */
static void
many_findings_are_cut(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct count c = { 0 };
	const struct phi_findings findings = { .emit = count, .ctx = &c };
	const size_t each = 16, n = 1200;
	char *const text = calloc(n + 1, each);
	assert_non_null(text);
	size_t at = (size_t)sprintf(text, "\x80\x02");
	for (size_t i = 0; i < n; i++)
		at += (size_t)sprintf(text + at, "cunknow\nx%04zu\n", i);
	scratch_write("f", text, at);
	free(text);
	struct phi_store *const store = phi_store_open("f", NULL, &err);
	assert_int_equal(phi_pytorch_scan(store, &findings, &err), 0);
	phi_store_close(store);
	assert_int_equal(c.findings, PHI_SCAN_FINDINGS_MAX + 1);
	assert_int_equal(c.limits, 1);
}

static void
a_failing_report_stops_it(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct found f = { .rules = "", .stop_at = "pickle.global.dangerous" };
	static const char text[] = "\x80\x02" "cos\nsystem\n)R.";
	assert_int_equal(scan(&f, text, sizeof text - 1, &err), -1);
	assert_string_equal(err.text, "stopped");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globals_are_told_apart),
		cmocka_unit_test_setup_teardown(the_machine_follows_the_memo, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(what_is_no_pickle_is_none, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(offsets_are_those_of_the_opcode, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(limits_are_findings, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(many_findings_are_cut, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(a_failing_report_stops_it, scratch_enter, scratch_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
