#include "inspect/diff_table.h"

#include "inspect/module.h"

#include <inttypes.h>
#include <string.h>

enum pair_column {
	PAIR_NAME,
	PAIR_STATE,
	PAIR_TYPES,
	PAIR_TYPE_A,
	PAIR_TYPE_B,
	PAIR_SHAPE,   /* of both, or of a */
	PAIR_SHAPE_A, /* text: only where there is an a */
	PAIR_SHAPE_B,
	PAIR_SHAPE_OTHER, /* of b, where it is another one */
	PAIR_LAYER,
	PAIR_MODULE,
	PAIR_MAX_ABS,
	PAIR_MAX_AT,
	PAIR_RMSE,
	PAIR_RELATIVE,
	PAIR_SQNR,
	PAIR_COSINE,
	PAIR_WEIGHTED_RMSE,
	PAIR_WEIGHTED_SQNR,
	PAIR_NONFINITE,
	PAIR_WHAT,
	PAIR_STATS_A = PHI_STATS_COLUMN,
	PAIR_STATS_B = PHI_STATS_COLUMN + PHI_STATS_COLUMNS,
};

static void
type_cell(const struct phi_tensor *a, const struct phi_tensor *b, unsigned id, struct phi_cell *cell)
{
	const char *const x = a ? a->type->name : NULL, *const y = b ? b->type->name : NULL;
	if (id == PAIR_TYPES) {
		cell->kind = PHI_CELL_WORDS;
		cell->words[0] = x;
		cell->words[1] = y;
	} else {
		phi_cell_set_word(cell, id == PAIR_TYPE_A ? x : y);
	}
}

static void
shape_cell(const struct phi_tensor *a, const struct phi_tensor *b, const struct phi_pair *pair,
	unsigned id, struct phi_cell *cell)
{
	const struct phi_tensor *const t = id == PAIR_SHAPE ? (a ? a : b) : id == PAIR_SHAPE_A ? a : b;
	if (t)
		phi_cell_set_shape(cell, t);
	if (id == PAIR_SHAPE_OTHER && pair->state != PHI_PAIR_SHAPE)
		cell->kind = PHI_CELL_ABSENT;
}

static void
module_cell(const char *name, unsigned id, struct phi_cell *cell)
{
	const int layer = phi_module_name(name, 0, cell->room, sizeof cell->room);
	if (id == PAIR_MODULE)
		phi_cell_set_text(cell, cell->room);
	else if (layer >= 0)
		phi_cell_set_number(cell, (uint64_t)layer);
	else
		cell->kind = PHI_CELL_ABSENT;
}

/* With --imatrix; of a pair that it does not know, null. */
static void
weighted_cell(const struct phi_pair *pair, bool asked, unsigned id, struct phi_cell *cell)
{
	const struct phi_distance *const d = &pair->distance;
	if (!asked || pair->state < PHI_PAIR_DIFFERS || d->undecoded)
		cell->kind = PHI_CELL_ABSENT;
	else if (pair->importance)
		phi_cell_set_real(cell, id == PAIR_WEIGHTED_RMSE ? phi_distance_weighted_rmse(d)
								: phi_distance_weighted_sqnr(d));
}

static void
distance_cell(const struct phi_pair *pair, unsigned id, struct phi_cell *cell)
{
	const struct phi_distance *const d = &pair->distance;
	if (pair->state < PHI_PAIR_DIFFERS || d->undecoded) {
		cell->kind = PHI_CELL_ABSENT;
		return;
	}
	switch (id) {
	case PAIR_MAX_ABS:
		phi_cell_set_real(cell, d->max_abs);
		break;
	case PAIR_MAX_AT:
		phi_cell_set_number(cell, d->max_at);
		break;
	case PAIR_RMSE:
		phi_cell_set_real(cell, phi_distance_rmse(d));
		break;
	case PAIR_RELATIVE:
		phi_cell_set_real(cell, phi_distance_relative(d));
		break;
	case PAIR_SQNR:
		phi_cell_set_real(cell, phi_distance_sqnr(d));
		break;
	case PAIR_COSINE:
		phi_cell_set_real(cell, phi_distance_cosine(d));
		break;
	default:
		phi_cell_set_number(cell, d->strange);
	}
}

static void
what_cell(const struct phi_pair *pair, struct phi_cell *cell)
{
	phi_cell_set_word(cell, phi_pair_state_name(pair->state));
	if (pair->distance.strange) {
		snprintf(cell->room, sizeof cell->room, "NaN or infinite on one side: %" PRIu64,
			pair->distance.strange);
		cell->text = cell->room;
	} else if (pair->distance.undecoded && pair->state >= PHI_PAIR_DIFFERS) {
		cell->text = "compared byte by byte";
	}
}

static void
stats_cell(const struct phi_pair *pair, unsigned id, struct phi_cell *cell)
{
	const unsigned side = id >= PAIR_STATS_B;
	if (pair->stats)
		phi_stats_cell(&pair->stats[side], id - side * PHI_STATS_COLUMNS, cell);
}

static void
pair_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct phi_pairs_view *const v = ctx;
	const struct phi_comparison *const c = v->view->c;
	const struct phi_pair *const pair = &c->pairs[v->first + row];
	const struct phi_tensor *const a = phi_pair_tensor(c, pair, 0);
	const struct phi_tensor *const b = phi_pair_tensor(c, pair, 1);
	if (id == PAIR_NAME)
		phi_cell_set_text(cell, phi_pair_name(c, pair));
	else if (id == PAIR_STATE)
		phi_cell_set_word(cell, phi_pair_state_name(pair->state));
	else if (id >= PAIR_TYPES && id <= PAIR_TYPE_B)
		type_cell(a, b, id, cell);
	else if (id >= PAIR_SHAPE && id <= PAIR_SHAPE_OTHER)
		shape_cell(a, b, pair, id, cell);
	else if (id == PAIR_LAYER || id == PAIR_MODULE)
		module_cell(phi_pair_name(c, pair), id, cell);
	else if (id == PAIR_WHAT)
		what_cell(pair, cell);
	else if (id == PAIR_WEIGHTED_RMSE || id == PAIR_WEIGHTED_SQNR)
		weighted_cell(pair, c->options->importance != NULL, id, cell);
	else if (id >= PHI_STATS_COLUMN)
		stats_cell(pair, id, cell);
	else
		distance_cell(pair, id, cell);
}

static const char *
paint(const void *ctx, size_t row)
{
	const struct phi_pairs_view *const v = ctx;
	const enum phi_pair_state state = v->view->c->pairs[v->first + row].state;
	return state <= PHI_PAIR_DIFFERS ? "\033[31m" : state == PHI_PAIR_WITHIN ? "\033[33m" : NULL;
}

/* Those of JSON and CSV, and of text for each kind of table. */
static const struct phi_column data_columns[] = {{PAIR_NAME, "name", NULL, false, NULL, 0},
	{PAIR_STATE, "state", NULL, false, NULL, 0},
	{PAIR_TYPES, "dtype", NULL, false, NULL, PHI_COLUMN_JSON},
	{PAIR_TYPE_A, "dtype_a", NULL, false, NULL, PHI_COLUMN_CSV},
	{PAIR_TYPE_B, "dtype_b", NULL, false, NULL, PHI_COLUMN_CSV},
	{PAIR_SHAPE, "shape", NULL, false, NULL, 0}, {PAIR_SHAPE_OTHER, "shape_b", NULL, false, NULL, 0},
	{PAIR_LAYER, "layer", NULL, true, NULL, 0}, {PAIR_MODULE, "module", NULL, false, NULL, 0},
	{PAIR_MAX_ABS, "max_abs", NULL, true, NULL, 0},
	{PAIR_MAX_AT, "max_at", NULL, true, NULL, 0}, {PAIR_RMSE, "rmse", NULL, true, NULL, 0},
	{PAIR_RELATIVE, "rel", NULL, true, NULL, 0}, {PAIR_SQNR, "sqnr", NULL, true, NULL, 0},
	{PAIR_COSINE, "cosine", NULL, true, NULL, 0},
	{PAIR_NONFINITE, "nonfinite", NULL, true, NULL, 0}};
/* With --imatrix, of data and text alike. */
static const struct phi_column weighted_columns[] = {
	{PAIR_WEIGHTED_RMSE, "weighted_rmse", "weighted rmse", true, "%.3g", 0},
	{PAIR_WEIGHTED_SQNR, "weighted_sqnr", "weighted dB", true, "%.2f", 0}};
static const struct phi_column lost_columns[] = {{PAIR_NAME, NULL, "name", false, NULL, 0},
	{PAIR_TYPES, NULL, "type", false, NULL, 0}, {PAIR_SHAPE_A, NULL, "a", false, NULL, 0},
	{PAIR_SHAPE_B, NULL, "b", false, NULL, 0}, {PAIR_WHAT, NULL, "what", false, NULL, 0}};
static const struct phi_column apart_columns[] = {{PAIR_NAME, NULL, "name", false, NULL, 0},
	{PAIR_TYPES, NULL, "types", false, NULL, 0},
	{PAIR_MAX_ABS, NULL, "max abs", true, "%.3g", 0}, {PAIR_RMSE, NULL, "rmse", true, "%.3g", 0},
	{PAIR_RELATIVE, NULL, "rel rmse", true, "%.3g", 0},
	{PAIR_SQNR, NULL, "SQNR dB", true, "%.2f", 0},
	{PAIR_COSINE, NULL, "cosine", true, "%.6f", 0}, {PAIR_WHAT, NULL, "what", false, NULL, 0}};
static const struct phi_column stats_columns[] = {{PAIR_NAME, NULL, "name", false, NULL, 0},
	{PAIR_STATS_A, "min_a", "min a", true, NULL, 0}, {PAIR_STATS_B, "min_b", "min b", true, NULL, 0},
	{PAIR_STATS_A + 1, "max_a", "max a", true, NULL, 0},
	{PAIR_STATS_B + 1, "max_b", "max b", true, NULL, 0},
	{PAIR_STATS_A + 2, "mean_a", "mean a", true, NULL, 0},
	{PAIR_STATS_B + 2, "mean_b", "mean b", true, NULL, 0},
	{PAIR_STATS_A + 3, "std_a", "std a", true, NULL, 0},
	{PAIR_STATS_B + 3, "std_b", "std b", true, NULL, 0},
	{PAIR_STATS_A + 4, "zeros_a", "zeros a", true, NULL, 0},
	{PAIR_STATS_B + 4, "zeros_b", "zeros b", true, NULL, 0}};

static unsigned
append(struct phi_column *columns, unsigned n, const struct phi_column *more, size_t count)
{
	memcpy(columns + n, more, count * sizeof *more);
	return n + (unsigned)count;
}

struct phi_table
phi_diff_pairs(struct phi_pairs_view *pairs, const struct phi_diff_view *view,
	enum phi_pairs_shown shown, size_t first, size_t rows)
{
	static const struct {
		const struct phi_column *columns;
		size_t n;
	} text[] = {{lost_columns, sizeof lost_columns / sizeof *lost_columns},
		{apart_columns, sizeof apart_columns / sizeof *apart_columns},
		{stats_columns, sizeof stats_columns / sizeof *stats_columns}};
	*pairs = (struct phi_pairs_view){.view = view, .first = first};
	unsigned n = append(pairs->columns, 0, data_columns, sizeof data_columns / sizeof *data_columns);
	n = append(pairs->columns, n, text[shown].columns, text[shown].n);
	if (view->c->options->importance && shown == PHI_PAIRS_APART)
		n = append(pairs->columns, n, weighted_columns, 2);
	return (struct phi_table){.record = "tensor", .columns = pairs->columns, .ncolumns = n,
		.rows = rows, .ctx = pairs, .cell = pair_cell, .paint = paint, .indent = "  ",
		.color = view->c->options->color};
}

static void
metadata_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct phi_metadata_difference *const d =
		&((const struct phi_diff_view *)ctx)->metadata->items[row];
	if (id == 0) {
		phi_cell_set_text(cell, d->key);
		return;
	}
	cell->value = id == 1 ? d->a : d->b;
	cell->kind = cell->value ? PHI_CELL_VALUE : PHI_CELL_ABSENT;
}

struct phi_table
phi_diff_metadata(const struct phi_diff_view *view)
{
	static const struct phi_column columns[] = {{0, "key", "key", false, NULL, 0},
		{1, "a", "a", false, NULL, 0}, {2, "b", "b", false, NULL, 0}};
	return (struct phi_table){
		.title = view->metadata->by_family ? "hyper-parameters" : "metadata",
		.record = "metadata", .columns = columns, .ncolumns = 3, .rows = view->metadata->count,
		.ctx = view, .cell = metadata_cell, .indent = "  ", .color = view->c->options->color};
}

enum block_column {
	BLOCK_NAME,
	BLOCK_INDEX,
	BLOCK_FIRST,
	BLOCK_COUNT,
	BLOCK_RMSE,
	BLOCK_MAX_ABS,
	BLOCK_MAX_AT,
	BLOCK_A, /* the values furthest apart */
	BLOCK_B,
	BLOCK_VALUES_A,
	BLOCK_VALUES_B,
};

static void
values_cell(const struct phi_block *b, unsigned id, struct phi_cell *cell)
{
	const float *const values = b->values[id == BLOCK_B || id == BLOCK_VALUES_B];
	if (id == BLOCK_A || id == BLOCK_B) {
		cell->kind = PHI_CELL_SINGLE;
		cell->real = (double)values[b->max_at];
	} else {
		cell->kind = PHI_CELL_FLOATS;
		cell->list.floats = values;
		cell->list.n = b->n;
	}
}

static void
block_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct phi_block *const b = &((const struct phi_diff_view *)ctx)->c->blocks[row];
	switch (id) {
	case BLOCK_NAME:
		phi_cell_set_text(cell, b->name);
		break;
	case BLOCK_INDEX:
		phi_cell_set_number(cell, b->index);
		break;
	case BLOCK_FIRST:
		phi_cell_set_number(cell, b->first);
		break;
	case BLOCK_COUNT:
		phi_cell_set_number(cell, b->n);
		break;
	case BLOCK_RMSE:
		phi_cell_set_real(cell, phi_block_rmse(b));
		break;
	case BLOCK_MAX_ABS:
		phi_cell_set_real(cell, b->max_abs);
		break;
	case BLOCK_MAX_AT:
		phi_cell_set_number(cell, b->first + b->max_at);
		break;
	default:
		values_cell(b, id, cell);
	}
}

struct phi_table
phi_diff_blocks(const struct phi_diff_view *view)
{
	static const struct phi_column columns[] = {{BLOCK_NAME, "name", "name", false, NULL, 0},
		{BLOCK_INDEX, "block", "block", true, NULL, 0},
		{BLOCK_FIRST, "first", NULL, true, NULL, 0}, {BLOCK_COUNT, "length", "length", true, NULL, 0},
		{BLOCK_RMSE, "rmse", "rmse", true, "%.3g", 0},
		{BLOCK_MAX_ABS, "max_abs", "max abs", true, "%.3g", 0},
		{BLOCK_MAX_AT, "max_at", "at", true, NULL, 0}, {BLOCK_A, "a", "a", true, "%.6g", 0},
		{BLOCK_B, "b", "b", true, "%.6g", 0},
		{BLOCK_VALUES_A, "values_a", NULL, false, NULL, PHI_COLUMN_JSON},
		{BLOCK_VALUES_B, "values_b", NULL, false, NULL, PHI_COLUMN_JSON}};
	return (struct phi_table){.title = "worst blocks", .record = "block", .columns = columns,
		.ncolumns = sizeof columns / sizeof *columns, .rows = view->c->nblocks, .ctx = view,
		.cell = block_cell, .indent = "  ", .color = view->c->options->color};
}
