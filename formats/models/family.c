#include "formats/core/glob.h"
#include "formats/models/family.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define FAMILY(name) extern const struct phi_family phi_family_##name;
#include "formats/models/models.def"
#undef FAMILY

const struct phi_family *const phi_families[] = {
#define FAMILY(name) &phi_family_##name,
#include "formats/models/models.def"
#undef FAMILY
	NULL,
};

static const struct phi_family_tensor not_text = { .presence = PHI_DROPPED, .shape = { PHI_DIM_ANY } };

/* Numbers in a name have at most this many digits: INT_MAX has ten. */
enum { NUMBER_DIGITS = 9 };

/* The number at *name, which is moved behind it; -1: there is none. */
static int
number(const char **name)
{
	const char *const p = *name;
	const size_t digits = strspn(p, "0123456789");
	if (digits == 0 || digits > NUMBER_DIGITS || (digits > 1 && *p == '0'))
		return -1;
	int n = 0;
	for (size_t i = 0; i < digits; i++)
		n = 10 * n + (p[i] - '0');
	*name = p + digits;
	return n;
}

bool
phi_family_match(const char *pattern, const char *name, struct phi_holes *holes)
{
	int *const found[] = { &holes->layer, &holes->expert };
	*holes = (struct phi_holes){ -1, -1 };
	for (size_t i = 0; i < 2; i++) {
		const char *const hole = strstr(pattern, "{}");
		if (!hole)
			break;
		const size_t before = (size_t)(hole - pattern);
		if (strncmp(pattern, name, before) != 0)
			return false;
		name += before;
		pattern = hole + 2;
		*found[i] = number(&name);
		if (*found[i] < 0)
			return false;
	}
	return !strcmp(pattern, name);
}

const char *
phi_family_spell(const char *pattern, struct phi_holes holes, struct phi_arena *arena,
	struct phi_err *err)
{
	const char *const first = strstr(pattern, "{}");
	if (!first)
		return pattern;
	const char *const second = strstr(first + 2, "{}");
	if (!second)
		return phi_arena_printf(arena, err, "%.*s%d%s", (int)(first - pattern), pattern,
			holes.layer, first + 2);
	return phi_arena_printf(arena, err, "%.*s%d%.*s%d%s", (int)(first - pattern), pattern,
		holes.layer, (int)(second - first - 2), first + 2, holes.expert, second + 2);
}

bool
phi_family_from_gguf(const struct phi_model *model)
{
	return phi_metadata_find(&model->metadata, "general.architecture") != NULL;
}

static bool
contains(const char *const *list, const struct phi_string *s)
{
	for (; *list; list++)
		if (strlen(*list) == s->size && !memcmp(*list, s->data, s->size))
			return true;
	return false;
}

/* config.json: one of its architectures; where it lists none, model_type. A folder that names only
 * other architectures of the same model_type (a classifier, say) is another model. */
static bool
speaks_of(const struct phi_model *model, const struct phi_family *family)
{
	const struct phi_value *const arch = phi_metadata_find(&model->metadata, "architectures");
	if (arch && arch->kind == PHI_VALUE_ARRAY && arch->array.kind == PHI_VALUE_STRING &&
		arch->array.count) {
		const struct phi_string *const s = arch->array.data;
		return contains(family->architectures, &s[0]);
	}
	const char *const type =
		phi_value_string(phi_metadata_find(&model->metadata, "model_type"));
	return type && !strcmp(type, family->model_type);
}

static const struct phi_family *
recognise(const struct phi_model *model)
{
	const char *const gguf =
		phi_value_string(phi_metadata_find(&model->metadata, "general.architecture"));
	for (const struct phi_family *const *f = phi_families; *f; f++)
		if (phi_family_from_gguf(model) ? gguf && !strcmp(gguf, (*f)->gguf_arch)
						: speaks_of(model, *f))
			return *f;
	return NULL;
}

/* The name without the family's wrapper: a.base_layer.weight is a.weight. */
static const char *
unwrapped(const struct phi_family *family, const char *name, char space[PHI_NAME_MAX + 1])
{
	const size_t n = family->wrapper ? strlen(family->wrapper) : 0;
	for (const char *p = name; n && (p = strchr(p, '.')); p++)
		if (!strncmp(p + 1, family->wrapper, n) && p[1 + n] == '.') {
			snprintf(space, PHI_NAME_MAX + 1, "%.*s%s", (int)(p - name), name, p + 1 + n);
			return space;
		}
	return name;
}

/* Gives the tensor what the table says. Both spellings are looked for, whatever the container: a
 * safetensors file may hold GGUF's names, and a GGUF Hugging Face's. */
static int
assign_tensor(struct phi_model *model, struct phi_tensor *t, struct phi_err *err)
{
	char space[PHI_NAME_MAX + 1];
	const char *const name = unwrapped(model->family, t->name, space);
	for (const struct phi_family_tensor *e = model->family->tensors; e->canonical || e->gguf;
		e++) {
		struct phi_holes holes;
		if (!(e->canonical && phi_family_match(e->canonical, name, &holes)) &&
			!(e->gguf && phi_family_match(e->gguf, name, &holes)))
			continue;
		t->role = e->role;
		t->layer = holes.layer;
		if (e->canonical) {
			t->canonical = phi_family_spell(e->canonical, holes, model->arena, err);
			if (!t->canonical)
				return -1;
		}
		return 0;
	}
	return 0;
}

int
phi_family_assign(struct phi_model *model, struct phi_err *err)
{
	model->family = recognise(model);
	if (!model->family)
		return 0;
	for (size_t i = 0; i < model->ntensors; i++)
		if (assign_tensor(model, &model->tensors[i], err) < 0)
			return -1;
	return 0;
}

static const struct phi_family_extra *
extra_of(const struct phi_family *family, const struct phi_tensor *t)
{
	for (const struct phi_family_extra *x = family->extras; x && x->glob && !t->canonical; x++)
		if (phi_glob_match(x->glob, t->name))
			return x;
	return NULL;
}

int
phi_family_warn_extras(struct phi_model *lowered, struct phi_err *err)
{
	const struct phi_family_extra *const extras = lowered->family->extras;
	const struct phi_model *const origin = lowered->origin;
	const char *text = "";
	for (const struct phi_family_extra *x = extras; x && x->glob; x++) {
		size_t n = 0;
		/* Globs of one kind follow each other. */
		if (x > extras && !strcmp(x->what, x[-1].what))
			continue;
		for (size_t i = 0; i < origin->ntensors; i++) {
			const struct phi_family_extra *const of =
				extra_of(lowered->family, &origin->tensors[i]);
			n += of && !strcmp(of->what, x->what);
		}
		if (n)
			text = phi_arena_printf(lowered->arena, err, "%s%s%s (%zu tensor%s)", text,
				*text ? ", " : "", x->what, n, n == 1 ? "" : "s");
		if (!text)
			return -1;
	}
	return *text ? phi_model_warn(lowered, err, "only the text model is carried; left out: %s", text) : 0;
}

const struct phi_family_tensor *
phi_family_entry(const struct phi_model *model, const struct phi_tensor *tensor)
{
	if (!model->family)
		return NULL;
	for (const struct phi_family_tensor *e = model->family->tensors; e->canonical || e->gguf;
		e++) {
		struct phi_holes holes;
		const char *const name = tensor->canonical ? tensor->canonical : tensor->name;
		const char *const pattern = tensor->canonical ? e->canonical : e->gguf;
		if (pattern && phi_family_match(pattern, name, &holes))
			return e;
	}
	return extra_of(model->family, tensor) ? &not_text : NULL;
}

const struct phi_family_split *
phi_family_split_of(const struct phi_family *family, const struct phi_tensor *t, struct phi_holes *holes)
{
	for (const struct phi_family_split *s = family->splits; s && s->whole; s++)
		if (t->canonical && phi_family_match(s->whole, t->canonical, holes))
			return s;
	return NULL;
}

bool
phi_family_split_experts(const struct phi_family_split *split)
{
	const char *const hole = strstr(split->parts[0], "{}");
	return hole && strstr(hole + 2, "{}");
}

int
phi_family_expert(const struct phi_model *model, const struct phi_tensor *tensor)
{
	const struct phi_family_tensor *const e = phi_family_entry(model, tensor);
	struct phi_holes holes;
	return e && tensor->canonical && phi_family_match(e->canonical, tensor->canonical, &holes)
		? holes.expert : -1;
}
