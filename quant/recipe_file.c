#include "quant/recipe_file.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/core/store.h"
#include "quant/recipe.h"

#include <ctype.h>
#include <string.h>

static int
read_recipe(struct phi_recipe_file *file, const json_t *root, struct phi_err *err)
{
	const json_t *const name = json_object_get(root, "recipe");
	if (!name || json_is_null(name))
		return 0;
	if (!json_is_string(name))
		return phi_fail(err, PHI_FORMAT, "recipe is no string");
	char *const text = phi_arena_strdup(file->arena, json_string_value(name), err);
	if (!text)
		return -1;
	for (char *p = text; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	file->recipe = text;
	return 0;
}

static int
read_rule(struct phi_recipe_file *file, const json_t *item, enum phi_rule_kind kind,
	struct phi_rule *rule, struct phi_err *err)
{
	const json_t *const name = json_object_get(item, "name");
	const json_t *const type = json_object_get(item, "dtype");
	struct phi_quoted q;
	if (!json_is_string(name) || (!json_is_string(type) && !json_is_null(type)))
		return phi_fail(err, PHI_FORMAT, "an object with a name and a dtype is expected");
	rule->glob = phi_arena_strdup(file->arena, json_string_value(name), err);
	if (!rule->glob)
		return -1;
	rule->kind = kind;
	rule->type = json_is_string(type) ? phi_type_named(json_string_value(type)) : NULL;
	if (json_is_string(type) && !rule->type)
		return phi_fail(err, PHI_FORMAT, "%s: there is no such type",
			phi_quote(&q, json_string_value(type)));
	if (rule->type && !phi_type_made(rule->type))
		return phi_fail(
			err, PHI_UNSUPPORTED, "there is no way to make %s", rule->type->name);
	return 0;
}

/* Appends the list under `key` to the rules, of which there is room for as many. */
static int
read_list(struct phi_recipe_file *file, const json_t *root, const char *key,
	enum phi_rule_kind kind, struct phi_rule *rules, struct phi_err *err)
{
	const json_t *const list = json_object_get(root, key);
	if (!list)
		return 0;
	if (!json_is_array(list))
		return phi_fail(err, PHI_FORMAT, "%s is no array", key);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *const item = json_array_get(list, i);
		if (kind == PHI_RULE_NAME && json_is_object(item) &&
			!json_object_get(item, "dtype"))
			continue;
		if (read_rule(file, item, kind, &rules[file->nrules], err))
			return phi_context(err, "%s[%zu]", key, i);
		file->nrules++;
	}
	return 0;
}

static int
read_all(struct phi_recipe_file *file, const json_t *root, struct phi_err *err)
{
	const size_t n = json_array_size(json_object_get(root, "rules")) +
			 json_array_size(json_object_get(root, "items"));
	if (!json_is_object(root))
		return phi_fail(err, PHI_FORMAT, "no object");
	file->arena = phi_arena_new(err);
	struct phi_rule *const rules =
		file->arena ? phi_arena_calloc(file->arena, n, sizeof *rules, err) : NULL;
	if (!rules)
		return -1;
	file->rules = rules;
	if (read_recipe(file, root, err) ||
		read_list(file, root, "rules", PHI_RULE_GLOB, rules, err) ||
		read_list(file, root, "items", PHI_RULE_NAME, rules, err))
		return -1;
	return file->recipe || file->nrules
		       ? 0
		       : phi_fail(err, PHI_FORMAT, "names no recipe and no type");
}

struct phi_recipe_file *
phi_recipe_file_parse(const char *text, size_t size, struct phi_err *err)
{
	struct phi_recipe_file *const file = phi_calloc(1, sizeof *file, err);
	json_t *const root = file ? phi_json_parse(text, size, 0, err) : NULL;
	const int result = root ? read_all(file, root, err) : -1;
	json_decref(root);
	if (!result)
		return file;
	phi_recipe_file_close(file);
	return NULL;
}

static struct phi_recipe_file *
open_member(struct phi_store *store, struct phi_err *err)
{
	struct phi_member *const member = phi_store_member(store, NULL, err);
	void *text = NULL;
	size_t size;
	struct phi_recipe_file *file = NULL;
	if (member && !phi_member_load(member, PHI_RECIPE_FILE_MAX, &text, &size, err))
		file = phi_recipe_file_parse(text, size, err);
	phi_free(text);
	phi_member_close(member);
	return file;
}

struct phi_recipe_file *
phi_recipe_file_open(const char *path, struct phi_err *err)
{
	struct phi_quoted q;
	struct phi_store *const store = phi_store_open(path, NULL, err);
	if (!store)
		return NULL;
	struct phi_recipe_file *const file = open_member(store, err);
	if (!file)
		phi_context(err, "%s", phi_quote(&q, phi_store_path(store)));
	phi_store_close(store);
	return file;
}

void
phi_recipe_file_close(struct phi_recipe_file *file)
{
	if (!file)
		return;
	phi_arena_free(file->arena);
	phi_free(file);
}
