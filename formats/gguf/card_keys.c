#include "formats/gguf/card_keys.h"

#include "formats/core/buffer.h"
#include "formats/gguf/hf_keys.h"
#include "formats/gguf/model_name.h"

#include <stdio.h>
#include <string.h>

/* Who says what, the first that does. */
static const struct {
	enum phi_card_text text;
	const char *key;
} sources[] = {
	{ PHI_CARD_NAME, "name" },
	{ PHI_CARD_AUTHOR, "author" },
	{ PHI_CARD_VERSION, "version" },
	{ PHI_CARD_ORGANIZATION, "organization" },
	{ PHI_CARD_DESCRIPTION, "description" },
	{ PHI_CARD_FINETUNE, "finetune" },
	{ PHI_CARD_BASENAME, "basename" },
	{ PHI_CARD_SIZE_LABEL, "size_label" },
	{ PHI_CARD_SOURCE_URL, "url" },
	{ PHI_CARD_SOURCE_DOI, "doi" },
	{ PHI_CARD_SOURCE_UUID, "uuid" },
	{ PHI_CARD_SOURCE_REPO_URL, "repo_url" },
	{ PHI_CARD_NAME, "model_name" },
	{ PHI_CARD_AUTHOR, "model_author" },
	{ PHI_CARD_VERSION, "model_version" },
	{ PHI_CARD_ORGANIZATION, "model_organization" },
	{ PHI_CARD_DESCRIPTION, "model_description" },
	{ PHI_CARD_FINETUNE, "model_finetune" },
	{ PHI_CARD_BASENAME, "model_basename" },
	{ PHI_CARD_SIZE_LABEL, "model_size_label" },
	{ PHI_CARD_SOURCE_URL, "model_url" },
	{ PHI_CARD_SOURCE_DOI, "model_doi" },
	{ PHI_CARD_SOURCE_UUID, "model_uuid" },
	{ PHI_CARD_SOURCE_REPO_URL, "model_repo_url" },
	{ PHI_CARD_AUTHOR, "model_creator" },
	{ PHI_CARD_BASENAME, "model_type" },
	{ PHI_CARD_LICENSE_NAME, "license_name" },
	{ PHI_CARD_LICENSE_LINK, "license_link" },
};

static int
warn(struct phi_card_reading *r, const char *key, const char *what, struct phi_err *err)
{
	return phi_model_warn(r->lowered, err, "README.md: %s is no %s and is not carried", key, what);
}

static int
take(struct phi_card_reading *r, const struct phi_card_value *v, const char **out,
	struct phi_err *err)
{
	r->taken += v->text.size;
	if (r->taken > PHI_CARD_TEXTS_MAX)
		return phi_fail(err, PHI_LIMIT, "README.md: more than %d bytes of texts in the card",
			PHI_CARD_TEXTS_MAX);
	*out = phi_arena_copy(r->lowered->arena, v->text.data, v->text.size, err);
	return *out ? 0 : -1;
}

/* A text; "" for what is there and no text. */
static int
text_or_warn(struct phi_card_reading *r, const char *key, const struct phi_card_value *v,
	const char **out, struct phi_err *err)
{
	*out = NULL;
	if (v->kind == PHI_CARD_ABSENT)
		return 0;
	if (v->kind == PHI_CARD_TEXT)
		return take(r, v, out, err);
	*out = "";
	return warn(r, key, "text", err);
}

/* Are all items of a list texts? */
static bool
all_texts(const struct phi_card_reading *r, const struct phi_card_value *list)
{
	if (list->size > PHI_CARD_ITEMS_MAX)
		return false;
	for (size_t i = 0; i < list->size; i++)
		if (phi_card_item(r->card, list, i).kind != PHI_CARD_TEXT)
			return false;
	return true;
}

/* One license or several, joined by commas. */
static int
read_license(struct phi_card_reading *r, const char **out, struct phi_err *err)
{
	const struct phi_card_value v = phi_card_find(r->card, "license");
	if (v.kind != PHI_CARD_LIST || !all_texts(r, &v))
		return text_or_warn(r, "license", &v, out, err);
	struct phi_buffer all = { 0 };
	int result = 0;
	for (size_t i = 0; result == 0 && i < v.size; i++) {
		const char *one;
		const struct phi_card_value item = phi_card_item(r->card, &v, i);
		result = take(r, &item, &one, err);
		if (result == 0)
			result = phi_buffer_printf(&all, err, "%s%s", i ? "," : "", one);
	}
	if (result == 0) {
		*out = phi_arena_copy(r->lowered->arena, all.size ? (const char *)all.data : "",
			all.size, err);
		result = *out ? 0 : -1;
	}
	phi_buffer_free(&all);
	return result;
}

int
phi_card_texts(struct phi_card_reading *r, const char *texts[PHI_CARD_TEXTS], struct phi_err *err)
{
	for (size_t i = 0; i < PHI_CARD_TEXTS; i++)
		texts[i] = NULL;
	if (!r->card)
		return 0;
	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		const char **const text = &texts[sources[i].text];
		const struct phi_card_value v = phi_card_find(r->card, sources[i].key);
		if (!*text && text_or_warn(r, sources[i].key, &v, text, err) < 0)
			return -1;
	}
	return read_license(r, &texts[PHI_CARD_LICENSE], err);
}

static int
add(struct phi_card_reading *r, const char *group, size_t i, const char *key, const char *text,
	struct phi_err *err)
{
	const char *const full =
		phi_arena_printf(r->lowered->arena, err, "general.%s.%zu.%s", group, i, key);
	if (!full)
		return -1;
	return text ? phi_hf_text(r->lowered, full, (struct phi_string){ text, strlen(text) }, err) : 0;
}

/* A page of the hub, "https://huggingface.co/org/name": its "org/name"; else NULL. */
static const char *
hub_page(const char *url)
{
	static const char host[] = "://huggingface.co/";
	const char *p = strncmp(url, "http", 4) ? "" : url + 4;
	p += *p == 's';
	if (strncmp(p, host, sizeof host - 1) != 0)
		return NULL;
	p += sizeof host - 1;
	const char *const slash = strchr(p, '/');
	return slash && slash > p && slash[1] && !strchr(slash + 1, '/') ? p : NULL;
}

static bool
is_address(const char *id)
{
	return !strncmp(id, "http://", 7) || !strncmp(id, "https://", 8) || !strncmp(id, "ssh://", 6);
}

/* A relative named by an address or by "org/name". */
static int
add_named(struct phi_card_reading *r, const char *group, size_t i, const char *id, struct phi_err *err)
{
	const bool address = is_address(id);
	const char *const known = address ? hub_page(id) : id;
	struct phi_model_name name = { 0 };
	const char *repo = address ? id : NULL;
	if (known && phi_model_name_parse(known, r->elements, r->lowered->arena, &name, err) < 0)
		return -1;
	if (!address && name.organization) {
		repo = phi_arena_printf(r->lowered->arena, err, "https://huggingface.co/%s", id);
		if (!repo)
			return -1;
	}
	if (add(r, group, i, "name", name.name, err) < 0 ||
		add(r, group, i, "version", name.version, err) < 0 ||
		add(r, group, i, "organization", name.organization, err) < 0)
		return -1;
	return add(r, group, i, "repo_url", repo, err);
}

/* A relative that is described. */
static int
add_described(struct phi_card_reading *r, const char *group, size_t i,
	const struct phi_card_value *map, struct phi_err *err)
{
	static const char *const keys[] = { "name", "author", "version", "organization",
		"description", "url", "doi", "uuid", "repo_url" };
	for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
		const struct phi_card_value v = phi_card_member(r->card, map, keys[k]);
		const char *text;
		if (text_or_warn(r, group, &v, &text, err) < 0 ||
			add(r, group, i, keys[k], text, err) < 0)
			return -1;
	}
	return 0;
}

static int
add_relative(struct phi_card_reading *r, const char *group, size_t i,
	const struct phi_card_value *v, struct phi_err *err)
{
	const char *id;
	if (v->kind == PHI_CARD_MAP)
		return add_described(r, group, i, v, err);
	if (v->kind != PHI_CARD_TEXT)
		return warn(r, group, "name", err);
	return take(r, v, &id, err) < 0 ? -1 : add_named(r, group, i, id, err);
}

/* The first of three keys that is there, even if it says nothing: then there are 0. */
static int
add_relatives(struct phi_card_reading *r, const char *group, const char *const keys[3],
	struct phi_err *err)
{
	struct phi_card_value v = { .there = false };
	for (size_t i = 0; !v.there && i < 3; i++)
		v = phi_card_find(r->card, keys[i]);
	if (!v.there)
		return 0;
	const size_t n = v.kind == PHI_CARD_LIST ? v.size : v.kind == PHI_CARD_TEXT;
	if (n > PHI_CARD_ITEMS_MAX)
		return phi_fail(err, PHI_LIMIT, "README.md: %zu of %s, at most %d", n, group,
			PHI_CARD_ITEMS_MAX);
	char key[64];
	snprintf(key, sizeof key, "general.%s.count", group);
	if (phi_metadata_add_u32(&r->lowered->metadata, r->lowered->arena, key, (uint32_t)n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct phi_card_value one =
			v.kind == PHI_CARD_LIST ? phi_card_item(r->card, &v, i) : v;
		if (add_relative(r, group, i, &one, err) < 0)
			return -1;
	}
	return 0;
}

/* The texts of two keys, each one text or a list, in one array. */
static int
add_array(struct phi_card_reading *r, const char *key, const char *const from[2], struct phi_err *err)
{
	struct phi_card_value v[2];
	size_t n = 0, at = 0;
	for (size_t i = 0; i < 2; i++) {
		v[i] = phi_card_find(r->card, from[i]);
		if (v[i].kind == PHI_CARD_LIST && !all_texts(r, &v[i])) {
			if (warn(r, from[i], "list of texts", err) < 0)
				return -1;
			v[i].kind = PHI_CARD_ABSENT;
		}
		n += v[i].kind == PHI_CARD_LIST ? v[i].size : v[i].kind == PHI_CARD_TEXT;
	}
	struct phi_string *const texts = phi_arena_calloc(r->lowered->arena, n, sizeof *texts, err);
	if (!texts)
		return -1;
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; at < n && k < (v[i].kind == PHI_CARD_LIST ? v[i].size :
			v[i].kind == PHI_CARD_TEXT); k++) {
			const struct phi_card_value one =
				v[i].kind == PHI_CARD_LIST ? phi_card_item(r->card, &v[i], k) : v[i];
			texts[at].size = one.text.size;
			if (take(r, &one, &texts[at++].data, err) < 0)
				return -1;
		}
	return n ? phi_metadata_add(&r->lowered->metadata, r->lowered->arena, key,
		(struct phi_value){ .kind = PHI_VALUE_ARRAY, .array = { .kind = PHI_VALUE_STRING,
			.count = n, .data = texts } }, err) : 0;
}

int
phi_card_lists(struct phi_card_reading *r, struct phi_err *err)
{
	static const char *const bases[] = { "base_model", "base_models", "base_model_sources" };
	static const char *const datasets[] = { "datasets", "dataset", "dataset_sources" };
	static const char *const tags[] = { "tags", "pipeline_tag" };
	static const char *const languages[] = { "languages", "language" };
	if (!r->card)
		return 0;
	if (add_relatives(r, "base_model", bases, err) < 0 ||
		add_relatives(r, "dataset", datasets, err) < 0 ||
		add_array(r, "general.tags", tags, err) < 0)
		return -1;
	return add_array(r, "general.languages", languages, err);
}
