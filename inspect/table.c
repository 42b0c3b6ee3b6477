#include "inspect/table.h"

#include "formats/core/tensor.h"

#include <stdlib.h>
#include <string.h>

void
phi_cell_set_text(struct phi_cell *cell, const char *s)
{
	if (s)
		cell->kind = PHI_CELL_TEXT, cell->text = s;
}

void
phi_cell_set_word(struct phi_cell *cell, const char *s)
{
	if (s)
		cell->kind = PHI_CELL_WORD, cell->text = s;
}

void
phi_cell_set_number(struct phi_cell *cell, uint64_t n)
{
	cell->kind = PHI_CELL_NUMBER, cell->number = n;
}

void
phi_cell_set_count(struct phi_cell *cell, uint64_t n)
{
	cell->kind = PHI_CELL_COUNT, cell->number = n;
}

void
phi_cell_set_bytes(struct phi_cell *cell, uint64_t n)
{
	cell->kind = PHI_CELL_BYTES, cell->number = n;
}

void
phi_cell_set_real(struct phi_cell *cell, double x)
{
	cell->kind = PHI_CELL_REAL, cell->real = x;
}

void
phi_cell_set_shape(struct phi_cell *cell, const struct phi_tensor *tensor)
{
	cell->kind = PHI_CELL_SHAPE, cell->tensor = tensor;
}

/* Columns a UTF-8 text takes, taking each character for one. */
static int
columns_of(const char *s)
{
	int n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static const char *
text_of(const struct phi_table *t, size_t row, unsigned column, char *dst)
{
	struct phi_cell cell;
	cell.kind = PHI_CELL_NONE;
	t->cell(t->ctx, row, t->columns[column].id, &cell);
	phi_cell_text(&cell, &t->columns[column], dst);
	return *dst ? dst : "-";
}

static void
pad(int n, FILE *out)
{
	if (n > 0)
		fprintf(out, "%*s", n, "");
}

/* The last column is not padded: no blanks at the end of a line. */
static void
put(const struct phi_column *column, bool last, const char *text, const char *paint, int width, FILE *out)
{
	const int rest = width - columns_of(text);
	if (column->right)
		pad(rest, out);
	fprintf(out, "%s%s%s", paint ? paint : "", text, paint ? "\033[0m" : "");
	if (!last)
		pad(column->right ? 2 : rest + 2, out);
}

/* Those that text has, as indices; returns how many. */
static unsigned
list_shown(const struct phi_table *t, unsigned *shown)
{
	unsigned n = 0;
	for (unsigned c = 0; c < t->ncolumns; c++)
		if (t->columns[c].title)
			shown[n++] = c;
	return n;
}

static void
measure(const struct phi_table *t, const unsigned *shown, unsigned n, int *width)
{
	char text[PHI_TABLE_CELL];
	for (unsigned i = 0; i < n; i++) {
		width[i] = columns_of(t->columns[shown[i]].title);
		for (size_t r = 0; r < t->rows; r++) {
			const int w = columns_of(text_of(t, r, shown[i], text));
			if (w > width[i])
				width[i] = w;
		}
	}
}

static void
print_row(const struct phi_table *t, size_t row, const unsigned *shown, unsigned n, const int *width,
	FILE *out)
{
	char text[PHI_TABLE_CELL];
	const char *const paint = t->color && t->paint ? t->paint(t->ctx, row) : NULL;
	fprintf(out, "%s%s", t->indent ? t->indent : "", paint ? paint : "");
	for (unsigned i = 0; i < n; i++) {
		const struct phi_column *const column = &t->columns[shown[i]];
		const char *const here =
			t->color && t->paint_cell ? t->paint_cell(t->ctx, row, column->id) : NULL;
		put(column, i + 1 == n, text_of(t, row, shown[i], text), here, width[i], out);
	}
	fputs(paint ? "\033[0m\n" : "\n", out);
}

void
phi_table_print(const struct phi_table *t, FILE *out)
{
	unsigned shown[PHI_TABLE_COLUMNS];
	int width[PHI_TABLE_COLUMNS];
	const unsigned n = list_shown(t, shown);
	measure(t, shown, n, width);
	if (t->title)
		fprintf(out, "%s (%zu)\n", t->title, t->rows);
	fprintf(out, "%s%s", t->indent ? t->indent : "", t->color ? "\033[1m" : "");
	for (unsigned i = 0; i < n; i++)
		put(&t->columns[shown[i]], i + 1 == n, t->columns[shown[i]].title, NULL,
			width[i], out);
	fputs(t->color ? "\033[0m\n" : "\n", out);
	for (size_t r = 0; r < t->rows; r++)
		print_row(t, r, shown, n, width, out);
}
