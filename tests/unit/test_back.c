/* The way back from a GGUF, piece by piece: numbers and JSON as text, a vocabulary as the files of a folder, wire
 * messages. That the whole loads and means the same is for the peer tests. */
#include "formats/core/decimal.h"
#include "formats/core/json_write.h"
#include "formats/core/kept.h"
#include "formats/core/wire.h"
#include "formats/models/config_text.h"
#include "formats/tokenizer/from_keys.h"
#include "formats/tokenizer/sentencepiece.h"
#include "formats/tokenizer/write.h"
#include "tests/unit/phi3_maker.h"

static void
decimals(void **state)
{
	(void)state;
	static const struct {
		double v;
		bool single;
		const char *text;
	} all[] = {
		{ 1e-5F, true, "1e-05" },
		{ 1e-5F, false, "9.999999747378752e-06" },
		{ 10000, true, "10000.0" },
		{ 0.1, false, "0.1" },
		{ 1.0800000429153442, true, "1.08" },
		{ -0.0, false, "-0.0" },
		{ 16777216, true, "16777216.0" },
		{ 1.243163121016122, false, "1.243163121016122" },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char text[PHI_DECIMAL_MAX];
		assert_string_equal(phi_decimal(text, all[i].v, all[i].single), all[i].text);
	}
}

static void
json(void **state)
{
	(void)state;
	struct phi_buffer out = { 0 };
	struct phi_json_writer w;
	phi_json_write_begin(&w, &out, NULL);
	phi_json_write_text(&w, "a", "x\"\n");
	phi_json_write_open(&w, "b", '[');
	phi_json_write_count(&w, NULL, 7);
	phi_json_write_open(&w, NULL, '{');
	phi_json_write_close(&w, '}');
	phi_json_write_close(&w, ']');
	phi_json_write_open(&w, "c", '[');
	phi_json_write_close(&w, ']');
	phi_json_write_keyed_count(&w, (struct phi_string){ "\xc4\xa0", 2 }, 0);
	phi_json_write_flag(&w, "d", false);
	assert_int_equal(phi_json_write_end(&w), 0);
	static const char want[] = "{\n  \"a\": \"x\\\"\\n\",\n  \"b\": [\n    7,\n    {}\n  ],\n  \"c\": [],\n"
		"  \"\xc4\xa0\": 0,\n  \"d\": false\n}\n";
	assert_int_equal(out.size, strlen(want));
	assert_memory_equal(out.data, want, out.size);
	phi_buffer_free(&out);
}

static void
wire(void **state)
{
	(void)state;
	static const uint64_t numbers[] = { 0, 1, 127, 128, 300, UINT64_MAX };
	struct phi_buffer out = { 0 };
	struct phi_err err = { 0 };
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(phi_wire_put_varint(&out, (uint32_t)i + 1, numbers[i], &err), 0);
	assert_int_equal(phi_wire_put_float(&out, 99, -1.5F, &err), 0);
	assert_int_equal(phi_wire_put_bytes(&out, 100, "xyz", 3, &err), 0);
	struct phi_wire message = { out.data, out.size };
	struct phi_wire_field f;
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(phi_wire_next(&message, &f, &err), 1);
		assert_true(f.number == i + 1 && f.type == PHI_WIRE_VARINT && f.value == numbers[i]);
	}
	assert_int_equal(phi_wire_next(&message, &f, &err), 1);
	assert_true(f.number == 99 && f.type == PHI_WIRE_4_BYTES && f.value == 0xbfc00000);
	assert_int_equal(phi_wire_next(&message, &f, &err), 1);
	assert_true(f.number == 100 && f.bytes.size == 3 && !memcmp(f.bytes.next, "xyz", 3));
	assert_int_equal(phi_wire_next(&message, &f, &err), 0);
	phi_buffer_free(&out);
}

/* A vocabulary of the SentencePiece kind: what Phi's GGUFs have of one. */
enum { BYTES = 3, FIRST = BYTES + 256, TOKENS = FIRST + 6 };

struct pieces {
	struct phi_string tokens[TOKENS];
	int32_t kinds[TOKENS];
	float scores[TOKENS];
	char bytes[256][8];
	struct phi_vocabulary v;
};

static void
set(struct pieces *p, uint32_t id, const char *text, int32_t kind, float score)
{
	p->tokens[id] = (struct phi_string){ text, strlen(text) };
	p->kinds[id] = kind;
	p->scores[id] = score;
}

static void
make_pieces(struct pieces *p)
{
	set(p, 0, "<unk>", PHI_TOKEN_CONTROL, -1000); /* laid over by the added token */
	set(p, 1, "<s>", PHI_TOKEN_CONTROL, -1000);
	set(p, 2, "</s>", PHI_TOKEN_USER_DEFINED, -1000);
	for (unsigned i = 0; i < 256; i++) {
		snprintf(p->bytes[i], sizeof p->bytes[i], "<0x%02X>", i);
		set(p, BYTES + i, p->bytes[i], PHI_TOKEN_BYTE, 0);
	}
	set(p, FIRST, "ab", PHI_TOKEN_NORMAL, 0);
	set(p, FIRST + 1, "abb", PHI_TOKEN_NORMAL, -1);
	set(p, FIRST + 2, "a", PHI_TOKEN_NORMAL, -2);
	set(p, FIRST + 3, "b", PHI_TOKEN_NORMAL, -3);
	set(p, FIRST + 4, "<|end|>", PHI_TOKEN_CONTROL, -1000);
	set(p, FIRST + 5, "[PAD264]", PHI_TOKEN_UNUSED, -10000);
	p->v = (struct phi_vocabulary){ .model = "llama", .tokens = p->tokens, .kinds = p->kinds, .scores = p->scores,
		.ntokens = TOKENS, .lowercase = -1, .strip_accents = -1, .space_first = -1 };
	for (int i = 0; i < PHI_SPECIALS; i++)
		p->v.special[i] = -1;
	p->v.special[PHI_SPECIAL_UNK] = 0;
	p->v.special[PHI_SPECIAL_BOS] = 1;
}

static void
merges(void **state)
{
	(void)state;
	static struct pieces p;
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	struct phi_string *list;
	size_t n;
	make_pieces(&p);
	assert_int_equal(phi_tokenizer_expressible(&p.v, &err), 0);
	assert_int_equal(phi_tokenizer_pieces(&p.v), FIRST + 4);
	assert_int_equal(phi_tokenizer_make_merges(&p.v, arena, &list, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].data, "a b");
	assert_string_equal(list[1].data, "ab b");
	phi_arena_free(arena);
}

/* Written, and read by the reader of such files. */
static void
pieces_read_back(void **state)
{
	(void)state;
	static struct pieces p;
	struct phi_buffer out = { 0 };
	struct phi_err err = { 0 };
	make_pieces(&p);
	assert_int_equal(phi_tokenizer_write_pieces(&p.v, &out, &err), 0);
	const struct phi_side side = { "tokenizer.model", out.data, out.size };
	struct phi_arena *const arena = phi_arena_new(&err);
	struct phi_vocabulary v = { .ntokens = TOKENS };
	uint32_t n;
	v.tokens = phi_arena_calloc(arena, TOKENS, sizeof *v.tokens, &err);
	v.kinds = phi_arena_calloc(arena, TOKENS, sizeof *v.kinds, &err);
	v.scores = phi_arena_calloc(arena, TOKENS, sizeof *v.scores, &err);
	if (phi_sentencepiece_read(&side, TOKENS, arena, &v, &n, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(n, FIRST + 4);
	assert_int_equal(v.space_first, 1);
	for (uint32_t i = 0; i < n; i++) {
		assert_string_equal(v.tokens[i].data, p.tokens[i].data);
		assert_int_equal(v.kinds[i], i == 0 ? PHI_TOKEN_UNKNOWN : i < BYTES ? PHI_TOKEN_CONTROL : p.kinds[i]);
		assert_true(v.scores[i] == (i < BYTES ? 0 : p.scores[i]));
	}
	phi_arena_free(arena);
	phi_buffer_free(&out);
}

static void
refuses_pieces(void **state)
{
	(void)state;
	static struct pieces p;
	struct phi_err err = { 0 };
	make_pieces(&p);
	p.v.special[PHI_SPECIAL_UNK] = -1;
	assert_int_equal(phi_tokenizer_expressible(&p.v, &err), -1);
	assert_non_null(strstr(err.text, "unknown_token_id"));
	make_pieces(&p);
	p.kinds[BYTES] = PHI_TOKEN_NORMAL;
	assert_int_equal(phi_tokenizer_expressible(&p.v, &err), -1);
	assert_non_null(strstr(err.text, "255 tokens for bytes"));
	make_pieces(&p);
	p.tokens[FIRST + 1] = p.tokens[FIRST];
	assert_int_equal(phi_tokenizer_expressible(&p.v, &err), -1);
	assert_non_null(strstr(err.text, "are both ab"));
}

/* config.json, written of the hyper-parameters that reading one gave, gives them again. */
static void
config(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("hf", &err);
	struct phi_hparams h, again;
	struct phi_buffer out = { 0 };
	assert_int_equal(phi_config_describe(m, CONFIG, strlen(CONFIG), &err), 0);
	m->view = "canonical";
	assert_int_equal(phi_family_assign(m, &err), 0);
	assert_int_equal(phi_family_hparams(m, &h, &err), 0);
	if (phi_config_text(m->family, &h, phi_type_of(PHI_BF16), &out, &err) < 0)
		fail_msg("%s", err.text);
	m->metadata = (struct phi_metadata){ 0 };
	assert_int_equal(phi_config_describe(m, (const char *)out.data, out.size, &err), 0);
	assert_ptr_equal(phi_config_dtype(&m->metadata), phi_type_of(PHI_BF16));
	assert_int_equal(phi_family_hparams(m, &again, &err), 0);
	assert_int_equal(again.nlong, h.nlong);
	assert_memory_equal(again.long_factor, h.long_factor, h.nlong * sizeof *h.long_factor);
	again.long_factor = h.long_factor;
	again.short_factor = h.short_factor;
	assert_true(again.layers == h.layers && again.hidden == h.hidden && again.ffn == h.ffn && again.heads == h.heads &&
		again.kv_heads == h.kv_heads && again.vocab == h.vocab && again.context == h.context &&
		again.original_context == h.original_context && again.rotary == h.rotary &&
		again.norm_epsilon == h.norm_epsilon && again.rope_theta == h.rope_theta &&
		again.attention_factor == h.attention_factor && again.tied == h.tied && again.rope == h.rope);
	h.attention_factor = 1.5;
	assert_int_equal(phi_config_text(m->family, &h, phi_type_of(PHI_BF16), &out, &err), -1);
	phi_buffer_free(&out);
	phi_model_free(m);
}

/* Side files kept under keys, as text or as bytes, and types. */
static void
kept(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct phi_model *const m = phi_model_new("hf", &err);
	put_all(m, false);
	m->tensors[0].canonical = m->tensors[0].name;
	m->tensors[0].type = phi_type_of(PHI_F32);
	phi_model_add_side(m, "config.json", "{}", 2, &err);
	phi_model_add_side(m, "tokenizer.model", "\xff\0x", 3, &err);
	struct phi_model *const lowered = phi_model_lower_same(m, &err);
	lowered->metadata = (struct phi_metadata){ 0 };
	assert_int_equal(phi_kept_add_sides(lowered, &err), 0);
	assert_int_equal(phi_kept_add_types(lowered, phi_type_of(PHI_BF16), &err), 0);
	assert_int_equal(lowered->metadata.count, 3);
	assert_int_equal(phi_metadata_find(&lowered->metadata, "phi.file.tokenizer.model")->kind, PHI_VALUE_ARRAY);
	lowered->nsides = 0;
	assert_int_equal(phi_kept_take_sides(lowered, &err), 2);
	const struct phi_side *const side = phi_model_side(lowered, "tokenizer.model");
	assert_true(side && side->size == 3 && !memcmp(side->data, "\xff\0x", 3));
	assert_int_equal(phi_kept_take_types(lowered, &lowered->metadata, &err), 0);
	assert_ptr_equal(lowered->tensors[0].native, phi_type_of(PHI_F32));
	assert_null(lowered->tensors[1].native);
	phi_model_free(lowered);
	phi_model_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimals),
		cmocka_unit_test(json),
		cmocka_unit_test(wire),
		cmocka_unit_test(merges),
		cmocka_unit_test(pieces_read_back),
		cmocka_unit_test(refuses_pieces),
		cmocka_unit_test(config),
		cmocka_unit_test(kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
