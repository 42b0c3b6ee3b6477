/* What one side has whole and the other in parts: cut as views, or left alone. */
#include "tests/unit/phi3_maker.h"

static const struct phi_tensor *
named(const struct phi_model *m, const char *canonical)
{
	for (size_t i = 0; i < m->ntensors; i++)
		if (!strcmp(m->tensors[i].canonical ? m->tensors[i].canonical : m->tensors[i].name, canonical))
			return &m->tensors[i];
	return NULL;
}

/* A model of one storage without a configuration's sizes. */
static struct phi_model *
bare(const char *config)
{
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("hf", &err);
	assert_non_null(m);
	assert_int_equal(phi_config_describe(m, config, strlen(config), &err), 0);
	struct phi_storage *const s = phi_model_add_storage(m, &err);
	assert_non_null(s);
	*s = (struct phi_storage){ .file = "model.safetensors", .size = 1 << 24 };
	return m;
}

static void
align(struct phi_model *a, struct phi_model *b)
{
	struct phi_err err = { 0 };
	assert_int_equal(phi_family_assign(a, &err), 0);
	assert_int_equal(phi_family_assign(b, &err), 0);
	if (phi_family_align(a, b, &err) || phi_family_align(b, a, &err))
		fail_msg("%s", err.text);
}

#define QKV(x) "model.layers.1.self_attn." x "_proj.weight"
#define PHI3 "{\"model_type\":\"phi3\"}"

static void
cuts_rows(void **state)
{
	(void)state;
	struct phi_model *const a = bare(PHI3), *const b = bare(PHI3);
	put(a, "model.norm.weight", PHI_F32, 1, 64, 0);
	put(a, QKV("qkv"), PHI_Q4_0, 2, 128, 64)->plane[0].offset = 1000;
	put(a, "model.layers.1.mlp.gate_up_proj.weight", PHI_F32, 2, 96, 64);
	put(b, QKV("k"), PHI_F32, 2, 32, 64);
	put(b, QKV("q"), PHI_F32, 2, 64, 64);
	put(b, QKV("v"), PHI_F32, 2, 32, 64);
	put(b, "model.layers.1.mlp.gate_proj.weight", PHI_F32, 2, 48, 64);
	align(a, b);
	assert_int_equal(a->ntensors, 5);
	assert_null(named(a, QKV("qkv")));
	const struct phi_tensor *const k = named(a, QKV("k")), *const v = named(a, QKV("v"));
	assert_non_null(k);
	assert_string_equal(k->name, QKV("qkv"));
	assert_int_equal(k->shape[0], 32);
	/* Two blocks of 18 bytes a row. */
	assert_int_equal(k->plane[0].offset, 1000 + 64 * 36);
	assert_int_equal(v->plane[0].offset, 1000 + 96 * 36);
	/* The other has no up_proj: this is left alone. */
	assert_non_null(named(a, "model.layers.1.mlp.gate_up_proj.weight"));
	phi_model_free(a);
	phi_model_free(b);
}

static void
leaves_other_sizes(void **state)
{
	(void)state;
	for (uint64_t rows = 31; rows <= 33; rows++) {
		struct phi_model *const a = bare(PHI3), *const b = bare(PHI3);
		put(a, QKV("qkv"), PHI_F32, 2, 128, 64);
		put(b, QKV("q"), PHI_F32, 2, 64, 64);
		put(b, QKV("k"), PHI_F32, 2, 32, 64);
		put(b, QKV("v"), PHI_F32, 2, rows, 64);
		align(a, b);
		assert_int_equal(a->ntensors, rows == 32 ? 3 : 1);
		phi_model_free(a);
		phi_model_free(b);
	}
}

#define EXPERT "model.layers.0.block_sparse_moe.experts."

static void
cuts_experts(void **state)
{
	(void)state;
	struct phi_model *const a = bare("{\"model_type\":\"phimoe\"}"), *const b = bare("{\"model_type\":\"phimoe\"}");
	struct phi_tensor *const t = put(a, EXPERT "w2.weight", PHI_Q8_0, 3, 3, 16);
	t->shape[2] = 32;
	put(b, EXPERT "0.w2.weight", PHI_F32, 2, 16, 32);
	put(b, EXPERT "1.w2.weight", PHI_F32, 2, 16, 32);
	align(a, b);
	assert_int_equal(a->ntensors, 3);
	const struct phi_tensor *const last = named(a, EXPERT "2.w2.weight");
	assert_non_null(last);
	assert_int_equal(last->rank, 2);
	assert_int_equal(last->shape[0], 16);
	assert_int_equal(last->shape[1], 32);
	assert_int_equal(last->plane[0].offset, 2 * 16 * 34);
	phi_model_free(a);
	phi_model_free(b);
}

/* Aliases are indices, and those move. */
static void
keeps_aliases(void **state)
{
	(void)state;
	struct phi_model *const a = bare(PHI3), *const b = bare(PHI3);
	put(a, QKV("qkv"), PHI_F32, 2, 3, 4);
	put(a, "one", PHI_F32, 1, 4, 0);
	put(a, "two", PHI_F32, 1, 4, 0)->alias = 1;
	put(a, "three", PHI_F32, 2, 3, 4)->alias = 0;
	put(b, QKV("q"), PHI_F32, 2, 1, 4);
	put(b, QKV("k"), PHI_F32, 2, 1, 4);
	put(b, QKV("v"), PHI_F32, 2, 1, 4);
	align(a, b);
	assert_int_equal(a->ntensors, 6);
	assert_int_equal(named(a, "two")->alias, 0);
	assert_int_equal(named(a, "three")->alias, PHI_NONE);
	phi_model_free(a);
	phi_model_free(b);
}

static void
names_the_head(void **state)
{
	(void)state;
	struct phi_model *const tied = model_of(CONFIG, false), *const twice = model_of(CONFIG, true);
	const size_t n = tied->ntensors;
	align(tied, twice);
	assert_int_equal(tied->ntensors, n + 1);
	assert_string_equal(tied->tensors[n].canonical, "lm_head.weight");
	assert_string_equal(tied->tensors[tied->tensors[n].alias].canonical, "model.embed_tokens.weight");
	assert_int_equal(twice->ntensors, n + 1);
	phi_model_free(tied);
	/* A model that needs a head of its own has none. */
	struct phi_model *const headless = model_of("{" SHAPE LONGROPE "}", false);
	align(headless, twice);
	assert_int_equal(headless->ntensors, n);
	phi_model_free(headless);
	phi_model_free(twice);
}

static void
slices(void **state)
{
	(void)state;
	struct phi_tensor t = { .type = phi_type_of(PHI_F16), .rank = 2, .shape = { 6, 5 }, .nplanes = 1,
		.plane = { { .offset = 100, .stride = { -1, 6 } } } };
	struct phi_tensor s;
	assert_true(phi_tensor_slice(&t, 2, 3, false, &s));
	assert_int_equal(s.shape[0], 3);
	assert_int_equal(s.plane[0].offset, 96);
	assert_true(phi_tensor_slice(&t, 5, 1, true, &s));
	assert_int_equal(s.rank, 1);
	assert_int_equal(s.shape[0], 5);
	assert_int_equal(s.plane[0].stride[0], 6);
	assert_int_equal(s.plane[0].offset, 90);
	assert_false(phi_tensor_slice(&t, 5, 2, false, &s));
	assert_false(phi_tensor_slice(&t, 0, 2, true, &s));
	assert_false(phi_tensor_slice(&t, UINT64_MAX, 1, false, &s));
	t = (struct phi_tensor){ .type = phi_type_of(PHI_Q8_0), .rank = 1, .shape = { 64 }, .nplanes = 1 };
	assert_false(phi_tensor_slice(&t, 16, 16, false, &s));
	/* Blocks of 64 torn: 32 bytes of codes, scale and bias of 2. */
	t = (struct phi_tensor){ .type = phi_type_mlx(4, 64, PHI_BF16), .rank = 3, .shape = { 4, 8, 128 }, .nplanes = 3,
		.plane = { { .dense = true }, { .offset = 5000, .dense = true }, { .offset = 7000, .dense = true } } };
	assert_true(phi_tensor_slice(&t, 3, 1, true, &s));
	assert_int_equal(s.rank, 2);
	assert_int_equal(s.shape[1], 128);
	assert_int_equal(s.plane[0].offset, 3 * 16 * 32);
	assert_int_equal(s.plane[1].offset, 5000 + 3 * 16 * 2);
	assert_int_equal(s.plane[2].offset, 7000 + 3 * 16 * 2);
	t.nplanes = 0;
	assert_false(phi_tensor_slice(&t, 0, 1, false, &s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(cuts_rows), cmocka_unit_test(leaves_other_sizes),
		cmocka_unit_test(cuts_experts), cmocka_unit_test(keeps_aliases), cmocka_unit_test(names_the_head),
		cmocka_unit_test(slices) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
