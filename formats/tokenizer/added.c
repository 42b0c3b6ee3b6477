#include "formats/tokenizer/added.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/tokenizer/bytelevel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
phi_special_text(const json_t *entry)
{
	return json_string_value(json_is_object(entry) ? json_object_get(entry, "content") : entry);
}

/* The two indices by text, so that ten thousand added tokens do not cost a hundred million looks. */
struct book {
	struct phi_tokenizer_json *file;
	struct phi_arena *arena;
	struct phi_names *added;  /* -> index into file->added */
	struct phi_names *tokens; /* -> id */
	uint32_t next;		  /* the id of a token that is quite new */
	bool decoder;		  /* there is an added_tokens_decoder */
};

static struct phi_added_token *
find(const struct book *book, const char *text)
{
	const uint32_t i = phi_names_find(book->added, text, strlen(text));
	return i == PHI_NONE ? NULL : &book->file->added[i];
}

/* The id of a text that becomes an added token: the vocabulary's if it is there, else the next one. */
static uint32_t
new_id(const struct book *book, const char *text)
{
	const uint32_t id = phi_names_find(book->tokens, text, strlen(text));
	return id == PHI_NONE ? book->next : id;
}

static struct phi_added_token *
add(struct book *book, const char *text, uint64_t id, struct phi_err *err)
{
	struct phi_tokenizer_json *const file = book->file;
	const struct phi_string copy = { phi_arena_strdup(book->arena, text, err), strlen(text) };
	if (!copy.data || phi_grow(&file->added, &file->added_capacity, file->nadded,
		sizeof *file->added, err) < 0)
		return NULL;
	if (phi_tokenizer_json_place(file, copy, id, err) < 0 ||
		phi_names_add(book->added, copy.data, copy.size, (uint32_t)file->nadded, err) < 0)
		return NULL;
	if (id >= book->next)
		book->next = (uint32_t)id + 1;
	struct phi_added_token *const t = &file->added[file->nadded++];
	*t = (struct phi_added_token){ .text = copy, .id = (uint32_t)id };
	return t;
}

/* One entry of added_tokens_decoder: {"32000": {"content": ..., "special": ..., "normalized": ...}}. */
static int
merge_entry(struct book *book, const char *key, const json_t *entry, struct phi_err *err)
{
	const char *const text = json_string_value(json_object_get(entry, "content"));
	struct phi_quoted q;
	char *end;
	const unsigned long long id = strtoull(key, &end, 10);
	if (!text || *key < '0' || *key > '9' || *end)
		return phi_fail(err, PHI_FORMAT, "added_tokens_decoder: entry %s is no token",
			phi_quote(&q, key));
	struct phi_added_token *t = find(book, text);
	if (!t)
		t = add(book, text, id, err);
	if (!t)
		return -1;
	const json_t *const normalized = json_object_get(entry, "normalized");
	t->special = json_is_true(json_object_get(entry, "special"));
	t->normalized = normalized ? json_is_true(normalized) : !t->special;
	t->confirmed = true;
	return 0;
}

static int
make_special(struct book *book, const json_t *entry, bool named, struct phi_err *err)
{
	const char *const text = phi_special_text(entry);
	if (!text || !*text)
		return 0;
	struct phi_added_token *const known = find(book, text);
	struct phi_added_token *const t = known ? known : add(book, text, new_id(book, text), err);
	if (!t)
		return -1;
	if (!known || (named && (t->confirmed || !book->decoder)))
		t->special = true;
	return 0;
}

static int
complete(struct book *book, json_t *config, struct phi_err *err)
{
	json_t *const decoder = json_object_get(config, "added_tokens_decoder");
	book->decoder = decoder != NULL;
	for (void *i = json_object_iter(decoder); i; i = json_object_iter_next(decoder, i))
		if (merge_entry(book, json_object_iter_key(i), json_object_iter_value(i), err) < 0)
			return -1;
	for (int i = 0; i <= PHI_SPECIAL_MASK; i++) {
		char key[16];
		snprintf(key, sizeof key, "%s_token", phi_special_name((enum phi_special)i));
		if (make_special(book, json_object_get(config, key), true, err) < 0)
			return -1;
	}
	static const char *const lists[] = { "additional_special_tokens", "extra_special_tokens" };
	for (size_t l = 0; l < 2; l++) {
		const json_t *const list = json_object_get(config, lists[l]);
		for (size_t i = 0; i < json_array_size(list); i++)
			if (make_special(book, json_array_get(list, i), false, err) < 0)
				return -1;
	}
	return 0;
}

static int
index_tokens(struct book *book, struct phi_err *err)
{
	const struct phi_tokenizer_json *const file = book->file;
	for (uint32_t i = 0; i < file->rows; i++) {
		const struct phi_string *const t = &file->tokens[i];
		if (!t->data)
			continue;
		book->next = i + 1;
		if (phi_names_add(book->tokens, t->data, t->size, i, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < file->nadded; i++)
		if (phi_names_add(book->added, file->added[i].text.data, file->added[i].text.size,
			    (uint32_t)i, err) < 0)
			return -1;
	return 0;
}

int
phi_added_complete(struct phi_tokenizer_json *file, json_t *config, struct phi_arena *arena,
	struct phi_err *err)
{
	struct book book = { .file = file, .arena = arena };
	int result = -1;
	book.added = phi_names_new(err);
	book.tokens = phi_names_new(err);
	if (book.added && book.tokens && index_tokens(&book, err) == 0)
		result = complete(&book, config, err);
	phi_names_free(book.added);
	phi_names_free(book.tokens);
	return result;
}

static bool
framed(struct phi_string s, const char *head, const char *tail)
{
	const size_t h = strlen(head), t = strlen(tail);
	return s.size >= h && s.size >= t && !memcmp(s.data, head, h) &&
		!memcmp(s.data + s.size - t, tail, t);
}

static bool
equal(struct phi_string s, const char *text)
{
	return s.size == strlen(text) && !memcmp(s.data, text, s.size);
}

/* Checkpoints forget to mark some of theirs as special; these shapes always are. The bars of the second
 * are U+FF5C. */
static bool
looks_special(struct phi_string s)
{
	return equal(s, "<pad>") || equal(s, "<mask>") || equal(s, "<2mass>") ||
		equal(s, "[@BOS@]") || framed(s, "<|", "|>") ||
		framed(s, "<\xef\xbd\x9c", "\xef\xbd\x9c>") || framed(s, "<unused", ">");
}

/* U+2581, SentencePiece's mark of a space, as the space. */
static int
plain_spaces(struct phi_string *s, struct phi_arena *arena, struct phi_err *err)
{
	if (!strstr(s->data, "\xe2\x96\x81"))
		return 0;
	char *const text = phi_arena_copy(arena, s->data, s->size, err);
	if (!text)
		return -1;
	size_t n = 0;
	for (size_t i = 0; i < s->size;) {
		const bool mark = s->size - i >= 3 && !memcmp(s->data + i, "\xe2\x96\x81", 3);
		text[n++] = mark ? ' ' : s->data[i];
		i += mark ? 3 : 1;
	}
	text[n] = '\0';
	*s = (struct phi_string){ text, n };
	return 0;
}

int
phi_added_kinds(struct phi_tokenizer_json *file, int32_t *kinds, struct phi_arena *arena,
	struct phi_err *err)
{
	for (uint32_t i = 0; i < file->rows; i++)
		kinds[i] = PHI_TOKEN_NORMAL;
	for (size_t i = 0; i < file->nadded; i++) {
		const struct phi_added_token *const t = &file->added[i];
		struct phi_string *const text = &file->tokens[t->id];
		if (!t->normalized && file->byte_decoder &&
			phi_bytelevel_decode(t->text, arena, text, err) < 0)
			return -1;
		const bool control = t->special || looks_special(*text);
		kinds[t->id] = control ? PHI_TOKEN_CONTROL : PHI_TOKEN_USER_DEFINED;
		if (!control && plain_spaces(text, arena, err) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < file->rows; i++) {
		struct phi_string *const text = &file->tokens[i];
		if (text->data)
			continue;
		text->data = phi_arena_printf(arena, err, "[PAD%" PRIu32 "]", i);
		if (!text->data)
			return -1;
		text->size = strlen(text->data);
		kinds[i] = PHI_TOKEN_UNUSED;
	}
	return 0;
}
