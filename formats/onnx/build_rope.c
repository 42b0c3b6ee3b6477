/* The rotary caches: cos and sin of place * frequency, [places, rotary / 2], made when they are written.
 *
 *     frequency[i] = 1 / (factor[i] * theta ^ (2 i / rotary))        factor 1, or longrope's short or long one
 *     cache[t][i]  = cos(t * frequency[i]) * scale
 *
 * A frequency, and the angle too, are numbers of 32 bits, rounded where transformers rounds them: at place 100,000
 * an angle of more bits would be another one. What follows is computed in doubles and rounded once.
 *
 * With longrope there are two of each, and a node If takes the long ones when a sequence is longer than the
 * original context. Its branches pass on what is outside of them: so the numbers lie beside the graph. Where rotating is
 * an operator's of its own, the two are one table, the short ones first, and places beyond the original context begin
 * behind those. */
#include "formats/onnx/build_decoder.h"

#include "formats/core/bytes.h"
#include "formats/onnx/data.h"

#include <math.h>

enum {
	ROTARY_STEP = 16,     /* GroupQueryAttention on the CPU rotates multiples of it */
	PLACES_MAX = 1 << 22, /* of a cache: a number in a configuration must not become terabytes */
};

struct table {
	uint64_t places;
	double scale;
	const float *frequencies;
};

struct cache {
	const struct phi_type *type;
	bool sine;
	uint64_t half;
	struct table tables[2]; /* one after the other; the second has no places if there is one only */
};

/* Rounds a double to F16, to even; of what is below 65504 in magnitude. */
static uint16_t
half_of(double v)
{
	int exponent;
	const uint16_t sign = signbit(v) ? 0x8000 : 0;
	frexp(v, &exponent);
	if (v == 0 || exponent < -24)
		return sign;
	if (exponent < -13)
		return (uint16_t)(sign + (unsigned)lrint(ldexp(fabs(v), 24)));
	return (uint16_t)(sign + (unsigned)((exponent + 13) * 1024) + (unsigned)lrint(ldexp(fabs(v), 11 - exponent)));
}

/* Chunks are whole numbers: their size is a multiple of every type's. */
static void
generate(const void *state, uint64_t offset, void *dst, size_t n)
{
	const struct cache *const c = state;
	const unsigned width = c->type->bytes;
	uint8_t *out = dst;
	for (uint64_t i = offset / width; n >= width; i++, n -= width, out += width) {
		const bool second = i / c->half >= c->tables[0].places;
		const struct table *const t = &c->tables[second];
		const float angle = (float)(i / c->half - (second ? c->tables[0].places : 0)) * t->frequencies[i % c->half];
		const double v = (c->sine ? sin((double)angle) : cos((double)angle)) * t->scale;
		if (width == 2)
			phi_store16(out, half_of(v));
		else
			phi_store32(out, phi_bits32((float)v));
	}
}

static const float *
frequencies(struct phi_onnx_decoder *d, const double *factors)
{
	const uint32_t rotary = d->h.rotary;
	float *const f = d->b.failed ? NULL : phi_arena_calloc(d->plan->arena, rotary / 2, sizeof *f, d->b.err);
	d->b.failed = !f;
	for (uint32_t i = 0; f && i < rotary / 2; i++) {
		const float power = (float)pow((float)d->h.rope_theta, (float)(2 * i) / (float)rotary);
		f[i] = 1.0F / (factors ? (float)factors[i] * power : power);
	}
	return f;
}

static struct table
table(struct phi_onnx_decoder *d, uint64_t places, const double *factors, double scale)
{
	return (struct table){ .places = places, .scale = scale, .frequencies = frequencies(d, factors) };
}

static const char *
add_cache(struct phi_onnx_decoder *d, const char *name, const struct cache *cache)
{
	struct cache *const state = d->b.failed ? NULL : phi_arena_alloc(d->plan->arena, sizeof *state, d->b.err);
	d->b.failed = !state;
	if (!state)
		return "";
	*state = *cache;
	return phi_onnx_generated(d, name, cache->type, cache->tables[0].places + cache->tables[1].places, cache->half,
		generate, state);
}

/* Both, "cos_cache" and "sin_cache" before `suffix`. */
static void
add_both(struct phi_onnx_decoder *d, const char *suffix, struct table first, struct table second, const char *names[2])
{
	struct cache c = { .type = d->io, .half = d->h.rotary / 2, .tables = { first, second } };
	for (int sine = 0; sine < 2 && !d->b.failed; sine++) {
		c.sine = sine;
		names[sine] = add_cache(d, phi_onnx_text(&d->b, "%s_cache%s", sine ? "sin" : "cos", suffix), &c);
	}
}

/* A branch: its results are what lies outside. */
static void
add_branch(struct phi_onnx_decoder *d, const char *attribute, const char *name, const char *const names[2])
{
	struct phi_onnx_build branch;
	phi_onnx_build_init(&branch, d->b.arena, name, d->b.err);
	for (int i = 0; i < 2; i++) {
		const char *const path = phi_onnx_text(&branch, "/%s/%s/Identity", name, names[i]);
		const char *const y = phi_onnx_node(&branch, "Identity", path, (const char *const[]){ names[i], NULL });
		const struct phi_onnx_dim dims[] = { { "cache_length", 0 }, { NULL, d->h.rotary / 2 } };
		phi_onnx_build_output(&branch, y, phi_onnx_type_number(d->io), dims, 2);
	}
	phi_onnx_subgraph(&d->b, attribute, &branch);
}

static void
choose(struct phi_onnx_decoder *d, const char *const longer[2], const char *const shorter[2])
{
	struct phi_onnx_build *const b = &d->b;
	const int64_t original = d->h.original_context;
	const char *const limit = phi_onnx_ints(b, "/model/constants/INT64/original_context", &original, 1, true);
	const char *const is_long = phi_onnx_node(b, "Greater", "/model/rope_caches_subgraph/Greater",
		(const char *const[]){ d->extent, limit, NULL });
	phi_onnx_node(b, "If", "/model/rope_caches_subgraph/If", (const char *const[]){ is_long, NULL });
	phi_onnx_rename(b, "cos_cache");
	phi_onnx_node_output(b, "sin_cache");
	add_branch(d, "then_branch", "large_rope_caches_graph", longer);
	add_branch(d, "else_branch", "small_rope_caches_graph", shorter);
	d->cos = "cos_cache";
	d->sin = "sin_cache";
}

/* Places beyond the original context, if there are any, are those of the second table. */
static const char *
shifted(struct phi_onnx_decoder *d)
{
	struct phi_onnx_build *const b = &d->b;
#define IDS "/model/pos_ids_reformat/"
	const int64_t original = d->h.original_context;
	const char *const limit = phi_onnx_ints(b, "/model/constants/INT64/original_context", &original, 1, true);
	const char *v = phi_onnx_node(b, "ReduceMax", IDS "ReduceMax", (const char *const[]){ "position_ids", NULL });
	phi_onnx_int(b, "keepdims", 0);
	v = phi_onnx_node(b, "GreaterOrEqual", IDS "GreaterOrEqual", (const char *const[]){ v, limit, NULL });
	v = phi_onnx_node(b, "Cast", IDS "Cast", (const char *const[]){ v, NULL });
	phi_onnx_int(b, "to", phi_onnx_type_number(phi_type_of(PHI_I64)));
	v = phi_onnx_node(b, "Mul", IDS "Mul", (const char *const[]){ v, limit, NULL });
	return phi_onnx_node(b, "Add", IDS "Add_1", (const char *const[]){ v, "position_ids", NULL });
#undef IDS
}

bool
phi_onnx_rotates_outside(const struct phi_hparams *h, const struct phi_graph_options *options)
{
	return h->rotary % ROTARY_STEP || (options && options->device == PHI_DEVICE_DML);
}

void
phi_onnx_rope(struct phi_onnx_decoder *d)
{
	const struct phi_hparams *const h = &d->h;
	const bool is_long = h->rope != PHI_ROPE_PLAIN;
	const struct table none = { 0 };
	const char *names[2] = { "", "" }, *longer[2];
	if (h->context > PLACES_MAX || (is_long && h->original_context > PLACES_MAX)) {
		phi_onnx_refuse(d, "a context of more than %d tokens", PLACES_MAX);
		return;
	}
	const struct table first = is_long ? table(d, h->original_context, h->short_factor, h->short_scale)
					   : table(d, h->context, NULL, 1);
	const struct table second = is_long ? table(d, h->context, h->long_factor, h->long_scale) : none;
	const bool apart = is_long && !d->rotates_outside;
	add_both(d, apart ? "_small" : "", first, apart ? none : second, names);
	d->cos = names[0];
	d->sin = names[1];
	d->places = is_long && d->rotates_outside ? shifted(d) : "position_ids";
	if (!apart)
		return;
	add_both(d, "_large", second, none, longer);
	if (!d->b.failed)
		choose(d, longer, names);
}
