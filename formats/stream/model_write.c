/* Writing model.json; its picture is in model_text.h. A vocabulary has 200,000 strings: the text is made
 * piece by piece and never held as a whole. */
#include "formats/stream/model_text.h"

#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/core/decimal.h"
#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/stream/stream.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 64 << 10 };

struct writer {
	bool by_files; /* the tensors say which file they came from */
	struct phi_buffer buffer; /* what has not been taken yet */
	const struct phi_stream_taker *taker;
	struct phi_err *err;
};

static int
flush(struct writer *w, size_t least)
{
	if (w->buffer.size < least || !w->buffer.size)
		return 0;
	const size_t n = w->buffer.size;
	w->buffer.size = 0;
	return w->taker->take(w->taker->ctx, w->buffer.data, n, w->err);
}

static int
put(struct writer *w, const char *text)
{
	return phi_buffer_append(&w->buffer, text, strlen(text), w->err);
}

static int
put_hex(struct writer *w, const char *s, size_t n)
{
	if (put(w, "{\"hex\": \""))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (phi_buffer_printf(&w->buffer, w->err, "%02x", (unsigned char)s[i]))
			return -1;
	return put(w, "\"}");
}

static int
put_string(struct writer *w, const char *s, size_t n)
{
	return phi_utf8_valid(s, n) ? phi_json_append_string(&w->buffer, s, n, w->err) :
		put_hex(w, s, n);
}

static int
put_text(struct writer *w, const char *s)
{
	return put_string(w, s, strlen(s));
}

static int
put_name(struct writer *w, const char *name)
{
	struct phi_arena *const arena = phi_arena_new(w->err);
	const char *const text = arena ? phi_stream_name(name, arena, w->err) : NULL;
	const int status = text ? put_text(w, text) : -1;
	phi_arena_free(arena);
	return status;
}

static int
put_double(struct writer *w, double v)
{
	char text[PHI_DECIMAL_MAX];
	if (!isfinite(v))
		return phi_buffer_printf(&w->buffer, w->err, "{\"bits\": \"%016" PRIx64 "\"}",
			phi_bits64(v));
	return put(w, phi_decimal(text, v, false));
}

static int
put_float(struct writer *w, float v)
{
	char text[PHI_DECIMAL_MAX];
	if (!isfinite(v))
		return phi_buffer_printf(&w->buffer, w->err, "{\"bits\": \"%08" PRIx32 "\"}",
			phi_bits32(v));
	return put(w, phi_decimal(text, (double)v, true));
}

static int
put_unsigned(struct writer *w, uint64_t v)
{
	return phi_buffer_printf(&w->buffer, w->err, v >> 63 ? "{\"bits\": \"%016" PRIx64 "\"}" :
		"%" PRIu64, v);
}

static int
put_signed(struct writer *w, int64_t v)
{
	return phi_buffer_printf(&w->buffer, w->err, "%" PRId64, v);
}

/* One scalar, given as its value. */
static int
put_scalar(struct writer *w, const struct phi_value *v)
{
	switch (v->kind) {
	case PHI_VALUE_U8:
	case PHI_VALUE_U16:
	case PHI_VALUE_U32:
	case PHI_VALUE_U64:
		return put_unsigned(w, v->u);
	case PHI_VALUE_I8:
	case PHI_VALUE_I16:
	case PHI_VALUE_I32:
	case PHI_VALUE_I64:
		return put_signed(w, v->i);
	case PHI_VALUE_F32:
		return put_float(w, (float)v->f);
	case PHI_VALUE_F64:
		return put_double(w, v->f);
	case PHI_VALUE_BOOL:
		return put(w, v->b ? "true" : "false");
	case PHI_VALUE_STRING:
		return put_string(w, v->s.data, v->s.size);
	case PHI_VALUE_ARRAY:
	case PHI_VALUE_NULL:
		break;
	}
	return put(w, "null");
}

/* Element i of an array as a value of its own. */
static struct phi_value
element(const struct phi_value *v, uint64_t i)
{
	struct phi_value e = { .kind = v->array.kind };
	const char *const at = (const char *)v->array.data + i * phi_value_width(e.kind);
	float f;
	switch (e.kind) {
	case PHI_VALUE_U8:
	case PHI_VALUE_BOOL:
		e.u = *(const uint8_t *)at;
		if (e.kind == PHI_VALUE_BOOL)
			e.b = *(const uint8_t *)at != 0;
		break;
	case PHI_VALUE_I8:
		e.i = *(const int8_t *)at;
		break;
	case PHI_VALUE_U16:
		e.u = *(const uint16_t *)(const void *)at;
		break;
	case PHI_VALUE_I16:
		e.i = *(const int16_t *)(const void *)at;
		break;
	case PHI_VALUE_U32:
		e.u = *(const uint32_t *)(const void *)at;
		break;
	case PHI_VALUE_I32:
		e.i = *(const int32_t *)(const void *)at;
		break;
	case PHI_VALUE_U64:
		e.u = *(const uint64_t *)(const void *)at;
		break;
	case PHI_VALUE_I64:
		e.i = *(const int64_t *)(const void *)at;
		break;
	case PHI_VALUE_F32:
		memcpy(&f, at, sizeof f);
		e.f = (double)f;
		break;
	case PHI_VALUE_F64:
		memcpy(&e.f, at, sizeof e.f);
		break;
	case PHI_VALUE_STRING:
		memcpy(&e.s, at, sizeof e.s);
		break;
	case PHI_VALUE_ARRAY:
	case PHI_VALUE_NULL:
		break;
	}
	return e;
}

static int
put_array(struct writer *w, const struct phi_value *v)
{
	if (put(w, "["))
		return -1;
	for (uint64_t i = 0; i < v->array.count; i++) {
		const struct phi_value e = element(v, i);
		if ((i && put(w, ", ")) || put_scalar(w, &e) || flush(w, PIECE))
			return -1;
	}
	return put(w, "]");
}

static int
put_meta(struct writer *w, const struct phi_meta *m)
{
	const bool array = m->value.kind == PHI_VALUE_ARRAY;
	const char *const kind = phi_value_name(array ? m->value.array.kind : m->value.kind);
	if (put_name(w, m->key) ||
		phi_buffer_printf(&w->buffer, w->err, ": [\"%s%s\", ", kind, array ? "[]" : ""))
		return -1;
	return (array ? put_array(w, &m->value) : put_scalar(w, &m->value)) || put(w, "]") ? -1 : 0;
}

static int
put_metadata(struct writer *w, const struct phi_metadata *list, const bool *known)
{
	const char *before = "\n";
	if (put(w, "\"metadata\": {"))
		return -1;
	for (size_t i = 0; i < list->count; i++) {
		if (known[i])
			continue;
		if (put(w, before) || put_meta(w, &list->items[i]) || flush(w, PIECE))
			return -1;
		before = ",\n";
	}
	return put(w, "\n}\n");
}

/* Does the order of a target depend on the files? Not if there is one, a safetensors file, whose tensors
 * converters sort, or one outside a checkpoint folder, which no converter takes; and one that came through
 * a pipe ("-") must give what the named one gives. */
static bool
by_files(const struct phi_model *model)
{
	const char *first = NULL;
	const bool folder = phi_model_side(model, "config.json");
	for (size_t i = 0; i < model->ntensors && !strcmp(model->view, "canonical"); i++) {
		const char *const file = phi_model_file(model, &model->tensors[i]);
		const char *const suffix = file ? strrchr(file, '.') : NULL;
		if (!file)
			continue;
		if ((first && strcmp(first, file)) ||
			(folder && strcmp(file, "-") && (!suffix || strcmp(suffix, ".safetensors"))))
			return true;
		first = file;
	}
	return false;
}

static int
put_tensor(struct writer *w, const struct phi_model *model, const struct phi_tensor *t)
{
	const bool canonical = t->canonical && strcmp(t->canonical, t->name) != 0;
	const char *const file = w->by_files ? phi_model_file(model, t) : NULL;
	const bool tied = t->alias != PHI_NONE && t->alias < model->ntensors &&
		model->tensors[t->alias].type == t->type;
	if (put_name(w, t->name) ||
		phi_buffer_printf(&w->buffer, w->err, ": {\"type\": \"%s\", \"shape\": [",
			t->type->name))
		return -1;
	for (unsigned d = 0; d < t->rank; d++)
		if ((d && put(w, ", ")) || put_unsigned(w, t->shape[d]))
			return -1;
	if (put(w, "]") || (canonical && (put(w, ", \"canonical\": ") || put_name(w, t->canonical))) ||
		(file && (put(w, ", \"file\": ") || put_name(w, file))) ||
		(tied && (put(w, ", \"alias\": ") || put_name(w, model->tensors[t->alias].name))))
		return -1;
	return put(w, "}");
}

static int
put_tensors(struct writer *w, const struct phi_model *model)
{
	if (put(w, "\"tensors\": {"))
		return -1;
	w->by_files = by_files(model);
	for (size_t i = 0; i < model->ntensors; i++)
		if (put(w, i ? ",\n" : "\n") || put_tensor(w, model, &model->tensors[i]) ||
			flush(w, PIECE))
			return -1;
	return put(w, "\n},\n");
}

static int
put_field(struct writer *w, const char *name, const char *value)
{
	return phi_buffer_printf(&w->buffer, w->err, "\"%s\": ", name) ||
		(value ? put_name(w, value) : put(w, "null")) || put(w, ",\n") ? -1 : 0;
}

static int
put_model(struct writer *w, const struct phi_model *model, const bool *known)
{
	return put(w, "{\n\"schema\": 1,\n") || put_field(w, "view", model->view) ||
		put_field(w, "name", model->name ? model->name : "model") ||
		put_field(w, "format", model->format) ||
		put_field(w, "recipe", model->recipe) || put_tensors(w, model) ||
		put_metadata(w, &model->metadata, known) || put(w, "}\n") ? -1 : 0;
}

int
phi_stream_model_write(const struct phi_model *model, const bool *known,
	const struct phi_stream_taker *taker, struct phi_err *err)
{
	struct writer w = { .taker = taker, .err = err };
	const int status = put_model(&w, model, known) || flush(&w, 1) ? -1 : 0;
	phi_buffer_free(&w.buffer);
	return status;
}

static int
count(void *ctx, const void *bytes, size_t n, struct phi_err *err)
{
	(void)bytes;
	(void)err;
	*(uint64_t *)ctx += n;
	return 0;
}

int
phi_stream_model_size(const struct phi_model *model, const bool *known, uint64_t *size,
	struct phi_err *err)
{
	const struct phi_stream_taker counter = { .take = count, .ctx = size };
	*size = 0;
	return phi_stream_model_write(model, known, &counter, err);
}

static bool
same_scalar(const struct phi_value *a, const struct phi_value *b)
{
	switch (a->kind) {
	case PHI_VALUE_STRING:
		return a->s.size == b->s.size && !memcmp(a->s.data, b->s.data, a->s.size);
	case PHI_VALUE_F32:
	case PHI_VALUE_F64:
		return phi_bits64(a->f) == phi_bits64(b->f);
	case PHI_VALUE_BOOL:
		return a->b == b->b;
	case PHI_VALUE_NULL:
		return true;
	default:
		return a->u == b->u;
	}
}

bool
phi_stream_value_equal(const struct phi_value *a, const struct phi_value *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind != PHI_VALUE_ARRAY)
		return same_scalar(a, b);
	if (a->array.kind != b->array.kind || a->array.count != b->array.count)
		return false;
	for (uint64_t i = 0; i < a->array.count; i++) {
		const struct phi_value x = element(a, i), y = element(b, i);
		if (!same_scalar(&x, &y))
			return false;
	}
	return true;
}
