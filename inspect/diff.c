#include "formats/core/escape.h"
#include "inspect/compare.h"
#include "inspect/diff_json.h"
#include "inspect/number.h"
#include "inspect/table.h"

#include <math.h>
#include <string.h>

struct view {
	const struct phi_comparison *c;
	const struct phi_metadata_diff *metadata;
	const struct phi_pair *pairs; /* of the table that is printed */
};

static const char *
model_name(const struct phi_source *source, struct phi_quoted *q)
{
	const char *const path = source->outer ? phi_store_path(source->outer) : source->model->name;
	return phi_quote(q, path ? path : "model");
}

static void
types_text(const struct view *v, const struct phi_pair *pair, char *dst)
{
	const struct phi_tensor *const a = phi_pair_tensor(v->c, pair, 0);
	const struct phi_tensor *const b = phi_pair_tensor(v->c, pair, 1);
	if (a && b && !phi_type_same(a->type, b->type))
		snprintf(dst, PHI_TABLE_CELL, "%s, %s", a->type->name, b->type->name);
	else
		strcpy(dst, (a ? a : b)->type->name);
}

static void
real_text(double x, const char *format, char *dst)
{
	if (isfinite(x))
		snprintf(dst, PHI_TABLE_CELL, format, x);
	else
		strcpy(dst, isnan(x) ? "NaN" : x > 0 ? "inf" : "-inf");
}

static void
distance_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct view *const v = ctx;
	const struct phi_pair *const pair = &v->pairs[row];
	const struct phi_distance *const d = &pair->distance;
	const char *const name = phi_pair_name(v->c, pair);
	switch (column) {
	case 0:
		phi_escape(dst, PHI_TABLE_CELL, name, strlen(name));
		break;
	case 1:
		types_text(v, pair, dst);
		break;
	case 2:
		real_text(d->max_abs, "%.3g", dst);
		break;
	case 3:
		real_text(phi_distance_rmse(d), "%.3g", dst);
		break;
	case 4:
		real_text(phi_distance_relative(d), "%.3g", dst);
		break;
	case 5:
		real_text(phi_distance_sqnr(d), "%.2f", dst);
		break;
	case 6:
		real_text(phi_distance_cosine(d), "%.6f", dst);
		break;
	default:
		if (d->strange)
			snprintf(dst, PHI_TABLE_CELL, "NaN or infinite on one side: %llu",
				(unsigned long long)d->strange);
		else if (d->undecoded)
			strcpy(dst, "compared byte by byte");
		else
			strcpy(dst, phi_pair_state_name(pair->state));
	}
}

static void
lost_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct view *const v = ctx;
	const struct phi_pair *const pair = &v->pairs[row];
	const struct phi_tensor *const a = phi_pair_tensor(v->c, pair, 0);
	const struct phi_tensor *const b = phi_pair_tensor(v->c, pair, 1);
	const char *const name = phi_pair_name(v->c, pair);
	switch (column) {
	case 0:
		phi_escape(dst, PHI_TABLE_CELL, name, strlen(name));
		break;
	case 1:
		types_text(v, pair, dst);
		break;
	case 2:
		if (a)
			phi_tensor_shape(a, dst, PHI_TABLE_CELL);
		break;
	case 3:
		if (b)
			phi_tensor_shape(b, dst, PHI_TABLE_CELL);
		break;
	default:
		strcpy(dst, phi_pair_state_name(pair->state));
	}
}

static void
meta_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct phi_metadata_difference *const d = &((const struct view *)ctx)->metadata->items[row];
	const struct phi_value *const value = column == 1 ? d->a : d->b;
	if (column == 0)
		phi_escape(dst, PHI_TABLE_CELL, d->key, strlen(d->key));
	else if (value)
		phi_value_text(value, dst, 150);
}

static const char *
paint(const void *ctx, size_t row)
{
	const enum phi_pair_state state = ((const struct view *)ctx)->pairs[row].state;
	return state <= PHI_PAIR_DIFFERS ? "\033[31m" : state == PHI_PAIR_WITHIN ? "\033[33m" : NULL;
}

/* Pairs are sorted by state: tables take a run of them. Equal ones are shown only where the types
 * differ, and those come in the order of names with the others in between. */
static void
print_pairs(const struct phi_comparison *c, FILE *out)
{
	static const struct phi_column lost[] = {{"name", false}, {"type", false}, {"a", false},
		{"b", false}, {"what", false}};
	static const struct phi_column apart[] = {{"name", false}, {"types", false},
		{"max abs", true}, {"rmse", true}, {"rel rmse", true}, {"SQNR dB", true},
		{"cosine", true}, {"what", false}};
	const size_t nlost = c->count[PHI_PAIR_ONLY_A] + c->count[PHI_PAIR_ONLY_B] +
		c->count[PHI_PAIR_SHAPE] + c->count[PHI_PAIR_UNKNOWN];
	const size_t napart = c->count[PHI_PAIR_DIFFERS] + c->count[PHI_PAIR_WITHIN];
	struct view v = {.c = c, .pairs = c->pairs};
	struct phi_table table = {.columns = lost, .ncolumns = 5, .rows = nlost, .ctx = &v,
		.cell = lost_cell, .paint = paint, .indent = "  ", .color = c->options->color};
	if (nlost) {
		fprintf(out, "missing or not comparable (%zu)\n", nlost);
		phi_table_print(&table, out);
		fputc('\n', out);
	}
	v.pairs = c->pairs + nlost;
	table.columns = apart;
	table.ncolumns = 8;
	table.rows = napart;
	table.cell = distance_cell;
	if (napart) {
		fprintf(out, "values differ (%zu), worst first\n", napart);
		phi_table_print(&table, out);
		fputc('\n', out);
	}
}

static void
print_types(const struct phi_comparison *c, FILE *out)
{
	const size_t first = c->npairs - c->count[PHI_PAIR_EQUAL];
	size_t n = 0;
	for (size_t i = first; i < c->npairs; i++) {
		const struct phi_pair *const pair = &c->pairs[i];
		const struct phi_tensor *const a = phi_pair_tensor(c, pair, 0);
		const struct phi_tensor *const b = phi_pair_tensor(c, pair, 1);
		struct phi_quoted q;
		if (!a || !b || phi_type_same(a->type, b->type))
			continue;
		if (!n++)
			fputs("equal values, other types\n", out);
		fprintf(out, "  %s  %s, %s\n", phi_quote(&q, phi_pair_name(c, pair)), a->type->name,
			b->type->name);
	}
	if (n)
		fputc('\n', out);
}

static void
print_metadata(const struct phi_comparison *c, const struct phi_metadata_diff *metadata, FILE *out)
{
	static const struct phi_column columns[] = {{"key", false}, {"a", false}, {"b", false}};
	const struct view v = {.c = c, .metadata = metadata};
	const struct phi_table table = {.columns = columns, .ncolumns = 3, .rows = metadata->count,
		.ctx = &v, .cell = meta_cell, .indent = "  ", .color = c->options->color};
	if (!metadata->count)
		return;
	fprintf(out, "%s (%zu)\n", metadata->by_family ? "hyper-parameters" : "metadata",
		metadata->count);
	phi_table_print(&table, out);
	fputc('\n', out);
}

static void
count_text(FILE *out, size_t n, const char *what)
{
	if (n)
		fprintf(out, ", %zu %s", n, what);
}

static void
print_last(const struct phi_comparison *c, const struct phi_metadata_diff *metadata, bool differs,
	FILE *out)
{
	struct phi_quoted a, b;
	fprintf(out, "%s and %s %s: %zu tensors", model_name(c->source[0], &a),
		model_name(c->source[1], &b), differs ? "differ" : "agree", c->npairs);
	count_text(out, c->count[PHI_PAIR_EQUAL], "equal");
	count_text(out, c->count[PHI_PAIR_WITHIN], "within tolerance");
	count_text(out, c->count[PHI_PAIR_DIFFERS], "differ");
	count_text(out, c->count[PHI_PAIR_UNKNOWN], "not comparable");
	count_text(out, c->count[PHI_PAIR_SHAPE], "of another shape");
	count_text(out, c->count[PHI_PAIR_ONLY_A], "only in a");
	count_text(out, c->count[PHI_PAIR_ONLY_B], "only in b");
	count_text(out, c->types_differ, "of another type");
	count_text(out, metadata->count,
		metadata->by_family ? "of other hyper-parameters" : "metadata keys differ");
	if (!metadata->comparable)
		fprintf(out, ", metadata not comparable (%s, %s)", c->source[0]->model->view,
			c->source[1]->model->view);
	fputc('\n', out);
}

/* What exit status 1 is for: values, names and shapes; types and metadata under --strict. */
static bool
is_different(const struct phi_comparison *c, const struct phi_metadata_diff *metadata)
{
	for (unsigned state = 0; state < PHI_PAIR_WITHIN; state++)
		if (c->count[state])
			return true;
	return c->options->strict &&
		(c->types_differ || metadata->count || !metadata->comparable);
}

static int
print(const struct phi_comparison *c, const struct phi_metadata_diff *metadata, FILE *out,
	bool *differs, struct phi_err *err)
{
	*differs = is_different(c, metadata);
	if (c->options->json)
		return phi_diff_emit(c, metadata, *differs, out, err);
	if (!c->options->brief) {
		print_pairs(c, out);
		print_types(c, out);
		print_metadata(c, metadata, out);
	}
	print_last(c, metadata, *differs, out);
	return 0;
}

int
phi_diff_print(struct phi_source *a, struct phi_source *b, const struct phi_diff_options *options,
	FILE *out, bool *differs, struct phi_err *err)
{
	struct phi_comparison c = {.source = {a, b}, .options = options};
	struct phi_metadata_diff metadata = {0};
	const int result = phi_comparison_pair(&c, err) ||
			phi_comparison_configured(&c, err) || phi_comparison_measure(&c, err) ||
			phi_metadata_diff_take(&metadata, a->model, b->model, err) ||
			print(&c, &metadata, out, differs, err)
		? -1
		: 0;
	phi_metadata_diff_free(&metadata);
	phi_comparison_free(&c);
	return result;
}
