/* tokenizer.json and its companions as the neutral vocabulary. What the official converter makes of such
 * files is compared byte for byte by the peer tests; here each rule has its case. */
#include "formats/tokenizer/bytelevel.h"
#include "formats/tokenizer/pretokenizer.h"
#include "formats/tokenizer/vocabulary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(regex) "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":" regex "}"
#define SPLIT(pattern, behavior, invert) "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\"," \
	"\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"" behavior "\",\"invert\":" invert \
	"}," BYTES("false") "]}"
/* facts/README.md, with JSON's and C's backslashes. */
#define CL100K "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}|" \
	" ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define O200K "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]*" \
	"[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" \
	"[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]+[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]*" \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|" \
	"\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|" \
	"\\\\s+(?!\\\\S)|\\\\s+"
#define DECODER "\"decoder\":{\"type\":\"ByteLevel\"},"
#define VOCAB "{\"a\":0,\"b\":1,\"ab\":2,\"c d\":3,\"<s>\":4}"
#define TOKENIZER(pre, added, more, merges) "{\"version\":\"1.0\",\"added_tokens\":[" added "]," more \
	"\"normalizer\":null,\"pre_tokenizer\":" pre ",\"model\":{\"type\":\"BPE\",\"vocab\":" VOCAB \
	",\"merges\":" merges "}}"
#define ADDED(id, text, special, normalized) "{\"id\":" #id ",\"content\":\"" text "\",\"special\":" \
	special ",\"normalized\":" normalized "}"

struct fixture {
	struct phi_model *model;
	struct phi_vocabulary v;
	struct phi_err err;
};

static int
read(struct fixture *f, const char *tokenizer, const char *config, const char *pre)
{
	*f = (struct fixture){ .model = phi_model_new("hf", NULL) };
	struct phi_model *const m = f->model;
	if (tokenizer)
		phi_model_add_side(m, "tokenizer.json", tokenizer, strlen(tokenizer), &f->err);
	if (config)
		phi_model_add_side(m, "tokenizer_config.json", config, strlen(config), &f->err);
	return phi_vocabulary_read(m, 10, pre, m->arena, &f->v, &f->err);
}

static void
recognises(void **state)
{
	(void)state;
	static const struct {
		const char *pre, *name;
	} all[] = {
		{ SPLIT(CL100K, "Isolated", "false"), "dbrx" },
		{ SPLIT(CL100K, "Removed", "true"), "dbrx" },
		{ SPLIT(O200K, "Removed", "true"), "gpt-4o" },
		{ SPLIT(O200K, "Isolated", "false"), "gpt-4o" },
		{ BYTES("true"), "phi-2" },
		{ "{\"type\":\"ByteLevel\"}", "phi-2" },
		{ SPLIT(GPT2, "Isolated", "false"), "phi-2" },
		{ SPLIT(CL100K, "Removed", "false"), NULL },
		{ SPLIT(CL100K, "MergedWithPrevious", "false"), NULL },
		{ SPLIT(CL100K "x", "Isolated", "false"), NULL },
		{ BYTES("false"), NULL },
		{ "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", NULL },
		{ "null", NULL },
		{ "{\"type\":\"Sequence\",\"pretokenizers\":[]}", NULL },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		json_t *const pre = json_loads(all[i].pre, JSON_DECODE_ANY, NULL);
		assert_non_null(pre);
		const char *const name = phi_pretokenizer_name(pre, NULL);
		if (all[i].name)
			assert_string_equal(name ? name : "(nothing)", all[i].name);
		else
			assert_null(name);
		json_decref(pre);
	}
	json_t *const pre = json_loads(BYTES("true"), 0, NULL);
	json_t *const nfc = json_loads("{\"type\":\"NFC\"}", 0, NULL);
	assert_null(phi_pretokenizer_name(pre, nfc));
	json_decref(pre);
	json_decref(nfc);
}

static void
names_the_option(void **state)
{
	(void)state;
	struct fixture f;
	const char *const odd = TOKENIZER(BYTES("false"), "", "", "[]");
	assert_int_equal(read(&f, odd, NULL, NULL), -1);
	assert_int_equal(f.err.kind, PHI_UNSUPPORTED);
	assert_non_null(strstr(f.err.text, "--pre NAME"));
	phi_model_free(f.model);
	assert_int_equal(read(&f, odd, NULL, "dbrx"), 0);
	assert_string_equal(f.v.pre, "dbrx");
	phi_model_free(f.model);
	assert_int_equal(read(&f, odd, NULL, "no\nname"), -1);
	assert_int_equal(f.err.kind, PHI_ARGUMENT);
	phi_model_free(f.model);
}

static void
token(const struct fixture *f, uint32_t id, const char *text, enum phi_token_kind kind)
{
	assert_string_equal(f->v.tokens[id].data, text);
	assert_int_equal(f->v.tokens[id].size, strlen(text));
	assert_int_equal(f->v.kinds[id], kind);
}

/* The kinds, and the texts that are decoded: those not normalized, of the alphabet. */
static void
reads_tokens(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(read(&f,
		TOKENIZER(BYTES("true"), ADDED(4, "<s>", "true", "false") "," ADDED(5, "<|x|>", "false",
			"true") "," ADDED(6, "\xe2\x96\x81y", "false", "true") "," ADDED(7, "\xc4\xa0z",
			"false", "false") "," ADDED(8, "\xc3\xa9", "false", "false"), DECODER,
			"[\"a b\"]"), NULL, NULL), 0);
	assert_int_equal(f.v.ntokens, 10);
	token(&f, 0, "a", PHI_TOKEN_NORMAL);
	token(&f, 4, "<s>", PHI_TOKEN_CONTROL);
	token(&f, 5, "<|x|>", PHI_TOKEN_CONTROL);
	token(&f, 6, " y", PHI_TOKEN_USER_DEFINED);
	token(&f, 7, " z", PHI_TOKEN_USER_DEFINED);
	token(&f, 8, "\xef\xbf\xbd", PHI_TOKEN_USER_DEFINED);
	token(&f, 9, "[PAD9]", PHI_TOKEN_UNUSED);
	assert_int_equal(f.v.nmerges, 1);
	assert_string_equal(f.v.merges[0].data, "a b");
	assert_string_equal(f.v.model, "gpt2");
	assert_null(f.v.scores);
	phi_model_free(f.model);
}

static void
joins_merges(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(read(&f, TOKENIZER(BYTES("true"), "", "", "[[\"a\",\"b\"],[\"c d\",\"e\"]]"), NULL,
		NULL), 0);
	assert_int_equal(f.v.nmerges, 2);
	assert_string_equal(f.v.merges[0].data, "a b");
	assert_string_equal(f.v.merges[1].data, "c\xc4\xa0" "d e");
	phi_model_free(f.model);
}

/* Ids by the order of discovery: tokenizer_config.json's first, then config.json's. */
static void
finds_special(void **state)
{
	(void)state;
	struct fixture f = { .model = NULL };
	struct phi_model *const m = phi_model_new("hf", NULL);
	const char *const tokenizer = TOKENIZER(BYTES("true"), ADDED(4, "<s>", "true", "false") ","
		ADDED(5, "<e>", "true", "false"), "\"post_processor\":{\"type\":\"ByteLevel\"},", "[]");
	const char *const config = "{\"eos_token\":{\"content\":\"<e>\"},\"pad_token\":\"<s>\","
		"\"unk_token\":\"a\",\"add_bos_token\":true,\"add_sep_token\":true,"
		"\"chat_template\":\"x\"}";
	phi_model_add_side(m, "tokenizer.json", tokenizer, strlen(tokenizer), &f.err);
	phi_model_add_side(m, "tokenizer_config.json", config, strlen(config), &f.err);
	phi_metadata_add(&m->metadata, m->arena, "bos_token_id",
		(struct phi_value){ .kind = PHI_VALUE_I64, .i = 4 }, &f.err);
	phi_metadata_add(&m->metadata, m->arena, "eos_token_id",
		(struct phi_value){ .kind = PHI_VALUE_I64, .i = 0 }, &f.err);
	assert_int_equal(phi_vocabulary_read(m, 10, NULL, m->arena, &f.v, &f.err), 0);
	assert_int_equal(f.v.nspecial, 3);
	assert_int_equal(f.v.special_order[0], PHI_SPECIAL_EOS);
	assert_int_equal(f.v.special_order[1], PHI_SPECIAL_PAD);
	assert_int_equal(f.v.special_order[2], PHI_SPECIAL_BOS);
	assert_int_equal(f.v.special[PHI_SPECIAL_EOS], 5);
	assert_int_equal(f.v.special[PHI_SPECIAL_BOS], 4);
	assert_int_equal(f.v.special[PHI_SPECIAL_UNK], -1);
	/* A ByteLevel post-processor says no to both; the configuration cannot say yes any more. */
	assert_int_equal(f.v.nadd, 3);
	assert_int_equal(f.v.add[0].special, PHI_SPECIAL_BOS);
	assert_false(f.v.add[0].added);
	assert_int_equal(f.v.add[2].special, PHI_SPECIAL_SEP);
	assert_true(f.v.add[2].added);
	assert_string_equal(f.v.chat_template.data, "x");
	/* Named as unknown token and not an added one: it is added now, as special. */
	assert_int_equal(f.v.kinds[0], PHI_TOKEN_CONTROL);
	phi_model_free(m);
}

static void
refuses(void **state)
{
	(void)state;
	static const struct {
		const char *tokenizer, *config, *why;
	} bad[] = {
		{ "{", NULL, "tokenizer.json: " },
		{ "{}", NULL, "tokenizer.json: no model" },
		{ "{\"model\":{\"type\":\"Unigram\"}}", NULL, "a model of type Unigram" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{}},\"pre_tokenizer\":null}", NULL,
			"tokenizer.model is missing" },
		{ TOKENIZER(BYTES("true"), "", "", "[\"a b\",1]"), NULL, "merge 1 is neither" },
		{ TOKENIZER(BYTES("true"), "", "", "[[\"a\"]]"), NULL, "merge 0 is neither" },
		{ TOKENIZER(BYTES("true"), "{\"id\":-1,\"content\":\"x\"}", "", "[]"), NULL,
			"added token 0 has no id" },
		{ TOKENIZER(BYTES("true"), "", "", "[]"), "[]", "tokenizer_config.json: no object" },
		{ TOKENIZER(BYTES("true"), "", "", "[]"), "{\"added_tokens_decoder\":{\"x\":{}}}",
			"x is no id" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1,\"b\":1}},\"pre_tokenizer\":" BYTES("true")
		  "}", NULL, "tokens a and b both have id 1" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":10}},\"pre_tokenizer\":" BYTES("true") "}",
			NULL, "token a has id 10, but the embedding has 10 rows" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct fixture f;
		assert_int_equal(read(&f, bad[i].tokenizer, bad[i].config, NULL), -1);
		if (!strstr(f.err.text, bad[i].why))
			fail_msg("%s: %s", bad[i].why, f.err.text);
		phi_model_free(f.model);
	}
	struct fixture f;
	assert_int_equal(read(&f, NULL, NULL, NULL), 1);
	phi_model_add_side(f.model, "tokenizer.model", "", 0, &f.err);
	assert_int_equal(phi_vocabulary_read(f.model, 10, NULL, f.model->arena, &f.v, &f.err), -1);
	assert_int_equal(f.err.kind, PHI_FORMAT);
	phi_model_free(f.model);
}

/* chat_template.jinja is read as text: line ends become LF; tokenizer_config.json goes before it, with a
 * null, too. */
static void
finds_templates(void **state)
{
	(void)state;
	static const struct {
		const char *config, *text;
	} all[] = { { "{\"x\":1}", "a\nb\n\nc" }, { "{\"chat_template\":null}", NULL },
		{ "{\"chat_template\":\"t\"}", "t" },
		{ "{\"chat_template\":[{\"name\":\"default\",\"template\":\"d\"},"
		  "{\"name\":\"tool use\",\"template\":\"u\"}]}", "d" },
		{ "{\"chat_template\":7}", NULL } };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct fixture f;
		read(&f, NULL, all[i].config, NULL);
		struct phi_model *const m = f.model;
		const char *const tokenizer = TOKENIZER(BYTES("true"), "", "", "[]");
		phi_model_add_side(m, "tokenizer.json", tokenizer, strlen(tokenizer), &f.err);
		phi_model_add_side(m, "chat_template.jinja", "a\r\nb\r\rc", 7, &f.err);
		assert_int_equal(phi_vocabulary_read(m, 10, NULL, m->arena, &f.v, &f.err), 0);
		if (all[i].text)
			assert_string_equal(f.v.chat_template.data, all[i].text);
		else
			assert_null(f.v.chat_template.data);
		assert_int_equal(f.v.ntemplates, i == 3);
		if (i == 3)
			assert_string_equal(f.v.templates[0].name, "tool_use");
		phi_model_free(m);
	}
}

/* The alphabet is a bijection of the bytes. */
static void
knows_the_alphabet(void **state)
{
	(void)state;
	unsigned char seen[256] = { 0 };
	for (uint32_t c = 0; c < 0x400; c++) {
		const int byte = phi_bytelevel_byte(c);
		if (byte >= 0)
			assert_int_equal(seen[byte]++, 0);
	}
	for (int i = 0; i < 256; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(phi_bytelevel_byte(0x120), ' ');
	assert_int_equal(phi_bytelevel_byte(0x10a), '\n');
	assert_int_equal(phi_bytelevel_byte(0x143), 173);
	assert_int_equal(phi_bytelevel_byte(0x144), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(recognises),
		cmocka_unit_test(names_the_option), cmocka_unit_test(reads_tokens),
		cmocka_unit_test(joins_merges), cmocka_unit_test(finds_special), cmocka_unit_test(refuses),
		cmocka_unit_test(finds_templates), cmocka_unit_test(knows_the_alphabet) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
