/* tokenizer.json and tokenizer_config.json: the two in one input, a NUL byte between them. */
#include "formats/tokenizer/vocabulary.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that a GGUF's keys are made from is looked at. */
static uint64_t
walk(const struct phi_vocabulary *v)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < v->ntokens; i++)
		sum += strlen(v->tokens[i].data) + (uint64_t)v->kinds[i];
	for (uint32_t i = 0; i < v->nmerges; i++)
		sum += strlen(v->merges[i].data);
	for (unsigned i = 0; i < v->nspecial; i++)
		sum += (uint64_t)v->special[v->special_order[i]];
	for (unsigned i = 0; i < v->ntemplates; i++)
		sum += strlen(v->templates[i].name) + strlen(v->templates[i].text.data);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	struct phi_model *const model = phi_model_new("hf", &err);
	const uint8_t *const nul = size ? memchr(data, 0, size) : NULL;
	const size_t first = nul ? (size_t)(nul - data) : size;
	phi_model_add_side(model, "tokenizer.json", data, first, &err);
	if (nul)
		phi_model_add_side(model, "tokenizer_config.json", nul + 1, size - first - 1, &err);
	struct phi_vocabulary v;
	if (phi_vocabulary_read(model, 2048, "gpt-4o", "phi3", model->arena, &v, &err) == 0)
		(void)walk(&v);
	else if (!err.text[0])
		abort(); /* a failure must say what it is */
	phi_model_free(model);
	return 0;
}
