#include "formats/core/st_plan.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/st_header.h"

#include <string.h>

struct phi_model *
phi_st_lower(
	const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err)
{
	struct phi_model *const lowered = phi_model_lower_same(model, err);
	(void)options;
	if (!lowered)
		return NULL;
	for (size_t i = 0; i < lowered->ntensors; i++) {
		struct phi_tensor *const t = &lowered->tensors[i];
		t->name = t->canonical ? t->canonical : t->name;
		t->type = t->native ? t->native : t->type;
	}
	lowered->view = "canonical";
	return lowered;
}

static int
check_tensor(const struct phi_plan *plan, uint32_t index, struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[index];
	struct phi_quoted q;
	if (!phi_st_type_known(t->type))
		return phi_plan_refuse(
			plan, index, t->type->class == PHI_CLASS_COMPLEX ? NULL : "F16", err);
	if (!t->name[0] || !phi_utf8_valid(t->name, strlen(t->name)) ||
		!strcmp(t->name, "__metadata__"))
		return phi_fail(err, PHI_UNSUPPORTED, "tensor \"%s\": not a name %s can hold",
			phi_quote(&q, t->name), plan->format->name);
	return 0;
}

int
phi_st_plan_choose(struct phi_plan *plan, uint32_t **tensors, size_t *count, struct phi_err *err)
{
	struct phi_model *const model = plan->model;
	*count = 0;
	*tensors = phi_arena_calloc(plan->arena, model->ntensors, sizeof **tensors, err);
	if (!*tensors)
		return -1;
	for (uint32_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		struct phi_quoted a, b;
		if (!phi_plan_is_repeated(plan, i)) {
			if (check_tensor(plan, i, err))
				return -1;
			(*tensors)[(*count)++] = i;
		} else if (phi_model_warn(model, err, "tensor %s is left out: it is tied to %s",
				   phi_quote(&a, t->name),
				   phi_quote(&b, model->tensors[t->alias].name))) {
			return -1;
		}
	}
	return 0;
}

/* The key under which an item stands in __metadata__, or NULL: it does not. */
static const char *
carried_key(const struct phi_meta *meta, bool all)
{
	static const char prefix[] = PHI_ST_METADATA;
	if (meta->value.kind != PHI_VALUE_STRING)
		return NULL;
	if (!strncmp(meta->key, prefix, strlen(prefix)))
		return meta->key + strlen(prefix);
	return all ? meta->key : NULL;
}

/* The __metadata__ to be. Libraries complain about a file without a format. */
static int
gather_metadata(struct phi_plan *plan, struct phi_metadata *out, struct phi_err *err)
{
	const struct phi_metadata *const from = &plan->model->metadata;
	const bool all = phi_metadata_only_strings(from);
	bool format = false;
	for (size_t i = 0; i < from->count; i++) {
		const char *const key = carried_key(&from->items[i], all);
		format = format || (key && !strcmp(key, "format"));
	}
	if (!format && phi_metadata_add_string(out, plan->arena, "format", "pt", err))
		return -1;
	for (size_t i = 0; i < from->count; i++) {
		const char *const key = carried_key(&from->items[i], all);
		if (key && phi_metadata_add(out, plan->arena, key, from->items[i].value, err))
			return -1;
	}
	return 0;
}

static struct phi_st_entry *
make_entries(
	const struct phi_plan *plan, const uint32_t *tensors, size_t count, struct phi_err *err)
{
	struct phi_st_entry *const entries = phi_calloc(count, sizeof *entries, err);
	for (size_t i = 0; entries && i < count; i++) {
		const struct phi_tensor *const t = &plan->model->tensors[tensors[i]];
		entries[i] = (struct phi_st_entry){
			.name = t->name, .type = t->type, .rank = t->rank, .tag = tensors[i]
		};
		memcpy(entries[i].shape, t->shape, sizeof entries[i].shape);
	}
	return entries;
}

static int
add_items(struct phi_plan *plan, unsigned file, const struct phi_st_entry *entries, size_t count,
	const struct phi_buffer *header, struct phi_err *err)
{
	const char *const literal = phi_arena_copy(plan->arena, header->data, header->size, err);
	if (!literal || phi_plan_add_literal(plan, "header", file, 0, literal, header->size, err))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (phi_plan_add_tensor(
			    plan, entries[i].tag, file, header->size + entries[i].begin, err))
			return -1;
	return 0;
}

int
phi_st_plan_file(struct phi_plan *plan, unsigned file, const uint32_t *tensors, size_t count,
	struct phi_err *err)
{
	struct phi_st_entry *const entries = make_entries(plan, tensors, count, err);
	struct phi_buffer header = { 0 };
	struct phi_metadata metadata = { 0 };
	uint64_t data_size;
	int result = entries ? gather_metadata(plan, &metadata, err) : -1;
	if (!result) {
		phi_st_order(entries, count);
		result = phi_st_place(entries, count, &data_size, err) ||
					 phi_st_header_build(
						 &header, entries, count, &metadata, err) ||
					 add_items(plan, file, entries, count, &header, err)
				 ? -1
				 : 0;
	}
	phi_free(entries);
	phi_buffer_free(&header);
	return result;
}
