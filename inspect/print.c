/* A view of a model in each style. */
#include "formats/core/escape.h"
#include "formats/models/family.h"
#include "inspect/number.h"
#include "inspect/view.h"

#include <string.h>

static void
print_first(const struct phi_view *v, FILE *out)
{
	const struct phi_model *const m = v->model;
	struct phi_number weights, bytes;
	struct phi_quoted name;
	fprintf(out, "%s: %s", phi_quote(&name, v->path), v->format);
	if (strcmp(v->format, m->format))
		fprintf(out, " of %s", m->format);
	if (m->view && strcmp(m->view, "canonical") && strcmp(m->view, m->format))
		fprintf(out, " as %s", m->view);
	if (m->family)
		fprintf(out, ", %s", m->family->name);
	fprintf(out, ", %zu tensor%s, %s weights, %s", v->nshown, v->nshown == 1 ? "" : "s",
		phi_number_count(&weights, v->census.weights),
		phi_number_bytes(&bytes, v->census.bytes));
	if (v->census.weights)
		fprintf(out, ", %.2f bits per weight",
			(double)v->census.bytes * 8 / (double)v->census.weights);
	fputc('\n', out);
}

/* The token of "bos_text" is told with its number, "bos". */
static size_t
token_of(const char *key)
{
	static const char suffix[] = "_text";
	const size_t n = strlen(key), m = sizeof suffix - 1;
	return n > m && !strcmp(key + n - m, suffix) ? n - m : 0;
}

static void
print_fact(const struct phi_meta *before, const struct phi_meta *fact, FILE *out)
{
	char text[200];
	const size_t token = token_of(fact->key);
	const bool follows =
		token && before && strlen(before->key) == token && !strncmp(before->key, fact->key, token);
	if (!follows)
		fprintf(out, "%s%.*s", before ? ", " : "", (int)(token ? token : strlen(fact->key)),
			fact->key);
	if (fact->value.kind == PHI_VALUE_STRING && !token)
		phi_escape(text, sizeof text, fact->value.s.data, fact->value.s.size);
	else
		phi_value_text(&fact->value, text, sizeof text);
	fprintf(out, " %s", text);
}

/* "family: name phi3, layers 32, ...": on one line. */
static void
print_facts(const char *title, const struct phi_metadata *facts, FILE *out)
{
	if (!facts->count)
		return;
	fputs(title, out);
	for (size_t i = 0; i < facts->count; i++)
		print_fact(i ? &facts->items[i - 1] : NULL, &facts->items[i], out);
	fputc('\n', out);
}

static void
section(struct phi_table table, FILE *out)
{
	if (!table.rows)
		return;
	fputc('\n', out);
	phi_table_print(&table, out);
}

static void
print_text(const struct phi_view *v, FILE *out)
{
	struct phi_column columns[PHI_TABLE_COLUMNS];
	print_first(v, out);
	print_facts("family: ", &v->facts.family, out);
	print_facts("tokenizer: ", &v->facts.tokenizer, out);
	section(phi_view_types(v, columns), out);
	section(phi_view_modules(v, columns), out);
	section(phi_view_metadata(v), out);
	section(phi_view_sides(v), out);
	section(phi_view_tensors(v, columns), out);
	section(phi_view_stats(v, columns), out);
}

static void
emit_list(struct phi_emit *e, const char *key, const struct phi_metadata *list, bool full)
{
	phi_emit_key(e, key);
	phi_emit_open(e, '{');
	for (size_t i = 0; i < list->count; i++) {
		phi_emit_key(e, list->items[i].key);
		phi_emit_value(e, &list->items[i].value, full);
	}
	phi_emit_close(e, '}');
}

static void
emit_summary(struct phi_emit *e, const struct phi_view *v)
{
	struct phi_column columns[PHI_TABLE_COLUMNS];
	phi_emit_key(e, "summary");
	phi_emit_open(e, '{');
	phi_emit_member_u64(e, "tensors", v->nshown);
	phi_emit_member_u64(e, "weights", v->census.weights);
	phi_emit_member_u64(e, "nbytes", v->census.bytes);
	if (v->census.weights)
		phi_emit_member_real(e, "bits_per_weight",
			(double)v->census.bytes * 8 / (double)v->census.weights);
	emit_list(e, "family", &v->facts.family, false);
	emit_list(e, "tokenizer", &v->facts.tokenizer, false);
	phi_table_emit_member(e, "types", phi_view_types(v, columns));
	phi_table_emit_member(e, "modules", phi_view_modules(v, columns));
	phi_table_emit_member(e, "sides", phi_view_sides(v));
	phi_emit_close(e, '}');
}

static int
print_json(const struct phi_view *v, FILE *out, struct phi_err *err)
{
	struct phi_column columns[PHI_TABLE_COLUMNS];
	struct phi_emit e;
	phi_emit_begin(&e, out, 2);
	phi_emit_open(&e, '{');
	if (v->options->path)
		phi_emit_member(&e, "path", v->options->path);
	phi_emit_member(&e, "format", v->format);
	emit_list(&e, "metadata", &v->model->metadata, v->options->full);
	phi_table_emit_member(&e, "tensors", phi_view_tensors(v, columns));
	emit_summary(&e, v);
	phi_emit_close(&e, '}');
	return phi_emit_finish(&e, err);
}

static int
print_lines(const struct phi_view *v, FILE *out, struct phi_err *err)
{
	struct phi_column columns[PHI_TABLE_COLUMNS];
	struct phi_emit e;
	phi_emit_begin(&e, out, 0);
	phi_emit_open(&e, '{');
	phi_emit_member(&e, "record", "model");
	if (v->options->path)
		phi_emit_member(&e, "path", v->options->path);
	phi_emit_member(&e, "format", v->format);
	emit_list(&e, "metadata", &v->model->metadata, v->options->full);
	emit_summary(&e, v);
	phi_emit_close(&e, '}');
	if (phi_emit_finish(&e, err))
		return -1;
	const struct phi_table tensors = phi_view_tensors(v, columns);
	return phi_table_lines(&tensors, out, err);
}

static int
print(const struct phi_view *v, FILE *out, struct phi_err *err)
{
	struct phi_column columns[PHI_TABLE_COLUMNS];
	struct phi_table tensors;
	switch (v->options->style) {
	case PHI_STYLE_TEXT:
		print_text(v, out);
		return 0;
	case PHI_STYLE_JSON:
		return print_json(v, out, err);
	case PHI_STYLE_LINES:
		return print_lines(v, out, err);
	case PHI_STYLE_CSV:
		tensors = phi_view_tensors(v, columns);
		phi_table_csv(&tensors, !v->options->headless, out);
		return 0;
	}
	return 0;
}

int
phi_inspect_print(struct phi_source *source, const struct phi_inspect_options *options, FILE *out,
	struct phi_err *err)
{
	struct phi_view v;
	int result = phi_view_take(&v, source, options, err);
	if (!result)
		result = print(&v, out, err);
	phi_view_free(&v);
	return result;
}
