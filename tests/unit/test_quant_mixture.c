/* Recipes on the Phi models as they are: the bytes of all tensors, from names, shapes and keys
 * alone. The sums are those of facts computed from llama.cpp's rules by another program
 * (facts/gguf.md 4.7). */
#include "formats/gguf/gguf.h"
#include "quant/quant.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct shape {
	const char *name, *arch;
	uint32_t hidden, ffn, layers, heads, kv_heads, vocab, experts;
	bool tied;
	unsigned rope; /* factors */
};

static const struct shape mini = { "Phi-3-mini", "phi3", 3072, 8192, 32, 32, 32, 32064, 0, false,
	0 },
			  phi4 = { "Phi-4", "phi3", 5120, 17920, 40, 40, 10, 100352, 0, false, 0 },
			  phi4_mini = { "Phi-4-mini", "phi3", 3072, 8192, 32, 24, 8, 200064, 0,
				  true, 48 };

static void
add(struct phi_model *m, enum phi_type_id type, uint64_t rows, uint64_t row, const char *fmt,
	unsigned i)
{
	struct phi_tensor *const t = phi_model_add_tensor(m, NULL);
	char name[64];
	snprintf(name, sizeof name, fmt, i);
	t->name = phi_arena_strdup(m->arena, name, NULL);
	t->type = phi_type_of(type);
	t->rank = rows ? 2 : 1;
	t->shape[0] = rows ? rows : row;
	t->shape[1] = row;
}

static void
add_key(struct phi_model *m, const char *key, uint32_t n)
{
	phi_metadata_add_u32(&m->metadata, m->arena, key, n, NULL);
}

static void
add_layer(struct phi_model *m, const struct shape *s, unsigned i)
{
	const uint32_t head = s->hidden / s->heads;
	add(m, PHI_F32, 0, s->hidden, "blk.%u.attn_norm.weight", i);
	add(m, PHI_F16, (s->heads + 2 * s->kv_heads) * head, s->hidden, "blk.%u.attn_qkv.weight",
		i);
	add(m, PHI_F16, s->hidden, s->hidden, "blk.%u.attn_output.weight", i);
	add(m, PHI_F32, 0, s->hidden, "blk.%u.ffn_norm.weight", i);
	add(m, PHI_F16, 2 * s->ffn, s->hidden, "blk.%u.ffn_up.weight", i);
	add(m, PHI_F16, s->hidden, s->ffn, "blk.%u.ffn_down.weight", i);
}

static struct phi_model *
describe(const struct shape *s)
{
	struct phi_model *const m = phi_model_new("gguf", NULL);
	m->view = "gguf";
	m->name = s->name;
	phi_metadata_add_string(&m->metadata, m->arena, "general.architecture", s->arch, NULL);
	add_key(m, "phi3.block_count", s->layers);
	add_key(m, "phi3.attention.head_count", s->heads);
	add_key(m, "phi3.attention.head_count_kv", s->kv_heads);
	add(m, PHI_F16, s->vocab, s->hidden, "token_embd.weight", 0);
	for (unsigned i = 0; i < s->layers; i++)
		add_layer(m, s, i);
	add(m, PHI_F32, 0, s->hidden, "output_norm.weight", 0);
	if (!s->tied)
		add(m, PHI_F16, s->vocab, s->hidden, "output.weight", 0);
	for (unsigned i = 0; i < 2 && s->rope; i++)
		add(m, PHI_F32, 0, s->rope,
			i ? "rope_factors_long.weight" : "rope_factors_short.weight", 0);
	return m;
}

static uint64_t
bytes_by(const struct shape *s, const char *recipe, enum phi_compat compat)
{
	struct phi_model *const m = describe(s);
	const struct phi_lower_options lower = { .size = sizeof lower, .recipe = recipe };
	const struct phi_recipe_options options = {
		.size = sizeof options, .recipe = recipe, .compat = compat
	};
	struct phi_err err = { 0 };
	uint64_t total = 0;
	struct phi_model *const lowered = phi_gguf_lower(m, &lower, &err);
	if (!lowered || phi_choose(lowered, &options, &err))
		fail_msg("%s %s: %s", s->name, recipe, err.text);
	for (size_t i = 0; i < lowered->ntensors; i++) {
		uint64_t n;
		assert_true(phi_tensor_bytes(&lowered->tensors[i], &n));
		total += n;
	}
	phi_model_free(lowered);
	phi_model_free(m);
	return total;
}

static void
the_phi_models(void **state)
{
	(void)state;
	static const struct {
		const char *recipe;
		uint64_t mini, phi4, phi4_mini;
	} want[] = {
		{ "q2_k", 1507478016, 5912432640, 1725502848 },
		{ "q3_k_s", 1681059840, 6501191680, 1889080704 },
		{ "q3_k_m", 1961816064, 7369543680, 2113213824 },
		{ "q3_k_l", 2200104960, 8123207680, 2304316800 },
		{ "q4_0", 2175438336, 8379863040, 2316899712 },
		{ "q4_k_s", 2202177024, 8456867840, 2337346944 },
		{ "q4_k_m", 2396032512, 9055703040, 2485589376 },
		{ "q5_k_s", 2640735744, 10148024320, 2719552896 },
		{ "q5_k_m", 2754375168, 10496184320, 2806453632 },
		{ "q6_k", 3135114240, 12026695680, 3147371904 },
		{ "q8_0", 4060483584, 15576944640, 4076360064 },
		{ "iq4_xs", 2074842624, 8255262720, 2231965056 },
		{ "iq4_nl", 2188021248, 8633815040, 2329482624 },
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		assert_int_equal(bytes_by(&mini, want[i].recipe, PHI_COMPAT_NONE), want[i].mini);
		assert_int_equal(bytes_by(&phi4, want[i].recipe, PHI_COMPAT_NONE), want[i].phi4);
		assert_int_equal(
			bytes_by(&phi4_mini, want[i].recipe, PHI_COMPAT_NONE), want[i].phi4_mini);
	}
	/* As Microsoft's own file of Phi-3-mini was made. */
	assert_int_equal(bytes_by(&mini, "q4_k_m", PHI_COMPAT_LLAMA_2025), 2392493568);
}

/* The type of one tensor. */
static const char *
type_by(const struct shape *s, const char *recipe, enum phi_compat compat, const char *name)
{
	struct phi_model *const m = describe(s);
	const struct phi_lower_options lower = { .size = sizeof lower, .recipe = recipe };
	const struct phi_recipe_options options = {
		.size = sizeof options, .recipe = recipe, .compat = compat
	};
	struct phi_err err = { 0 };
	const char *type = "none";
	struct phi_model *const lowered = phi_gguf_lower(m, &lower, &err);
	assert_int_equal(phi_choose(lowered, &options, &err), 0);
	for (size_t i = 0; i < lowered->ntensors; i++)
		if (!strcmp(lowered->tensors[i].name, name))
			type = lowered->tensors[i].type->name;
	phi_model_free(lowered);
	phi_model_free(m);
	return type;
}

/* A fused attn_qkv before 2026 (facts/gguf.md 4.4), in a layer that gets no more bits since. */
static void
fused_before_2026(void **state)
{
	(void)state;
	static const struct {
		const char *recipe, *then, *now;
	} want[] = { { "q3_k_m", "Q4_K", "Q4_K" }, { "q3_k_l", "Q4_K", "Q5_K" },
		{ "iq3_m", "Q4_K", "Q4_K" }, { "q4_k_m", "Q5_K", "Q4_K" },
		{ "q5_k_m", "Q6_K", "Q5_K" }, { "q2_k", "Q2_K", "Q3_K" },
		{ "q4_k_s", "Q4_K", "Q4_K" } };
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		assert_string_equal(type_by(&mini, want[i].recipe, PHI_COMPAT_LLAMA_2025,
					    "blk.10.attn_qkv.weight"),
			want[i].then);
		assert_string_equal(
			type_by(&mini, want[i].recipe, PHI_COMPAT_NONE, "blk.10.attn_qkv.weight"),
			want[i].now);
	}
}

/* What llama-quantize refuses before it can show it: iq3_xxs without importance. */
static void
what_a_dry_run_shows(void **state)
{
	(void)state;
	static const struct {
		const char *name, *type;
	} want[] = { { "blk.0.attn_qkv.weight", "IQ3_S" }, { "blk.0.attn_output.weight", "IQ3_S" },
		{ "blk.0.ffn_down.weight", "Q4_K" }, { "blk.3.ffn_down.weight", "Q4_K" },
		{ "blk.4.ffn_down.weight", "Q3_K" }, { "blk.4.ffn_up.weight", "IQ3_XXS" },
		{ "token_embd.weight", "IQ3_S" }, { "output.weight", "Q5_K" } };
	struct phi_model *const m = describe(&mini);
	const struct phi_lower_options lower = { .size = sizeof lower, .recipe = "iq3_xxs" };
	struct phi_recipe_options options = {
		.size = sizeof options, .recipe = "iq3_xxs", .lenient = true
	};
	struct phi_err err = { 0 };
	struct phi_model *const lowered = phi_gguf_lower(m, &lower, &err);
	assert_int_equal(phi_choose(lowered, &options, &err), 0);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		for (size_t k = 0; k < lowered->ntensors; k++)
			if (!strcmp(lowered->tensors[k].name, want[i].name))
				assert_string_equal(lowered->tensors[k].type->name, want[i].type);
	assert_int_equal(lowered->nwarnings, 1);
	options.lenient = false;
	assert_int_equal(phi_choose(lowered, &options, &err), -1);
	phi_model_free(lowered);
	phi_model_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_phi_models),
		cmocka_unit_test(fused_before_2026),
		cmocka_unit_test(what_a_dry_run_shows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
