#include "formats/tokenizer/pieces.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/tokenizer/added.h"
#include "formats/tokenizer/merges.h"
#include "formats/tokenizer/sentencepiece.h"
#include "formats/tokenizer/side_json.h"

#include <inttypes.h>
#include <string.h>

#define SCORE_ADDED -1000.0F
#define SCORE_UNUSED -10000.0F

static int
lay(struct phi_vocabulary *v, uint64_t id, struct phi_string text, int32_t kind, struct phi_err *err)
{
	struct phi_quoted q;
	if (id >= v->ntokens)
		return phi_fail(err, PHI_FORMAT,
			"token %s has id %" PRIu64 ", but the embedding has %" PRIu32 " rows",
			phi_quote(&q, text.data), id, v->ntokens);
	v->tokens[id] = text;
	v->scores[id] = SCORE_ADDED;
	v->kinds[id] = kind;
	return 0;
}

static int
kind_of(bool special)
{
	return special ? PHI_TOKEN_CONTROL : PHI_TOKEN_USER_DEFINED;
}

static int
lay_texts(json_t *root, struct phi_arena *arena, struct phi_vocabulary *v, struct phi_err *err)
{
	const char *key;
	size_t size;
	json_t *id;
	json_object_keylen_foreach(root, key, size, id) {
		struct phi_quoted q;
		if (!json_is_integer(id) || json_integer_value(id) < 0)
			return phi_fail(err, PHI_FORMAT, "token %s has no id", phi_quote(&q, key));
		if ((uint64_t)json_integer_value(id) >= v->ntokens)
			continue;
		const struct phi_string text = { phi_arena_copy(arena, key, size, err), size };
		if (!text.data || lay(v, (uint64_t)json_integer_value(id), text,
			PHI_TOKEN_USER_DEFINED, err) < 0)
			return -1;
	}
	return 0;
}

/* added_tokens.json. */
static int
lay_file(const struct phi_side *side, struct phi_arena *arena, struct phi_vocabulary *v,
	struct phi_err *err)
{
	json_t *const root = phi_side_json(side, PHI_JSON_KEEP_DUPLICATES, PHI_SETTINGS_VALUES_MAX, err);
	int result = -1;
	if (root)
		result = json_is_object(root) ? lay_texts(root, arena, v, err)
					      : phi_fail(err, PHI_FORMAT, "no object");
	json_decref(root);
	return result < 0 ? phi_context(err, "%s", side->name) : 0;
}

/* added_tokens_decoder. */
static int
lay_decoder(json_t *config, struct phi_arena *arena, struct phi_vocabulary *v, struct phi_err *err)
{
	struct phi_added_entry *all;
	size_t n;
	int result = phi_added_entries(json_object_get(config, "added_tokens_decoder"), &all, &n, err);
	for (size_t i = 0; result == 0 && i < n; i++) {
		const struct phi_string text = { phi_arena_strdup(arena, all[i].text, err),
			strlen(all[i].text) };
		result = text.data ? lay(v, all[i].id, text,
			kind_of(json_is_true(json_object_get(all[i].value, "special"))), err) : -1;
	}
	phi_free(all);
	return result < 0 ? phi_context(err, "tokenizer_config.json") : 0;
}

static int
lay_listed(const struct phi_tokenizer_json *file, struct phi_vocabulary *v, struct phi_err *err)
{
	for (size_t i = 0; i < file->nlisted; i++)
		if (lay(v, file->added[i].id, file->added[i].text, kind_of(file->added[i].special),
			    err) < 0)
			return phi_context(err, "tokenizer.json");
	return 0;
}

static int
lay_added(const struct phi_model *model, const struct phi_tokenizer_json *file, json_t *config,
	struct phi_arena *arena, struct phi_vocabulary *v, struct phi_err *err)
{
	const struct phi_side *const added = phi_model_side(model, "added_tokens.json");
	if ((added && lay_file(added, arena, v, err) < 0) || lay_decoder(config, arena, v, err) < 0)
		return -1;
	return lay_listed(file, v, err);
}

/* tokenizer.json's vocabulary as pieces; scores come when it is known which are normal. */
static int
take_vocabulary(const struct phi_tokenizer_json *file, struct phi_vocabulary *v, struct phi_err *err)
{
	uint32_t nbytes = 0, nunknown = 0;
	for (uint32_t i = 0; i < file->rows; i++) {
		const struct phi_string t = file->tokens[i];
		v->tokens[i] = t;
		v->kinds[i] = PHI_TOKEN_NORMAL;
		if (!t.data) {
			v->scores[i] = SCORE_UNUSED;
		} else if (t.size == file->unknown.size && !memcmp(t.data, file->unknown.data, t.size)) {
			v->kinds[i] = PHI_TOKEN_UNKNOWN;
			nunknown++;
		} else if (phi_sentencepiece_byte(t)) {
			v->kinds[i] = PHI_TOKEN_BYTE;
			nbytes++;
		}
	}
	if (nbytes != 256 || nunknown != 1)
		return phi_fail(err, PHI_FORMAT, "tokenizer.json: %" PRIu32 " tokens for bytes, not 256, or "
			"no unknown token", nbytes);
	v->space_first = file->space_first;
	return 0;
}

/* What tokenizer.model has, or stands for it. */
static int
fill_base(const struct phi_side *side, const struct phi_tokenizer_json *file, struct phi_arena *arena,
	struct phi_vocabulary *out, struct phi_err *err)
{
	uint32_t n;
	if (!side)
		return take_vocabulary(file, out, err);
	if (phi_sentencepiece_read(side, file->rows, arena, out, &n, err) < 0)
		return phi_context(err, "%s", side->name);
	for (uint32_t i = n; i < file->rows; i++)
		out->scores[i] = SCORE_UNUSED;
	return 0;
}

int
phi_pieces_fill(const struct phi_model *model, const struct phi_tokenizer_json *file, json_t *config,
	struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err)
{
	const struct phi_side *const side = phi_model_side(model, "tokenizer.model");
	out->ntokens = file->rows;
	out->tokens = phi_arena_calloc(arena, file->rows, sizeof *out->tokens, err);
	out->kinds = phi_arena_calloc(arena, file->rows, sizeof *out->kinds, err);
	out->scores = phi_arena_calloc(arena, file->rows, sizeof *out->scores, err);
	if (!out->tokens || !out->kinds || !out->scores)
		return -1;
	if (fill_base(side, file, arena, out, err) < 0 ||
		lay_added(model, file, config, arena, out, err) < 0 ||
		phi_added_pad(out->tokens, out->kinds, file->rows, arena, err) < 0)
		return -1;
	if (!side && phi_merges_score(file, out, err) < 0)
		return phi_context(err, "tokenizer.json");
	return 0;
}
