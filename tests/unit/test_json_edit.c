/* Edits of JSON texts: what is found, what is cut, and that nothing else moves. */
#include "formats/core/json_edit.h"
#include "formats/hf/retype.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
cuts(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "{\"k\":1}", "{}" },
		{ "{\"k\": {\"a\": [1, \"}\"]}, \"b\": 2}", "{ \"b\": 2}" },
		{ "{\n  \"a\": 1,\n  \"k\": \"x,\\\"}\",\n  \"b\": 2\n}", "{\n  \"a\": 1,\n  \"b\": 2\n}" },
		{ "{\n  \"a\": 1,\n  \"k\": null\n}\n", "{\n  \"a\": 1\n}\n" },
		{ "{\"a\":{\"k\":1},\"b\":\"k\"}", "{\"a\":{\"k\":1},\"b\":\"k\"}" },
		{ "{\"kk\":1}", "{\"kk\":1}" },
		{ "{}", "{}" },
		{ " {\"a\" : \"\\\\\" , \"k\" : [] } ", " {\"a\" : \"\\\\\"  } " },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[100];
		strcpy(text, cases[i].in);
		text[phi_json_cut(text, strlen(text), "k")] = '\0';
		assert_string_equal(text, cases[i].out);
	}
}

static void
damaged_texts_are_survived(void **state)
{
	(void)state;
	static const char text[] = "{\"a\": {\"b\": [1, \"\\\"\"]}, \"k\": \"v\", \"c\": 2}";
	for (size_t n = 0; n <= strlen(text); n++) {
		char copy[sizeof text];
		memcpy(copy, text, n);
		assert_true(phi_json_cut(copy, n, "k") <= n);
	}
}

static void
retype(const char *config, enum phi_type_id type, const char *recipe, const char *expected)
{
	struct phi_model *const model = phi_model_new("hf", NULL);
	const struct phi_side side = { .name = "config.json", .data = config, .size = strlen(config) };
	model->recipe = recipe;
	for (int i = 0; i < 2; i++) {
		struct phi_tensor *const t = phi_model_add_tensor(model, NULL);
		t->rank = (unsigned)i + 1; /* a vector keeps its type */
		t->type = phi_type_of(i ? type : PHI_BF16);
	}
	const void *data;
	size_t size;
	assert_int_equal(phi_hf_retype(model, &side, model->arena, &data, &size, NULL), 0);
	assert_int_equal(size, strlen(expected));
	assert_memory_equal(data, expected, size);
	phi_model_free(model);
}

static void
types_of_config(void **state)
{
	(void)state;
	static const char v4[] = "{\n \"a\": [1],\n \"torch_dtype\": \"bfloat16\",\n \"z\": {}\n}\n";
	retype(v4, PHI_F32, "f32", "{\n \"a\": [1],\n \"torch_dtype\": \"float32\",\n \"z\": {}\n}\n");
	retype(v4, PHI_F16, "f16", "{\n \"a\": [1],\n \"torch_dtype\": \"float16\",\n \"z\": {}\n}\n");
	retype(v4, PHI_BF16, "bf16", v4);
	retype(v4, PHI_F32, NULL, v4);
	retype("{\"dtype\":\"float32\"}", PHI_BF16, "bf16", "{\"dtype\":\"bfloat16\"}");
	retype("{\"dtype\":\"auto\"}", PHI_BF16, "bf16", "{\"dtype\":\"auto\"}");
	retype("{}", PHI_BF16, "bf16", "{}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts),
		cmocka_unit_test(damaged_texts_are_survived),
		cmocka_unit_test(types_of_config),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
