/* general.sampling.* from generation_config.json, and who the model is: the card's word first (README.md),
 * then config.json's name of it, then the folder's. */
#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/gguf/card_keys.h"
#include "formats/gguf/hf_keys.h"
#include "formats/gguf/model_name.h"
#include "formats/tokenizer/side_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* In the order they are written. */
static const struct {
	const char *key;  /* after general.sampling. */
	const char *from; /* in generation_config.json */
	enum phi_value_kind kind;
} samplings[] = {
	{ "sequence", "sequence", PHI_VALUE_STRING },
	{ "top_k", "top_k", PHI_VALUE_I32 },
	{ "top_p", "top_p", PHI_VALUE_F32 },
	{ "min_p", "min_p", PHI_VALUE_F32 },
	{ "xtc_probability", "xtc_probability", PHI_VALUE_F32 },
	{ "xtc_threshold", "xtc_threshold", PHI_VALUE_F32 },
	{ "temp", "temperature", PHI_VALUE_F32 },
	{ "penalty_last_n", "penalty_last_n", PHI_VALUE_I32 },
	{ "penalty_repeat", "penalty_repeat", PHI_VALUE_F32 },
	{ "mirostat", "mirostat", PHI_VALUE_I32 },
	{ "mirostat_tau", "mirostat_tau", PHI_VALUE_F32 },
	{ "mirostat_eta", "mirostat_eta", PHI_VALUE_F32 },
};

static int
add_sampling(struct phi_model *lowered, const char *name, enum phi_value_kind kind, const json_t *v,
	struct phi_err *err)
{
	struct phi_metadata *const m = &lowered->metadata;
	char key[64];
	snprintf(key, sizeof key, "general.sampling.%s", name);
	if (kind == PHI_VALUE_STRING && json_is_string(v))
		return json_string_length(v)
			? phi_metadata_add_string(m, lowered->arena, key, json_string_value(v), err) : 0;
	if (kind == PHI_VALUE_F32 && json_is_number(v) && fabs(json_number_value(v)) < 3.4e38)
		return phi_metadata_add_f32(m, lowered->arena, key, json_number_value(v), err);
	if (kind == PHI_VALUE_I32 && json_is_integer(v) && json_integer_value(v) >= INT32_MIN &&
		json_integer_value(v) <= INT32_MAX)
		return phi_metadata_add(m, lowered->arena, key,
			(struct phi_value){ .kind = kind, .i = json_integer_value(v) }, err);
	return phi_fail(err, PHI_FORMAT, "generation_config.json: %s is no %s", name,
		kind == PHI_VALUE_STRING ? "text" : kind == PHI_VALUE_I32 ? "32-bit integer" : "number");
}

/* Ends of text beyond the first have no key in a GGUF: the runtime finds the others by their look. */
static int
warn_of_ends(struct phi_model *lowered, const json_t *root, struct phi_err *err)
{
	const json_t *const eos = json_object_get(root, "eos_token_id");
	if (json_array_size(eos) < 2)
		return 0;
	return phi_model_warn(lowered, err, "generation_config.json: GGUF has one eos_token_id, the "
		"other %zu are not carried", json_array_size(eos) - 1);
}

static int
sampling_keys(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err)
{
	const struct phi_side *const side = phi_model_side(facts->origin, "generation_config.json");
	if (!side)
		return 0;
	/* A file that is no JSON is as good as none, to the converter too; being out of memory is not. */
	struct phi_err ignored = { .kind = PHI_OK };
	json_t *const root = phi_side_json(side, PHI_JSON_KEEP_DUPLICATES | PHI_JSON_BIG_INTEGERS,
		PHI_SETTINGS_VALUES_MAX, &ignored);
	if (!root && (ignored.kind == PHI_MEMORY || ignored.kind == PHI_LIMIT))
		return phi_fail(err, ignored.kind, "generation_config.json: %s", ignored.text);
	if (!root)
		return 0;
	int result = warn_of_ends(lowered, root, err);
	for (size_t i = 0; result == 0 && i < sizeof samplings / sizeof *samplings; i++) {
		const json_t *v = json_object_get(root, samplings[i].from);
		if (!v && !strcmp(samplings[i].key, "penalty_repeat"))
			v = json_object_get(root, "repetition_penalty");
		if (v && !json_is_null(v))
			result = add_sampling(lowered, samplings[i].key, samplings[i].kind, v, err);
	}
	json_decref(root);
	return result;
}

/* What is missing in `to` comes from `from`. */
static void
complete(struct phi_model_name *to, const struct phi_model_name *from)
{
	to->name = to->name ? to->name : from->name;
	to->organization = to->organization ? to->organization : from->organization;
	to->basename = to->basename ? to->basename : from->basename;
	to->finetune = to->finetune ? to->finetune : from->finetune;
	to->version = to->version ? to->version : from->version;
	to->size_label = to->size_label ? to->size_label : from->size_label;
}

static size_t
slashes(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += *s == '/';
	return n;
}

/* "3.8B"; with experts what one of them and the rest of the model make, "16x6.6B". */
static const char *
size_label(const struct phi_hf_facts *facts, struct phi_arena *arena, struct phi_err *err)
{
	const uint32_t experts = facts->hparams->experts;
	if (!experts || !facts->expert_elements)
		return phi_model_name_size(facts->elements, arena, err);
	const char *const one = phi_model_name_size(facts->elements - facts->expert_elements +
		facts->expert_elements / experts, arena, err);
	return one ? phi_arena_printf(arena, err, "%" PRIu32 "x%s", experts, one) : NULL;
}

/* What the names of the model say of it, below what the card says. */
static int
read_names(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_model_name *name,
	struct phi_err *err)
{
	struct phi_arena *const arena = lowered->arena;
	struct phi_model_name part;
	/* config.json's own word first, unless it is a path on somebody's machine. */
	const char *const own = phi_value_string(
		phi_metadata_find(&facts->origin->metadata, "_name_or_path"));
	if (own && slashes(own) <= 1) {
		if (phi_model_name_parse(own, facts->elements, arena, &part, err) < 0)
			return -1;
		complete(name, &part);
	}
	if (phi_model_name_parse(facts->name, facts->elements, arena, &part, err) < 0)
		return -1;
	complete(name, &part);
	if (!name->size_label && facts->elements) {
		name->size_label = size_label(facts, arena, err);
		if (!name->size_label)
			return -1;
	}
	return 0;
}

static int
write_texts(struct phi_model *lowered, const char *const texts[PHI_CARD_TEXTS], struct phi_err *err)
{
	static const char *const keys[PHI_CARD_TEXTS] = {
		[PHI_CARD_NAME] = "general.name",
		[PHI_CARD_AUTHOR] = "general.author",
		[PHI_CARD_VERSION] = "general.version",
		[PHI_CARD_ORGANIZATION] = "general.organization",
		[PHI_CARD_FINETUNE] = "general.finetune",
		[PHI_CARD_BASENAME] = "general.basename",
		[PHI_CARD_DESCRIPTION] = "general.description",
		[PHI_CARD_SIZE_LABEL] = "general.size_label",
		[PHI_CARD_LICENSE] = "general.license",
		[PHI_CARD_LICENSE_NAME] = "general.license.name",
		[PHI_CARD_LICENSE_LINK] = "general.license.link",
		[PHI_CARD_SOURCE_URL] = "general.source.url",
		[PHI_CARD_SOURCE_DOI] = "general.source.doi",
		[PHI_CARD_SOURCE_UUID] = "general.source.uuid",
		[PHI_CARD_SOURCE_REPO_URL] = "general.source.repo_url",
	};
	for (size_t i = 0; i < PHI_CARD_TEXTS; i++)
		if (texts[i] && phi_hf_text(lowered, keys[i],
			(struct phi_string){ texts[i], strlen(texts[i]) }, err) < 0)
			return -1;
	return 0;
}

static int
name_keys(struct phi_card_reading *reading, const struct phi_hf_facts *facts, struct phi_err *err)
{
	const char *texts[PHI_CARD_TEXTS];
	if (phi_card_texts(reading, texts, err) < 0)
		return -1;
	struct phi_model_name name = {
		.name = texts[PHI_CARD_NAME],
		.organization = texts[PHI_CARD_ORGANIZATION],
		.basename = texts[PHI_CARD_BASENAME],
		.finetune = texts[PHI_CARD_FINETUNE],
		.version = texts[PHI_CARD_VERSION],
		.size_label = texts[PHI_CARD_SIZE_LABEL],
	};
	if (read_names(reading->lowered, facts, &name, err) < 0)
		return -1;
	texts[PHI_CARD_NAME] = name.name;
	texts[PHI_CARD_ORGANIZATION] = name.organization;
	texts[PHI_CARD_BASENAME] = name.basename;
	texts[PHI_CARD_FINETUNE] = name.finetune;
	texts[PHI_CARD_VERSION] = name.version;
	texts[PHI_CARD_SIZE_LABEL] = name.size_label;
	return write_texts(reading->lowered, texts, err);
}

/* A card that is no YAML takes nothing from the model: it is said, and the model goes on without. */
static int
open_card(struct phi_card_reading *reading, const struct phi_hf_facts *facts, struct phi_card **card,
	struct phi_err *err)
{
	const struct phi_side *const readme = phi_model_side(facts->origin, "README.md");
	struct phi_err why = { .kind = PHI_OK };
	*card = readme ? phi_card_read(readme, &why) : NULL;
	reading->card = *card;
	if (*card || why.kind == PHI_OK)
		return 0;
	if (why.kind != PHI_FORMAT && why.kind != PHI_LIMIT)
		return phi_fail(err, why.kind, "README.md: %s", why.text);
	return phi_model_warn(reading->lowered, err, "README.md: %s; the card is not carried", why.text);
}

int
phi_hf_general(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err)
{
	struct phi_card_reading reading = { .lowered = lowered, .elements = facts->elements };
	struct phi_card *card;
	int result = sampling_keys(lowered, facts, err);
	if (result == 0)
		result = open_card(&reading, facts, &card, err);
	if (result < 0)
		return -1;
	result = name_keys(&reading, facts, err);
	if (result == 0)
		result = phi_card_lists(&reading, err);
	phi_card_free(card);
	return result;
}
