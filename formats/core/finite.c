/* One table: where a type's element, or its block's scales, stand, and which bits make a number that is
 * not finite: (bits & mask) == mask for all IEEE-like types, whose exponent is then all ones; F8_E4M3 has
 * NaN alone, with all bits but the sign set. Offsets of scales as in swap.c. NVFP4's scales cannot be
 * odd: ggml reads 0x7f as 0. */
#include "formats/core/finite.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>

struct place {
	enum phi_type_id type;
	unsigned offset, count; /* bytes, numbers */
	unsigned width;		/* bytes of a number */
	uint64_t mask;
};

enum { HALF = 0x7c00, BRAIN = 0x7f80, SINGLE = 0x7f800000 };

static const struct place places[] = {
	{ PHI_F32, 0, 1, 4, SINGLE },
	{ PHI_F16, 0, 1, 2, HALF },
	{ PHI_BF16, 0, 1, 2, BRAIN },
	{ PHI_F64, 0, 1, 8, UINT64_C(0x7ff0) << 48 },
	{ PHI_F8_E4M3, 0, 1, 1, 0x7f },
	{ PHI_F8_E5M2, 0, 1, 1, 0x7c },
	{ PHI_F8_E8M0, 0, 1, 1, 0xff },
	{ PHI_C32, 0, 2, 2, HALF },
	{ PHI_C64, 0, 2, 4, SINGLE },
	{ PHI_C128, 0, 2, 8, UINT64_C(0x7ff0) << 48 },
	{ PHI_Q4_0, 0, 1, 2, HALF },
	{ PHI_Q4_1, 0, 2, 2, HALF },
	{ PHI_Q5_0, 0, 1, 2, HALF },
	{ PHI_Q5_1, 0, 2, 2, HALF },
	{ PHI_Q8_0, 0, 1, 2, HALF },
	{ PHI_Q8_1, 0, 2, 2, HALF },
	{ PHI_Q2_K, 80, 2, 2, HALF },
	{ PHI_Q3_K, 108, 1, 2, HALF },
	{ PHI_Q4_K, 0, 2, 2, HALF },
	{ PHI_Q5_K, 0, 2, 2, HALF },
	{ PHI_Q6_K, 208, 1, 2, HALF },
	{ PHI_Q8_K, 0, 1, 4, SINGLE },
	{ PHI_IQ2_XXS, 0, 1, 2, HALF },
	{ PHI_IQ2_XS, 0, 1, 2, HALF },
	{ PHI_IQ3_XXS, 0, 1, 2, HALF },
	{ PHI_IQ1_S, 0, 1, 2, HALF },
	{ PHI_IQ4_NL, 0, 1, 2, HALF },
	{ PHI_IQ3_S, 0, 1, 2, HALF },
	{ PHI_IQ2_S, 0, 1, 2, HALF },
	{ PHI_IQ4_XS, 0, 1, 2, HALF },
	{ PHI_IQ1_M, 48, 1, 8, 0 }, /* see spread() */
	{ PHI_TQ1_0, 52, 1, 2, HALF },
	{ PHI_TQ2_0, 64, 1, 2, HALF },
	{ PHI_MXFP4, 0, 1, 1, 0xff },
	{ PHI_Q1_0, 0, 1, 2, HALF },
	{ PHI_Q2_0, 0, 1, 2, HALF },
};

/* IQ1_M's scale, a half: nibble i of it is the highest of number i. */
static uint64_t
spread(const uint8_t *p)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < 4; i++)
		v |= (uint64_t)(phi_load16(p + 2 * i) >> 12) << 4 * i;
	return v;
}

static uint64_t
load(const uint8_t *p, unsigned width)
{
	switch (width) {
	case 1:
		return *p;
	case 2:
		return phi_load16(p);
	case 4:
		return phi_load32(p);
	default:
		return phi_load64(p);
	}
}

static const struct place *
find(const struct phi_type *type)
{
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (places[i].type == type->id)
			return &places[i];
	return NULL;
}

static bool
odd(const struct place *at, const uint8_t *block)
{
	bool any = false;
	if (!at->mask)
		return (spread(block + at->offset) & HALF) == HALF;
	for (unsigned i = 0; i < at->count; i++)
		any |= (load(block + at->offset + i * at->width, at->width) & at->mask) == at->mask;
	return any;
}

/* A stretch of plain numbers is looked at as a whole first: nearly all have nothing odd. The width is a
 * constant to the compiler in each of the calls. */
static inline bool
clean(const uint8_t *p, uint64_t n, unsigned width, uint64_t mask)
{
	uint64_t count = 0;
	for (uint64_t i = 0; i < n; i += width)
		count += (load(p + i, width) & mask) == mask;
	return !count;
}

static bool
clean_stretch(const struct place *at, const uint8_t *p, uint64_t n)
{
	if (at->width == 4)
		return clean(p, n, 4, at->mask);
	return at->width == 2 ? clean(p, n, 2, at->mask) : false;
}

uint64_t
phi_type_odd(const struct phi_type *type, const void *p, uint64_t n, uint64_t *first)
{
	const struct place *const at = find(type);
	const uint8_t *const bytes = p;
	uint64_t count = 0;
	if (!at || (type->elements == 1 && at->count == 1 && clean_stretch(at, bytes, n)))
		return 0;
	for (uint64_t i = 0; i < n / type->bytes; i++) {
		if (!odd(at, bytes + i * type->bytes))
			continue;
		if (!count++)
			*first = i;
	}
	return count;
}

static int
check_tensor(struct phi_source *source, const struct phi_tensor *t, void *buffer,
	const struct phi_findings *findings, struct phi_err *err)
{
	const struct phi_type *const type = t->type;
	const uint64_t step = (uint64_t)PHI_CHUNK_BYTES / type->bytes * type->elements;
	uint64_t n = 0, count = 0, first = 0;
	if (!find(type) || t->nplanes != 1 || !phi_tensor_elements(t, &n))
		return 0;
	for (uint64_t at = 0; at < n; at += step) {
		const uint64_t m = n - at < step ? n - at : step;
		uint64_t here = 0;
		if (phi_tensor_read(source, t, false, at, m, buffer, err))
			return -1;
		const uint64_t odd_here =
			phi_type_odd(type, buffer, m / type->elements * type->bytes, &here);
		if (odd_here && !count)
			first = at / type->elements + here;
		count += odd_here;
	}
	struct phi_quoted q;
	const bool block = type->elements > 1;
	/* A graph has constants that are so by intent: masks, limits of a clip. */
	return !count ? 0
		      : phi_finding_emit(findings,
				source->ops->graph ? PHI_FINDING_INFO : PHI_FINDING_INVALID, "weights.not-finite",
				source->model->storages[t->plane[0].storage].file, NULL, UINT64_MAX,
				err, "tensor %s: %s%" PRIu64 " of %" PRIu64 " %s, first at %" PRIu64,
				phi_quote(&q, t->name), block ? "scales of " : "", count,
				n / type->elements,
				block ? "blocks are NaN or infinite" : "are NaN or infinite", first);
}

int
phi_check_finite(struct phi_source *source, const struct phi_findings *findings,
	struct phi_err *err)
{
	void *const buffer = phi_alloc(PHI_CHUNK_BYTES, err);
	int result = buffer ? 0 : -1;
	for (size_t i = 0; !result && i < source->model->ntensors; i++) {
		const struct phi_tensor *const t = &source->model->tensors[i];
		struct phi_quoted q;
		if (t->alias != PHI_NONE)
			continue;
		result = check_tensor(source, t, buffer, findings, err);
		if (result)
			phi_context(err, "tensor %s", phi_quote(&q, t->name));
	}
	phi_free(buffer);
	return result;
}
