#include "formats/core/config.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/json_edit.h"
#include "formats/core/limits.h"

#include <string.h>

/* The keys' text may be far longer than the file's (a long name with many leaves beneath it). */
enum { CONFIG_MAX = 16 << 20, CONFIG_KEYS_MAX = 64 << 20 };

struct walk {
	struct phi_model *model;
	size_t keys; /* bytes of keys so far */
	size_t length;
	char path[PHI_NAME_MAX]; /* of the value being looked at */
};

static int
add(struct walk *w, struct phi_value value, struct phi_err *err)
{
	w->keys += w->length + 1;
	if (w->keys > CONFIG_KEYS_MAX)
		return phi_fail(err, PHI_LIMIT, "names take more than %d bytes", CONFIG_KEYS_MAX);
	return phi_metadata_add(&w->model->metadata, w->model->arena, w->path, value, err);
}

static int
string_value(struct walk *w, const json_t *json, struct phi_string *out, struct phi_err *err)
{
	out->size = json_string_length(json);
	out->data = phi_arena_copy(w->model->arena, json_string_value(json), out->size, err);
	return out->data ? 0 : -1;
}

/* The kind all elements share; reals and integers together are reals. PHI_VALUE_NULL: none. */
static enum phi_value_kind
common_kind(const json_t *array)
{
	enum phi_value_kind common = PHI_VALUE_NULL;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *const e = json_array_get(array, i);
		const enum phi_value_kind kind = json_is_string(e)    ? PHI_VALUE_STRING
						 : json_is_boolean(e) ? PHI_VALUE_BOOL
						 : json_is_integer(e) ? PHI_VALUE_I64
						 : json_is_real(e)    ? PHI_VALUE_F64
								      : PHI_VALUE_NULL;
		const bool numbers = (kind == PHI_VALUE_I64 || kind == PHI_VALUE_F64) &&
				     (common == PHI_VALUE_I64 || common == PHI_VALUE_F64);
		if (kind == PHI_VALUE_NULL || (i && kind != common && !numbers))
			return PHI_VALUE_NULL;
		common = i && numbers && kind != common ? PHI_VALUE_F64 : kind;
	}
	return common;
}

static int
put_element(
	struct walk *w, enum phi_value_kind kind, const json_t *e, void *dst, struct phi_err *err)
{
	const int64_t i = json_integer_value(e);
	const double f = json_number_value(e);
	const uint8_t b = json_is_true(e);
	switch ((int)kind) {
	case PHI_VALUE_STRING: {
		struct phi_string s;
		if (string_value(w, e, &s, err))
			return -1;
		memcpy(dst, &s, sizeof s);
		return 0;
	}
	case PHI_VALUE_BOOL:
		memcpy(dst, &b, sizeof b);
		return 0;
	case PHI_VALUE_I64:
		memcpy(dst, &i, sizeof i);
		return 0;
	default:
		memcpy(dst, &f, sizeof f);
		return 0;
	}
}

static int
add_array(struct walk *w, const json_t *array, struct phi_err *err)
{
	const enum phi_value_kind kind = common_kind(array);
	const size_t count = json_array_size(array), width = phi_value_width(kind);
	if (kind == PHI_VALUE_NULL)
		return 0;
	char *const data = phi_arena_calloc(w->model->arena, count, width, err);
	if (!data)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (put_element(w, kind, json_array_get(array, i), data + i * width, err))
			return -1;
	return add(w,
		(struct phi_value){ .kind = PHI_VALUE_ARRAY,
			.array = { .kind = kind, .count = count, .data = data } },
		err);
}

static int
add_scalar(struct walk *w, const json_t *json, struct phi_err *err)
{
	struct phi_value value = { .kind = PHI_VALUE_NULL };
	if (json_is_string(json)) {
		value.kind = PHI_VALUE_STRING;
		if (string_value(w, json, &value.s, err))
			return -1;
	} else if (json_is_boolean(json)) {
		value.kind = PHI_VALUE_BOOL;
		value.b = json_is_true(json);
	} else if (json_is_integer(json)) {
		value.kind = PHI_VALUE_I64;
		value.i = json_integer_value(json);
	} else if (json_is_real(json)) {
		value.kind = PHI_VALUE_F64;
		value.f = json_real_value(json);
	}
	return add(w, value, err);
}

/* Recursion is bounded: phi_json_parse limits the depth. */
static int
add_object(struct walk *w, json_t *object, struct phi_err *err)
{
	const size_t outer = w->length;
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		const size_t n = strlen(key);
		struct phi_quoted q;
		if (n + 2 > sizeof w->path - outer)
			return phi_fail(err, PHI_LIMIT, "%s: name longer than %d bytes",
				phi_quote(&q, key), PHI_NAME_MAX);
		if (outer)
			w->path[outer] = '.';
		w->length = outer + (outer != 0) + n;
		memcpy(w->path + w->length - n, key, n + 1);
		if (json_is_object(value)      ? add_object(w, value, err)
			: json_is_array(value) ? add_array(w, value, err)
					       : add_scalar(w, value, err))
			return -1;
	}
	w->length = outer;
	return 0;
}

int
phi_config_describe(struct phi_model *model, const char *text, size_t size, struct phi_err *err)
{
	if (size > CONFIG_MAX)
		return phi_fail(err, PHI_LIMIT, "larger than %d bytes (%zu)", CONFIG_MAX, size);
	json_t *const json = phi_json_parse(
		text, size, PHI_JSON_BIG_INTEGERS | PHI_JSON_KEEP_DUPLICATES | PHI_JSON_NULS, err);
	if (!json)
		return -1;
	struct walk w = { .model = model };
	const int result = json_is_object(json) ? add_object(&w, json, err)
						: phi_fail(err, PHI_FORMAT, "not a JSON object");
	json_decref(json);
	return result;
}

int
phi_config_cut(struct phi_model *model, const char *name, struct phi_err *err)
{
	for (size_t i = 0; i < model->nsides; i++) {
		struct phi_side *const side = &model->sides[i];
		if (strcmp(side->name, "config.json") != 0)
			continue;
		char *const text = phi_arena_copy(model->arena, side->data, side->size, err);
		if (!text)
			return -1;
		side->size = phi_json_cut(text, side->size, name);
		text[side->size] = '\0';
		side->data = text;
	}
	return 0;
}
