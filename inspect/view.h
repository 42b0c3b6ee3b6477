/* All that phi-inspect shows of a model, gathered before anything is printed. */
#ifndef PHI_INSPECT_VIEW_H
#define PHI_INSPECT_VIEW_H

#include "inspect/census.h"
#include "inspect/facts.h"
#include "inspect/inspect.h"
#include "inspect/module.h"
#include "inspect/stats.h"
#include "inspect/sum.h"

struct phi_view {
	const struct phi_model *model;
	const char *path;   /* as people see it; escaped by whoever prints */
	const char *format; /* of what was opened */
	const struct phi_inspect_options *options;
	uint32_t *shown; /* indices of the tensors that only and exclude leave */
	size_t nshown;
	struct phi_census census;
	/* Those types that occur. */
	const struct phi_census_type *types[PHI_TYPES + PHI_CENSUS_PACKED];
	size_t ntypes;
	struct phi_modules modules;
	struct phi_facts facts;
	struct phi_digest *digests; /* of all tensors, or NULL */
	struct phi_stats *stats;    /* the same */
};

/* Reads weights where options ask for what needs them; else a pipe is read to its checked end all the
 * same: one that was cut is no model, and a writer that is left alone would die of SIGPIPE and fail the whole
 * pipeline. */
int phi_view_take(struct phi_view *view, struct phi_source *source,
	const struct phi_inspect_options *options, struct phi_err *err);
void phi_view_free(struct phi_view *view);

/* The tables (view_table.c). Where columns depend on something, room for them is the caller's. */
struct phi_table phi_view_types(const struct phi_view *view,
	struct phi_column columns[static PHI_TABLE_COLUMNS]);
struct phi_table phi_view_modules(const struct phi_view *view,
	struct phi_column columns[static PHI_TABLE_COLUMNS]);
struct phi_table phi_view_tensors(const struct phi_view *view,
	struct phi_column columns[static PHI_TABLE_COLUMNS]);
struct phi_table phi_view_stats(const struct phi_view *view,
	struct phi_column columns[static PHI_TABLE_COLUMNS]);
struct phi_table phi_view_metadata(const struct phi_view *view);
struct phi_table phi_view_sides(const struct phi_view *view);

#endif
