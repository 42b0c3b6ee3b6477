#include "formats/core/kept.h"

#include "formats/core/escape.h"

#include <string.h>

static struct phi_value
file_value(const struct phi_side *side)
{
	if (phi_utf8_valid(side->data, side->size))
		return (struct phi_value){ .kind = PHI_VALUE_STRING, .s = { side->data, side->size } };
	return (struct phi_value){ .kind = PHI_VALUE_ARRAY,
		.array = { .kind = PHI_VALUE_U8, .count = side->size, .data = side->data } };
}

int
phi_kept_add_sides(struct phi_model *lowered, struct phi_err *err)
{
	const struct phi_model *const origin = lowered->origin;
	for (size_t i = 0; i < origin->nsides; i++) {
		const struct phi_side *const side = &origin->sides[i];
		const char *const key = phi_arena_printf(lowered->arena, err, PHI_KEPT_FILE "%s", side->name);
		if (!key || phi_metadata_set(&lowered->metadata, lowered->arena, key, file_value(side), err) < 0)
			return -1;
	}
	return 0;
}

int
phi_kept_add_types(struct phi_model *lowered, const struct phi_type *usual, struct phi_err *err)
{
	const struct phi_model *const origin = lowered->origin;
	struct phi_string *const list =
		phi_arena_calloc(lowered->arena, origin->ntensors, sizeof *list, err);
	uint64_t n = 0;
	for (size_t i = 0; list && i < origin->ntensors; i++) {
		const struct phi_tensor *const t = &origin->tensors[i];
		if (!t->canonical || t->type == usual || t->type->class != PHI_CLASS_FLOAT)
			continue;
		const char *const text =
			phi_arena_printf(lowered->arena, err, "%s %s", t->type->name, t->canonical);
		if (!text)
			return -1;
		list[n++] = (struct phi_string){ text, strlen(text) };
	}
	if (!list || !n)
		return list ? 0 : -1;
	return phi_metadata_set(&lowered->metadata, lowered->arena, PHI_KEPT_TYPES,
		(struct phi_value){ .kind = PHI_VALUE_ARRAY,
			.array = { .kind = PHI_VALUE_STRING, .count = n, .data = list } }, err);
}

static bool
ends_with(const char *s, const char *end)
{
	const size_t n = strlen(s), m = strlen(end);
	return n > m && !strcmp(s + n - m, end);
}

static bool
fits(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	static const char *const ends[] = { ".json", ".txt", ".model", ".jinja", ".md" };
	const size_t n = strlen(name);
	if (n == 0 || n > 100 || strspn(name, letters) != n || name[0] == '.' || ends_with(name, ".index.json"))
		return false;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (ends_with(name, ends[i]))
			return true;
	return !strcmp(name, "LICENSE") || !strcmp(name, "NOTICE");
}

static int
take_side(struct phi_model *model, const char *name, const struct phi_value *v, struct phi_err *err)
{
	struct phi_quoted q;
	const bool text = v->kind == PHI_VALUE_STRING;
	if (!fits(name))
		return phi_fail(err, PHI_FORMAT, "key " PHI_KEPT_FILE "%s: not the name of a side file",
			phi_quote(&q, name));
	if (!text && (v->kind != PHI_VALUE_ARRAY || v->array.kind != PHI_VALUE_U8))
		return phi_fail(err, PHI_FORMAT, "key " PHI_KEPT_FILE "%s: neither a string nor bytes", name);
	const uint64_t size = text ? v->s.size : v->array.count;
	if (size > PHI_SIDE_MAX)
		return phi_fail(err, PHI_LIMIT, "key " PHI_KEPT_FILE "%s: larger than %d bytes", name, PHI_SIDE_MAX);
	if (phi_model_side(model, name))
		return 0;
	return phi_model_add_side(model, name, text ? v->s.data : v->array.data, (size_t)size, err);
}

int
phi_kept_take_sides(struct phi_model *model, struct phi_err *err)
{
	int n = 0;
	for (size_t i = 0; i < model->metadata.count; i++) {
		const struct phi_meta *const m = &model->metadata.items[i];
		if (strncmp(m->key, PHI_KEPT_FILE, strlen(PHI_KEPT_FILE)) != 0)
			continue;
		if (n++ == PHI_KEPT_FILES_MAX)
			return phi_fail(err, PHI_LIMIT, "more than %d side files", PHI_KEPT_FILES_MAX);
		if (take_side(model, m->key + strlen(PHI_KEPT_FILE), &m->value, err) < 0)
			return -1;
	}
	return n;
}

/* "TYPE NAME" */
static int
take_type(struct phi_model *model, const struct phi_names *names, struct phi_string s, struct phi_err *err)
{
	char word[16];
	const char *const space = memchr(s.data, ' ', s.size);
	const size_t n = space ? (size_t)(space - s.data) : 0;
	struct phi_quoted q;
	if (n && n < sizeof word) {
		memcpy(word, s.data, n);
		word[n] = '\0';
		const struct phi_type *const type = phi_type_named(word);
		if (type && type->class == PHI_CLASS_FLOAT) {
			const uint32_t at = phi_names_find(names, space + 1, s.size - n - 1);
			if (at != PHI_NONE)
				model->tensors[at].native = type;
			return 0;
		}
	}
	return phi_fail(err, PHI_FORMAT, "key " PHI_KEPT_TYPES ": %s names no type of a checkpoint",
		phi_quote(&q, s.data));
}

int
phi_kept_take_types(struct phi_model *model, const struct phi_metadata *metadata, struct phi_err *err)
{
	const struct phi_value *const v = phi_metadata_find(metadata, PHI_KEPT_TYPES);
	if (!v)
		return 0;
	if (v->kind != PHI_VALUE_ARRAY || v->array.kind != PHI_VALUE_STRING)
		return phi_fail(err, PHI_FORMAT, "key " PHI_KEPT_TYPES " is no array of string");
	struct phi_names *const names = phi_names_new(err);
	int result = names ? 0 : -1;
	for (size_t i = 0; result == 0 && i < model->ntensors; i++)
		if (model->tensors[i].canonical && phi_names_add(names, model->tensors[i].canonical,
			strlen(model->tensors[i].canonical), (uint32_t)i, err) < 0)
			result = -1;
	for (uint64_t i = 0; result == 0 && i < v->array.count; i++)
		result = take_type(model, names, ((const struct phi_string *)v->array.data)[i], err);
	phi_names_free(names);
	return result;
}
