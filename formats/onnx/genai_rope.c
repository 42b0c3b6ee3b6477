#include "formats/onnx/genai_rope.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <math.h>
#include <string.h>

enum { PLACES_MAX = 1 << 22 };
static const double turn = 6.283185307179586477;
static const double theta_of_phi = 10000; /* of every family, where nothing tells it from the factors */

/* Rows [first, first + places) of two caches. */
struct table {
	struct phi_source *decoder;
	const struct phi_tensor *cosine, *sine;
	uint64_t first, places, half;
	double scale;
	double doubt;	     /* of an angle; of small ones as a fraction: that is how floats are rounded */
	double last;	     /* the greatest row that was looked at */
	double *frequencies; /* as they are said; in the arena */
	double *row[2];	     /* cos and sin; in the arena */
};

/* Numbers */

static double
number(const struct phi_type *type, const uint8_t *p)
{
	if (type->id == PHI_F32)
		return (double)phi_float32(phi_load32(p));
	const uint16_t bits = phi_load16(p);
	if (type->id == PHI_BF16)
		return (double)phi_float32((uint32_t)bits << 16);
	const int exponent = bits >> 10 & 31, fraction = bits & 1023;
	const double v = exponent == 31 ? NAN : exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
	return bits & 0x8000 ? -v : v;
}

static int
read_row(const struct table *t, uint64_t row, struct phi_err *err)
{
	uint8_t raw[PHI_GENAI_ROTARY_MAX * sizeof(float)];
	const struct phi_tensor *const caches[2] = { t->cosine, t->sine };
	struct phi_quoted q;
	for (int k = 0; k < 2; k++) {
		if (phi_tensor_read(t->decoder, caches[k], false, (t->first + row) * t->half, t->half, raw, err))
			return -1;
		for (uint64_t i = 0; i < t->half; i++) {
			t->row[k][i] = number(caches[k]->type, raw + i * caches[k]->type->bytes);
			if (!isfinite(t->row[k][i]))
				return phi_fail(err, PHI_FORMAT, "tensor %s: a number that is none", phi_quote(&q, caches[k]->name));
		}
	}
	return 0;
}

static int
refuse(const struct table *t, const char *what, struct phi_err *err)
{
	struct phi_quoted q;
	return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: %s", phi_quote(&q, t->cosine->name), what);
}

/* Frequencies */

/* Row t is a power of two: its angles are those of row 1 times it, exactly. */
static int
refine(struct table *t, uint64_t row, struct phi_err *err)
{
	if (read_row(t, row, err))
		return -1;
	for (uint64_t i = 0; i < t->half; i++) {
		const double angle = atan2(t->row[1][i], t->row[0][i]), was = t->frequencies[i] * (double)row;
		const double is = angle + turn * nearbyint((was - angle) / turn);
		if (row > 1 && fabs(is - was) > 4 * t->doubt)
			return refuse(t, "it is not turned by the same angle from row to row", err);
		t->frequencies[i] = is / (double)row;
	}
	t->last = (double)row;
	return 0;
}

static int
find_frequencies(struct table *t, struct phi_arena *arena, struct phi_err *err)
{
	double *const all = phi_arena_calloc(arena, 3 * t->half, sizeof *all, err);
	if (!all)
		return -1;
	t->frequencies = all;
	t->row[0] = all + t->half;
	t->row[1] = all + 2 * t->half;
	t->doubt = t->cosine->type->id == PHI_F32 ? 0x1p-23 : t->cosine->type->id == PHI_F16 ? 0x1p-11 : 0x1p-8;
	if (read_row(t, 0, err))
		return -1;
	t->scale = t->row[0][0];
	if (!(t->scale > 0.1 && t->scale < 10))
		return refuse(t, "its first row is not a scale", err);
	for (uint64_t row = 1; row < t->places; row *= 2)
		if (refine(t, row, err))
			return -1;
	for (uint64_t i = 0; i < t->half; i++)
		if (!(t->frequencies[i] > 0))
			return refuse(t, "frequencies that are not above zero", err);
	return 0;
}

/* What they were made of */

/* As build_rope.c and transformers make it. */
static double
frequency(double theta, double factor, uint64_t i, uint64_t half)
{
	const float power = (float)pow((float)theta, (float)(2 * i) / (float)(2 * half));
	return (double)(1.0F / ((float)factor * power));
}

/* By how much a frequency may be another. */
static double
doubt_of(const struct table *t, double frequency)
{
	const double angle = frequency * t->last;
	return t->doubt * (angle < 0.5 ? 2 * frequency : 1 / t->last);
}

/* Rounded to so many digits. */
static double
rounded(double v, int digits)
{
	const double unit = pow(10, digits - 1 - floor(log10(v)));
	return nearbyint(v * unit) / unit;
}

static bool
makes_all(const struct table *t, double theta, double loose)
{
	for (uint64_t i = 0; i < t->half; i++) {
		const double f = t->frequencies[i];
		if (!(fabs(frequency(theta, 1, i, t->half) - f) <= doubt_of(t, f) + loose * f))
			return false;
	}
	return true;
}

/* Powers of F32 are not rounded alike everywhere: the second time the last bit may be another. */
static int
find_theta(const struct table *t, double *theta, struct phi_err *err)
{
	*theta = theta_of_phi;
	if (t->half < 2)
		return makes_all(t, *theta, 0) ? 0 : refuse(t, "frequencies of no theta", err);
	const uint64_t i = t->half - 1;
	const double near = exp(-log(t->frequencies[i]) * (double)t->half / (double)i);
	for (int loose = 0; loose < 2 && near > 0 && isfinite(near); loose++)
		for (int digits = 1; digits < 10; digits++) {
			*theta = rounded(near, digits);
			if (*theta > 0 && makes_all(t, *theta, loose * 1.2e-7))
				return 0;
		}
	return refuse(t, "frequencies of no theta", err);
}

/* The number of fewest digits that makes this frequency, up to the last bit if `loose`; else that which comes nearest. */
static double
find_factor(const struct table *t, uint64_t i, double loose, int *digits)
{
	const double f = t->frequencies[i], near = frequency(theta_of_phi, 1, i, t->half) / f;
	double best = near, least = INFINITY;
	for (*digits = 1; *digits < 10; ++*digits) {
		const double factor = rounded(near, *digits), far = fabs(frequency(theta_of_phi, factor, i, t->half) - f);
		if (far <= doubt_of(t, f) + loose * f)
			return factor;
		if (far < least) {
			least = far;
			best = factor;
		}
	}
	return best;
}

/* If numbers of few digits make all frequencies but for the last bit, it is they that others rounded otherwise. */
static int
find_factors(const struct table *t, struct phi_arena *arena, const double **factors, size_t *n, struct phi_err *err)
{
	enum { FEW = 6 };
	double *const f = phi_arena_calloc(arena, t->half, sizeof *f, err);
	bool few = true;
	int digits;
	for (uint64_t i = 0; f && i < t->half; i++) {
		f[i] = find_factor(t, i, 1.2e-7, &digits);
		few = few && digits <= FEW;
	}
	for (uint64_t i = 0; f && !few && i < t->half; i++)
		f[i] = find_factor(t, i, 0, &digits);
	*factors = f;
	*n = (size_t)t->half;
	return f ? 0 : -1;
}

/* Which caches there are */

/* By the last part of the name: the builder has them in the branches of a node. */
static const struct phi_tensor *
find(struct phi_source *decoder, const char *name)
{
	const struct phi_model *const model = decoder->model;
	for (size_t i = 0; i < model->ntensors; i++) {
		const char *const slash = strrchr(model->tensors[i].name, '/');
		if (!strcmp(slash ? slash + 1 : model->tensors[i].name, name))
			return &model->tensors[i];
	}
	return NULL;
}

/* 1, 0 if there are none of that name, -1. */
static int
open_table(struct table *t, struct phi_source *decoder, const char *cosine, const char *sine, struct phi_err *err)
{
	*t = (struct table){ .decoder = decoder, .cosine = find(decoder, cosine), .sine = find(decoder, sine) };
	if (!t->cosine || !t->sine)
		return 0;
	const struct phi_tensor *const c = t->cosine, *const s = t->sine;
	const enum phi_type_id type = c->type->id;
	if ((type != PHI_F32 && type != PHI_F16 && type != PHI_BF16) || s->type != c->type || c->rank != 2 || s->rank != 2 ||
		c->shape[0] != s->shape[0] || c->shape[1] != s->shape[1])
		return refuse(t, "no cache of F32 or F16 with one of sines beside it", err);
	if (c->shape[0] < 2 || c->shape[0] > PLACES_MAX || !c->shape[1] || c->shape[1] > PHI_GENAI_ROTARY_MAX)
		return refuse(t, "a size that no rope cache has", err);
	t->places = c->shape[0];
	t->half = c->shape[1];
	return 1;
}

/* Are there two tables one after the other? Then the second begins with the angle 0, as the first does. */
static int
cut(struct table *first, struct table *second, uint64_t context, struct phi_arena *arena, struct phi_err *err)
{
	const uint64_t at = first->places > context ? first->places - context : 0;
	if (at < 2 || at >= context)
		return 0;
	struct table probe = *first;
	double *const all = phi_arena_calloc(arena, 2 * first->half, sizeof *all, err);
	if (!all)
		return -1;
	probe.row[0] = all;
	probe.row[1] = all + first->half;
	if (read_row(&probe, at, err))
		return -1;
	for (uint64_t i = 0; i < first->half; i++)
		if (probe.row[1][i] != 0)
			return 0;
	*second = *first;
	second->first = at;
	second->places = context;
	first->places = at;
	return 1;
}

static int
longrope(struct table *small, struct table *large, struct phi_arena *arena, struct phi_hparams *h, struct phi_err *err)
{
	if (small->half != large->half || small->places > large->places)
		return refuse(large, "it does not go with that of shorter texts", err);
	if (find_frequencies(small, arena, err) || find_frequencies(large, arena, err) ||
		find_factors(small, arena, &h->short_factor, &h->nshort, err) ||
		find_factors(large, arena, &h->long_factor, &h->nlong, err))
		return -1;
	h->rope = PHI_ROPE_LONGROPE;
	h->rope_theta = theta_of_phi;
	h->rotary = (uint32_t)(2 * large->half);
	h->context = (uint32_t)large->places;
	h->original_context = (uint32_t)small->places;
	/* A scale is computed from the two lengths by who reads config.json; a cache of F16 has it with a few digits. */
	const double longer = (double)h->context / h->original_context;
	const double usual = longer > 1 ? sqrt(1 + log(longer) / log(h->original_context)) : 1;
	if (fabs(large->scale - usual) > 4 * large->doubt || fabs(small->scale - usual) > 4 * small->doubt)
		return phi_fail(err, PHI_UNSUPPORTED, "rope caches are scaled by %.7g and %.7g, where transformers computes %.7g "
			"from the context lengths", small->scale, large->scale, usual);
	h->attention_factor = usual;
	return 0;
}

static int
plain(struct table *t, struct phi_arena *arena, struct phi_hparams *h, struct phi_err *err)
{
	if (find_frequencies(t, arena, err) || find_theta(t, &h->rope_theta, err))
		return -1;
	if (fabs(t->scale - 1) > 4 * t->doubt)
		return refuse(t, "it is scaled, which goes with two tables only", err);
	h->rope = PHI_ROPE_PLAIN;
	h->rotary = (uint32_t)(2 * t->half);
	h->context = h->original_context = (uint32_t)t->places;
	h->attention_factor = 1;
	return 0;
}

int
phi_genai_rope(struct phi_source *decoder, struct phi_arena *arena, struct phi_hparams *h, struct phi_err *err)
{
	struct table small, large;
	const int shorter = open_table(&small, decoder, "cos_cache_small", "sin_cache_small", err);
	const int longer = shorter > 0 ? open_table(&large, decoder, "cos_cache_large", "sin_cache_large", err) : 0;
	if (shorter < 0 || longer < 0)
		return -1;
	if (longer)
		return longrope(&small, &large, arena, h, err);
	const int found = open_table(&small, decoder, "cos_cache", "sin_cache", err);
	if (found <= 0)
		return found < 0 ? -1 : phi_fail(err, PHI_UNSUPPORTED, "the decoder has no rope caches that are known: "
			"its config.json cannot be made again");
	const int two = cut(&small, &large, h->context, arena, err);
	return two < 0 ? -1 : two ? longrope(&small, &large, arena, h, err) : plain(&small, arena, h, err);
}
