/* Reading model.json; its picture is in model_text.h. Tensors and metadata are walked one at a time, so
 * that the largest tree is that of one array. */
#include "formats/stream/model_text.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/stream/stream.h"

#include <inttypes.h>
#include <string.h>

enum { METADATA_MAX = 1 << 16 }; /* items; GGUF files have some 40 */

struct parser {
	struct phi_model *model;
	struct phi_metadata *metadata;
	struct phi_names *tensors, *keys;
	struct phi_err *err;
};

static int
fail(struct parser *p, const char *what)
{
	return phi_fail(p->err, PHI_FORMAT, "%s", what);
}

/* A string of JSON as a name. */
static const char *
take_name(struct parser *p, const json_t *json)
{
	if (json_is_string(json))
		return phi_stream_unname(json_string_value(json), json_string_length(json),
			p->model->arena, p->err);
	fail(p, "a name expected");
	return NULL;
}

/* {"NAME": "..."}: the string, else NULL. */
static const json_t *
unwrap(const json_t *json, const char *name)
{
	const json_t *const inner = json_object_get(json, name);
	return json_object_size(json) == 1 && json_is_string(inner) ? inner : NULL;
}

/* Bytes of a string value, with its NUL; 0: it is none. */
static size_t
string_room(const json_t *json)
{
	if (json_is_string(json))
		return json_string_length(json) + 1;
	const json_t *const hex = unwrap(json, "hex");
	return hex ? json_string_length(hex) / 2 + 1 : 0;
}

/* Writes a string value to *room and moves it on. */
static int
take_string(struct parser *p, const json_t *json, char **room, struct phi_string *out)
{
	const size_t n = string_room(json);
	if (!n)
		return fail(p, "a string expected");
	if (json_is_string(json))
		memcpy(*room, json_string_value(json), n);
	else if (phi_stream_unhex(json_string_value(unwrap(json, "hex")),
			 json_string_length(unwrap(json, "hex")), *room))
		return fail(p, "no hexadecimal digits");
	(*room)[n - 1] = '\0';
	*out = (struct phi_string){ .data = *room, .size = n - 1 };
	*room += n;
	return 0;
}

/* {"bits": "..."} of `width` bytes, the most significant first. */
static int
take_bits(struct parser *p, const json_t *json, size_t width, uint64_t *out)
{
	const json_t *const hex = unwrap(json, "bits");
	char bytes[8];
	if (!hex || json_string_length(hex) != 2 * width ||
		phi_stream_unhex(json_string_value(hex), 2 * width, bytes))
		return fail(p, "a number of that kind expected");
	*out = 0;
	for (size_t i = 0; i < width; i++)
		*out = *out << 8 | (unsigned char)bytes[i];
	return 0;
}

static int
take_unsigned(struct parser *p, const json_t *json, unsigned bits, uint64_t *out)
{
	if (bits == 64 && json_is_object(json))
		return take_bits(p, json, 8, out);
	const json_int_t v = json_integer_value(json);
	if (!json_is_integer(json) || v < 0 || (bits < 64 && v >> bits))
		return fail(p, "an unsigned number of that kind expected");
	*out = (uint64_t)v;
	return 0;
}

static int
take_signed(struct parser *p, const json_t *json, unsigned bits, int64_t *out)
{
	const json_int_t v = json_integer_value(json);
	const int64_t most = (int64_t)(UINT64_MAX >> (65 - bits));
	if (!json_is_integer(json) || v > most || v < -most - 1)
		return fail(p, "an integer of that kind expected");
	*out = v;
	return 0;
}

static int
take_float(struct parser *p, const json_t *json, enum phi_value_kind kind, double *out)
{
	uint64_t bits;
	if (json_is_number(json)) {
		*out = json_number_value(json);
		if (kind == PHI_VALUE_F32)
			*out = (double)(float)*out;
		return 0;
	}
	if (take_bits(p, json, phi_value_width(kind), &bits))
		return -1;
	*out = kind == PHI_VALUE_F32 ? (double)phi_float32((uint32_t)bits) : phi_float64(bits);
	return 0;
}

/* A scalar of v->kind; strings go to *room. */
static int
take_scalar(struct parser *p, const json_t *json, char **room, struct phi_value *v)
{
	const unsigned bits = 8 * (unsigned)phi_value_width(v->kind);
	switch (v->kind) {
	case PHI_VALUE_U8:
	case PHI_VALUE_U16:
	case PHI_VALUE_U32:
	case PHI_VALUE_U64:
		return take_unsigned(p, json, bits, &v->u);
	case PHI_VALUE_I8:
	case PHI_VALUE_I16:
	case PHI_VALUE_I32:
	case PHI_VALUE_I64:
		return take_signed(p, json, bits, &v->i);
	case PHI_VALUE_F32:
	case PHI_VALUE_F64:
		return take_float(p, json, v->kind, &v->f);
	case PHI_VALUE_BOOL:
		v->b = json_is_true(json);
		return json_is_boolean(json) ? 0 : fail(p, "true or false expected");
	case PHI_VALUE_STRING:
		return take_string(p, json, room, &v->s);
	case PHI_VALUE_ARRAY:
	case PHI_VALUE_NULL:
		break;
	}
	return json_is_null(json) ? 0 : fail(p, "null expected");
}

/* Stores a scalar as an array's element. */
static void
store_element(void *at, const struct phi_value *v)
{
	const float f = (float)v->f;
	switch (v->kind) {
	case PHI_VALUE_U8:
	case PHI_VALUE_I8:
		*(uint8_t *)at = (uint8_t)v->u;
		break;
	case PHI_VALUE_BOOL:
		*(uint8_t *)at = v->b;
		break;
	case PHI_VALUE_U16:
	case PHI_VALUE_I16:
		memcpy(at, &(uint16_t){ (uint16_t)v->u }, 2);
		break;
	case PHI_VALUE_U32:
	case PHI_VALUE_I32:
		memcpy(at, &(uint32_t){ (uint32_t)v->u }, 4);
		break;
	case PHI_VALUE_U64:
	case PHI_VALUE_I64:
		memcpy(at, &v->u, 8);
		break;
	case PHI_VALUE_F32:
		memcpy(at, &f, sizeof f);
		break;
	case PHI_VALUE_F64:
		memcpy(at, &v->f, sizeof v->f);
		break;
	case PHI_VALUE_STRING:
		memcpy(at, &v->s, sizeof v->s);
		break;
	case PHI_VALUE_ARRAY:
	case PHI_VALUE_NULL:
		break;
	}
}

/* One block for all strings of a value: 200,000 tokens are 200,000 strings. */
static char *
make_room(struct parser *p, const json_t *json)
{
	size_t room = json_is_array(json) ? 0 : string_room(json);
	for (size_t i = 0; i < json_array_size(json); i++)
		room += string_room(json_array_get(json, i));
	return phi_arena_alloc(p->model->arena, room, p->err);
}

static int
take_array(struct parser *p, const json_t *json, char **room, struct phi_value *v)
{
	const enum phi_value_kind kind = v->kind;
	const size_t count = json_array_size(json), width = phi_value_width(kind);
	if (!json_is_array(json))
		return fail(p, "an array expected");
	char *const data = phi_arena_calloc(p->model->arena, count, width, p->err);
	if (!data)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct phi_value e = { .kind = kind };
		if (take_scalar(p, json_array_get(json, i), room, &e))
			return -1;
		store_element(data + i * width, &e);
	}
	*v = (struct phi_value){ .kind = PHI_VALUE_ARRAY };
	v->array.kind = kind;
	v->array.count = count;
	v->array.data = data;
	return 0;
}

/* "u32" or "u32[]" */
static int
take_kind(struct parser *p, const json_t *json, enum phi_value_kind *kind, bool *array)
{
	const char *const text = json_string_value(json);
	for (int k = PHI_VALUE_U8; text && k <= PHI_VALUE_NULL; k++) {
		const char *const name = phi_value_name((enum phi_value_kind)k);
		const size_t n = strlen(name);
		if (k == PHI_VALUE_ARRAY || strncmp(text, name, n))
			continue;
		*array = k != PHI_VALUE_NULL && !strcmp(text + n, "[]");
		*kind = (enum phi_value_kind)k;
		if (*array || !text[n])
			return 0;
	}
	return fail(p, "no known kind of value");
}

/* [kind, value] */
static int
take_value(struct parser *p, const json_t *json, struct phi_value *v)
{
	bool array;
	if (json_array_size(json) != 2)
		return fail(p, "a kind and a value expected");
	if (take_kind(p, json_array_get(json, 0), &v->kind, &array))
		return -1;
	const json_t *const inner = json_array_get(json, 1);
	char *room = make_room(p, inner);
	if (!room)
		return -1;
	return array ? take_array(p, inner, &room, v) : take_scalar(p, inner, &room, v);
}

static int
take_meta(struct parser *p, const struct phi_json_members *m)
{
	struct phi_value v = { 0 };
	struct phi_quoted q;
	const char *const key = take_name(p, m->name);
	if (!key)
		return -1;
	if (p->metadata->count == METADATA_MAX)
		return phi_fail(p->err, PHI_LIMIT, "more than %d metadata, the limit", METADATA_MAX);
	const int there = phi_names_add(p->keys, key, strlen(key), 0, p->err);
	if (there > 0)
		return phi_fail(p->err, PHI_FORMAT, "metadata %s occurs twice", phi_quote(&q, key));
	if (there < 0)
		return -1;
	if (take_value(p, m->value, &v))
		return phi_context(p->err, "metadata %s", phi_quote(&q, key));
	return phi_metadata_add(p->metadata, p->model->arena, key, v, p->err);
}

static int
take_shape(struct parser *p, const json_t *json, struct phi_tensor *t)
{
	if (!json_is_array(json))
		return fail(p, "shape: an array expected");
	if (json_array_size(json) > PHI_RANK_MAX)
		return phi_fail(p->err, PHI_LIMIT, "more than %d dimensions", PHI_RANK_MAX);
	t->rank = (unsigned)json_array_size(json);
	for (unsigned d = 0; d < t->rank; d++)
		if (take_unsigned(p, json_array_get(json, d), 64, &t->shape[d]))
			return -1;
	return 0;
}

static bool
same_shape(const struct phi_tensor *a, const struct phi_tensor *b)
{
	return a->type == b->type && a->rank == b->rank &&
	       !memcmp(a->shape, b->shape, a->rank * sizeof *a->shape);
}

static int
take_alias(struct parser *p, const json_t *json, struct phi_tensor *t)
{
	const char *const name = take_name(p, json);
	struct phi_quoted q;
	if (!name)
		return -1;
	t->alias = phi_names_find(p->tensors, name, strlen(name));
	if (t->alias == PHI_NONE)
		return phi_fail(p->err, PHI_FORMAT, "has the bytes of %s, which is not before it",
			phi_quote(&q, name));
	const struct phi_tensor *const first = &p->model->tensors[t->alias];
	if (!same_shape(t, first))
		return phi_fail(p->err, PHI_FORMAT, "has the bytes of %s, but not its type and shape",
			phi_quote(&q, name));
	if (first->alias != PHI_NONE)
		t->alias = first->alias;
	return 0;
}

static int
take_fields(struct parser *p, const json_t *json, struct phi_tensor *t)
{
	const json_t *const type = json_object_get(json, "type");
	const json_t *const shape = json_object_get(json, "shape");
	const json_t *const canonical = json_object_get(json, "canonical");
	const json_t *const file = json_object_get(json, "file");
	const json_t *const alias = json_object_get(json, "alias");
	if (!json_is_string(type) || !shape ||
		json_object_size(json) !=
			(size_t)2 + (canonical != NULL) + (file != NULL) + (alias != NULL))
		return fail(p, "type and shape, perhaps canonical, file and alias, expected");
	struct phi_quoted q;
	t->type = phi_type_named(json_string_value(type));
	if (!t->type || strcmp(t->type->name, json_string_value(type)) != 0)
		return phi_fail(p->err, PHI_FORMAT, "type %s is not known",
			phi_quote(&q, json_string_value(type)));
	if (take_shape(p, shape, t))
		return -1;
	if ((canonical && !(t->canonical = take_name(p, canonical))) ||
		(file && !(t->file = take_name(p, file))))
		return -1;
	return alias ? take_alias(p, alias, t) : 0;
}

static int
take_tensor(struct parser *p, const struct phi_json_members *m)
{
	struct phi_quoted q;
	const char *const name = take_name(p, m->name);
	if (!name)
		return -1;
	if (p->model->ntensors == PHI_TENSORS_MAX)
		return phi_fail(p->err, PHI_LIMIT, "more than %d tensors", PHI_TENSORS_MAX);
	struct phi_tensor *const t = phi_model_add_tensor(p->model, p->err);
	if (!t)
		return -1;
	t->name = name;
	if (take_fields(p, m->value, t))
		return phi_context(p->err, "tensor %s", phi_quote(&q, name));
	const int there = phi_names_add(p->tensors, name, strlen(name),
		(uint32_t)p->model->ntensors - 1, p->err);
	return there <= 0 ? there : phi_fail(p->err, PHI_FORMAT, "tensor %s occurs twice",
		phi_quote(&q, name));
}

/* Calls for each member of the object that comes next and must have that name. */
static int
each(struct parser *p, struct phi_json_members *outer, const char *name,
	int (*visit)(struct parser *p, const struct phi_json_members *member))
{
	struct phi_json_members inner;
	if (phi_json_members_enter(outer, name, &inner, p->err))
		return -1;
	int status;
	while ((status = phi_json_members_next(&inner, p->err)) > 0)
		if (visit(p, &inner))
			break;
	phi_json_members_leave(outer, &inner);
	return status;
}

static int
check_schema(struct parser *p, const json_t *json)
{
	if (json_is_integer(json) && json_integer_value(json) == 1)
		return 0;
	if (!json_is_integer(json))
		return fail(p, "schema: a number expected");
	return phi_fail(p->err, PHI_UNSUPPORTED, "schema %" JSON_INTEGER_FORMAT
		"; this version knows 1", json_integer_value(json));
}

/* The fields before the tensors. */
static int
take_head(struct parser *p, struct phi_json_members *m)
{
	static const char *const fields[] = { "schema", "view", "name", "format",
		"recipe" };
	enum { RECIPE = 4, FIELDS = 5 };
	const char **const places[FIELDS] = { NULL, &p->model->view, &p->model->name,
		&p->model->format, &p->model->recipe };
	for (unsigned i = 0; i < FIELDS; i++) {
		const int status = phi_json_members_next(m, p->err);
		if (status < 0)
			return -1;
		if (!status || strcmp(json_string_value(m->name), fields[i]) != 0)
			return phi_fail(p->err, PHI_FORMAT, "\"%s\" is missing", fields[i]);
		if (!i && check_schema(p, m->value))
			return -1;
		if (i == RECIPE && json_is_null(m->value))
			continue;
		if (i && !(*places[i] = take_name(p, m->value)))
			return phi_context(p->err, "%s", fields[i]);
	}
	return 0;
}

static int
parse(struct parser *p, struct phi_json_members *m, const char *text, size_t size)
{
	if (phi_json_members_begin(m, text, size, p->err) || take_head(p, m))
		return -1;
	if (each(p, m, "tensors", take_tensor) || each(p, m, "metadata", take_meta))
		return -1;
	const int status = phi_json_members_next(m, p->err);
	return status > 0 ? fail(p, "a field too many") : status;
}

int
phi_stream_model_parse(struct phi_model *model, struct phi_metadata *metadata, const char *text,
	size_t size, struct phi_err *err)
{
	struct parser p = { .model = model, .metadata = metadata, .err = err };
	struct phi_json_members members = { 0 };
	p.tensors = phi_names_new(err);
	p.keys = p.tensors ? phi_names_new(err) : NULL;
	const int status = p.keys ? parse(&p, &members, text, size) : -1;
	phi_json_members_end(&members);
	phi_names_free(p.tensors);
	phi_names_free(p.keys);
	return status;
}
