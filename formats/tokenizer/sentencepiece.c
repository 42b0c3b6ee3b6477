#include "formats/tokenizer/sentencepiece.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/names.h"
#include "formats/core/wire.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { UNIGRAM = 1, BPE = 2 };

struct reading {
	struct phi_vocabulary *out;
	struct phi_arena *arena;
	uint32_t rows, n;
	/* Texts that are met in a text, and those that stand for something else (unknown, control, byte):
	 * the library has two sets, and the same text may be in both. */
	struct phi_names *texts, *reserved;
	uint32_t nunknown, nbytes;
	uint64_t algorithm;
	bool byte_fallback, suffix;
	bool table, space_first, one_space, mark_spaces;
};

static int
text_of(const struct phi_wire_field *f, struct reading *r, struct phi_string *text, struct phi_err *err)
{
	if (phi_wire_expect(f, PHI_WIRE_BYTES, "the text", err) < 0)
		return -1;
	if (!phi_utf8_valid((const char *)f->bytes.next, f->bytes.size))
		return phi_fail(err, PHI_FORMAT, "the text is not valid UTF-8");
	text->size = f->bytes.size;
	text->data = phi_arena_copy(r->arena, f->bytes.next, f->bytes.size, err);
	return text->data ? 0 : -1;
}

static int
read_piece(struct phi_wire message, struct reading *r, struct phi_string *text, float *score,
	uint64_t *kind, struct phi_err *err)
{
	struct phi_wire_field f;
	int more;
	while ((more = phi_wire_next(&message, &f, err)) > 0) {
		int result = 0;
		if (f.number == 1) {
			result = text_of(&f, r, text, err);
		} else if (f.number == 2) {
			result = phi_wire_expect(&f, PHI_WIRE_4_BYTES, "the score", err);
			*score = phi_float32((uint32_t)f.value);
		} else if (f.number == 3) {
			result = phi_wire_expect(&f, PHI_WIRE_VARINT, "the kind", err);
			*kind = f.value;
		}
		if (result < 0)
			return -1;
	}
	return more;
}

bool
phi_sentencepiece_byte(struct phi_string s)
{
	static const char hex[] = "0123456789ABCDEF";
	return s.size == 6 && !memcmp(s.data, "<0x", 3) && s.data[3] && strchr(hex, s.data[3]) &&
		s.data[4] && strchr(hex, s.data[4]) && s.data[5] == '>';
}

static int
check_piece(struct reading *r, struct phi_string text, float score, uint64_t kind, struct phi_err *err)
{
	struct phi_quoted q;
	if (!text.size)
		return phi_fail(err, PHI_FORMAT, "no text");
	if (!isfinite(score))
		return phi_fail(err, PHI_FORMAT, "%s has no finite score", phi_quote(&q, text.data));
	if (kind < PHI_TOKEN_NORMAL || kind > PHI_TOKEN_BYTE)
		return phi_fail(err, PHI_FORMAT, "%s is of kind %" PRIu64 ", 1 to 6 are known",
			phi_quote(&q, text.data), kind);
	if (kind == PHI_TOKEN_BYTE && !phi_sentencepiece_byte(text))
		return phi_fail(err, PHI_FORMAT, "%s stands for no byte", phi_quote(&q, text.data));
	const bool met = kind == PHI_TOKEN_NORMAL || kind == PHI_TOKEN_USER_DEFINED ||
		kind == PHI_TOKEN_UNUSED;
	const int twice = phi_names_add(met ? r->texts : r->reserved, text.data, text.size, r->n, err);
	if (twice > 0)
		return phi_fail(err, PHI_FORMAT, "%s is there twice", phi_quote(&q, text.data));
	return twice;
}

/* User-defined pieces are written as normal ones, as the official converter does. */
static int
add_piece(struct phi_wire message, struct reading *r, struct phi_err *err)
{
	struct phi_string text = { "", 0 };
	float score = 0;
	uint64_t kind = PHI_TOKEN_NORMAL;
	if (r->n == r->rows)
		return phi_fail(err, PHI_FORMAT,
			"more pieces than the embedding has rows (%" PRIu32 ")", r->rows);
	if (read_piece(message, r, &text, &score, &kind, err) < 0 ||
		check_piece(r, text, score, kind, err) < 0)
		return phi_context(err, "piece %" PRIu32, r->n);
	r->nunknown += kind == PHI_TOKEN_UNKNOWN;
	r->nbytes += kind == PHI_TOKEN_BYTE;
	r->out->tokens[r->n] = text;
	r->out->scores[r->n] = score;
	r->out->kinds[r->n] = kind == PHI_TOKEN_USER_DEFINED ? PHI_TOKEN_NORMAL : (int32_t)kind;
	r->n++;
	return 0;
}

static int
read_training(struct phi_wire message, struct reading *r, struct phi_err *err)
{
	struct phi_wire_field f;
	int more;
	while ((more = phi_wire_next(&message, &f, err)) > 0) {
		if (f.number != 3 && f.number != 24 && f.number != 35)
			continue;
		if (phi_wire_expect(&f, PHI_WIRE_VARINT, "a setting of the training", err) < 0)
			return -1;
		if (f.number == 3)
			r->algorithm = f.value;
		else if (f.number == 24)
			r->suffix = f.value != 0;
		else
			r->byte_fallback = f.value != 0;
	}
	return more;
}

static int
read_normalizer(struct phi_wire message, struct reading *r, struct phi_err *err)
{
	struct phi_wire_field f;
	int more;
	while ((more = phi_wire_next(&message, &f, err)) > 0) {
		if (f.number < 2 || f.number > 5)
			continue;
		if (phi_wire_expect(&f, f.number == 2 ? PHI_WIRE_BYTES : PHI_WIRE_VARINT,
			    "a setting of the normalizer", err) < 0)
			return -1;
		if (f.number == 2)
			r->table = f.bytes.size > 0;
		else if (f.number == 3)
			r->space_first = f.value != 0;
		else if (f.number == 4)
			r->one_space = f.value != 0;
		else
			r->mark_spaces = f.value != 0;
	}
	return more;
}

static int
read_model(struct phi_wire message, struct reading *r, struct phi_err *err)
{
	struct phi_wire_field f;
	int more;
	while ((more = phi_wire_next(&message, &f, err)) > 0) {
		if (f.number > 3)
			continue;
		if (phi_wire_expect(&f, PHI_WIRE_BYTES, "a part of the model", err) < 0 ||
			(f.number == 1 ? add_piece : f.number == 2 ? read_training : read_normalizer)(
				f.bytes, r, err) < 0)
			return -1;
	}
	return more;
}

static int
check_pieces(const struct reading *r, struct phi_err *err)
{
	if (!r->n)
		return phi_fail(err, PHI_FORMAT, "no pieces: this is no SentencePiece model");
	if (r->nunknown != 1)
		return phi_fail(err, PHI_FORMAT, "%" PRIu32 " unknown pieces, where one must be",
			r->nunknown);
	if (r->byte_fallback ? r->nbytes != 256 : r->nbytes != 0)
		return phi_fail(err, PHI_FORMAT, "%" PRIu32 " pieces for bytes, %s byte fallback",
			r->nbytes, r->byte_fallback ? "256 belong to" : "but no");
	return 0;
}

static int
check_settings(const struct reading *r, struct phi_err *err)
{
	static const char *const names[] = { "an unknown", "the unigram", "the BPE", "the word",
		"the character" };
	if (r->algorithm != BPE)
		return phi_fail(err, PHI_UNSUPPORTED,
			"a tokenizer of %s algorithm; llama.cpp's vocabulary of this kind is BPE",
			names[r->algorithm <= 4 ? r->algorithm : 0]);
	if (r->table)
		return phi_fail(err, PHI_UNSUPPORTED, "texts are normalized by a table of characters, "
						      "which llama.cpp does not do");
	if (r->one_space || !r->mark_spaces || r->suffix)
		return phi_fail(err, PHI_UNSUPPORTED, "%s, which llama.cpp does not do",
			r->one_space ? "spaces in a row become one" :
			r->suffix ? "the mark of a space comes behind the word" :
				    "spaces are not marked by U+2581");
	return 0;
}

int
phi_sentencepiece_read(const struct phi_side *side, uint32_t rows, struct phi_arena *arena,
	struct phi_vocabulary *out, uint32_t *npieces, struct phi_err *err)
{
	struct reading r = { .out = out, .arena = arena, .rows = rows, .algorithm = UNIGRAM,
		.space_first = true, .one_space = true, .mark_spaces = true };
	r.texts = phi_names_new(err);
	r.reserved = r.texts ? phi_names_new(err) : NULL;
	const struct phi_wire message = { side->data, side->size };
	int result = r.reserved ? read_model(message, &r, err) : -1;
	if (result == 0 && (check_pieces(&r, err) < 0 || check_settings(&r, err) < 0))
		result = -1;
	phi_names_free(r.texts);
	phi_names_free(r.reserved);
	out->space_first = r.space_first;
	*npieces = r.n;
	return result;
}
