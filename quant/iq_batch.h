/* The nearest points (iq_nearest.h) where there are vectors of eight and a permutation: a lane is a
 * point, what it adds is looked up in a register. Lists of up to eight points are the rule; the
 * smallest sums of eight lists come out at once, turned over.
 */
#ifndef PHI_QUANT_IQ_BATCH_H
#define PHI_QUANT_IQ_BATCH_H

#include "quant/iq_nearest.h"

/* What is to be settled: the place of a part under a trial, as places of iq_near.h has it. */
struct iq_job {
	uint32_t place;
	uint16_t part, trial;
};

enum { IQ_BATCH = 8, IQ_PARTS_MAX = 8, IQ_TRIALS_MAX = 32, IQ_LONG = 5 };

/* The trials of each part whose lists have so many units (a bit each), so that branches depend on
 * the length and not on the job: 0 for places on the grid, where there is nothing to do, IQ_LONG
 * for that many and more. */
struct iq_lengths {
	uint32_t trials[IQ_LONG + 1][IQ_PARTS_MAX];
};

/* The parts' weights and their importance, the trials' scales, and where the points go. */
struct iq_parts {
	const float *x, *w, *scale;
	uint32_t (*point)[IQ_TRIALS_MAX];
};

_Static_assert(PHI_IQ_UNIT == 8, "a unit is a vector of eight");

#if PHI_LANES >= 8

/* table[index % LANES] */
static inline vf
vf_permute(vf table, vi index)
{
#if PHI_LANES == 16
	return (vf)_mm512_permutexvar_ps((__m512i)index, (__m512)table);
#else
	return (vf)_mm256_permutevar8x32_ps((__m256)table, (__m256i)index);
#endif
}

typedef float nf __attribute__((vector_size(32)));
typedef int32_t ni __attribute__((vector_size(32)));

static inline nf
nf_permute(nf table, ni index)
{
	return (nf)_mm256_permutevar8x32_ps((__m256)table, (__m256i)index);
}

/* a < b ? a : b */
static inline nf
nf_min(nf a, nf b)
{
	return (nf)_mm256_min_ps((__m256)a, (__m256)b);
}

static inline nf
nf_pick(ni mask, nf a, nf b)
{
	return (nf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
}

/* The smallest sum each lane met, and the first point it had it from. */
struct nearest {
	nf sum;
	ni point;
};

/* What the indices of each coordinate add. */
PHI_INLINE void
nf_adds(const struct iq_values v, const float *x, const float *w, float scale, nf adds[8])
{
	static const float four[8] = { 0, 1, 2, 3, 0, 1, 2, 3 },
			   eight[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	nf value;
	memcpy(&value, v.bits == 2 ? four : eight, sizeof value);
	value = scale * (value * v.step + v.first);
	for (int i = 0; i < v.dims; i++) {
		const nf off = value - x[i];
		adds[i] = w[i] * off * off;
	}
}

static inline ni
load_unit(const uint16_t *list)
{
	return (ni)_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)list));
}

PHI_INLINE nf
add_up(const struct iq_values v, const nf adds[8], ni point)
{
	nf sum = nf_permute(adds[0], point);
	for (int i = 1; i < v.dims; i++)
		sum += nf_permute(adds[i], point >> v.bits * i);
	return sum;
}

PHI_INLINE struct nearest
search_units(const struct iq_values v, const nf adds[8], const uint16_t *list, int units)
{
	const nf most = FLT_MAX - (nf){ 0 };
	struct nearest best = { .point = load_unit(list) };
	best.sum = nf_min(add_up(v, adds, best.point), most);
	for (int u = 1; u < units; u++) {
		const ni point = load_unit(list + u * PHI_IQ_UNIT);
		const nf sum = add_up(v, adds, point);
		const ni less = sum < best.sum;
		best.sum = nf_pick(less, sum, best.sum);
		best.point = (ni)nf_pick(less, (nf)point, (nf)best.point);
	}
	return best;
}

/* Which lanes equal a number. */
PHI_INLINE unsigned
lanes_equal(nf v, float x)
{
	const ni equal = v == x - (nf){ 0 };
	return (unsigned)_mm256_movemask_ps((__m256)equal);
}

/* The point of the lanes that have the smallest sum; -1 if they differ: which came first is not in
 * the lanes. */
PHI_INLINE int
point_of(const struct nearest *n, unsigned lanes)
{
	int32_t points[8];
	memcpy(points, &n->point, sizeof points);
	const int first = points[__builtin_ctz(lanes)];
	if (!(lanes & (lanes - 1)))
		return first;
	const ni equal = n->point == first - (ni){ 0 };
	return lanes & ~(unsigned)_mm256_movemask_ps((__m256)equal) ? -1 : first;
}

/* Lane i: the smallest lane of rows[i]. */
PHI_INLINE nf
least_of_rows(nf rows[8])
{
	for (int i = 0; i < 4; i++)
		rows[i] = nf_min(
			__builtin_shufflevector(rows[i], rows[i + 4], 0, 1, 2, 3, 8, 9, 10, 11),
			__builtin_shufflevector(rows[i], rows[i + 4], 4, 5, 6, 7, 12, 13, 14, 15));
	for (int i = 0; i < 2; i++)
		rows[i] = nf_min(
			__builtin_shufflevector(rows[i], rows[i + 2], 0, 1, 8, 9, 4, 5, 12, 13),
			__builtin_shufflevector(rows[i], rows[i + 2], 2, 3, 10, 11, 6, 7, 14, 15));
	return nf_min(__builtin_shufflevector(rows[0], rows[1], 0, 8, 2, 10, 4, 12, 6, 14),
		__builtin_shufflevector(rows[0], rows[1], 1, 9, 3, 11, 5, 13, 7, 15));
}

/* Settles a batch of jobs; `units` of each, 0: they differ. */
PHI_INLINE void
settle_batch(const struct phi_iq_near *near, const struct iq_values v, const struct iq_parts *p,
	const struct iq_job *job, int units)
{
	struct nearest found[IQ_BATCH];
	nf rows[IQ_BATCH];
	float least[IQ_BATCH];
	for (int r = 0; r < IQ_BATCH; r++) {
		const int at = job[r].part * v.dims;
		nf adds[8];
		nf_adds(v, p->x + at, p->w + at, p->scale[job[r].trial], adds);
		found[r] = search_units(v, adds, list_of(near, job[r].place),
			units ? units : units_of(job[r].place));
		rows[r] = found[r].sum;
	}
	const nf all = least_of_rows(rows);
	memcpy(least, &all, sizeof least);
	for (int r = 0; r < IQ_BATCH; r++) {
		const unsigned lanes = lanes_equal(found[r].sum, least[r]);
		const int at = job[r].part * v.dims;
		int point;
		if (units == 1)
			point = list_of(near, job[r].place)[__builtin_ctz(lanes)];
		else
			point = point_of(&found[r], lanes);
		if (point < 0)
			point = search_list(near, job[r].place, v, p->x + at, p->w + at,
				p->scale[job[r].trial]);
		p->point[job[r].part][job[r].trial] = (uint32_t)point;
	}
}

PHI_INLINE void
settle(const struct phi_iq_near *near, const struct iq_values v, const struct iq_parts *p,
	struct iq_job *jobs, int n, int units)
{
	for (int j = n; j % IQ_BATCH; j++)
		jobs[j] = jobs[n - 1];
	for (int j = 0; j < n; j += IQ_BATCH)
		settle_batch(near, v, p, jobs + j, units);
}

/* One place. */
PHI_INLINE unsigned
nearest_point(const struct phi_iq_near *near, uint32_t place, const struct iq_values v,
	const float *x, const float *w, float scale)
{
	nf adds[8];
	if (place & PHI_IQ_ON_GRID)
		return place & 0xFFFF;
	nf_adds(v, x, w, scale, adds);
	const struct nearest found = search_units(v, adds, list_of(near, place), units_of(place));
	nf least = found.sum;
	least = nf_min(least, __builtin_shufflevector(least, least, 4, 5, 6, 7, 0, 1, 2, 3));
	least = nf_min(least, __builtin_shufflevector(least, least, 2, 3, 0, 1, 6, 7, 4, 5));
	least = nf_min(least, __builtin_shufflevector(least, least, 1, 0, 3, 2, 5, 4, 7, 6));
	const int point = point_of(&found, lanes_equal(found.sum, least[0]));
	return point < 0 ? search_list(near, place, v, x, w, scale) : (unsigned)point;
}

/* The jobs of lists of one length. */
PHI_INLINE int
lay_jobs(const struct iq_parts *p, const uint32_t *trials, int parts, struct iq_job *jobs)
{
	int n = 0;
	for (int k = 0; k < parts; k++)
		for (uint32_t left = trials[k]; left; left &= left - 1) {
			const unsigned c = (unsigned)__builtin_ctz(left);
			jobs[n++] = (struct iq_job){ p->point[k][c], (uint16_t)k, (uint16_t)c };
		}
	return n;
}

/* Turns the places of all parts and trials into points. */
PHI_INLINE void
settle_all(const struct phi_iq_near *near, const struct iq_values v, const struct iq_parts *p,
	int parts, const struct iq_lengths *lengths)
{
	struct iq_job jobs[IQ_PARTS_MAX * IQ_TRIALS_MAX + IQ_BATCH];
	settle(near, v, p, jobs, lay_jobs(p, lengths->trials[1], parts, jobs), 1);
	for (int q = 2; q <= IQ_LONG; q++)
		settle(near, v, p, jobs, lay_jobs(p, lengths->trials[q], parts, jobs),
			q < IQ_LONG ? q : 0);
}

#else

PHI_INLINE unsigned
nearest_point(const struct phi_iq_near *near, uint32_t place, const struct iq_values v,
	const float *x, const float *w, float scale)
{
	return place & PHI_IQ_ON_GRID ? place & 0xFFFF : search_list(near, place, v, x, w, scale);
}

/* Narrower vectors leave nothing for batches (IQ_BY_PLACE). */
PHI_INLINE void
settle_all(const struct phi_iq_near *near, const struct iq_values v, const struct iq_parts *p,
	int parts, const struct iq_lengths *lengths)
{
	(void)near;
	(void)v;
	(void)p;
	(void)parts;
	(void)lengths;
}

#endif

#endif
