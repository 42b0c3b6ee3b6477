/* What llama.cpp 0c1e57098 does with keys, as tests/peers/test_check.py sees it: a missing architecture
 * stops it, a kind other than expected too; an embedding whose rows are not the tokens' number, a list of
 * another length than the tokens' and a token that stands there twice as well; special tokens outside the
 * vocabulary are passed over. */
#include "formats/core/escape.h"
#include "formats/core/names.h"
#include "formats/gguf/parts.h"

#include <inttypes.h>
#include <string.h>

struct check {
	const struct phi_model *model;
	const char *file;
	const struct phi_findings *findings;
	const struct phi_value *tokens; /* an array of strings, or NULL */
};

static const struct phi_value *
find(const struct check *c, const char *key)
{
	return phi_metadata_find(&c->model->metadata, key);
}

/* imatrix files and the like name no architecture, but what they are. */
static int
check_architecture(const struct check *c, struct phi_err *err)
{
	const struct phi_value *const v = find(c, "general.architecture");
	const char *const type = phi_value_string(find(c, "general.type"));
	if (v ? phi_value_string(v) != NULL : type && strcmp(type, "model") != 0)
		return 0;
	return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.architecture", c->file,
		NULL, UINT64_MAX, err, v ? "key general.architecture is no string"
					 : "there is no key general.architecture");
}

/* Lists that go along with the tokens. */
static int
check_list(const struct check *c, const char *key, enum phi_value_kind kind, struct phi_err *err)
{
	const struct phi_value *const v = find(c, key);
	if (!v)
		return 0;
	if (v->kind != PHI_VALUE_ARRAY || v->array.kind != kind)
		return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.key-kind", c->file,
			NULL, UINT64_MAX, err, "key %s is no array of %s", key,
			phi_value_name(kind));
	if (!c->tokens || v->array.count == c->tokens->array.count)
		return 0;
	return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.token-lists", c->file, NULL,
		UINT64_MAX, err, "key %s has %" PRIu64 " elements for %" PRIu64 " tokens", key,
		v->array.count, c->tokens->array.count);
}

static int
check_embedding(const struct check *c, struct phi_err *err)
{
	for (size_t i = 0; c->tokens && i < c->model->ntensors; i++) {
		const struct phi_tensor *const t = &c->model->tensors[i];
		if (strcmp(t->name, "token_embd.weight") && strcmp(t->name, "output.weight"))
			continue;
		if (t->rank == 2 && t->shape[0] != c->tokens->array.count &&
			phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.token-count",
				c->file, NULL, UINT64_MAX, err,
				"tensor %s has %" PRIu64 " rows for %" PRIu64 " tokens", t->name,
				t->shape[0], c->tokens->array.count))
			return -1;
	}
	return 0;
}

/* tokenizer.ggml.bos_token_id and its like. */
static int
check_special(const struct check *c, struct phi_err *err)
{
	static const char prefix[] = "tokenizer.ggml.", suffix[] = "_token_id";
	for (size_t i = 0; c->tokens && i < c->model->metadata.count; i++) {
		const struct phi_meta *const m = &c->model->metadata.items[i];
		const size_t n = strlen(m->key), tail = strlen(suffix);
		uint64_t id;
		struct phi_quoted q;
		if (strncmp(m->key, prefix, strlen(prefix)) || n < tail ||
			strcmp(m->key + n - tail, suffix) || !phi_value_u64(&m->value, &id) ||
			id < c->tokens->array.count)
			continue;
		if (phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.special-token", c->file,
			    NULL, UINT64_MAX, err, "key %s is %" PRIu64 "; there are %" PRIu64 " tokens",
			    phi_quote(&q, m->key), id, c->tokens->array.count))
			return -1;
	}
	return 0;
}

/* A text that two tokens have: the second is never found by it. */
static int
check_doubles(const struct check *c, struct phi_err *err)
{
	struct phi_names *const names = c->tokens ? phi_names_new(err) : NULL;
	uint64_t doubles = 0, first = 0;
	int result = c->tokens && !names ? -1 : 0;
	for (uint32_t i = 0; names && !result && i < c->tokens->array.count; i++) {
		const struct phi_string *const s =
			(const struct phi_string *)c->tokens->array.data + i;
		const int there = phi_names_add(names, s->data, s->size, i, err);
		if (there < 0)
			result = -1;
		else if (there && !doubles++)
			first = i;
	}
	phi_names_free(names);
	if (result || !doubles)
		return result;
	return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.token-double", c->file, NULL,
		UINT64_MAX, err,
		"%" PRIu64 " tokens have the text of another one, the first is %" PRIu64, doubles,
		first);
}

static int
check_template(const struct check *c, struct phi_err *err)
{
	const struct phi_value *const v = find(c, "tokenizer.chat_template");
	if (v && v->kind != PHI_VALUE_STRING)
		return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.key-kind", c->file,
			NULL, UINT64_MAX, err, "key tokenizer.chat_template is no string");
	if (v || !c->tokens)
		return 0;
	return phi_finding_emit(c->findings, PHI_FINDING_INFO, "gguf.chat-template", c->file, NULL,
		UINT64_MAX, err, "there is no chat template");
}

static int
check_quantized(const struct check *c, struct phi_err *err)
{
	bool quantized = false;
	for (size_t i = 0; i < c->model->ntensors; i++)
		quantized |= c->model->tensors[i].type->class == PHI_CLASS_BLOCK;
	if (!quantized || find(c, "general.quantization_version"))
		return 0;
	return phi_finding_emit(c->findings, PHI_FINDING_INFO, "gguf.quantization-version", c->file,
		NULL, UINT64_MAX, err,
		"there is no key general.quantization_version, though tensors are quantized");
}

int
phi_gguf_check_keys(const struct phi_model *model, const char *file,
	const struct phi_findings *findings, struct phi_err *err)
{
	struct check c = { .model = model, .file = file, .findings = findings };
	const struct phi_value *const tokens = find(&c, "tokenizer.ggml.tokens");
	if (tokens && tokens->kind == PHI_VALUE_ARRAY && tokens->array.kind == PHI_VALUE_STRING)
		c.tokens = tokens;
	return check_architecture(&c, err) ||
			check_list(&c, "tokenizer.ggml.tokens", PHI_VALUE_STRING, err) ||
			check_list(&c, "tokenizer.ggml.scores", PHI_VALUE_F32, err) ||
			check_list(&c, "tokenizer.ggml.token_type", PHI_VALUE_I32, err) ||
			check_embedding(&c, err) || check_special(&c, err) ||
			check_doubles(&c, err) || check_template(&c, err) || check_quantized(&c, err)
		? -1
		: 0;
}
