/* phi-quant --target-size: noise against size. */
#include "inspect/inspect.h"
#include "inspect/table.h"
#include "quant/target.h"

#include <math.h>

struct listing {
	const struct phi_target *target;
	struct phi_target_point points[PHI_TARGET_POINTS];
	uint64_t overhead;
};

static void
point_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct listing *const l = ctx;
	const struct phi_target_point *const p = &l->points[row];
	switch (id) {
	case 0:
		phi_cell_set_number(cell, p->bytes + l->overhead);
		break;
	case 1:
		phi_cell_set_real(cell, 8 * (double)p->bytes / (double)phi_target_weights(l->target));
		break;
	case 2:
		if (p->noise > 0)
			phi_cell_set_real(cell, -10 * log10(p->noise));
		break;
	case 3:
		phi_cell_set_real(cell, sqrt(p->noise));
		break;
	default:
		phi_cell_set_word(cell, p->chosen ? "chosen" : "");
	}
}

void
phi_aim_print(const struct phi_target *target, const struct phi_aim_print_options *options, FILE *out)
{
	static const struct phi_column columns[] = {{0, "size", "file size", true, NULL, 0},
		{1, "bpw", "bits/weight", true, "%.3f", 0}, {2, "sqnr", "SQNR dB", true, "%.2f", 0},
		{3, "rmse", "rel rmse", true, "%.4g", 0}, {4, "chosen", "", false, NULL, 0}};
	struct listing l = {.target = target, .overhead = options->overhead};
	const struct phi_table table = {.columns = columns, .ncolumns = 5,
		.rows = phi_target_curve(target, l.points), .ctx = &l, .cell = point_cell,
		.color = options->color};
	phi_table_print(&table, out);
	fprintf(out, "(errors of some rows of each tensor, relative to its weights)\n");
}
