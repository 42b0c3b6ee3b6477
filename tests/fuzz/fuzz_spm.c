/* tokenizer.model, any bytes, with what is laid over its pieces: a vocabulary of as many tokens as asked for,
 * each with a text, a kind and a finite score, or a message. Parts: tokenizer.model, added_tokens.json,
 * tokenizer_config.json, tokenizer.json. */
#include "formats/tokenizer/vocabulary.h"
#include "tests/fuzz/parts.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 300 };

static void
check(const struct phi_vocabulary *v)
{
	if (v->ntokens != ROWS)
		abort();
	for (uint32_t i = 0; i < v->ntokens; i++)
		if (!v->tokens[i].data || v->tokens[i].data[v->tokens[i].size] ||
			v->kinds[i] < PHI_TOKEN_NORMAL || v->kinds[i] > PHI_TOKEN_BYTE ||
			(v->scores && !isfinite(v->scores[i])))
			abort();
	for (unsigned i = 0; v->scores && i < PHI_SPECIALS; i++)
		if (v->special[i] < -1 || v->special[i] >= ROWS)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "tokenizer.model", "added_tokens.json",
		"tokenizer_config.json", "tokenizer.json" };
	struct phi_err err = { 0 };
	struct phi_model *const model = phi_model_new("hf", &err);
	fuzz_sides(model, names, sizeof names / sizeof *names, data, size);
	struct phi_vocabulary vocabulary = { 0 };
	const int status = phi_vocabulary_read(model, ROWS, NULL, model->arena, &vocabulary,
		&err);
	if (status == 0)
		check(&vocabulary);
	else if (status < 0 && (!err.text[0] || strchr(err.text, '\n')))
		abort();
	phi_model_free(model);
	return 0;
}
