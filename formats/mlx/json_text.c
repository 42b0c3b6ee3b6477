#include "formats/mlx/json_text.h"

#include "formats/core/decimal.h"
#include "formats/core/json.h"

#include <string.h>

static int
new_line(unsigned depth, struct phi_buffer *out, struct phi_err *err)
{
	if (phi_buffer_append(out, "\n", 1, err))
		return -1;
	for (unsigned i = 0; i < depth; i++)
		if (phi_buffer_append(out, "    ", 4, err))
			return -1;
	return 0;
}

static int
put_array(const json_t *array, unsigned depth, struct phi_buffer *out, struct phi_err *err)
{
	const size_t n = json_array_size(array);
	if (phi_buffer_append(out, "[", 1, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		if ((i && phi_buffer_append(out, ",", 1, err)) || new_line(depth + 1, out, err) ||
			phi_json_text(json_array_get(array, i), depth + 1, out, err))
			return -1;
	return (n && new_line(depth, out, err)) || phi_buffer_append(out, "]", 1, err) ? -1 : 0;
}

static int
put_object(const json_t *object, unsigned depth, struct phi_buffer *out, struct phi_err *err)
{
	json_t *const o = (json_t *)(uintptr_t)object; /* iterating changes nothing */
	bool first = true;
	if (phi_buffer_append(out, "{", 1, err))
		return -1;
	for (void *at = json_object_iter(o); at; at = json_object_iter_next(o, at)) {
		const char *const key = json_object_iter_key(at);
		if ((!first && phi_buffer_append(out, ",", 1, err)) || new_line(depth + 1, out, err) ||
			phi_json_append_string(out, key, strlen(key), err) ||
			phi_buffer_append(out, ": ", 2, err) ||
			phi_json_text(json_object_iter_value(at), depth + 1, out, err))
			return -1;
		first = false;
	}
	return (!first && new_line(depth, out, err)) || phi_buffer_append(out, "}", 1, err) ? -1 : 0;
}

int
phi_json_text(const json_t *value, unsigned depth, struct phi_buffer *out, struct phi_err *err)
{
	char number[PHI_DECIMAL_MAX];
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return put_object(value, depth, out, err);
	case JSON_ARRAY:
		return put_array(value, depth, out, err);
	case JSON_STRING:
		return phi_json_append_string(out, json_string_value(value), json_string_length(value), err);
	case JSON_INTEGER:
		return phi_buffer_printf(out, err, "%lld", (long long)json_integer_value(value));
	case JSON_REAL:
		return phi_buffer_printf(out, err, "%s", phi_decimal(number, json_real_value(value), false));
	case JSON_TRUE:
		return phi_buffer_append(out, "true", 4, err);
	case JSON_FALSE:
		return phi_buffer_append(out, "false", 5, err);
	case JSON_NULL:
		break;
	}
	return phi_buffer_append(out, "null", 4, err);
}
