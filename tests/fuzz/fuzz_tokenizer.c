/* The tokenizer's files of a folder, any bytes: a vocabulary of as many tokens as asked for, each with a
 * text and a kind, or a message. Parts: tokenizer.json, tokenizer_config.json, generation_config.json,
 * config.json, chat_template.jinja. */
#include "formats/tokenizer/vocabulary.h"
#include "tests/fuzz/parts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 40 };

/* Texts end with a NUL where arrays say they do. */
static uint64_t
walk(const struct phi_vocabulary *v)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < v->ntokens; i++)
		sum += strlen(v->tokens[i].data);
	for (uint32_t i = 0; i < v->nmerges; i++)
		sum += strlen(v->merges[i].data);
	for (unsigned i = 0; i < v->ntemplates; i++)
		sum += strlen(v->templates[i].name) + strlen(v->templates[i].text.data);
	return sum;
}

static void
check(const struct phi_vocabulary *v)
{
	if (v->ntokens != ROWS || v->nspecial > PHI_SPECIALS || v->nadd > PHI_SPECIALS)
		abort();
	for (uint32_t i = 0; i < v->ntokens; i++)
		if ((v->tokens[i].size && !v->tokens[i].data) || v->kinds[i] < PHI_TOKEN_NORMAL ||
			v->kinds[i] > PHI_TOKEN_BYTE)
			abort();
	for (unsigned i = 0; i < PHI_SPECIALS; i++)
		if (v->special[i] < -1 || v->special[i] > UINT32_MAX)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "tokenizer.json", "tokenizer_config.json",
		"generation_config.json", "config.json", "chat_template.jinja" };
	struct phi_err err = { 0 };
	struct phi_model *const model = phi_model_new("hf", &err);
	fuzz_sides(model, names, sizeof names / sizeof *names, data, size);
	struct phi_vocabulary vocabulary = { 0 };
	const int status = phi_vocabulary_read(model, ROWS, NULL, model->arena, &vocabulary,
		&err);
	if (status == 0) {
		check(&vocabulary);
		(void)walk(&vocabulary);
	} else if (status < 0 && (!err.text[0] || strchr(err.text, '\n'))) {
		abort();
	}
	phi_model_free(model);
	return 0;
}
