/* Statistics of tensors' values, by one reducing pass: the same numbers for any -j. Values are what a
 * type decodes to (F32), numbers of 4 and 8 bytes what they are, as doubles. */
#ifndef PHI_INSPECT_STATS_H
#define PHI_INSPECT_STATS_H

#include "inspect/inspect.h"

enum {
	/* Magnitudes from 2^PHI_STATS_LOWEST up, one bar for each power of two; what lies outside is
	 * counted in the first and the last bar. F32's smallest is 2^-149. */
	PHI_STATS_LOWEST = -150,
	PHI_STATS_BARS = 280,
};

struct phi_stats {
	uint64_t n; /* 0: not taken (no decoding, complex numbers, no elements) */
	uint64_t nan, inf, zeros, negative; /* negative: below zero, of the finite ones */
	/* Of the finite values: */
	double min, max, mean, deviations; /* deviations: the sum of squared ones from the mean */
	uint64_t bars[PHI_STATS_BARS];	   /* of those that are not zero */
};

/* Adds the values of a tile: values, or NULL and then raw, of the type. */
void phi_stats_add(struct phi_stats *stats, const struct phi_type *type, const float *values,
	const void *raw, uint64_t n);
/* As if b's values had followed a's. */
void phi_stats_merge(struct phi_stats *a, const struct phi_stats *b);

uint64_t phi_stats_finite(const struct phi_stats *stats);
/* Standard deviation: over n, not n - 1. */
double phi_stats_std(const struct phi_stats *stats);
/* The bars that are not zero at either end: the first's exponent, and how many. */
size_t phi_stats_span(const struct phi_stats *stats, int *exponent);

/* Fills stats[0 .. ntensors) at those of the `count` tensors whose indices are given that have values;
 * reads their weights, a pipe to its checked end. */
int phi_stats_take(struct phi_source *source, const uint32_t *tensors, size_t count,
	const struct phi_inspect_options *options, struct phi_stats *stats, struct phi_err *err);

struct phi_cell;
/* Columns of statistics: their ids begin with PHI_STATS_COLUMN. */
enum {
	PHI_STATS_COLUMN = 100,
	PHI_STATS_MIN = PHI_STATS_COLUMN,
	PHI_STATS_MAX,
	PHI_STATS_MEAN,
	PHI_STATS_STD,
	PHI_STATS_ZEROS,
	PHI_STATS_NEGATIVE,
	PHI_STATS_NAN,
	PHI_STATS_INF,
	PHI_STATS_EXPONENT,
	PHI_STATS_HISTOGRAM,
	PHI_STATS_COLUMNS = PHI_STATS_HISTOGRAM + 1 - PHI_STATS_COLUMN,
};
/* stats may be NULL: none were taken. */
void phi_stats_cell(const struct phi_stats *stats, unsigned id, struct phi_cell *cell);

#endif
