#include "formats/models/stack.h"

#include "formats/core/memory.h"

#include <string.h>

/* How many of a layer's expert tensors are still to come, and one tensor for each of its roles. */
struct layer {
	uint64_t left;
	struct phi_part *parts[PHI_ROLES]; /* by expert */
};

/* Is it a role whose experts are stacked? */
static bool
stacked(const struct phi_family_tensor *e)
{
	return e->presence == PHI_STACKED;
}

static int
begin_layers(struct phi_model *lowered, const struct phi_hparams *h, struct layer *layers,
	struct phi_err *err)
{
	for (uint32_t i = 0; i < h->layers; i++)
		for (const struct phi_family_tensor *e = lowered->family->tensors;
			e->canonical || e->gguf; e++) {
			if (!stacked(e))
				continue;
			layers[i].left += h->experts;
			layers[i].parts[e->role] = phi_arena_calloc(lowered->arena, h->experts,
				sizeof(struct phi_part), err);
			if (!layers[i].parts[e->role])
				return -1;
		}
	return 0;
}

/* The tensor that the experts of a role make; `like` is any tensor of the layer's experts of that role. */
static int
make(struct phi_model *lowered, const struct phi_family_tensor *e, struct phi_tensor like,
	struct phi_part *parts, uint32_t experts, struct phi_tensor *out, struct phi_err *err)
{
	*out = like;
	out->role = e->role;
	out->rank = like.rank + 1;
	memmove(out->shape + 1, like.shape, like.rank * sizeof *like.shape);
	out->shape[0] = experts;
	out->parts = parts;
	out->nparts = experts;
	out->nplanes = 0;
	out->packed = NULL;
	out->alias = PHI_NONE;
	out->canonical = phi_family_spell(e->canonical, (struct phi_holes){ .layer = like.layer },
		lowered->arena, err);
	out->name = out->canonical;
	return out->canonical ? 0 : -1;
}

/* All stacked tensors of a layer, from `at` on. */
static int
make_layer(struct phi_model *lowered, const struct layer *layer, uint32_t experts, size_t *at,
	struct phi_err *err)
{
	for (const struct phi_family_tensor *e = lowered->family->tensors; e->canonical || e->gguf;
		e++) {
		if (!stacked(e))
			continue;
		struct phi_part *const parts = layer->parts[e->role];
		const struct phi_tensor *const like = &lowered->origin->tensors[parts[0].tensor];
		if (make(lowered, e, *like, parts, experts, &lowered->tensors[(*at)++], err) < 0)
			return -1;
	}
	return 0;
}

/* A layer has at least as many expert tensors as stacked ones, so the list shrinks in its place. */
static int
stack(struct phi_model *lowered, const struct phi_hparams *h, struct layer *layers,
	struct phi_err *err)
{
	size_t kept = 0;
	for (size_t i = 0; i < lowered->ntensors; i++) {
		const struct phi_tensor t = lowered->tensors[i];
		const int expert = phi_family_expert(lowered, &t);
		if (expert < 0) {
			lowered->tensors[kept++] = t;
			continue;
		}
		struct layer *const layer = &layers[t.layer];
		layer->parts[t.role][expert] = t.parts[0];
		if (--layer->left == 0 && make_layer(lowered, layer, h->experts, &kept, err) < 0)
			return -1;
	}
	lowered->ntensors = kept;
	return 0;
}

int
phi_family_stack_experts(struct phi_model *lowered, const struct phi_hparams *h, struct phi_err *err)
{
	if (!h->experts)
		return 0;
	struct layer *const layers = phi_calloc(h->layers, sizeof *layers, err);
	const int result = layers && begin_layers(lowered, h, layers, err) == 0
		? stack(lowered, h, layers, err) : -1;
	phi_free(layers);
	return result;
}
