/* A cell in each style. */
#include "inspect/table.h"

#include "formats/core/escape.h"
#include "formats/core/tensor.h"
#include "inspect/number.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Numbers with blanks between, as many as fit: what is cut ends in "...". */
static void
list_text(const struct phi_cell *cell, char *dst)
{
	struct phi_number number;
	size_t n = 0;
	dst[0] = '\0';
	for (size_t i = 0; i < cell->list.n; i++) {
		if (n + sizeof number.text + 8 > PHI_TABLE_CELL) {
			strcpy(dst + n, " ...");
			return;
		}
		const char *const blank = i ? " " : "";
		if (cell->kind == PHI_CELL_BARS)
			n += (size_t)sprintf(dst + n, "%s%" PRIu64, blank, cell->list.counts[i]);
		else
			n += (size_t)sprintf(dst + n, "%s%s", blank,
				phi_number_real(&number, (double)cell->list.floats[i], true));
	}
}

/* A bar for each count, the highest is full. A count above zero is always seen. */
static void
bars_text(const struct phi_cell *cell, char *dst)
{
	static const char bars[9][4] = {" ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586",
		"\u2587", "\u2588"};
	uint64_t most = 1;
	for (size_t i = 0; i < cell->list.n; i++)
		if (cell->list.counts[i] > most)
			most = cell->list.counts[i];
	*dst = '\0';
	for (size_t i = 0; i < cell->list.n && i < PHI_TABLE_CELL / 4 - 1; i++) {
		const double share = (double)cell->list.counts[i] / (double)most;
		const unsigned height = cell->list.counts[i] ? 1 + (unsigned)(share * 7) : 0;
		dst = stpcpy(dst, bars[height]);
	}
}

static void
real_text(double x, const char *format, char *dst)
{
	if (isfinite(x))
		snprintf(dst, PHI_TABLE_CELL, format ? format : "%.4g", x);
	else
		strcpy(dst, isnan(x) ? "NaN" : x > 0 ? "inf" : "-inf");
}

static void
words_text(const struct phi_cell *cell, char *dst)
{
	const char *const a = cell->words[0], *const b = cell->words[1];
	if (a && b && strcmp(a, b))
		snprintf(dst, PHI_TABLE_CELL, "%s, %s", a, b);
	else
		snprintf(dst, PHI_TABLE_CELL, "%s", a ? a : b ? b : "");
}

void
phi_cell_text(const struct phi_cell *cell, const struct phi_column *column, char *dst)
{
	struct phi_number number;
	dst[0] = '\0';
	switch (cell->kind) {
	case PHI_CELL_NONE:
	case PHI_CELL_ABSENT:
		break;
	case PHI_CELL_TEXT:
		phi_escape(dst, PHI_TABLE_CELL, cell->text, strlen(cell->text));
		break;
	case PHI_CELL_WORD:
		snprintf(dst, PHI_TABLE_CELL, "%s", cell->text);
		break;
	case PHI_CELL_WORDS:
		words_text(cell, dst);
		break;
	case PHI_CELL_NUMBER:
		snprintf(dst, PHI_TABLE_CELL, "%" PRIu64, cell->number);
		break;
	case PHI_CELL_INTEGER:
		snprintf(dst, PHI_TABLE_CELL, "%" PRId64, cell->integer);
		break;
	case PHI_CELL_COUNT:
		strcpy(dst, phi_number_count(&number, cell->number));
		break;
	case PHI_CELL_BYTES:
		strcpy(dst, phi_number_bytes(&number, cell->number));
		break;
	case PHI_CELL_REAL:
	case PHI_CELL_SINGLE:
		real_text(cell->real, column->format, dst);
		break;
	case PHI_CELL_SHAPE:
		phi_tensor_shape(cell->tensor, dst, PHI_TABLE_CELL);
		break;
	case PHI_CELL_VALUE:
		/* As much as stands on a line of a wide terminal. */
		phi_value_text(cell->value, dst, 200);
		break;
	case PHI_CELL_BARS:
		bars_text(cell, dst);
		break;
	case PHI_CELL_FLOATS:
		list_text(cell, dst);
		break;
	}
}

static void
emit_word(struct phi_emit *e, const char *s)
{
	if (s)
		phi_emit_text(e, s, strlen(s));
	else
		phi_emit_null(e);
}

static void
emit_list(struct phi_emit *e, const struct phi_cell *cell)
{
	phi_emit_open(e, '[');
	for (size_t i = 0; i < cell->list.n; i++)
		if (cell->kind == PHI_CELL_BARS)
			phi_emit_u64(e, cell->list.counts[i]);
		else
			phi_emit_real(e, (double)cell->list.floats[i], true);
	phi_emit_close(e, ']');
}

static void
emit_cell(struct phi_emit *e, const struct phi_cell *cell, bool full)
{
	switch (cell->kind) {
	case PHI_CELL_NONE:
	case PHI_CELL_ABSENT:
		phi_emit_null(e);
		break;
	case PHI_CELL_TEXT:
	case PHI_CELL_WORD:
		emit_word(e, cell->text);
		break;
	case PHI_CELL_WORDS:
		phi_emit_open(e, '[');
		emit_word(e, cell->words[0]);
		emit_word(e, cell->words[1]);
		phi_emit_close(e, ']');
		break;
	case PHI_CELL_NUMBER:
	case PHI_CELL_COUNT:
	case PHI_CELL_BYTES:
		phi_emit_u64(e, cell->number);
		break;
	case PHI_CELL_INTEGER:
		phi_emit_i64(e, cell->integer);
		break;
	case PHI_CELL_REAL:
	case PHI_CELL_SINGLE:
		phi_emit_real(e, cell->real, cell->kind == PHI_CELL_SINGLE);
		break;
	case PHI_CELL_SHAPE:
		phi_emit_shape(e, cell->tensor);
		break;
	case PHI_CELL_VALUE:
		phi_emit_value(e, cell->value, full);
		break;
	case PHI_CELL_BARS:
	case PHI_CELL_FLOATS:
		emit_list(e, cell);
		break;
	}
}

void
phi_table_emit_row(const struct phi_table *t, size_t row, struct phi_emit *e)
{
	for (unsigned c = 0; c < t->ncolumns; c++) {
		const struct phi_column *const column = &t->columns[c];
		struct phi_cell cell;
		if (!column->key || column->only == PHI_COLUMN_CSV)
			continue;
		cell.kind = PHI_CELL_NONE;
		t->cell(t->ctx, row, column->id, &cell);
		if (cell.kind == PHI_CELL_ABSENT)
			continue;
		phi_emit_key(e, column->key);
		emit_cell(e, &cell, t->full);
	}
}

void
phi_table_emit(const struct phi_table *t, struct phi_emit *e)
{
	phi_emit_open(e, '[');
	for (size_t r = 0; r < t->rows; r++) {
		phi_emit_open(e, '{');
		phi_table_emit_row(t, r, e);
		phi_emit_close(e, '}');
	}
	phi_emit_close(e, ']');
}

void
phi_table_emit_member(struct phi_emit *e, const char *key, struct phi_table table)
{
	phi_emit_key(e, key);
	phi_table_emit(&table, e);
}

int
phi_table_lines(const struct phi_table *t, FILE *out, struct phi_err *err)
{
	for (size_t r = 0; r < t->rows; r++) {
		struct phi_emit e;
		phi_emit_begin(&e, out, 0);
		phi_emit_open(&e, '{');
		if (t->record)
			phi_emit_member(&e, "record", t->record);
		phi_table_emit_row(t, r, &e);
		phi_emit_close(&e, '}');
		if (phi_emit_finish(&e, err))
			return -1;
	}
	return 0;
}

/* A field: in quotes where it must be, quotes in it doubled. */
static void
put_field(const char *s, FILE *out)
{
	if (!strpbrk(s, ",\"\r\n")) {
		fputs(s, out);
		return;
	}
	putc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			putc('"', out);
		putc(*s, out);
	}
	putc('"', out);
}

/* What text spells for people is written exactly. */
static void
csv_text(const struct phi_cell *cell, const struct phi_column *column, char *dst)
{
	struct phi_number number;
	switch (cell->kind) {
	case PHI_CELL_COUNT:
	case PHI_CELL_BYTES:
		snprintf(dst, PHI_TABLE_CELL, "%" PRIu64, cell->number);
		break;
	case PHI_CELL_REAL:
	case PHI_CELL_SINGLE:
		strcpy(dst, phi_number_real(&number, cell->real, cell->kind == PHI_CELL_SINGLE));
		break;
	case PHI_CELL_BARS:
		list_text(cell, dst);
		break;
	default:
		phi_cell_text(cell, column, dst);
	}
}

static bool
in_csv(const struct phi_column *column)
{
	return column->key && column->only != PHI_COLUMN_JSON;
}

static void
csv_row(const struct phi_table *t, size_t row, FILE *out)
{
	const char *comma = "";
	char text[PHI_TABLE_CELL];
	for (unsigned c = 0; c < t->ncolumns; c++) {
		struct phi_cell cell;
		if (!in_csv(&t->columns[c]))
			continue;
		cell.kind = PHI_CELL_NONE;
		t->cell(t->ctx, row, t->columns[c].id, &cell);
		csv_text(&cell, &t->columns[c], text);
		fputs(comma, out);
		put_field(text, out);
		comma = ",";
	}
	fputs("\r\n", out);
}

void
phi_table_csv(const struct phi_table *t, bool header, FILE *out)
{
	const char *comma = "";
	for (unsigned c = 0; c < t->ncolumns && header; c++)
		if (in_csv(&t->columns[c])) {
			fprintf(out, "%s%s", comma, t->columns[c].key);
			comma = ",";
		}
	if (header)
		fputs("\r\n", out);
	for (size_t r = 0; r < t->rows; r++)
		csv_row(t, r, out);
}
