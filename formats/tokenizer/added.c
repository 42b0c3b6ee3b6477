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

/* The added tokens by text, so that ten thousand of them do not cost a hundred million looks. */
struct book {
	struct phi_tokenizer_json *file;
	struct phi_arena *arena;
	struct phi_names *added; /* -> index into file->added */
	uint32_t next;		 /* the id of a token that is quite new */
	bool decoder;		 /* there is an added_tokens_decoder */
};

static struct phi_added_token *
find(const struct book *book, const char *text)
{
	const uint32_t i = phi_names_find(book->added, text, strlen(text));
	return i == PHI_NONE ? NULL : &book->file->added[i];
}

static struct phi_added_token *
add(struct book *book, const char *text, struct phi_err *err)
{
	const struct phi_string copy = { phi_arena_strdup(book->arena, text, err), strlen(text) };
	struct phi_added_token *const t =
		copy.data ? phi_tokenizer_json_add(book->file, copy, &book->next, err) : NULL;
	if (!t || phi_names_add(book->added, copy.data, copy.size,
		(uint32_t)(book->file->nadded - 1), err) < 0)
		return NULL;
	return t;
}

static int
by_id(const void *a, const void *b)
{
	const struct phi_added_entry *const x = a, *const y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int
read_entry(const char *key, json_t *value, struct phi_added_entry *out, struct phi_err *err)
{
	struct phi_quoted q;
	char *end;
	*out = (struct phi_added_entry){ strtoull(key, &end, 10),
		json_string_value(json_object_get(value, "content")), value };
	if (*key < '0' || *key > '9' || *end)
		return phi_fail(err, PHI_FORMAT, "added_tokens_decoder: %s is no id",
			phi_quote(&q, key));
	if (!out->text || !*out->text)
		return phi_fail(err, PHI_FORMAT,
			"added_tokens_decoder: entry %" PRIu64 " has no content", out->id);
	return 0;
}

int
phi_added_entries(json_t *decoder, struct phi_added_entry **out, size_t *n, struct phi_err *err)
{
	struct phi_added_entry *const all = phi_calloc(json_object_size(decoder) + 1, sizeof *all, err);
	int result = all ? 0 : -1;
	*n = 0;
	for (void *i = json_object_iter(decoder); result == 0 && i;
		i = json_object_iter_next(decoder, i))
		result = read_entry(json_object_iter_key(i), json_object_iter_value(i), &all[(*n)++],
			err);
	if (result < 0) {
		phi_free(all);
		*out = NULL;
		return -1;
	}
	if (*n)
		qsort(all, *n, sizeof *all, by_id);
	*out = all;
	return 0;
}

static int
merge_entry(struct book *book, const struct phi_added_entry *entry, struct phi_err *err)
{
	struct phi_added_token *t = find(book, entry->text);
	if (!t)
		t = add(book, entry->text, err);
	if (!t)
		return -1;
	const json_t *const normalized = json_object_get(entry->value, "normalized");
	t->special = json_is_true(json_object_get(entry->value, "special"));
	t->normalized = normalized ? json_is_true(normalized) : !t->special;
	t->confirmed = true;
	return 0;
}

/* In the order of the ids, which is that of adding. */
static int
merge_decoder(struct book *book, json_t *decoder, struct phi_err *err)
{
	struct phi_added_entry *all;
	size_t n;
	int result = phi_added_entries(decoder, &all, &n, err);
	for (size_t i = 0; result == 0 && i < n; i++)
		result = merge_entry(book, &all[i], err);
	phi_free(all);
	return result;
}

static int
make_special(struct book *book, const json_t *entry, bool named, struct phi_err *err)
{
	const char *const text = phi_special_text(entry);
	if (!text || !*text)
		return 0;
	struct phi_added_token *const known = find(book, text);
	struct phi_added_token *const t = known ? known : add(book, text, err);
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
	if (merge_decoder(book, decoder, err) < 0)
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

/* Tokens added later are numbered from the highest added one on, if that is beyond the vocabulary. */
static int
index_added(struct book *book, struct phi_err *err)
{
	const struct phi_tokenizer_json *const file = book->file;
	book->next = file->nvocab;
	for (size_t i = 0; i < file->nadded; i++) {
		const struct phi_added_token *const t = &file->added[i];
		if (phi_names_add(book->added, t->text.data, t->text.size, (uint32_t)i, err) < 0)
			return -1;
		if (t->id >= book->next)
			book->next = t->id + 1;
	}
	return 0;
}

int
phi_added_complete(struct phi_tokenizer_json *file, json_t *config, struct phi_arena *arena,
	struct phi_err *err)
{
	struct book book = { .file = file, .arena = arena };
	book.added = phi_names_new(err);
	const int result = book.added && index_added(&book, err) == 0
		? complete(&book, config, err) : -1;
	phi_names_free(book.added);
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
	return phi_added_pad(file->tokens, kinds, file->rows, arena, err);
}

int
phi_added_pad(struct phi_string *tokens, int32_t *kinds, uint32_t n, struct phi_arena *arena,
	struct phi_err *err)
{
	for (uint32_t i = 0; i < n; i++) {
		if (tokens[i].data)
			continue;
		tokens[i].data = phi_arena_printf(arena, err, "[PAD%" PRIu32 "]", i);
		if (!tokens[i].data)
			return -1;
		tokens[i].size = strlen(tokens[i].data);
		kinds[i] = PHI_TOKEN_UNUSED;
	}
	return 0;
}
