#include "formats/pytorch/training.h"

#include "formats/core/escape.h"

#include <stdio.h>
#include <string.h>

enum { METADATA_MAX = 256, METADATA_STRING_MAX = 4096 };

bool
phi_torch_is_dict(const struct phi_pickle *node)
{
	return node && (node->kind == PHI_PICKLE_DICT ||
			       (node->kind == PHI_PICKLE_OBJECT &&
				       phi_pickle_is_global(
					       node->object->callable, "collections OrderedDict")));
}

static bool
holds_tensors(const struct phi_pickle *node)
{
	for (uint32_t i = 1; phi_torch_is_dict(node) && i < node->count; i += 2)
		if (phi_torch_is_tensor(node->items[i]))
			return true;
	return false;
}

/* The one known key whose value is a dict of tensors, or NULL. */
static const char *
model_key(const struct phi_pickle *root)
{
	static const char *const known[] = { "state_dict", "model_state_dict", "model", "module",
		"model_state", "net", "generator", "params", "params_ema", "ema" };
	const char *found = NULL;
	if (!phi_torch_is_dict(root) || holds_tensors(root))
		return NULL;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (holds_tensors(phi_pickle_value(root, known[i]))) {
			if (found)
				return NULL;
			found = known[i];
		}
	return found;
}

static bool
is_short(const struct phi_pickle *node)
{
	return node->kind == PHI_PICKLE_STRING && node->string.size <= METADATA_STRING_MAX;
}

/* Is it metadata: a key that has a name, a value that is one number or one text? */
static bool
is_metadata(const struct phi_pickle *key, const struct phi_pickle *value)
{
	return is_short(key) && key->string.size &&
		(value->kind == PHI_PICKLE_INT || value->kind == PHI_PICKLE_FLOAT ||
			value->kind == PHI_PICKLE_BOOL || is_short(value));
}

/* "optimizer, callbacks": the keys beside the model's but for metadata, cut where the room ends. */
static void
list_others(const struct phi_pickle *root, const char *key, char *dst, size_t size)
{
	size_t n = 0;
	*dst = '\0';
	for (uint32_t i = 0; i + 1 < root->count; i += 2) {
		const struct phi_pickle *const k = root->items[i];
		char text[64];
		if (k->kind != PHI_PICKLE_STRING || phi_pickle_is_string(k, key) ||
			is_metadata(k, root->items[i + 1]))
			continue;
		phi_escape(text, sizeof text, k->string.data, k->string.size);
		if (n + strlen(text) + 8 > size) {
			strcpy(dst + n, ", ...");
			return;
		}
		n += (size_t)sprintf(dst + n, "%s%s", n ? ", " : "", text);
	}
}

int
phi_torch_find_model(struct phi_model *model, const struct phi_pickle **root, struct phi_err *err)
{
	const char *const key = model_key(*root);
	char others[256];
	if (!key)
		return 0;
	list_others(*root, key, others, sizeof others);
	*root = phi_pickle_value(*root, key);
	return *others ? phi_model_warn(
				 model, err, "the model is \"%s\"; left out are: %s", key, others)
		       : 0;
}

int
phi_torch_add_metadata(struct phi_model *model, const struct phi_pickle *root, struct phi_err *err)
{
	for (uint32_t i = 0; phi_torch_is_dict(root) && i + 1 < root->count; i += 2) {
		const struct phi_pickle *const k = root->items[i], *const v = root->items[i + 1];
		struct phi_value value = { .kind = PHI_VALUE_NULL };
		if (!is_metadata(k, v) || model->metadata.count == METADATA_MAX)
			continue;
		if (v->kind == PHI_PICKLE_INT) {
			value = (struct phi_value){ .kind = PHI_VALUE_I64, .i = v->i };
		} else if (v->kind == PHI_PICKLE_FLOAT) {
			value = (struct phi_value){ .kind = PHI_VALUE_F64, .f = v->f };
		} else if (v->kind == PHI_PICKLE_BOOL) {
			value = (struct phi_value){ .kind = PHI_VALUE_BOOL, .b = v->b };
		} else {
			value.kind = PHI_VALUE_STRING;
			value.s.size = v->string.size;
			value.s.data =
				phi_arena_copy(model->arena, v->string.data, v->string.size, err);
			if (!value.s.data)
				return -1;
		}
		const char *const key =
			phi_arena_copy(model->arena, k->string.data, k->string.size, err);
		if (!key || phi_metadata_add(&model->metadata, model->arena, key, value, err))
			return -1;
	}
	return 0;
}
