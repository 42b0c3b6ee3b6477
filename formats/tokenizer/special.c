#include "formats/tokenizer/special.h"

#include "formats/core/json.h"
#include "formats/core/escape.h"
#include "formats/tokenizer/added.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = { "bos", "eos", "unk", "sep", "pad", "cls", "mask", "eot", "eom" };

const char *
phi_special_name(enum phi_special special)
{
	return names[special];
}

/* cls has no key. "seperator" is how GGUF spells it. */
static const char *const id_keys[PHI_SPECIALS] = {
	[PHI_SPECIAL_BOS] = "tokenizer.ggml.bos_token_id",
	[PHI_SPECIAL_EOS] = "tokenizer.ggml.eos_token_id",
	[PHI_SPECIAL_UNK] = "tokenizer.ggml.unknown_token_id",
	[PHI_SPECIAL_SEP] = "tokenizer.ggml.seperator_token_id",
	[PHI_SPECIAL_PAD] = "tokenizer.ggml.padding_token_id",
	[PHI_SPECIAL_MASK] = "tokenizer.ggml.mask_token_id",
	[PHI_SPECIAL_EOT] = "tokenizer.ggml.eot_token_id",
	[PHI_SPECIAL_EOM] = "tokenizer.ggml.eom_token_id",
};

static const char *const add_keys[PHI_SPECIALS] = {
	[PHI_SPECIAL_BOS] = "tokenizer.ggml.add_bos_token",
	[PHI_SPECIAL_EOS] = "tokenizer.ggml.add_eos_token",
	[PHI_SPECIAL_SEP] = "tokenizer.ggml.add_sep_token",
};

const char *
phi_special_key(enum phi_special special)
{
	return id_keys[special];
}

const char *
phi_special_add_key(enum phi_special special)
{
	return add_keys[special];
}

struct search {
	json_t *config; /* or NULL */
	struct phi_vocabulary *out;
	bool eot, eom;	/* a post-processor brought these into play */
	bool failed;	/* out of memory in the tree */
	int64_t end;	/* ids from here on are no tokens, and are passed over */
};

/* Remembers whether a token is added; where it is known already the new value holds, at the old place. */
static void
set_added(struct search *s, enum phi_special special, bool added)
{
	struct phi_vocabulary *const v = s->out;
	unsigned i = 0;
	while (i < v->nadd && v->add[i].special != special)
		i++;
	if (i == v->nadd)
		v->nadd++;
	v->add[i].special = (uint8_t)special;
	v->add[i].added = added;
}

static bool
knows_added(const struct search *s, enum phi_special special)
{
	for (unsigned i = 0; i < s->out->nadd; i++)
		if (s->out->add[i].special == special)
			return true;
	return false;
}

static json_t *
token(const struct search *s, enum phi_special special)
{
	char key[16];
	snprintf(key, sizeof key, "%s_token", names[special]);
	return json_object_get(s->config, key);
}

static void
set_token(struct search *s, enum phi_special special, json_t *value)
{
	char key[16];
	snprintf(key, sizeof key, "%s_token", names[special]);
	if (json_object_set(s->config, key, value ? value : json_null()) < 0)
		s->failed = true;
}

/* Is there something, as Python sees it: neither null nor empty? */
static bool
given(const json_t *v)
{
	return v && !json_is_null(v) && !json_is_false(v) &&
		!(json_is_string(v) && !json_string_length(v)) &&
		!(json_is_object(v) && !json_object_size(v)) &&
		!(json_is_array(v) && !json_array_size(v));
}

/* The id (a text) of a template's piece if it is a special token: {"SpecialToken": {"id": "<s>"}}. */
static json_t *
piece_token(const json_t *piece)
{
	json_t *const id = json_object_get(json_object_get(piece, "SpecialToken"), "id");
	return given(id) ? id : NULL;
}

static bool
piece_is(const json_t *piece, const char *sequence)
{
	const char *const id =
		json_string_value(json_object_get(json_object_get(piece, "Sequence"), "id"));
	return id && !strcmp(id, sequence);
}

/* The first piece of a template, a token: it is bos. */
static void
begin_with(struct search *s, json_t *first)
{
	if (!s->config) {
		set_added(s, PHI_SPECIAL_BOS, true);
		return;
	}
	if (!json_equal(first, token(s, PHI_SPECIAL_BOS)) &&
		!json_equal(first, token(s, PHI_SPECIAL_CLS))) {
		if (!given(token(s, PHI_SPECIAL_BOS)))
			set_token(s, PHI_SPECIAL_BOS, first);
		if (!given(token(s, PHI_SPECIAL_CLS)))
			set_token(s, PHI_SPECIAL_CLS, first);
	}
	set_added(s, PHI_SPECIAL_BOS, json_equal(first, token(s, PHI_SPECIAL_BOS)) ||
		json_equal(first, token(s, PHI_SPECIAL_CLS)));
}

/* The last piece of a template, a token: it is eos from now on; the former eos is kept as eot or eom. */
static void
end_with(struct search *s, json_t *last)
{
	if (s->config && !json_equal(last, token(s, PHI_SPECIAL_EOS))) {
		if (!s->eot) {
			s->eot = true;
			set_token(s, PHI_SPECIAL_EOT, token(s, PHI_SPECIAL_EOS));
		} else if (!s->eom) {
			s->eom = true;
			set_token(s, PHI_SPECIAL_EOM, token(s, PHI_SPECIAL_EOS));
		}
		set_token(s, PHI_SPECIAL_EOS, last);
	}
	set_added(s, PHI_SPECIAL_EOS, true);
}

static bool
separates(const struct search *s, const json_t *id, const json_t *eos)
{
	return id && (json_equal(id, token(s, PHI_SPECIAL_SEP)) || json_equal(id, eos));
}

/* A template of two texts: is there a separator between A and B? */
static void
read_pair(struct search *s, const json_t *pair, const json_t *first, const json_t *last,
	const json_t *eos)
{
	size_t from = 0, to = json_array_size(pair);
	if (to == 0)
		return;
	if (first && json_equal(piece_token(json_array_get(pair, 0)), first))
		from = 1;
	if (last && json_equal(piece_token(json_array_get(pair, to - 1)), last))
		to--;
	if (from + 2 >= to || !piece_is(json_array_get(pair, from), "A") ||
		!piece_is(json_array_get(pair, to - 1), "B"))
		return;
	bool separator = !last && separates(s, piece_token(json_array_get(pair, from + 1)), eos);
	if (to - from == 4 && separates(s, piece_token(json_array_get(pair, from + 2)), eos))
		separator = true;
	set_added(s, PHI_SPECIAL_SEP, separator);
	if (separator && s->config && !given(token(s, PHI_SPECIAL_SEP)) && eos)
		set_token(s, PHI_SPECIAL_SEP, token(s, PHI_SPECIAL_EOS));
}

static void
read_template(struct search *s, const json_t *processor)
{
	const json_t *const single = json_object_get(processor, "single");
	const size_t n = json_array_size(single);
	json_t *first = NULL, *last = NULL;
	if (n > 1) {
		first = piece_token(json_array_get(single, 0));
		if (first)
			begin_with(s, first);
		last = piece_token(json_array_get(single, n - 1));
		if (last)
			end_with(s, last);
	}
	const json_t *const eos = s->config ? token(s, PHI_SPECIAL_EOS) : last;
	read_pair(s, json_object_get(processor, "pair"), first, last, eos);
}

/* RoBERTa's: all three are added, and cls and sep named: ["</s>", 2]. */
static void
read_roberta(struct search *s, const json_t *processor)
{
	static const enum phi_special all[] = { PHI_SPECIAL_BOS, PHI_SPECIAL_EOS, PHI_SPECIAL_SEP };
	for (size_t i = 0; i < 3; i++)
		set_added(s, all[i], true);
	json_t *const cls = json_array_get(json_object_get(processor, "cls"), 0);
	json_t *const sep = json_array_get(json_object_get(processor, "sep"), 0);
	if (s->config && !given(token(s, PHI_SPECIAL_CLS)))
		set_token(s, PHI_SPECIAL_CLS, cls ? cls : token(s, PHI_SPECIAL_BOS));
	if (s->config && !given(token(s, PHI_SPECIAL_SEP)))
		set_token(s, PHI_SPECIAL_SEP, sep ? sep : token(s, PHI_SPECIAL_EOS));
}

static void
read_processor(struct search *s, const json_t *processor)
{
	const char *const type = json_string_value(json_object_get(processor, "type"));
	if (!type)
		return;
	if (!strcmp(type, "ByteLevel")) {
		if (!knows_added(s, PHI_SPECIAL_BOS))
			set_added(s, PHI_SPECIAL_BOS, false);
		if (!knows_added(s, PHI_SPECIAL_EOS))
			set_added(s, PHI_SPECIAL_EOS, false);
	} else if (!strcmp(type, "RobertaProcessing")) {
		read_roberta(s, processor);
	} else if (!strcmp(type, "TemplateProcessing")) {
		read_template(s, processor);
	}
}

/* An id is found once; what comes later does not replace it. */
static void
set_id(struct search *s, enum phi_special special, int64_t id)
{
	struct phi_vocabulary *const v = s->out;
	if (v->special[special] >= 0 || id >= s->end)
		return;
	v->special[special] = id;
	v->special_order[v->nspecial++] = (uint8_t)special;
}

static bool
in_play(const struct search *s, int special)
{
	return (special != PHI_SPECIAL_EOT || s->eot) && (special != PHI_SPECIAL_EOM || s->eom);
}

static void
read_config(struct search *s, const struct phi_tokenizer_json *file)
{
	for (int i = 0; i < PHI_SPECIALS; i++) {
		char key[24];
		if (!in_play(s, i))
			continue;
		snprintf(key, sizeof key, "add_%s_token", names[i]);
		const json_t *const added = json_object_get(s->config, key);
		if (json_is_boolean(added) && !knows_added(s, (enum phi_special)i))
			set_added(s, (enum phi_special)i, json_is_true(added));
		const char *const text = phi_special_text(token(s, (enum phi_special)i));
		for (size_t t = 0; text && t < file->nlisted; t++)
			if (!strcmp(file->added[t].text.data, text)) {
				set_id(s, (enum phi_special)i, file->added[t].declared);
				break;
			}
	}
}

static int
read_ids(struct search *s, const struct phi_metadata *metadata, struct phi_err *err)
{
	for (int i = 0; i < PHI_SPECIALS; i++) {
		char key[24];
		uint64_t id;
		if (!in_play(s, i))
			continue;
		snprintf(key, sizeof key, "%s_token_id", names[i]);
		/* Lists (several ends of text) are the generation's matter; only a number counts. */
		const struct phi_value *const v = phi_metadata_find(metadata, key);
		if (!v || v->kind == PHI_VALUE_ARRAY || v->kind == PHI_VALUE_NULL)
			continue;
		if (!phi_value_u64(v, &id) || id > UINT32_MAX)
			return phi_fail(err, PHI_FORMAT, "config.json: %s is no token id", key);
		set_id(s, (enum phi_special)i, (int64_t)id);
	}
	return 0;
}

int
phi_special_find(const struct phi_tokenizer_json *file, json_t *config,
	const struct phi_metadata *metadata, struct phi_vocabulary *out, struct phi_err *err)
{
	struct search s = { .config = json_object_size(config) ? config : NULL, .out = out,
		.end = file->byte_level ? INT64_MAX : file->rows };
	for (int i = 0; i < PHI_SPECIALS; i++)
		out->special[i] = -1;
	if (file->there && s.config && !given(token(&s, PHI_SPECIAL_BOS)) && given(token(&s, PHI_SPECIAL_CLS)))
		set_token(&s, PHI_SPECIAL_BOS, token(&s, PHI_SPECIAL_CLS));
	if (file->there && s.config && !given(token(&s, PHI_SPECIAL_EOS)) && given(token(&s, PHI_SPECIAL_SEP)))
		set_token(&s, PHI_SPECIAL_EOS, token(&s, PHI_SPECIAL_SEP));
	const json_t *const list = json_object_get(file->post_processor, "processors");
	if (list)
		for (size_t i = 0; i < json_array_size(list); i++)
			read_processor(&s, json_array_get(list, i));
	else
		read_processor(&s, file->post_processor);
	if (s.failed)
		return phi_fail(err, PHI_MEMORY, "out of memory");
	if (s.config)
		read_config(&s, file);
	return read_ids(&s, metadata, err);
}
