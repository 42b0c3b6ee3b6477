#include "formats/tokenizer/tokenizer_json.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/tokenizer/pretokenizer.h"
#include "formats/tokenizer/side_json.h"

#include <inttypes.h>
#include <string.h>

/* Merges of the largest vocabularies: about as many as tokens; this is ten times theirs. */
enum { MERGES_MAX = 1 << 22 };

/* Puts a token at an id: an error if the id is beyond the rows, or taken by another text. */
static int
place(struct phi_tokenizer_json *file, struct phi_string text, uint64_t id, struct phi_err *err)
{
	struct phi_quoted a, b;
	if (id >= file->rows)
		return phi_fail(err, PHI_FORMAT,
			"token %s has id %" PRIu64 ", but the embedding has %" PRIu32 " rows",
			phi_quote(&a, text.data), id, file->rows);
	struct phi_string *const there = &file->tokens[id];
	if (there->data && (there->size != text.size || memcmp(there->data, text.data, text.size)))
		return phi_fail(err, PHI_FORMAT, "tokens %s and %s both have id %" PRIu64,
			phi_quote(&a, there->data), phi_quote(&b, text.data), id);
	*there = text;
	return phi_names_add(file->ids, text.data, text.size, (uint32_t)id, err) < 0 ? -1 : 0;
}

static struct phi_added_token *
append(struct phi_tokenizer_json *file, struct phi_string text, struct phi_err *err)
{
	if (phi_grow(&file->added, &file->added_capacity, file->nadded, sizeof *file->added, err) < 0)
		return NULL;
	struct phi_added_token *const t = &file->added[file->nadded++];
	*t = (struct phi_added_token){ .text = text };
	return t;
}

struct phi_added_token *
phi_tokenizer_json_add(struct phi_tokenizer_json *file, struct phi_string text, uint32_t *next,
	struct phi_err *err)
{
	uint32_t id = phi_names_find(file->ids, text.data, text.size);
	if (id == PHI_NONE) {
		id = *next;
		if (place(file, text, id, err) < 0)
			return NULL;
		*next += 1;
	}
	struct phi_added_token *const t = append(file, text, err);
	if (t)
		t->id = t->declared = id;
	return t;
}

static int
copy_text(const json_t *string, struct phi_arena *arena, struct phi_string *out, struct phi_err *err)
{
	out->size = json_string_length(string);
	out->data = phi_arena_copy(arena, json_string_value(string), out->size, err);
	return out->data ? 0 : -1;
}

static int
read_vocab(json_t *model, struct phi_arena *arena, struct phi_tokenizer_json *out,
	struct phi_err *err)
{
	json_t *const vocab = json_object_get(model, "vocab");
	if (!json_is_object(vocab))
		return phi_fail(err, PHI_FORMAT, "model.vocab is no object");
	const char *key;
	size_t size;
	json_t *id;
	json_object_keylen_foreach(vocab, key, size, id) {
		struct phi_quoted q;
		if (!json_is_integer(id) || json_integer_value(id) < 0)
			return phi_fail(err, PHI_FORMAT, "token %s has no id", phi_quote(&q, key));
		const struct phi_string text = { phi_arena_copy(arena, key, size, err), size };
		if (!text.data ||
			place(out, text, (uint64_t)json_integer_value(id), err) < 0)
			return -1;
		out->nvocab++;
	}
	return 0;
}

/* A pair of the new form as one text of the old: "a b". Spaces within the parts become U+0120, as the
 * byte-level alphabet has them. */
static int
join_pair(const json_t *pair, struct phi_arena *arena, struct phi_string *out, struct phi_err *err)
{
	const char *const part[2] = { json_string_value(json_array_get(pair, 0)),
		json_string_value(json_array_get(pair, 1)) };
	const size_t most = 2 * (strlen(part[0]) + strlen(part[1])) + 1;
	char *const text = phi_arena_alloc(arena, most + 1, err);
	if (!text)
		return -1;
	char *p = text;
	for (int i = 0; i < 2; i++) {
		for (const char *s = part[i]; *s; s++)
			if (*s == ' ') {
				*p++ = '\xc4';
				*p++ = '\xa0';
			} else {
				*p++ = *s;
			}
		if (i == 0)
			*p++ = ' ';
	}
	*p = '\0';
	*out = (struct phi_string){ text, (size_t)(p - text) };
	return 0;
}

static bool
is_pair(const json_t *v)
{
	return json_array_size(v) == 2 && json_is_string(json_array_get(v, 0)) &&
		json_is_string(json_array_get(v, 1));
}

static int
read_merges(json_t *model, struct phi_arena *arena, struct phi_tokenizer_json *out,
	struct phi_err *err)
{
	json_t *const merges = json_object_get(model, "merges");
	const size_t n = json_array_size(merges);
	if (n > MERGES_MAX)
		return phi_fail(err, PHI_LIMIT, "%zu merges, at most %d", n, MERGES_MAX);
	out->merges = phi_arena_calloc(arena, n, sizeof *out->merges, err);
	if (!out->merges)
		return -1;
	out->nmerges = (uint32_t)n;
	const bool old = json_is_string(json_array_get(merges, 0));
	for (size_t i = 0; i < n; i++) {
		const json_t *const v = json_array_get(merges, i);
		if (old ? !json_is_string(v) : !is_pair(v))
			return phi_fail(err, PHI_FORMAT, "merge %zu is neither \"a b\" nor [\"a\", \"b\"]",
				i);
		if ((old ? copy_text(v, arena, &out->merges[i], err)
			 : join_pair(v, arena, &out->merges[i], err)) < 0)
			return -1;
	}
	return 0;
}

/* own_ids: as the file declares them, without a look at the vocabulary. */
static int
read_added(json_t *root, bool own_ids, struct phi_arena *arena, struct phi_tokenizer_json *out,
	struct phi_err *err)
{
	json_t *const list = json_object_get(root, "added_tokens");
	uint32_t next = out->nvocab;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *const v = json_array_get(list, i);
		const json_t *const id = json_object_get(v, "id");
		const json_t *const content = json_object_get(v, "content");
		struct phi_string text;
		if (!json_is_integer(id) || json_integer_value(id) < 0 ||
			json_integer_value(id) > UINT32_MAX || !json_string_length(content))
			return phi_fail(err, PHI_FORMAT, "added token %zu has no id or no content", i);
		if (copy_text(content, arena, &text, err) < 0)
			return -1;
		struct phi_added_token *const t = own_ids ? append(out, text, err)
			: phi_tokenizer_json_add(out, text, &next, err);
		if (!t)
			return -1;
		t->declared = (uint32_t)json_integer_value(id);
		if (own_ids)
			t->id = t->declared;
		t->special = json_is_true(json_object_get(v, "special"));
		t->normalized = json_is_true(json_object_get(v, "normalized"));
		out->nmoved += t->id != t->declared;
	}
	out->nlisted = out->nadded;
	return 0;
}

static bool
is_type(const json_t *v, const char *type)
{
	const char *const s = json_string_value(json_object_get(v, "type"));
	return s && !strcmp(s, type);
}

static void
read_normalizer(const json_t *v, struct phi_tokenizer_json *out)
{
	if (is_type(v, "Lowercase"))
		out->lowercase = 1;
	if (is_type(v, "StripAccents"))
		out->strip_accents = 1;
	if (is_type(v, "BertNormalizer")) {
		const json_t *const lower = json_object_get(v, "lowercase");
		const json_t *const strip = json_object_get(v, "strip_accents");
		if (json_is_boolean(lower))
			out->lowercase = json_is_true(lower);
		if (json_is_boolean(strip))
			out->strip_accents = json_is_true(strip);
	}
}

static bool
decodes_bytes(const json_t *decoder)
{
	if (is_type(decoder, "ByteLevel"))
		return true;
	const json_t *const list = json_object_get(decoder, "decoders");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (is_type(json_array_get(list, i), "ByteLevel"))
			return true;
	return false;
}

/* What decides the tokenizer's kind is its structure, not tokenizer_class: the official converter looks
 * at the class (GPT2Tokenizer, or it wants a SentencePiece file), which newer transformers write as
 * TokenizersBackend for every kind. */
static int
refuse_other(const json_t *model, struct phi_err *err)
{
	const char *const type = json_string_value(json_object_get(model, "type"));
	if (!json_is_object(model))
		return phi_fail(err, PHI_FORMAT, "no model");
	if (type && strcmp(type, "BPE") != 0) {
		struct phi_quoted q;
		return phi_fail(err, PHI_UNSUPPORTED, "a model of type %s; BPE is known",
			phi_quote(&q, type));
	}
	return 0;
}

static bool
nothing(const json_t *v)
{
	return !v || json_is_null(v) || (json_is_string(v) && !json_string_length(v));
}

#define MARK "\xe2\x96\x81"

static bool
is_text(const json_t *v, const char *text)
{
	const char *const s = json_string_value(v);
	return s && !strcmp(s, text);
}

static bool
replaces_spaces(const json_t *v)
{
	return is_type(v, "Replace") && is_text(json_object_get(json_object_get(v, "pattern"), "String"), " ") &&
		is_text(json_object_get(v, "content"), MARK);
}

/* Llama's normalizer: "\u2581" is put first, or not, then each space becomes one. */
static bool
marks_spaces(const json_t *normalizer, bool *first)
{
	const json_t *const list = json_object_get(normalizer, "normalizers");
	const size_t n = json_array_size(list);
	*first = n == 2;
	return is_type(normalizer, "Sequence") && (n == 1 || n == 2) && replaces_spaces(json_array_get(list, n - 1)) &&
		(n == 1 || (is_type(json_array_get(list, 0), "Prepend") &&
			is_text(json_object_get(json_array_get(list, 0), "prepend"), MARK)));
}

/* The same by a pre-tokenizer, as transformers 5 writes it. What it does at the beginning, "first" and "always" say; how
 * they differ (behind special tokens) is the runtime's own way in a GGUF. */
static bool
is_metaspace(const json_t *pre, bool *first)
{
	const json_t *const scheme = json_object_get(pre, "prepend_scheme");
	*first = !is_text(scheme, "never");
	return is_type(pre, "Metaspace") && is_text(json_object_get(pre, "replacement"), MARK) &&
		json_is_false(json_object_get(pre, "split")) &&
		(is_text(scheme, "always") || is_text(scheme, "first") || is_text(scheme, "never"));
}

static bool
spaces_as_marks(const json_t *root, bool *first)
{
	const json_t *const pre = json_object_get(root, "pre_tokenizer");
	const json_t *const normalizer = json_object_get(root, "normalizer");
	return nothing(pre) ? marks_spaces(normalizer, first) : nothing(normalizer) && is_metaspace(pre, first);
}

/* What llama.cpp's vocabulary of this kind does by itself; any other way needs to be known, not guessed. */
static int
check_form(const json_t *root, const json_t *model, struct phi_arena *arena,
	struct phi_tokenizer_json *out, struct phi_err *err)
{
	const json_t *const unknown = json_object_get(model, "unk_token");
	if (!spaces_as_marks(root, &out->space_first))
		return phi_fail(err, PHI_UNSUPPORTED, "neither byte-level BPE nor of Llama's form (U+2581 put "
			"first and for spaces, no pre-tokenizer, or Metaspace alone); tokenizer.model is missing");
	if (!json_is_true(json_object_get(model, "byte_fallback")) || !json_string_length(unknown) ||
		json_is_true(json_object_get(model, "ignore_merges")) ||
		!nothing(json_object_get(model, "continuing_subword_prefix")) ||
		!nothing(json_object_get(model, "end_of_word_suffix")))
		return phi_fail(err, PHI_UNSUPPORTED, "of the SentencePiece kind, but without byte fallback or "
			"an unknown token, or with parts of words; tokenizer.model is missing");
	return copy_text(unknown, arena, &out->unknown, err);
}

static int
read_tree(json_t *root, bool pieces, struct phi_arena *arena,
	struct phi_tokenizer_json *out, struct phi_err *err)
{
	json_t *const model = json_object_get(root, "model");
	json_t *const normalizer = json_object_get(root, "normalizer");
	out->there = true;
	out->byte_level = phi_pretokenizer_bytes(json_object_get(root, "pre_tokenizer"));
	const bool own_ids = pieces && !out->byte_level;
	if (!own_ids && refuse_other(model, err) < 0)
		return -1;
	if (!own_ids && !out->byte_level && check_form(root, model, arena, out, err) < 0)
		return -1;
	if (!own_ids && (read_vocab(model, arena, out, err) < 0 || read_merges(model, arena, out, err) < 0))
		return -1;
	if (read_added(root, own_ids, arena, out, err) < 0)
		return -1;
	out->pre = phi_pretokenizer_name(json_object_get(root, "pre_tokenizer"), normalizer);
	out->byte_decoder = decodes_bytes(json_object_get(root, "decoder"));
	read_normalizer(normalizer, out);
	json_t *const list = json_object_get(normalizer, "normalizers");
	for (size_t i = 0; i < json_array_size(list); i++)
		read_normalizer(json_array_get(list, i), out);
	out->post_processor = json_incref(json_object_get(root, "post_processor"));
	return 0;
}

int
phi_tokenizer_json_read(const struct phi_side *side, uint32_t rows, bool pieces,
	struct phi_arena *arena, struct phi_tokenizer_json *out, struct phi_err *err)
{
	*out = (struct phi_tokenizer_json){ .rows = rows, .lowercase = -1, .strip_accents = -1 };
	out->tokens = phi_arena_calloc(arena, rows, sizeof *out->tokens, err);
	out->ids = phi_names_new(err);
	json_t *const root = out->tokens && out->ids
		? phi_side_json(side, PHI_JSON_BIG_INTEGERS, PHI_TOKENIZER_VALUES_MAX, err) : NULL;
	const int result = root ? read_tree(root, pieces, arena, out, err) : -1;
	json_decref(root);
	if (result < 0)
		phi_tokenizer_json_free(out);
	return result;
}

void
phi_tokenizer_json_free(struct phi_tokenizer_json *file)
{
	phi_free(file->added);
	file->added = NULL;
	phi_names_free(file->ids);
	file->ids = NULL;
	json_decref(file->post_processor);
	file->post_processor = NULL;
}
