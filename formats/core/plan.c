#include "formats/core/plan.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/format.h"
#include "formats/core/memory.h"
#include "formats/core/turned.h"

#include <string.h>

static const char *const makings[] = {
	[PHI_MAKE_COPY] = "copy",
	[PHI_MAKE_CONVERT] = "convert",
	[PHI_MAKE_ROWS] = "rows",
	[PHI_MAKE_CONCAT] = "concat",
	[PHI_MAKE_TRANSPOSE] = "transpose",
	[PHI_MAKE_ALIAS] = "alias",
	[PHI_MAKE_LITERAL] = "literal",
	[PHI_MAKE_GENERATE] = "generate",
};

const char *
phi_making_name(enum phi_making making)
{
	return makings[making];
}

static int
measure_tensors(struct phi_plan *plan, struct phi_err *err)
{
	const struct phi_model *const model = plan->model;
	plan->bytes = phi_arena_calloc(plan->arena, model->ntensors, sizeof *plan->bytes, err);
	if (!plan->bytes)
		return -1;
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		struct phi_quoted q;
		if (!phi_tensor_bytes(t, &plan->bytes[i]))
			return phi_fail(err, PHI_ARGUMENT,
				"tensor %s: its rows cannot be stored as %s", phi_quote(&q, t->name),
				t->type->name);
	}
	return 0;
}

/* What the format would not heed is refused, not passed over. */
static int
check_options(const struct phi_plan *plan, struct phi_err *err)
{
	const struct phi_format *const f = plan->format;
	if (!f->complete)
		return phi_fail(err, PHI_UNSUPPORTED, "format %s cannot be written", f->name);
	if ((plan->options.shard_size && !(f->flags & PHI_FORMAT_SHARDS)) ||
		((plan->options.shard_count || plan->options.keep_parts) &&
			!(f->flags & PHI_FORMAT_COUNTED)))
		return phi_fail(err, PHI_ARGUMENT, "%s is not written in files of a %s asked for",
			f->name, plan->options.shard_size ? "size" : "number");
	return 0;
}

struct phi_plan *
phi_plan_new(struct phi_model *lowered, const struct phi_format *format,
	const struct phi_plan_options *options, struct phi_err *err)
{
	struct phi_plan *const plan = phi_calloc(1, sizeof *plan, err);
	if (!plan) {
		phi_model_free(lowered);
		return NULL;
	}
	plan->model = lowered;
	plan->format = format;
	if (options)
		plan->options = *options;
	plan->arena = phi_arena_new(err);
	if (!plan->arena || check_options(plan, err) < 0 || measure_tensors(plan, err) < 0 ||
		format->complete(plan, err) < 0) {
		phi_plan_free(plan);
		return NULL;
	}
	return plan;
}

void
phi_plan_free(struct phi_plan *plan)
{
	if (!plan)
		return;
	phi_free(plan->files);
	phi_free(plan->items);
	phi_arena_free(plan->arena);
	phi_model_free(plan->model);
	phi_free(plan);
}

int
phi_plan_add_file(struct phi_plan *plan, const char *name, struct phi_err *err)
{
	struct phi_planned_file *const files =
		phi_realloc(plan->files, plan->nfiles + 1, sizeof *files, err);
	if (!files)
		return -1;
	plan->files = files;
	files[plan->nfiles++] = (struct phi_planned_file){ .name = name };
	return 0;
}

static int
add_item(struct phi_plan *plan, const struct phi_item *item, struct phi_err *err)
{
	if (phi_grow(&plan->items, &plan->items_capacity, plan->nitems, sizeof *plan->items, err) < 0)
		return -1;
	plan->items[plan->nitems++] = *item;
	struct phi_planned_file *const file = &plan->files[item->file];
	if (file->size < item->offset + item->size)
		file->size = item->offset + item->size;
	return 0;
}

static enum phi_making
making_of(const struct phi_model *model, const struct phi_tensor *t)
{
	if (t->nparts > 1)
		return PHI_MAKE_CONCAT;
	const struct phi_part *const part = &t->parts[0];
	if (part->kind == PHI_PART_LITERAL)
		return PHI_MAKE_LITERAL;
	if (part->kind == PHI_PART_GENERATE)
		return PHI_MAKE_GENERATE;
	if (part->transpose)
		return PHI_MAKE_TRANSPOSE;
	const struct phi_tensor *const from = &model->origin->tensors[part->tensor];
	if (from->rank && (part->row || part->rows != from->shape[0]))
		return PHI_MAKE_ROWS;
	return from->type == t->type ? PHI_MAKE_COPY : PHI_MAKE_CONVERT;
}

int
phi_plan_add_tensor(struct phi_plan *plan, uint32_t tensor, unsigned file, uint64_t offset,
	struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[tensor];
	return add_item(plan, &(struct phi_item){ .making = making_of(plan->model, t),
		.tensor = tensor, .name = t->name, .file = file, .offset = offset,
		.size = plan->bytes[tensor] }, err);
}

/* The places of a tensor's fields. */
static size_t *
places_of(struct phi_plan *plan, uint32_t tensor, struct phi_err *err)
{
	if (!plan->torn)
		plan->torn = phi_arena_calloc(plan->arena, plan->model->ntensors, sizeof *plan->torn, err);
	if (plan->torn && !plan->torn[tensor])
		plan->torn[tensor] = phi_arena_calloc(plan->arena, PHI_FIELDS_MAX, sizeof **plan->torn, err);
	return plan->torn ? plan->torn[tensor] : NULL;
}

uint64_t
phi_plan_field_bytes(const struct phi_plan *plan, uint32_t tensor, unsigned field)
{
	uint64_t bytes;
	return phi_tensor_field_bytes(&plan->model->tensors[tensor], field, &bytes) ? bytes : 0;
}

int
phi_plan_add_field(struct phi_plan *plan, uint32_t tensor, unsigned field, const char *name, unsigned file,
	uint64_t offset, struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[tensor];
	size_t *const places = places_of(plan, tensor, err);
	if (!places)
		return -1;
	places[field] = plan->nitems;
	return add_item(plan, &(struct phi_item){ .making = making_of(plan->model, t), .tensor = tensor,
		.name = name, .file = file, .field = field, .offset = offset,
		.size = phi_plan_field_bytes(plan, tensor, field) }, err);
}

/* 0: it cannot be. */
uint64_t
phi_plan_turned_bytes(const struct phi_plan *plan, uint32_t tensor, unsigned field)
{
	struct phi_turned turned;
	uint64_t bytes;
	return phi_turned_of(&plan->model->tensors[tensor], field, false, &turned) && phi_turned_bytes(&turned, &bytes) ? bytes : 0;
}

int
phi_plan_add_turned(struct phi_plan *plan, uint32_t tensor, unsigned field, bool sign, const char *name,
	unsigned file, uint64_t offset, struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[tensor];
	size_t *const places = places_of(plan, tensor, err);
	if (!places)
		return -1;
	places[field] = plan->nitems;
	return add_item(plan, &(struct phi_item){ .making = making_of(plan->model, t), .tensor = tensor,
		.name = name, .file = file, .field = field, .turned = true, .sign = sign, .offset = offset,
		.size = phi_plan_turned_bytes(plan, tensor, field) }, err);
}

/* A list's copy with room for one more, zero. */
static void *
longer(struct phi_plan *plan, const void *list, size_t n, size_t size, struct phi_err *err)
{
	void *const copy = phi_arena_calloc(plan->arena, n + 1, size, err);
	if (copy && n)
		memcpy(copy, list, n * size);
	return copy;
}

struct phi_tensor *
phi_plan_make_tensor(struct phi_plan *plan, uint64_t bytes, struct phi_err *err)
{
	const size_t n = plan->model->ntensors;
	uint64_t *const sizes = longer(plan, plan->bytes, n, sizeof *sizes, err);
	size_t **const torn = plan->torn && sizes ? longer(plan, plan->torn, n, sizeof *torn, err) : NULL;
	if (!sizes || (plan->torn && !torn))
		return NULL;
	sizes[n] = bytes;
	plan->bytes = sizes;
	plan->torn = torn;
	return phi_model_add_tensor(plan->model, err);
}

int
phi_plan_add_view(struct phi_plan *plan, uint32_t tensor, const struct phi_tensor *view,
	unsigned file, uint64_t offset, struct phi_err *err)
{
	struct phi_tensor *const t = &plan->model->tensors[tensor];
	struct phi_part *const part = phi_arena_alloc(plan->arena, sizeof *part, err);
	uint64_t size;
	if (!part)
		return -1;
	if (!phi_tensor_bytes(view, &size))
		return phi_fail(err, PHI_LIMIT, "the tensors are too large");
	*part = t->parts[0];
	part->view = view;
	part->rows = view->shape[0];
	t->parts = part;
	return add_item(plan, &(struct phi_item){ .making = PHI_MAKE_COPY, .tensor = tensor,
		.name = t->name, .file = file, .offset = offset, .size = size }, err);
}

int
phi_plan_add_literal(struct phi_plan *plan, const char *name, unsigned file, uint64_t offset,
	const void *bytes, uint64_t size, struct phi_err *err)
{
	return add_item(plan, &(struct phi_item){ .making = PHI_MAKE_LITERAL, .tensor = PHI_NONE,
		.name = name, .file = file, .offset = offset, .size = size, .literal = bytes }, err);
}

int
phi_plan_refuse(const struct phi_plan *plan, uint32_t tensor, const char *nearest,
	struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[tensor];
	struct phi_quoted q;
	return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: %s cannot hold %s; %s%s",
		phi_quote(&q, t->name), plan->format->name, t->type->name,
		nearest ? "the nearest it can is " : "--exclude leaves a tensor out",
		nearest ? nearest : "");
}

bool
phi_plan_is_repeated(const struct phi_plan *plan, uint32_t tensor)
{
	const struct phi_model *const model = plan->model;
	const struct phi_tensor *const t = &model->tensors[tensor];
	return t->alias != PHI_NONE && t->alias < model->ntensors &&
		model->tensors[t->alias].type == t->type;
}

/* The names of side files or keys, joined by commas; cut where that gets long. */
static int
list_left_out(const struct phi_model *model, struct phi_buffer *list, struct phi_err *err)
{
	const size_t n = model->nsides ? model->nsides : model->metadata.count;
	for (size_t i = 0; i < n; i++) {
		struct phi_quoted q;
		if (list->size >= 200)
			return phi_buffer_printf(list, err, ", ...");
		if (phi_buffer_printf(list, err, "%s%s", i ? ", " : "",
			    phi_quote(&q, model->nsides ? model->sides[i].name
							: model->metadata.items[i].key)))
			return -1;
	}
	return 0;
}

int
phi_plan_warn_left_out(struct phi_plan *plan, bool strings, struct phi_err *err)
{
	struct phi_model *const model = plan->model;
	const struct phi_metadata *const metadata = &model->metadata;
	struct phi_buffer list = { 0 };
	/* What a safetensors file says of itself is not worth a word. */
	const bool plain = metadata->count == 1 && phi_metadata_only_strings(metadata) &&
			   !strcmp(metadata->items[0].key, "format");
	if (!model->nsides && (plain || !metadata->count ||
				      (strings && phi_metadata_only_strings(metadata))))
		return 0;
	int result = list_left_out(model, &list, err);
	if (!result)
		result = phi_model_warn(model, err, "left out, as %s has no place for %s: %.*s",
			plan->format->name, model->nsides ? "files" : "such metadata",
			(int)list.size, (const char *)list.data);
	phi_buffer_free(&list);
	return result;
}

uint64_t
phi_plan_size(const struct phi_plan *plan)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < plan->nfiles; i++)
		sum += plan->files[i].size;
	return sum;
}

uint64_t
phi_plan_bytes(const struct phi_plan *plan)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < plan->nitems; i++)
		if (plan->items[i].tensor != PHI_NONE && plan->items[i].making != PHI_MAKE_ALIAS)
			sum += plan->items[i].size;
	return sum;
}
