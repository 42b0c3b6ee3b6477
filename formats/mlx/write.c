/* The folder:
 *
 *     model.safetensors, or model-00001-of-0000N.safetensors ...
 *     config.json, tokenizer.json ...      the model's side files, config.json and README.md rewritten
 *     model.safetensors.index.json         always, last: it names the others
 *
 * A weight of a type of MLX is two or three tensors of the container, in one file. Shards are cut as mlx-lm cuts
 * them: a new one begins where the next weight would make it larger than 5 GiB. */
#include "formats/mlx/card.h"
#include "formats/mlx/config.h"
#include "formats/mlx/mlx.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/core/st_header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t shard_default = UINT64_C(5) << 30;

/* One tensor of a file: a tensor of the model, or a field of it. */
struct plane {
	struct phi_st_entry entry;
	uint32_t tensor, shard;
	int field; /* -1: the whole tensor */
};

struct layout {
	struct phi_plan *plan;
	struct plane *planes; /* in the model's order, then by shard and in the container's order */
	size_t count;
	uint32_t nshards;
	uint64_t bytes, elements;
};

static int
check(const struct phi_plan *plan, uint32_t index, struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[index];
	struct phi_quoted q;
	struct phi_type_fields fields;
	const bool torn = phi_type_fields(t->type, &fields);
	if (torn ? strcmp(fields.format, "mlx") != 0 : !phi_st_type_known(t->type))
		return phi_plan_refuse(plan, index, t->type->class == PHI_CLASS_COMPLEX ? NULL : "MLX8_G32_BF16", err);
	if (torn && (t->rank < 2 || !phi_mlx_path(t->name)))
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: only weights of two dimensions or more are quantized",
			phi_quote(&q, t->name));
	if (!t->name[0] || !phi_utf8_valid(t->name, strlen(t->name)) || !strcmp(t->name, "__metadata__"))
		return phi_fail(err, PHI_UNSUPPORTED, "tensor \"%s\": not a name %s can hold", phi_quote(&q, t->name),
			plan->format->name);
	return 0;
}

/* Field f of a tensor as a tensor of the container: codes as words of 32 bits. */
static int
set_field(struct plane *p, const struct phi_tensor *t, int f, struct phi_arena *arena, struct phi_err *err)
{
	static const char *const suffixes[] = { "weight", "scales", "biases" };
	const uint64_t groups = phi_tensor_row(t) / t->type->elements;
	struct phi_type_fields fields;
	phi_type_fields(t->type, &fields);
	p->field = f;
	p->entry.name = phi_arena_printf(arena, err, "%.*s.%s", (int)phi_mlx_path(t->name), t->name, suffixes[f]);
	if (f) {
		p->entry.type = phi_type_of(fields.bias ? fields.scales : PHI_U8);
		p->entry.shape[t->rank - 1] = groups;
	} else {
		p->entry.type = phi_type_of(PHI_U32);
		p->entry.shape[t->rank - 1] = groups * fields.codes / 4;
		if (groups * fields.codes % 4)
			return phi_fail(err, PHI_UNSUPPORTED, "its rows are no whole words");
	}
	return p->entry.name ? 0 : -1;
}

static int
add_planes(struct layout *l, uint32_t index, struct phi_err *err)
{
	const struct phi_tensor *const t = &l->plan->model->tensors[index];
	const int n = (int)phi_type_nfields(t->type);
	struct phi_quoted q;
	for (int f = n ? 0 : -1; f < n; f++) {
		struct plane *const p = &l->planes[l->count++];
		*p = (struct plane){ .tensor = index, .shard = l->nshards - 1, .field = -1,
			.entry = { .name = t->name, .type = t->type, .rank = t->rank } };
		memcpy(p->entry.shape, t->shape, sizeof p->entry.shape);
		if (f >= 0 && set_field(p, t, f, l->plan->arena, err))
			return phi_context(err, "tensor %s", phi_quote(&q, t->name));
	}
	return 0;
}

static int
gather(struct layout *l, struct phi_err *err)
{
	struct phi_plan *const plan = l->plan;
	const uint64_t max = plan->options.shard_size ? plan->options.shard_size : shard_default;
	uint64_t filled = 0, n;
	l->planes = phi_calloc(plan->model->ntensors * PHI_FIELDS_MAX + 1, sizeof *l->planes, err);
	if (!l->planes)
		return -1;
	for (uint32_t i = 0; i < plan->model->ntensors; i++) {
		if (phi_plan_is_repeated(plan, i))
			continue;
		if (check(plan, i, err))
			return -1;
		if (!l->nshards || filled + plan->bytes[i] > max) {
			l->nshards++;
			filled = 0;
		}
		filled += plan->bytes[i];
		l->bytes += plan->bytes[i];
		if (phi_tensor_elements(&plan->model->tensors[i], &n))
			l->elements += n;
		if (add_planes(l, i, err))
			return -1;
	}
	return 0;
}

static const char *
shard_name(const struct layout *l, uint32_t shard, struct phi_err *err)
{
	if (l->nshards == 1)
		return "model.safetensors";
	return phi_arena_printf(l->plan->arena, err, "model-%05" PRIu32 "-of-%05" PRIu32 ".safetensors", shard + 1,
		l->nshards);
}

/* Its header and the planes, which lie together. */
static int
add_shard(struct layout *l, struct plane *planes, size_t count, struct phi_st_entry *entries, struct phi_err *err)
{
	struct phi_plan *const plan = l->plan;
	const unsigned file = plan->nfiles - 1;
	struct phi_metadata metadata = { 0 };
	struct phi_buffer header = { 0 };
	uint64_t size;
	for (size_t i = 0; i < count; i++) {
		entries[i] = planes[i].entry;
		entries[i].tag = (uint32_t)i;
	}
	phi_st_order(entries, count);
	int result = phi_metadata_add_string(&metadata, plan->arena, "format", "mlx", err) ||
		phi_st_place(entries, count, &size, err) ||
		phi_st_header_build(&header, entries, count, &metadata, err);
	const void *const literal = result ? NULL : phi_arena_copy(plan->arena, header.data, header.size, err);
	result = !literal || phi_plan_add_literal(plan, "header", file, 0, literal, header.size, err);
	for (size_t i = 0; i < count && !result; i++) {
		const struct plane *const p = &planes[entries[i].tag];
		const uint64_t at = header.size + entries[i].begin;
		result = p->field < 0 ? phi_plan_add_tensor(plan, p->tensor, file, at, err)
			: phi_plan_add_field(plan, p->tensor, (unsigned)p->field, p->entry.name, file, at, err);
	}
	phi_buffer_free(&header);
	return result ? -1 : 0;
}

static int
add_shards(struct layout *l, struct phi_err *err)
{
	struct phi_st_entry *const entries = phi_calloc(l->count + 1, sizeof *entries, err);
	int result = entries ? 0 : -1;
	for (size_t at = 0, n; at < l->count && !result; at += n) {
		const uint32_t shard = l->planes[at].shard;
		const char *const name = shard_name(l, shard, err);
		for (n = 0; at + n < l->count && l->planes[at + n].shard == shard;)
			n++;
		result = !name || phi_plan_add_file(l->plan, name, err) ||
			add_shard(l, l->planes + at, n, entries, err) ? -1 : 0;
	}
	phi_free(entries);
	return result;
}

static int
add_text(struct phi_plan *plan, const char *name, const void *data, size_t size, struct phi_err *err)
{
	return phi_plan_add_file(plan, name, err) ||
		phi_plan_add_literal(plan, name, plan->nfiles - 1, 0, data, size, err) ? -1 : 0;
}

/* A text that was built, moved to the arena. */
static int
add_built(struct phi_plan *plan, const char *name, struct phi_buffer *text, int failed, struct phi_err *err)
{
	const void *const data = failed ? NULL : phi_arena_copy(plan->arena, text->data, text->size, err);
	const int result = data ? add_text(plan, name, data, text->size, err) : -1;
	phi_buffer_free(text);
	return result;
}

static int
add_side(struct phi_plan *plan, const struct phi_side *side, struct phi_err *err)
{
	struct phi_buffer text = { 0 };
	struct phi_quoted q;
	for (unsigned f = 0; f < plan->nfiles; f++)
		if (!strcmp(plan->files[f].name, side->name))
			return phi_fail(err, PHI_FORMAT, "side file %s: not the weights' name",
				phi_quote(&q, side->name));
	if (!strcmp(side->name, "config.json"))
		return add_built(plan, side->name, &text, phi_mlx_config_write(plan, side, &text, err), err);
	if (!strcmp(side->name, "README.md"))
		return add_built(plan, side->name, &text,
			phi_mlx_card_write(side, &text, err), err);
	return add_text(plan, side->name, side->data, side->size, err);
}

static int
add_sides(struct phi_plan *plan, struct phi_err *err)
{
	const struct phi_model *const model = plan->model;
	struct phi_buffer text = { 0 };
	for (size_t i = 0; i < model->nsides; i++)
		if (add_side(plan, &model->sides[i], err))
			return -1;
	if (phi_model_side(model, "README.md"))
		return 0;
	return add_built(plan, "README.md", &text, phi_mlx_card_write(NULL, &text, err), err);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct plane *)a)->entry.name, ((const struct plane *)b)->entry.name);
}

static int
spell_index(const struct layout *l, struct phi_buffer *out, struct phi_err *err)
{
	if (phi_buffer_printf(out, err, "{\n    \"metadata\": {\n        \"total_size\": %" PRIu64
		",\n        \"total_parameters\": %" PRIu64 "\n    },\n    \"weight_map\": {", l->bytes, l->elements))
		return -1;
	for (size_t i = 0; i < l->count; i++) {
		const char *const file = shard_name(l, l->planes[i].shard, err), *const name = l->planes[i].entry.name;
		if (!file || phi_buffer_printf(out, err, "%s\n        ", i ? "," : "") ||
			phi_json_append_string(out, name, strlen(name), err) ||
			phi_buffer_printf(out, err, ": \"%s\"", file))
			return -1;
	}
	return phi_buffer_printf(out, err, "\n    }\n}\n");
}

static int
add_index(struct layout *l, struct phi_err *err)
{
	struct phi_buffer text = { 0 };
	if (l->count)
		qsort(l->planes, l->count, sizeof *l->planes, by_name);
	for (size_t i = 1; i < l->count; i++) {
		struct phi_quoted q;
		if (!strcmp(l->planes[i - 1].entry.name, l->planes[i].entry.name))
			return phi_fail(err, PHI_UNSUPPORTED, "tensor %s would be there twice",
				phi_quote(&q, l->planes[i].entry.name));
	}
	return add_built(l->plan, "model.safetensors.index.json", &text, spell_index(l, &text, err), err);
}

int
phi_mlx_complete(struct phi_plan *plan, struct phi_err *err)
{
	struct layout l = { .plan = plan };
	const int result = gather(&l, err) || add_shards(&l, err) || add_sides(plan, err) || add_index(&l, err);
	phi_free(l.planes);
	if (result)
		return -1;
	if (!phi_model_side(plan->model, "config.json"))
		return phi_model_warn(plan->model, err,
			"there is no config.json: mlx-lm will not load the folder");
	return 0;
}
