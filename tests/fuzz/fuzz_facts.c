/* What phi-inspect says of a model in a few words, of any tokenizer.json,
 * tokenizer_config.json and chat_template.jinja (the parts): lists of known kinds. */
#include "inspect/facts.h"
#include "inspect/vocabulary_size.h"
#include "tests/fuzz/parts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct phi_metadata *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!list->items[i].key || list->items[i].value.kind == PHI_VALUE_ARRAY ||
			(list->items[i].value.kind == PHI_VALUE_STRING &&
				list->items[i].value.s.data[list->items[i].value.s.size]))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "tokenizer.json", "tokenizer_config.json",
		"chat_template.jinja" };
	struct phi_err err = { 0 };
	struct phi_model *const model = phi_model_new("hf", &err);
	struct phi_vocabulary_size vocabulary;
	struct phi_facts facts;
	phi_vocabulary_size_take(&vocabulary, (const char *)data, size);
	if (vocabulary.kind[sizeof vocabulary.kind - 1])
		abort();
	fuzz_sides(model, names, sizeof names / sizeof *names, data, size);
	if (phi_facts_take(&facts, model, &err))
		abort();
	check(&facts.family);
	check(&facts.tokenizer);
	phi_facts_free(&facts);
	phi_model_free(model);
	return 0;
}
