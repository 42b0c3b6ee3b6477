#include "formats/core/edit.h"

#include "formats/core/edit_inside.h"
#include "formats/core/escape.h"
#include "formats/core/glob.h"
#include "formats/core/memory.h"
#include "formats/core/st_plan.h"

#include <string.h>

struct editor {
	struct phi_model *model;
	const struct phi_format *target;
};

/* Does a config.json say the keys, other than those of the files themselves? */
static int
check_key(const struct editor *e, const char *key, struct phi_err *err)
{
	static const char own[] = PHI_ST_METADATA;
	struct phi_quoted q;
	if (!*key)
		return phi_fail(err, PHI_ARGUMENT, "an empty key");
	if (!strncmp(key, own, strlen(own)) || strcmp(e->model->view, "canonical") ||
		!phi_model_side(e->model, "config.json"))
		return 0;
	return phi_fail(err, PHI_ARGUMENT,
		"%s: the keys are those of config.json, which stays as it is; edit that file, or write "
		"a GGUF", phi_quote(&q, key));
}

/* The key as the target carries it: among other things than strings, safetensors' own have a prefix. */
static const char *
target_key(const struct editor *e, const char *key, struct phi_err *err)
{
	static const char own[] = PHI_ST_METADATA;
	if (!(e->target->flags & PHI_FORMAT_STRINGS) || !strncmp(key, own, strlen(own)) ||
		phi_metadata_only_strings(&e->model->metadata))
		return key;
	return phi_arena_printf(e->model->arena, err, "%s%s", own, key);
}

static int
set_value(const struct editor *e, const char *key, const struct phi_value *value,
	struct phi_err *err)
{
	if ((e->target->flags & PHI_FORMAT_STRINGS) && value->kind != PHI_VALUE_STRING)
		return phi_fail(
			err, PHI_ARGUMENT, "%s holds strings only", e->target->name);
	return phi_metadata_set(&e->model->metadata, e->model->arena, key, *value, err);
}

/* The kind named behind the key's last colon, which is cut off; else the one the key has; else what the
 * value looks like. */
static struct phi_edit_kind_name
choose_kind(const struct editor *e, char *key, const char *text)
{
	struct phi_edit_kind_name kind = { PHI_VALUE_STRING, false };
	char *const colon = strrchr(key, ':');
	if (colon && phi_edit_kind_named(colon + 1, strlen(colon + 1), &kind)) {
		*colon = '\0';
		return kind;
	}
	const struct phi_value *const old = phi_metadata_find(&e->model->metadata, key);
	kind = (struct phi_edit_kind_name){ PHI_VALUE_STRING, false };
	if (old && old->kind == PHI_VALUE_ARRAY)
		kind = (struct phi_edit_kind_name){ old->array.kind, true };
	else if (old && old->kind != PHI_VALUE_NULL)
		kind.kind = old->kind;
	else if (!(e->target->flags & PHI_FORMAT_STRINGS))
		kind.kind = phi_edit_kind_of(text);
	return kind;
}

/* What follows a colon is a kind, or the end of a key that is there. */
static int
check_kind(const struct editor *e, const char *key, struct phi_err *err)
{
	struct phi_edit_kind_name kind;
	struct phi_quoted q, k;
	const char *const colon = strrchr(key, ':');
	if (!colon || phi_edit_kind_named(colon + 1, strlen(colon + 1), &kind) ||
		phi_metadata_find(&e->model->metadata, key))
		return 0;
	return phi_fail(err, PHI_ARGUMENT, "%s: there is no kind %s; a key with a colon ends in :string",
		phi_quote(&q, key), phi_quote(&k, colon + 1));
}

static int
set(const struct editor *e, char *key, const char *text, struct phi_err *err)
{
	struct phi_value value;
	if (check_kind(e, key, err))
		return -1;
	const struct phi_edit_kind_name kind = choose_kind(e, key, text);
	if (check_key(e, key, err))
		return -1;
	const char *const name = target_key(e, key, err);
	if (!name)
		return -1;
	if (phi_edit_value(e->model->arena, text, kind, &value, err) ||
		set_value(e, name, &value, err))
		return phi_context(err, "%s", key);
	return 0;
}

static int
load(struct phi_arena *arena, const char *path, struct phi_string *out, struct phi_err *err)
{
	void *data = NULL;
	if (!strcmp(path, "-"))
		return phi_fail(err, PHI_ARGUMENT, "a file is expected, not standard input");
	struct phi_store *const store = phi_store_open(path, NULL, err);
	struct phi_member *const member = store ? phi_store_member(store, NULL, err) : NULL;
	int result = member ? phi_member_load(member, PHI_SIDE_MAX, &data, &out->size, err) : -1;
	if (result && member) {
		struct phi_quoted q;
		phi_context(err, "%s", phi_quote(&q, path));
	} else if (!result) {
		out->data = phi_arena_copy(arena, data, out->size + 1, err);
		result = out->data ? 0 : -1;
	}
	phi_free(data);
	phi_member_close(member);
	phi_store_close(store);
	return result;
}

static int
set_file(const struct editor *e, const char *key, const char *path, struct phi_err *err)
{
	struct phi_value value = { .kind = PHI_VALUE_STRING };
	if (check_key(e, key, err))
		return -1;
	const char *const name = target_key(e, key, err);
	if (!name)
		return -1;
	if (load(e->model->arena, path, &value.s, err))
		return -1;
	return set_value(e, name, &value, err);
}

static int
unset(const struct editor *e, const char *glob, struct phi_err *err)
{
	struct phi_metadata *const list = &e->model->metadata;
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++) {
		const char *const key = list->items[i].key;
		if (strcmp(key, glob) && !phi_glob_match(glob, key)) {
			list->items[kept++] = list->items[i];
			continue;
		}
		if (check_key(e, key, err))
			return -1;
	}
	if (kept == list->count)
		return phi_fail(err, PHI_ARGUMENT, "there is no such key");
	list->count = kept;
	return 0;
}

/* KEY=REST: the first sign that follows a key. */
static int
assign(const struct editor *e, const struct phi_edit *edit, struct phi_err *err)
{
	char *const key = phi_arena_strdup(e->model->arena, edit->text, err);
	if (!key)
		return -1;
	char *const sign = strchr(key, '=');
	const bool file = edit->kind == PHI_EDIT_SET_FILE;
	if (!sign)
		return phi_fail(
			err, PHI_ARGUMENT, "%s is expected", file ? "KEY=PATH" : "KEY=VALUE");
	*sign = '\0';
	return file ? set_file(e, key, sign + 1, err) : set(e, key, sign + 1, err);
}

int
phi_edit_model(struct phi_model *lowered, const struct phi_format *target,
	const struct phi_edit *edits, size_t n, struct phi_err *err)
{
	static const char *const names[] = { [PHI_EDIT_SET] = "--set",
		[PHI_EDIT_SET_FILE] = "--set-file",
		[PHI_EDIT_UNSET] = "--unset",
		[PHI_EDIT_RENAME] = "--rename" };
	const struct editor e = { lowered, target };
	for (size_t i = 0; i < n; i++) {
		const struct phi_edit *const edit = &edits[i];
		struct phi_quoted q;
		int result;
		if (edit->kind == PHI_EDIT_RENAME)
			result = phi_edit_rename(lowered, edit->text, err);
		else if (edit->kind == PHI_EDIT_UNSET)
			result = unset(&e, edit->text, err);
		else
			result = assign(&e, edit, err);
		if (result)
			return phi_context(
				err, "%s %s", names[edit->kind], phi_quote(&q, edit->text));
	}
	return 0;
}
