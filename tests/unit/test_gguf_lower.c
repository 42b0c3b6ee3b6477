/* The model as GGUF sees it: as it is, as llama-quantize would write it, without a family. */
#include "formats/gguf/gguf.h"
#include "formats/gguf/quantize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
add(struct phi_model *model, const char *name, enum phi_type_id type, unsigned rank,
	const uint64_t *shape)
{
	struct phi_tensor *const t = phi_model_add_tensor(model, NULL);
	assert_non_null(t);
	t->name = name;
	t->type = phi_type_of(type);
	t->rank = rank;
	memcpy(t->shape, shape, rank * sizeof *shape);
}

static const uint64_t matrix[] = { 64, 256 }, row[] = { 256 }, flat[] = { 1, 1, 256 },
	experts[] = { 4, 64, 256 };

static struct phi_model *
sample(const char *view)
{
	struct phi_model *const model = phi_model_new("gguf", NULL);
	struct phi_metadata *const list = &model->metadata;
	struct phi_arena *const arena = model->arena;
	model->view = view;
	phi_metadata_add_string(list, arena, "general.architecture", "phi3", NULL);
	phi_metadata_add_u32(list, arena, "general.file_type", 1, NULL);
	phi_metadata_add_u32(list, arena, "split.no", 0, NULL);
	phi_metadata_add_u32(list, arena, "split.count", 0, NULL);
	phi_metadata_add_u32(list, arena, "general.quantization_version", 1, NULL);
	phi_metadata_add_u32(list, arena, "split.tensors.count", 7, NULL);
	phi_metadata_add(list, arena, "nothing", (struct phi_value){ .kind = PHI_VALUE_NULL }, NULL);
	phi_metadata_add_string(list, arena, "general.name", "x", NULL);
	add(model, "blk.10.ffn_up.weight", PHI_F16, 2, matrix);
	add(model, "blk.2.ffn_norm.weight", PHI_F32, 1, row);
	add(model, "blk.2.ffn_down_exps.weight", PHI_F16, 3, experts);
	add(model, "token_embd.weight", PHI_F16, 2, matrix);
	add(model, "blk.2.ffn_gate_inp.weight", PHI_F32, 2, matrix);
	add(model, "output.weight", PHI_F16, 2, matrix);
	add(model, "blk.2.attn_qkv.bias", PHI_F32, 2, matrix);
	add(model, "blk.x.weight", PHI_F16, 3, flat);
	return model;
}

static void
check_keys(const struct phi_model *model, const char *const *keys, size_t n)
{
	assert_int_equal(model->metadata.count, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(model->metadata.items[i].key, keys[i]);
}

static struct phi_model *
lower(const struct phi_model *model, const char *recipe)
{
	struct phi_err err = { 0 };
	const struct phi_lower_options options = { .size = sizeof options, .recipe = recipe };
	struct phi_model *const lowered = phi_gguf_lower(model, &options, &err);
	if (!lowered)
		fail_msg("%s", err.text);
	return lowered;
}

static void
as_it_is(void **state)
{
	(void)state;
	static const char *const keys[] = { "general.architecture", "general.file_type", "split.no",
		"split.count", "general.quantization_version", "split.tensors.count", "general.name" };
	struct phi_model *const model = sample("gguf");
	struct phi_model *const lowered = lower(model, NULL);
	check_keys(lowered, keys, 7);
	assert_int_equal(lowered->ntensors, 8);
	for (size_t i = 0; i < 8; i++) {
		assert_string_equal(lowered->tensors[i].name, model->tensors[i].name);
		assert_false(lowered->tensors[i].fixed);
	}
	assert_int_equal(lowered->tensors[7].rank, 3);
	assert_int_equal(lowered->nwarnings, 0);
	phi_model_free(lowered);
	phi_model_free(model);
}

static void
as_llama_quantize_writes(void **state)
{
	(void)state;
	static const char *const keys[] = { "general.architecture", "general.name",
		"general.quantization_version", "general.file_type" };
	static const struct {
		const char *name;
		uint32_t from;
		bool fixed;
	} expected[] = {
		{ "blk.x.weight", 7, true }, /* no number: like those without a layer; one row */
		{ "output.weight", 5, false },
		{ "token_embd.weight", 3, false },
		{ "blk.2.attn_qkv.bias", 6, true },
		{ "blk.2.ffn_down_exps.weight", 2, false },
		{ "blk.2.ffn_gate_inp.weight", 4, true },
		{ "blk.2.ffn_norm.weight", 1, true },
		{ "blk.10.ffn_up.weight", 0, false },
	};
	struct phi_model *const model = sample("gguf");
	struct phi_model *const lowered = lower(model, "q4_k_m");
	check_keys(lowered, keys, 4);
	assert_int_equal(lowered->metadata.items[2].value.u, 2);
	assert_int_equal(lowered->metadata.items[3].value.u, 15);
	assert_int_equal(model->metadata.count, 8); /* the origin keeps its own */
	for (size_t i = 0; i < 8; i++) {
		assert_string_equal(lowered->tensors[i].name, expected[i].name);
		assert_int_equal(lowered->tensors[i].fixed, expected[i].fixed);
		assert_int_equal(lowered->tensors[i].nparts, 1);
		assert_int_equal(lowered->tensors[i].parts[0].tensor, expected[i].from);
	}
	assert_int_equal(lowered->tensors[0].rank, 1);
	assert_int_equal(lowered->tensors[0].shape[0], 256);
	assert_int_equal(lowered->tensors[0].parts[0].rows, 1); /* of the origin's shape */
	phi_model_free(lowered);
	phi_model_free(model);
}

static void
which_are_quantizable(void **state)
{
	(void)state;
	static const char *const never[] = { "blk.0.attn_norm.weight", "blk.0.attn_rel_b.weight",
		"position_embd.weight", "token_types.weight", "blk.0.time_mix_w1.weight",
		"v.patch_embd.weight", "blk.0.ssm_conv1d.weight", "weights", "four", "a.rvq.codebook.weight" };
	static const char *const often[] = { "output.weight", "token_embd.weight", "weight",
		"blk.0.attn_kv_b.weight", "v.position_embdx", "mm.0.weight", "seven" };
	struct phi_tensor t = { .rank = 2, .shape = { 64, 256 } };
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		t.name = never[i];
		assert_false(phi_gguf_quantizable(&t));
	}
	for (size_t i = 0; i < sizeof often / sizeof *often; i++) {
		t.name = often[i];
		assert_int_equal(phi_gguf_quantizable(&t), i != 4);
	}
	t.name = "output.weight";
	t.shape[0] = 1;
	assert_false(phi_gguf_quantizable(&t));
}

static void
without_a_family(void **state)
{
	(void)state;
	struct phi_model *const model = sample("canonical");
	struct phi_model *const lowered = lower(model, NULL);
	assert_string_equal(lowered->view, "gguf");
	assert_string_equal(lowered->tensors[0].name, "blk.10.ffn_up.weight");
	assert_null(phi_metadata_find(&lowered->metadata, "nothing"));
	assert_int_equal(lowered->nwarnings, 1);
	assert_non_null(strstr(lowered->warnings[0], "no known family"));
	phi_model_free(lowered);
	phi_model_free(model);
}

static void
what_cannot_be_lowered(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_lower_options options = { .size = sizeof options, .recipe = "int4" };
	struct phi_model *const model = sample("gguf");
	assert_null(phi_gguf_lower(model, &options, &err));
	assert_non_null(strstr(err.text, "recipe int4 makes no GGUF"));
	options.recipe = NULL;
	model->view = "mlx";
	assert_null(phi_gguf_lower(model, &options, &err));
	assert_int_equal(err.kind, PHI_UNSUPPORTED);
	phi_model_free(model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_is),
		cmocka_unit_test(as_llama_quantize_writes),
		cmocka_unit_test(which_are_quantizable),
		cmocka_unit_test(without_a_family),
		cmocka_unit_test(what_cannot_be_lowered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
