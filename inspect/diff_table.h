/* A comparison as tables; man/phi-diff.1 documents their columns. */
#ifndef PHI_INSPECT_DIFF_TABLE_H
#define PHI_INSPECT_DIFF_TABLE_H

#include "inspect/compare.h"
#include "inspect/metadata_diff.h"
#include "inspect/table.h"

struct phi_diff_view {
	const struct phi_comparison *c;
	const struct phi_metadata_diff *metadata;
};

/* Pairs [first, first + rows) of the comparison, of which text shows
 * LOST: what is missing or of another shape; APART: how far the values are apart; STATS: statistics. */
enum phi_pairs_shown { PHI_PAIRS_LOST, PHI_PAIRS_APART, PHI_PAIRS_STATS };
struct phi_pairs_view {
	const struct phi_diff_view *view;
	size_t first;
	struct phi_column columns[PHI_TABLE_COLUMNS];
};
struct phi_table phi_diff_pairs(struct phi_pairs_view *pairs, const struct phi_diff_view *view,
	enum phi_pairs_shown shown, size_t first, size_t rows);
struct phi_table phi_diff_metadata(const struct phi_diff_view *view);
struct phi_table phi_diff_blocks(const struct phi_diff_view *view);

/* Layers and modules: a number and a shade for each, in text. */
int phi_heatmap_print(const struct phi_comparison *c, FILE *out, struct phi_err *err);

#endif
