/* The folder:
 *
 *     model.safetensors, or model-00001-of-0000N.safetensors ...
 *     config.json, tokenizer.json ...      the model's side files
 *     model.safetensors.index.json         if there are several: last, since it names the others
 *
 * With pickles it is pytorch_model.bin, pytorch_model-00001-of-0000N.bin, pytorch_model.bin.index.json.
 * Shards are cut as huggingface_hub's split_state_dict_into_shards_factory cuts them, the index is
 * spelt as transformers' save_pretrained spells it. Tied tensors are left out of safetensors, which share
 * nothing; in pickles they come last in the shard that has their bytes, and count once. */
#include "formats/hf/write.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/core/st_plan.h"
#include "formats/hf/retype.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t shard_default = UINT64_C(5000000000);

/* What the files are called and who lays them out. */
struct kind {
	const char *stem, *suffix;
	bool pickles;
};

static const struct kind safetensors = { "model", ".safetensors", false };
static const struct kind pickles = { "pytorch_model", ".bin", true };

/* The tensors to be written: those with bytes of their own in the model's order, then those that are
 * tied to one of them; and the shard each goes to. */
struct layout {
	const struct kind *kind;
	uint32_t *tensors, *shard;
	size_t count, own;
	uint32_t nshards;
	const char **names; /* of the shards */
};

/* Shards are numbered as they close. A tensor larger than a shard has one of its own, at once, and
 * leaves the one being filled open. `shard` first holds the order of opening. */
static int
cut_shards(const struct phi_plan *plan, struct layout *l, struct phi_err *err)
{
	const uint64_t max = plan->options.shard_size ? plan->options.shard_size : shard_default;
	uint64_t filled = 0;
	uint32_t opened = 0, open = PHI_NONE; /* the shard being filled */
	uint32_t *const number = phi_arena_calloc(plan->arena, l->own, sizeof *number, err);
	if (!number)
		return -1;
	for (size_t i = 0; i < l->own; i++) {
		const uint64_t bytes = plan->bytes[l->tensors[i]];
		if (bytes > max) {
			number[opened] = l->nshards++;
			l->shard[i] = opened++;
			continue;
		}
		if (open != PHI_NONE && bytes > max - filled) {
			number[open] = l->nshards++;
			open = PHI_NONE;
		}
		if (open == PHI_NONE) {
			open = opened++;
			filled = 0;
		}
		l->shard[i] = open;
		filled += bytes;
	}
	if (open != PHI_NONE || !l->nshards) {
		if (open != PHI_NONE)
			number[open] = l->nshards;
		l->nshards++;
	}
	for (size_t i = 0; i < l->own; i++)
		l->shard[i] = number[l->shard[i]];
	return 0;
}

/* Tied tensors go where their bytes are. */
static int
follow_ties(const struct phi_plan *plan, struct layout *l, struct phi_err *err)
{
	const struct phi_model *const model = plan->model;
	uint32_t *const shard_of = phi_calloc(model->ntensors, sizeof *shard_of, err);
	if (!shard_of)
		return -1;
	for (size_t i = 0; i < l->own; i++)
		shard_of[l->tensors[i]] = l->shard[i];
	for (size_t i = l->own; i < l->count; i++)
		l->shard[i] = shard_of[model->tensors[l->tensors[i]].alias];
	phi_free(shard_of);
	return 0;
}

/* All tensors, for pickles: the tied ones last. */
static int
choose_all(struct phi_plan *plan, struct layout *l, struct phi_err *err)
{
	const uint32_t n = (uint32_t)plan->model->ntensors;
	l->tensors = phi_arena_calloc(plan->arena, n, sizeof *l->tensors, err);
	if (!l->tensors)
		return -1;
	for (int tied = 0; tied < 2; tied++) {
		for (uint32_t i = 0; i < n; i++)
			if (phi_plan_is_repeated(plan, i) == tied)
				l->tensors[l->count++] = i;
		l->own = tied ? l->own : l->count;
	}
	return 0;
}

static int
choose(struct phi_plan *plan, struct layout *l, struct phi_err *err)
{
	if (l->kind->pickles ? choose_all(plan, l, err)
			     : phi_st_plan_choose(plan, &l->tensors, &l->count, err))
		return -1;
	if (!l->kind->pickles)
		l->own = l->count;
	l->shard = phi_arena_calloc(plan->arena, l->count, sizeof *l->shard, err);
	return l->shard ? 0 : -1;
}

static int
plan_weights(struct phi_plan *plan, const struct layout *l, const uint32_t *tensors, size_t count,
	struct phi_err *err)
{
	const unsigned file = plan->nfiles - 1;
	const struct phi_registry *const registry = plan->options.registry;
	if (!l->kind->pickles)
		return phi_st_plan_file(plan, file, tensors, count, err);
	if (!registry)
		return phi_fail(err, PHI_ARGUMENT, "nobody is there to write pickles");
	return registry->plan_file("pytorch", plan, file, tensors, count, err);
}

static const char *
shard_name(struct phi_plan *plan, const struct layout *l, uint32_t shard, struct phi_err *err)
{
	const struct kind *const k = l->kind;
	if (l->nshards == 1)
		return phi_arena_printf(plan->arena, err, "%s%s", k->stem, k->suffix);
	return phi_arena_printf(plan->arena, err, "%s-%05" PRIu32 "-of-%05" PRIu32 "%s", k->stem,
		shard + 1, l->nshards, k->suffix);
}

/* The tensors grouped by shard, in the model's order within it; start[s] is where shard s begins.
 */
static uint32_t *
group(struct phi_plan *plan, const struct layout *l, size_t **start, struct phi_err *err)
{
	uint32_t *const grouped = phi_arena_calloc(plan->arena, l->count, sizeof *grouped, err);
	size_t *const at = phi_arena_calloc(plan->arena, l->nshards + 2, sizeof *at, err);
	if (!grouped || !at)
		return NULL;
	for (size_t i = 0; i < l->count; i++)
		at[l->shard[i] + 2]++;
	for (uint32_t s = 0; s < l->nshards; s++)
		at[s + 2] += at[s + 1];
	for (size_t i = 0; i < l->count; i++)
		grouped[at[l->shard[i] + 1]++] = l->tensors[i];
	*start = at;
	return grouped;
}

static int
add_shards(struct phi_plan *plan, struct layout *l, struct phi_err *err)
{
	size_t *start;
	const uint32_t *const grouped = group(plan, l, &start, err);
	l->names = phi_arena_calloc(plan->arena, l->nshards, sizeof *l->names, err);
	if (!l->names)
		return -1;
	for (uint32_t s = 0; grouped && s < l->nshards; s++) {
		l->names[s] = shard_name(plan, l, s, err);
		if (!l->names[s] || phi_plan_add_file(plan, l->names[s], err) ||
			plan_weights(plan, l, grouped + start[s], start[s + 1] - start[s], err))
			return -1;
	}
	return grouped ? 0 : -1;
}

static int
add_sides(struct phi_plan *plan, struct phi_err *err)
{
	const struct phi_model *const model = plan->model;
	for (size_t i = 0; i < model->nsides; i++) {
		const struct phi_side *const side = &model->sides[i];
		struct phi_quoted q;
		for (unsigned f = 0; f < plan->nfiles; f++)
			if (!strcmp(plan->files[f].name, side->name))
				return phi_fail(err, PHI_FORMAT,
					"side file %s: not the weights' name",
					phi_quote(&q, side->name));
		const void *data = side->data;
		size_t size = side->size;
		if (!strcmp(side->name, "config.json") &&
			phi_hf_retype(model, side, plan->arena, &data, &size, err))
			return -1;
		if (phi_plan_add_file(plan, side->name, err) ||
			phi_plan_add_literal(
				plan, side->name, plan->nfiles - 1, 0, data, size, err))
			return -1;
	}
	return 0;
}

struct named {
	const char *name;
	uint32_t shard;
};

static int
by_name(const void *a, const void *b)
{
	const struct named *const x = a, *const y = b;
	return strcmp(x->name, y->name);
}

static int
spell_index(struct phi_plan *plan, const struct layout *l, const struct named *map,
	struct phi_buffer *out, struct phi_err *err)
{
	uint64_t bytes = 0, elements = 0, n;
	for (size_t i = 0; i < l->own; i++) {
		bytes += plan->bytes[l->tensors[i]];
		if (phi_tensor_elements(&plan->model->tensors[l->tensors[i]], &n))
			elements += n;
	}
	if (phi_buffer_printf(out, err,
		    "{\n  \"metadata\": {\n    \"total_parameters\": %" PRIu64
		    ",\n    \"total_size\": %" PRIu64 "\n  },\n  \"weight_map\": {",
		    elements, bytes))
		return -1;
	for (size_t i = 0; i < l->count; i++)
		if (phi_buffer_printf(out, err, "%s\n    ", i ? "," : "") ||
			phi_json_append_string(out, map[i].name, strlen(map[i].name), err) ||
			phi_buffer_printf(out, err, ": \"%s\"", l->names[map[i].shard]))
			return -1;
	return phi_buffer_printf(out, err, "\n  }\n}\n");
}

static int
add_index(struct phi_plan *plan, const struct layout *l, struct phi_err *err)
{
	const char *const name = phi_arena_printf(plan->arena, err, "%s%s.index.json",
		l->kind->stem, l->kind->suffix);
	struct named *const map = phi_calloc(l->count, sizeof *map, err);
	struct phi_buffer text = { 0 };
	if (!name || !map) {
		phi_free(map);
		return -1;
	}
	for (size_t i = 0; i < l->count; i++)
		map[i] = (struct named){ plan->model->tensors[l->tensors[i]].name, l->shard[i] };
	qsort(map, l->count, sizeof *map, by_name);
	int result = spell_index(plan, l, map, &text, err);
	const char *const literal =
		result ? NULL : phi_arena_copy(plan->arena, text.data, text.size, err);
	result = !literal || phi_plan_add_file(plan, name, err) ||
				 phi_plan_add_literal(
					 plan, name, plan->nfiles - 1, 0, literal, text.size, err)
			 ? -1
			 : 0;
	phi_free(map);
	phi_buffer_free(&text);
	return result;
}

static int
complete(struct phi_plan *plan, const struct kind *kind, struct phi_err *err)
{
	struct layout l = { .kind = kind };
	if (choose(plan, &l, err) || cut_shards(plan, &l, err) || follow_ties(plan, &l, err) ||
		add_shards(plan, &l, err) || add_sides(plan, err) ||
		(l.nshards > 1 && add_index(plan, &l, err)))
		return -1;
	if (!phi_model_side(plan->model, "config.json"))
		return phi_model_warn(plan->model, err,
			"there is no config.json: libraries will not know what the model is");
	return 0;
}

int
phi_hf_complete(struct phi_plan *plan, struct phi_err *err)
{
	return complete(plan, &safetensors, err);
}

int
phi_hf_bin_complete(struct phi_plan *plan, struct phi_err *err)
{
	return complete(plan, &pickles, err);
}
