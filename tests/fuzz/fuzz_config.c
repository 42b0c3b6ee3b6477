/* config.json of a known family: its hyper-parameters, the check of its tensors, the lowering to GGUF. The
 * tensors are those of a shape that configurations derived from the fixture agree with. */
#include "formats/core/config.h"
#include "formats/gguf/lower_hf.h"
#include "formats/models/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char tokenizer[] = "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\","
	"\"vocab\":{\"a\":0},\"merges\":[]}}";

static void
add(struct phi_model *m, const char *name, uint64_t rows, uint64_t columns)
{
	struct phi_err err = { 0 };
	struct phi_tensor *const t = phi_model_add_tensor(m, &err);
	t->name = phi_arena_strdup(m->arena, name, &err);
	t->type = phi_type_of(PHI_BF16);
	t->rank = columns ? 2 : 1;
	t->shape[0] = rows;
	t->shape[1] = columns;
}

/* The shape of fixtures/phi-tiny. */
static void
add_tensors(struct phi_model *m)
{
	char name[96];
	add(m, "model.embed_tokens.weight", 1024, 256);
	add(m, "model.norm.weight", 256, 0);
	for (int i = 0; i < 2; i++) {
		static const struct {
			const char *name;
			uint64_t rows, columns;
		} all[] = { { "self_attn.qkv_proj", 384, 256 }, { "self_attn.o_proj", 256, 256 },
			{ "mlp.gate_up_proj", 1536, 256 }, { "mlp.down_proj", 256, 768 },
			{ "input_layernorm", 256, 0 }, { "post_attention_layernorm", 256, 0 } };
		for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
			snprintf(name, sizeof name, "model.layers.%d.%s.weight", i, all[k].name);
			add(m, name, all[k].rows, all[k].columns);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	struct phi_model *const model = phi_model_new("hf", &err);
	add_tensors(model);
	phi_model_add_side(model, "tokenizer.json", tokenizer, sizeof tokenizer - 1, &err);
	if (phi_config_describe(model, (const char *)data, size, &err) == 0 &&
		phi_family_assign(model, &err) == 0 && model->family) {
		err.text[0] = '\0';
		struct phi_model *const lowered = phi_gguf_lower_hf(model, NULL, &err);
		if (!lowered && !err.text[0])
			abort(); /* a failure must say what it is */
		phi_model_free(lowered);
	}
	phi_model_free(model);
	return 0;
}
