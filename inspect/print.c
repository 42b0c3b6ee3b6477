#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/models/family.h"
#include "inspect/census.h"
#include "inspect/emit.h"
#include "inspect/inspect.h"
#include "inspect/number.h"
#include "inspect/pick.h"
#include "inspect/sum.h"
#include "inspect/table.h"

#include <inttypes.h>
#include <string.h>

/* What the tables' cells are made from. */
struct report {
	const struct phi_model *model;
	const char *format;
	const struct phi_digest *digests; /* of all tensors, or NULL */
	uint32_t *shown; /* indices of the tensors that only and exclude leave */
	size_t nshown;
	/* Those that occur. */
	const struct phi_census_type *types[PHI_TYPES + PHI_CENSUS_PACKED];
	struct phi_census census;
};

static void
print_summary(const struct report *r, const struct phi_source *source, FILE *out)
{
	const struct phi_model *const m = r->model;
	struct phi_number weights, bytes;
	struct phi_quoted name;
	const char *const path = source->outer ? phi_store_path(source->outer) : m->name;
	fprintf(out, "%s: %s", phi_quote(&name, path ? path : "model"), r->format);
	if (strcmp(r->format, m->format))
		fprintf(out, " of %s", m->format);
	if (m->view && strcmp(m->view, "canonical") && strcmp(m->view, m->format))
		fprintf(out, " as %s", m->view);
	if (m->family)
		fprintf(out, ", %s", m->family->name);
	fprintf(out, ", %zu tensors, %s weights, %s", r->nshown,
		phi_number_count(&weights, r->census.weights),
		phi_number_bytes(&bytes, r->census.bytes));
	if (r->census.weights)
		fprintf(out, ", %.2f bits per weight",
			(double)r->census.bytes * 8 / (double)r->census.weights);
	fputc('\n', out);
}

static void
type_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct report *const r = ctx;
	const struct phi_census_type *const of = r->types[row];
	struct phi_number n;
	switch (column) {
	case 0:
		snprintf(dst, PHI_TABLE_CELL, "%s", of->type->name);
		break;
	case 1:
		snprintf(dst, PHI_TABLE_CELL, "%" PRIu64, of->tensors);
		break;
	case 2:
		strcpy(dst, phi_number_count(&n, of->weights));
		break;
	default:
		strcpy(dst, phi_number_bytes(&n, of->bytes));
	}
}

static void
meta_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct phi_meta *const meta = &((const struct report *)ctx)->model->metadata.items[row];
	switch (column) {
	case 0:
		phi_escape(dst, PHI_TABLE_CELL, meta->key, strlen(meta->key));
		break;
	case 1:
		strcpy(dst, phi_value_name(meta->value.kind));
		break;
	default:
		/* As much as stands on a line of a wide terminal. */
		phi_value_text(&meta->value, dst, 200);
	}
}

static void
side_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct phi_side *const side = &((const struct report *)ctx)->model->sides[row];
	if (column == 0)
		phi_escape(dst, PHI_TABLE_CELL, side->name, strlen(side->name));
	else
		snprintf(dst, PHI_TABLE_CELL, "%zu", side->size);
}

static void
tensor_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct report *const r = ctx;
	const struct phi_tensor *const t = &r->model->tensors[r->shown[row]];
	const struct phi_storage *const s = t->nplanes ? &r->model->storages[t->plane[0].storage] : NULL;
	uint64_t bytes = 0;
	switch (column) {
	case 0:
		phi_escape(dst, PHI_TABLE_CELL, t->name, strlen(t->name));
		break;
	case 1:
		strcpy(dst, t->type->name);
		break;
	case 2:
		phi_tensor_shape(t, dst, PHI_TABLE_CELL);
		break;
	case 3:
		if (phi_tensor_bytes(t, &bytes))
			snprintf(dst, PHI_TABLE_CELL, "%" PRIu64, bytes);
		break;
	case 4:
		if (s)
			snprintf(dst, PHI_TABLE_CELL, "%" PRIu64, s->offset + t->plane[0].offset);
		break;
	case 5:
		if (s && s->file)
			phi_escape(dst, PHI_TABLE_CELL, s->file, strlen(s->file));
		break;
	default:
		if (r->digests[r->shown[row]].known)
			strcpy(dst, r->digests[r->shown[row]].hex);
	}
}

static void
section(const struct report *r, const char *title, size_t rows, const struct phi_column *columns,
	unsigned ncolumns, void (*cell)(const void *, size_t, unsigned, char *), bool color, FILE *out)
{
	if (!rows)
		return;
	fprintf(out, "\n%s (%zu)\n", title, rows);
	const struct phi_table table = {.columns = columns, .ncolumns = ncolumns, .rows = rows,
		.ctx = r, .cell = cell, .indent = "  ", .color = color};
	phi_table_print(&table, out);
}

static void
print_text(struct report *r, const struct phi_source *source,
	const struct phi_inspect_options *options, FILE *out)
{
	static const struct phi_column types[] = {{"type", false}, {"tensors", true},
		{"weights", true}, {"bytes", true}};
	static const struct phi_column metadata[] = {{"key", false}, {"kind", false}, {"value", false}};
	static const struct phi_column sides[] = {{"file", false}, {"bytes", true}};
	static const struct phi_column tensors[] = {{"name", false}, {"type", false}, {"shape", false},
		{"bytes", true}, {"offset", true}, {"file", false}, {"sha256", false}};
	const struct phi_model *const m = r->model;
	size_t ntypes = 0;
	for (unsigned i = 0; i < PHI_TYPES + PHI_CENSUS_PACKED; i++)
		if (r->census.of[i].tensors)
			r->types[ntypes++] = &r->census.of[i];
	print_summary(r, source, out);
	section(r, "types", ntypes, types, 4, type_cell, options->color, out);
	section(r, "metadata", m->metadata.count, metadata, 3, meta_cell, options->color, out);
	section(r, "side files", m->nsides, sides, 2, side_cell, options->color, out);
	section(r, "tensors", r->nshown, tensors, r->digests ? 7 : 6, tensor_cell, options->color,
		out);
}

static void
emit_tensor(struct phi_emit *e, const struct report *r, size_t i)
{
	const struct phi_tensor *const t = &r->model->tensors[i];
	const struct phi_storage *const s = t->nplanes ? &r->model->storages[t->plane[0].storage] : NULL;
	uint64_t bytes = 0;
	phi_emit_open(e, '{');
	phi_emit_member(e, "name", t->name);
	phi_emit_member(e, "dtype", t->type->name);
	phi_emit_key(e, "shape");
	phi_emit_shape(e, t);
	phi_emit_key(e, "nbytes");
	if (phi_tensor_bytes(t, &bytes))
		phi_emit_u64(e, bytes);
	else
		phi_emit_null(e);
	phi_emit_member(e, "file", s ? s->file : NULL);
	phi_emit_key(e, "offset");
	if (s)
		phi_emit_u64(e, s->offset + t->plane[0].offset);
	else
		phi_emit_null(e);
	if (r->digests)
		phi_emit_member(e, "sha256", r->digests[i].known ? r->digests[i].hex : NULL);
	phi_emit_close(e, '}');
}

static int
print_json(const struct report *r, bool full, FILE *out, struct phi_err *err)
{
	const struct phi_model *const m = r->model;
	struct phi_emit e;
	phi_emit_begin(&e, out, 2);
	phi_emit_open(&e, '{');
	phi_emit_member(&e, "format", r->format);
	phi_emit_key(&e, "metadata");
	phi_emit_open(&e, '{');
	for (size_t i = 0; i < m->metadata.count; i++) {
		phi_emit_key(&e, m->metadata.items[i].key);
		phi_emit_value(&e, &m->metadata.items[i].value, full);
	}
	phi_emit_close(&e, '}');
	phi_emit_key(&e, "tensors");
	phi_emit_open(&e, '[');
	for (size_t i = 0; i < r->nshown; i++)
		emit_tensor(&e, r, r->shown[i]);
	phi_emit_close(&e, ']');
	phi_emit_close(&e, '}');
	return phi_emit_finish(&e, err);
}

static int
pick(struct report *r, const struct phi_inspect_options *options, struct phi_err *err)
{
	const struct phi_model *const m = r->model;
	r->shown = phi_calloc(m->ntensors + 1, sizeof *r->shown, err);
	if (!r->shown)
		return -1;
	for (size_t i = 0; i < m->ntensors; i++)
		if (phi_pick_matches(&m->tensors[i], options->only, options->exclude))
			r->shown[r->nshown++] = (uint32_t)i;
	if (m->ntensors && !r->nshown)
		return phi_fail(err, PHI_ARGUMENT, "--only and --exclude leave no tensor");
	phi_census_take(m, r->shown, r->nshown, &r->census);
	return 0;
}

/* Digests, where they are wanted. Else a pipe is read to its checked end all the same: one that was cut is
 * no model, and a writer that is left alone would die of SIGPIPE and fail the whole pipeline. */
static int
read_weights(const struct report *r, struct phi_source *source,
	const struct phi_inspect_options *options, struct phi_digest **digests, struct phi_err *err)
{
	if (!options->sum)
		return phi_source_finish(source, err);
	*digests = phi_calloc(r->model->ntensors + 1, sizeof **digests, err);
	return *digests ? phi_sum_tensors(source, options, *digests, err) : -1;
}

int
phi_inspect_print(struct phi_source *source, const struct phi_inspect_options *options, FILE *out,
	struct phi_err *err)
{
	struct report *const r = phi_calloc(1, sizeof *r, err);
	struct phi_digest *digests = NULL;
	if (!r)
		return -1;
	r->model = source->model;
	r->format = source->format ? source->format : source->model->format;
	int result = pick(r, options, err) || read_weights(r, source, options, &digests, err) ? -1 : 0;
	r->digests = digests;
	if (!result && options->json)
		result = print_json(r, options->full, out, err);
	else if (!result)
		print_text(r, source, options, out);
	phi_free(digests);
	phi_free(r->shown);
	phi_free(r);
	return result;
}
