/* The safetensors header: every rule of the container, with a file that breaks it. */
#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/core/st_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct parsed {
	struct phi_arena *arena;
	struct phi_st_header header;
	struct phi_err err;
	int result;
};

static void
parse(struct parsed *p, const char *json, size_t size)
{
	/* On the heap, so that a read beyond the end is seen. */
	char *const copy = malloc(size ? size : 1);
	memcpy(copy, json, size);
	*p = (struct parsed){ .arena = phi_arena_new(NULL) };
	p->result = phi_st_header_parse(&p->header, p->arena, copy, size, &p->err);
	free(copy);
}

static void
release(struct parsed *p)
{
	phi_st_header_free(&p->header);
	phi_arena_free(p->arena);
}

static void
reads(void **state)
{
	(void)state;
	static const char json[] =
		"{\"__metadata__\":{\"format\":\"pt\",\"note\":\"a\\u0000b\"},"
		"\"b\":{\"shape\":[2,3],\"dtype\":\"F16\",\"data_offsets\":[8,20],\"extra\":{\"x\":"
		"[1]}},"
		"\"empty\":{\"dtype\":\"I8\",\"shape\":[0,5],\"data_offsets\":[8,8]},"
		"\"a\\u00e9\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
		"\"four\":{\"dtype\":\"F4\",\"shape\":[2,8],\"data_offsets\":[20,28]}}   ";
	struct parsed p;
	parse(&p, json, strlen(json));
	assert_string_equal(p.err.text, "");
	assert_int_equal(p.result, 0);
	assert_int_equal(p.header.count, 4);
	assert_int_equal(p.header.data_size, 28);
	const struct phi_st_entry *const e = p.header.entries;
	assert_string_equal(e[0].name, "a\xc3\xa9");
	assert_int_equal(e[0].rank, 0);
	assert_int_equal(e[0].tag, 2);
	assert_string_equal(e[1].name, "empty");
	assert_string_equal(e[2].name, "b");
	assert_ptr_equal(e[2].type, phi_type_of(PHI_F16));
	assert_int_equal(e[2].shape[1], 3);
	assert_int_equal(e[2].begin, 8);
	assert_string_equal(e[3].name, "four");
	assert_int_equal(p.header.metadata.count, 2);
	assert_int_equal(p.header.metadata.items[1].value.s.size, 3);
	release(&p);
	parse(&p, "{}", 2);
	assert_int_equal(p.result, 0);
	assert_int_equal(p.header.data_size, 0);
	release(&p);
	/* As MLX writes it. */
	static const char without[] = "{\"__metadata__\":null,"
		"\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
	parse(&p, without, strlen(without));
	assert_int_equal(p.result, 0);
	assert_int_equal(p.header.count, 1);
	assert_int_equal(p.header.metadata.count, 0);
	release(&p);
}

#define T(name, dtype, shape, begin, end)                                                          \
	"\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin      \
	"," #end "]}"

static void
refuses(void **state)
{
	(void)state;
	static const struct {
		const char *json, *says;
	} cases[] = {
		{ "", "does not begin" },
		{ " {}", "does not begin" },
		{ "{}\n", "does not end" },
		{ "{}x", "does not end" },
		{ "[]", "does not begin" },
		{ "{\"a\":1}", "no object" },
		{ "{" T("a", "F16", "[2]", 0, 4) "," T("a", "F16", "[2]", 4, 8) "}",
			"occurs twice" },
		{ "{" T("a", "F16", "[2]", 0, 4) "," T("\\u0061", "F16", "[2]", 4, 8) "}",
			"occurs twice" },
		{ "{\"a\":{\"dtype\":\"F16\",\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[0,2]}"
		  "}",
			"duplicate" },
		{ "{\"a\":{\"dtype\":\"F16\",\"shape\":[],\"shape\":[],\"data_offsets\":[0,2]}}",
			"duplicate" },
		{ "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", "duplicate" },
		{ "{\"__metadata__\":{},\"__metadata__\":{}}", "occurs twice" },
		{ "{\"__metadata__\":{\"a\":1}}", "string" },
		{ "{\"__metadata__\":[]}", "metadata" },
		{ "{" T("a\\u0000b", "F16", "[2]", 0, 4) "}", "holds a NUL" },
		{ "{\"a\":{\"dtype\":\"F16\",\"shape\":[]}}", "data_offsets is missing" },
		{ "{\"a\":{\"shape\":[],\"data_offsets\":[0,2]}}", "dtype is missing" },
		{ "{\"a\":{\"dtype\":\"F16\",\"data_offsets\":[0,2]}}", "shape is missing" },
		{ "{" T("a", "f16", "[2]", 0, 4) "}", "dtype f16 is not known" },
		{ "{" T("a", "Q8_0", "[32]", 0, 34) "}", "dtype Q8_0 is not known" },
		{ "{" T("a", "F16F16F16F16F16F16", "[32]", 0, 34) "}", "is not known" },
		{ "{" T("a", "F16", "[-2]", 0, 4) "}", "not an integer" },
		{ "{" T("a", "F16", "[2.0]", 0, 4) "}", "not an integer" },
		{ "{" T("a", "F16", "[2e0]", 0, 4) "}", "not an integer" },
		{ "{" T("a", "F16", "[\\\"2\\\"]", 0, 4) "}", "JSON byte" },
		{ "{" T("a", "F16", "[18446744073709551616]", 0, 4) "}", "too big" },
		{ "{" T("a", "F16", "2", 0, 4) "}", "shape is no array" },
		{ "{" T("a", "F16", "[1,1,1,1,1,1,1,1,2]", 0, 4) "}", "more than 8" },
		{ "{" T("a", "F16", "[4294967296,4294967296]", 0, 0) "}", "2^64 elements" },
		{ "{" T("a", "F16", "[4294967296,4294967296,0]", 0, 0) "}", "2^64 elements" },
		{ "{" T("a", "F64", "[9223372036854775807]", 0, 0) "}", "whole number of bytes" },
		{ "{" T("a", "F4", "[3]", 0, 2) "}", "whole number of bytes" },
		{ "{" T("a", "F16", "[2]", 0, 3) "}", "3 bytes of data" },
		{ "{" T("a", "F16", "[2]", 0, 5) "}", "5 bytes of data" },
		{ "{" T("a", "F16", "[2]", 4, 0) "}", "before it begins" },
		{ "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0]}}", "two numbers" },
		{ "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,2,4]}}",
			"more than 2" },
		{ "{" T("a", "F16", "[2]", 4, 8) "}", "a hole" },
		{ "{" T("a", "F16", "[2]", 0, 4) "," T("b", "F16", "[2]", 6, 10) "}", "a hole" },
		{ "{" T("a", "F16", "[2]", 0, 4) "," T("b", "F16", "[2]", 2, 6) "}", "an overlap" },
		{ "{" T("a", "F16", "[2]", 0, 4) "," T("b", "F16", "[2]", 0, 4) "}", "an overlap" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct parsed p;
		parse(&p, cases[i].json, strlen(cases[i].json));
		if (!p.result || !strstr(p.err.text, cases[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].json, p.err.text,
				cases[i].says);
		assert_null(strchr(p.err.text, '\n'));
		release(&p);
	}
}

static void
truncation(void **state)
{
	(void)state;
	static const char json[] = "{\"__metadata__\":{\"format\":\"pt\"}," T(
		"a", "F16", "[2,1]", 0, 4) "," T("b", "U8", "[]", 4, 5) "}";
	for (size_t n = 0; n < strlen(json); n++) {
		struct parsed p;
		parse(&p, json, n);
		assert_int_equal(p.result, -1);
		assert_true(p.err.text[0] != 0);
		release(&p);
	}
}

static void
lengths(void **state)
{
	(void)state;
	static const struct {
		uint64_t n;
		enum phi_kind kind;
	} cases[] = { { 0, PHI_FORMAT }, { 1, PHI_FORMAT }, { 2, PHI_OK },
		{ PHI_HEADER_MAX, PHI_OK }, { PHI_HEADER_MAX + 1, PHI_LIMIT },
		{ UINT64_C(1) << 63, PHI_LIMIT }, { UINT64_MAX, PHI_LIMIT } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t bytes[8];
		uint64_t n = 0;
		struct phi_err err = { 0 };
		phi_store64(bytes, cases[i].n);
		phi_st_header_length(bytes, &n, &err);
		assert_int_equal(err.kind, cases[i].kind);
	}
}

/* The order and the bytes of the reference: taken from safetensors 0.8's save_file of these
 * tensors. */
static void
writes(void **state)
{
	(void)state;
	struct phi_st_entry e[] = {
		{ .name = "flag", .type = phi_type_of(PHI_BOOL), .rank = 1, .shape = { 3 } },
		{ .name = "z", .type = phi_type_of(PHI_F32), .rank = 2, .shape = { 2, 2 } },
		{ .name = "a\"\n\xc3\xa9", .type = phi_type_of(PHI_F32), .rank = 0 },
		{ .name = "half", .type = phi_type_of(PHI_F16), .rank = 1, .shape = { 1 } },
		{ .name = "brain", .type = phi_type_of(PHI_BF16), .rank = 1, .shape = { 0 } },
		{ .name = "long", .type = phi_type_of(PHI_I64), .rank = 1, .shape = { 1 } },
		{ .name = "byte", .type = phi_type_of(PHI_U8), .rank = 1, .shape = { 1 } },
	};
	static const char expected[] =
		"{\"__metadata__\":{\"format\":\"pt\"},"
		"\"long\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
		"\"a\\\"\\n\xc3\xa9\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
		"\"z\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[12,28]},"
		"\"brain\":{\"dtype\":\"BF16\",\"shape\":[0],\"data_offsets\":[28,28]},"
		"\"half\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[28,30]},"
		"\"byte\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[30,31]},"
		"\"flag\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[31,34]}}";
	const size_t n = sizeof e / sizeof *e;
	struct phi_arena *const arena = phi_arena_new(NULL);
	struct phi_metadata metadata = { 0 };
	struct phi_buffer out = { 0 };
	struct phi_err err = { 0 };
	uint64_t size;
	assert_int_equal(phi_metadata_add_string(&metadata, arena, "format", "pt", &err), 0);
	phi_st_order(e, n);
	assert_int_equal(phi_st_place(e, n, &size, &err), 0);
	assert_int_equal(size, 34);
	assert_int_equal(phi_st_header_build(&out, e, n, &metadata, &err), 0);
	assert_int_equal(out.size % 8, 0);
	assert_int_equal(phi_load64(out.data), out.size - 8);
	assert_memory_equal(out.data + 8, expected, strlen(expected));
	for (size_t i = 8 + strlen(expected); i < out.size; i++)
		assert_int_equal(out.data[i], ' ');

	struct parsed p;
	parse(&p, (const char *)out.data + 8, out.size - 8);
	assert_int_equal(p.result, 0);
	assert_int_equal(p.header.count, n);
	release(&p);
	phi_buffer_free(&out);
	phi_arena_free(arena);
}

/* Short values by the million, which a tree would blow up forty times. */
static void
amplification(void **state)
{
	(void)state;
	enum { N = 3 << 20 };
	char *const json = malloc(N);
	memset(json, '0', N);
	for (int i = 6; i < N; i += 2)
		json[i] = ',';
	memcpy(json, "{\"a\":[", 6);
	memcpy(json + N - 2, "]}", 2);
	struct parsed p;
	parse(&p, json, N);
	assert_int_equal(p.err.kind, PHI_LIMIT);
	release(&p);
	free(json);
}

/* Ten times the tensors, about ten times the work: no list is searched for each of them. */
static void
many(void **state)
{
	(void)state;
	enum { N = 20000 };
	struct phi_buffer json = { 0 };
	struct phi_err err = { 0 };
	phi_buffer_append(&json, "{", 1, &err);
	for (int i = 0; i < N; i++)
		assert_int_equal(
			phi_buffer_printf(&json, &err,
				"%s\"model.layers.%d.weight\":{\"dtype\":\"U8\",\"shape\":[1],"
				"\"data_offsets\":[%d,%d]}",
				i ? "," : "", i, N - 1 - i, N - i),
			0);
	phi_buffer_append(&json, "}", 1, &err);
	struct parsed p;
	parse(&p, (const char *)json.data, json.size);
	assert_int_equal(p.result, 0);
	assert_int_equal(p.header.count, N);
	assert_string_equal(p.header.entries[0].name, "model.layers.19999.weight");
	release(&p);
	phi_buffer_free(&json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(truncation),
		cmocka_unit_test(lengths),
		cmocka_unit_test(writes),
		cmocka_unit_test(amplification),
		cmocka_unit_test(many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
