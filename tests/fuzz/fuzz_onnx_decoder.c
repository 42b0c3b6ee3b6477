/* A decoder for ONNX Runtime GenAI, built of a fuzzed config.json. The tensors are those of the family the
 * configuration names, of one shape, which configurations derived from the seeds agree with; the first byte says which
 * types they take. What is built is a graph that can be read, with all its weights in the file beside it. */
#include "formats/core/config.h"
#include "formats/models/family.h"
#include "formats/onnx/genai.h"
#include "formats/onnx/graph.h"
#include "tests/fuzz/memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct phi_format phi_format_onnx_genai;

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
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .storage = 0, .dense = true };
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

/* Every tensor that a model of the family must have; with the biases that configurations choose if `all`. */
static void
add_tensors(struct phi_model *m, bool all)
{
	struct phi_err err = { 0 };
	const bool wide = !strcmp(m->family->name, "phi2");
	for (const struct phi_family_tensor *e = m->family->tensors; e->canonical || e->gguf; e++) {
		if (!e->canonical || (!all && e->presence != PHI_ALWAYS))
			continue;
		const char *const hole = strstr(e->canonical, "{}");
		for (int i = 0; i < (hole ? LAYERS : 1); i++)
			for (int k = 0; k < (hole && strstr(hole + 2, "{}") ? EXPERTS : 1); k++)
				add(m, phi_family_spell(e->canonical, (struct phi_holes){ i, k }, m->arena,
					&err), extent(e->shape[0], wide),
					e->shape[1] == PHI_DIM_NONE ? 0 : extent(e->shape[1], wide));
	}
}

static void
choose(struct phi_model *m, unsigned choice)
{
	static const enum phi_type_id types[] = { PHI_F32, PHI_ONNX4_G32_F32, PHI_ONNX8_G32_F32, PHI_ONNX2_G64_F16,
		PHI_F16, PHI_ONNX4A_G32_F32, PHI_Q8_0, PHI_BF16 };
	const struct phi_type *const type = phi_type_of(types[choice % 8]);
	for (size_t i = 0; i < m->ntensors; i++)
		if (!m->tensors[i].fixed && m->tensors[i].rank == 2)
			m->tensors[i].type = type;
}

/* The graph can be read; what is made when it is written can be made. */
static void
look(const struct phi_plan *plan)
{
	struct phi_onnx_graph graph;
	struct phi_err err = { 0 };
	unsigned models = 0;
	for (size_t i = 0; i < plan->nitems; i++) {
		const struct phi_item *const item = &plan->items[i];
		must(item->file < plan->nfiles && item->offset + item->size <= plan->files[item->file].size);
		if (item->literal && plan->files[item->file].name && !strcmp(plan->files[item->file].name, "model.onnx")) {
			must(!phi_onnx_graph_open(&graph, item->literal, (size_t)item->size, plan->arena, &err));
			must(graph.model->graph && graph.model->graph->n_node > 8);
			phi_onnx_graph_close(&graph);
			models++;
		}
		const struct phi_part *const part = item->tensor == PHI_NONE ? NULL : plan->model->tensors[item->tensor].parts;
		uint8_t bytes[64];
		if (part && part->kind == PHI_PART_GENERATE && item->size >= sizeof bytes) {
			part->generate(part->state, 0, bytes, sizeof bytes);
			part->generate(part->state, (item->size - sizeof bytes) & ~UINT64_C(3), bytes, sizeof bytes);
		}
	}
	must(models == 1);
}

static void
build(const struct phi_model *model, unsigned choice)
{
	const struct phi_lower_options lower = { .size = sizeof lower, .recipe = choice & 16 ? "f16" : NULL };
	const struct phi_plan_options options = { .size = sizeof options };
	struct phi_err err = { 0 };
	struct phi_model *const lowered = phi_onnx_decoder_lower(model, &lower, &err);
	if (lowered)
		choose(lowered, choice);
	struct phi_plan *const plan = lowered ? phi_plan_new(lowered, &phi_format_onnx_genai, &options, &err) : NULL;
	must(plan || (err.text[0] && !strchr(err.text, '\n')));
	if (plan)
		look(plan);
	phi_plan_free(plan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	if (!size)
		return 0;
	struct phi_model *const model = phi_model_new("hf", &err);
	struct phi_storage *const s = phi_model_add_storage(model, &err);
	*s = (struct phi_storage){ .file = "model.safetensors", .size = 1 << 24 };
	if (phi_config_describe(model, (const char *)data + 1, size - 1, &err) == 0 &&
		phi_family_assign(model, &err) == 0 && model->family) {
		add_tensors(model, data[0] & 32);
		must(phi_model_add_side(model, "config.json", data + 1, size - 1, &err) == 0);
		if (phi_family_assign(model, &err) < 0)
			abort();
		err.text[0] = '\0';
		build(model, data[0]);
	}
	phi_model_free(model);
	return 0;
}
