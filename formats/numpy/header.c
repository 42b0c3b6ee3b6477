/* The byte picture is in header.h. */
#include "formats/numpy/header.h"

#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/memory.h"
#include "formats/numpy/descr.h"
#include "formats/numpy/literal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint8_t magic[PHI_NPY_MAGIC] = "\x93NUMPY";

bool
phi_npy_is(const uint8_t *head, size_t size)
{
	return size >= PHI_NPY_MAGIC && !memcmp(head, magic, PHI_NPY_MAGIC);
}

/* Reading */

static int
set_descr(struct phi_npy *npy, const struct phi_literal *value, struct phi_err *err)
{
	if (value->kind == PHI_LITERAL_LIST || value->kind == PHI_LITERAL_TUPLE) {
		npy->what = value->kind == PHI_LITERAL_LIST ? "records of several fields"
							    : "arrays within the array";
		return 0;
	}
	if (value->kind != PHI_LITERAL_STRING)
		return phi_fail(err, PHI_FORMAT, "descr is no type");
	const struct phi_descr descr = phi_descr_of(value->text, value->size);
	npy->type = descr.type;
	npy->what = descr.what;
	npy->swap = descr.swap;
	npy->guessed = descr.guessed;
	return 0;
}

static int
set_shape(struct phi_npy *npy, const struct phi_literal *value, struct phi_err *err)
{
	if (value->kind != PHI_LITERAL_TUPLE || !value->integers)
		return phi_fail(err, PHI_FORMAT, "shape is no tuple of integers from 0");
	if (value->count > PHI_RANK_MAX)
		return phi_fail(err, PHI_LIMIT, "shape: %zu dimensions, more than %d", value->count,
			PHI_RANK_MAX);
	npy->rank = (unsigned)value->count;
	memcpy(npy->shape, value->items, value->count * sizeof *npy->shape);
	return 0;
}

static int
set_order(struct phi_npy *npy, const struct phi_literal *value, struct phi_err *err)
{
	if (value->kind != PHI_LITERAL_BOOL)
		return phi_fail(err, PHI_FORMAT, "fortran_order is neither True nor False");
	npy->fortran = value->truth;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct phi_npy *npy, const struct phi_literal *value, struct phi_err *err);
} keys[] = { { "descr", set_descr }, { "fortran_order", set_order }, { "shape", set_shape } };
enum { NKEYS = sizeof keys / sizeof *keys };

static int
parse_pair(struct phi_npy *npy, struct phi_literal_text *text, unsigned *seen, struct phi_err *err)
{
	struct phi_literal key, value;
	if (phi_literal_parse(text, &key, err))
		return -1;
	if (!phi_literal_take(text, ':'))
		return phi_fail(err, PHI_FORMAT, "a colon is missing behind a key");
	if (phi_literal_parse(text, &value, err))
		return -1;
	for (unsigned i = 0; i < NKEYS; i++) {
		if (!phi_literal_is(&key, keys[i].key))
			continue;
		if (*seen & 1U << i)
			return phi_fail(err, PHI_FORMAT, "%s is there twice", keys[i].key);
		*seen |= 1U << i;
		return keys[i].set(npy, &value, err);
	}
	return phi_fail(err, PHI_FORMAT, "a key that is none of descr, fortran_order, shape");
}

static int
parse_text(struct phi_npy *npy, struct phi_literal_text text, struct phi_err *err)
{
	unsigned seen = 0;
	bool comma = true;
	if (!phi_literal_take(&text, '{'))
		return phi_fail(err, PHI_FORMAT, "does not begin with '{'");
	while (!phi_literal_take(&text, '}')) {
		if (!comma)
			return phi_fail(err, PHI_FORMAT, "a comma or '}' is missing");
		if (parse_pair(npy, &text, &seen, err))
			return -1;
		comma = phi_literal_take(&text, ',');
	}
	for (unsigned i = 0; i < NKEYS; i++)
		if (!(seen & 1U << i))
			return phi_fail(err, PHI_FORMAT, "%s is missing", keys[i].key);
	(void)phi_literal_take(&text, '\n');
	return text.at == text.end ? 0 : phi_fail(err, PHI_FORMAT, "something follows the '}'");
}

static int
measure(struct phi_npy *npy, uint64_t size, struct phi_err *err)
{
	uint64_t n = 1;
	bool fits = true;
	if (!npy->type)
		return 0;
	for (unsigned d = 0; d < npy->rank; d++)
		fits = fits && phi_mul(n, npy->shape[d], &n);
	if (!fits || !phi_type_size(npy->type, n, &npy->bytes))
		return phi_fail(err, PHI_FORMAT, "shape has more elements than 64 bits count");
	if (!phi_fits(npy->data, npy->bytes, size))
		return phi_fail(err, PHI_TRUNCATED,
			"%" PRIu64 " bytes at offset %" PRIu64 " pass the end (%" PRIu64 ")",
			npy->bytes, npy->data, size);
	return 0;
}

/* How many bytes the prefix has, and the text behind it. */
static int
parse_prefix(
	struct phi_npy *npy, const uint8_t *bytes, size_t n, uint64_t *text, struct phi_err *err)
{
	if (n < 10 || !phi_npy_is(bytes, n))
		return phi_fail(err, PHI_FORMAT, "not a .npy file");
	npy->version = bytes[6];
	npy->data = npy->version == 1 ? 10 : 12;
	if (npy->version < 1 || npy->version > 3 || bytes[7])
		return phi_fail(err, PHI_UNSUPPORTED,
			"version %u.%u of .npy; 1.0, 2.0, 3.0 are read", bytes[6], bytes[7]);
	if (n < npy->data)
		return phi_fail(err, PHI_TRUNCATED, "ends within its header");
	*text = npy->version == 1 ? phi_load16(bytes + 8) : phi_load32(bytes + 8);
	return 0;
}

int
phi_npy_parse(
	struct phi_npy *npy, phi_npy_read *read, void *from, uint64_t size, struct phi_err *err)
{
	uint8_t prefix[PHI_NPY_PREFIX_MAX];
	const size_t n = size < sizeof prefix ? (size_t)size : sizeof prefix;
	uint64_t length = 0;
	*npy = (struct phi_npy){ 0 };
	if (read(from, 0, prefix, n, err) || parse_prefix(npy, prefix, n, &length, err))
		return -1;
	if (!phi_fits(npy->data, length, size))
		return phi_fail(err, PHI_TRUNCATED,
			"header of %" PRIu64 " bytes passes the end (%" PRIu64 ")", length, size);
	if (length > PHI_NPY_HEADER_MAX)
		return phi_fail(err, PHI_LIMIT, "header of %" PRIu64 " bytes, more than %d", length,
			PHI_NPY_HEADER_MAX);
	char *const text = phi_alloc((size_t)length + 1, err);
	int result = text ? read(from, npy->data, text, (size_t)length, err) : -1;
	if (!result && parse_text(npy, (struct phi_literal_text){ text, text + length }, err))
		result = phi_context(err, "header");
	phi_free(text);
	npy->data += length;
	return result ? -1 : measure(npy, size, err);
}

/* Writing */

static int
append_dict(struct phi_buffer *out, const struct phi_type *type, unsigned rank,
	const uint64_t *shape, struct phi_err *err)
{
	if (phi_buffer_printf(out, err, "{'descr': '%s', 'fortran_order': False, 'shape': (",
		    phi_descr_name(type)))
		return -1;
	for (unsigned d = 0; d < rank; d++)
		if (phi_buffer_printf(out, err, "%s%" PRIu64, d ? ", " : "", shape[d]))
			return -1;
	return phi_buffer_printf(out, err, rank == 1 ? ",), }" : "), }");
}

/* Room for the first dimension to grow to 21 digits, so that arrays can be appended to; then up to
 * the alignment, with a line end as the last byte. At most 300 bytes: version 1.0 always does. */
int
phi_npy_build(struct phi_buffer *out, const struct phi_type *type, unsigned rank,
	const uint64_t *shape, struct phi_err *err)
{
	enum { DIGITS = 21, PREFIX = 10 };
	uint8_t prefix[PREFIX] = { 0 };
	const size_t start = out->size;
	const int digits = rank ? snprintf(NULL, 0, "%" PRIu64, shape[0]) : DIGITS;
	memcpy(prefix, magic, PHI_NPY_MAGIC);
	prefix[6] = 1;
	if (phi_buffer_append(out, prefix, PREFIX, err) ||
		append_dict(out, type, rank, shape, err) ||
		phi_buffer_printf(out, err, "%*s", DIGITS - digits, ""))
		return -1;
	const size_t rest = (out->size - start + 1) % PHI_NPY_ALIGNMENT;
	if (phi_buffer_printf(out, err, "%*s\n", (int)(PHI_NPY_ALIGNMENT - rest), ""))
		return -1;
	phi_store16(out->data + start + 8, (uint16_t)(out->size - start - PREFIX));
	return 0;
}
