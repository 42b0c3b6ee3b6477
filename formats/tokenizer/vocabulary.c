#include "formats/tokenizer/vocabulary.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/tokenizer/added.h"
#include "formats/tokenizer/pretokenizer.h"
#include "formats/tokenizer/side_json.h"
#include "formats/tokenizer/special.h"
#include "formats/tokenizer/template.h"

static int
choose_pre(const char *asked, const struct phi_tokenizer_json *file, struct phi_arena *arena,
	struct phi_vocabulary *out, struct phi_err *err)
{
	struct phi_quoted q;
	if (asked && !phi_pretokenizer_allowed(asked))
		return phi_fail(err, PHI_ARGUMENT, "%s is no name of a pre-tokenizer",
			phi_quote(&q, asked));
	out->pre = file->pre;
	if (asked)
		out->pre = phi_arena_strdup(arena, asked, err);
	else if (!out->pre)
		return phi_fail(err, PHI_UNSUPPORTED, "the pre-tokenizer's pattern is not known; if you "
			"know llama.cpp's name of it, give it with --pre NAME");
	return out->pre ? 0 : -1;
}

/* Everything that needs tokenizer_config.json, whose tree is NULL if there is no such file. */
static int
fill(const struct phi_model *model, const char *pre, struct phi_tokenizer_json *file,
	json_t *config, struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err)
{
	out->kinds = phi_arena_calloc(arena, file->rows, sizeof *out->kinds, err);
	if (!out->kinds || choose_pre(pre, file, arena, out, err) < 0 ||
		phi_added_complete(file, config, arena, err) < 0 ||
		phi_special_find(file, config, &model->metadata, out, err) < 0 ||
		phi_added_kinds(file, out->kinds, arena, err) < 0)
		return -1;
	if (json_object_size(config) && phi_template_read(model, config, arena, out, err) < 0)
		return -1;
	out->model = "gpt2";
	out->tokens = file->tokens;
	out->ntokens = file->rows;
	out->merges = file->merges;
	out->nmerges = file->nmerges;
	out->nmoved = (uint32_t)file->nmoved;
	out->lowercase = file->lowercase;
	out->strip_accents = file->strip_accents;
	return 0;
}

static int
with_config(const struct phi_model *model, const char *pre, struct phi_tokenizer_json *file,
	struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err)
{
	const struct phi_side *const side = phi_model_side(model, "tokenizer_config.json");
	json_t *config = NULL;
	if (side) {
		config = phi_side_json(side, PHI_JSON_BIG_INTEGERS | PHI_JSON_KEEP_DUPLICATES,
			PHI_SETTINGS_VALUES_MAX, err);
		if (!config)
			return phi_context(err, "%s", side->name);
		if (!json_is_object(config)) {
			json_decref(config);
			return phi_fail(err, PHI_FORMAT, "%s: no object", side->name);
		}
	}
	const int result = fill(model, pre, file, config, arena, out, err);
	json_decref(config);
	return result;
}

/* Without tokenizer.json: say what is there instead. */
static int
without(const struct phi_model *model, struct phi_err *err)
{
	if (phi_model_side(model, "tokenizer.model"))
		return phi_fail(err, PHI_UNSUPPORTED,
			"tokenizer.model: a SentencePiece tokenizer, which is not read yet");
	if (phi_model_side(model, "vocab.json"))
		return phi_fail(err, PHI_UNSUPPORTED,
			"vocab.json: a tokenizer without tokenizer.json, which is not read yet");
	return 1;
}

int
phi_vocabulary_read(const struct phi_model *model, uint32_t rows, const char *pre,
	const char *family, struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err)
{
	*out = (struct phi_vocabulary){ .lowercase = -1, .strip_accents = -1 };
	const struct phi_side *const side = phi_model_side(model, "tokenizer.json");
	if (!side)
		return without(model, err);
	struct phi_tokenizer_json file;
	if (phi_tokenizer_json_read(side, rows, family, arena, &file, err) < 0)
		return phi_context(err, "%s", side->name);
	const int result = with_config(model, pre, &file, arena, out, err);
	phi_tokenizer_json_free(&file);
	return result;
}
