/* The nearest of the points near a place: the first with the smallest sum of w * (scale * value -
 * x)^2 over its coordinates, added up in their order. What a coordinate adds depends on its index
 * alone, so it is worked out once for each index and looked up for each point.
 *
 * Here one point comes after the other, for one scale or for a vector of them; iq_batch.h takes
 * eight points at a time.
 */
#ifndef PHI_QUANT_IQ_NEAREST_H
#define PHI_QUANT_IQ_NEAREST_H

#include "quant/iq_near.h"
#include "quant/search.h"

#include <float.h>

/* What the indices of a coordinate stand for (exact: small multiples of eighths). */
struct iq_values {
	int dims, bits;
	float first, step;
};

static inline const uint16_t *
list_of(const struct phi_iq_near *near, uint32_t place)
{
	return near->points + (place & 0xFFFF) * PHI_IQ_UNIT;
}

static inline int
units_of(uint32_t place)
{
	return (int)(place >> 16 & 0xFF);
}

/* One point after the other. */
static uint16_t
search_list(const struct phi_iq_near *near, uint32_t place, const struct iq_values v,
	const float *x, const float *w, float scale)
{
	const uint16_t *const list = list_of(near, place);
	const int levels = 1 << v.bits, n = units_of(place) * PHI_IQ_UNIT;
	float adds[8][8], least = FLT_MAX;
	uint16_t best = list[0];
	for (int i = 0; i < v.dims; i++)
		for (int q = 0; q < levels; q++) {
			const float off = scale * ((float)q * v.step + v.first) - x[i];
			adds[i][q] = w[i] * off * off;
		}
	for (int p = 0; p < n; p++) {
		float sum = 0;
		for (int i = 0; i < v.dims; i++)
			sum += adds[i][list[p] >> v.bits * i & (levels - 1)];
		if (sum < least) {
			least = sum;
			best = list[p];
		}
	}
	return best;
}

/* How many points a list has. */
static inline int
length_of(uint32_t place)
{
	return units_of(place) * PHI_IQ_UNIT - (int)(place >> 24 & 7);
}

/* Turns the places of one part under LANES scales into points, for the lanes of `left`: a list is
 * gone through once for all lanes that have it. */
PHI_INLINE vi
settle_places(const struct phi_iq_near *near, const struct iq_values v, int levels, const float *x,
	const float *w, vf scale, vi places, uint32_t left)
{
	vf adds[8][8];
	vi points = places;
	int32_t place[LANES];
	memcpy(place, &places, sizeof place);
	for (int q = 0; q < levels; q++)
		for (int i = 0; i < v.dims; i++) {
			const vf off = scale * ((float)q * v.step + v.first) - x[i];
			adds[i][q] = w[i] * off * off;
		}
	left &= ~vi_signs(places) & (uint32_t)((UINT64_C(1) << LANES) - 1);
	while (left) {
		const uint32_t own = (uint32_t)place[__builtin_ctz(left)];
		const uint16_t *const list = list_of(near, own);
		const vi same = vi_eq(places, vi_set((int32_t)own));
		vf least = vf_set(FLT_MAX);
		vi best = vi_set(list[0]);
		for (int p = 0; p < length_of(own); p++) {
			vf sum = adds[0][list[p] & ((1 << v.bits) - 1)];
			for (int i = 1; i < v.dims; i++)
				sum += adds[i][list[p] >> v.bits * i & ((1 << v.bits) - 1)];
			best = vi_pick(vf_lt(sum, least), vi_set(list[p]), best);
			least = vf_min(sum, least);
		}
		points = vi_pick(same, best, points);
		left &= ~vi_signs(same);
	}
	return points;
}

enum { IQ_BY_PLACE = PHI_LANES < 8 };

#endif
