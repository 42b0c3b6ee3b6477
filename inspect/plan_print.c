#include "formats/core/format.h"
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

enum item_column {
	ITEM_MAKING,
	ITEM_TYPES, /* "BF16 -> Q4_K" */
	ITEM_NAME,
	ITEM_FROM,
	ITEM_TO,
	ITEM_FILE,
	ITEM_OFFSET,
	ITEM_SIZE,
	ITEM_WHY,
};

static void
types_cell(const struct phi_type *from, const struct phi_type *to, struct phi_cell *cell)
{
	phi_cell_set_word(cell, to->name);
	if (!from || from == to)
		return;
	snprintf(cell->room, sizeof cell->room, "%s -> %s", from->name, to->name);
	cell->text = cell->room;
}

/* What concerns the item's tensor, if it is one. */
static void
made_cell(const struct phi_plan *plan, const struct phi_item *item, unsigned id, struct phi_cell *cell)
{
	if (item->tensor == PHI_NONE) {
		cell->kind = PHI_CELL_ABSENT;
		return;
	}
	const struct phi_tensor *const t = &plan->model->tensors[item->tensor];
	const struct phi_type *const from = origin_type(plan->model, t);
	if (id == ITEM_TYPES)
		types_cell(from, t->type, cell);
	else if (id == ITEM_WHY)
		phi_cell_set_text(cell, t->why);
	else
		phi_cell_set_word(cell, id == ITEM_TO ? t->type->name : from ? from->name : NULL);
}

static void
item_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct listing *const l = ctx;
	const struct phi_item *const item = &l->plan->items[row];
	switch (id) {
	case ITEM_MAKING:
		phi_cell_set_word(cell, phi_making_name(item->making));
		break;
	case ITEM_NAME:
		phi_cell_set_text(cell, item->name);
		break;
	case ITEM_FILE:
		phi_cell_set_text(cell, file_name(l, item->file));
		break;
	case ITEM_OFFSET:
	case ITEM_SIZE:
		phi_cell_set_number(cell, id == ITEM_SIZE ? item->size : item->offset);
		break;
	default:
		made_cell(l->plan, item, id, cell);
	}
}

static struct phi_table
items_table(const struct listing *l)
{
	static const struct phi_column columns[] = {{ITEM_MAKING, "made_by", "made by", false, NULL, 0},
		{ITEM_TYPES, NULL, "types", false, NULL, 0}, {ITEM_NAME, "name", "name", false, NULL, 0},
		{ITEM_FROM, "from", NULL, false, NULL, 0}, {ITEM_TO, "dtype", NULL, false, NULL, 0},
		{ITEM_FILE, "file", "file", false, NULL, 0},
		{ITEM_OFFSET, "offset", "offset", true, NULL, 0},
		{ITEM_SIZE, "size", "size", true, NULL, 0}, {ITEM_WHY, "why", "why", false, NULL, 0}};
	return (struct phi_table){.columns = columns, .ncolumns = l->options->why ? 9 : 8,
		.rows = l->plan->nitems, .ctx = l, .cell = item_cell, .color = l->options->color};
}

static void
print_text(const struct listing *l, FILE *out)
{
	const struct phi_plan *const plan = l->plan;
	const struct phi_table table = items_table(l);
	struct phi_number memory;
	phi_table_print(&table, out);
	fprintf(out, "%s: %u file%s, %" PRIu64 " bytes, memory %s\n", plan->format->name, plan->nfiles,
		plan->nfiles == 1 ? "" : "s", phi_plan_size(plan), phi_number_bytes(&memory, plan->memory));
}

static int
print_json(const struct listing *l, FILE *out, struct phi_err *err)
{
	const struct phi_table items = items_table(l);
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
	phi_table_emit_member(&e, "items", items);
	phi_emit_member_u64(&e, "total", phi_plan_size(l->plan));
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
choice_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct phi_model *const m = ctx;
	const struct phi_tensor *const t = &m->tensors[row];
	const struct phi_type *const from = origin_type(m, t);
	switch (id) {
	case 0:
		phi_cell_set_text(cell, t->name);
		break;
	case 1:
		phi_cell_set_word(cell, phi_role_name(t->role));
		break;
	case 2:
		phi_cell_set_word(cell, from ? from->name : NULL);
		break;
	case 3:
		phi_cell_set_word(cell, t->type->name);
		break;
	default:
		phi_cell_set_text(cell, t->why);
	}
}

void
phi_explain_print(const struct phi_model *lowered, bool color, FILE *out)
{
	static const struct phi_column columns[] = {{0, "name", "name", false, NULL, 0},
		{1, "role", "role", false, NULL, 0}, {2, "from", "from", false, NULL, 0},
		{3, "dtype", "to", false, NULL, 0}, {4, "why", "why", false, NULL, 0}};
	const struct phi_table table = {.columns = columns, .ncolumns = 5, .rows = lowered->ntensors,
		.ctx = lowered, .cell = choice_cell, .color = color};
	phi_table_print(&table, out);
}
