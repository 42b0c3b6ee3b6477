/* --check and --layout. */
#include "formats/core/finite.h"
#include "formats/formats.h"
#include "formats/models/family.h"
#include "inspect/findings.h"
#include "inspect/importance.h"
#include "inspect/inspect.h"
#include "inspect/table.h"

#include "formats/core/memory.h"

#include <string.h>

/* Is this what a family's model has? A failure is a finding; running out of memory is not. */
static int
check_family(const struct phi_model *model, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_hparams hparams;
	struct phi_err why = {0};
	const char *rule = "model.configuration";
	if (!model->family)
		return 0;
	int result = phi_family_hparams(model, &hparams, &why);
	if (!result) {
		rule = "model.tensors";
		result = phi_family_check(model, &hparams, &why);
	}
	if (!result)
		return 0;
	if (why.kind == PHI_MEMORY) {
		*err = why;
		return -1;
	}
	return phi_finding_emit(findings, PHI_FINDING_INVALID, rule, NULL, NULL, UINT64_MAX, err, "%s",
		why.text);
}

static int
check_head(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_err why = {0};
	if (phi_check_tied(source, NULL, &why) == 0)
		return 0;
	if (why.kind != PHI_FORMAT) {
		*err = why;
		return -1;
	}
	return phi_finding_emit(findings, PHI_FINDING_INVALID, "model.head", NULL, NULL, UINT64_MAX, err, "%s",
		why.text);
}

/* Reads to the end what comes in order. What is cut, or not what its digests say, is a finding: what
 * was read up to there is of no use. */
static int
settle(struct phi_source *source, const struct phi_inspect_options *options,
	const struct phi_findings *findings, bool *damaged, struct phi_err *err)
{
	struct phi_err why = {0};
	if (phi_source_settle(source, options->spool, &why) == 0)
		return 0;
	if (why.kind != PHI_FORMAT && why.kind != PHI_TRUNCATED) {
		*err = why;
		return -1;
	}
	*damaged = true;
	return phi_finding_emit(findings, PHI_FINDING_INVALID, "model.damaged", NULL, NULL, UINT64_MAX,
		err, "%s", why.text);
}

static const char *
path_of(const struct phi_source *source)
{
	return source->outer ? phi_store_path(source->outer) : source->model->name;
}

int
phi_check_print(struct phi_source *source, const struct phi_inspect_options *options, FILE *out,
	bool *valid, struct phi_err *err)
{
	struct phi_findings_print print;
	struct phi_err other;
	phi_findings_begin(&print, path_of(source), options, out);
	const struct phi_findings findings = phi_findings_to(&print);
	const bool random = !source->sequential;
	bool damaged = false;
	int result = settle(source, options, &findings, &damaged, err);
	if (!result && random)
		result = phi_check_format(source, &findings, err);
	if (!result && !damaged && (check_family(source->model, &findings, err) ||
			       check_head(source, &findings, err) ||
			       phi_check_tokenizer(source, &findings, err) ||
			       phi_check_finite(source, &findings, err) ||
			       phi_check_importance(source, &findings, err)))
		result = -1;
	*valid = !print.count[PHI_FINDING_INVALID];
	if (phi_findings_finish(&print, result ? &other : err))
		return -1;
	return result;
}

int
phi_check_print_unreadable(const char *path, const struct phi_err *why,
	const struct phi_inspect_options *options, FILE *out, struct phi_err *err)
{
	struct phi_findings_print print;
	/* The message begins with the path already. */
	const size_t n = strlen(path);
	const bool named = !strncmp(why->text, path, n) && !strncmp(why->text + n, ": ", 2);
	phi_findings_begin(&print, path, options, out);
	const struct phi_findings findings = phi_findings_to(&print);
	const int result = phi_finding_emit(&findings, PHI_FINDING_INVALID, "model.unreadable", NULL,
		NULL, UINT64_MAX, err, "%s", why->text + (named ? n + 2 : 0));
	return phi_findings_finish(&print, err) || result ? -1 : 0;
}

enum region_column { REGION_PATH, REGION_FILE, REGION_OFFSET, REGION_SIZE, REGION_WHAT, REGION_NAME };

/* The regions of a layout, held for a table's widths. */
struct layout {
	const char *path;
	struct phi_arena *arena;
	struct phi_region *items;
	size_t count, capacity;
};

static int
keep(void *ctx, const struct phi_region *region, struct phi_err *err)
{
	struct layout *const l = ctx;
	if (phi_grow(&l->items, &l->capacity, l->count, sizeof *l->items, err))
		return -1;
	struct phi_region *const r = &l->items[l->count];
	*r = *region;
	r->file = phi_arena_strdup(l->arena, region->file ? region->file : "", err);
	r->name = region->name ? phi_arena_strdup(l->arena, region->name, err) : NULL;
	if (!r->file || (region->name && !r->name))
		return -1;
	l->count++;
	return 0;
}

static void
cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct layout *const l = ctx;
	const struct phi_region *const r = &l->items[row];
	switch (id) {
	case REGION_PATH:
		phi_cell_set_text(cell, l->path);
		break;
	case REGION_OFFSET:
	case REGION_SIZE:
		phi_cell_set_number(cell, id == REGION_SIZE ? r->size : r->offset);
		break;
	case REGION_WHAT:
		phi_cell_set_word(cell, r->what);
		break;
	default:
		phi_cell_set_text(cell, id == REGION_FILE ? r->file : r->name);
	}
}

/* Text has the file last, JSON first. */
static const struct phi_column columns[] = {{REGION_PATH, "path", NULL, false, NULL, PHI_COLUMN_CSV},
	{REGION_FILE, "file", NULL, false, NULL, 0}, {REGION_OFFSET, "offset", "offset", true, NULL, 0},
	{REGION_SIZE, "size", "size", true, NULL, 0}, {REGION_WHAT, "what", "what", false, NULL, 0},
	{REGION_NAME, "name", "name", false, NULL, 0}, {REGION_FILE, NULL, "file", false, NULL, 0}};

static int
print_layout(const struct layout *l, const struct phi_inspect_options *options, FILE *out,
	struct phi_err *err)
{
	/* The path is a column where there are several. */
	const unsigned skip = options->path ? 0 : 1;
	const struct phi_table table = {.record = "region", .columns = columns + skip,
		.ncolumns = sizeof columns / sizeof *columns - skip, .rows = l->count, .ctx = l,
		.cell = cell, .color = options->color};
	struct phi_emit e;
	switch (options->style) {
	case PHI_STYLE_TEXT:
		phi_table_print(&table, out);
		return 0;
	case PHI_STYLE_JSON:
		phi_emit_begin(&e, out, 1);
		phi_table_emit(&table, &e);
		return phi_emit_finish(&e, err);
	case PHI_STYLE_LINES:
		return phi_table_lines(&table, out, err);
	case PHI_STYLE_CSV:
		phi_table_csv(&table, !options->headless, out);
		return 0;
	}
	return 0;
}

/* Where the bytes are is known of files only; of those that are read in order, after that. */
static bool
has_places(struct phi_source *source, const struct phi_inspect_options *options, int *result,
	struct phi_err *err)
{
	if (!source->ops->layout)
		return false;
	if (source->sequential && (!source->ops->settle || !source->outer ||
			phi_store_kind(source->outer) != PHI_STORE_FILE))
		return false;
	*result = phi_source_settle(source, options->spool, err);
	return true;
}

static int
note_trailing(void *ctx, const struct phi_region *region, struct phi_err *err)
{
	bool *const valid = ctx;
	(void)err;
	*valid = *valid && !(region->size && !strcmp(region->what, "trailing"));
	return 0;
}

int
phi_check_quick(struct phi_source *source, bool *valid, struct phi_err *err)
{
	const struct phi_regions regions = {.emit = note_trailing, .ctx = valid};
	*valid = true;
	if (source->sequential)
		return phi_source_finish(source, err);
	return source->ops->layout ? source->ops->layout(source, &regions, err) : 0;
}

int
phi_layout_print(struct phi_source *source, const struct phi_inspect_options *options, FILE *out,
	struct phi_err *err)
{
	struct layout l = {.path = path_of(source), .arena = phi_arena_new(err)};
	const struct phi_regions regions = {.emit = keep, .ctx = &l};
	int result = l.arena ? 0 : -1;
	if (!result && !has_places(source, options, &result, err))
		result = phi_fail(err, PHI_UNSUPPORTED, "%s: the layout of %s is not shown",
			path_of(source), source->format);
	if (!result)
		result = source->ops->layout(source, &regions, err);
	if (!result)
		result = print_layout(&l, options, out, err);
	phi_free(l.items);
	phi_arena_free(l.arena);
	return result;
}
