/* Values as people write them on a command line. */
#include "formats/core/edit_inside.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool
phi_edit_kind_named(const char *name, size_t size, struct phi_edit_kind_name *kind)
{
	kind->array = size > 2 && !memcmp(name + size - 2, "[]", 2);
	if (kind->array)
		size -= 2;
	for (int k = 0; k <= PHI_VALUE_F64; k++) {
		const char *const known = phi_value_name((enum phi_value_kind)k);
		if (k == PHI_VALUE_ARRAY || strlen(known) != size || memcmp(known, name, size))
			continue;
		kind->kind = (enum phi_value_kind)k;
		return true;
	}
	return false;
}

static bool
is_signed(enum phi_value_kind kind)
{
	return kind == PHI_VALUE_I8 || kind == PHI_VALUE_I16 || kind == PHI_VALUE_I32 ||
		kind == PHI_VALUE_I64;
}

/* Digits, after a minus where it may be. */
static bool
looks_integral(const char *text)
{
	text += *text == '-';
	return *text && text[strspn(text, "0123456789")] == '\0';
}

static bool
read_unsigned(const char *text, unsigned bits, uint64_t *v)
{
	if (*text == '-' || !looks_integral(text))
		return false;
	errno = 0;
	*v = strtoull(text, NULL, 10);
	return !errno && (bits == 64 || *v >> bits == 0);
}

static bool
read_signed(const char *text, unsigned bits, int64_t *v)
{
	if (!looks_integral(text))
		return false;
	errno = 0;
	*v = strtoll(text, NULL, 10);
	const int64_t most = (int64_t)(UINT64_MAX >> (65 - bits));
	return !errno && *v <= most && *v >= -most - 1;
}

/* strtod takes what people do not mean: spaces before, hexadecimal. */
static bool
read_float(const char *text, bool narrow, double *v)
{
	char *end;
	if (!*text || strspn(text, " \t\n\v\f\r") || strpbrk(text, "xX"))
		return false;
	*v = strtod(text, &end);
	if (*end)
		return false;
	const bool finite = isfinite(*v);
	if (narrow)
		*v = (double)(float)*v;
	return finite == (bool)isfinite(*v) && (finite || strpbrk(text, "nN"));
}

enum phi_value_kind
phi_edit_kind_of(const char *text)
{
	uint64_t u;
	int64_t i;
	double f;
	if (!strcmp(text, "true") || !strcmp(text, "false"))
		return PHI_VALUE_BOOL;
	if (read_unsigned(text, 32, &u))
		return PHI_VALUE_U32;
	if (read_signed(text, 32, &i))
		return PHI_VALUE_I32;
	if (read_signed(text, 64, &i))
		return PHI_VALUE_I64;
	if (read_unsigned(text, 64, &u))
		return PHI_VALUE_U64;
	if (strpbrk(text, "0123456789") && read_float(text, true, &f))
		return PHI_VALUE_F32;
	return PHI_VALUE_STRING;
}

static int
read_scalar(const char *text, enum phi_value_kind kind, struct phi_value *v, struct phi_err *err)
{
	struct phi_quoted q;
	const unsigned bits = 8 * (unsigned)phi_value_width(kind);
	bool good;
	v->kind = kind;
	if (kind == PHI_VALUE_STRING) {
		v->s = (struct phi_string){ text, strlen(text) };
		return 0;
	}
	if (kind == PHI_VALUE_BOOL) {
		v->b = !strcmp(text, "true");
		good = v->b || !strcmp(text, "false");
	} else if (kind == PHI_VALUE_F32 || kind == PHI_VALUE_F64) {
		good = read_float(text, kind == PHI_VALUE_F32, &v->f);
	} else if (is_signed(kind)) {
		good = read_signed(text, bits, &v->i);
	} else {
		good = read_unsigned(text, bits, &v->u);
	}
	return good ? 0
		    : phi_fail(err, PHI_ARGUMENT, "%s is no %s", phi_quote(&q, text),
			      phi_value_name(kind));
}

/* Puts a scalar where an array of its kind has its element i, in the machine's order. */
static void
put_element(void *data, size_t i, const struct phi_value *v)
{
	switch (phi_value_width(v->kind)) {
	case 1:
		((uint8_t *)data)[i] = v->kind == PHI_VALUE_BOOL ? v->b : (uint8_t)v->u;
		break;
	case 2:
		((uint16_t *)data)[i] = (uint16_t)v->u;
		break;
	case 4:
		((uint32_t *)data)[i] =
			v->kind == PHI_VALUE_F32 ? phi_bits32((float)v->f) : (uint32_t)v->u;
		break;
	case 8:
		((uint64_t *)data)[i] = v->kind == PHI_VALUE_F64 ? phi_bits64(v->f) : v->u;
		break;
	default:
		((struct phi_string *)data)[i] = v->s;
	}
}

static int
read_array(struct phi_arena *arena, char *text, enum phi_value_kind kind, struct phi_value *value,
	struct phi_err *err)
{
	size_t n = *text != '\0';
	for (const char *p = text; *p; p++)
		n += *p == ',';
	void *const data = phi_arena_calloc(
		arena, n, kind == PHI_VALUE_STRING ? sizeof value->s : phi_value_width(kind), err);
	if (!data)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct phi_value v = { 0 };
		if (read_scalar(strsep(&text, ","), kind, &v, err))
			return phi_context(err, "element %zu", i);
		put_element(data, i, &v);
	}
	*value = (struct phi_value){ .kind = PHI_VALUE_ARRAY,
		.array = { .kind = kind, .count = n, .data = data } };
	return 0;
}

int
phi_edit_value(struct phi_arena *arena, const char *text, struct phi_edit_kind_name kind,
	struct phi_value *value, struct phi_err *err)
{
	char *const copy = phi_arena_strdup(arena, text, err);
	if (!copy)
		return -1;
	*value = (struct phi_value){ 0 };
	return kind.array ? read_array(arena, copy, kind.kind, value, err)
			  : read_scalar(copy, kind.kind, value, err);
}
