/* README.md, any bytes: a card, what is looked for in it as metadata, or a message. */
#include "formats/gguf/card_keys.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
walk(const struct phi_metadata *m)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < m->count; i++) {
		const struct phi_value *const v = &m->items[i].value;
		if (v->kind == PHI_VALUE_STRING && strlen(v->s.data) != v->s.size)
			abort();
		if (v->kind == PHI_VALUE_ARRAY)
			for (uint64_t k = 0; k < v->array.count; k++)
				sum += strlen(((const struct phi_string *)v->array.data)[k].data);
	}
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct phi_side readme = { .name = "README.md", .data = data, .size = size };
	struct phi_err err = { 0 };
	struct phi_card *const card = phi_card_read(&readme, &err);
	if (!card) {
		if (err.kind != PHI_OK && (!err.text[0] || strchr(err.text, '\n')))
			abort();
		return 0;
	}
	struct phi_model *const model = phi_model_new("gguf", &err);
	struct phi_card_reading reading = { .card = card, .lowered = model, .elements = 1000000 };
	const char *texts[PHI_CARD_TEXTS];
	if (phi_card_texts(&reading, texts, &err) == 0 && phi_card_lists(&reading, &err) == 0)
		(void)walk(&model->metadata);
	else if (!err.text[0])
		abort();
	phi_model_free(model);
	phi_card_free(card);
	return 0;
}
