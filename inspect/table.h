/* A table, described once and written in any style: text with aligned columns, JSON (an array of
 * objects), JSON lines, CSV (RFC 4180). Cells are made when they are printed, so that no table is ever held in
 * memory; text asks for each of them twice, the first time for the widths. */
#ifndef PHI_INSPECT_TABLE_H
#define PHI_INSPECT_TABLE_H

#include "inspect/emit.h"

enum { PHI_TABLE_CELL = 1024, PHI_TABLE_COLUMNS = 40 };

enum phi_style { PHI_STYLE_TEXT, PHI_STYLE_JSON, PHI_STYLE_LINES, PHI_STYLE_CSV };

/* What a cell is, and so how each style spells it. */
enum phi_cell_kind {
	PHI_CELL_NONE,	 /* "-", null, nothing */
	PHI_CELL_ABSENT, /* the same, but JSON leaves the member out */
	PHI_CELL_TEXT,	 /* as a file has it: escaped for people */
	PHI_CELL_WORD,	 /* ours: printed as it is */
	PHI_CELL_WORDS,	 /* one or two: "F32, F16"; JSON: an array of two, null for a missing one */
	PHI_CELL_NUMBER,
	PHI_CELL_INTEGER, /* below zero, perhaps */
	PHI_CELL_COUNT,	 /* text: "3.82 B" */
	PHI_CELL_BYTES,	 /* text: "2.20 GiB" */
	PHI_CELL_REAL,	 /* text: by the column's format */
	PHI_CELL_SINGLE, /* a real that is a float: JSON has no more digits than it needs */
	PHI_CELL_SHAPE,	 /* of a tensor */
	PHI_CELL_VALUE,	 /* of metadata */
	PHI_CELL_BARS,	 /* counts: text has a bar for each, CSV numbers with blanks between */
	PHI_CELL_FLOATS, /* text and CSV: numbers with blanks between */
};

struct phi_cell {
	enum phi_cell_kind kind;
	union {
		const char *text; /* TEXT, WORD; lent, or `room` */
		const char *words[2];
		uint64_t number;
		int64_t integer;
		double real;
		const struct phi_tensor *tensor;
		const struct phi_value *value;
		struct {
			const uint64_t *counts;
			const float *floats;
			size_t n;
		} list;
	};
	char room[PHI_TABLE_CELL]; /* for a text made on the spot */
};

struct phi_column {
	unsigned id;	    /* what `cell` is asked for */
	const char *key;    /* the member's name, the CSV's header; NULL: in text only */
	const char *title;  /* of text; NULL: not in text */
	bool right;	    /* numbers */
	const char *format; /* printf's, of reals in text; NULL: "%.4g" */
	enum { PHI_COLUMN_ANY, PHI_COLUMN_JSON, PHI_COLUMN_CSV } only; /* of those that have a key */
};

struct phi_table {
	const char *title;  /* text: a line before the table, with the number of rows; or NULL */
	const char *record; /* JSON lines: what a row is, its first member; or NULL */
	const struct phi_column *columns;
	unsigned ncolumns;
	size_t rows;
	const void *ctx;
	/* Fills a cell whose kind is PHI_CELL_NONE. */
	void (*cell)(const void *ctx, size_t row, unsigned id, struct phi_cell *cell);
	/* "\033[31m" or NULL for a whole row; may be NULL; looked at only with color. */
	const char *(*paint)(const void *ctx, size_t row);
	/* The same for a cell. */
	const char *(*paint_cell)(const void *ctx, size_t row, unsigned id);
	const char *indent; /* text: before each line; NULL: nothing */
	bool color, full;   /* full: long arrays whole, in JSON */
};

void phi_table_print(const struct phi_table *table, FILE *out);
/* A row as an object's members, and all of them as an array. */
void phi_table_emit_row(const struct phi_table *table, size_t row, struct phi_emit *e);
void phi_table_emit(const struct phi_table *table, struct phi_emit *e);
/* The array under a key. */
void phi_table_emit_member(struct phi_emit *e, const char *key, struct phi_table table);
int phi_table_lines(const struct phi_table *table, FILE *out, struct phi_err *err);
void phi_table_csv(const struct phi_table *table, bool header, FILE *out);

/* A cell's text for people, in dst[PHI_TABLE_CELL]. */
void phi_cell_text(const struct phi_cell *cell, const struct phi_column *column, char *dst);

/* Makers of cells. s may be NULL: the cell stays as it is. */
void phi_cell_set_text(struct phi_cell *cell, const char *s);
void phi_cell_set_word(struct phi_cell *cell, const char *s);
void phi_cell_set_number(struct phi_cell *cell, uint64_t n);
void phi_cell_set_count(struct phi_cell *cell, uint64_t n);
void phi_cell_set_bytes(struct phi_cell *cell, uint64_t n);
void phi_cell_set_real(struct phi_cell *cell, double x);
void phi_cell_set_shape(struct phi_cell *cell, const struct phi_tensor *tensor);

#endif
