/* tokenizer.*: the neutral vocabulary as GGUF's keys. The arrays are lent, not copied: they live in the
 * lowered model's arena already. */
#include "formats/gguf/hf_keys.h"
#include "formats/tokenizer/vocabulary.h"

#include <inttypes.h>
#include <string.h>

static int
add_array(struct phi_model *lowered, const char *key, enum phi_value_kind kind, const void *data,
	uint64_t n, struct phi_err *err)
{
	if (!n)
		return 0;
	return phi_metadata_add(&lowered->metadata, lowered->arena, key,
		(struct phi_value){ .kind = PHI_VALUE_ARRAY,
			.array = { .kind = kind, .count = n, .data = data } },
		err);
}

static int
special_keys(struct phi_model *lowered, const struct phi_vocabulary *v, struct phi_err *err)
{
	for (unsigned i = 0; i < v->nspecial; i++) {
		const unsigned s = v->special_order[i];
		const char *const key = phi_special_key((enum phi_special)s);
		if (key && phi_metadata_add_u32(&lowered->metadata, lowered->arena, key,
			(uint32_t)v->special[s], err) < 0)
			return -1;
	}
	for (unsigned i = 0; i < v->nadd; i++) {
		const unsigned s = v->add[i].special;
		const char *const key = phi_special_add_key((enum phi_special)s);
		if (key && phi_metadata_add_bool(&lowered->metadata, lowered->arena, key,
			v->add[i].added, err) < 0)
			return -1;
	}
	return 0;
}

/* The order of the list of names is the file's; the converter's own changes from run to run. */
static int
template_keys(struct phi_model *lowered, const struct phi_vocabulary *v, struct phi_err *err)
{
	struct phi_string *const names =
		phi_arena_calloc(lowered->arena, v->ntemplates, sizeof *names, err);
	if (!names)
		return -1;
	for (unsigned i = 0; i < v->ntemplates; i++) {
		const char *const key = phi_arena_printf(lowered->arena, err,
			"tokenizer.chat_template.%s", v->templates[i].name);
		if (!key || phi_hf_text(lowered, key, v->templates[i].text, err) < 0)
			return -1;
		names[i] = (struct phi_string){ v->templates[i].name, strlen(v->templates[i].name) };
	}
	if (add_array(lowered, "tokenizer.chat_templates", PHI_VALUE_STRING, names, v->ntemplates,
		    err) < 0)
		return -1;
	return phi_hf_text(lowered, "tokenizer.chat_template", v->chat_template, err);
}

static int
normalizer_keys(struct phi_model *lowered, const struct phi_vocabulary *v, struct phi_err *err)
{
	struct phi_metadata *const m = &lowered->metadata;
	if (v->lowercase >= 0 && phi_metadata_add_bool(m, lowered->arena,
		"tokenizer.ggml.normalizer.lowercase", v->lowercase, err) < 0)
		return -1;
	if (v->strip_accents >= 0 && phi_metadata_add_bool(m, lowered->arena,
		"tokenizer.ggml.normalizer.strip_accents", v->strip_accents, err) < 0)
		return -1;
	/* The converter knows no Phi without; a tokenizer of another maker's may do. */
	if (v->space_first == 0 && phi_metadata_add_bool(m, lowered->arena,
		"tokenizer.ggml.add_space_prefix", false, err) < 0)
		return -1;
	return 0;
}

int
phi_hf_vocabulary(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err)
{
	struct phi_metadata *const m = &lowered->metadata;
	struct phi_vocabulary v;
	const int found = phi_vocabulary_read(facts->origin, facts->hparams->vocab, facts->pre,
		lowered->arena, &v, err);
	if (found < 0)
		return -1;
	if (found > 0)
		return phi_fail(err, PHI_UNSUPPORTED,
			"no tokenizer.json or tokenizer.model: llama.cpp needs the vocabulary in the file");
	if (v.nmoved && phi_model_warn(lowered, err, "tokenizer.json: %" PRIu32 " added tokens are "
		"not in its vocabulary and get other ids than it declares, as in transformers",
		v.nmoved) < 0)
		return -1;
	if (phi_metadata_add_string(m, lowered->arena, "tokenizer.ggml.model", v.model, err) < 0 ||
		phi_metadata_add_string(m, lowered->arena, "tokenizer.ggml.pre", v.pre, err) < 0 ||
		add_array(lowered, "tokenizer.ggml.tokens", PHI_VALUE_STRING, v.tokens, v.ntokens,
			err) < 0 ||
		add_array(lowered, "tokenizer.ggml.scores", PHI_VALUE_F32, v.scores,
			v.scores ? v.ntokens : 0, err) < 0 ||
		add_array(lowered, "tokenizer.ggml.token_type", PHI_VALUE_I32, v.kinds, v.ntokens,
			err) < 0 ||
		add_array(lowered, "tokenizer.ggml.merges", PHI_VALUE_STRING, v.merges, v.nmerges,
			err) < 0 ||
		special_keys(lowered, &v, err) < 0 || template_keys(lowered, &v, err) < 0)
		return -1;
	return normalizer_keys(lowered, &v, err);
}
