#include "formats/core/scaling.h"

#include <float.h>
#include <math.h>

struct phi_scaling *
phi_scaling_new(struct phi_arena *arena, const struct phi_type *type, enum phi_scaling_rule rule, const uint64_t *shape,
	unsigned rank, int axis, struct phi_err *err)
{
	const uint64_t count = axis < 0 ? 1 : shape[axis];
	uint64_t inner = 1;
	struct phi_scaling *s = NULL;
	for (unsigned i = axis < 0 ? rank : (unsigned)axis + 1; i < rank; i++)
		inner *= shape[i]; /* fits: phi_model_check saw it */
	if (count > PHI_SCALES_MAX)
		phi_fail(err, PHI_LIMIT, "%llu scales, more than %d", (unsigned long long)count, PHI_SCALES_MAX);
	else
		s = phi_arena_calloc(arena, 1, sizeof *s, err);
	if (!s)
		return NULL;
	*s = (struct phi_scaling){ .type = type, .rule = rule, .axis = axis, .inner = inner, .count = count };
	s->low = phi_arena_calloc(arena, count, sizeof *s->low, err);
	s->high = s->low ? phi_arena_calloc(arena, count, sizeof *s->high, err) : NULL;
	s->zero = s->high ? phi_arena_calloc(arena, count, sizeof *s->zero, err) : NULL;
	s->scale = s->zero ? phi_arena_calloc(arena, count, sizeof *s->scale, err) : NULL;
	for (uint64_t i = 0; s->scale && i < count; i++)
		s->scale[i] = 1;
	return s->scale ? s : NULL;
}

void
phi_scaling_codes(const struct phi_scaling *s, int32_t *least, int32_t *greatest)
{
	static const struct {
		enum phi_type_id type;
		int32_t range[2], symmetric[2], reduced[2];
	} table[] = {
		{ PHI_U8, { 0, 255 }, { 0, 255 }, { 0, 127 } },
		{ PHI_I8, { -128, 127 }, { -127, 127 }, { -64, 64 } },
		{ PHI_U16, { 0, 65535 }, { 0, 65535 }, { 0, 32767 } },
		{ PHI_I16, { -32768, 32767 }, { -32767, 32767 }, { -16384, 16384 } },
	};
	unsigned i = 0;
	while (i < sizeof table / sizeof *table - 1 && table[i].type != s->type->id)
		i++;
	const int32_t *const range = s->reduced ? table[i].reduced
		: s->rule == PHI_SCALING_SYMMETRIC ? table[i].symmetric : table[i].range;
	*least = range[0];
	*greatest = range[1];
}

void
phi_scaling_of(const struct phi_scaling *s, float low, float high, float *scale, int32_t *zero)
{
	int32_t least, greatest;
	phi_scaling_codes(s, &least, &greatest);
	low = low < 0 ? low : 0;
	high = high > 0 ? high : 0;
	if (high < low + s->width)
		high = low + s->width;
	if (s->rule == PHI_SCALING_SYMMETRIC) {
		high = -low > high ? -low : high;
		low = -high;
	}
	const double exact = ((double)high - (double)low) / ((double)greatest - (double)least);
	if (exact < (double)FLT_MIN) {
		*scale = 1;
		*zero = 0;
		return;
	}
	*zero = s->rule == PHI_SCALING_SYMMETRIC ? (int32_t)rint((least + greatest) / 2.0)
						 : (int32_t)rint(least - (double)low / exact);
	*scale = (float)exact;
}

/* Which of its weight's scales number i of a bias goes with. */
static uint64_t
weight_of(const struct phi_scaling *bias, uint64_t i)
{
	return bias->weight->count == 1 ? 0 : i;
}

void
phi_scaling_yield(const struct phi_scaling *bias)
{
	const double range = 2.0 * INT32_MAX, margin = 1.0001;
	if (bias->weight->rule != PHI_SCALING_SYMMETRIC || bias->weight->type->id == PHI_U8 ||
		bias->weight->type->id == PHI_U16)
		return;
	for (uint64_t i = 0; i < bias->count; i++) {
		float *const scale = &bias->weight->scale[weight_of(bias, i)];
		const double low = fabs((double)bias->low[i]), high = fabs((double)bias->high[i]);
		const double least = margin * (2.0 * (low > high ? low : high)) / range;
		const double product = (double)bias->input * (double)*scale;
		if (product < least && product > 0)
			*scale = (float)((double)*scale * (least / product));
	}
}

/* Of a bias whose weight stayed as it was. */
static float
scale_of_its_own(const struct phi_scaling *bias, uint64_t i)
{
	const float high = fmaxf(fabsf(bias->low[i]), fabsf(bias->high[i]));
	return high > 0 ? high / (1 << 30) : 1;
}

void
phi_scaling_settle(struct phi_scaling *s)
{
	for (uint64_t i = 0; i < s->count; i++)
		if (s->rule == PHI_SCALING_BIAS && s->weight->known)
			s->scale[i] = s->input * s->weight->scale[weight_of(s, i)];
		else if (s->rule == PHI_SCALING_BIAS)
			s->scale[i] = scale_of_its_own(s, i);
		else
			phi_scaling_of(s, s->low[i], s->high[i], &s->scale[i], &s->zero[i]);
	s->known = true;
}
