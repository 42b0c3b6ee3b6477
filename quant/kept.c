/* The converter tables of --lossless and --keep-codes: codes are kept (transcode.h); and, for --lossless, whatever else is
 * converted is decoded again and compared. */
#include "quant/convert.h"
#include "quant/quant.h"
#include "quant/transcode.h"
#include "quant/unpack.h"

#include "formats/core/bytes.h"

#include <math.h>
#include <stdatomic.h>

enum { TILE = 4096 }; /* elements: a multiple of every block */

/* The bits of the largest so far: those of numbers that are not negative are in their order. */
static _Atomic uint32_t largest;

float
phi_quant_rounded(void)
{
	return phi_float32(largest);
}

static void
note(float ulp)
{
	const uint32_t bits = phi_bits32(ulp);
	uint32_t seen = largest;
	while (bits > seen && !atomic_compare_exchange_weak(&largest, &seen, bits))
		;
}

static int
run_kept(const struct phi_convert *c, const void *src, void *dst, uint64_t n, uint64_t row, const float *importance,
	enum phi_overflow policy, uint64_t *bad)
{
	float ulp = 0;
	(void)row;
	(void)importance;
	(void)policy;
	const int result = phi_transcode(c->from, c->to, src, dst, n, c->lossless, &ulp, bad);
	note(ulp);
	return result;
}

/* n elements of a type as F32. */
static int
decode(const struct phi_type *type, const void *src, float *dst, uint64_t n)
{
	struct phi_convert c;
	uint64_t bad;
	return phi_convert_find(phi_level_chosen(), type, phi_type_of(PHI_F32), &c, NULL) < 0 ? -1
		: c.run(&c, src, dst, n, n, NULL, PHI_OVERFLOW_KEEP, &bad);
}

static int
run_compared(const struct phi_convert *c, const void *src, void *dst, uint64_t n, uint64_t row,
	const float *importance, enum phi_overflow policy, uint64_t *bad)
{
	struct phi_convert plain;
	float was[TILE], is[TILE];
	(void)importance;
	(void)policy;
	*bad = 0;
	if (phi_convert_find(phi_level_chosen(), c->from, c->to, &plain, NULL) < 0)
		return -1;
	for (uint64_t i = 0; i < n; i += TILE) {
		const uint64_t m = n - i < TILE ? n - i : TILE;
		const uint8_t *const in = (const uint8_t *)src + i / c->from->elements * c->from->bytes;
		uint8_t *const out = (uint8_t *)dst + i / c->to->elements * c->to->bytes;
		if (plain.run(&plain, in, out, m, row, NULL, PHI_OVERFLOW_KEEP, bad) < 0 ||
			decode(c->from, in, was, m) < 0 || decode(c->to, out, is, m) < 0)
			return -1;
		for (uint64_t j = 0; j < m; j++)
			if (was[j] != is[j] && !(isnan(was[j]) && isnan(is[j]))) {
				*bad = i + j;
				return -1;
			}
	}
	return 0;
}

static int
find(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out, struct phi_err *err)
{
	return phi_quant_converters.find(from, to, out, err);
}

static int
find_lossless(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out, struct phi_err *err)
{
	if (from != to && from->class != PHI_CLASS_FLOAT && from->class != PHI_CLASS_BLOCK)
		return phi_fail(err, PHI_UNSUPPORTED, "%s has no equal in %s", from->name, to->name);
	if (from == to || !phi_transcodes(from, to)) {
		if (find(from, to, out, err) < 0)
			return -1;
		if (from == to)
			return 0;
		out->run = run_compared;
		out->importance = PHI_IMPORTANCE_NONE;
	} else
		*out = (struct phi_convert){ .from = from, .to = to, .run = run_kept };
	out->lossless = true;
	out->fault = "has other values as";
	return 0;
}

static int
find_keeping(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out, struct phi_err *err)
{
	/* As F32 no value changes. */
	if (from == to || from->class != PHI_CLASS_BLOCK || to->id == PHI_F32)
		return find(from, to, out, err);
	if (!phi_transcodes(from, to))
		return phi_fail(err, PHI_UNSUPPORTED, "the codes of %s cannot be kept in %s", from->name, to->name);
	*out = (struct phi_convert){ .from = from, .to = to, .run = run_kept, .fault = "cannot keep its codes as" };
	return 0;
}

const struct phi_converters phi_quant_lossless = { .find = find_lossless, .unpack = phi_unpack };
const struct phi_converters phi_quant_keeping_codes = { .find = find_keeping, .unpack = phi_unpack };
