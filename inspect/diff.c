#include "formats/core/escape.h"
#include "inspect/diff_table.h"

#include <string.h>

static const char *
model_name(const struct phi_source *source, struct phi_quoted *q)
{
	const char *const path = source->outer ? phi_store_path(source->outer) : source->model->name;
	return phi_quote(q, path ? path : "model");
}

static void
print_table(struct phi_table table, const char *title, const char *after, FILE *out)
{
	if (!table.rows)
		return;
	if (title)
		fprintf(out, "%s (%zu)%s\n", title, table.rows, after);
	phi_table_print(&table, out);
	fputc('\n', out);
}

/* Pairs are sorted by state: tables take a run of them. */
static void
print_pairs(const struct phi_diff_view *v, FILE *out)
{
	const struct phi_comparison *const c = v->c;
	const size_t nlost = c->count[PHI_PAIR_ONLY_A] + c->count[PHI_PAIR_ONLY_B] +
		c->count[PHI_PAIR_SHAPE] + c->count[PHI_PAIR_UNKNOWN];
	const size_t napart = c->options->tensors
		? c->npairs - nlost
		: c->count[PHI_PAIR_DIFFERS] + c->count[PHI_PAIR_WITHIN];
	struct phi_pairs_view pairs;
	print_table(phi_diff_pairs(&pairs, v, PHI_PAIRS_LOST, 0, nlost), "missing or not comparable",
		"", out);
	print_table(phi_diff_pairs(&pairs, v, PHI_PAIRS_APART, nlost, napart),
		c->options->tensors ? "tensors" : "values differ", ", worst first", out);
	if (c->options->stats)
		print_table(phi_diff_pairs(&pairs, v, PHI_PAIRS_STATS, nlost, c->npairs - nlost),
			"statistics", "", out);
}

/* Equal ones are shown where the types differ, and those come in the order of names with the others in
 * between. */
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
count_text(FILE *out, size_t n, const char *what)
{
	if (n)
		fprintf(out, ", %zu %s", n, what);
}

static void
print_counts(const struct phi_comparison *c, FILE *out)
{
	fprintf(out, "%zu tensor%s", c->npairs, c->npairs == 1 ? "" : "s");
	count_text(out, c->count[PHI_PAIR_EQUAL], "equal");
	count_text(out, c->count[PHI_PAIR_WITHIN], "within tolerance");
	count_text(out, c->count[PHI_PAIR_DIFFERS], "differ");
	count_text(out, c->count[PHI_PAIR_UNKNOWN], "not comparable");
	count_text(out, c->count[PHI_PAIR_SHAPE], "of another shape");
	count_text(out, c->count[PHI_PAIR_ONLY_A], "only in a");
	count_text(out, c->count[PHI_PAIR_ONLY_B], "only in b");
	count_text(out, c->types_differ, "of another type");
}

static void
print_last(const struct phi_diff_view *v, bool differs, FILE *out)
{
	const struct phi_comparison *const c = v->c;
	const struct phi_metadata_diff *const metadata = v->metadata;
	struct phi_quoted a, b;
	fprintf(out, "%s and %s %s: ", model_name(c->source[0], &a), model_name(c->source[1], &b),
		differs ? "differ" : "agree");
	if (c->options->metadata)
		fprintf(out, "metadata alone");
	else
		print_counts(c, out);
	count_text(out, metadata->count,
		metadata->by_family	? "of other hyper-parameters"
		: metadata->count == 1	? "metadata key differs"
					: "metadata keys differ");
	if (!metadata->comparable)
		fprintf(out, ", metadata not comparable (%s, %s)", c->source[0]->model->view,
			c->source[1]->model->view);
	fputc('\n', out);
}

/* What exit status 1 is for: values, names and shapes; types and metadata under --strict; the metadata
 * where it is all that was asked for. */
static bool
is_different(const struct phi_comparison *c, const struct phi_metadata_diff *metadata)
{
	for (unsigned state = 0; state < PHI_PAIR_WITHIN; state++)
		if (c->count[state])
			return true;
	return (c->options->strict || c->options->metadata) &&
		(c->types_differ || metadata->count || !metadata->comparable);
}

static int
print_text(const struct phi_diff_view *v, bool differs, FILE *out, struct phi_err *err)
{
	const struct phi_diff_options *const o = v->c->options;
	if (!o->brief) {
		print_pairs(v, out);
		if (!o->tensors)
			print_types(v->c, out);
		if (o->blocks)
			print_table(phi_diff_blocks(v), NULL, "", out);
		if (o->heatmap && phi_heatmap_print(v->c, out, err))
			return -1;
		print_table(phi_diff_metadata(v), NULL, "", out);
	}
	print_last(v, differs, out);
	return 0;
}

static int
print_json(const struct phi_diff_view *v, bool differs, FILE *out, struct phi_err *err)
{
	const struct phi_diff_options *const o = v->c->options;
	struct phi_pairs_view pairs;
	struct phi_emit e;
	phi_emit_begin(&e, out, 2);
	phi_emit_open(&e, '{');
	phi_emit_member_bool(&e, "differs", differs);
	if (!o->brief && v->metadata->comparable) {
		phi_table_emit_member(&e, "metadata", phi_diff_metadata(v));
	} else if (!o->brief) {
		phi_emit_key(&e, "metadata");
		phi_emit_null(&e);
	}
	if (!o->brief && !o->metadata)
		phi_table_emit_member(&e, "tensors", phi_diff_pairs(&pairs, v,
			o->stats ? PHI_PAIRS_STATS : PHI_PAIRS_APART, 0, v->c->npairs));
	if (!o->brief && o->blocks)
		phi_table_emit_member(&e, "blocks", phi_diff_blocks(v));
	phi_emit_close(&e, '}');
	return phi_emit_finish(&e, err);
}

/* CSV is one table, JSON lines are all of them, after a line on the whole. */
static int
print_rows(const struct phi_diff_view *v, bool differs, FILE *out, struct phi_err *err)
{
	const struct phi_diff_options *const o = v->c->options;
	struct phi_pairs_view view;
	const struct phi_table metadata = phi_diff_metadata(v), blocks = phi_diff_blocks(v),
		pairs = phi_diff_pairs(&view, v, o->stats ? PHI_PAIRS_STATS : PHI_PAIRS_APART, 0,
			v->c->npairs);
	if (o->style == PHI_STYLE_CSV) {
		phi_table_csv(o->metadata ? &metadata : o->blocks ? &blocks : &pairs, true, out);
		return 0;
	}
	fprintf(out, "{\"record\": \"comparison\", \"differs\": %s}\n", differs ? "true" : "false");
	return o->brief ? 0
			: phi_table_lines(&metadata, out, err) || phi_table_lines(&pairs, out, err) ||
				phi_table_lines(&blocks, out, err)
		? -1
		: 0;
}

static int
print(const struct phi_diff_view *v, FILE *out, bool *differs, struct phi_err *err)
{
	*differs = is_different(v->c, v->metadata);
	switch (v->c->options->style) {
	case PHI_STYLE_TEXT:
		return print_text(v, *differs, out, err);
	case PHI_STYLE_JSON:
		return print_json(v, *differs, out, err);
	default:
		return print_rows(v, *differs, out, err);
	}
}

/* Pipes are read to their checked ends all the same. */
static int
skip_weights(struct phi_comparison *c, struct phi_err *err)
{
	return phi_source_finish(c->source[0], err) || phi_source_finish(c->source[1], err) ? -1 : 0;
}

static int
measure(struct phi_comparison *c, struct phi_err *err)
{
	if (c->options->metadata)
		return skip_weights(c, err);
	return phi_comparison_pair(c, err) || phi_comparison_configured(c, err) ||
			phi_comparison_measure(c, err)
		? -1
		: 0;
}

int
phi_diff_print(struct phi_source *a, struct phi_source *b, const struct phi_diff_options *options,
	FILE *out, bool *differs, struct phi_err *err)
{
	struct phi_comparison c = {.source = {a, b}, .options = options};
	struct phi_metadata_diff metadata = {0};
	const struct phi_diff_view view = {&c, &metadata};
	const int result = measure(&c, err) ||
			phi_metadata_diff_take(&metadata, a->model, b->model, err) ||
			print(&view, out, differs, err)
		? -1
		: 0;
	phi_metadata_diff_free(&metadata);
	phi_comparison_free(&c);
	return result;
}
