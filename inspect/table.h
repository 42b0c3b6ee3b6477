/* A table of text with aligned columns. Cells are asked for twice (once for the widths, once to print),
 * so that no table is ever held in memory. */
#ifndef PHI_INSPECT_TABLE_H
#define PHI_INSPECT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { PHI_TABLE_CELL = 1024, PHI_TABLE_COLUMNS = 12 };

struct phi_column {
	const char *title;
	bool right; /* numbers */
};

struct phi_table {
	const struct phi_column *columns;
	unsigned ncolumns;
	size_t rows;
	const void *ctx;
	/* Fills dst (PHI_TABLE_CELL bytes) with a string; an empty one is printed as "-". */
	void (*cell)(const void *ctx, size_t row, unsigned column, char *dst);
	/* "\033[31m" or NULL for a whole row; may be NULL; looked at only with color. */
	const char *(*paint)(const void *ctx, size_t row);
	const char *indent; /* before each line */
	bool color;
};

void phi_table_print(const struct phi_table *table, FILE *out);

#endif
