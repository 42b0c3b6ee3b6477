#include "formats/tokenizer/template.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/tokenizer/side_json.h"

#include <string.h>

static int
copy_text(const json_t *text, struct phi_arena *arena, struct phi_string *out, struct phi_err *err)
{
	out->size = json_string_length(text);
	out->data = phi_arena_copy(arena, json_string_value(text), out->size, err);
	return out->data ? 0 : -1;
}

/* A file opened as text: CR LF and CR alone are read as LF. */
static int
copy_file(const struct phi_side *side, struct phi_arena *arena, struct phi_string *out,
	struct phi_err *err)
{
	if (!phi_utf8_valid(side->data, side->size))
		return phi_fail(err, PHI_FORMAT, "%s: not valid UTF-8", side->name);
	char *const text = phi_arena_copy(arena, side->data, side->size, err);
	if (!text)
		return -1;
	size_t n = 0;
	for (size_t i = 0; i < side->size; i++) {
		const char c = ((const char *)side->data)[i];
		if (c == '\n' && i && ((const char *)side->data)[i - 1] == '\r')
			continue;
		text[n++] = c == '\r' ? '\n' : c;
	}
	text[n] = '\0';
	*out = (struct phi_string){ text, n };
	return 0;
}

/* A template's name as part of a key: what is no letter or digit becomes an underscore, one for each
 * character. */
static const char *
clean_name(const char *name, struct phi_arena *arena, struct phi_err *err)
{
	char *const copy = phi_arena_strdup(arena, name, err);
	char *to = copy;
	for (const char *p = name; copy && *p; p++) {
		const unsigned char c = (unsigned char)*p;
		if ((c & 0xc0) == 0x80)
			continue;
		const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			(c >= 'a' && c <= 'z');
		*to++ = plain ? (char)c : '_';
	}
	if (copy)
		*to = '\0';
	return copy;
}

static int
read_list(const json_t *list, struct phi_arena *arena, struct phi_vocabulary *out,
	struct phi_err *err)
{
	const size_t n = json_array_size(list);
	out->templates = phi_arena_calloc(arena, n, sizeof *out->templates, err);
	if (!out->templates)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const json_t *const v = json_array_get(list, i);
		const char *const raw = json_string_value(json_object_get(v, "name"));
		const json_t *const text = json_object_get(v, "template");
		if (!raw || !*raw || !json_is_string(text))
			continue;
		const char *const name = clean_name(raw, arena, err);
		if (!name)
			return -1;
		struct phi_template *const t = &out->templates[out->ntemplates];
		struct phi_string *const to = strcmp(name, "default") ? &t->text : &out->chat_template;
		if (copy_text(text, arena, to, err) < 0)
			return -1;
		if (to == &t->text)
			t->name = name;
		out->ntemplates += to == &t->text;
	}
	return 0;
}

static int
read_either(const json_t *value, struct phi_arena *arena, struct phi_vocabulary *out,
	struct phi_err *err)
{
	if (json_is_string(value))
		return copy_text(value, arena, &out->chat_template, err);
	return json_is_array(value) ? read_list(value, arena, out, err) : 0;
}

int
phi_template_read(const struct phi_model *model, const json_t *config, struct phi_arena *arena,
	struct phi_vocabulary *out, struct phi_err *err)
{
	/* A null in tokenizer_config.json is an answer, too: there is none. */
	const json_t *const own = json_object_get(config, "chat_template");
	if (own)
		return read_either(own, arena, out, err);
	const struct phi_side *const jinja = phi_model_side(model, "chat_template.jinja");
	if (jinja)
		return copy_file(jinja, arena, &out->chat_template, err);
	const struct phi_side *const side = phi_model_side(model, "chat_template.json");
	if (!side)
		return 0;
	json_t *const root = phi_side_json(side, PHI_JSON_KEEP_DUPLICATES, PHI_SETTINGS_VALUES_MAX, err);
	if (!root)
		return phi_context(err, "%s", side->name);
	const int result = read_either(json_object_get(root, "chat_template"), arena, out, err);
	json_decref(root);
	return result;
}
