#include "formats/core/escape.h"
#include "formats/core/format.h"
#include "inspect/emit.h"
#include "inspect/inspect.h"
#include "inspect/number.h"
#include "inspect/table.h"

#include <inttypes.h>
#include <string.h>

struct listing {
	const struct phi_plan *plan;
	const struct phi_plan_print_options *options;
};

/* The type a tensor of a lowered model comes from: its first part's, or NULL. */
static const struct phi_type *
origin_type(const struct phi_model *model, const struct phi_tensor *t)
{
	if (!t->nparts || t->parts[0].kind != PHI_PART_TENSOR || !model->origin)
		return NULL;
	return model->origin->tensors[t->parts[0].tensor].type;
}

static const char *
file_name(const struct listing *l, unsigned file)
{
	const char *const name = l->plan->files[file].name;
	return name ? name : l->options->output ? l->options->output : "-";
}

static void
types_text(const struct phi_plan *plan, const struct phi_item *item, char *dst)
{
	if (item->tensor == PHI_NONE)
		return;
	const struct phi_tensor *const t = &plan->model->tensors[item->tensor];
	const struct phi_type *const from = origin_type(plan->model, t);
	if (from && from != t->type)
		snprintf(dst, PHI_TABLE_CELL, "%s -> %s", from->name, t->type->name);
	else
		snprintf(dst, PHI_TABLE_CELL, "%s", t->type->name);
}

static void
item_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct listing *const l = ctx;
	const struct phi_item *const item = &l->plan->items[row];
	const char *text;
	switch (column) {
	case 0:
		strcpy(dst, phi_making_name(item->making));
		break;
	case 1:
		types_text(l->plan, item, dst);
		break;
	case 2:
		phi_escape(dst, PHI_TABLE_CELL, item->name, strlen(item->name));
		break;
	case 3:
		text = file_name(l, item->file);
		phi_escape(dst, PHI_TABLE_CELL, text, strlen(text));
		break;
	case 4:
		snprintf(dst, PHI_TABLE_CELL, "%" PRIu64, item->offset);
		break;
	case 5:
		snprintf(dst, PHI_TABLE_CELL, "%" PRIu64, item->size);
		break;
	default:
		if (item->tensor != PHI_NONE && l->plan->model->tensors[item->tensor].why)
			phi_escape(dst, PHI_TABLE_CELL, l->plan->model->tensors[item->tensor].why,
				strlen(l->plan->model->tensors[item->tensor].why));
	}
}

static uint64_t
total_of(const struct phi_plan *plan)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < plan->nfiles; i++)
		total += plan->files[i].size;
	return total;
}

static void
print_text(const struct listing *l, FILE *out)
{
	static const struct phi_column columns[] = {{"made by", false}, {"types", false},
		{"name", false}, {"file", false}, {"offset", true}, {"size", true}, {"why", false}};
	const struct phi_plan *const plan = l->plan;
	const struct phi_table table = {.columns = columns, .ncolumns = l->options->why ? 7 : 6,
		.rows = plan->nitems, .ctx = l, .cell = item_cell, .indent = "",
		.color = l->options->color};
	struct phi_number memory;
	phi_table_print(&table, out);
	fprintf(out, "%s: %u file%s, %" PRIu64 " bytes, memory %s\n", plan->format->name, plan->nfiles,
		plan->nfiles == 1 ? "" : "s", total_of(plan), phi_number_bytes(&memory, plan->memory));
}

static void
emit_item(struct phi_emit *e, const struct listing *l, const struct phi_item *item)
{
	const struct phi_tensor *const t =
		item->tensor == PHI_NONE ? NULL : &l->plan->model->tensors[item->tensor];
	const struct phi_type *const from = t ? origin_type(l->plan->model, t) : NULL;
	phi_emit_open(e, '{');
	phi_emit_member(e, "made_by", phi_making_name(item->making));
	phi_emit_member(e, "name", item->name);
	if (t) {
		phi_emit_member(e, "from", from ? from->name : NULL);
		phi_emit_member(e, "dtype", t->type->name);
	}
	phi_emit_member(e, "file", file_name(l, item->file));
	phi_emit_member_u64(e, "offset", item->offset);
	phi_emit_member_u64(e, "size", item->size);
	if (t && l->options->why)
		phi_emit_member(e, "why", t->why);
	phi_emit_close(e, '}');
}

static int
print_json(const struct listing *l, FILE *out, struct phi_err *err)
{
	struct phi_emit e;
	phi_emit_begin(&e, out, 2);
	phi_emit_open(&e, '{');
	phi_emit_member(&e, "format", l->plan->format->name);
	phi_emit_member(&e, "recipe", l->plan->model->recipe);
	phi_emit_key(&e, "files");
	phi_emit_open(&e, '[');
	for (unsigned i = 0; i < l->plan->nfiles; i++) {
		phi_emit_open(&e, '{');
		phi_emit_member(&e, "name", file_name(l, i));
		phi_emit_member_u64(&e, "size", l->plan->files[i].size);
		phi_emit_close(&e, '}');
	}
	phi_emit_close(&e, ']');
	phi_emit_key(&e, "items");
	phi_emit_open(&e, '[');
	for (size_t i = 0; i < l->plan->nitems; i++)
		emit_item(&e, l, &l->plan->items[i]);
	phi_emit_close(&e, ']');
	phi_emit_member_u64(&e, "total", total_of(l->plan));
	phi_emit_member_u64(&e, "memory", l->plan->memory);
	phi_emit_close(&e, '}');
	return phi_emit_finish(&e, err);
}

int
phi_plan_print(const struct phi_plan *plan, const struct phi_plan_print_options *options, FILE *out,
	struct phi_err *err)
{
	const struct listing l = {plan, options};
	if (options->json)
		return print_json(&l, out, err);
	print_text(&l, out);
	return 0;
}

static void
choice_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct phi_model *const m = ctx;
	const struct phi_tensor *const t = &m->tensors[row];
	const struct phi_type *const from = origin_type(m, t);
	switch (column) {
	case 0:
		phi_escape(dst, PHI_TABLE_CELL, t->name, strlen(t->name));
		break;
	case 1:
		strcpy(dst, phi_role_name(t->role));
		break;
	case 2:
		strcpy(dst, from ? from->name : "");
		break;
	case 3:
		strcpy(dst, t->type->name);
		break;
	default:
		if (t->why)
			phi_escape(dst, PHI_TABLE_CELL, t->why, strlen(t->why));
	}
}

void
phi_explain_print(const struct phi_model *lowered, bool color, FILE *out)
{
	static const struct phi_column columns[] = {{"name", false}, {"role", false},
		{"from", false}, {"to", false}, {"why", false}};
	const struct phi_table table = {.columns = columns, .ncolumns = 5, .rows = lowered->ntensors,
		.ctx = lowered, .cell = choice_cell, .indent = "", .color = color};
	phi_table_print(&table, out);
}
