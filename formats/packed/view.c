#include "formats/packed/draft.h"

#include "formats/core/config.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <stdio.h>
#include <string.h>

/* Names that end so begin the search for the other members of a packed weight. */
static const struct trigger {
	const char *suffix;
	phi_recognise_fn *recognise; /* NULL: known by name, not decoded */
	const char *what;
} triggers[] = {
	{ ".qweight", phi_recognise_qweight, NULL },
	{ ".quant_state.bitsandbytes__nf4", phi_recognise_nf4, NULL },
	{ ".quant_state.bitsandbytes__fp4", phi_recognise_fp4, NULL },
	{ ".SCB", phi_recognise_int8, NULL },
	{ ".weight_packed", phi_recognise_weight_packed, NULL },
	{ ".weight_scale", phi_recognise_weight_scale, NULL },
	{ ".weight_scale_inv", phi_recognise_scale_inv, NULL },
	{ "_blocks", phi_recognise_blocks, NULL },
	{ ".W_q", NULL, "HQQ" },
	{ ".weight._data", NULL, "quanto" },
	{ ".codebooks", NULL, "AQLM" },
	{ ".q_weight", NULL, "EXL2" },
	{ ".trellis", NULL, "EXL3" },
	{ ".bitmask", NULL, "sparse-24-bitmask" },
	{ ".compressed", NULL, "sparse" },
	{ "_weight_qdata", NULL, "torchao" },
};
enum { NTRIGGERS = sizeof triggers / sizeof *triggers };

static const struct trigger *
trigger_of(const struct phi_tensor *t)
{
	const size_t n = strlen(t->name);
	for (size_t i = 0; i < NTRIGGERS; i++) {
		const size_t m = strlen(triggers[i].suffix);
		if (n > m && !strcmp(t->name + n - m, triggers[i].suffix))
			return &triggers[i];
	}
	return NULL;
}

static bool
has_triggers(const struct phi_model *model)
{
	if (model->npackings)
		return true;
	for (size_t i = 0; i < model->ntensors; i++)
		if (trigger_of(&model->tensors[i]))
			return true;
	return false;
}

/* The packed tensor takes the place of its codes; the other members go. */
static int
place(struct phi_unpacking *u, const struct phi_draft *draft, struct phi_err *err)
{
	struct phi_tensor *const t = &u->model->tensors[draft->members[0]];
	const char *const file = t->file;
	for (unsigned i = 0; i < draft->nmembers; i++)
		u->taken[draft->members[i]] = true;
	u->taken[draft->members[0]] = false;
	*t = draft->tensor;
	t->file = file;
	t->layer = -1;
	t->alias = PHI_NONE;
	u->made++;
	return phi_names_add(u->names, t->name, strlen(t->name), draft->members[0], err);
}

static int
recognise(struct phi_unpacking *u, uint32_t index, struct phi_err *err)
{
	const struct phi_tensor *const t = &u->model->tensors[index];
	const struct trigger *const trigger = u->taken[index] ? NULL : trigger_of(t);
	char stem[PHI_NAME_MAX + 1];
	if (!trigger)
		return 0;
	snprintf(stem, sizeof stem, "%.*s", (int)(strlen(t->name) - strlen(trigger->suffix)), t->name);
	struct phi_draft draft = { .u = u, .stem = stem, .trigger = index };
	if (!trigger->recognise)
		return phi_left_raw(&draft, "%s is not decoded", trigger->what);
	const int made = trigger->recognise(&draft, err);
	return made < 0 || (made && place(u, &draft, err) < 0) ? -1 : 0;
}

/* Operators may share weights: the first says what they are. */
static int
recognise_packing(struct phi_unpacking *u, const struct phi_packing *packing, struct phi_err *err)
{
	const uint32_t index = phi_names_find(u->names, packing->codes, strlen(packing->codes));
	if (index == PHI_NONE || u->taken[index] || u->model->tensors[index].type->class == PHI_CLASS_PACKED ||
		phi_tensor_is_woven(&u->model->tensors[index]))
		return 0;
	struct phi_draft draft = { .u = u, .stem = "", .trigger = index };
	const int made = phi_recognise_packing(&draft, packing, err);
	return made < 0 || (made && place(u, &draft, err) < 0) ? -1 : 0;
}

static void
compact(struct phi_unpacking *u, uint32_t *moved)
{
	struct phi_model *const model = u->model;
	uint32_t kept = 0;
	for (size_t i = 0; i < model->ntensors; i++) {
		moved[i] = u->taken[i] ? PHI_NONE : kept;
		if (!u->taken[i])
			model->tensors[kept++] = model->tensors[i];
	}
	model->ntensors = kept;
	for (size_t i = 0; i < model->ntensors; i++)
		if (model->tensors[i].alias != PHI_NONE)
			model->tensors[i].alias = moved[model->tensors[i].alias];
}

static bool
has_packed(const struct phi_model *model)
{
	for (size_t i = 0; i < model->ntensors; i++)
		if (model->tensors[i].type->class == PHI_CLASS_PACKED)
			return true;
	return false;
}

static int
forget_config(struct phi_model *model, struct phi_err *err)
{
	static const char key[] = "quantization_config";
	size_t kept = 0;
	for (size_t i = 0; i < model->metadata.count; i++) {
		const char *const k = model->metadata.items[i].key;
		if (strncmp(k, key, sizeof key - 1) != 0 ||
			(k[sizeof key - 1] != '.' && k[sizeof key - 1] != '\0'))
			model->metadata.items[kept++] = model->metadata.items[i];
	}
	model->metadata.count = kept;
	return phi_config_cut(model, key, err);
}

static int
conclude(struct phi_unpacking *u, struct phi_err *err)
{
	uint32_t *const moved = phi_calloc(u->model->ntensors + 1, sizeof *moved, err);
	if (!moved)
		return -1;
	if (u->made)
		compact(u, moved);
	phi_free(moved);
	if (u->left)
		return phi_model_warn(u->model, err,
			"%zu packed %s as stored; %stensor %s", u->left,
			u->left == 1 ? "weight is left" : "weights are left",
			u->left == 1 ? "" : "the first: ", u->first);
	return 0;
}

static int
view(struct phi_unpacking *u, struct phi_err *err)
{
	const size_t n = u->model->ntensors;
	u->names = phi_names_new(err);
	u->taken = phi_calloc(n + 1, sizeof *u->taken, err);
	if (!u->names || !u->taken)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *const name = u->model->tensors[i].name;
		if (phi_names_add(u->names, name, strlen(name), (uint32_t)i, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (!u->model->npackings && recognise(u, (uint32_t)i, err) < 0)
			return -1;
	for (size_t i = 0; i < u->model->npackings; i++)
		if (recognise_packing(u, &u->model->packings[i], err) < 0)
			return -1;
	return conclude(u, err);
}

/* The type of the float a weight was, as far as its scales tell. */
static const struct phi_type *
float_of(const struct phi_packed *packed)
{
	if (packed->wide)
		return phi_type_of(PHI_F32);
	const int scale = phi_packed_find(packed, PHI_PACKED_SCALE);
	return phi_type_of(scale >= 0 && packed->plane[scale].type->id == PHI_BF16 ? PHI_BF16 : PHI_F16);
}

int
phi_packed_lower(struct phi_model *lowered, struct phi_err *err)
{
	if (!lowered->origin || !has_packed(lowered->origin))
		return 0;
	for (size_t i = 0; i < lowered->ntensors; i++) {
		struct phi_tensor *const t = &lowered->tensors[i];
		if (t->type->class == PHI_CLASS_PACKED)
			t->type = float_of(t->packed);
	}
	return has_triggers(lowered->origin) ? 0 : forget_config(lowered, err);
}

int
phi_packed_view(struct phi_source *source, const struct phi_spool_options *spool, struct phi_err *err)
{
	if (!has_triggers(source->model))
		return 0;
	if (source->sequential && phi_source_settle(source, spool, err) < 0)
		return -1;
	struct phi_unpacking u = { .source = source, .model = source->model };
	const int result = view(&u, err);
	phi_names_free(u.names);
	phi_free(u.taken);
	phi_free(u.types);
	return result;
}

/* The view is made on the model itself, which is then put back. */
int
phi_packed_check(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_model *const model = source->model;
	if (!has_triggers(model))
		return 0;
	const size_t n = model->ntensors, warnings = model->nwarnings;
	struct phi_tensor *const tensors = phi_calloc(n, sizeof *tensors, err);
	if (!tensors)
		return -1;
	memcpy(tensors, model->tensors, n * sizeof *tensors);
	struct phi_unpacking u = { .source = source, .model = model, .findings = findings };
	int result = view(&u, err);
	if (!result && u.failed.kind) {
		*err = u.failed;
		result = -1;
	}
	memcpy(model->tensors, tensors, n * sizeof *tensors);
	model->ntensors = n;
	model->nwarnings = warnings;
	phi_free(tensors);
	phi_names_free(u.names);
	phi_free(u.taken);
	phi_free(u.types);
	return result;
}
