#include "inspect/metadata_diff.h"

#include "formats/core/memory.h"
#include "formats/core/names.h"
#include "formats/models/family.h"

#include <string.h>

static bool
same_string(const struct phi_string *a, const struct phi_string *b)
{
	return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

static bool
same_array(const struct phi_value *a, const struct phi_value *b)
{
	if (a->array.kind != b->array.kind || a->array.count != b->array.count)
		return false;
	if (a->array.kind != PHI_VALUE_STRING)
		return a->array.count == 0 ||
			!memcmp(a->array.data, b->array.data,
				(size_t)a->array.count * phi_value_width(a->array.kind));
	const struct phi_string *const x = a->array.data, *const y = b->array.data;
	for (uint64_t i = 0; i < a->array.count; i++)
		if (!same_string(&x[i], &y[i]))
			return false;
	return true;
}

/* The same kind and value, floats by their bits. */
static bool
same_value(const struct phi_value *a, const struct phi_value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case PHI_VALUE_STRING:
		return same_string(&a->s, &b->s);
	case PHI_VALUE_ARRAY:
		return same_array(a, b);
	case PHI_VALUE_BOOL:
		return a->b == b->b;
	case PHI_VALUE_F32:
	case PHI_VALUE_F64:
		return !memcmp(&a->f, &b->f, sizeof a->f);
	case PHI_VALUE_NULL:
		return true;
	default:
		return a->u == b->u;
	}
}

static int
index_keys(struct phi_names *names, const struct phi_metadata *list, struct phi_err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (phi_names_add(names, list->items[i].key, strlen(list->items[i].key), (uint32_t)i,
			    err) < 0)
			return -1;
	return 0;
}

static void
add(struct phi_metadata_diff *diff, const char *key, const struct phi_value *a,
	const struct phi_value *b)
{
	diff->items[diff->count++] = (struct phi_metadata_difference){key, a, b};
}

/* In the order of a, then what only b has. */
static void
collect(struct phi_metadata_diff *diff, const struct phi_metadata *a, const struct phi_metadata *b,
	const struct phi_names *in_a, const struct phi_names *in_b)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct phi_meta *const m = &a->items[i];
		const uint32_t j = phi_names_find(in_b, m->key, strlen(m->key));
		if (j == PHI_NONE)
			add(diff, m->key, &m->value, NULL);
		else if (!same_value(&m->value, &b->items[j].value))
			add(diff, m->key, &m->value, &b->items[j].value);
	}
	for (size_t i = 0; i < b->count; i++)
		if (phi_names_find(in_a, b->items[i].key, strlen(b->items[i].key)) == PHI_NONE)
			add(diff, b->items[i].key, NULL, &b->items[i].value);
}

/* What the family knows of a model, in numbers; the names are config.json's. */
enum { NUMBERS = 14 };

static const char *const number_names[NUMBERS] = {"num_hidden_layers", "hidden_size",
	"intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size",
	"max_position_embeddings", "original_max_position_embeddings", "rotary dimensions",
	"rms_norm_eps", "rope_theta", "sliding_window", "tie_word_embeddings"};

static bool
read_numbers(const struct phi_model *m, float *numbers)
{
	struct phi_hparams h;
	if (phi_family_hparams(m, &h, NULL))
		return false;
	const float read[NUMBERS] = {(float)h.layers, (float)h.hidden, (float)h.ffn, (float)h.heads,
		(float)h.kv_heads, (float)h.head_dim, (float)h.vocab, (float)h.context,
		(float)h.original_context, (float)h.rotary, (float)h.norm_epsilon,
		(float)h.rope_theta, (float)h.sliding_window, (float)h.tied};
	memcpy(numbers, read, sizeof read);
	return true;
}

static int
compare_numbers(struct phi_metadata_diff *diff, const struct phi_model *a, const struct phi_model *b,
	struct phi_err *err)
{
	float x[NUMBERS], y[NUMBERS];
	if (!a->family || a->family != b->family || !read_numbers(a, x) || !read_numbers(b, y))
		return 0;
	diff->comparable = diff->by_family = true;
	diff->items = phi_calloc(NUMBERS, sizeof *diff->items, err);
	diff->values = phi_calloc(2 * NUMBERS, sizeof *diff->values, err);
	if (!diff->items || !diff->values)
		return -1;
	for (size_t i = 0; i < NUMBERS; i++) {
		diff->values[2 * i] = (struct phi_value){.kind = PHI_VALUE_F32, .f = x[i]};
		diff->values[2 * i + 1] = (struct phi_value){.kind = PHI_VALUE_F32, .f = y[i]};
		if (x[i] != y[i])
			add(diff, number_names[i], &diff->values[2 * i], &diff->values[2 * i + 1]);
	}
	return 0;
}

static int
compare_keys(struct phi_metadata_diff *diff, const struct phi_model *a, const struct phi_model *b,
	struct phi_err *err)
{
	struct phi_names *const in_a = phi_names_new(err), *const in_b = phi_names_new(err);
	int result = -1;
	diff->comparable = true;
	diff->items = phi_calloc(a->metadata.count + b->metadata.count + 1, sizeof *diff->items, err);
	if (in_a && in_b && diff->items && !index_keys(in_a, &a->metadata, err) &&
		!index_keys(in_b, &b->metadata, err)) {
		collect(diff, &a->metadata, &b->metadata, in_a, in_b);
		result = 0;
	}
	phi_names_free(in_a);
	phi_names_free(in_b);
	return result;
}

int
phi_metadata_diff_take(struct phi_metadata_diff *diff, const struct phi_model *a,
	const struct phi_model *b, struct phi_err *err)
{
	*diff = (struct phi_metadata_diff){0};
	return strcmp(a->view, b->view) ? compare_numbers(diff, a, b, err)
					: compare_keys(diff, a, b, err);
}

void
phi_metadata_diff_free(struct phi_metadata_diff *diff)
{
	phi_free(diff->items);
	phi_free(diff->values);
}
