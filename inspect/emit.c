#include "inspect/emit.h"

#include "formats/core/json.h"
#include "formats/core/tensor.h"
#include "inspect/number.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { LONG_ARRAY = 64 };

void
phi_emit_begin(struct phi_emit *e, FILE *out, unsigned deep)
{
	*e = (struct phi_emit){.out = out, .deep = deep, .first = true};
}

int
phi_emit_finish(struct phi_emit *e, struct phi_err *err)
{
	fputc('\n', e->out);
	phi_buffer_free(&e->scratch);
	return e->failed ? phi_fail(err, PHI_MEMORY, "out of memory") : 0;
}

static void
line(const struct phi_emit *e)
{
	fputc('\n', e->out);
	for (unsigned i = 0; i < e->depth; i++)
		fputs("  ", e->out);
}

/* What stands before an element: a comma, and a line break or a blank. */
static void
place(struct phi_emit *e)
{
	if (e->after_key) {
		e->after_key = false;
		return;
	}
	if (!e->first)
		fputc(',', e->out);
	if (e->depth && e->depth <= e->deep)
		line(e);
	else if (!e->first)
		fputc(' ', e->out);
	e->first = false;
}

void
phi_emit_open(struct phi_emit *e, char open)
{
	place(e);
	fputc(open, e->out);
	e->depth++;
	e->first = true;
}

void
phi_emit_close(struct phi_emit *e, char close)
{
	const bool empty = e->first;
	e->depth--;
	if (!empty && e->depth < e->deep)
		line(e);
	fputc(close, e->out);
	e->first = false;
}

static void
quoted(struct phi_emit *e, const char *s, size_t n)
{
	e->scratch.size = 0;
	struct phi_err ignored;
	if (phi_json_append_string(&e->scratch, s, n, &ignored))
		e->failed = true;
	else
		fwrite(e->scratch.data, 1, e->scratch.size, e->out);
}

void
phi_emit_key(struct phi_emit *e, const char *key)
{
	place(e);
	quoted(e, key, strlen(key));
	fputs(": ", e->out);
	e->after_key = true;
}

void
phi_emit_text(struct phi_emit *e, const char *s, size_t n)
{
	place(e);
	quoted(e, s, n);
}

void
phi_emit_u64(struct phi_emit *e, uint64_t v)
{
	place(e);
	fprintf(e->out, "%" PRIu64, v);
}

void
phi_emit_i64(struct phi_emit *e, int64_t v)
{
	place(e);
	fprintf(e->out, "%" PRId64, v);
}

void
phi_emit_real(struct phi_emit *e, double v, bool single)
{
	struct phi_number text;
	place(e);
	fprintf(e->out, isfinite(v) ? "%s" : "\"%s\"", phi_number_real(&text, v, single));
}

void
phi_emit_bool(struct phi_emit *e, bool v)
{
	place(e);
	fputs(v ? "true" : "false", e->out);
}

void
phi_emit_null(struct phi_emit *e)
{
	place(e);
	fputs("null", e->out);
}

void
phi_emit_member(struct phi_emit *e, const char *key, const char *s)
{
	phi_emit_key(e, key);
	if (s)
		phi_emit_text(e, s, strlen(s));
	else
		phi_emit_null(e);
}

void
phi_emit_member_u64(struct phi_emit *e, const char *key, uint64_t v)
{
	phi_emit_key(e, key);
	phi_emit_u64(e, v);
}

void
phi_emit_member_real(struct phi_emit *e, const char *key, double v)
{
	phi_emit_key(e, key);
	phi_emit_real(e, v, false);
}

void
phi_emit_member_bool(struct phi_emit *e, const char *key, bool v)
{
	phi_emit_key(e, key);
	phi_emit_bool(e, v);
}

void
phi_emit_shape(struct phi_emit *e, const struct phi_tensor *tensor)
{
	phi_emit_open(e, '[');
	for (unsigned i = 0; i < tensor->rank; i++)
		phi_emit_u64(e, tensor->shape[i]);
	phi_emit_close(e, ']');
}

static void
scalar(struct phi_emit *e, const struct phi_value *v)
{
	switch (v->kind) {
	case PHI_VALUE_U8:
	case PHI_VALUE_U16:
	case PHI_VALUE_U32:
	case PHI_VALUE_U64:
		phi_emit_u64(e, v->u);
		break;
	case PHI_VALUE_I8:
	case PHI_VALUE_I16:
	case PHI_VALUE_I32:
	case PHI_VALUE_I64:
		phi_emit_i64(e, v->i);
		break;
	case PHI_VALUE_F32:
	case PHI_VALUE_F64:
		phi_emit_real(e, v->f, v->kind == PHI_VALUE_F32);
		break;
	case PHI_VALUE_BOOL:
		phi_emit_bool(e, v->b);
		break;
	case PHI_VALUE_STRING:
		phi_emit_text(e, v->s.data, v->s.size);
		break;
	case PHI_VALUE_ARRAY:
	case PHI_VALUE_NULL:
		phi_emit_null(e);
		break;
	}
}

void
phi_emit_value(struct phi_emit *e, const struct phi_value *value, bool full)
{
	if (value->kind != PHI_VALUE_ARRAY) {
		scalar(e, value);
	} else if (value->array.count > LONG_ARRAY && !full) {
		phi_emit_open(e, '{');
		phi_emit_member(e, "type", phi_value_name(value->array.kind));
		phi_emit_member_u64(e, "length", value->array.count);
		phi_emit_close(e, '}');
	} else {
		phi_emit_open(e, '[');
		for (uint64_t i = 0; i < value->array.count; i++) {
			struct phi_value element;
			phi_value_element(value, i, &element);
			scalar(e, &element);
		}
		phi_emit_close(e, ']');
	}
}
