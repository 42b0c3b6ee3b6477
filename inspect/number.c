#include "inspect/number.h"

#include "formats/core/escape.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
phi_number_real(struct phi_number *n, double v, bool single)
{
	if (!isfinite(v)) {
		snprintf(n->text, sizeof n->text, "%s",
			isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
		return n->text;
	}
	for (int digits = single ? 6 : 15; digits <= 17; digits++) {
		snprintf(n->text, sizeof n->text, "%.*g", digits, v);
		if (single ? strtof(n->text, NULL) == (float)v : strtod(n->text, NULL) == v)
			break;
	}
	/* A whole number stays a real for whoever reads the JSON. */
	if (!strpbrk(n->text, ".e"))
		strcat(n->text, ".0");
	return n->text;
}

static const char *
scaled(struct phi_number *n, uint64_t v, double step, const char *const *units)
{
	double x = (double)v;
	size_t i = 0;
	while (x >= step && units[i + 1]) {
		x /= step;
		i++;
	}
	const int decimals = i == 0 || x >= 100 ? 0 : x >= 10 ? 1 : 2;
	snprintf(n->text, sizeof n->text, "%.*f%s%s", decimals, x, *units[i] ? " " : "", units[i]);
	return n->text;
}

const char *
phi_number_count(struct phi_number *n, uint64_t v)
{
	static const char *const units[] = {"", "K", "M", "B", "T", NULL};
	return scaled(n, v, 1000, units);
}

const char *
phi_number_bytes(struct phi_number *n, uint64_t v)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", NULL};
	return scaled(n, v, 1024, units);
}

/* Signed and unsigned integers of 1, 2, 4, 8 bytes in the machine's order. */
static uint64_t
unsigned_at(const unsigned char *p, size_t width)
{
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	switch (width) {
	case 1:
		memcpy(&a, p, sizeof a);
		return a;
	case 2:
		memcpy(&b, p, sizeof b);
		return b;
	case 4:
		memcpy(&c, p, sizeof c);
		return c;
	default:
		memcpy(&d, p, sizeof d);
		return d;
	}
}

static int64_t
signed_at(const unsigned char *p, size_t width)
{
	const uint64_t v = unsigned_at(p, width);
	switch (width) {
	case 1:
		return (int8_t)v;
	case 2:
		return (int16_t)v;
	case 4:
		return (int32_t)v;
	default:
		return (int64_t)v;
	}
}

void
phi_value_element(const struct phi_value *array, uint64_t i, struct phi_value *out)
{
	const size_t width = phi_value_width(array->array.kind);
	const unsigned char *const p = (const unsigned char *)array->array.data + i * width;
	float single;
	*out = (struct phi_value){.kind = array->array.kind};
	switch (out->kind) {
	case PHI_VALUE_U8:
	case PHI_VALUE_U16:
	case PHI_VALUE_U32:
	case PHI_VALUE_U64:
		out->u = unsigned_at(p, width);
		break;
	case PHI_VALUE_I8:
	case PHI_VALUE_I16:
	case PHI_VALUE_I32:
	case PHI_VALUE_I64:
		out->i = signed_at(p, width);
		break;
	case PHI_VALUE_F32:
		memcpy(&single, p, sizeof single);
		out->f = single;
		break;
	case PHI_VALUE_F64:
		memcpy(&out->f, p, sizeof out->f);
		break;
	case PHI_VALUE_BOOL:
		out->b = *p != 0;
		break;
	case PHI_VALUE_STRING:
		memcpy(&out->s, p, sizeof out->s);
		break;
	case PHI_VALUE_ARRAY:
	case PHI_VALUE_NULL:
		break;
	}
}

static void
string_text(const struct phi_string *s, char *dst, size_t size)
{
	/* Room for the quotes and, when cut, the length. */
	const size_t room = size - 32;
	dst[0] = '"';
	phi_escape(dst + 1, room, s->data, s->size);
	const size_t n = strlen(dst);
	/* The escaped text ends in "..." exactly when it was cut. */
	if (n + 1 >= room && n > 3 && !strcmp(dst + n - 3, "..."))
		snprintf(dst + n, size - n, "\" (%zu bytes)", s->size);
	else
		snprintf(dst + n, size - n, "\"");
}

static void
scalar_text(const struct phi_value *v, char *dst, size_t size)
{
	struct phi_number number;
	switch (v->kind) {
	case PHI_VALUE_U8:
	case PHI_VALUE_U16:
	case PHI_VALUE_U32:
	case PHI_VALUE_U64:
		snprintf(dst, size, "%" PRIu64, v->u);
		break;
	case PHI_VALUE_I8:
	case PHI_VALUE_I16:
	case PHI_VALUE_I32:
	case PHI_VALUE_I64:
		snprintf(dst, size, "%" PRId64, v->i);
		break;
	case PHI_VALUE_F32:
	case PHI_VALUE_F64:
		snprintf(dst, size, "%s", phi_number_real(&number, v->f, v->kind == PHI_VALUE_F32));
		break;
	case PHI_VALUE_BOOL:
		snprintf(dst, size, "%s", v->b ? "true" : "false");
		break;
	case PHI_VALUE_STRING:
		string_text(&v->s, dst, size);
		break;
	case PHI_VALUE_ARRAY:
	case PHI_VALUE_NULL:
		snprintf(dst, size, "null");
		break;
	}
}

const char *
phi_value_text(const struct phi_value *value, char *dst, size_t size)
{
	if (value->kind != PHI_VALUE_ARRAY) {
		scalar_text(value, dst, size);
		return dst;
	}
	/* An element takes at most as much as its own buffer; the tail is always left free. */
	char element[72];
	const size_t tail = sizeof element + 40;
	size_t n = (size_t)snprintf(dst, size, "[");
	uint64_t i = 0;
	for (; i < value->array.count && n + tail < size; i++) {
		struct phi_value v;
		phi_value_element(value, i, &v);
		scalar_text(&v, element, sizeof element);
		n += (size_t)snprintf(dst + n, size - n, "%s%s", i ? ", " : "", element);
	}
	if (i < value->array.count)
		snprintf(dst + n, size - n, "%s...] (%" PRIu64 ")", i ? ", " : "", value->array.count);
	else
		snprintf(dst + n, size - n, "]");
	return dst;
}
