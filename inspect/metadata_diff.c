#include "inspect/metadata_diff.h"

#include "formats/core/memory.h"
#include "formats/core/names.h"

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

int
phi_metadata_diff_take(struct phi_metadata_diff *diff, const struct phi_model *a,
	const struct phi_model *b, struct phi_err *err)
{
	*diff = (struct phi_metadata_diff){.comparable = !strcmp(a->view, b->view)};
	if (!diff->comparable)
		return 0;
	struct phi_names *const in_a = phi_names_new(err), *const in_b = phi_names_new(err);
	diff->items = phi_calloc(a->metadata.count + b->metadata.count + 1, sizeof *diff->items, err);
	int result = -1;
	if (in_a && in_b && diff->items && !index_keys(in_a, &a->metadata, err) &&
		!index_keys(in_b, &b->metadata, err)) {
		collect(diff, &a->metadata, &b->metadata, in_a, in_b);
		result = 0;
	}
	phi_names_free(in_a);
	phi_names_free(in_b);
	return result;
}

void
phi_metadata_diff_free(struct phi_metadata_diff *diff)
{
	phi_free(diff->items);
}
