#include "inspect/facts.h"

#include "formats/core/json.h"
#include "formats/models/family.h"
#include "inspect/number.h"
#include "inspect/vocabulary_size.h"

#include <string.h>

/* A list that grows, and whether it still can. */
struct list {
	struct phi_metadata *items;
	struct phi_arena *arena;
	struct phi_err *err;
	bool failed;
};

static void
add(struct list *l, const char *key, struct phi_value value)
{
	l->failed = l->failed || phi_metadata_add(l->items, l->arena, key, value, l->err);
}

static void
add_count(struct list *l, const char *key, uint64_t n)
{
	add(l, key, (struct phi_value){.kind = PHI_VALUE_U64, .u = n});
}

static void
add_real(struct list *l, const char *key, double x)
{
	add(l, key, (struct phi_value){.kind = PHI_VALUE_F64, .f = x});
}

static void
add_flag(struct list *l, const char *key, bool b)
{
	add(l, key, (struct phi_value){.kind = PHI_VALUE_BOOL, .b = b});
}

static void
add_text(struct list *l, const char *key, const char *s, size_t n)
{
	if (l->failed)
		return;
	char *const copy = phi_arena_copy(l->arena, s, n, l->err);
	if (copy)
		add(l, key, (struct phi_value){.kind = PHI_VALUE_STRING, .s = {copy, n}});
	else
		l->failed = true;
}

static void
add_word(struct list *l, const char *key, const char *s)
{
	if (s)
		add_text(l, key, s, strlen(s));
}

/* What cannot be made out is left out; that memory ran out is no reason. */
static void
forgive(struct list *l, const struct phi_err *why)
{
	if (why->kind != PHI_MEMORY || l->failed)
		return;
	*l->err = *why;
	l->failed = true;
}

static void
list_family(struct list *l, const struct phi_model *m)
{
	struct phi_hparams h;
	struct phi_err why = {0};
	if (!m->family)
		return;
	add_word(l, "name", m->family->name);
	if (phi_family_hparams(m, &h, &why)) {
		forgive(l, &why);
		return;
	}
	add_count(l, "layers", h.layers);
	add_count(l, "hidden", h.hidden);
	add_count(l, "ffn", h.ffn);
	add_count(l, "heads", h.heads);
	add_count(l, "kv_heads", h.kv_heads);
	add_count(l, "head_dim", h.head_dim);
	add_count(l, "vocabulary", h.vocab);
	add_count(l, "context", h.context);
	if (h.has_sliding_window)
		add_count(l, "sliding_window", h.sliding_window);
	add_word(l, "rope", h.rope == PHI_ROPE_LONGROPE ? "longrope" : "plain");
	add_real(l, "rope_theta", h.rope_theta);
	if (h.original_context != h.context)
		add_count(l, "original_context", h.original_context);
	add_flag(l, "tied", h.tied);
}

/* Special tokens as they are called here, in a GGUF, in config.json and tokenizer_config.json. */
static const struct {
	const char *name, *text, *gguf, *id_key, *text_key;
} specials[] = {
	{"bos", "bos_text", "tokenizer.ggml.bos_token_id", "bos_token_id", "bos_token"},
	{"eos", "eos_text", "tokenizer.ggml.eos_token_id", "eos_token_id", "eos_token"},
	{"eot", "eot_text", "tokenizer.ggml.eot_token_id", NULL, NULL},
	{"unk", "unk_text", "tokenizer.ggml.unknown_token_id", "unk_token_id", "unk_token"},
	{"pad", "pad_text", "tokenizer.ggml.padding_token_id", "pad_token_id", "pad_token"},
};
enum { SPECIALS = sizeof specials / sizeof *specials };

static const struct phi_value *
find(const struct phi_model *m, const char *key)
{
	for (size_t i = 0; i < m->metadata.count; i++)
		if (!strcmp(m->metadata.items[i].key, key))
			return &m->metadata.items[i].value;
	return NULL;
}

/* Names of tokenizers as the GGUF key has them, and what they are. */
static const char *
kind_named(const char *model)
{
	static const char *const kinds[][2] = {{"gpt2", "BPE"}, {"llama", "SentencePiece"},
		{"bert", "WordPiece"}, {"t5", "Unigram"}, {"rwkv", "RWKV"}};
	for (size_t i = 0; model && i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(model, kinds[i][0]))
			return kinds[i][1];
	return model;
}

static void
list_gguf_specials(struct list *l, const struct phi_model *m, const struct phi_value *tokens)
{
	for (size_t i = 0; i < SPECIALS; i++) {
		const struct phi_value *const v = find(m, specials[i].gguf);
		struct phi_value token;
		uint64_t id;
		if (!v || !phi_value_u64(v, &id))
			continue;
		add_count(l, specials[i].name, id);
		if (!tokens || id >= tokens->array.count)
			continue;
		phi_value_element(tokens, id, &token);
		add_text(l, specials[i].text, token.s.data, token.s.size);
	}
}

static void
list_gguf(struct list *l, const struct phi_model *m)
{
	const struct phi_value *const model = find(m, "tokenizer.ggml.model");
	const struct phi_value *tokens = find(m, "tokenizer.ggml.tokens");
	const struct phi_value *const template = find(m, "tokenizer.chat_template");
	if (!model)
		return;
	if (tokens && (tokens->kind != PHI_VALUE_ARRAY || tokens->array.kind != PHI_VALUE_STRING))
		tokens = NULL;
	add_word(l, "kind", kind_named(phi_value_string(model)));
	add_word(l, "pre", phi_value_string(find(m, "tokenizer.ggml.pre")));
	if (tokens)
		add_count(l, "tokens", tokens->array.count);
	list_gguf_specials(l, m, tokens);
	add_flag(l, "chat_template", template && template->kind == PHI_VALUE_STRING);
}

/* A token of tokenizer_config.json: a text, or an object with its content. */
static const char *
token_text(const json_t *config, const char *key)
{
	const json_t *const entry = json_object_get(config, key);
	return json_string_value(json_is_object(entry) ? json_object_get(entry, "content") : entry);
}

static void
list_side_specials(struct list *l, const struct phi_model *m, const json_t *config)
{
	for (size_t i = 0; i < SPECIALS; i++) {
		const struct phi_value *const v = specials[i].id_key ? find(m, specials[i].id_key) : NULL;
		uint64_t id;
		if (v && phi_value_u64(v, &id))
			add_count(l, specials[i].name, id);
		if (specials[i].text_key)
			add_word(l, specials[i].text, token_text(config, specials[i].text_key));
	}
}

enum { SETTINGS_MAX = 8 << 20 }; /* bytes of a tokenizer_config.json; the largest have 0.2 M */

static void
list_sides(struct list *l, const struct phi_model *m)
{
	const struct phi_side *const settings = phi_model_side(m, "tokenizer_config.json");
	const struct phi_side *const file = phi_model_side(m, "tokenizer.json");
	struct phi_vocabulary_size size = {0};
	struct phi_err why = {0};
	if (!settings && !file)
		return;
	json_t *const config = settings && settings->size <= SETTINGS_MAX
		? phi_json_parse(settings->data, settings->size,
			PHI_JSON_BIG_INTEGERS | PHI_JSON_KEEP_DUPLICATES | PHI_JSON_NULS, &why)
		: NULL;
	forgive(l, &why);
	if (file)
		phi_vocabulary_size_take(&size, file->data, file->size);
	add_word(l, "kind", size.kind[0] ? size.kind : NULL);
	add_word(l, "class", json_string_value(json_object_get(config, "tokenizer_class")));
	if (size.tokens)
		add_count(l, "tokens", size.tokens);
	list_side_specials(l, m, config);
	add_flag(l, "chat_template", json_object_get(config, "chat_template") ||
		phi_model_side(m, "chat_template.jinja") || phi_model_side(m, "chat_template.json"));
	json_decref(config);
}

int
phi_facts_take(struct phi_facts *facts, const struct phi_model *model, struct phi_err *err)
{
	*facts = (struct phi_facts){.arena = phi_arena_new(err)};
	struct list family = {&facts->family, facts->arena, err, !facts->arena};
	struct list tokenizer = {&facts->tokenizer, facts->arena, err, !facts->arena};
	if (!facts->arena)
		return -1;
	list_family(&family, model);
	list_gguf(&tokenizer, model);
	if (!facts->tokenizer.count)
		list_sides(&tokenizer, model);
	return family.failed || tokenizer.failed ? -1 : 0;
}

void
phi_facts_free(struct phi_facts *facts)
{
	phi_arena_free(facts->arena);
}
