/* Which type a tensor gets, and why. */
#include "quant/quant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A checkpoint of a few tensors and what a target makes of it. */
struct models {
	struct phi_model *origin, *lowered;
	struct phi_err err;
};

static void
add(struct models *m, const char *name, enum phi_type_id type, unsigned rank, uint64_t rows,
	uint64_t row)
{
	struct phi_tensor *const t = phi_model_add_tensor(m->origin, NULL);
	t->name = name;
	t->type = phi_type_of(type);
	t->rank = rank;
	t->shape[0] = rank == 2 ? rows : row;
	t->shape[1] = row;
}

static int
make_models(void **state)
{
	static struct models m;
	memset(&m, 0, sizeof m);
	m.origin = phi_model_new("hf", NULL);
	m.origin->view = "canonical";
	add(&m, "model.embed.weight", PHI_BF16, 2, 8, 64);
	add(&m, "model.norm.weight", PHI_BF16, 1, 1, 64);
	add(&m, "model.odd.weight", PHI_F32, 2, 4, 100);
	add(&m, "model.ids", PHI_I64, 2, 4, 64);
	add(&m, "model.old.weight", PHI_Q4_0, 2, 4, 64);
	add(&m, "lm_head.weight", PHI_BF16, 2, 8, 64);
	m.lowered = phi_model_lower_same(m.origin, NULL);
	m.lowered->tensors[0].canonical = "hf.embed.weight";
	*state = &m;
	return 0;
}

static int
free_models(void **state)
{
	struct models *const m = *state;
	phi_model_free(m->lowered);
	phi_model_free(m->origin);
	return 0;
}

static int
choose(struct models *m, const char *recipe, bool pure, const struct phi_rule *rules, size_t nrules)
{
	const struct phi_recipe_options options = { .size = sizeof options, .recipe = recipe,
		.pure = pure, .rules = rules, .nrules = nrules };
	return phi_choose(m->lowered, &options, &m->err);
}

static void
expect(const struct models *m, unsigned i, const char *type, const char *why)
{
	assert_string_equal(m->lowered->tensors[i].type->name, type);
	if (why)
		assert_string_equal(m->lowered->tensors[i].why, why);
	else
		assert_null(m->lowered->tensors[i].why);
}

static void
a_recipe_takes_the_matrices(void **state)
{
	struct models *const m = *state;
	assert_int_equal(choose(m, "Q8_0", false, NULL, 0), 0);
	assert_string_equal(m->lowered->recipe, "q8_0");
	expect(m, 0, "Q8_0", "recipe q8_0");
	expect(m, 1, "BF16", "a vector: kept");
	expect(m, 2, "F16", "recipe q8_0; row 100 is no multiple of 32: F16");
	expect(m, 3, "I64", "no float: left alone");
	expect(m, 4, "Q8_0", "recipe q8_0");
	assert_int_equal(m->lowered->nwarnings, 2);
	assert_string_equal(m->lowered->warnings[0], "the rows of 1 tensor are no whole blocks of the type it was "
		"to have (model.odd.weight): it gets another (see --explain)");
	assert_string_equal(m->lowered->warnings[1],
		"1 tensor is quantized already (model.old.weight: Q4_0): what it lost stays lost");
}

static void
pure_takes_the_vectors_too(void **state)
{
	struct models *const m = *state;
	assert_int_equal(choose(m, "q4_0", true, NULL, 0), 0);
	expect(m, 1, "Q4_0", "recipe q4_0");
	expect(m, 3, "I64", "no float: left alone");
	assert_int_equal(m->lowered->nwarnings, 1);
}

static void
a_target_decides_about_its_vectors(void **state)
{
	struct models *const m = *state;
	m->lowered->view = "gguf";
	m->lowered->tensors[0].fixed = true;
	assert_int_equal(choose(m, "f16", false, NULL, 0), 0);
	expect(m, 0, "BF16", "fixed by the target");
	expect(m, 1, "F16", "recipe f16");
}

static void
the_last_rule_that_matches_wins(void **state)
{
	struct models *const m = *state;
	const struct phi_rule rules[] = { { "*", phi_type_of(PHI_F32), PHI_RULE_PATTERN }, { "hf.*", phi_type_of(PHI_Q4_0), PHI_RULE_PATTERN },
		{ "*odd*", phi_type_of(PHI_Q4_0), PHI_RULE_PATTERN }, { "*.old.*", NULL, PHI_RULE_PATTERN }, { "lm_*", phi_type_of(PHI_F16), PHI_RULE_PATTERN } };
	m->lowered->tensors[5].fixed = true;
	assert_int_equal(choose(m, "q8_0", false, rules, 5), 0);
	expect(m, 0, "Q4_0", "rule hf.*=Q4_0");
	expect(m, 1, "F32", "rule *=F32");
	expect(m, 2, "F16", "rule *odd*=Q4_0; row 100 is no multiple of 32: F16");
	expect(m, 3, "I64", "no float: left alone; rule *=F32 skipped");
	expect(m, 4, "Q4_0", "kept by --keep *.old.*");
	expect(m, 5, "BF16", "fixed by the target; rule lm_*=F16 skipped");
	assert_int_equal(m->lowered->nwarnings, 1);
}

/* Globs, names and expressions are one list; only a pattern may be an expression. */
static void
kinds_of_rules(void **state)
{
	struct models *const m = *state;
	const struct phi_rule rules[] = { { "/^model\\.(old|odd)/", phi_type_of(PHI_F32), PHI_RULE_PATTERN },
		{ "model.old.weight", phi_type_of(PHI_F16), PHI_RULE_NAME },
		{ "hf.embed.weight", phi_type_of(PHI_Q5_0), PHI_RULE_NAME },
		{ "hf.embed.weight", phi_type_of(PHI_Q5_1), PHI_RULE_NAME },
		{ "hf.embed*", phi_type_of(PHI_Q4_0), PHI_RULE_NAME },
		{ "/lm_head/", phi_type_of(PHI_F32), PHI_RULE_GLOB } };
	assert_int_equal(choose(m, "q8_0", false, rules, 6), 0);
	expect(m, 0, "Q5_1", "rule hf.embed.weight=Q5_1");
	expect(m, 2, "F32", "rule /^model\\.(old|odd)/=F32");
	expect(m, 4, "F16", "rule model.old.weight=F16");
	expect(m, 5, "Q8_0", "recipe q8_0");
	const struct phi_rule bad = { "/[/", phi_type_of(PHI_F32), PHI_RULE_PATTERN };
	assert_int_equal(choose(m, "q8_0", false, &bad, 1), -1);
	assert_non_null(strstr(m->err.text, "rule /[/: "));
}

static void
output_and_embedding(void **state)
{
	struct models *const m = *state;
	const struct phi_rule rule = { "*", phi_type_of(PHI_F32), PHI_RULE_PATTERN };
	struct phi_recipe_options options = { .size = sizeof options, .recipe = "q8_0", .rules = &rule,
		.nrules = 1, .output_type = phi_type_of(PHI_Q4_0), .embedding_type = phi_type_of(PHI_Q5_0) };
	m->lowered->tensors[0].role = PHI_ROLE_EMBEDDING;
	m->lowered->tensors[5].role = PHI_ROLE_OUTPUT;
	assert_int_equal(phi_choose(m->lowered, &options, &m->err), 0);
	expect(m, 0, "Q5_0", "--embedding-type");
	expect(m, 5, "Q4_0", "--output-type");
	/* Without an output matrix the embedding is one. */
	options.embedding_type = NULL;
	m->lowered->tensors[5].role = PHI_ROLE_NONE;
	assert_int_equal(phi_choose(m->lowered, &options, &m->err), 0);
	expect(m, 0, "Q4_0", "--output-type");
	options.output_type = phi_type_of(PHI_Q8_K);
	assert_int_equal(phi_choose(m->lowered, &options, &m->err), -1);
	assert_string_equal(m->err.text, "--output-type: there is no way to make Q8_K");
}

static void
rules_alone_leave_the_rest(void **state)
{
	struct models *const m = *state;
	const struct phi_rule rule = { "*embed*", phi_type_of(PHI_Q8_0), PHI_RULE_PATTERN };
	assert_int_equal(choose(m, NULL, false, &rule, 1), 0);
	expect(m, 0, "Q8_0", "rule *embed*=Q8_0");
	expect(m, 1, "BF16", NULL);
	assert_null(m->lowered->recipe);
}

static void
tied_tensors_share_a_type(void **state)
{
	struct models *const m = *state;
	const struct phi_rule rule = { "lm_head.weight", phi_type_of(PHI_F32), PHI_RULE_PATTERN };
	m->lowered->tensors[5].alias = 0;
	assert_int_equal(choose(m, "q8_0", false, &rule, 1), 0);
	expect(m, 5, "Q8_0", "tied: the type of the tensor it shares its bytes with");
}

static void
what_cannot_be_made_is_an_error(void **state)
{
	struct models *const m = *state;
	const struct phi_rule rule = { "*", phi_type_of(PHI_Q8_K), PHI_RULE_PATTERN };
	assert_int_equal(choose(m, NULL, false, &rule, 1), -1);
	assert_string_equal(m->err.text, "rule *=Q8_K: there is no way to make Q8_K");
	assert_int_equal(m->err.kind, PHI_UNSUPPORTED);
	assert_int_equal(choose(m, "q9_9", false, NULL, 0), -1);
	assert_non_null(strstr(m->err.text, "no recipe is called q9_9; there are f32, f16, bf16, q8_0, "));
	assert_int_equal(m->err.kind, PHI_ARGUMENT);
	assert_int_equal(choose(m, "f64", false, NULL, 0), -1);
	assert_non_null(strstr(m->err.text, "there is no way to make F64; there are f32, f16, "));
	assert_int_equal(choose(m, "q8_k", true, NULL, 0), -1);
	assert_non_null(strstr(m->err.text, "there is no way to make Q8_K; there are F32, F16, BF16, "));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_models, free_models)
	const struct CMUnitTest tests[] = {
		TEST(a_recipe_takes_the_matrices),
		TEST(pure_takes_the_vectors_too),
		TEST(a_target_decides_about_its_vectors),
		TEST(the_last_rule_that_matches_wins),
		TEST(kinds_of_rules),
		TEST(output_and_embedding),
		TEST(rules_alone_leave_the_rest),
		TEST(tied_tensors_share_a_type),
		TEST(what_cannot_be_made_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
