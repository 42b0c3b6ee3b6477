/* Makes the lists of iq_near.h. The square of a distance is the sum of two halves', so two small
 * tables give it for every place and point. */
#include "quant/iq_near.h"

#include "quant/iq_grids.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* Indices a coordinate has; places for half the coordinates, and for all; points of the largest
 * grid. */
enum {
	LEVELS_2 = 3,
	HALF_2 = 81,
	PLACES_2 = HALF_2 * HALF_2,
	LEVELS_3 = 8,
	HALF_3 = 64,
	PLACES_3 = HALF_3 * HALF_3,
	HALF_MAX = HALF_2,
	POINTS_MAX = 2048,
	NUMBERS_2 = 0xAAAA + 1,
	NUMBERS_3 = 4096
};

struct grid {
	const uint16_t *points;
	unsigned n, levels;
	unsigned distances; /* how many are kept */
	uint32_t *places;
	uint16_t *lists; /* as many units as its places need */
	uint16_t *numbers;
	struct phi_iq_near near; /* the same, to be read */
};

/* Room for a grid: `units` is the sum over its places. */
#define GRID(name, nplaces, nnumbers, units)                                                       \
	static uint32_t places_##name[nplaces];                                                    \
	static uint16_t lists_##name[(units)*PHI_IQ_UNIT], numbers_##name[nnumbers]
GRID(2xxs, PLACES_2, NUMBERS_2, 16920);
GRID(2xs, PLACES_2, NUMBERS_2, 25422);
GRID(2s, PLACES_2, NUMBERS_2, 8633);
GRID(1, PLACES_2, NUMBERS_2, 42913);
GRID(3xxs, PLACES_3, NUMBERS_3, 4288);
GRID(3s, PLACES_3, NUMBERS_3, 4557);
#undef GRID

#define GRID(name, size, levels, distances)                                                        \
	{                                                                                          \
		phi_grid_##name, size, levels, distances, places_##name, lists_##name,             \
			numbers_##name,                                                            \
		{                                                                                  \
			places_##name, lists_##name, numbers_##name                                \
		}                                                                                  \
	}
static const struct grid grids[PHI_IQ_GRIDS] = {
	[PHI_IQ_2XXS] = GRID(2xxs, 256, LEVELS_2, 2),
	[PHI_IQ_2XS] = GRID(2xs, 512, LEVELS_2, 2),
	[PHI_IQ_2S] = GRID(2s, 1024, LEVELS_2, 1),
	[PHI_IQ_1] = GRID(1, 2048, LEVELS_2, 3),
	[PHI_IQ_3XXS] = GRID(3xxs, 256, LEVELS_3, 2),
	[PHI_IQ_3S] = GRID(3s, 512, LEVELS_3, 3),
};
#undef GRID

/* Squares of distances between half places. */
static void
square_distances(unsigned levels, unsigned half, uint8_t squares[HALF_MAX][HALF_MAX])
{
	for (unsigned a = 0; a < half; a++)
		for (unsigned b = 0; b < half; b++) {
			int sum = 0;
			for (unsigned p = a, q = b; p || q; p /= levels, q /= levels) {
				const int d = (int)(p % levels) - (int)(q % levels);
				sum += d * d;
			}
			squares[a][b] = (uint8_t)sum;
		}
}

/* The place a point lies at. */
static unsigned
place_of(unsigned point, unsigned levels)
{
	const unsigned bits = levels == LEVELS_2 ? 2 : 3;
	unsigned place = 0;
	for (int shift = levels == LEVELS_2 ? 14 : 9; shift >= 0; shift -= (int)bits)
		place = place * levels + (point >> shift & ((1u << bits) - 1));
	return place;
}

/* Appends the points at the smallest distances, `squares` of all points given; returns how many. */
static unsigned
gather(const struct grid *g, const uint8_t *squares, uint16_t *list)
{
	unsigned n = 0;
	int below = -1;
	for (unsigned k = 0; k < g->distances && below < UINT8_MAX; k++) {
		int next = UINT8_MAX;
		for (unsigned j = 0; j < g->n; j++)
			next = squares[j] > below && squares[j] < next ? squares[j] : next;
		for (unsigned j = 0; j < g->n; j++)
			if (squares[j] == next)
				list[n++] = g->points[j];
		below = next;
	}
	return n;
}

/* Fills a list's last unit; returns how many units it has. */
static unsigned
fill_up(uint16_t *list, unsigned n)
{
	for (; n % PHI_IQ_UNIT; n++)
		list[n] = list[n - 1];
	return n / PHI_IQ_UNIT;
}

static void
make(const struct grid *g)
{
	const unsigned half = g->levels == LEVELS_2 ? HALF_2 : HALF_3;
	uint8_t squares[HALF_MAX][HALF_MAX], low[POINTS_MAX], high[POINTS_MAX], to[POINTS_MAX];
	uint16_t list[POINTS_MAX + PHI_IQ_UNIT];
	uint32_t unit = 0;
	square_distances(g->levels, half, squares);
	for (unsigned j = 0; j < g->n; j++) {
		const unsigned place = place_of(g->points[j], g->levels);
		low[j] = (uint8_t)(place % half);
		high[j] = (uint8_t)(place / half);
		g->numbers[g->points[j]] = (uint16_t)j;
	}
	for (unsigned place = 0; place < half * half; place++) {
		const uint8_t *const l = squares[place % half], *const h = squares[place / half];
		for (unsigned j = 0; j < g->n; j++)
			to[j] = (uint8_t)(l[low[j]] + h[high[j]]);
		const uint8_t *const here = memchr(to, 0, g->n);
		if (here) {
			g->places[place] = PHI_IQ_ON_GRID | g->points[here - to];
			continue;
		}
		const unsigned n = gather(g, to, list), units = fill_up(list, n);
		memcpy(g->lists + unit * PHI_IQ_UNIT, list, units * PHI_IQ_UNIT * sizeof *list);
		g->places[place] = unit | units << 16 | (units * PHI_IQ_UNIT - n) << 24;
		unit += units;
	}
}

const struct phi_iq_near *
phi_iq_near(enum phi_iq_grid grid)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static bool made[PHI_IQ_GRIDS];
	pthread_mutex_lock(&lock);
	if (!made[grid])
		make(&grids[grid]);
	made[grid] = true;
	pthread_mutex_unlock(&lock);
	return &grids[grid].near;
}
