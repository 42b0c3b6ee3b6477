/* --search, one level: fits for each group, then the scales that can be stored, all groups together. */
#include "quant/refine.h"

#include "quant/codec.h"
#include "quant/refine_fit.h"

/* This function at the level being compiled. */
#define REFINE_LEVEL PHI_LEVEL_NAME(phi_refine, PHI_LEVEL)
phi_refine_fn REFINE_LEVEL;

/* A block being searched. */
struct search {
	const struct phi_shape *shape;
	struct group groups[PHI_FIELD_GROUPS];
	struct fit fits[PHI_FIELD_GROUPS];
	struct phi_fields reference; /* what is to be made better */
	struct phi_fields best;	     /* its codes are chosen last */
	float error;
};

static void
search_load(struct search *s, const struct phi_shape *shape, const float *x, const float *importance)
{
	s->shape = shape;
	s->error = INFINITY;
	for (unsigned g = 0; g < shape->groups; g++) {
		const size_t at = (size_t)g * shape->group;
		group_load(&s->groups[g], shape, x + at, importance ? importance + at : NULL);
		s->fits[g] = fit_group(&s->groups[g]);
	}
}

static void
search_codes(struct search *s)
{
	struct phi_shape shape = *s->shape;
	if (shape.lows == PHI_ZEROED)
		shape.first = (float)-s->best.min[0];
	for (unsigned g = 0; g < s->shape->groups; g++) {
		s->groups[g].shape = &shape;
		group_codes(&s->groups[g], phi_fields_step(s->shape, &s->best, g),
			phi_fields_low(s->shape, &s->best, g), s->best.code + g * s->shape->group);
		s->groups[g].shape = s->shape;
	}
}

/* Whole numbers from nearest to x / unit on, one up and down, within bounds. */
struct near {
	int from, to;
};

static struct near
near(float x, float unit, int least, int most)
{
	const float t = unit != 0 ? x / unit : 0;
	const int at = t > (float)least ? t < (float)most ? (int)lrintf(t) : most : least;
	return (struct near){ at > least ? at - 1 : least, at < most ? at + 1 : most };
}

/* The best scale and min of a group when d and dmin are settled. Returns the error. */
static float
choose_group(const struct search *s, unsigned g, struct phi_fields *f)
{
	const struct phi_shape *const shape = s->shape;
	const float d = phi_head_value(shape, f->d), dmin = phi_head_value(shape, f->dmin);
	const struct near scale = near(s->fits[g].step, d, shape->least, shape->most);
	const struct near min = near(s->fits[g].low, dmin, 0, shape->lows == PHI_LOWERED ? shape->most_low : 0);
	float least = INFINITY;
	for (int k = scale.from; k <= scale.to; k++)
		for (int m = min.from; m <= min.to; m++) {
			const float error = group_error(&s->groups[g], d * (float)k, dmin * (float)m);
			if (error < least) {
				least = error;
				f->scale[g] = (int16_t)k;
				f->min[g] = (int16_t)m;
			}
		}
	return least;
}

/* All groups under d and dmin; kept if better than what there is. */
static bool
try_scales(struct search *s, uint16_t d, uint16_t dmin)
{
	struct phi_fields f = { .d = d, .dmin = dmin };
	float error = 0;
	if (!half_finite(d) || !half_finite(dmin))
		return false;
	for (unsigned g = 0; g < s->shape->groups && error < s->error; g++)
		error += choose_group(s, g, &f);
	if (!(error < s->error))
		return false;
	s->error = error;
	s->best = f;
	return true;
}

/* The largest step by magnitude, the largest low. */
static struct fit
largest_fit(const struct search *s)
{
	struct fit most = { 0 };
	for (unsigned g = 0; g < s->shape->groups; g++) {
		most.step = fabsf(s->fits[g].step) > fabsf(most.step) ? s->fits[g].step : most.step;
		most.low = s->fits[g].low > most.low ? s->fits[g].low : most.low;
	}
	return most;
}

/* Scales of scales: the largest group's becomes any of the upper numbers, or of the lower ones. */
static void
try_multiples(struct search *s, struct fit most)
{
	const struct phi_shape *const shape = s->shape;
	for (int k = 0; k <= shape->most / 4; k += 1 + shape->most / 64) {
		try_scales(s, half_of(most.step / (float)(shape->most - k)), s->best.dmin);
		if (shape->least)
			try_scales(s, half_of(most.step / (float)(shape->least + k)), s->best.dmin);
	}
	for (int k = 0; shape->most_low && k <= shape->most_low / 4; k++)
		try_scales(s, s->best.d, half_of(most.low / (float)(shape->most_low - k)));
}

/* The least-squares d and dmin for the groups' numbers and codes. */
static bool
refit_scales(struct search *s)
{
	double kqq = 0, kmq = 0, mm = 0, kx = 0, mx = 0;
	for (unsigned g = 0; g < s->shape->groups; g++) {
		const double k = s->best.scale[g], m = s->best.min[g];
		const struct sums sums = group_sums(&s->groups[g], phi_fields_step(s->shape, &s->best, g),
			phi_fields_low(s->shape, &s->best, g));
		kqq += k * k * sums.qq;
		kmq += k * m * sums.q;
		mm += m * m * sums.w;
		kx += k * sums.xq;
		mx += m * sums.x;
	}
	const double det = kqq * mm - kmq * kmq;
	if (s->shape->lows != PHI_LOWERED || !(det > 0))
		return try_scales(s, half_of((float)(kx / kqq)), s->best.dmin);
	const float d = (float)((kx * mm - kmq * mx) / det), dmin = (float)((kmq * kx - kqq * mx) / det);
	return d > 0 && dmin >= 0 && try_scales(s, half_of(d), half_of(dmin));
}

static void
search_whole(struct search *s)
{
	const struct fit most = largest_fit(s);
	try_scales(s, s->reference.d, s->reference.dmin);
	try_scales(s, half_of(most.step / (float)s->shape->most),
		s->shape->most_low ? half_of(most.low / (float)s->shape->most_low) : 0);
	for (int round = 0; round < 2; round++) {
		const float before = s->error;
		try_multiples(s, most);
		for (int i = 0; i < 4 && refit_scales(s); i++)
			;
		if (!(s->error < before))
			return;
	}
}

/* Of another number next to it, `away` steps up or down. */
static uint32_t
head_next(const struct phi_shape *shape, uint32_t bits, int away)
{
	return shape->heads == PHI_FLOATS ? bits + (uint32_t)away : (uint16_t)(bits + (uint32_t)away);
}

/* Numbers that can be stored about what was fitted. */
static void
search_one(struct search *s)
{
	enum { REACH = 2 };
	const struct fit *const fit = &s->fits[0];
	const struct phi_shape *const shape = s->shape;
	const int lows = shape->lows == PHI_ADDED ? REACH : 0;
	const uint32_t d = phi_head_bits(shape, fit->step), dmin = lows ? phi_head_bits(shape, -fit->low) : 0;
	for (int i = -REACH; i <= REACH; i++)
		for (int j = -lows; j <= lows; j++) {
			const struct phi_fields f = { .d = head_next(shape, d, i), .dmin = head_next(shape, dmin, j) };
			const float step = phi_fields_step(shape, &f, 0), low = phi_fields_low(shape, &f, 0);
			if (!isfinite(step) || !isfinite(low))
				continue;
			const float error = group_error(&s->groups[0], step, low);
			if (error < s->error) {
				s->error = error;
				s->best = f;
			}
		}
}

/* Scales about the best fit with this zero point, or with none. */
static void
try_zero(struct search *s, int zero, float step)
{
	enum { REACH = 2 };
	struct phi_shape shape = *s->shape;
	struct group *const group = &s->groups[0];
	shape.first = (float)-zero;
	shape.lows = PHI_NO_LOW;
	group->shape = &shape;
	struct fit fit = fit_trial(group, step, 0);
	fit_settle(group, &fit);
	const uint32_t d = phi_head_bits(&shape, fit.step);
	for (int i = -REACH; i <= REACH; i++) {
		const struct phi_fields f = { .d = head_next(&shape, d, i), .min[0] = (int16_t)zero };
		const float at = phi_fields_step(&shape, &f, 0);
		const float error = isfinite(at) ? group_error(group, at, 0) : INFINITY;
		if (error < s->error) {
			s->error = error;
			s->best = f;
		}
	}
	group->shape = s->shape;
}

/* Zero points about that of the best low, and that of the range stretched to zero. */
static void
search_zeroed(struct search *s)
{
	const struct group *const g = &s->groups[0];
	const struct fit *const fit = &s->fits[0];
	const float least = g->least < 0 ? g->least : 0, most = g->most > 0 ? g->most : 0;
	const float stretched = (most - least) / (float)s->shape->most_low;
	const struct near zero = near(fit->low, fit->step, 0, s->shape->most_low);
	for (int z = zero.from; z <= zero.to; z++)
		try_zero(s, z, fit->step);
	const struct near other = near(-least, stretched, 0, s->shape->most_low);
	for (int z = other.from; z <= other.to; z++)
		for (int i = 0; i < 2; i++)
			try_zero(s, z, stretched * (1 - 0.06f * (float)i));
}

/* The first scale of the table whose step is at least x. */
static int
scale_from(const struct phi_shape *shape, float x)
{
	int low = 0, high = shape->most;
	while (low < high) {
		const int middle = (low + high) / 2;
		if (shape->step(middle) < x)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
search_tabled(struct search *s)
{
	for (unsigned g = 0; g < s->shape->groups; g++) {
		const float step = fabsf(s->fits[g].step);
		float least = INFINITY;
		for (int k = scale_from(s->shape, step / 2); k <= s->shape->most; k++) {
			const float at = s->shape->step(k), error = group_error(&s->groups[g], at, 0);
			if (error < least) {
				least = error;
				s->best.scale[g] = (int16_t)k;
			}
			if (at > step * 2)
				break;
		}
	}
}

static double
block_error(const struct phi_shape *shape, const struct phi_fields *f, const float *x, const float *importance)
{
	float decoded[PHI_FIELD_CODES];
	double error = 0;
	phi_fields_values(shape, f, decoded);
	for (unsigned i = 0; i < shape->groups * shape->group; i++) {
		const double off = (double)decoded[i] - x[i];
		error += (importance ? importance[i] : 1) * off * off;
	}
	return error;
}

void
REFINE_LEVEL(const struct phi_shape *shape, const float *src, const float *importance, uint8_t *dst,
	size_t blocks)
{
	static void (*const ways[])(struct search *) = {
		[PHI_ONE] = search_one,
		[PHI_WHOLE] = search_whole,
		[PHI_TABLED] = search_tabled,
	};
	const size_t weights = (size_t)shape->groups * shape->group, bytes = phi_type_of(shape->id)->bytes;
	struct search s;
	for (size_t b = 0; b < blocks; b++, src += weights, dst += bytes) {
		const float *const w = importance ? importance + b * weights : NULL;
		s.reference = s.best = (struct phi_fields){ 0 };
		phi_fields_unpack(shape, dst, &s.reference);
		search_load(&s, shape, src, w);
		if (shape->lows == PHI_ZEROED)
			search_zeroed(&s);
		else
			ways[shape->scales](&s);
		search_codes(&s);
		if (block_error(shape, &s.best, src, w) < block_error(shape, &s.reference, src, w))
			phi_fields_pack(shape, &s.best, dst);
	}
}
