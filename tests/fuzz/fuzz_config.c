/* config.json of a known family: its hyper-parameters, the check of its tensors, the lowering to GGUF. The
 * tensors are those of the family the configuration names, of one shape, which configurations derived from the
 * seeds agree with. */
#include "formats/core/config.h"
#include "formats/gguf/lower_hf.h"
#include "formats/models/family.h"

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

enum { LAYERS = 2, EXPERTS = 3 };

/* The shape of fixtures/phi-tiny; the feed-forward is wider in phi2, which knows one width. */
static uint64_t
extent(enum phi_dim dim, bool wide)
{
	static const uint64_t all[] = { [PHI_DIM_VOCAB] = 1024, [PHI_DIM_HIDDEN] = 256, [PHI_DIM_FFN] = 768,
		[PHI_DIM_FFN_TWICE] = 1536, [PHI_DIM_EXPERTS] = EXPERTS, [PHI_DIM_HEADS] = 256,
		[PHI_DIM_KV] = 64, [PHI_DIM_QKV] = 384, [PHI_DIM_ANY] = 0 };
	return wide && dim == PHI_DIM_FFN ? 1024 : wide && dim == PHI_DIM_KV ? 256 : all[dim];
}

/* Every tensor that a model of the family must have; tied, without the biases that configurations choose. */
static void
add_tensors(struct phi_model *m)
{
	struct phi_err err = { 0 };
	const bool wide = !strcmp(m->family->name, "phi2");
	for (const struct phi_family_tensor *e = m->family->tensors; e->canonical || e->gguf; e++) {
		if (!e->canonical || e->presence != PHI_ALWAYS)
			continue;
		const char *const hole = strstr(e->canonical, "{}");
		for (int i = 0; i < (hole ? LAYERS : 1); i++)
			for (int k = 0; k < (hole && strstr(hole + 2, "{}") ? EXPERTS : 1); k++)
				add(m, phi_family_spell(e->canonical, (struct phi_holes){ i, k }, m->arena,
					&err), extent(e->shape[0], wide),
					e->shape[1] == PHI_DIM_NONE ? 0 : extent(e->shape[1], wide));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	struct phi_model *const model = phi_model_new("hf", &err);
	phi_model_add_side(model, "tokenizer.json", tokenizer, sizeof tokenizer - 1, &err);
	if (phi_config_describe(model, (const char *)data, size, &err) == 0 &&
		phi_family_assign(model, &err) == 0 && model->family) {
		add_tensors(model);
		if (phi_family_assign(model, &err) < 0)
			abort();
		err.text[0] = '\0';
		struct phi_model *const lowered = phi_gguf_lower_hf(model, NULL, &err);
		if (!lowered && !err.text[0])
			abort(); /* a failure must say what it is */
		phi_model_free(lowered);
	}
	phi_model_free(model);
	return 0;
}
