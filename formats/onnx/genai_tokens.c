/* Which tokens begin a text, end it and fill it up, for genai_config.json: what generation_config.json says, else
 * config.json, else the names in tokenizer_config.json. The token that ends a text for the tokenizer ends it in any
 * case: chat models end their turns with it, and configurations forget it. */
#include "formats/onnx/genai.h"

#include "formats/core/json.h"
#include "formats/tokenizer/side_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct tokens {
	const json_t *generation; /* each an object, or NULL */
	json_t *config, *tokenizer;
	struct phi_buffer *out;
	struct phi_err *err;
};

int
phi_onnx_genai_side(const struct phi_model *model, const char *name, json_t **root, struct phi_err *err)
{
	const struct phi_side *const side = phi_model_side(model, name);
	struct phi_err why = { .kind = PHI_OK };
	*root = side ? phi_side_json(side, PHI_JSON_KEEP_DUPLICATES | PHI_JSON_BIG_INTEGERS, PHI_SETTINGS_VALUES_MAX, &why) : NULL;
	return why.kind == PHI_MEMORY || why.kind == PHI_LIMIT ? phi_fail(err, why.kind, "%s: %s", name, why.text) : 0;
}

/* The text of "eos_token", which is a string or an object that has it. */
static const char *
text_of(const json_t *token)
{
	return json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
}

/* The id of a token that tokenizer_config.json names, among those it lists; or -1. */
static int64_t
named(const struct tokens *t, const char *name)
{
	const char *const text = text_of(json_object_get(t->tokenizer, name));
	json_t *const list = json_object_get(t->tokenizer, "added_tokens_decoder");
	const char *id;
	json_t *token;
	json_object_foreach(list, id, token)
	{
		const char *const content = text_of(token);
		if (text && content && !strcmp(text, content))
			return strtoll(id, NULL, 10);
	}
	return -1;
}

/* An id, or a list of ids. */
static const json_t *
said(const struct tokens *t, const char *key)
{
	const json_t *const v = json_object_get(t->generation, key);
	return json_is_integer(v) || json_array_size(v) ? v : json_object_get(t->config, key);
}

static size_t
count(const json_t *ids)
{
	return json_is_integer(ids) ? 1 : json_array_size(ids);
}

static int64_t
at(const json_t *ids, size_t i)
{
	return json_integer_value(json_is_integer(ids) ? ids : json_array_get(ids, i));
}

static int
put_id(const struct tokens *t, const char *key, int64_t id)
{
	return id < 0 ? 0 : phi_buffer_printf(t->out, t->err, "        \"%s\": %" PRId64 ",\n", key, id);
}

static int
put_ends(const struct tokens *t, const json_t *ids, int64_t own)
{
	const size_t n = count(ids);
	bool known = own < 0;
	for (size_t i = 0; i < n; i++)
		known = known || at(ids, i) == own;
	if (known && json_is_integer(ids))
		return put_id(t, "eos_token_id", at(ids, 0));
	if (!n)
		return put_id(t, "eos_token_id", own);
	if (phi_buffer_printf(t->out, t->err, "        \"eos_token_id\": ["))
		return -1;
	if (!known && phi_buffer_printf(t->out, t->err, "\n            %" PRId64, own))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (phi_buffer_printf(t->out, t->err, "%s\n            %" PRId64, i || !known ? "," : "", at(ids, i)))
			return -1;
	return phi_buffer_printf(t->out, t->err, "\n        ],\n");
}

static int
put_all(const struct tokens *t)
{
	const json_t *const bos = said(t, "bos_token_id"), *const eos = said(t, "eos_token_id");
	const json_t *const pad = said(t, "pad_token_id");
	const int64_t end = named(t, "eos_token"), fill = named(t, "pad_token");
	return put_id(t, "bos_token_id", count(bos) ? at(bos, 0) : named(t, "bos_token")) || put_ends(t, eos, end) ||
		put_id(t, "pad_token_id", count(pad) ? at(pad, 0) : fill >= 0 ? fill : count(eos) ? at(eos, 0) : end);
}

int
phi_onnx_genai_tokens(struct phi_buffer *out, const struct phi_model *model, const json_t *generation,
	struct phi_err *err)
{
	struct tokens t = { .generation = generation, .out = out, .err = err };
	int result = phi_onnx_genai_side(model, "config.json", &t.config, err);
	if (!result)
		result = phi_onnx_genai_side(model, "tokenizer_config.json", &t.tokenizer, err);
	if (!result)
		result = put_all(&t) ? -1 : 0;
	json_decref(t.config);
	json_decref(t.tokenizer);
	return result;
}
