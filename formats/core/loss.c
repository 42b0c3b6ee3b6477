#include "formats/core/loss.h"

#include <math.h>
#include <stddef.h>

/* Elements at a time: a multiple of every block. */
enum { TILE = 2048 };

void
phi_loss_add(struct phi_loss *sum, const struct phi_loss *part)
{
	sum->n += part->n;
	sum->error += part->error;
	sum->signal += part->signal;
	sum->weighted_error += part->weighted_error;
	sum->weighted_signal += part->weighted_signal;
}

double
phi_loss_rmse(const struct phi_loss *loss)
{
	return loss->n ? sqrt(loss->error / (double)loss->n) : 0;
}

double
phi_loss_sqnr(const struct phi_loss *loss)
{
	return loss->error > 0 ? 10 * log10(loss->signal / loss->error) : INFINITY;
}

double
phi_loss_weighted_sqnr(const struct phi_loss *loss)
{
	return loss->weighted_error > 0 ? 10 * log10(loss->weighted_signal / loss->weighted_error) : INFINITY;
}

int
phi_meter_find(const struct phi_converters *converters, const struct phi_type *from, const struct phi_type *to,
	struct phi_meter *meter, struct phi_err *err)
{
	const struct phi_type *const f32 = phi_type_of(PHI_F32);
	return converters->find(from, f32, &meter->was, err) < 0 ||
		converters->find(to, f32, &meter->made, err) < 0 ? -1 : 0;
}

/* `column`: of the first element. */
static void
read_tile(const float *was, const float *made, uint64_t n, const float *importance, uint64_t column, uint64_t row,
	struct phi_loss *loss)
{
	struct phi_loss sum = { .n = n };
	for (uint64_t i = 0; i < n; i++) {
		const double off = (double)made[i] - was[i], size = (double)was[i] * was[i];
		const double weight = importance ? (double)importance[column] : 1;
		column = column + 1 < row ? column + 1 : 0;
		if (!isfinite(off))
			continue;
		sum.error += off * off;
		sum.signal += size;
		sum.weighted_error += weight * off * off;
		sum.weighted_signal += weight * size;
	}
	phi_loss_add(loss, &sum);
}

void
phi_meter_read(const struct phi_meter *meter, const void *was, const void *made, uint64_t n, uint64_t row,
	const float *importance, struct phi_loss *loss)
{
	const struct phi_type *const from = meter->was.from, *const to = meter->made.from;
	float x[TILE], y[TILE];
	uint64_t bad;
	for (uint64_t i = 0, size; i < n; i += size) {
		size = n - i < TILE ? n - i : TILE;
		meter->was.run(&meter->was, (const uint8_t *)was + i / from->elements * from->bytes, x, size, row, NULL,
			PHI_OVERFLOW_KEEP, &bad);
		meter->made.run(&meter->made, (const uint8_t *)made + i / to->elements * to->bytes, y, size, row, NULL,
			PHI_OVERFLOW_KEEP, &bad);
		read_tile(x, y, size, importance, i % row, row, loss);
	}
}
