#include "formats/tokenizer/from_keys.h"

#include "formats/core/escape.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct keys {
	const struct phi_metadata *metadata;
	struct phi_arena *arena;
	struct phi_vocabulary *out;
};

/* The elements of an array under a key: NULL if there is no such key, which is no failure. */
static int
list(const struct keys *k, const char *key, enum phi_value_kind kind, const void **data, uint64_t *n,
	struct phi_err *err)
{
	const struct phi_value *const v = phi_metadata_find(k->metadata, key);
	*data = NULL;
	*n = 0;
	if (!v)
		return 0;
	if (v->kind != PHI_VALUE_ARRAY || v->array.kind != kind)
		return phi_fail(err, PHI_FORMAT, "key %s is no array of %s", key, phi_value_name(kind));
	*data = v->array.data;
	*n = v->array.count;
	return 0;
}

/* A list that goes along with the tokens. */
static int
parallel(const struct keys *k, const char *key, enum phi_value_kind kind, const void **data, struct phi_err *err)
{
	uint64_t n;
	if (list(k, key, kind, data, &n, err) < 0)
		return -1;
	if (*data && n != k->out->ntokens)
		return phi_fail(err, PHI_FORMAT, "key %s has %" PRIu64 " elements for %" PRIu32 " tokens", key, n,
			k->out->ntokens);
	return 0;
}

/* A NUL can be said in JSON, but readers of JSON end a text there. */
static bool
is_text(struct phi_string s)
{
	return phi_utf8_valid(s.data, s.size) && !memchr(s.data, '\0', s.size);
}

static int
check_text(struct phi_string s, const char *what, uint64_t i, struct phi_err *err)
{
	return is_text(s) ? 0 : phi_fail(err, PHI_FORMAT, "%s %" PRIu64 " is not valid UTF-8, or holds a NUL", what, i);
}

static int
take_tokens(struct keys *k, uint32_t rows, struct phi_err *err)
{
	struct phi_vocabulary *const v = k->out;
	const void *tokens, *kinds, *scores, *merges;
	uint64_t n;
	if (list(k, "tokenizer.ggml.tokens", PHI_VALUE_STRING, &tokens, &n, err) < 0)
		return -1;
	if (!n)
		return 1;
	if (n > rows)
		return phi_fail(err, PHI_FORMAT, "%" PRIu64 " tokens, but the embedding has %" PRIu32 " rows", n, rows);
	v->ntokens = (uint32_t)n;
	if (parallel(k, "tokenizer.ggml.token_type", PHI_VALUE_I32, &kinds, err) < 0 ||
		parallel(k, "tokenizer.ggml.scores", PHI_VALUE_F32, &scores, err) < 0 ||
		list(k, "tokenizer.ggml.merges", PHI_VALUE_STRING, &merges, &n, err) < 0)
		return -1;
	if (n > UINT32_MAX)
		return phi_fail(err, PHI_LIMIT, "%" PRIu64 " merges", n);
	v->nmerges = (uint32_t)n;
	v->tokens = phi_arena_calloc(k->arena, v->ntokens, sizeof *v->tokens, err);
	v->kinds = phi_arena_calloc(k->arena, v->ntokens, sizeof *v->kinds, err);
	v->merges = phi_arena_calloc(k->arena, v->nmerges, sizeof *v->merges, err);
	v->scores = scores ? phi_arena_calloc(k->arena, v->ntokens, sizeof *v->scores, err) : NULL;
	if (!v->tokens || !v->kinds || !v->merges || (scores && !v->scores))
		return -1;
	memcpy(v->tokens, tokens, v->ntokens * sizeof *v->tokens);
	if (v->nmerges)
		memcpy(v->merges, merges, v->nmerges * sizeof *v->merges);
	if (scores)
		memcpy(v->scores, scores, v->ntokens * sizeof *v->scores);
	for (uint32_t i = 0; i < v->ntokens; i++)
		v->kinds[i] = kinds ? ((const int32_t *)kinds)[i] : PHI_TOKEN_NORMAL;
	return 0;
}

static int
check_tokens(const struct phi_vocabulary *v, struct phi_err *err)
{
	for (uint32_t i = 0; i < v->ntokens; i++) {
		if (check_text(v->tokens[i], "token", i, err) < 0)
			return -1;
		if (v->kinds[i] < PHI_TOKEN_NORMAL || v->kinds[i] > PHI_TOKEN_BYTE)
			return phi_fail(err, PHI_FORMAT, "token %" PRIu32 " is of kind %" PRId32 ", 1 to 6 are known", i,
				v->kinds[i]);
		if (v->scores && !isfinite(v->scores[i]))
			return phi_fail(err, PHI_FORMAT, "token %" PRIu32 " has no finite score", i);
	}
	for (uint32_t i = 0; i < v->nmerges; i++)
		if (check_text(v->merges[i], "merge", i, err) < 0)
			return -1;
	return 0;
}

static int
take_special(struct keys *k, struct phi_err *err)
{
	struct phi_vocabulary *const v = k->out;
	for (int i = 0; i < PHI_SPECIALS; i++) {
		const char *const key = phi_special_key((enum phi_special)i);
		const struct phi_value *const value = key ? phi_metadata_find(k->metadata, key) : NULL;
		uint64_t id;
		v->special[i] = -1;
		if (!value)
			continue;
		if (!phi_value_u64(value, &id))
			return phi_fail(err, PHI_FORMAT, "key %s is no token id", key);
		if (id >= v->ntokens)
			return phi_fail(err, PHI_FORMAT, "key %s is %" PRIu64 "; there are %" PRIu32 " tokens", key, id,
				v->ntokens);
		v->special[i] = (int64_t)id;
		v->special_order[v->nspecial++] = (uint8_t)i;
	}
	return 0;
}

static int
flag(const struct keys *k, const char *key, signed char *out, struct phi_err *err)
{
	const struct phi_value *const v = key ? phi_metadata_find(k->metadata, key) : NULL;
	if (!v)
		return 0;
	if (v->kind != PHI_VALUE_BOOL)
		return phi_fail(err, PHI_FORMAT, "key %s is neither true nor false", key);
	*out = v->b;
	return 0;
}

static int
take_flags(struct keys *k, struct phi_err *err)
{
	struct phi_vocabulary *const v = k->out;
	for (int i = 0; i < PHI_SPECIALS; i++) {
		signed char added = -1;
		if (flag(k, phi_special_add_key((enum phi_special)i), &added, err) < 0)
			return -1;
		if (added < 0)
			continue;
		v->add[v->nadd].special = (uint8_t)i;
		v->add[v->nadd++].added = added;
	}
	return flag(k, "tokenizer.ggml.add_space_prefix", &v->space_first, err) < 0 ||
			flag(k, "tokenizer.ggml.normalizer.lowercase", &v->lowercase, err) < 0 ||
			flag(k, "tokenizer.ggml.normalizer.strip_accents", &v->strip_accents, err) < 0
		? -1 : 0;
}

/* The default template, and those with a name of their own. */
static int
take_templates(struct keys *k, struct phi_err *err)
{
	static const char prefix[] = "tokenizer.chat_template";
	struct phi_vocabulary *const v = k->out;
	v->templates = phi_arena_calloc(k->arena, PHI_TEMPLATES_MAX, sizeof *v->templates, err);
	for (size_t i = 0; v->templates && i < k->metadata->count; i++) {
		const struct phi_meta *const m = &k->metadata->items[i];
		const char *const rest = m->key + strlen(prefix);
		if (strncmp(m->key, prefix, strlen(prefix)) || (*rest && (*rest != '.' || !rest[1])))
			continue;
		if (m->value.kind != PHI_VALUE_STRING || !is_text(m->value.s))
			return phi_fail(err, PHI_FORMAT, "a chat template is no text");
		if (!*rest) {
			v->chat_template = m->value.s;
			continue;
		}
		if (v->ntemplates == PHI_TEMPLATES_MAX)
			return phi_fail(err, PHI_LIMIT, "more than %d chat templates", PHI_TEMPLATES_MAX);
		v->templates[v->ntemplates++] = (struct phi_template){ rest + 1, m->value.s };
	}
	return v->templates ? 0 : -1;
}

static int
take_words(struct keys *k, const char *pre, struct phi_err *err)
{
	const struct phi_value *const own = phi_metadata_find(k->metadata, "tokenizer.ggml.pre");
	k->out->model = phi_value_string(phi_metadata_find(k->metadata, "tokenizer.ggml.model"));
	k->out->pre = pre ? pre : phi_value_string(own);
	if (!k->out->model)
		return phi_fail(err, PHI_FORMAT, "key tokenizer.ggml.model is missing or no text");
	return own && !k->out->pre ? phi_fail(err, PHI_FORMAT, "key tokenizer.ggml.pre is no text") : 0;
}

int
phi_vocabulary_from_keys(const struct phi_metadata *metadata, uint32_t rows, const char *pre,
	struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err)
{
	struct keys k = { metadata, arena, out };
	*out = (struct phi_vocabulary){ .lowercase = -1, .strip_accents = -1, .space_first = -1 };
	const int found = take_tokens(&k, rows, err);
	if (found)
		return found;
	return take_words(&k, pre, err) < 0 || check_tokens(out, err) < 0 || take_special(&k, err) < 0 ||
			take_flags(&k, err) < 0 || take_templates(&k, err) < 0
		? -1 : 0;
}
