/* tokenizer_config.json and generation_config.json. */
#include "formats/core/json_write.h"
#include "formats/tokenizer/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
write_decoder(struct phi_json_writer *w, const struct phi_vocabulary *v, const struct phi_tokenizer_form *form)
{
	phi_json_write_open(w, "added_tokens_decoder", '{');
	for (uint32_t i = 0; i < v->ntokens; i++) {
		char id[16];
		if (!phi_tokenizer_added(v, i))
			continue;
		snprintf(id, sizeof id, "%" PRIu32, i);
		phi_json_write_open(w, id, '{');
		phi_tokenizer_write_flags(w, v, form, i);
		phi_json_write_close(w, '}');
	}
	phi_json_write_close(w, '}');
}

static void
write_template(struct phi_json_writer *w, const char *name, struct phi_string text)
{
	phi_json_write_open(w, NULL, '{');
	phi_json_write_text(w, "name", name);
	phi_json_write_string(w, "template", text);
	phi_json_write_close(w, '}');
}

static void
write_templates(struct phi_json_writer *w, const struct phi_vocabulary *v)
{
	if (!v->ntemplates) {
		if (v->chat_template.size)
			phi_json_write_string(w, "chat_template", v->chat_template);
		return;
	}
	phi_json_write_open(w, "chat_template", '[');
	if (v->chat_template.size)
		write_template(w, "default", v->chat_template);
	for (unsigned i = 0; i < v->ntemplates; i++)
		write_template(w, v->templates[i].name, v->templates[i].text);
	phi_json_write_close(w, ']');
}

int
phi_tokenizer_write_config(const struct phi_vocabulary *v, const struct phi_tokenizer_form *form,
	struct phi_buffer *out, struct phi_err *err)
{
	const bool bytes = phi_tokenizer_byte_level(v);
	struct phi_json_writer w;
	phi_json_write_begin(&w, out, err);
	phi_json_write_flag(&w, "add_bos_token", phi_tokenizer_adds(v, PHI_SPECIAL_BOS));
	phi_json_write_flag(&w, "add_eos_token", phi_tokenizer_adds(v, PHI_SPECIAL_EOS));
	write_decoder(&w, v, form);
	for (int i = 0; i <= PHI_SPECIAL_MASK; i++) {
		char key[16];
		if (v->special[i] < 0)
			continue;
		snprintf(key, sizeof key, "%s_token", phi_special_name((enum phi_special)i));
		phi_json_write_string(&w, key, v->tokens[v->special[i]]);
	}
	write_templates(&w, v);
	phi_json_write_flag(&w, "clean_up_tokenization_spaces", false);
	if (!bytes)
		phi_json_write_flag(&w, "legacy", false);
	phi_json_write_count(&w, "model_max_length", form->context);
	phi_json_write_text(&w, "tokenizer_class", bytes ? "PreTrainedTokenizerFast" : "LlamaTokenizer");
	return phi_json_write_end(&w);
}

/* Tokens that end an answer, whatever a GGUF names as the end of text; llama.cpp knows them by their texts, too. */
static bool
ends(const struct phi_vocabulary *v, uint32_t id)
{
	static const char *const texts[] = { "<|end|>", "<|im_end|>", "<|endoftext|>" };
	if (id == (uint64_t)v->special[PHI_SPECIAL_EOS] || id == (uint64_t)v->special[PHI_SPECIAL_EOT] ||
		id == (uint64_t)v->special[PHI_SPECIAL_EOM])
		return true;
	if (v->kinds[id] != PHI_TOKEN_CONTROL && v->kinds[id] != PHI_TOKEN_USER_DEFINED)
		return false;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (v->tokens[id].size == strlen(texts[i]) &&
			!memcmp(v->tokens[id].data, texts[i], v->tokens[id].size))
			return true;
	return false;
}

static void
write_ends(struct phi_json_writer *w, const struct phi_vocabulary *v)
{
	phi_json_write_open(w, "eos_token_id", '[');
	for (uint32_t i = 0; i < v->ntokens; i++)
		if (ends(v, i))
			phi_json_write_count(w, NULL, i);
	phi_json_write_close(w, ']');
}

static const struct {
	const char *key, *name;
} samplings[] = {
	{ "general.sampling.temp", "temperature" },
	{ "general.sampling.top_k", "top_k" },
	{ "general.sampling.top_p", "top_p" },
	{ "general.sampling.min_p", "min_p" },
	{ "general.sampling.penalty_repeat", "repetition_penalty" },
};

static void
write_sampling(struct phi_json_writer *w, const struct phi_metadata *metadata)
{
	bool any = false;
	for (size_t i = 0; i < sizeof samplings / sizeof *samplings; i++) {
		const struct phi_value *const v = phi_metadata_find(metadata, samplings[i].key);
		uint64_t n;
		double x;
		if (v && phi_value_u64(v, &n))
			phi_json_write_count(w, samplings[i].name, n);
		else if (v && phi_value_f64(v, &x) && x - x == 0)
			phi_json_write_real(w, samplings[i].name, x, true);
		else
			continue;
		any |= strcmp(samplings[i].name, "repetition_penalty") != 0;
	}
	if (any)
		phi_json_write_flag(w, "do_sample", true);
}

int
phi_tokenizer_write_generation(const struct phi_vocabulary *v, const struct phi_metadata *metadata,
	struct phi_buffer *out, struct phi_err *err)
{
	static const enum phi_special ids[] = { PHI_SPECIAL_BOS, PHI_SPECIAL_PAD };
	struct phi_json_writer w;
	phi_json_write_begin(&w, out, err);
	for (size_t i = 0; i < 2; i++) {
		char key[24];
		if (v->special[ids[i]] < 0)
			continue;
		snprintf(key, sizeof key, "%s_token_id", phi_special_name(ids[i]));
		phi_json_write_count(&w, key, (uint64_t)v->special[ids[i]]);
	}
	write_ends(&w, v);
	write_sampling(&w, metadata);
	return phi_json_write_end(&w);
}
