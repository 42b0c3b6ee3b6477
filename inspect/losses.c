/* phi-quant --report: what each tensor became and what it lost. */
#include "formats/core/escape.h"
#include "formats/core/loss.h"
#include "inspect/emit.h"
#include "inspect/inspect.h"
#include "inspect/number.h"
#include "inspect/table.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct listing {
	const struct phi_plan *plan;
	const struct phi_loss *losses;
};

static void
loss_cell(const void *ctx, size_t row, unsigned column, char *dst)
{
	const struct listing *const l = ctx;
	const struct phi_tensor *const t = &l->plan->model->tensors[row];
	const struct phi_loss *const loss = &l->losses[row];
	switch (column) {
	case 0:
		phi_escape(dst, PHI_TABLE_CELL, t->name, strlen(t->name));
		break;
	case 1:
		strcpy(dst, t->type->name);
		break;
	case 2:
		snprintf(dst, PHI_TABLE_CELL, "%" PRIu64, l->plan->bytes[row]);
		break;
	case 3:
		snprintf(dst, PHI_TABLE_CELL, "%.6g", phi_loss_rmse(loss));
		break;
	default:
		if (loss->error > 0)
			snprintf(dst, PHI_TABLE_CELL, "%.2f", phi_loss_sqnr(loss));
	}
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
	static const struct phi_column columns[] = {{"name", false}, {"type", false}, {"size", true},
		{"rmse", true}, {"SQNR dB", true}};
	const struct phi_table table = {.columns = columns, .ncolumns = 5,
		.rows = l->plan->model->ntensors, .ctx = l, .cell = loss_cell, .indent = "", .color = color};
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
	uint64_t bytes;
	const struct phi_loss sum = sum_of(l, &bytes);
	phi_emit_begin(&e, out, 2);
	phi_emit_open(&e, '{');
	phi_emit_key(&e, "tensors");
	phi_emit_open(&e, '[');
	for (size_t i = 0; i < l->plan->model->ntensors; i++) {
		phi_emit_open(&e, '{');
		phi_emit_member(&e, "name", l->plan->model->tensors[i].name);
		phi_emit_member(&e, "dtype", l->plan->model->tensors[i].type->name);
		phi_emit_member_u64(&e, "nbytes", l->plan->bytes[i]);
		emit_loss(&e, &l->losses[i]);
		phi_emit_close(&e, '}');
	}
	phi_emit_close(&e, ']');
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
