/* The families: recognition, hyper-parameters of both generations of config.json, names, the check. */
#include "tests/unit/phi3_maker.h"

static struct phi_hparams
read(const char *config)
{
	struct phi_err err = { 0 };
	struct phi_hparams h;
	struct phi_model *const m = model_of(config, true);
	assert_non_null(m->family);
	if (phi_family_hparams(m, &h, &err) < 0)
		fail_msg("%s", err.text);
	h.long_factor = h.short_factor = NULL;
	phi_model_free(m);
	return h;
}

static void
reads_version_4(void **state)
{
	(void)state;
	const struct phi_hparams h = read(CONFIG);
	assert_int_equal(h.layers, 2);
	assert_int_equal(h.head_dim, 32);
	assert_int_equal(h.kv_heads, 2);
	assert_int_equal(h.rotary, 24);
	assert_int_equal(h.original_context, 4096);
	assert_int_equal(h.rope, PHI_ROPE_LONGROPE);
	assert_int_equal(h.nlong, 12);
	assert_true(h.attention_factor == 1.1902380714238083);
	assert_true(h.tied);
	assert_false(h.has_sliding_window);
	assert_int_equal(h.eos, -1);
}

/* The same model as transformers 5 writes it. */
static void
reads_version_5(void **state)
{
	(void)state;
	const struct phi_hparams a = read(CONFIG);
	const struct phi_hparams b = read("{" SHAPE "\"dtype\":\"bfloat16\",\"tie_word_embeddings\":true,"
		"\"original_max_position_embeddings\":4096,\"rms_norm_eps\":1e-05,"
		"\"rope_parameters\":{\"rope_type\":\"longrope\",\"rope_theta\":10000.0,"
		"\"partial_rotary_factor\":0.75,\"original_max_position_embeddings\":4096,"
		"\"long_factor\":" FACTORS ",\"short_factor\":" FACTORS "}}");
	same_hparams(&a, &b);
	assert_int_equal(a.nlong, b.nlong);
}

/* What config.json leaves out has Phi3Config's default. */
static void
knows_defaults(void **state)
{
	(void)state;
	const struct phi_hparams h = read("{\"model_type\":\"phi3\"}");
	assert_int_equal(h.vocab, 32064);
	assert_int_equal(h.hidden, 3072);
	assert_int_equal(h.kv_heads, 32);
	assert_int_equal(h.rotary, 96);
	assert_int_equal(h.context, 4096);
	assert_true(h.rope_theta == 10000);
	assert_true(h.norm_epsilon == 1e-5);
	assert_true(h.attention_factor == 1);
	assert_false(h.tied);
}

static void
reads_windows(void **state)
{
	(void)state;
	const struct phi_hparams none = read("{" SHAPE "\"sliding_window\":null}");
	assert_false(none.has_sliding_window);
	const struct phi_hparams some = read("{" SHAPE "\"sliding_window\":2047,\"eos_token_id\":[1,2]}");
	assert_true(some.has_sliding_window);
	assert_int_equal(some.sliding_window, 2047);
	assert_int_equal(some.eos, -1);
}

static void
refuses(void **state)
{
	(void)state;
	static const struct {
		const char *config, *why;
	} bad[] = {
		{ "{" SHAPE "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}",
			"rope_scaling.type \"linear\" is not known" },
		{ "{" SHAPE "\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":[1,2],"
		  "\"short_factor\":[1,2]}}", "rope_scaling.long_factor has 2 numbers, but half the "
					      "rotary dimensions are 16" },
		{ "{" SHAPE "\"partial_rotary_factor\":0.75,\"rope_scaling\":{\"type\":\"longrope\",\"attention_factor\":1.5,"
		  "\"long_factor\":" FACTORS ",\"short_factor\":" FACTORS "}}",
			"rope_scaling.attention_factor is 1.5, but the context lengths make it 1.19024" },
		{ "{" SHAPE "\"partial_rotary_factor\":0.75,\"rope_scaling\":{\"type\":\"longrope\",\"factor\":31,"
		  "\"long_factor\":" FACTORS ",\"short_factor\":" FACTORS "}}",
			"rope_scaling.factor is 31, but the context lengths make it 32" },
		{ "{" SHAPE "\"rope_scaling\":{\"type\":\"su\"}}", "rope_scaling.long_factor is missing" },
		{ "{" SHAPE "\"rope_parameters\":{\"rope_type\":\"default\",\"long_factor\":[1]}}",
			"rope_parameters.long_factor without" },
		{ "{" SHAPE "\"quantization_config\":{\"quant_method\":\"awq\"}}", "quantization_config" },
		{ "{" SHAPE "\"num_key_value_heads\":3}", "3 key-value heads do not divide 8" },
		{ "{" SHAPE "\"num_hidden_layers\":0}", "num_hidden_layers is 0" },
		{ "{" SHAPE "\"hidden_size\":4294967295}", "hidden_size is 4294967295, at most" },
		{ "{" SHAPE "\"hidden_size\":-1}", "hidden_size is no count" },
		{ "{" SHAPE "\"rms_norm_eps\":\"x\"}", "rms_norm_eps is no number" },
		{ "{" SHAPE "\"hidden_act\":\"gelu\"}", "hidden_act" },
		{ "{" SHAPE "\"head_dim\":64}", "head_dim is 64" },
		{ "{" SHAPE "\"partial_rotary_factor\":0.1}", "3 rotary dimensions" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct phi_err err = { 0 };
		struct phi_hparams h;
		/* The last of two equal keys is the one that was meant to be read. */
		struct phi_model *const m = model_of("{\"model_type\":\"phi3\"}", true);
		m->metadata.count = 0;
		assert_int_equal(phi_config_describe(m, bad[i].config, strlen(bad[i].config), &err), 0);
		for (size_t k = 0; k + 1 < m->metadata.count; k++)
			for (size_t j = k + 1; j < m->metadata.count; j++)
				if (!strcmp(m->metadata.items[k].key, m->metadata.items[j].key))
					m->metadata.items[k].value = m->metadata.items[j].value;
		assert_int_equal(phi_family_hparams(m, &h, &err), -1);
		if (!strstr(err.text, bad[i].why))
			fail_msg("%s: %s", bad[i].why, err.text);
		phi_model_free(m);
	}
}

static void
names_tensors(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = model_of(CONFIG, false);
	const struct phi_tensor *const t = &m->tensors[1];
	assert_string_equal(t->canonical, "model.layers.1.self_attn.qkv_proj.weight");
	assert_int_equal(t->role, PHI_ROLE_ATTN_QKV);
	assert_int_equal(t->layer, 1);
	phi_model_free(m);

	/* The other way: GGUF's names get the canonical ones. */
	struct phi_model *const g = phi_model_new("gguf", &err);
	phi_metadata_add_string(&g->metadata, g->arena, "general.architecture", "phi3", &err);
	put(g, "blk.17.ffn_up.weight", PHI_Q8_0, 2, 64, 32);
	put(g, "rope_factors_long.weight", PHI_F32, 1, 12, 0);
	put(g, "blk.01.ffn_up.weight", PHI_F32, 1, 12, 0);
	assert_int_equal(phi_family_assign(g, &err), 0);
	assert_string_equal(g->tensors[0].canonical, "model.layers.17.mlp.gate_up_proj.weight");
	assert_int_equal(g->tensors[0].role, PHI_ROLE_FFN_GATE_UP);
	assert_null(g->tensors[1].canonical);
	assert_int_equal(g->tensors[1].role, PHI_ROLE_ROPE_LONG);
	assert_int_equal(g->tensors[2].role, PHI_ROLE_NONE);
	phi_model_free(g);
}

static void
leaves_others_alone(void **state)
{
	(void)state;
	static const char *const configs[] = { "{\"architectures\":[\"LlamaForCausalLM\"]}",
		"{\"architectures\":[\"Phi3ForSequenceClassification\"],\"model_type\":\"phi3\"}", "{}" };
	for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
		struct phi_model *const m = model_of(configs[i], false);
		assert_null(m->family);
		assert_null(m->tensors[0].canonical);
		phi_model_free(m);
	}
}

static int
check(struct phi_model *m, struct phi_err *err)
{
	struct phi_hparams h;
	assert_int_equal(phi_family_assign(m, err), 0);
	assert_int_equal(phi_family_hparams(m, &h, err), 0);
	return phi_family_check(m, &h, err);
}

static void
checks_tensors(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *m = model_of(CONFIG, false);
	assert_int_equal(check(m, &err), 0);
	put(m, "model.layers.0.self_attn.rotary_emb.inv_freq", PHI_F32, 1, 9, 0);
	assert_int_equal(check(m, &err), 0);

	put(m, "model.layers.2.mlp.down_proj.weight", PHI_BF16, 2, 256, 384);
	assert_int_equal(check(m, &err), -1);
	assert_string_equal(err.text,
		"tensor model.layers.2.mlp.down_proj.weight: layer 2, but the configuration has 2");
	m->tensors[m->ntensors - 1].name = "score.weight";
	m->tensors[m->ntensors - 1].canonical = NULL;
	assert_int_equal(check(m, &err), -1);
	assert_string_equal(err.text, "tensor score.weight: a phi3 model has no such tensor");
	m->ntensors--;

	m->tensors[2].shape[1] = 255;
	assert_int_equal(check(m, &err), -1);
	assert_string_equal(err.text, "tensor model.layers.1.self_attn.o_proj.weight: shape [256, 255], "
		"but the configuration makes it [256, 256]");
	m->tensors[2] = m->tensors[--m->ntensors];
	m->tensors[2] = m->tensors[--m->ntensors];
	assert_int_equal(check(m, &err), -1);
	assert_non_null(strstr(err.text, "is missing"));
	phi_model_free(m);
}

/* A head of its own must be there unless the embedding is it, and then it may. */
static void
checks_the_head(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *m = model_of("{" SHAPE LONGROPE "}", false);
	assert_int_equal(check(m, &err), -1);
	assert_string_equal(err.text,
		"tensor lm_head.weight is missing (and tie_word_embeddings is not true)");
	phi_model_free(m);
	m = model_of(CONFIG, true);
	assert_int_equal(check(m, &err), 0);
	phi_model_free(m);
}

/* A model that has no tensors yet. */
static struct phi_model *
bare(const char *config)
{
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("hf", &err);
	assert_non_null(m);
	assert_int_equal(phi_config_describe(m, config, strlen(config), &err), 0);
	assert_int_equal(phi_family_assign(m, &err), 0);
	assert_non_null(m->family);
	return m;
}

static int
read_bare(const char *config, struct phi_hparams *h, struct phi_err *err)
{
	struct phi_model *const m = bare(config);
	const int result = phi_family_hparams(m, h, err);
	h->long_factor = h->short_factor = NULL;
	phi_model_free(m);
	return result;
}

/* PhiConfig's defaults are not Phi3Config's; what a GGUF of the family cannot be is refused. */
static void
reads_phi2(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_hparams h;
	assert_int_equal(read_bare("{\"model_type\":\"phi\"}", &h, &err), 0);
	assert_int_equal(h.vocab, 51200);
	assert_int_equal(h.kv_heads, 32);
	assert_int_equal(h.rotary, 32);
	assert_int_equal(h.original_context, 2048);
	assert_int_equal(h.experts, 0);
	static const struct {
		const char *config, *why;
	} bad[] = {
		{ "{\"model_type\":\"phi\",\"n_embd\":2560}", "n_embd" },
		{ "{\"model_type\":\"phi\",\"qk_layernorm\":true}", "qk_layernorm" },
		{ "{\"model_type\":\"phi\",\"hidden_act\":\"silu\"}", "hidden_act \"silu\"" },
		{ "{\"model_type\":\"phi\",\"rope_scaling\":{\"type\":\"longrope\"}}",
			"\"longrope\" is not known" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(read_bare(bad[i].config, &h, &err), -1);
		if (!strstr(err.text, bad[i].why))
			fail_msg("%s: %s", bad[i].why, err.text);
	}
}

/* The text model of a bearer of more: its names unwrapped, the rest known for what it is. */
static void
reads_text_models(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = bare("{\"architectures\":[\"Phi4MMForCausalLM\"]}");
	assert_string_equal(m->family->name, "phi4mm");
	put(m, "model.layers.3.mlp.down_proj.base_layer.weight", PHI_BF16, 2, 8, 8);
	put(m, "model.layers.3.mlp.down_proj.lora_A.speech.weight", PHI_BF16, 2, 8, 8);
	put(m, "model.embed_tokens_extend.audio_embed.x", PHI_BF16, 1, 8, 0);
	put(m, "model.layers.3.mlp.down_proj.base_layers.weight", PHI_BF16, 2, 8, 8);
	assert_int_equal(phi_family_assign(m, &err), 0);
	assert_string_equal(m->tensors[0].canonical, "model.layers.3.mlp.down_proj.weight");
	assert_int_equal(m->tensors[0].role, PHI_ROLE_FFN_DOWN);
	assert_int_equal(phi_family_entry(m, &m->tensors[1])->presence, PHI_DROPPED);
	assert_int_equal(phi_family_entry(m, &m->tensors[2])->presence, PHI_DROPPED);
	assert_null(phi_family_entry(m, &m->tensors[3]));
	struct phi_model *const lowered = phi_model_lower_same(m, &err);
	assert_non_null(lowered);
	assert_int_equal(phi_family_warn_extras(lowered, &err), 0);
	assert_int_equal(lowered->nwarnings, 1);
	assert_string_equal(lowered->warnings[0],
		"only the text model is carried; left out: audio tower (1 tensor), LoRA (1 tensor)");
	phi_model_free(lowered);
	phi_model_free(m);
	struct phi_model *const own = bare("{\"model_type\":\"phi4_multimodal\"}");
	struct phi_hparams h;
	assert_int_equal(phi_family_hparams(own, &h, &err), 0);
	assert_int_equal(h.kv_heads, 8);
	assert_int_equal(h.context, 131072);
	phi_model_free(own);
}

#define MOE "\"model_type\":\"phimoe\",\"hidden_size\":64,\"intermediate_size\":96," \
	"\"num_hidden_layers\":1,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"vocab_size\":50," \
	"\"max_position_embeddings\":64,\"num_local_experts\":3,\"tie_word_embeddings\":true"

/* Where longrope says nothing of the original context it is the context, whatever stands outside. */
static void
reads_phimoe(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_hparams h;
	assert_int_equal(read_bare("{\"model_type\":\"phimoe\"}", &h, &err), 0);
	assert_int_equal(h.kv_heads, 8);
	assert_int_equal(h.experts, 16);
	assert_int_equal(h.experts_used, 2);
	assert_true(h.rope_theta == 1e6);
	assert_false(h.attention_bias);
	assert_int_equal(read_bare("{" MOE ",\"attention_bias\":true,\"original_max_position_embeddings\":8,"
		"\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":[1,2,3,4,5,6,7,8],"
		"\"short_factor\":[1,2,3,4,5,6,7,8]}}", &h, &err), 0);
	assert_int_equal(h.original_context, 64);
	assert_true(h.attention_bias);
	assert_int_equal(read_bare("{" MOE ",\"num_experts_per_tok\":4}", &h, &err), -1);
	assert_string_equal(err.text, "config.json: 4 experts for a token, of 3");
}

/* All tensors of MOE. */
static struct phi_model *
experts(void)
{
	struct phi_err err = { 0 };
	struct phi_model *const m = bare("{" MOE "}");
	struct phi_storage *const s = phi_model_add_storage(m, &err);
	*s = (struct phi_storage){ .file = "model.safetensors", .size = 1 << 24 };
	static const struct {
		const char *name;
		uint64_t rows, columns;
	} all[] = { { "self_attn.q_proj.weight", 64, 64 }, { "self_attn.k_proj.weight", 32, 64 },
		{ "self_attn.v_proj.weight", 32, 64 }, { "self_attn.o_proj.weight", 64, 64 },
		{ "input_layernorm.weight", 64, 0 }, { "input_layernorm.bias", 64, 0 },
		{ "post_attention_layernorm.weight", 64, 0 }, { "post_attention_layernorm.bias", 64, 0 },
		{ "block_sparse_moe.gate.weight", 3, 64 } };
	char name[96];
	put(m, "model.embed_tokens.weight", PHI_BF16, 2, 50, 64);
	put(m, "model.norm.weight", PHI_BF16, 1, 64, 0);
	put(m, "model.norm.bias", PHI_BF16, 1, 64, 0);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		snprintf(name, sizeof name, "model.layers.0.%s", all[i].name);
		put(m, name, PHI_BF16, all[i].columns ? 2 : 1, all[i].rows, all[i].columns);
	}
	for (int e = 0; e < 3; e++)
		for (int w = 1; w <= 3; w++) {
			snprintf(name, sizeof name, "model.layers.0.block_sparse_moe.experts.%d.w%d.weight", e, w);
			put(m, name, PHI_BF16, 2, w == 2 ? 64 : 96, w == 2 ? 96 : 64);
		}
	return m;
}

static void
checks_experts(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = experts();
	if (check(m, &err) < 0)
		fail_msg("%s", err.text);
	const struct phi_tensor *const last = &m->tensors[m->ntensors - 1];
	assert_int_equal(last->role, PHI_ROLE_FFN_UP);
	assert_int_equal(last->layer, 0);
	assert_int_equal(phi_family_expert(m, last), 2);
	assert_int_equal(phi_family_expert(m, &m->tensors[0]), -1);

	m->ntensors--;
	assert_int_equal(check(m, &err), -1);
	assert_string_equal(err.text,
		"tensor model.layers.0.block_sparse_moe.experts.2.w3.weight is missing");
	put(m, "model.layers.0.block_sparse_moe.experts.2.w3.weight", PHI_BF16, 2, 96, 64);
	put(m, "model.layers.0.block_sparse_moe.experts.3.w3.weight", PHI_BF16, 2, 96, 64);
	assert_int_equal(check(m, &err), -1);
	assert_string_equal(err.text, "tensor model.layers.0.block_sparse_moe.experts.3.w3.weight: "
		"expert 3, but the configuration has 3");
	m->ntensors--;
	put(m, "model.layers.0.self_attn.q_proj.bias", PHI_BF16, 1, 64, 0);
	assert_int_equal(check(m, &err), -1);
	assert_string_equal(err.text, "tensor model.layers.0.self_attn.q_proj.bias: "
		"the configuration says that there is no such bias");
	phi_model_free(m);
}

static void
fills_two_holes(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_holes h;
	struct phi_arena *const arena = phi_arena_new(&err);
	assert_true(phi_family_match("a.{}.b.{}.c", "a.12.b.0.c", &h));
	assert_int_equal(h.layer, 12);
	assert_int_equal(h.expert, 0);
	assert_string_equal(phi_family_spell("a.{}.b.{}.c", h, arena, &err), "a.12.b.0.c");
	assert_false(phi_family_match("a.{}.b.{}.c", "a.12.b.01.c", &h));
	assert_false(phi_family_match("a.{}.b.{}.c", "a.12.b..c", &h));
	assert_false(phi_family_match("a.{}.b.{}.c", "a.12.b.1.cd", &h));
	assert_false(phi_family_match("a.{}", "a.1234567890", &h));
	assert_true(phi_family_match("a", "a", &h));
	assert_int_equal(h.layer, -1);
	phi_arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_version_4),
		cmocka_unit_test(reads_version_5), cmocka_unit_test(knows_defaults),
		cmocka_unit_test(reads_windows), cmocka_unit_test(refuses), cmocka_unit_test(names_tensors),
		cmocka_unit_test(leaves_others_alone), cmocka_unit_test(reads_phi2), cmocka_unit_test(reads_phimoe), cmocka_unit_test(reads_text_models),
		cmocka_unit_test(checks_experts), cmocka_unit_test(fills_two_holes), cmocka_unit_test(checks_tensors),
		cmocka_unit_test(checks_the_head) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
