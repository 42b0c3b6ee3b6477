#include "formats/hf/retype.h"

#include "formats/core/json_edit.h"

#include <string.h>

static const struct {
	enum phi_type_id type;
	const char *word; /* as it stands in the text */
} words[] = {
	{ PHI_F32, "\"float32\"" },
	{ PHI_F16, "\"float16\"" },
	{ PHI_BF16, "\"bfloat16\"" },
};
enum { NWORDS = sizeof words / sizeof *words };

/* The word for the type that all float matrices have, or NULL. */
static const char *
word_for(const struct phi_model *model)
{
	const struct phi_type *type = NULL;
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		if (t->rank < 2 || t->type->class != PHI_CLASS_FLOAT)
			continue;
		if (type && type != t->type)
			return NULL;
		type = t->type;
	}
	for (int i = 0; type && i < NWORDS; i++)
		if (words[i].type == type->id)
			return words[i].word;
	return NULL;
}

static bool
is_word(const char *text, const struct phi_json_place *p)
{
	for (int i = 0; i < NWORDS; i++)
		if (p->end - p->value == strlen(words[i].word) &&
			!memcmp(text + p->value, words[i].word, p->end - p->value))
			return true;
	return false;
}

/* A copy with the bytes of the value exchanged. */
static int
replace(struct phi_arena *arena, const struct phi_json_place *p, const char *word,
	const void **data, size_t *size, struct phi_err *err)
{
	const char *const old = *data;
	const size_t m = strlen(word), tail = *size - p->end;
	char *const text = phi_arena_alloc(arena, p->value + m + tail + 1, err);
	if (!text)
		return -1;
	memcpy(text, old, p->value);
	memcpy(text + p->value, word, m);
	memcpy(text + p->value + m, old + p->end, tail);
	*data = text;
	*size = p->value + m + tail;
	return 0;
}

int
phi_hf_retype(const struct phi_model *model, const struct phi_side *config,
	struct phi_arena *arena, const void **data, size_t *size, struct phi_err *err)
{
	static const char *const keys[] = { "torch_dtype", "dtype" };
	const char *const word = model->recipe ? word_for(model) : NULL;
	*data = config->data;
	*size = config->size;
	for (int i = 0; word && i < 2; i++) {
		struct phi_json_place p;
		if (phi_json_find(*data, *size, keys[i], &p) && is_word(*data, &p) &&
			replace(arena, &p, word, data, size, err))
			return -1;
	}
	return 0;
}
