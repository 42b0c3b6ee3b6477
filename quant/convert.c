/* Conversions: everything goes through tiles of F32 on the stack, small enough for the L1 cache, so a
 * pair of types needs no code of its own and runs as fast as memory allows.
 *
 *   src --decode--> tile (F32) --encode--> dst       aligned F32 at either end needs no tile
 *
 * Kernels know nothing of policies: encode tells the largest magnitude it met, and only a tile with
 * something beyond the type's reach is looked at again, block by block.
 *
 * Importance is laid beside the tile, an element each, so that a tile may end within a row or span many; what
 * is one number a row (the mean of its squares, weigh.c) is laid out too, a block each. */
#include "quant/convert.h"

#include "formats/core/bytes.h"
#include "quant/quant.h"
#include "quant/scale.h"
#include "quant/unpack.h"
#include "quant/weigh.h"

#include <math.h>

enum { LINE = 64, TILE = PHI_TILE }; /* elements: 16 KiB of floats beside the source's and the result's bytes */
_Static_assert(TILE % PHI_GROUP_MAX == 0, "a tile is whole groups");

/* A tile on its way. */
struct tile {
	const struct phi_convert *convert;
	const uint8_t *src;
	struct phi_weights w; /* decoded */
	uint8_t *dst;
};

/* Can the result not hold element i, whatever its neighbours are? Infinity is at home in plain floats
 * unless the decoding made it, and in no block type. */
static bool
offends(const struct tile *t, uint64_t i)
{
	const struct phi_codec *const from = t->convert->decoder, *const to = t->convert->encoder;
	const float x = t->w.x[i];
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
		most = fabsf(t->w.x[j]) > fabsf(t->w.x[most]) ? j : most;
	}
	return to->sound && !to->sound(t->dst + i / type->elements * type->bytes) ? most : end;
}

/* The largest magnitude that no kernel makes too large a scale of: searches that heed importance may settle on
 * scales above those of the largest element. */
static float
largest(const struct tile *t)
{
	const struct phi_codec *const to = t->convert->encoder;
	return t->w.importance ? to->largest / 4 : to->largest;
}

static uint8_t *
block_at(const struct tile *t, uint64_t i)
{
	return t->dst + i / t->convert->to->elements * t->convert->to->bytes;
}

/* Clamps the block at element i: what offends, or what is not finite only. */
static void
encode_clamped(const struct tile *t, uint64_t i, bool finite_too)
{
	const struct phi_type *const type = t->convert->to;
	const float most = largest(t);
	float x[PHI_GROUP_MAX];
	for (unsigned j = 0; j < type->elements; j++) {
		x[j] = t->w.x[i + j];
		if (isnan(x[j]))
			x[j] = 0;
		else if (isinf(x[j]) ? offends(t, i + j) : finite_too && fabsf(x[j]) > most)
			x[j] = copysignf(most, x[j]);
	}
	const struct phi_weights block = { .x = x, .n = type->elements,
		.importance = t->w.importance ? t->w.importance + i : NULL,
		.squares = t->w.squares ? t->w.squares + i / type->elements : NULL };
	phi_groups_encode(t->convert->encoder, type, &block, block_at(t, i));
}

/* The block at element i with all columns alike: importance of 0 all over makes scales of 0 / 0. */
static void
encode_alike(const struct tile *t, uint64_t i)
{
	const struct phi_type *const type = t->convert->to;
	float ones[PHI_GROUP_MAX];
	for (unsigned j = 0; j < type->elements; j++)
		ones[j] = 1;
	const struct phi_weights block = { .x = t->w.x + i, .importance = ones, .n = type->elements,
		.squares = t->w.squares ? t->w.squares + i / type->elements : NULL };
	phi_groups_encode(t->convert->encoder, type, &block, block_at(t, i));
}

static bool
all_finite(const float *x, unsigned n)
{
	for (unsigned j = 0; j < n; j++)
		if (!isfinite(x[j]))
			return false;
	return true;
}

/* A block as the reference makes it, as far as it makes anything of it. */
static void
encode_again(const struct tile *t, uint64_t i, enum phi_overflow policy)
{
	const struct phi_codec *const to = t->convert->encoder;
	const struct phi_type *const type = t->convert->to;
	if (to->reference && !t->w.importance)
		to->reference(t->w.x + i, block_at(t, i));
	else if (type->class == PHI_CLASS_BLOCK && !all_finite(t->w.x + i, type->elements))
		encode_clamped(t, i, policy == PHI_OVERFLOW_CLAMP);
}

/* A tile with something beyond the type's reach, block by block: the kernel promises nothing about a
 * group with NaN in it. Returns 0, or -1 with the offending element in *bad. */
static int
encode_warily(const struct tile *t, enum phi_overflow policy, uint64_t *bad)
{
	const unsigned block = t->convert->to->elements;
	for (uint64_t i = 0; i < t->w.n; i += block) {
		encode_again(t, i, policy);
		if (policy == PHI_OVERFLOW_KEEP || offender(t, i) == i + block)
			continue;
		if (t->w.importance && all_finite(t->w.x + i, block))
			encode_alike(t, i);
		const uint64_t j = offender(t, i);
		if (j == i + block)
			continue;
		if (policy == PHI_OVERFLOW_FAIL) {
			*bad = j;
			return -1;
		}
		encode_clamped(t, i, true);
	}
	return 0;
}

/* Must the tile be looked at block by block? Importance may spoil any block. */
static bool
is_doubtful(const struct tile *t, uint32_t reach)
{
	const struct phi_codec *const to = t->convert->encoder;
	if (reach > phi_bits32(largest(t)))
		return true;
	for (uint64_t i = 0; t->w.importance && i < t->w.n; i += t->convert->to->elements)
		if (!to->sound(block_at(t, i)))
			return true;
	return false;
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

/* --search, from what the reference's way made; what is not finite has no error that could be lower. */
static void
refine(const struct tile *t)
{
	const struct phi_level *const level = t->convert->searcher;
	const struct phi_shape *const shape = phi_shape_of(t->convert->to->id);
	const unsigned block = t->convert->to->elements;
	for (uint64_t i = 0; shape && i < t->w.n; i += block)
		if (all_finite(t->w.x + i, block))
			level->refine(shape, t->w.x + i, t->w.importance ? t->w.importance + i : NULL,
				block_at(t, i), 1);
}

/* What is too small for F16 becomes its least number. */
static void
lift(const struct tile *t)
{
	for (uint64_t i = 0; i < t->w.n; i++)
		t->dst[2 * i] |= t->w.x[i] != 0 && !t->dst[2 * i] && !(t->dst[2 * i + 1] & 0x7f);
}

static int
encode_tile(const struct tile *t, enum phi_overflow policy, uint64_t *bad)
{
	const uint32_t reach = phi_groups_encode(t->convert->encoder, t->convert->to, &t->w, t->dst);
	if (is_doubtful(t, reach) && encode_warily(t, policy, bad) < 0)
		return -1;
	if (t->convert->searcher)
		refine(t);
	if (t->convert->nonzero && t->convert->to->id == PHI_F16)
		lift(t);
	return 0;
}

/* The tile at element i, but for its numbers. */
static struct tile
tile_at(const struct phi_convert *convert, const void *src, void *dst, uint64_t n, uint64_t i)
{
	return (struct tile){ .convert = convert, .src = (const uint8_t *)src + bytes_of(convert->from, i),
		.dst = (uint8_t *)dst + bytes_of(convert->to, i), .w.n = n - i < TILE ? n - i : TILE };
}

/* The floats of a tile, if need be in x. */
static const float *
decoded(const struct tile *t, float x[TILE])
{
	if (t->convert->from->id == PHI_F32 && aligned(t->src))
		return (const float *)(const void *)t->src;
	phi_groups_decode(t->convert->decoder, t->convert->from, t->src, x, t->w.n);
	return x;
}

static int
run_weighted(const struct phi_convert *convert, const void *src, void *dst, uint64_t n, uint64_t row,
	const float *importance, enum phi_overflow policy, uint64_t *bad)
{
	struct phi_weighing weighing = { .convert = convert, .src = src, .n = n, .row = row,
		.importance = importance };
	_Alignas(LINE) float x[TILE];
	for (uint64_t i = 0; i < n; i += TILE) {
		struct tile t = tile_at(convert, src, dst, n, i);
		t.w.x = decoded(&t, x);
		phi_weigh(&weighing, i, &t.w);
		if (encode_tile(&t, policy, bad) < 0) {
			*bad += i;
			return -1;
		}
	}
	return 0;
}

/* The general way. */
static int
run_tiles(const struct phi_convert *convert, const void *src, void *dst, uint64_t n, uint64_t row,
	const float *importance, enum phi_overflow policy, uint64_t *bad)
{
	if (importance && convert->importance != PHI_IMPORTANCE_NONE)
		return run_weighted(convert, src, dst, n, row, importance, policy, bad);
	_Alignas(LINE) float x[TILE];
	for (uint64_t i = 0; i < n; i += TILE) {
		struct tile t = tile_at(convert, src, dst, n, i);
		t.w.x = decoded(&t, x);
		if (encode_tile(&t, policy, bad) < 0) {
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
	phi_groups_decode(convert->decoder, convert->from, src, dst, n);
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

/* Some references compute in the type of what they are given. */
static const struct phi_codec *
encoder_for(const struct phi_codec *encoder, const struct phi_type *from)
{
	const struct phi_codec *const other = from->id == PHI_BF16 ? encoder->of_bf16
		: from->id == PHI_F16 ? encoder->of_f16 : NULL;
	return other ? other : encoder;
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
	if (!encoder || (!encoder->encode && !encoder->encode_weighted))
		return phi_fail(err, PHI_UNSUPPORTED, "%s cannot be made (of %s)", to->name, from->name);
	out->decoder = decoder;
	out->encoder = encoder_for(encoder, from);
	out->importance = phi_codec_importance(encoder);
	out->run = to->id == PHI_F32 && !decoder->finite ? run_decode : run_tiles;
	return 0;
}

static int
find(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out,
	struct phi_err *err)
{
	return phi_convert_find(phi_level_chosen(), from, to, out, err);
}

const struct phi_converters phi_quant_converters = { .find = find, .unpack = phi_unpack, .scale = phi_scale };

void
phi_convert_as_llama(struct phi_convert *convert)
{
	const struct phi_codec *const encoder = convert->encoder;
	if (encoder && encoder->as_llama)
		convert->encoder = encoder->as_llama;
}

static int
find_as_llama(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out,
	struct phi_err *err)
{
	if (find(from, to, out, err) < 0)
		return -1;
	phi_convert_as_llama(out);
	return 0;
}

const struct phi_converters phi_quant_as_llama = { .find = find_as_llama, .unpack = phi_unpack, .scale = phi_scale };

/* ONNX's types as one of the other algorithms makes them. */
static int
find_by(const struct phi_codec *const *other, const struct phi_codec *encoder, const char *algorithm,
	struct phi_convert *out, struct phi_err *err)
{
	if (!encoder || !encoder->as_rtn)
		return 0;
	if (!*other)
		return phi_fail(err, PHI_UNSUPPORTED, "%s does not make %s: it always sets a zero point",
			algorithm, out->to->name);
	out->encoder = *other;
	return 0;
}

static int
find_rtn(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out, struct phi_err *err)
{
	if (find(from, to, out, err) < 0)
		return -1;
	const struct phi_codec *const encoder = out->encoder;
	return find_by(encoder ? &encoder->as_rtn : NULL, encoder, "rtn", out, err);
}

static int
find_k_quant(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out, struct phi_err *err)
{
	if (find(from, to, out, err) < 0)
		return -1;
	const struct phi_codec *const encoder = out->encoder;
	return find_by(encoder ? &encoder->as_k_quant : NULL, encoder, "k_quant", out, err);
}

static int
find_qdq(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out, struct phi_err *err)
{
	if (find(from, to, out, err) < 0)
		return -1;
	const struct phi_codec *const encoder = out->encoder;
	return find_by(encoder ? &encoder->as_qdq : NULL, encoder, "qdq", out, err);
}

const struct phi_converters phi_quant_qdq = { .find = find_qdq, .unpack = phi_unpack, .scale = phi_scale };
const struct phi_converters phi_quant_rtn = { .find = find_rtn, .unpack = phi_unpack, .scale = phi_scale };
const struct phi_converters phi_quant_k_quant = { .find = find_k_quant, .unpack = phi_unpack, .scale = phi_scale };

static int
find_searching(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out,
	struct phi_err *err)
{
	if (find(from, to, out, err) < 0)
		return -1;
	if (from == to || !phi_shape_of(to->id))
		return 0;
	out->searcher = phi_level_chosen();
	return 0;
}

const struct phi_converters phi_quant_searching = { .find = find_searching, .unpack = phi_unpack, .scale = phi_scale };
