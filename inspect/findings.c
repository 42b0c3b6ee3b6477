#include "inspect/findings.h"

#include "formats/core/escape.h"

#include <inttypes.h>
#include <string.h>

enum column { PATH, SEVERITY, RULE, FILE_NAME, ENTRY, OFFSET, TEXT };

/* A finding is a row of its own table. */
struct row {
	const char *path;
	const struct phi_finding *finding;
};

static void
cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct row *const r = ctx;
	const struct phi_finding *const f = r->finding;
	(void)row;
	switch (id) {
	case PATH:
		phi_cell_set_text(cell, r->path);
		break;
	case SEVERITY:
		phi_cell_set_word(cell, phi_severity_name(f->severity));
		break;
	case RULE:
		phi_cell_set_word(cell, f->rule);
		break;
	case FILE_NAME:
	case ENTRY:
		phi_cell_set_text(cell, id == ENTRY ? f->entry : f->file);
		break;
	case OFFSET:
		if (f->offset != UINT64_MAX)
			phi_cell_set_number(cell, f->offset);
		break;
	default:
		/* Escaped by whoever made it. */
		phi_cell_set_word(cell, f->text);
	}
}

static struct phi_table
table_of(const struct row *row, bool path)
{
	static const struct phi_column columns[] = {{PATH, "path", NULL, false, NULL, 0},
		{SEVERITY, "severity", NULL, false, NULL, 0}, {RULE, "rule", NULL, false, NULL, 0},
		{FILE_NAME, "file", NULL, false, NULL, 0}, {ENTRY, "entry", NULL, false, NULL, 0},
		{OFFSET, "offset", NULL, false, NULL, 0}, {TEXT, "text", NULL, false, NULL, 0}};
	const unsigned skip = path ? 0 : 1;
	return (struct phi_table){.record = "finding", .columns = columns + skip,
		.ncolumns = sizeof columns / sizeof *columns - skip, .rows = row->finding ? 1 : 0,
		.ctx = row, .cell = cell};
}

void
phi_findings_begin(struct phi_findings_print *p, const char *path,
	const struct phi_inspect_options *options, FILE *out)
{
	*p = (struct phi_findings_print){.out = out, .path = path, .style = options->style};
	if (p->style == PHI_STYLE_CSV && !options->headless) {
		const struct row none = {path, NULL};
		const struct phi_table table = table_of(&none, true);
		phi_table_csv(&table, true, out);
	}
	if (p->style != PHI_STYLE_JSON)
		return;
	phi_emit_begin(&p->emit, out, 2);
	phi_emit_open(&p->emit, '{');
	phi_emit_member(&p->emit, "file", path);
	phi_emit_key(&p->emit, "findings");
	phi_emit_open(&p->emit, '[');
}

/* The file found in, where it is not the one named. */
static const char *
other_file(const struct phi_findings_print *p, const struct phi_finding *f)
{
	const char *const slash = strrchr(p->path, '/');
	return f->file && strcmp(f->file, p->path) && strcmp(f->file, slash ? slash + 1 : p->path)
		? f->file : NULL;
}

static void
print_text(const struct phi_findings_print *p, const struct phi_finding *f)
{
	struct phi_quoted path, file, entry;
	const char *const other = other_file(p, f);
	fprintf(p->out, "%s", phi_quote(&path, p->path));
	if (other)
		fprintf(p->out, ": %s", phi_quote(&file, other));
	if (f->entry)
		fprintf(p->out, ": %s", phi_quote(&entry, f->entry));
	fprintf(p->out, ": %s: %s: ", phi_severity_name(f->severity), f->rule);
	if (p->offsets && f->offset != UINT64_MAX)
		fprintf(p->out, "offset %" PRIu64 ": ", f->offset);
	fprintf(p->out, "%s\n", f->text);
}

static int
print_finding(struct phi_findings_print *p, const struct phi_finding *f, struct phi_err *err)
{
	const struct row row = {p->path, f};
	const struct phi_table table = table_of(&row, p->style != PHI_STYLE_JSON);
	switch (p->style) {
	case PHI_STYLE_TEXT:
		print_text(p, f);
		break;
	case PHI_STYLE_JSON:
		phi_emit_open(&p->emit, '{');
		phi_table_emit_row(&table, 0, &p->emit);
		phi_emit_close(&p->emit, '}');
		break;
	case PHI_STYLE_LINES:
		return phi_table_lines(&table, p->out, err);
	case PHI_STYLE_CSV:
		phi_table_csv(&table, false, p->out);
	}
	return 0;
}

static int
take(void *ctx, const struct phi_finding *f, struct phi_err *err)
{
	struct phi_findings_print *const p = ctx;
	p->count[f->severity]++;
	if (print_finding(p, f, err))
		return -1;
	return ferror(p->out) ? phi_fail(err, PHI_SYSTEM, "the report could not be written") : 0;
}

struct phi_findings
phi_findings_to(struct phi_findings_print *p)
{
	return (struct phi_findings){.emit = take, .ctx = p};
}

int
phi_findings_finish(struct phi_findings_print *p, struct phi_err *err)
{
	if (p->style != PHI_STYLE_JSON)
		return 0;
	phi_emit_close(&p->emit, ']');
	phi_emit_close(&p->emit, '}');
	return phi_emit_finish(&p->emit, err);
}
