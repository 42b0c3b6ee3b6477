/* The folder:
 *
 *     model.safetensors, or model-00001-of-0000N.safetensors ...
 *     config.json, tokenizer.json ...      the model's side files
 *     model.safetensors.index.json         if there are several: last, since it names the others
 *
 * Shards are cut as huggingface_hub's split_state_dict_into_shards_factory cuts them, the index is
 * spelt as transformers' save_pretrained spells it. */
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

/* The tensors to be written, in the model's order, and the shard each goes to. */
struct layout {
	uint32_t *tensors, *shard;
	size_t count;
	uint32_t nshards;
};

/* Shards are numbered as they close. A tensor larger than a shard has one of its own, at once, and
 * leaves the one being filled open. `shard` first holds the order of opening. */
static int
cut_shards(const struct phi_plan *plan, struct layout *l, struct phi_err *err)
{
	const uint64_t max = plan->options.shard_size ? plan->options.shard_size : shard_default;
	uint64_t filled = 0;
	uint32_t opened = 0, open = PHI_NONE; /* the shard being filled */
	l->shard = phi_arena_calloc(plan->arena, l->count, sizeof *l->shard, err);
	uint32_t *const number = phi_arena_calloc(plan->arena, l->count, sizeof *number, err);
	if (!l->shard || !number)
		return -1;
	for (size_t i = 0; i < l->count; i++) {
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
	for (size_t i = 0; i < l->count; i++)
		l->shard[i] = number[l->shard[i]];
	return 0;
}

static const char *
shard_name(struct phi_plan *plan, const struct layout *l, uint32_t shard, struct phi_err *err)
{
	if (l->nshards == 1)
		return "model.safetensors";
	return phi_arena_printf(plan->arena, err,
		"model-%05" PRIu32 "-of-%05" PRIu32 ".safetensors", shard + 1, l->nshards);
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
add_shards(struct phi_plan *plan, const struct layout *l, struct phi_err *err)
{
	size_t *start;
	const uint32_t *const grouped = group(plan, l, &start, err);
	for (uint32_t s = 0; grouped && s < l->nshards; s++) {
		const char *const name = shard_name(plan, l, s, err);
		if (!name || phi_plan_add_file(plan, name, err) ||
			phi_st_plan_file(plan, plan->nfiles - 1, grouped + start[s],
				start[s + 1] - start[s], err))
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
	for (size_t i = 0; i < l->count; i++) {
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
			phi_buffer_printf(out, err,
				": \"model-%05" PRIu32 "-of-%05" PRIu32 ".safetensors\"",
				map[i].shard + 1, l->nshards))
			return -1;
	return phi_buffer_printf(out, err, "\n  }\n}\n");
}

static int
add_index(struct phi_plan *plan, const struct layout *l, struct phi_err *err)
{
	static const char name[] = "model.safetensors.index.json";
	struct named *const map = phi_calloc(l->count, sizeof *map, err);
	struct phi_buffer text = { 0 };
	if (!map)
		return -1;
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

int
phi_hf_complete(struct phi_plan *plan, struct phi_err *err)
{
	struct layout l = { 0 };
	if (phi_st_plan_choose(plan, &l.tensors, &l.count, err) || cut_shards(plan, &l, err) ||
		add_shards(plan, &l, err) || add_sides(plan, err) ||
		(l.nshards > 1 && add_index(plan, &l, err)))
		return -1;
	if (!phi_model_side(plan->model, "config.json"))
		return phi_model_warn(plan->model, err,
			"there is no config.json: libraries will not know what the model is");
	return 0;
}
