/* The tables of a view. */
#include "inspect/view.h"

#include <stdio.h>
#include <string.h>

enum count_column { COUNT_NAME, COUNT_TENSORS, COUNT_WEIGHTS, COUNT_BYTES, COUNT_SHARE, COUNT_BITS };

/* What types and modules have in common: numbers, and what part of the model they are. */
static void
count_cell(const struct phi_view *v, uint64_t tensors, uint64_t weights, uint64_t bytes, unsigned id,
	struct phi_cell *cell)
{
	switch (id) {
	case COUNT_TENSORS:
		phi_cell_set_number(cell, tensors);
		break;
	case COUNT_WEIGHTS:
		phi_cell_set_count(cell, weights);
		break;
	case COUNT_BYTES:
		phi_cell_set_bytes(cell, bytes);
		break;
	case COUNT_SHARE:
		if (v->census.bytes)
			phi_cell_set_real(cell, 100 * (double)bytes / (double)v->census.bytes);
		break;
	default:
		if (weights)
			phi_cell_set_real(cell, 8 * (double)bytes / (double)weights);
	}
}

static const struct phi_column count_columns[] = {
	{COUNT_TENSORS, "tensors", "tensors", true, NULL, 0},
	{COUNT_WEIGHTS, "weights", "weights", true, NULL, 0},
	{COUNT_BYTES, "nbytes", "bytes", true, NULL, 0},
	{COUNT_SHARE, NULL, "%", true, "%.1f", 0},
	{COUNT_BITS, "bits_per_weight", "bits", true, "%.2f", 0},
};
enum { COUNTS = sizeof count_columns / sizeof *count_columns };

/* Behind a first column. */
static struct phi_table
count_table(const struct phi_view *v, struct phi_column *columns, struct phi_column first,
	const char *title, size_t rows)
{
	columns[0] = first;
	memcpy(columns + 1, count_columns, sizeof count_columns);
	return (struct phi_table){.title = title, .columns = columns, .ncolumns = COUNTS + 1,
		.rows = rows, .ctx = v, .indent = "  ", .color = v->options->color};
}

static void
type_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct phi_view *const v = ctx;
	const struct phi_census_type *const of = v->types[row];
	if (id == COUNT_NAME)
		phi_cell_set_word(cell, of->type->name);
	else
		count_cell(v, of->tensors, of->weights, of->bytes, id, cell);
}

struct phi_table
phi_view_types(const struct phi_view *v, struct phi_column columns[static PHI_TABLE_COLUMNS])
{
	const struct phi_column first = {.id = COUNT_NAME, .key = "dtype", .title = "type"};
	struct phi_table table = count_table(v, columns, first, "types", v->ntypes);
	table.cell = type_cell;
	return table;
}

static void
module_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct phi_view *const v = ctx;
	const struct phi_module *const of = &v->modules.items[row];
	if (id == COUNT_NAME)
		phi_cell_set_text(cell, of->name);
	else
		count_cell(v, of->tensors, of->weights, of->bytes, id, cell);
}

struct phi_table
phi_view_modules(const struct phi_view *v, struct phi_column columns[static PHI_TABLE_COLUMNS])
{
	const struct phi_column first = {.id = COUNT_NAME, .key = "module", .title = "module"};
	struct phi_table table = count_table(v, columns, first, "modules", v->modules.count);
	table.cell = module_cell;
	return table;
}

static void
metadata_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct phi_meta *const meta = &((const struct phi_view *)ctx)->model->metadata.items[row];
	switch (id) {
	case 0:
		phi_cell_set_text(cell, meta->key);
		break;
	case 1:
		phi_cell_set_word(cell, phi_value_name(meta->value.kind));
		break;
	default:
		cell->kind = PHI_CELL_VALUE;
		cell->value = &meta->value;
	}
}

struct phi_table
phi_view_metadata(const struct phi_view *v)
{
	static const struct phi_column columns[] = {{0, "key", "key", false, NULL, 0},
		{1, "kind", "kind", false, NULL, 0}, {2, "value", "value", false, NULL, 0}};
	return (struct phi_table){.title = "metadata", .columns = columns, .ncolumns = 3,
		.rows = v->model->metadata.count, .ctx = v, .cell = metadata_cell, .indent = "  ",
		.color = v->options->color};
}

static void
side_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct phi_side *const side = &((const struct phi_view *)ctx)->model->sides[row];
	if (id == 0)
		phi_cell_set_text(cell, side->name);
	else
		phi_cell_set_number(cell, side->size);
}

struct phi_table
phi_view_sides(const struct phi_view *v)
{
	static const struct phi_column columns[] = {{0, "file", "file", false, NULL, 0},
		{1, "nbytes", "bytes", true, NULL, 0}};
	return (struct phi_table){.title = "side files", .columns = columns, .ncolumns = 2,
		.rows = v->model->nsides, .ctx = v, .cell = side_cell, .indent = "  ",
		.color = v->options->color};
}

enum tensor_column {
	TENSOR_PATH,
	TENSOR_NAME,
	TENSOR_TYPE,
	TENSOR_SHAPE,
	TENSOR_BYTES,
	TENSOR_FILE,
	TENSOR_OFFSET,
	TENSOR_SUM,
};

static void
place_cell(const struct phi_view *v, const struct phi_tensor *t, unsigned id, struct phi_cell *cell)
{
	if (!t->nplanes)
		return;
	const struct phi_storage *const s = &v->model->storages[t->plane[0].storage];
	if (id == TENSOR_FILE)
		phi_cell_set_text(cell, s->file);
	else
		phi_cell_set_number(cell, s->offset + t->plane[0].offset);
}

static void
tensor_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct phi_view *const v = ctx;
	const uint32_t i = v->shown[row];
	const struct phi_tensor *const t = &v->model->tensors[i];
	uint64_t bytes = 0;
	switch (id) {
	case TENSOR_PATH:
		phi_cell_set_text(cell, v->options->path);
		break;
	case TENSOR_NAME:
		phi_cell_set_text(cell, t->name);
		break;
	case TENSOR_TYPE:
		phi_cell_set_word(cell, t->type->name);
		break;
	case TENSOR_SHAPE:
		phi_cell_set_shape(cell, t);
		break;
	case TENSOR_BYTES:
		if (phi_tensor_bytes(t, &bytes))
			phi_cell_set_number(cell, bytes);
		break;
	case TENSOR_FILE:
	case TENSOR_OFFSET:
		place_cell(v, t, id, cell);
		break;
	case TENSOR_SUM:
		if (v->digests[i].known)
			phi_cell_set_word(cell, v->digests[i].hex);
		break;
	default:
		phi_stats_cell(&v->stats[i], id, cell);
	}
}

static const struct phi_column stats_columns[] = {
	{PHI_STATS_MIN, "min", "min", true, NULL, 0},
	{PHI_STATS_MAX, "max", "max", true, NULL, 0},
	{PHI_STATS_MEAN, "mean", "mean", true, NULL, 0},
	{PHI_STATS_STD, "std", "std", true, NULL, 0},
	{PHI_STATS_ZEROS, "zeros", "zeros", true, NULL, 0},
	{PHI_STATS_NEGATIVE, "negative", NULL, true, NULL, 0},
	{PHI_STATS_NAN, "nan", "NaN", true, NULL, 0},
	{PHI_STATS_INF, "inf", "inf", true, NULL, 0},
	{PHI_STATS_EXPONENT, "exponent", "2^", true, NULL, 0},
	{PHI_STATS_HISTOGRAM, "histogram", "magnitudes", false, NULL, 0},
};
enum { STATS = sizeof stats_columns / sizeof *stats_columns };

struct phi_table
phi_view_tensors(const struct phi_view *v, struct phi_column columns[static PHI_TABLE_COLUMNS])
{
	static const struct phi_column always[] = {{TENSOR_NAME, "name", "name", false, NULL, 0},
		{TENSOR_TYPE, "dtype", "type", false, NULL, 0},
		{TENSOR_SHAPE, "shape", "shape", false, NULL, 0},
		{TENSOR_BYTES, "nbytes", "bytes", true, NULL, 0},
		{TENSOR_FILE, "file", NULL, false, NULL, 0},
		{TENSOR_OFFSET, "offset", "offset", true, NULL, 0},
		{TENSOR_FILE, NULL, "file", false, NULL, 0}};
	const bool lists = v->options->style == PHI_STYLE_CSV || v->options->style == PHI_STYLE_LINES;
	unsigned n = 0;
	if (v->options->path && lists)
		columns[n++] = (struct phi_column){.id = TENSOR_PATH, .key = "path"};
	memcpy(columns + n, always, sizeof always);
	n += sizeof always / sizeof *always;
	if (v->digests)
		columns[n++] = (struct phi_column){.id = TENSOR_SUM, .key = "sha256", .title = "sha256"};
	for (unsigned i = 0; i < STATS && v->stats; i++, n++) {
		columns[n] = stats_columns[i];
		/* Text has them in a table of their own. */
		columns[n].title = NULL;
	}
	return (struct phi_table){.title = "tensors", .record = "tensor", .columns = columns,
		.ncolumns = n, .rows = v->nshown, .ctx = v, .cell = tensor_cell, .indent = "  ",
		.color = v->options->color};
}

struct phi_table
phi_view_stats(const struct phi_view *v, struct phi_column columns[static PHI_TABLE_COLUMNS])
{
	columns[0] = (struct phi_column){.id = TENSOR_NAME, .key = "name", .title = "name"};
	memcpy(columns + 1, stats_columns, sizeof stats_columns);
	return (struct phi_table){.title = "statistics", .columns = columns, .ncolumns = STATS + 1,
		.rows = v->stats ? v->nshown : 0, .ctx = v, .cell = tensor_cell, .indent = "  ",
		.color = v->options->color};
}
