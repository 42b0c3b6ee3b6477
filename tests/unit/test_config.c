/* config.json as metadata. */
#include "formats/core/config.h"
#include "formats/core/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char phi3[] =
	"{\"architectures\":[\"Phi3ForCausalLM\"],\"attention_bias\":false,\"sliding_window\":null,"
	"\"rope_theta\":10000.0,\"hidden_size\":3072,"
	"\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":[1,1.5],\"short_factor\":[1.0,2.0]"
	","
	"\"empty\":{},\"none\":[]},"
	"\"eos_token_id\":[200020,199999],\"flags\":[true,false],\"mixed\":[1,\"a\"],\"nested\":[["
	"1]],"
	"\"big\":1000000000000000019884624838656,\"nul\":\"a\\u0000b\",\"last\":-1}";

static void
flattens(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("hf", &err);
	assert_int_equal(phi_config_describe(m, phi3, strlen(phi3), &err), 0);
	static const char *const keys[] = { "architectures", "attention_bias", "sliding_window",
		"rope_theta", "hidden_size", "rope_scaling.type", "rope_scaling.long_factor",
		"rope_scaling.short_factor", "eos_token_id", "flags", "big", "nul", "last" };
	assert_int_equal(m->metadata.count, sizeof keys / sizeof *keys);
	for (size_t i = 0; i < m->metadata.count; i++)
		assert_string_equal(m->metadata.items[i].key, keys[i]);

	const struct phi_value *v = phi_metadata_find(&m->metadata, "architectures");
	assert_int_equal(v->kind, PHI_VALUE_ARRAY);
	assert_int_equal(v->array.kind, PHI_VALUE_STRING);
	assert_string_equal(((const struct phi_string *)v->array.data)->data, "Phi3ForCausalLM");
	assert_int_equal(phi_metadata_find(&m->metadata, "sliding_window")->kind, PHI_VALUE_NULL);
	v = phi_metadata_find(&m->metadata, "rope_scaling.long_factor");
	assert_int_equal(v->array.kind, PHI_VALUE_F64);
	assert_true(((const double *)v->array.data)[0] == 1.0);
	assert_true(((const double *)v->array.data)[1] == 1.5);
	v = phi_metadata_find(&m->metadata, "eos_token_id");
	assert_int_equal(v->array.kind, PHI_VALUE_I64);
	assert_int_equal(((const int64_t *)v->array.data)[1], 199999);
	v = phi_metadata_find(&m->metadata, "flags");
	assert_int_equal(((const uint8_t *)v->array.data)[0], 1);
	assert_true(phi_metadata_find(&m->metadata, "big")->f == 1e30);
	assert_int_equal(phi_metadata_find(&m->metadata, "nul")->s.size, 3);
	assert_int_equal(phi_metadata_find(&m->metadata, "last")->i, -1);
	phi_model_free(m);
}

static int
describe(const char *text, size_t size, struct phi_err *err)
{
	struct phi_model *const m = phi_model_new("hf", err);
	char *const copy = malloc(size ? size : 1);
	memcpy(copy, text, size);
	const int result = phi_config_describe(m, copy, size, err);
	free(copy);
	phi_model_free(m);
	return result;
}

static void
refuses(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	for (size_t n = 0; n < strlen(phi3); n++)
		assert_int_equal(describe(phi3, n, &err), -1);
	assert_int_equal(describe("[]", 2, &err), -1);
	assert_int_equal(err.kind, PHI_FORMAT);

	/* Names that add up beyond PHI_NAME_MAX. */
	char *const text = malloc(3 * PHI_NAME_MAX);
	strcpy(text, "{\"");
	memset(text + 2, 'k', PHI_NAME_MAX - 2);
	strcpy(text + PHI_NAME_MAX, "\":1}");
	assert_int_equal(describe(text, strlen(text), &err), 0);
	strcpy(text + PHI_NAME_MAX, "\":{\"x\":1}}");
	assert_int_equal(describe(text, strlen(text), &err), -1);
	assert_int_equal(err.kind, PHI_LIMIT);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flattens),
		cmocka_unit_test(refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
