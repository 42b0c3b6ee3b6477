/* Conversions: everything goes through tiles of F32 on the stack, small enough for the L1 cache, so a
 * pair of types needs no code of its own and runs as fast as memory allows.
 *
 *   src --decode--> tile (F32) --encode--> dst       aligned F32 at either end needs no tile
 *
 * Kernels know nothing of policies: encode tells the largest magnitude it met, and only a tile with
 * something beyond the type's reach is looked at again, block by block. */
#include "quant/convert.h"

#include "formats/core/bytes.h"
#include "quant/quant.h"
#include "quant/unpack.h"

#include <math.h>

enum {
	TILE = 4096,	     /* elements: 16 KiB of floats beside the source's and the result's bytes */
	ELEMENT_BYTES_MAX = 8, /* an F64 */
};
_Static_assert(TILE % PHI_GROUP_MAX == 0, "a tile is whole groups");

/* A tile on its way. */
struct tile {
	const struct phi_convert *convert;
	const uint8_t *src;
	const float *x; /* decoded */
	uint8_t *dst;
	uint64_t n;
};

/* The blocks left over after the last whole group go through padded copies. */
static void
decode_rest(const struct phi_codec *codec, const struct phi_type *type, const uint8_t *src, float *dst,
	uint64_t blocks)
{
	uint8_t in[PHI_GROUP_MAX * ELEMENT_BYTES_MAX];
	float out[PHI_GROUP_MAX];
	memset(in, 0, (size_t)codec->group * type->bytes);
	memcpy(in, src, blocks * type->bytes);
	codec->decode(in, out, codec->group);
	memcpy(dst, out, blocks * type->elements * sizeof *dst);
}

static uint32_t
encode_rest(const struct phi_codec *codec, const struct phi_type *type, const float *src, uint8_t *dst,
	uint64_t blocks)
{
	float in[PHI_GROUP_MAX];
	uint8_t out[PHI_GROUP_MAX * ELEMENT_BYTES_MAX];
	memset(in, 0, (size_t)codec->group * type->elements * sizeof *in);
	memcpy(in, src, blocks * type->elements * sizeof *in);
	const uint32_t reach = codec->encode(in, out, codec->group);
	memcpy(dst, out, blocks * type->bytes);
	return reach;
}

static void
decode(const struct phi_codec *codec, const struct phi_type *type, const uint8_t *src, float *dst,
	uint64_t n)
{
	const uint64_t blocks = n / type->elements, whole = blocks - blocks % codec->group;
	if (whole)
		codec->decode(src, dst, whole);
	if (whole < blocks)
		decode_rest(codec, type, src + whole * type->bytes, dst + whole * type->elements,
			blocks - whole);
}

static uint32_t
encode(const struct phi_codec *codec, const struct phi_type *type, const float *src, uint8_t *dst,
	uint64_t n)
{
	const uint64_t blocks = n / type->elements, whole = blocks - blocks % codec->group;
	const uint32_t reach = whole ? codec->encode(src, dst, whole) : 0;
	if (whole == blocks)
		return reach;
	const uint32_t rest = encode_rest(codec, type, src + whole * type->elements,
		dst + whole * type->bytes, blocks - whole);
	return rest > reach ? rest : reach;
}

/* Can the result not hold element i, whatever its neighbours are? Infinity is at home in plain floats
 * unless the decoding made it, and in no block type. */
static bool
offends(const struct tile *t, uint64_t i)
{
	const struct phi_codec *const from = t->convert->decoder, *const to = t->convert->encoder;
	const float x = t->x[i];
	if (isnan(x))
		return true;
	if (isinf(x))
		return t->convert->to->class == PHI_CLASS_BLOCK ||
			(from->finite && from->finite(t->src + i * t->convert->from->bytes));
	return !to->sound && fabsf(x) > to->largest;
}

/* The first offending element of the block at element i, or i + elements. In a block that is not sound it
 * is the largest. */
static uint64_t
offender(const struct tile *t, uint64_t i)
{
	const struct phi_codec *const to = t->convert->encoder;
	const struct phi_type *const type = t->convert->to;
	const uint64_t end = i + type->elements;
	uint64_t most = i;
	for (uint64_t j = i; j < end; j++) {
		if (offends(t, j))
			return j;
		most = fabsf(t->x[j]) > fabsf(t->x[most]) ? j : most;
	}
	return to->sound && !to->sound(t->dst + i / type->elements * type->bytes) ? most : end;
}

/* Clamps the block at element i: what offends, or what is not finite only. */
static void
encode_clamped(const struct tile *t, uint64_t i, bool finite_too)
{
	const struct phi_codec *const to = t->convert->encoder;
	const struct phi_type *const type = t->convert->to;
	float x[PHI_GROUP_MAX];
	for (unsigned j = 0; j < type->elements; j++) {
		x[j] = t->x[i + j];
		if (isnan(x[j]))
			x[j] = 0;
		else if (isinf(x[j]) ? offends(t, i + j) : finite_too && fabsf(x[j]) > to->largest)
			x[j] = copysignf(to->largest, x[j]);
	}
	encode(to, type, x, t->dst + i / type->elements * type->bytes, type->elements);
}

static bool
all_finite(const float *x, unsigned n)
{
	for (unsigned j = 0; j < n; j++)
		if (!isfinite(x[j]))
			return false;
	return true;
}

/* A tile with something beyond the type's reach, block by block: the kernel promises nothing about a
 * group with NaN in it. Returns 0, or -1 with the offending element in *bad. */
static int
encode_warily(const struct tile *t, enum phi_overflow policy, uint64_t *bad)
{
	const struct phi_codec *const to = t->convert->encoder;
	const struct phi_type *const type = t->convert->to;
	for (uint64_t i = 0; i < t->n; i += type->elements) {
		if (to->reference)
			to->reference(t->x + i, t->dst + i / type->elements * type->bytes);
		else if (type->class == PHI_CLASS_BLOCK && !all_finite(t->x + i, type->elements))
			encode_clamped(t, i, policy == PHI_OVERFLOW_CLAMP);
		if (policy == PHI_OVERFLOW_KEEP)
			continue;
		const uint64_t j = offender(t, i);
		if (j == i + type->elements)
			continue;
		if (policy == PHI_OVERFLOW_FAIL) {
			*bad = j;
			return -1;
		}
		encode_clamped(t, i, true);
	}
	return 0;
}

static bool
aligned(const void *p)
{
	return (uintptr_t)p % _Alignof(float) == 0;
}

static uint64_t
bytes_of(const struct phi_type *type, uint64_t n)
{
	return n / type->elements * type->bytes;
}

/* The general way. */
static int
run_tiles(const struct phi_convert *convert, const void *src, void *dst, uint64_t n, uint64_t row,
	const float *importance, enum phi_overflow policy, uint64_t *bad)
{
	(void)row;
	(void)importance;
	const struct phi_codec *const from = convert->decoder, *const to = convert->encoder;
	const bool direct = convert->from->id == PHI_F32 && aligned(src);
	float x[TILE];
	for (uint64_t i = 0; i < n; i += TILE) {
		struct tile t = { .convert = convert,
			.src = (const uint8_t *)src + bytes_of(convert->from, i),
			.dst = (uint8_t *)dst + bytes_of(convert->to, i),
			.n = n - i < TILE ? n - i : TILE };
		t.x = direct ? (const float *)src + i : x;
		if (!direct)
			decode(from, convert->from, t.src, x, t.n);
		const uint32_t reach = encode(to, convert->to, t.x, t.dst, t.n);
		if (reach > phi_bits32(to->largest) && encode_warily(&t, policy, bad) < 0) {
			*bad += i;
			return -1;
		}
	}
	return 0;
}

/* To F32 from a type that loses nothing on the way. */
static int
run_decode(const struct phi_convert *convert, const void *src, void *dst, uint64_t n, uint64_t row,
	const float *importance, enum phi_overflow policy, uint64_t *bad)
{
	if (!aligned(dst))
		return run_tiles(convert, src, dst, n, row, importance, policy, bad);
	decode(convert->decoder, convert->from, src, dst, n);
	return 0;
}

static int
run_copy(const struct phi_convert *convert, const void *src, void *dst, uint64_t n, uint64_t row,
	const float *importance, enum phi_overflow policy, uint64_t *bad)
{
	(void)row;
	(void)importance;
	(void)policy;
	(void)bad;
	memcpy(dst, src, bytes_of(convert->from, n));
	return 0;
}

int
phi_convert_find(const struct phi_level *level, const struct phi_type *from,
	const struct phi_type *to, struct phi_convert *out, struct phi_err *err)
{
	*out = (struct phi_convert){ .from = from, .to = to };
	if (from == to) {
		out->run = run_copy;
		return 0;
	}
	const struct phi_codec *const decoder = phi_codec_of(level, from->id);
	const struct phi_codec *const encoder = phi_codec_of(level, to->id);
	if (!decoder || !decoder->decode)
		return phi_fail(err, PHI_UNSUPPORTED, "%s cannot be decoded (asked for %s)", from->name,
			to->name);
	if (!encoder || !encoder->encode)
		return phi_fail(err, PHI_UNSUPPORTED, "%s cannot be made (of %s)", to->name, from->name);
	out->decoder = decoder;
	out->encoder = encoder;
	out->run = to->id == PHI_F32 && !decoder->finite ? run_decode : run_tiles;
	return 0;
}

static int
find(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out,
	struct phi_err *err)
{
	return phi_convert_find(phi_level_chosen(), from, to, out, err);
}

const struct phi_converters phi_quant_converters = { .find = find, .unpack = phi_unpack };
