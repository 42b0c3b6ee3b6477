/* phi-quant --report: what each tensor became and what it lost. */
#include "formats/core/loss.h"
#include "inspect/inspect.h"
#include "inspect/table.h"

#include <inttypes.h>

struct listing {
	const struct phi_plan *plan;
	const struct phi_loss *losses;
};

static void
loss_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct listing *const l = ctx;
	const struct phi_tensor *const t = &l->plan->model->tensors[row];
	const struct phi_loss *const loss = &l->losses[row];
	switch (id) {
	case 0:
		phi_cell_set_text(cell, t->name);
		break;
	case 1:
		phi_cell_set_word(cell, t->type->name);
		break;
	case 2:
		phi_cell_set_number(cell, l->plan->bytes[row]);
		break;
	case 3:
		phi_cell_set_real(cell, phi_loss_rmse(loss));
		break;
	case 4:
		if (loss->error > 0)
			phi_cell_set_real(cell, phi_loss_sqnr(loss));
		break;
	default:
		if (t->importance && loss->weighted_error > 0)
			phi_cell_set_real(cell, phi_loss_weighted_sqnr(loss));
	}
}

/* The last column is for importance, where there is any. */
static struct phi_table
table_of(const struct listing *l, bool color)
{
	static const struct phi_column columns[] = {{0, "name", "name", false, NULL, 0},
		{1, "dtype", "type", false, NULL, 0}, {2, "nbytes", "size", true, NULL, 0},
		{3, "rmse", "rmse", true, "%.6g", 0}, {4, "sqnr", "SQNR dB", true, "%.2f", 0},
		{5, "weighted_sqnr", "weighted dB", true, "%.2f", 0}};
	const struct phi_model *const model = l->plan->model;
	bool weighted = false;
	for (size_t i = 0; i < model->ntensors; i++)
		weighted |= model->tensors[i].importance != NULL;
	return (struct phi_table){.columns = columns, .ncolumns = weighted ? 6 : 5,
		.rows = model->ntensors, .ctx = l, .cell = loss_cell, .color = color};
}

static struct phi_loss
sum_of(const struct listing *l, uint64_t *bytes)
{
	struct phi_loss sum = { 0 };
	*bytes = 0;
	for (size_t i = 0; i < l->plan->model->ntensors; i++) {
		phi_loss_add(&sum, &l->losses[i]);
		*bytes += l->plan->model->tensors[i].alias == PHI_NONE ? l->plan->bytes[i] : 0;
	}
	return sum;
}

static void
print_text(const struct listing *l, bool color, FILE *out)
{
	const struct phi_table table = table_of(l, color);
	uint64_t bytes;
	const struct phi_loss sum = sum_of(l, &bytes);
	phi_table_print(&table, out);
	fprintf(out, "%" PRIu64 " bytes", bytes);
	if (sum.error > 0)
		fprintf(out, ", %" PRIu64 " weights converted: rmse %.6g, SQNR %.2f dB\n", sum.n,
			phi_loss_rmse(&sum), phi_loss_sqnr(&sum));
	else
		fprintf(out, ", nothing lost\n");
}

static void
emit_loss(struct phi_emit *e, const struct phi_loss *loss)
{
	phi_emit_member_real(e, "rmse", phi_loss_rmse(loss));
	phi_emit_key(e, "sqnr");
	if (loss->error > 0)
		phi_emit_real(e, phi_loss_sqnr(loss), false);
	else
		phi_emit_null(e);
}

static int
print_json(const struct listing *l, FILE *out, struct phi_err *err)
{
	struct phi_emit e;
	const struct phi_table table = table_of(l, false);
	uint64_t bytes;
	const struct phi_loss sum = sum_of(l, &bytes);
	phi_emit_begin(&e, out, 2);
	phi_emit_open(&e, '{');
	phi_table_emit_member(&e, "tensors", table);
	phi_emit_member_u64(&e, "nbytes", bytes);
	phi_emit_member_u64(&e, "converted", sum.n);
	emit_loss(&e, &sum);
	phi_emit_close(&e, '}');
	return phi_emit_finish(&e, err);
}

int
phi_losses_print(const struct phi_plan *plan, const struct phi_loss *losses,
	const struct phi_plan_print_options *options, FILE *out, struct phi_err *err)
{
	const struct listing l = {plan, losses};
	if (options->json)
		return print_json(&l, out, err);
	print_text(&l, options->color, out);
	return 0;
}
