/* Which initializers of a decoder are which weights of a checkpoint. What was made here says so itself (phi.name among
 * an initializer's properties); what the runtime's builder made is known by its names (facts/onnx.md 4):
 *
 *     model.layers.0.attn.qkv_proj.MatMul.weight        model.layers.0.self_attn.qkv_proj.weight
 *     model.layers.0.attn.qkv_proj.Add.bias             model.layers.0.self_attn.qkv_proj.bias
 *     model.layers.32.final_norm_layernorm.weight       the family's last norm
 *
 * with _Q4, _Q4G32, _quantized behind them where they are quantized: those are gone already (quantized.c). */
#include "formats/onnx/genai_read.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <string.h>

struct finding {
	struct phi_genai *genai;
	struct phi_model *model;
	struct phi_names *said;	     /* initializer -> the number of its properties' phi.name */
	struct phi_names *exchanged; /* values that are multiplied with as [in, out] */
	const PhiOnnx__Graph *graph;
	size_t left; /* matrices that are no weights of the family's */
	const char *first;
	struct phi_err *err;
};

/* What the builder writes, and what it stands for; the first that is there is replaced. */
static const struct {
	const char *theirs, *canonical;
} words[] = {
	{ ".MatMul.weight", ".weight" },
	{ ".Add.bias", ".bias" },
	{ ".attn.", ".self_attn." },
};

/* The pattern of the family's last norm, its weight or bias. */
static const char *
last_norm(const struct phi_family *family, bool bias)
{
	const struct phi_family_tensor *e = family->tensors;
	while ((e->canonical || e->gguf) && e->role != PHI_ROLE_OUTPUT_NORM)
		e++;
	return !bias ? e->canonical : e->canonical && e[1].canonical && strstr(e[1].canonical, ".bias")
		? e[1].canonical : NULL;
}

static const char *
replace(const struct finding *f, const char *name, const char *from, const char *to)
{
	const char *const at = name ? strstr(name, from) : NULL;
	return !at ? name : phi_arena_printf(f->model->arena, f->err, "%.*s%s%s", (int)(at - name), name, to,
		at + strlen(from));
}

/* NULL after a failure. */
static const char *
translate(const struct finding *f, const char *name)
{
	struct phi_holes holes;
	for (int bias = 0; bias < 2; bias++) {
		const char *const norm = last_norm(f->model->family, bias);
		if (norm && phi_family_match(bias ? "model.layers.{}.final_norm_layernorm.bias"
						  : "model.layers.{}.final_norm_layernorm.weight", name, &holes))
			return norm;
	}
	for (size_t i = 0; name && i < sizeof words / sizeof *words; i++)
		name = replace(f, name, words[i].theirs, words[i].canonical);
	if (!strcmp(f->model->family->name, "phi2"))
		name = replace(f, name, ".self_attn.o_proj.", ".self_attn.dense.");
	return name;
}

static const struct phi_family_tensor *
entry_of(const struct finding *f, const char *canonical)
{
	return phi_family_entry(f->model, &(struct phi_tensor){ .name = canonical, .canonical = canonical });
}

static int
add(struct finding *f, const struct phi_tensor *t, const char *canonical, const struct phi_family_tensor *entry)
{
	struct phi_genai *const genai = f->genai;
	struct phi_quoted q;
	if (phi_grow(&genai->found, &genai->capacity, genai->nfound, sizeof *genai->found, f->err))
		return -1;
	const int there = phi_names_add(genai->weights, canonical, strlen(canonical), (uint32_t)genai->nfound, f->err);
	if (there)
		return there < 0 ? -1 : phi_fail(f->err, PHI_FORMAT, "tensor %s: the weight %s is there twice",
			phi_quote(&q, t->name), canonical);
	genai->found[genai->nfound++] = (struct phi_genai_found){ canonical, entry, *t };
	return 0;
}

/* Rows and columns exchanged, if it is multiplied with as it is. */
static int
exchange(struct finding *f, struct phi_tensor *t, const char *initializer)
{
	struct phi_quoted q;
	if (phi_names_find(f->exchanged, initializer, strlen(initializer)) == PHI_NONE)
		return 0;
	const int result = phi_onnx_exchange(f->model->arena, t, f->err);
	return result <= 0 ? result : phi_fail(f->err, PHI_UNSUPPORTED, "tensor %s: %s that is stored with rows and columns "
		"exchanged is not read", phi_quote(&q, t->name), t->type->name);
}

/* The initializer of the codes of a weight of several; else the tensor's own name. */
static const char *
initializer_of(const struct finding *f, const struct phi_tensor *t)
{
	const struct phi_model *const decoder = f->genai->composition.below->model;
	for (size_t i = 0; (t->packed || phi_tensor_is_woven(t)) && i < decoder->npackings; i++)
		if (!strcmp(decoder->packings[i].name, t->name))
			return decoder->packings[i].codes;
	return t->name;
}

static int
look_at(struct finding *f, const struct phi_tensor *t)
{
	struct phi_tensor view = *t;
	const char *const initializer = initializer_of(f, t);
	const uint32_t said = phi_names_find(f->said, initializer, strlen(initializer));
	const char *const name = said == PHI_NONE ? translate(f, t->name)
		: f->graph->initializer[said]->metadata_props[0]->value;
	if (!name)
		return -1;
	const struct phi_family_tensor *const entry = entry_of(f, name);
	if (entry && entry->presence != PHI_DROPPED)
		return exchange(f, &view, initializer) ? -1 : add(f, &view, name, entry);
	if (!strncmp(t->name, "model.layers.", 13) && t->rank == 2 && !f->left++)
		f->first = t->name;
	return 0;
}

/* Indexing */

static int
note(struct finding *f, struct phi_names *names, const char *name, uint32_t i)
{
	return name && phi_names_add(names, name, strlen(name), i, f->err) < 0 ? -1 : 0;
}

/* phi.name is the one property that is written here. */
static int
index_said(struct finding *f)
{
	for (uint32_t i = 0; i < f->graph->n_initializer; i++) {
		const PhiOnnx__Tensor *const t = f->graph->initializer[i];
		if (t->n_metadata_props == 1 && t->metadata_props[0]->key && t->metadata_props[0]->value &&
			!strcmp(t->metadata_props[0]->key, "phi.name") && note(f, f->said, t->name, i))
			return -1;
	}
	return 0;
}

/* The second operand of a product is [in, out], and so are codes that become it. */
static int
index_exchanged(struct finding *f)
{
	for (uint32_t i = 0; i < f->graph->n_node; i++) {
		const PhiOnnx__Node *const node = f->graph->node[i];
		const bool product = phi_onnx_is(node, "", "MatMul") || phi_onnx_is(node, "", "MatMulInteger") ||
			((phi_onnx_is(node, "", "Gemm") || phi_onnx_is(node, "com.microsoft", "FusedMatMul")) &&
				!phi_onnx_attribute_int(node, "transB", 0));
		if (product && note(f, f->exchanged, phi_onnx_input(node, 1), i))
			return -1;
	}
	for (uint32_t i = 0; i < f->graph->n_node; i++) {
		const PhiOnnx__Node *const node = f->graph->node[i];
		const char *const y = node->n_output ? node->output[0] : NULL;
		const bool same = phi_onnx_is(node, "", "DequantizeLinear") || phi_onnx_is(node, "", "Cast");
		if (same && y && phi_names_find(f->exchanged, y, strlen(y)) != PHI_NONE &&
			note(f, f->exchanged, phi_onnx_input(node, 0), i))
			return -1;
	}
	return 0;
}

/* A head without an embedding is both: the operator that looks up tokens takes it turned, or as codes. */
static int
tie(struct finding *f)
{
	static const char head[] = "lm_head.weight", embedding[] = "model.embed_tokens.weight";
	struct phi_genai *const genai = f->genai;
	const uint32_t i = phi_names_find(genai->weights, head, sizeof head - 1);
	if (i == PHI_NONE || phi_names_find(genai->weights, embedding, sizeof embedding - 1) != PHI_NONE)
		return 0;
	genai->found[i].canonical = embedding;
	genai->found[i].entry = entry_of(f, embedding);
	phi_names_free(genai->weights);
	genai->weights = phi_names_new(f->err);
	for (uint32_t k = 0; genai->weights && k < genai->nfound; k++)
		if (note(f, genai->weights, genai->found[k].canonical, k))
			return -1;
	return genai->weights ? 0 : -1;
}

static int
find(struct finding *f)
{
	const struct phi_model *const decoder = f->genai->composition.below->model;
	struct phi_quoted q;
	if (!f->said || !f->exchanged || !f->genai->weights || index_said(f) || index_exchanged(f))
		return -1;
	for (size_t i = 0; i < decoder->ntensors; i++)
		if (look_at(f, &decoder->tensors[i]))
			return -1;
	if (tie(f))
		return -1;
	if (!f->left)
		return 0;
	return phi_model_warn(f->model, f->err, "%zu tensor%s of the decoder %s no weight%s of a %s model and left out%s%s",
		f->left, f->left == 1 ? "" : "s", f->left == 1 ? "is" : "are", f->left == 1 ? "" : "s",
		f->model->family->name, f->left == 1 ? ": " : "; the first: ", phi_quote(&q, f->first));
}

int
phi_genai_find(struct phi_genai *genai, struct phi_model *model, struct phi_err *err)
{
	struct finding f = { .genai = genai, .model = model, .graph = phi_genai_graph(genai), .err = err };
	genai->weights = phi_names_new(err);
	f.said = phi_names_new(err);
	f.exchanged = phi_names_new(err);
	const int result = find(&f);
	phi_names_free(f.said);
	phi_names_free(f.exchanged);
	return result;
}
