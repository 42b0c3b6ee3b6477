#include "quant/groups.h"

#include <string.h>

enum { ELEMENT_BYTES_MAX = 8 }; /* an F64 */

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

void
phi_groups_decode(const struct phi_codec *codec, const struct phi_type *type, const uint8_t *src, float *dst,
	uint64_t n)
{
	const uint64_t blocks = n / type->elements, whole = blocks - blocks % codec->group;
	if (whole)
		codec->decode(src, dst, whole);
	if (whole < blocks)
		decode_rest(codec, type, src + whole * type->bytes, dst + whole * type->elements,
			blocks - whole);
}

/* Whole groups. */
static uint32_t
encode_groups(const struct phi_codec *codec, const struct phi_weights *in, uint8_t *dst, size_t blocks)
{
	if (!in->importance)
		return codec->encode(in->x, dst, blocks);
	if (codec->encode_by_row)
		return codec->encode_by_row(in->x, in->importance, in->squares, dst, blocks);
	return codec->encode_weighted(in->x, in->importance, dst, blocks);
}

/* The n floats at src, filled up to `size`; NULL stays so. */
static const float *
padded(const float *src, uint64_t n, size_t size, float *dst)
{
	if (!src)
		return NULL;
	memcpy(dst, src, n * sizeof *dst);
	memset(dst + n, 0, (size - n) * sizeof *dst);
	return dst;
}

static uint32_t
encode_rest(const struct phi_codec *codec, const struct phi_type *type, const struct phi_weights *rest,
	uint8_t *dst)
{
	float x[PHI_GROUP_MAX], importance[PHI_GROUP_MAX], squares[PHI_GROUP_MAX];
	uint8_t out[PHI_GROUP_MAX * ELEMENT_BYTES_MAX];
	const size_t group = codec->group, size = group * type->elements;
	const uint64_t blocks = rest->n / type->elements;
	const struct phi_weights in = { .x = padded(rest->x, rest->n, size, x),
		.importance = padded(rest->importance, rest->n, size, importance),
		.squares = padded(rest->squares, blocks, group, squares), .n = size };
	const uint32_t reach = encode_groups(codec, &in, out, group);
	memcpy(dst, out, blocks * type->bytes);
	return reach;
}

uint32_t
phi_groups_encode(const struct phi_codec *codec, const struct phi_type *type, const struct phi_weights *in,
	uint8_t *dst)
{
	const uint64_t blocks = in->n / type->elements, whole = blocks - blocks % codec->group;
	const uint64_t n = whole * type->elements;
	const uint32_t reach = whole ? encode_groups(codec, in, dst, whole) : 0;
	if (whole == blocks)
		return reach;
	const struct phi_weights left = { .x = in->x + n,
		.importance = in->importance ? in->importance + n : NULL,
		.squares = in->squares ? in->squares + whole : NULL, .n = in->n - n };
	const uint32_t rest = encode_rest(codec, type, &left, dst + whole * type->bytes);
	return rest > reach ? rest : reach;
}
