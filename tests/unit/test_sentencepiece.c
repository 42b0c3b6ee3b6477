/* tokenizer.model and what is laid over its pieces. Files that SentencePiece itself made, and those that
 * it refuses, too, are the peer tests' (test_sentencepiece.py); here each rule has its case. */
#include "formats/core/wire.h"
#include "formats/tokenizer/vocabulary.h"
#include "tests/unit/spm_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct phi_model *model;
	struct phi_vocabulary v;
	struct phi_err err;
};

enum { ROWS = 8 };

static void
side(struct fixture *f, const char *name, const void *data, size_t size)
{
	if (data)
		assert_int_equal(phi_model_add_side(f->model, name, data, size, &f->err), 0);
}

static int
read_with(struct fixture *f, const struct spm *spm, uint32_t rows, const char *added, const char *config,
	const char *tokenizer)
{
	*f = (struct fixture){ .model = phi_model_new("hf", NULL) };
	side(f, "tokenizer.model", spm->data, spm->size);
	side(f, "added_tokens.json", added, added ? strlen(added) : 0);
	side(f, "tokenizer_config.json", config, config ? strlen(config) : 0);
	side(f, "tokenizer.json", tokenizer, tokenizer ? strlen(tokenizer) : 0);
	return phi_vocabulary_read(f->model, rows, NULL, f->model->arena, &f->v, &f->err);
}

static struct spm
plain(void)
{
	struct spm s = { .size = 0 };
	spm_piece(&s, "<unk>", 0, 2);
	spm_piece(&s, "<s>", 0, 3);
	spm_piece(&s, "\xe2\x96\x81t", -0.5F, 0);
	spm_piece(&s, "mine", 0, 4);
	spm_piece(&s, "gone", 0, 5);
	spm_settings(&s, 2, 0, 0);
	return s;
}

static void
token(const struct fixture *f, uint32_t id, const char *text, float score, enum phi_token_kind kind)
{
	assert_string_equal(f->v.tokens[id].data, text);
	assert_int_equal(f->v.tokens[id].size, strlen(text));
	assert_int_equal(f->v.kinds[id], kind);
	assert_true(f->v.scores[id] >= score && f->v.scores[id] <= score);
}

static void
reads_pieces(void **state)
{
	(void)state;
	struct fixture f;
	const struct spm s = plain();
	assert_int_equal(read_with(&f, &s, ROWS, NULL, NULL, NULL), 0);
	assert_string_equal(f.v.model, "llama");
	assert_string_equal(f.v.pre, "default");
	assert_int_equal(f.v.ntokens, ROWS);
	assert_int_equal(f.v.space_first, 1);
	assert_int_equal(f.v.nmerges, 0);
	token(&f, 0, "<unk>", 0, PHI_TOKEN_UNKNOWN);
	token(&f, 1, "<s>", 0, PHI_TOKEN_CONTROL);
	token(&f, 2, "\xe2\x96\x81t", -0.5F, PHI_TOKEN_NORMAL);
	token(&f, 3, "mine", 0, PHI_TOKEN_NORMAL);
	token(&f, 4, "gone", 0, PHI_TOKEN_UNUSED);
	token(&f, 5, "[PAD5]", -10000, PHI_TOKEN_UNUSED);
	phi_model_free(f.model);
}

/* All 256 bytes, in the pieces and in the settings. */
static void
reads_bytes(void **state)
{
	(void)state;
	struct fixture f;
	struct spm s = { .size = 0 };
	spm_piece(&s, "<unk>", 0, 2);
	spm_byte_pieces(&s, 256);
	spm_settings(&s, 2, 1, 0);
	assert_int_equal(read_with(&f, &s, 257, NULL, NULL, NULL), 0);
	token(&f, 256, "<0xFF>", 0, PHI_TOKEN_BYTE);
	phi_model_free(f.model);
}

/* Each file replaces what the one before it laid; ids beyond the embedding count only in added_tokens.json,
 * and special ids beyond it not at all. */
static void
lays_added(void **state)
{
	(void)state;
	struct fixture f;
	const struct spm s = plain();
	assert_int_equal(read_with(&f, &s, ROWS, "{\"x\": 5, \"y\": 6, \"far\": 9}",
		"{\"added_tokens_decoder\": {\"6\": {\"content\": \"Y\", \"special\": true},"
		"\"7\": {\"content\": \"z\"}}, \"bos_token\": \"<s>\", \"eos_token\": \"q\", \"unk_token\": \"far\"}",
		"{\"added_tokens\": [{\"id\": 7, \"content\": \"q\", \"special\": true},"
		"{\"id\": 1, \"content\": \"<s>\", \"special\": false}], \"pre_tokenizer\": null}"), 0);
	token(&f, 1, "<s>", -1000, PHI_TOKEN_USER_DEFINED);
	token(&f, 5, "x", -1000, PHI_TOKEN_USER_DEFINED);
	token(&f, 6, "Y", -1000, PHI_TOKEN_CONTROL);
	token(&f, 7, "q", -1000, PHI_TOKEN_CONTROL);
	assert_int_equal(f.v.special[PHI_SPECIAL_BOS], 1);
	assert_int_equal(f.v.special[PHI_SPECIAL_EOS], 7);
	assert_int_equal(f.v.special[PHI_SPECIAL_UNK], -1);
	phi_model_free(f.model);
}

static void
refuses_added(void **state)
{
	(void)state;
	static const struct {
		const char *added, *config, *tokenizer, *text;
	} all[] = {
		{ "[1]", NULL, NULL, "added_tokens.json: no object" },
		{ "{\"a\": \"1\"}", NULL, NULL, "added_tokens.json: token a has no id" },
		{ "{\"a\": -1}", NULL, NULL, "added_tokens.json: token a has no id" },
		{ NULL, "{\"added_tokens_decoder\": {\"8\": {\"content\": \"a\"}}}", NULL,
			"tokenizer_config.json: token a has id 8, but the embedding has 8 rows" },
		{ NULL, "{\"added_tokens_decoder\": {\"1x\": {\"content\": \"a\"}}}", NULL, "is no id" },
		{ NULL, NULL, "{\"added_tokens\": [{\"id\": 8, \"content\": \"a\"}]}",
			"tokenizer.json: token a has id 8" },
	};
	const struct spm s = plain();
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct fixture f;
		assert_int_equal(read_with(&f, &s, ROWS, all[i].added, all[i].config, all[i].tokenizer), -1);
		assert_int_equal(f.err.kind, PHI_FORMAT);
		if (!strstr(f.err.text, all[i].text))
			fail_msg("%s", f.err.text);
		phi_model_free(f.model);
	}
}

/* One piece too many or amiss, in front of settings. */
static void
refuse_piece(const char *text, float score, unsigned kind, unsigned fallback, const char *message)
{
	struct fixture f;
	struct spm s = { .size = 0 };
	spm_piece(&s, "<unk>", 0, 2);
	spm_piece(&s, "a", 0, 0);
	spm_piece(&s, text, score, kind);
	spm_settings(&s, 2, fallback, 0);
	assert_int_equal(read_with(&f, &s, ROWS, NULL, NULL, NULL), -1);
	assert_int_equal(f.err.kind, PHI_FORMAT);
	if (!strstr(f.err.text, message))
		fail_msg("%s", f.err.text);
	phi_model_free(f.model);
}

static void
refuses_pieces(void **state)
{
	(void)state;
	refuse_piece("a", 0, 0, 0, "piece 2: a is there twice");
	refuse_piece("", 0, 0, 0, "piece 2: no text");
	refuse_piece("\xff", 0, 0, 0, "piece 2: the text is not valid UTF-8");
	refuse_piece("b", 0, 7, 0, "is of kind 7");
	refuse_piece("b", -phi_float32(0x7f800000), 0, 0, "no finite score");
	refuse_piece("b", 0, 2, 0, "2 unknown pieces");
	refuse_piece("b", 0, 6, 1, "b stands for no byte");
	refuse_piece("<0x0a>", 0, 6, 1, "stands for no byte");
	refuse_piece("<0x0A>", 0, 6, 0, "1 pieces for bytes, but no byte fallback");
	refuse_piece("<0x0A>", 0, 6, 1, "1 pieces for bytes, 256 belong to byte fallback");
}

/* The same text may be a piece and the name of a control, as in the library. */
static void
keeps_two_sets(void **state)
{
	(void)state;
	struct fixture f;
	struct spm s = { .size = 0 };
	spm_piece(&s, "<unk>", 0, 2);
	spm_piece(&s, "a", 0, 3);
	spm_piece(&s, "a", 0, 1);
	spm_settings(&s, 2, 0, 0);
	assert_int_equal(read_with(&f, &s, ROWS, NULL, NULL, NULL), 0);
	phi_model_free(f.model);
}

static void
refuses_settings(void **state)
{
	(void)state;
	static const struct {
		unsigned algorithm, one_space;
		const char *text;
	} all[] = { { 1, 0, "the unigram algorithm" }, { 3, 0, "the word algorithm" },
		{ 9, 0, "an unknown algorithm" }, { 2, 1, "spaces in a row become one" } };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct fixture f;
		struct spm s = { .size = 0 };
		spm_piece(&s, "<unk>", 0, 2);
		spm_settings(&s, all[i].algorithm, 0, all[i].one_space);
		assert_int_equal(read_with(&f, &s, ROWS, NULL, NULL, NULL), -1);
		assert_int_equal(f.err.kind, PHI_UNSUPPORTED);
		if (!strstr(f.err.text, all[i].text))
			fail_msg("%s", f.err.text);
		phi_model_free(f.model);
	}
}

/* More pieces than rows; and the file cut at each of its bytes: a message, and no read behind the end. */
static void
refuses_sizes(void **state)
{
	(void)state;
	struct fixture f;
	struct spm s = plain();
	assert_int_equal(read_with(&f, &s, 4, NULL, NULL, NULL), -1);
	assert_non_null(strstr(f.err.text, "more pieces than the embedding has rows (4)"));
	phi_model_free(f.model);
	for (const size_t whole = s.size; s.size > 0;) {
		s.size--;
		const int result = read_with(&f, &s, ROWS, NULL, NULL, NULL);
		assert_true(result == -1 && f.err.text[0]);
		phi_model_free(f.model);
		assert_true(s.size < whole);
	}
}

#define MARK "\xe2\x96\x81"
#define REPLACE "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" MARK "\"}"
#define PREPEND "{\"type\": \"Prepend\", \"prepend\": \"" MARK "\"}"
#define NORMALIZER(list) "{\"type\": \"Sequence\", \"normalizers\": [" list "]}"
#define METASPACE(scheme, split) "{\"type\": \"Metaspace\", \"replacement\": \"" MARK "\", \"prepend_scheme\": \"" scheme \
	"\", \"split\": " split "}"

/* tokenizer.json without tokenizer.model: unknown, 256 bytes, then a, b, c, ab, abc, and what is asked for. */
static void
read_form(struct fixture *f, const char *normalizer, const char *pre, const char *vocab, const char *merges,
	const char *flags)
{
	static char text[16384];
	size_t n = (size_t)snprintf(text, sizeof text, "{\"added_tokens\": [{\"id\": 0, \"content\": \"<unk>\", "
		"\"special\": true}], \"normalizer\": %s, \"pre_tokenizer\": %s, \"model\": {\"type\": \"BPE\", "
		"\"unk_token\": \"<unk>\", \"byte_fallback\": true, %s \"vocab\": {\"<unk>\": 0", normalizer, pre, flags);
	for (unsigned i = 0; i < 256; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, ", \"<0x%02X>\": %u", i, i + 1);
	snprintf(text + n, sizeof text - n, ", \"a\": 257, \"b\": 258, \"c\": 259, \"ab\": 260, "
		"\"abc\": 261 %s}, \"merges\": [%s]}}", vocab, merges);
	*f = (struct fixture){ .model = phi_model_new("hf", NULL) };
	side(f, "tokenizer.json", text, strlen(text));
}

/* Of Llama's form. */
static void
read_alone(struct fixture *f, const char *vocab, const char *merges, const char *flags)
{
	read_form(f, NORMALIZER(PREPEND ", " REPLACE), "null", vocab, merges, flags);
}

/* Who marks the spaces, and whether one is put first. */
static void
marks_spaces(void **state)
{
	(void)state;
	static const struct {
		const char *normalizer, *pre;
		int first; /* -1: refused */
	} all[] = {
		{ NORMALIZER(PREPEND ", " REPLACE), "null", 1 },
		{ NORMALIZER(REPLACE), "null", 0 },
		{ "null", METASPACE("first", "false"), 1 },
		{ "null", METASPACE("always", "false"), 1 },
		{ "null", METASPACE("never", "false"), 0 },
		{ "null", METASPACE("first", "true"), -1 },
		{ "null", METASPACE("other", "false"), -1 },
		{ "null", "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"first\", \"split\": false}", -1 },
		{ "null", "{\"type\": \"Metaspace\", \"replacement\": \"" MARK "\", \"add_prefix_space\": true}", -1 },
		{ NORMALIZER(REPLACE), METASPACE("first", "false"), -1 },
		{ NORMALIZER(REPLACE ", " PREPEND), "null", -1 },
		{ NORMALIZER(PREPEND), "null", -1 },
		{ "null", "null", -1 },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct fixture f;
		read_form(&f, all[i].normalizer, all[i].pre, "", "\"ab c\", \"a b\"", "");
		const int result = phi_vocabulary_read(f.model, 264, NULL, f.model->arena, &f.v, &f.err);
		if (all[i].first < 0)
			assert_true(result == -1 && strstr(f.err.text, "tokenizer.model is missing"));
		else
			assert_true(result == 0 && f.v.space_first == all[i].first);
		phi_model_free(f.model);
	}
}

static void
scores_merges(void **state)
{
	(void)state;
	struct fixture f;
	read_alone(&f, "", "\"ab c\", \"a b\"", "");
	assert_int_equal(phi_vocabulary_read(f.model, 264, NULL, f.model->arena, &f.v, &f.err), 0);
	assert_string_equal(f.v.model, "llama");
	assert_int_equal(f.v.nmerges, 0);
	token(&f, 0, "<unk>", -1000, PHI_TOKEN_CONTROL);
	token(&f, 256, "<0xFF>", 0, PHI_TOKEN_BYTE);
	token(&f, 257, "a", -2, PHI_TOKEN_NORMAL);
	token(&f, 259, "c", -4, PHI_TOKEN_NORMAL);
	token(&f, 260, "ab", -1, PHI_TOKEN_NORMAL);
	token(&f, 261, "abc", 0, PHI_TOKEN_NORMAL);
	token(&f, 263, "[PAD263]", -10000, PHI_TOKEN_UNUSED);
	phi_model_free(f.model);
}

static void
refuses_merges(void **state)
{
	(void)state;
	static const struct {
		const char *vocab, *merges, *flags, *text;
	} all[] = {
		{ "", "\"a b\"", "", "1 merges where tokens can be put together in 2 ways" },
		{ ", \"bc\": 262", "\"a b\", \"ab c\", \"b c\"", "", "3 merges where tokens can be put together in 4" },
		{ ", \"bc\": 262", "\"a bc\", \"a b\", \"ab c\", \"b c\"", "", "make abc do not stand together" },
		{ "", "\"a b\", \"b c\"", "", "merge 1 (b c) makes no token" },
		{ "", "\"ab\"", "", "merge 0 is no pair" },
		{ "", "\"a b c\"", "", "merge 0 is no pair" },
		{ "", "", "\"ignore_merges\": true,", "tokenizer.model is missing" },
		{ "", "", "\"end_of_word_suffix\": \"x\",", "tokenizer.model is missing" },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct fixture f;
		read_alone(&f, all[i].vocab, all[i].merges, all[i].flags);
		assert_int_equal(
			phi_vocabulary_read(f.model, 264, NULL, f.model->arena, &f.v, &f.err), -1);
		if (!strstr(f.err.text, all[i].text))
			fail_msg("%s", f.err.text);
		phi_model_free(f.model);
	}
}

static int
next(const void *data, size_t size, struct phi_wire_field *f, struct phi_err *err)
{
	struct phi_wire w = { data, size };
	*err = (struct phi_err){ 0 };
	return phi_wire_next(&w, f, err);
}

static void
scans_the_wire(void **state)
{
	(void)state;
	struct phi_wire_field f;
	struct phi_err err;
	assert_int_equal(next("\x08\x96\x01", 3, &f, &err), 1);
	assert_true(f.number == 1 && f.type == PHI_WIRE_VARINT && f.value == 150);
	assert_int_equal(next("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, &f, &err), 1);
	assert_true(f.value == UINT64_MAX);
	assert_int_equal(next("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, &f, &err), -1);
	assert_int_equal(err.kind, PHI_FORMAT);
	assert_int_equal(next("\x19\x01\x02\x03\x04\x05\x06\x07\x08", 9, &f, &err), 1);
	assert_true(f.number == 3 && f.value == UINT64_C(0x0807060504030201));
	assert_int_equal(next("\x15\x01\x02\x03\x04", 5, &f, &err), 1);
	assert_true(f.number == 2 && f.value == 0x04030201);
	assert_int_equal(next("\x0a\x02hi", 4, &f, &err), 1);
	assert_true(f.bytes.size == 2 && !memcmp(f.bytes.next, "hi", 2));
	assert_int_equal(next("\x0a\x03hi", 4, &f, &err), -1);
	assert_int_equal(err.kind, PHI_TRUNCATED);
	assert_int_equal(next("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01z", 12, &f, &err), -1);
	assert_int_equal(err.kind, PHI_TRUNCATED);
	assert_int_equal(next("\x15\x01\x02\x03", 4, &f, &err), -1);
	assert_int_equal(err.kind, PHI_TRUNCATED);
	assert_int_equal(next("\x80", 1, &f, &err), -1);
	assert_int_equal(err.kind, PHI_TRUNCATED);
	assert_int_equal(next("\x02\x00", 2, &f, &err), -1); /* field 0 */
	assert_int_equal(err.kind, PHI_FORMAT);
	assert_int_equal(next("\x0b", 1, &f, &err), -1); /* a group */
	assert_int_equal(err.kind, PHI_FORMAT);
	assert_int_equal(next("", 0, &f, &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_pieces), cmocka_unit_test(reads_bytes),
		cmocka_unit_test(lays_added), cmocka_unit_test(refuses_added),
		cmocka_unit_test(refuses_pieces), cmocka_unit_test(keeps_two_sets),
		cmocka_unit_test(refuses_settings), cmocka_unit_test(refuses_sizes),
		cmocka_unit_test(marks_spaces),
		cmocka_unit_test(scores_merges), cmocka_unit_test(refuses_merges),
		cmocka_unit_test(scans_the_wire) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
