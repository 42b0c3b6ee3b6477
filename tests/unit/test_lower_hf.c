/* A phi3 folder as convert_hf_to_gguf's file: which keys and tensors, in which order, of which types. The
 * peer tests compare the bytes; this says what is wrong. */
#include "formats/gguf/lower_hf.h"
#include "tests/unit/phi3_maker.h"

static const char tokenizer[] =
	"{\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true,\"normalized\":false}],"
	"\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
	"\"decoder\":{\"type\":\"ByteLevel\"},"
	"\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"<s>\":1},\"merges\":[\"a a\"]}}";

static struct phi_model *
folder(const char *config, bool head)
{
	struct phi_err err = { 0 };
	struct phi_model *const m = model_of(config, head);
	m->name = "Phi-4-mini-instruct";
	assert_int_equal(phi_model_add_side(m, "tokenizer.json", tokenizer, sizeof tokenizer - 1, &err), 0);
	return m;
}

static struct phi_model *
lowered(const struct phi_model *m, const char *recipe)
{
	struct phi_err err = { 0 };
	const struct phi_lower_options options = { .size = sizeof options, .recipe = recipe };
	struct phi_model *const l = phi_gguf_lower_hf(m, &options, &err);
	if (!l)
		fail_msg("%s", err.text);
	return l;
}

static uint64_t
number(const struct phi_model *m, const char *key)
{
	uint64_t n = UINT64_MAX;
	phi_value_u64(phi_metadata_find(&m->metadata, key), &n);
	return n;
}

static void
orders_keys(void **state)
{
	(void)state;
	static const char *const keys[] = { "general.architecture", "phi3.rope.scaling.attn_factor",
		"general.type", "general.sampling.top_k", "general.sampling.temp", "general.name",
		"general.finetune", "general.basename", "general.size_label", "phi3.context_length",
		"phi3.rope.scaling.original_context_length", "phi3.embedding_length",
		"phi3.feed_forward_length", "phi3.block_count", "phi3.attention.head_count",
		"phi3.attention.head_count_kv", "phi3.attention.layer_norm_rms_epsilon",
		"phi3.rope.dimension_count", "phi3.rope.freq_base", "general.file_type",
		"phi3.attention.sliding_window", "general.quantization_version", "tokenizer.ggml.model",
		"tokenizer.ggml.pre", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type",
		"tokenizer.ggml.merges" };
	static const char generation[] = "{\"temperature\":0.5,\"top_k\":40,\"top_p\":null}";
	struct phi_err err = { 0 };
	struct phi_model *const m = folder(CONFIG, false);
	phi_model_add_side(m, "generation_config.json", generation, sizeof generation - 1, &err);
	struct phi_model *const l = lowered(m, NULL);
	for (size_t i = 0; i < l->metadata.count && i < sizeof keys / sizeof *keys; i++)
		assert_string_equal(l->metadata.items[i].key, keys[i]);
	assert_int_equal(l->metadata.count, sizeof keys / sizeof *keys);
	assert_int_equal(number(l, "general.file_type"), 32);
	assert_int_equal(number(l, "phi3.attention.sliding_window"), 0);
	assert_int_equal(phi_metadata_find(&l->metadata, "tokenizer.ggml.tokens")->array.count, 300);
	assert_string_equal(phi_value_string(phi_metadata_find(&l->metadata, "general.basename")), "Phi-4");
	assert_string_equal(l->view, "gguf");
	phi_model_free(l);
	phi_model_free(m);
}

static void
orders_tensors(void **state)
{
	(void)state;
	static const char *const names[] = { "rope_factors_long.weight", "rope_factors_short.weight",
		"output.weight", "token_embd.weight", "blk.0.attn_norm.weight", "blk.0.ffn_down.weight",
		"blk.0.ffn_up.weight", "blk.0.ffn_norm.weight", "blk.0.attn_output.weight",
		"blk.0.attn_qkv.weight" };
	struct phi_model *const m = folder(CONFIG, true);
	struct phi_err err = { 0 };
	put(m, "model.layers.0.self_attn.rotary_emb.inv_freq", PHI_F32, 1, 9, 0);
	assert_int_equal(phi_family_assign(m, &err), 0);
	struct phi_model *const l = lowered(m, NULL);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_string_equal(l->tensors[i].name, names[i]);
	assert_string_equal(l->tensors[l->ntensors - 1].name, "output_norm.weight");
	assert_int_equal(l->ntensors, m->ntensors + 1); /* two factors more, inv_freq less */
	const struct phi_part *const part = l->tensors[0].parts;
	assert_int_equal(part->kind, PHI_PART_LITERAL);
	assert_int_equal(part->size, 48);
	assert_true(((const float *)part->literal)[1] == 1.5f);
	assert_string_equal(m->tensors[l->tensors[2].parts->tensor].name, "lm_head.weight");
	phi_model_free(l);
	phi_model_free(m);
}

/* Shards go by their names, whatever the order they were opened in; a pickle keeps its own. */
static void
orders_files(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = folder(CONFIG, false);
	struct phi_storage *const s = phi_model_add_storage(m, &err);
	*s = (struct phi_storage){ .file = "a.safetensors", .size = 1 << 24 };
	m->tensors[0].plane[0].storage = 1; /* model.norm.weight */
	struct phi_model *l = lowered(m, NULL);
	assert_string_equal(l->tensors[2].name, "output_norm.weight");
	assert_string_equal(l->tensors[3].name, "token_embd.weight");
	phi_model_free(l);

	m->storages[0].file = "pytorch_model-00001-of-00002.bin";
	m->storages[1].file = "pytorch_model-00002-of-00002.bin";
	l = lowered(m, NULL);
	assert_string_equal(l->tensors[2].name, "blk.1.attn_qkv.weight");
	assert_string_equal(l->tensors[l->ntensors - 1].name, "output_norm.weight");
	phi_model_free(l);
	phi_model_free(m);
}

static void
sets_types(void **state)
{
	(void)state;
	static const struct {
		const char *recipe;
		enum phi_type_id type;
		uint64_t file_type;
	} all[] = { { "f32", PHI_F32, 0 }, { "f16", PHI_F16, 1 }, { "bf16", PHI_BF16, 32 },
		{ "q8_0", PHI_Q8_0, 7 }, { "auto", PHI_BF16, 32 }, { NULL, PHI_BF16, 32 } };
	struct phi_model *const m = folder(CONFIG, false);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct phi_model *const l = lowered(m, all[i].recipe);
		for (size_t k = 0; k < l->ntensors; k++) {
			const struct phi_tensor *const t = &l->tensors[k];
			assert_int_equal(t->type->id, t->rank == 1 ? PHI_F32 : all[i].type);
			assert_int_equal(t->fixed, t->rank == 1);
		}
		assert_int_equal(number(l, "general.file_type"), all[i].file_type);
		phi_model_free(l);
	}
	/* A matrix in F32 says nothing, none in 16 bits makes F16. */
	for (size_t i = 0; i < m->ntensors; i++)
		m->tensors[i].type = phi_type_of(PHI_F32);
	struct phi_model *l = lowered(m, NULL);
	assert_int_equal(number(l, "general.file_type"), 1);
	phi_model_free(l);
	/* Anything else is llama-quantize's: blk.* by number, its two keys at the end. */
	l = lowered(m, "q4_0");
	assert_int_equal(number(l, "general.file_type"), 2);
	assert_string_equal(l->metadata.items[l->metadata.count - 1].key, "general.file_type");
	assert_string_equal(l->tensors[0].name, "output_norm.weight");
	phi_model_free(l);
	phi_model_free(m);
}

/* What was written is what is read: the same parameters, and tensors that pass the check. */
static void
reads_back(void **state)
{
	(void)state;
	static const char *const configs[] = { CONFIG, "{" SHAPE "\"tie_word_embeddings\":false,"
		"\"sliding_window\":2047,\"eos_token_id\":7}" };
	for (size_t i = 0; i < 2; i++) {
		struct phi_err err = { 0 };
		struct phi_hparams a, b;
		struct phi_model *const m = folder(configs[i], i == 1);
		struct phi_model *const l = lowered(m, NULL);
		assert_int_equal(phi_family_hparams(m, &a, &err), 0);
		assert_int_equal(phi_family_hparams(l, &b, &err), 0);
		assert_int_equal(phi_family_check(l, &b, &err), 0);
		same_hparams(&a, &b);
		phi_model_free(l);
		phi_model_free(m);
	}
}

static void
warns_of_what_is_lost(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = folder(CONFIG, false);
	phi_model_add_side(m, "README.md", "---\nlicense: mit\n---\n", 21, &err);
	phi_model_add_side(m, "generation_config.json", "{\"eos_token_id\":[1,2,3]}", 24, &err);
	struct phi_model *l = lowered(m, NULL);
	assert_int_equal(l->nwarnings, 1);
	assert_string_equal(phi_value_string(phi_metadata_find(&l->metadata, "general.license")), "mit");
	phi_model_free(l);
	/* A card that is no YAML, and what is no text in one, take nothing else with them. */
	struct phi_side *const card = &m->sides[m->nsides - 2];
	assert_string_equal(card->name, "README.md");
	m->nsides--;
	card->data = "---\nlicense: [\n---\n";
	card->size = 19;
	l = lowered(m, NULL);
	assert_int_equal(l->nwarnings, 1);
	assert_string_equal(l->warnings[0], "README.md: line 3 is no YAML: did not find expected node content; "
		"the card is not carried");
	phi_model_free(l);
	phi_model_free(m);
}

static void
says_what_is_wrong(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = model_of(CONFIG, false);
	assert_null(phi_gguf_lower_hf(m, NULL, &err));
	assert_non_null(strstr(err.text, "no tokenizer.json"));
	m->tensors[1].shape[0]++;
	assert_null(phi_gguf_lower_hf(m, NULL, &err));
	assert_non_null(strstr(err.text, "qkv_proj.weight: shape [385, 256]"));
	phi_model_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(orders_keys),
		cmocka_unit_test(orders_tensors), cmocka_unit_test(orders_files), cmocka_unit_test(sets_types), cmocka_unit_test(reads_back),
		cmocka_unit_test(warns_of_what_is_lost), cmocka_unit_test(says_what_is_wrong) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
