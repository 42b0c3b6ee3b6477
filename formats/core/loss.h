/* What a conversion costs: squared errors, of everything the pump converts (--report) or of some rows (surveys). */
#ifndef PHI_CORE_LOSS_H
#define PHI_CORE_LOSS_H

#include "formats/core/convert.h"

struct phi_loss {
	uint64_t n;    /* elements; those that are not finite, before or after, count nothing below */
	double error;  /* sum of (made - was)^2 */
	double signal; /* sum of was^2 */
	double weighted_error, weighted_signal; /* the same times the importance of the column, 1 without */
};

void phi_loss_add(struct phi_loss *sum, const struct phi_loss *part);
/* Root mean square error. 0 without elements. */
double phi_loss_rmse(const struct phi_loss *loss);
/* Signal to noise, in decibels; infinite where nothing is lost. */
double phi_loss_sqnr(const struct phi_loss *loss);
double phi_loss_weighted_sqnr(const struct phi_loss *loss);

/* How both sides of a conversion become F32. */
struct phi_meter {
	struct phi_convert was, made;
};

int phi_meter_find(const struct phi_converters *converters, const struct phi_type *from,
	const struct phi_type *to, struct phi_meter *meter, struct phi_err *err);
/* Adds what n elements lost; n is a multiple of both blocks. `importance` has `row` numbers, of the columns from
 * the first element's on, which then begins a row; or it is NULL. */
void phi_meter_read(const struct phi_meter *meter, const void *was, const void *made, uint64_t n, uint64_t row,
	const float *importance, struct phi_loss *loss);

#endif
