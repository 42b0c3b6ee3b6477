#include "inspect/table.h"

#include <string.h>

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
cell(const struct phi_table *t, size_t row, unsigned column, char *dst)
{
	dst[0] = '\0';
	t->cell(t->ctx, row, column, dst);
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
put(const struct phi_table *t, unsigned column, const char *text, int width, FILE *out)
{
	const int rest = width - columns_of(text);
	const bool right = t->columns[column].right;
	if (right)
		pad(rest, out);
	fputs(text, out);
	if (column + 1 == t->ncolumns)
		return;
	pad(right ? 2 : rest + 2, out);
}

static void
print_row(const struct phi_table *t, size_t row, const int *width, FILE *out)
{
	char text[PHI_TABLE_CELL];
	const char *const paint = t->color && t->paint ? t->paint(t->ctx, row) : NULL;
	fprintf(out, "%s%s", t->indent, paint ? paint : "");
	for (unsigned c = 0; c < t->ncolumns; c++)
		put(t, c, cell(t, row, c, text), width[c], out);
	fputs(paint ? "\033[0m\n" : "\n", out);
}

void
phi_table_print(const struct phi_table *t, FILE *out)
{
	char text[PHI_TABLE_CELL];
	int width[PHI_TABLE_COLUMNS];
	for (unsigned c = 0; c < t->ncolumns; c++) {
		width[c] = columns_of(t->columns[c].title);
		for (size_t r = 0; r < t->rows; r++) {
			const int n = columns_of(cell(t, r, c, text));
			if (n > width[c])
				width[c] = n;
		}
	}
	fprintf(out, "%s%s", t->indent, t->color ? "\033[1m" : "");
	for (unsigned c = 0; c < t->ncolumns; c++)
		put(t, c, t->columns[c].title, width[c], out);
	fputs(t->color ? "\033[0m\n" : "\n", out);
	for (size_t r = 0; r < t->rows; r++)
		print_row(t, r, width, out);
}
