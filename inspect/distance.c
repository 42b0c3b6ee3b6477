#include "inspect/compare.h"

#include <math.h>

double
phi_distance_rmse(const struct phi_distance *d)
{
	return d->n ? sqrt(d->diff_squares / (double)d->n) : 0;
}

double
phi_distance_relative(const struct phi_distance *d)
{
	if (d->diff_squares == 0)
		return 0;
	return d->a_squares > 0 ? sqrt(d->diff_squares / d->a_squares) : INFINITY;
}

double
phi_distance_sqnr(const struct phi_distance *d)
{
	if (d->diff_squares == 0)
		return INFINITY;
	return d->a_squares > 0 ? 10 * log10(d->a_squares / d->diff_squares) : -INFINITY;
}

double
phi_distance_weighted_rmse(const struct phi_distance *d)
{
	return d->weights > 0 ? sqrt(d->weighted_diff / d->weights) : 0;
}

double
phi_distance_weighted_sqnr(const struct phi_distance *d)
{
	if (d->weighted_diff == 0)
		return INFINITY;
	return d->weighted_a > 0 ? 10 * log10(d->weighted_a / d->weighted_diff) : -INFINITY;
}

double
phi_distance_cosine(const struct phi_distance *d)
{
	if (d->diff_squares == 0)
		return 1;
	if (d->a_squares == 0 || d->b_squares == 0)
		return 0;
	return d->dot / (sqrt(d->a_squares) * sqrt(d->b_squares));
}

void
phi_distance_add_equal(struct phi_distance *d, const float *a, uint64_t n)
{
	double squares = 0;
	for (uint64_t i = 0; i < n; i++)
		if (isfinite(a[i]))
			squares += (double)a[i] * a[i];
	d->a_squares = d->b_squares = d->dot = squares;
}

static void
add_strange(struct phi_distance *d, float a, float b)
{
	if (a == b || (isnan(a) && isnan(b)))
		return;
	d->strange++;
	d->values_differ = true;
}

void
phi_distance_add(struct phi_distance *d, const float *a, const float *b, uint64_t n, uint64_t first)
{
	for (uint64_t i = 0; i < n; i++) {
		const double x = a[i], y = b[i], diff = x - y;
		if (!isfinite(x) || !isfinite(y)) {
			add_strange(d, a[i], b[i]);
			continue;
		}
		d->diff_squares += diff * diff;
		d->a_squares += x * x;
		d->b_squares += y * y;
		d->dot += x * y;
		if (fabs(diff) > d->max_abs) {
			d->max_abs = fabs(diff);
			d->max_at = first + i;
		}
	}
	d->values_differ |= d->max_abs > 0;
}

void
phi_distance_weigh(struct phi_distance *d, const float *a, const float *b, uint64_t n, const float *importance)
{
	for (uint64_t i = 0; i < n; i++) {
		const double weight = importance[i];
		const double diff = (double)a[i] - b[i];
		if (!isfinite(diff))
			continue;
		d->weights += weight;
		d->weighted_diff += weight * diff * diff;
		d->weighted_a += weight * a[i] * a[i];
	}
}

void
phi_distance_merge(struct phi_distance *d, const struct phi_distance *p)
{
	d->n += p->n;
	d->strange += p->strange;
	d->bytes_differ |= p->bytes_differ;
	d->values_differ |= p->values_differ;
	d->undecoded |= p->undecoded;
	if (p->max_abs > d->max_abs) {
		d->max_abs = p->max_abs;
		d->max_at = p->max_at;
	}
	d->diff_squares += p->diff_squares;
	d->a_squares += p->a_squares;
	d->b_squares += p->b_squares;
	d->dot += p->dot;
	d->weights += p->weights;
	d->weighted_diff += p->weighted_diff;
	d->weighted_a += p->weighted_a;
}
