/* Any bytes, as a GGUF that is to become a checkpoint folder: refused with a message, or its side files are
 * what they ought to be: JSON, a vocabulary that reads back, a SentencePiece model; and the folder can be planned. */
#include "formats/core/json.h"
#include "formats/formats.h"
#include "formats/models/family.h"
#include "formats/tokenizer/vocabulary.h"
#include "tests/fuzz/memory.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_error(const struct phi_err *err)
{
	must(err->kind != PHI_OK && err->text[0] && !strchr(err->text, '\n'));
}

static bool
ends_with(const char *s, const char *end)
{
	const size_t n = strlen(s), m = strlen(end);
	return n > m && !strcmp(s + n - m, end);
}

/* What was made up is valid; what was kept may be anything but what could be run. */
static void
check_sides(const struct phi_model *model, bool kept)
{
	static const char *const made[] = { "config.json", "tokenizer.json", "tokenizer_config.json",
		"generation_config.json" };
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		const struct phi_side *const side = phi_model_side(model, made[i]);
		struct phi_err err = { 0 };
		if (!side)
			continue;
		json_t *const root = phi_json_parse(side->data, side->size, PHI_JSON_NULS | PHI_JSON_KEEP_DUPLICATES, &err);
		must(root || kept);
		json_decref(root);
	}
	for (size_t i = 0; i < model->nsides; i++)
		must(!strchr(model->sides[i].name, '/') && !ends_with(model->sides[i].name, ".py"));
}

/* Reads like any folder's, or is refused with words. */
static void
check_vocabulary(struct phi_model *model)
{
	struct phi_vocabulary v;
	struct phi_hparams h;
	struct phi_err err = { 0 };
	must(phi_family_hparams(model, &h, &err) == 0);
	if (phi_vocabulary_read(model, h.vocab, NULL, model->arena, &v, &err) < 0)
		check_error(&err);
}

static void
check_plan(const struct phi_model *model)
{
	const struct phi_lower_options options = { .size = sizeof options };
	const struct phi_plan_options plan_options = { .size = sizeof plan_options };
	const struct phi_format *const hf = phi_format_named("hf");
	struct phi_err err = { 0 };
	struct phi_model *const lowered = phi_lower(model, hf, &options, &err);
	struct phi_plan *const plan = lowered ? phi_plan_make(lowered, hf, &plan_options, &err) : NULL;
	if (!plan)
		check_error(&err);
	phi_plan_free(plan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct phi_spool_options spool = { .refuse = true };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool, .format = "gguf" };
	const int fd = fuzz_file(data, size);
	struct phi_err err = { 0 };
	struct phi_source *const source = phi_open(fuzz_path(fd).text, &options, &err);
	if (!source) {
		check_error(&err);
	} else if (phi_source_canonical(source, NULL, &spool, &err) < 0) {
		check_error(&err);
	} else if (!strcmp(source->model->view, "canonical")) {
		check_sides(source->model, memmem(data, size, "phi.file.", 9) != NULL);
		check_vocabulary(source->model);
		check_plan(source->model);
	}
	phi_source_close(source);
	close(fd);
	return 0;
}
