#include "formats/tokenizer/write.h"

#include "formats/core/escape.h"
#include "formats/core/json_write.h"
#include "formats/core/memory.h"
#include "formats/tokenizer/merges.h"
#include "formats/tokenizer/pretokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
phi_tokenizer_byte_level(const struct phi_vocabulary *v)
{
	return !strcmp(v->model, "gpt2");
}

bool
phi_tokenizer_padding(const struct phi_vocabulary *v, uint32_t id)
{
	char text[24];
	const size_t n = (size_t)snprintf(text, sizeof text, "[PAD%" PRIu32 "]", id);
	const struct phi_string *const s = &v->tokens[id];
	return !s->size || (v->kinds[id] == PHI_TOKEN_UNUSED && s->size == n && !memcmp(s->data, text, n));
}

bool
phi_tokenizer_added(const struct phi_vocabulary *v, uint32_t id)
{
	const int32_t kind = v->kinds[id];
	return (kind == PHI_TOKEN_CONTROL || kind == PHI_TOKEN_USER_DEFINED || kind == PHI_TOKEN_UNKNOWN) &&
		!phi_tokenizer_padding(v, id);
}

uint32_t
phi_tokenizer_pieces(const struct phi_vocabulary *v)
{
	uint32_t n = v->ntokens;
	while (n && v->kinds[n - 1] != PHI_TOKEN_NORMAL && v->kinds[n - 1] != PHI_TOKEN_BYTE &&
		v->kinds[n - 1] != PHI_TOKEN_UNKNOWN)
		n--;
	return n;
}

bool
phi_tokenizer_adds(const struct phi_vocabulary *v, enum phi_special special)
{
	if (v->special[special] < 0)
		return false;
	for (unsigned i = 0; i < v->nadd; i++)
		if (v->add[i].special == special)
			return v->add[i].added;
	return special == PHI_SPECIAL_BOS && !phi_tokenizer_byte_level(v);
}

static bool
is(struct phi_string s, const char *text)
{
	return s.size == strlen(text) && !memcmp(s.data, text, s.size);
}

/* As the published files of Phi-3 to Phi-4 have it; </s> is one of them where it is no control token. */
static bool
strips(const struct phi_vocabulary *v, const struct phi_tokenizer_form *form, uint32_t id)
{
	const struct phi_string s = v->tokens[id];
	if (!form->strips || is(s, "<|endoftext|>") || is(s, "<|endofprompt|>"))
		return false;
	if (is(s, "</s>"))
		return v->kinds[id] == PHI_TOKEN_USER_DEFINED;
	return s.size > 4 && !memcmp(s.data, "<|", 2) && !memcmp(s.data + s.size - 2, "|>", 2);
}

void
phi_tokenizer_write_flags(struct phi_json_writer *w, const struct phi_vocabulary *v,
	const struct phi_tokenizer_form *form, uint32_t id)
{
	phi_json_write_string(w, "content", v->tokens[id]);
	phi_json_write_flag(w, "single_word", false);
	phi_json_write_flag(w, "lstrip", false);
	phi_json_write_flag(w, "rstrip", strips(v, form, id));
	phi_json_write_flag(w, "normalized", false);
	phi_json_write_flag(w, "special", v->kinds[id] != PHI_TOKEN_USER_DEFINED);
}

/* Texts with their ids: each text once. */
static struct phi_names *
index_texts(const struct phi_vocabulary *v, struct phi_err *err)
{
	struct phi_names *const names = phi_names_new(err);
	for (uint32_t i = 0; names && i < v->ntokens; i++) {
		struct phi_quoted q;
		const struct phi_string s = v->tokens[i];
		const int twice = phi_tokenizer_padding(v, i) ? 0 : phi_names_add(names, s.data, s.size, i, err);
		if (twice > 0)
			phi_fail(err, PHI_UNSUPPORTED, "tokens %" PRIu32 " and %" PRIu32 " are both %s, which tokenizer.json "
				"cannot say", phi_names_find(names, s.data, s.size), i, phi_quote(&q, s.data));
		if (twice) {
			phi_names_free(names);
			return NULL;
		}
	}
	return names;
}

/* "a b": both and their sum are tokens. */
static int
check_merge(const struct phi_vocabulary *v, const struct phi_names *names, uint32_t i, struct phi_err *err)
{
	const struct phi_string m = v->merges[i];
	const char *const space = memchr(m.data, ' ', m.size);
	char text[PHI_MERGED_TOKEN_MAX];
	struct phi_quoted q;
	if (!space || m.size - 1 > sizeof text)
		return phi_fail(err, PHI_FORMAT, "merge %" PRIu32 " (%s) is no pair of at most %zu bytes", i,
			phi_quote(&q, m.data), sizeof text);
	const size_t left = (size_t)(space - m.data);
	memcpy(text, m.data, left);
	memcpy(text + left, space + 1, m.size - left - 1);
	if (phi_names_find(names, m.data, left) == PHI_NONE ||
		phi_names_find(names, space + 1, m.size - left - 1) == PHI_NONE ||
		phi_names_find(names, text, m.size - 1) == PHI_NONE)
		return phi_fail(err, PHI_FORMAT, "merge %" PRIu32 " (%s) is not of tokens", i, phi_quote(&q, m.data));
	return 0;
}

static int
check_byte_level(const struct phi_vocabulary *v, const struct phi_names *names, struct phi_err *err)
{
	struct phi_pretokenizer pre;
	struct phi_quoted q;
	if (!phi_pretokenizer_find(v->pre, &pre))
		return phi_fail(err, PHI_UNSUPPORTED, "the pre-tokenizer %s is not known; name one that splits as it "
			"does with --pre (gpt-2, dbrx, llama-bpe, gpt-4o)", v->pre ? phi_quote(&q, v->pre) : "(none named)");
	if (v->lowercase > 0 || v->strip_accents > 0)
		return phi_fail(err, PHI_UNSUPPORTED, "byte-level tokens of texts that are changed first are not known");
	if (!v->nmerges)
		return phi_fail(err, PHI_FORMAT, "key tokenizer.ggml.merges is missing");
	for (uint32_t i = 0; i < v->nmerges; i++)
		if (check_merge(v, names, i, err) < 0)
			return -1;
	return 0;
}

static int
check_pieces(const struct phi_vocabulary *v, struct phi_err *err)
{
	uint32_t nbytes = 0;
	for (uint32_t i = 0; i < v->ntokens; i++) {
		nbytes += v->kinds[i] == PHI_TOKEN_BYTE;
		if (v->tokens[i].size > PHI_MERGED_TOKEN_MAX)
			return phi_fail(err, PHI_LIMIT, "token %" PRIu32 " has %zu bytes, at most %d", i,
				v->tokens[i].size, PHI_MERGED_TOKEN_MAX);
	}
	if (!v->scores)
		return phi_fail(err, PHI_FORMAT, "key tokenizer.ggml.scores is missing");
	if (nbytes != 256)
		return phi_fail(err, PHI_UNSUPPORTED, "%" PRIu32 " tokens for bytes, where 256 belong", nbytes);
	if (v->special[PHI_SPECIAL_UNK] < 0)
		return phi_fail(err, PHI_UNSUPPORTED, "key tokenizer.ggml.unknown_token_id is missing, which a tokenizer "
			"of the SentencePiece kind needs");
	return 0;
}

int
phi_tokenizer_expressible(const struct phi_vocabulary *v, struct phi_err *err)
{
	struct phi_quoted q;
	if (!phi_tokenizer_byte_level(v) && strcmp(v->model, "llama") != 0)
		return phi_fail(err, PHI_UNSUPPORTED, "a vocabulary of the kind %s; gpt2 and llama are known",
			phi_quote(&q, v->model));
	struct phi_names *const names = index_texts(v, err);
	if (!names)
		return -1;
	const int result = phi_tokenizer_byte_level(v) ? check_byte_level(v, names, err) : check_pieces(v, err);
	phi_names_free(names);
	return result;
}
