/* Makes small canonical phi3 models for tests: a description alone, without bytes. */
#ifndef PHI_TESTS_PHI3_MAKER_H
#define PHI_TESTS_PHI3_MAKER_H

#include "formats/core/config.h"
#include "formats/models/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Transformers 4's spelling: 2 layers, 8 heads of 32 in 2 groups, longrope over three quarters. */
#define FACTORS "[1,1.5,2,2.5,3,3.5,4,4.5,5,5.5,6,6.5]"
#define SHAPE "\"architectures\":[\"Phi3ForCausalLM\"],\"model_type\":\"phi3\",\"hidden_size\":256," \
	"\"intermediate_size\":384,\"num_hidden_layers\":2,\"num_attention_heads\":8," \
	"\"num_key_value_heads\":2,\"vocab_size\":300,\"max_position_embeddings\":131072,"
#define LONGROPE "\"original_max_position_embeddings\":4096,\"partial_rotary_factor\":0.75," \
	"\"rope_theta\":10000.0,\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":" FACTORS \
	",\"short_factor\":" FACTORS "}"
#define CONFIG "{" SHAPE "\"tie_word_embeddings\":true,\"rms_norm_eps\":1e-05," LONGROPE "}"

static inline struct phi_tensor *
put(struct phi_model *m, const char *name, enum phi_type_id type, unsigned rank, uint64_t rows,
	uint64_t columns)
{
	struct phi_err err = { 0 };
	struct phi_tensor *const t = phi_model_add_tensor(m, &err);
	assert_non_null(t);
	t->name = phi_arena_strdup(m->arena, name, &err);
	t->type = phi_type_of(type);
	t->rank = rank;
	t->shape[0] = rows;
	t->shape[1] = columns;
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .storage = 0, .dense = true };
	return t;
}

/* Every tensor of the shape above, in an order that no target has. */
static inline void
put_all(struct phi_model *m, bool head)
{
	struct phi_err err = { 0 };
	struct phi_storage *const s = phi_model_add_storage(m, &err);
	assert_non_null(s);
	*s = (struct phi_storage){ .file = "model.safetensors", .size = 1 << 24 };
	put(m, "model.norm.weight", PHI_BF16, 1, 256, 0);
	for (int i = 1; i >= 0; i--) {
		static const struct {
			const char *name;
			unsigned rank;
			uint64_t rows, columns;
		} all[] = { { "self_attn.qkv_proj", 2, 384, 256 }, { "self_attn.o_proj", 2, 256, 256 },
			{ "mlp.gate_up_proj", 2, 768, 256 }, { "mlp.down_proj", 2, 256, 384 },
			{ "input_layernorm", 1, 256, 0 }, { "post_attention_layernorm", 1, 256, 0 } };
		for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
			char name[96];
			snprintf(name, sizeof name, "model.layers.%d.%s.weight", i, all[k].name);
			put(m, name, PHI_BF16, all[k].rank, all[k].rows, all[k].columns);
		}
	}
	put(m, "model.embed_tokens.weight", PHI_BF16, 2, 300, 256);
	if (head)
		put(m, "lm_head.weight", PHI_BF16, 2, 300, 256);
}

static inline struct phi_model *
model_of(const char *config, bool head)
{
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("hf", &err);
	assert_non_null(m);
	if (phi_config_describe(m, config, strlen(config), &err) < 0)
		fail_msg("%s", err.text);
	put_all(m, head);
	assert_int_equal(phi_family_assign(m, &err), 0);
	return m;
}

/* Field by field: padding is nobody's. The factors are not looked at. */
static inline void
same_hparams(const struct phi_hparams *a, const struct phi_hparams *b)
{
	assert_int_equal(a->layers, b->layers);
	assert_int_equal(a->hidden, b->hidden);
	assert_int_equal(a->ffn, b->ffn);
	assert_int_equal(a->heads, b->heads);
	assert_int_equal(a->kv_heads, b->kv_heads);
	assert_int_equal(a->head_dim, b->head_dim);
	assert_int_equal(a->vocab, b->vocab);
	assert_int_equal(a->context, b->context);
	assert_int_equal(a->original_context, b->original_context);
	assert_int_equal(a->rotary, b->rotary);
	assert_int_equal(a->sliding_window, b->sliding_window);
	assert_int_equal(a->has_sliding_window, b->has_sliding_window);
	assert_int_equal(a->tied, b->tied);
	assert_int_equal(a->rope, b->rope);
	assert_int_equal(a->bos, b->bos);
	assert_int_equal(a->eos, b->eos);
	assert_int_equal(a->pad, b->pad);
	/* A GGUF has them as F32. */
	assert_true((float)a->norm_epsilon == (float)b->norm_epsilon);
	assert_true((float)a->rope_theta == (float)b->rope_theta);
	assert_true((float)a->attention_factor == (float)b->attention_factor);
	assert_true(a->partial_rotary == b->partial_rotary);
}

#endif
