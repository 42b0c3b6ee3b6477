/* A recipe file of any bytes, and its choice of types for a small model. */
#include "formats/gguf/gguf.h"
#include "quant/recipe_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct phi_model *
model(void)
{
	static const char *const names[] = { "token_embd.weight", "blk.0.attn_v.weight", "blk.0.ffn_down.weight",
		"blk.1.ffn_down.weight", "output.weight", "output_norm.weight" };
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("gguf", &err);
	m->view = "gguf";
	m->name = "m";
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct phi_tensor *const t = phi_model_add_tensor(m, &err);
		t->name = names[i];
		t->type = phi_type_of(PHI_F16);
		t->rank = i < 5 ? 2 : 1;
		t->shape[0] = i < 5 ? 4 : 256;
		t->shape[1] = i == 3 ? 100 : 256;
	}
	return m;
}

static void
choose(const struct phi_recipe_file *file)
{
	struct phi_err err = { 0 };
	struct phi_model *const m = model();
	const struct phi_lower_options lower = { .size = sizeof lower, .recipe = file->recipe };
	const struct phi_recipe_options options = { .size = sizeof options, .recipe = file->recipe,
		.rules = file->rules, .nrules = file->nrules, .lenient = true };
	struct phi_model *const lowered = phi_gguf_lower(m, &lower, &err);
	if (lowered && phi_choose(lowered, &options, &err) == 0)
		for (size_t i = 0; i < lowered->ntensors; i++) {
			uint64_t n;
			if (!phi_tensor_bytes(&lowered->tensors[i], &n))
				abort(); /* a type that does not fit the rows */
		}
	else if (!err.text[0])
		abort();
	phi_model_free(lowered);
	phi_model_free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	struct phi_recipe_file *const file = phi_recipe_file_parse((const char *)data, size, &err);
	if (file)
		choose(file);
	else if (!err.text[0])
		abort();
	phi_recipe_file_close(file);
	return 0;
}
