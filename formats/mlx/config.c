#include "formats/mlx/config.h"

#include "formats/core/arena.h"
#include "formats/core/decimal.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/mlx/json_text.h"
#include "formats/mlx/mlx.h"
#include "formats/models/family.h"

#include <stdlib.h>
#include <string.h>

/* A member of the text to be: a value of the old one, or words of ours. */
struct entry {
	const char *key;
	const json_t *value;
	const char *text;
};

struct config {
	const struct phi_plan *plan;
	json_t *root;
	struct entry *entries;
	size_t count, capacity;
};

static const char *const dropped[] = { "_name_or_path", "vision_config", "quantization", "quantization_config" };

static bool
is_dropped(const char *key)
{
	for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
		if (!strcmp(key, dropped[i]))
			return true;
	return false;
}

static int
append(struct config *c, const char *key, const json_t *value, const char *text, struct phi_err *err)
{
	if (phi_grow(&c->entries, &c->capacity, c->count, sizeof *c->entries, err))
		return -1;
	c->entries[c->count++] = (struct entry){ key, value, text };
	return 0;
}

/* Takes the place of the entry of that key, if there is one. */
static int
put(struct config *c, const char *key, const json_t *value, const char *text, struct phi_err *err)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->entries[i].key, key)) {
			c->entries[i] = (struct entry){ key, value, text };
			return 0;
		}
	return append(c, key, value, text, err);
}

/* Quantization */

static int
put_form(struct phi_buffer *out, const struct phi_mlx_form *form, const char *indent, struct phi_err *err)
{
	return phi_buffer_printf(out, err, "%s\"group_size\": %u,\n%s\"bits\": %u,\n%s\"mode\": \"%s\"", indent,
		form->group, indent, form->bits, indent, form->mode);
}

/* The form most weights have, the first of equals. */
static bool
most(const struct phi_model *model, struct phi_mlx_form *form)
{
	size_t counts[PHI_TYPES + 1] = { 0 }, best = 0;
	for (size_t i = 0; i < model->ntensors; i++)
		counts[model->tensors[i].type->id]++;
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_type *const type = model->tensors[i].type;
		if (counts[type->id] > best && phi_mlx_form_of(type, form))
			best = counts[type->id];
	}
	return best > 0;
}

/* "model.layers.0.mlp.down_proj": {...}. mlx-lm's mixed recipes name every weight, whatever it has. */
static int
put_overrides(const struct phi_model *model, const struct phi_mlx_form *top, bool all, struct phi_buffer *out,
	struct phi_err *err)
{
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		const size_t path = phi_mlx_path(t->name);
		struct phi_mlx_form form;
		if (!phi_mlx_form_of(t->type, &form) || (!all && phi_mlx_form_equal(&form, top)))
			continue;
		if (phi_buffer_printf(out, err, ",\n        ") || phi_json_append_string(out, t->name, path, err) ||
			phi_buffer_printf(out, err, ": {\n") || put_form(out, &form, "            ", err) ||
			phi_buffer_printf(out, err, "\n        }"))
			return -1;
	}
	return 0;
}

static int
add_quantization(struct config *c, struct phi_err *err)
{
	const struct phi_model *const model = c->plan->model;
	const bool mixed = model->recipe && !strncmp(model->recipe, "mixed_", 6);
	struct phi_buffer out = { 0 };
	struct phi_mlx_form top;
	if (!most(model, &top))
		return 0;
	if (mixed)
		top.bits = phi_mlx_form_usual(top.mode)->bits;
	int result = phi_buffer_printf(&out, err, "{\n") || put_form(&out, &top, "        ", err) ||
		put_overrides(model, &top, mixed, &out, err) || phi_buffer_printf(&out, err, "\n    }");
	const char *const text = result ? NULL : phi_arena_copy(c->plan->arena, out.data, out.size, err);
	result = !text || put(c, "quantization", NULL, text, err) ||
		put(c, "quantization_config", NULL, text, err);
	phi_buffer_free(&out);
	return result ? -1 : 0;
}

/* The rotary embedding: what transformers 5 gathers in rope_parameters stood in these keys before. */

static const json_t *
object_of(const json_t *root, const char *key)
{
	const json_t *const v = json_object_get(root, key);
	return json_is_object(v) ? v : NULL;
}

static const char *
rope_type(const json_t *rope)
{
	const char *const type = json_string_value(json_object_get(rope, "rope_type"));
	return type ? type : json_string_value(json_object_get(rope, "type"));
}

/* Members that rope_scaling has: checkpoints of transformers 4 are refused if there are others. */
static bool
is_scaling(const json_t *rope, const char *key)
{
	static const char *const known[] = { "long_factor", "short_factor", "long_mscale", "short_mscale", "factor" };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(key, known[i]))
			return true;
	return !strcmp(key, "original_max_position_embeddings") && json_object_get(rope, "long_mscale");
}

static int
put_scaling(const json_t *rope, bool whole, struct phi_buffer *out, struct phi_err *err)
{
	const char *const type = rope_type(rope);
	const char *key;
	const json_t *value;
	if (phi_buffer_printf(out, err, "{"))
		return -1;
	void *at = json_object_iter((json_t *)(uintptr_t)rope);
	for (; at; at = json_object_iter_next((json_t *)(uintptr_t)rope, at)) {
		key = json_object_iter_key(at);
		value = json_object_iter_value(at);
		if (!strcmp(key, "type") || (!whole && !is_scaling(rope, key)))
			continue;
		if (phi_buffer_printf(out, err, "\n        ") ||
			phi_json_append_string(out, key, strlen(key), err) || phi_buffer_printf(out, err, ": ") ||
			phi_json_text(value, 2, out, err) || phi_buffer_printf(out, err, ","))
			return -1;
	}
	return phi_buffer_printf(out, err, "\n        \"type\": ") ||
		phi_json_append_string(out, type, strlen(type), err) || phi_buffer_printf(out, err, "\n    }");
}

/* rope: what to make rope_scaling of; whole: that is one already, without a type. */
static int
add_scaling(struct config *c, const json_t *rope, bool whole, struct phi_err *err)
{
	struct phi_buffer out = { 0 };
	int result = put_scaling(rope, whole, &out, err);
	const char *const text = result ? NULL : phi_arena_copy(c->plan->arena, out.data, out.size, err);
	result = text ? put(c, "rope_scaling", NULL, text, err) : -1;
	phi_buffer_free(&out);
	return result;
}

static int
add_rope(struct config *c, struct phi_err *err)
{
	static const char *const outer[] = { "rope_theta", "partial_rotary_factor", "original_max_position_embeddings" };
	const json_t *const scaling = object_of(c->root, "rope_scaling");
	const json_t *const rope = object_of(c->root, "rope_parameters");
	if (scaling && !json_object_get(scaling, "type") && rope_type(scaling))
		return add_scaling(c, scaling, true, err);
	if (scaling || !rope)
		return 0;
	for (size_t i = 0; i < sizeof outer / sizeof *outer; i++) {
		const json_t *const v = json_object_get(rope, outer[i]), *const there = json_object_get(c->root, outer[i]);
		if (v && (!there || json_is_null(there)) && put(c, outer[i], v, NULL, err))
			return -1;
	}
	const char *const type = rope_type(rope);
	return type && strcmp(type, "default") ? add_scaling(c, rope, false, err) : 0;
}

/* A number under a key that is not there yet. */
static int
fill(struct config *c, const char *key, double value, bool real, struct phi_err *err)
{
	char number[PHI_DECIMAL_MAX];
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->entries[i].key, key) &&
			(c->entries[i].text || !json_is_null(c->entries[i].value)))
			return 0;
	const char *const text = real
		? phi_arena_strdup(c->plan->arena, phi_decimal(number, value, false), err)
		: phi_arena_printf(c->plan->arena, err, "%.0f", value);
	return text ? put(c, key, NULL, text, err) : -1;
}

/* What mlx-lm assumes otherwise than transformers where the file is silent (32 heads of keys for Phi-1.5, say). */
static int
add_absent(struct config *c, struct phi_err *err)
{
	const struct phi_model *const model = c->plan->model;
	const bool phi2 = model->family && !strcmp(model->family->model_type, "phi");
	struct phi_hparams h;
	if (!model->family)
		return 0;
	if (phi_family_hparams(model, &h, err) || fill(c, "num_key_value_heads", h.kv_heads, false, err) ||
		fill(c, "rope_theta", h.rope_theta, true, err) ||
		fill(c, "partial_rotary_factor", h.partial_rotary, true, err) ||
		fill(c, phi2 ? "layer_norm_eps" : "rms_norm_eps", h.norm_epsilon, true, err))
		return -1;
	return h.rope == PHI_ROPE_LONGROPE
		? fill(c, "original_max_position_embeddings", h.original_context, false, err) : 0;
}

/* The type all floats have, as config.json says it; nothing where they differ. */
static int
add_dtype(struct config *c, struct phi_err *err)
{
	static const char *const keys[] = { "torch_dtype", "dtype" };
	const struct phi_model *const model = c->plan->model;
	const struct phi_type *type = NULL;
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_type *const t = model->tensors[i].type;
		if (t->class != PHI_CLASS_FLOAT)
			continue;
		if (type && type != t)
			return 0;
		type = t;
	}
	const char *const word = !type ? NULL : type->id == PHI_F32 ? "\"float32\"" : type->id == PHI_F16
		? "\"float16\"" : type->id == PHI_BF16 ? "\"bfloat16\"" : NULL;
	for (size_t i = 0; word && i < 2; i++)
		if (json_is_string(json_object_get(c->root, keys[i])) && put(c, keys[i], NULL, word, err))
			return -1;
	return 0;
}

/* The text of a model with towers is a Phi-3, which is what mlx-lm knows; code of its own has no place beside it. */
static int
add_class(struct config *c, struct phi_err *err)
{
	if (!c->plan->model->family || !c->plan->model->family->extras)
		return 0;
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->entries[i].key, "auto_map"))
			c->entries[i] = c->entries[--c->count];
	return put(c, "model_type", NULL, "\"phi3\"", err) ||
		put(c, "architectures", NULL, "[\n        \"Phi3ForCausalLM\"\n    ]", err) ? -1 : 0;
}

static int
gather(struct config *c, struct phi_err *err)
{
	const char *key;
	json_t *value;
	json_object_foreach(c->root, key, value)
		if (!is_dropped(key) && append(c, key, value, NULL, err))
			return -1;
	return add_class(c, err) || add_rope(c, err) || add_absent(c, err) || add_dtype(c, err) || add_quantization(c, err) ? -1 : 0;
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static int
spell(struct config *c, struct phi_buffer *out, struct phi_err *err)
{
	if (c->count)
		qsort(c->entries, c->count, sizeof *c->entries, by_key);
	if (phi_buffer_printf(out, err, "{"))
		return -1;
	for (size_t i = 0; i < c->count; i++) {
		const struct entry *const e = &c->entries[i];
		if (phi_buffer_printf(out, err, "%s\n    ", i ? "," : "") ||
			phi_json_append_string(out, e->key, strlen(e->key), err) ||
			phi_buffer_printf(out, err, ": ") ||
			(e->text ? phi_buffer_append(out, e->text, strlen(e->text), err)
				 : phi_json_text(e->value, 1, out, err)))
			return -1;
	}
	return phi_buffer_printf(out, err, "\n}\n");
}

int
phi_mlx_config_write(const struct phi_plan *plan, const struct phi_side *config, struct phi_buffer *out,
	struct phi_err *err)
{
	struct config c = { .plan = plan, .root = phi_json_parse(config->data, config->size,
		PHI_JSON_BIG_INTEGERS | PHI_JSON_KEEP_DUPLICATES | PHI_JSON_NULS, err) };
	int result = c.root ? 0 : -1;
	if (!result && !json_is_object(c.root))
		result = phi_fail(err, PHI_FORMAT, "not a JSON object");
	if (!result)
		result = gather(&c, err) || spell(&c, out, err) ? -1 : 0;
	json_decref(c.root);
	phi_free(c.entries);
	return result ? phi_context(err, "config.json") : 0;
}
