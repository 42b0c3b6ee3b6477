#include "formats/tokenizer/vocabulary.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/tokenizer/added.h"
#include "formats/tokenizer/pieces.h"
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

static int
fill_byte_level(struct phi_tokenizer_json *file, const char *pre, json_t *config,
	const struct phi_metadata *metadata, struct phi_arena *arena, struct phi_vocabulary *out,
	struct phi_err *err)
{
	out->kinds = phi_arena_calloc(arena, file->rows, sizeof *out->kinds, err);
	if (!out->kinds || choose_pre(pre, file, arena, out, err) < 0 ||
		phi_added_complete(file, config, arena, err) < 0 ||
		phi_special_find(file, config, metadata, out, err) < 0 ||
		phi_added_kinds(file, out->kinds, arena, err) < 0)
		return -1;
	out->model = "gpt2";
	out->tokens = file->tokens;
	out->ntokens = file->rows;
	out->merges = file->merges;
	out->nmerges = file->nmerges;
	out->nmoved = (uint32_t)file->nmoved;
	return 0;
}

/* The pre-tokenizer is not looked at by runtimes: there is one way only. */
static int
fill_pieces(const struct phi_model *model, struct phi_tokenizer_json *file, const char *pre,
	json_t *config, struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err)
{
	file->pre = "default";
	if (choose_pre(pre, file, arena, out, err) < 0 ||
		phi_pieces_fill(model, file, config, arena, out, err) < 0)
		return -1;
	out->model = "llama";
	return phi_special_find(file, config, &model->metadata, out, err);
}

/* Everything that needs tokenizer_config.json, whose tree is NULL if there is no such file. */
static int
fill(const struct phi_model *model, const char *pre, struct phi_tokenizer_json *file,
	json_t *config, struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err)
{
	if ((file->byte_level ? fill_byte_level(file, pre, config, &model->metadata, arena, out, err)
			      : fill_pieces(model, file, pre, config, arena, out, err)) < 0)
		return -1;
	if (json_object_size(config) && phi_template_read(model, config, arena, out, err) < 0)
		return -1;
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

int
phi_vocabulary_read(const struct phi_model *model, uint32_t rows, const char *pre,
	struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err)
{
	const struct phi_side *const json = phi_model_side(model, "tokenizer.json");
	const bool pieces = phi_model_side(model, "tokenizer.model") != NULL;
	*out = (struct phi_vocabulary){ .lowercase = -1, .strip_accents = -1, .space_first = -1 };
	if (!json && !pieces && phi_model_side(model, "vocab.json"))
		return phi_fail(err, PHI_UNSUPPORTED,
			"vocab.json: a tokenizer without tokenizer.json, which is not read yet");
	if (!json && !pieces)
		return 1;
	struct phi_tokenizer_json file = { .rows = rows, .lowercase = -1, .strip_accents = -1 };
	if (json && phi_tokenizer_json_read(json, rows, pieces, arena, &file, err) < 0)
		return phi_context(err, "%s", json->name);
	const int result = with_config(model, pre, &file, arena, out, err);
	phi_tokenizer_json_free(&file);
	return result;
}
