#include "quant/weigh.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = PHI_TILE / PHI_WEIGH_ROWS };

static const float *
lay(struct phi_weighing *w, uint64_t i, uint64_t n)
{
	uint64_t column = i % w->row;
	if (n <= w->row - column)
		return w->importance + column;
	for (uint64_t k = 0, part; k < n; k += part, column = 0) {
		part = n - k < w->row - column ? n - k : w->row - column;
		memcpy(w->laid + k, w->importance + column, part * sizeof *w->laid);
	}
	return w->laid;
}

/* Columns [column, column + n) of a row. */
static void
load(const struct phi_weighing *w, uint64_t row, uint64_t column, uint64_t n, float *x)
{
	const struct phi_type *const from = w->convert->from;
	const uint64_t at = (row * w->row + column) / from->elements * from->bytes;
	phi_groups_decode(w->convert->decoder, from, w->src + at, x, n);
}

static float
held(float x, float largest)
{
	return isnan(x) ? 0 : fabsf(x) > largest ? copysignf(largest, x) : x;
}

/* A row with something that is not finite. */
static float
sum_held(const struct phi_weighing *w, uint64_t row)
{
	const float largest = ((const struct phi_codec *)w->convert->encoder)->largest;
	float x[COLUMNS], sum = 0;
	for (uint64_t c = 0; c < w->row; c += COLUMNS) {
		const uint64_t n = w->row - c < COLUMNS ? w->row - c : COLUMNS;
		load(w, row, c, n, x);
		for (uint64_t i = 0; i < n; i++)
			sum += held(x[i], largest) * held(x[i], largest);
	}
	return sum;
}

/* Sums run left to right (facts/gguf.md 3.4), so those of several rows run side by side. */
static void
mean_squares(struct phi_weighing *w, uint64_t first)
{
	float x[PHI_WEIGH_ROWS][COLUMNS] = { 0 }, sum[PHI_WEIGH_ROWS] = { 0 };
	const uint64_t rows = w->n / w->row - first;
	w->first = first;
	w->end = first + (rows < PHI_WEIGH_ROWS ? rows : PHI_WEIGH_ROWS);
	for (uint64_t c = 0; c < w->row; c += COLUMNS) {
		const uint64_t n = w->row - c < COLUMNS ? w->row - c : COLUMNS;
		for (uint64_t r = first; r < w->end; r++)
			load(w, r, c, n, x[r - first]);
		for (uint64_t i = 0; i < n; i++)
			for (int r = 0; r < PHI_WEIGH_ROWS; r++)
				sum[r] += x[r][i] * x[r][i];
	}
	for (uint64_t r = first; r < w->end; r++) {
		if (!isfinite(sum[r - first]))
			sum[r - first] = sum_held(w, r);
		w->mean[r - first] = sum[r - first] / (float)w->row;
	}
}

void
phi_weigh(struct phi_weighing *w, uint64_t i, struct phi_weights *tile)
{
	const struct phi_codec *const codec = w->convert->encoder;
	const unsigned block = w->convert->to->elements;
	tile->importance = lay(w, i, tile->n);
	tile->squares = w->squares;
	for (uint64_t b = 0; codec->encode_by_row && b < tile->n / block; b++) {
		const uint64_t row = (i + b * block) / w->row;
		if (row < w->first || row >= w->end)
			mean_squares(w, row);
		w->squares[b] = w->mean[row - w->first];
	}
}
