#include "quant/mixture.h"

#include <stdio.h>
#include <string.h>

/* recipes.def as enumerations and a table. */
#define RECIPE(name, base, summary) RECIPE_##name,
enum {
#include "quant/recipes.def"
};
#undef RECIPE

#define ROLE(name, words) ROLE_##name,
enum role {
#include "quant/recipes.def"
	ROLE_ANY_ROLE,
};
#undef ROLE

#define CONDITION(name, words) BIT_##name,
enum {
#include "quant/recipes.def"
};
#undef CONDITION
#define CONDITION(name, words) name = 1 << BIT_##name,
enum {
#include "quant/recipes.def"
};
#undef CONDITION

static const char *const role_words[] = {
#define ROLE(name, words) words,
#include "quant/recipes.def"
#undef ROLE
	"",
};

static const char *const condition_words[] = {
#define CONDITION(name, words) words,
#include "quant/recipes.def"
#undef CONDITION
};

enum { PHI_BASE = PHI_TYPES }; /* the base, as a rule's type */

static const struct rule {
	uint64_t recipes;
	enum role role;
	uint32_t when;
	unsigned type;
} rules[] = {
#define R(name) (UINT64_C(1) << RECIPE_##name)
#define RULE(recipes, role, when, type) { recipes, ROLE_##role, when, PHI_##type },
#include "quant/recipes.def"
#undef RULE
#undef R
};

/* A number under ARCH.name; the first of an array, as llama.cpp asks for the first layer's. */
static uint64_t
number(const struct phi_model *model, const char *arch, const char *name)
{
	char key[256];
	uint64_t n = 0;
	snprintf(key, sizeof key, "%s.%s", arch, name);
	const struct phi_value *const v = phi_metadata_find(&model->metadata, key);
	if (!v)
		return 0;
	if (v->kind != PHI_VALUE_ARRAY)
		return phi_value_u64(v, &n) ? n : 0;
	if (v->array.count && (v->array.kind == PHI_VALUE_U32 || v->array.kind == PHI_VALUE_I32)) {
		uint32_t first;
		memcpy(&first, v->array.data, sizeof first);
		return first;
	}
	return 0;
}

/* What llama.cpp calls a model of 70 billion weights, whatever it weighs: by architecture and
 * layers. */
static bool
is_70b(const char *arch, const struct phi_mixture_facts *f)
{
	static const struct {
		const char *arch;
		uint64_t layers;
		bool shared; /* only where heads share keys */
	} models[] = { { "llama", 80, true }, { "llama-embed", 80, true }, { "qwen2", 80, false },
		{ "deci", 80, false }, { "olmo", 80, false }, { "jais2", 68, false } };
	for (size_t i = 0; i < sizeof models / sizeof *models; i++)
		if (!strcmp(arch, models[i].arch) && f->layers == models[i].layers)
			return !models[i].shared || f->heads != f->kv_heads;
	return false;
}

void
phi_mixture_begin(struct phi_mixture *mixture, const struct phi_recipe *recipe,
	const struct phi_model *lowered)
{
	struct phi_mixture_facts *const f = &mixture->facts;
	const char *const arch =
		phi_value_string(phi_metadata_find(&lowered->metadata, "general.architecture"));
	*mixture = (struct phi_mixture){ .recipe = recipe };
	if (arch) {
		f->layers = number(lowered, arch, "block_count");
		f->heads = number(lowered, arch, "attention.head_count");
		f->kv_heads = number(lowered, arch, "attention.head_count_kv");
		f->experts = number(lowered, arch, "expert_count");
		f->falcon = !strcmp(arch, "falcon");
	}
	if (!f->kv_heads)
		f->kv_heads = f->heads;
	f->is_70b = arch && is_70b(arch, f);
	for (size_t i = 0; i < lowered->ntensors; i++) {
		const enum phi_role role = lowered->tensors[i].role;
		f->values += role == PHI_ROLE_ATTN_V || role == PHI_ROLE_ATTN_QKV ||
			     role == PHI_ROLE_ATTN_KV_B;
		f->untied |= role == PHI_ROLE_OUTPUT;
	}
}

static enum role
role_of(const struct phi_mixture *m, const struct phi_tensor *t)
{
	const bool apart = m->facts.fused_apart;
	switch (t->role) {
	case PHI_ROLE_OUTPUT:
		return ROLE_HEAD;
	case PHI_ROLE_EMBEDDING:
		return m->facts.untied ? ROLE_EMBEDDING : ROLE_HEAD;
	case PHI_ROLE_ATTN_V:
		return ROLE_VALUE;
	case PHI_ROLE_ATTN_QKV:
		return apart ? ROLE_QKV : ROLE_VALUE;
	case PHI_ROLE_ATTN_KV_B:
		return apart ? ROLE_OTHER : ROLE_VALUE;
	case PHI_ROLE_ATTN_K:
		return ROLE_KEY;
	case PHI_ROLE_ATTN_Q:
		return ROLE_QUERY;
	case PHI_ROLE_ATTN_OUTPUT:
		return ROLE_ATTN_OUT;
	case PHI_ROLE_FFN_UP:
	case PHI_ROLE_FFN_GATE_UP:
		return ROLE_UP;
	case PHI_ROLE_FFN_GATE:
		return ROLE_GATE;
	case PHI_ROLE_FFN_DOWN:
		return ROLE_DOWN;
	default:
		return ROLE_OTHER;
	}
}

/* Which one of its role is this? Counts it. */
static uint64_t
count(struct phi_mixture *m, enum role role)
{
	switch (role) {
	case ROLE_VALUE:
		return m->nvalue++;
	case ROLE_GATE:
		return m->ngate++;
	case ROLE_UP:
		return m->nup++;
	case ROLE_DOWN:
		return m->ndown++;
	default:
		return 0;
	}
}

/* llama.cpp's use_more_bits. */
static bool
more(uint64_t i, uint64_t n)
{
	return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

/* The conditions that hold. `nth` is which of its role it is; with experts a feed-forward matrix
 * goes by the layer in its name, since the experts of old files are tensors of their own. */
static uint32_t
conditions(const struct phi_mixture *m, const struct phi_tensor *t, enum role role, uint64_t nth)
{
	const struct phi_mixture_facts *const f = &m->facts;
	const bool value = role == ROLE_VALUE;
	const uint64_t n = value ? f->values : f->layers;
	const uint64_t i = !value && f->experts > 1 && t->layer >= 0 ? (uint64_t)t->layer : nth;
	const uint64_t shared = f->kv_heads ? f->heads / f->kv_heads : 0;
	uint32_t c = 0;
	c |= more(i, n) ? MORE : 0;
	c |= i < n / 8 ? EIGHTH : 0;
	c |= i < n / 16 ? SIXTEENTH : 0;
	c |= i >= n / 8 && i < 7 * n / 8 ? MIDDLE : 0;
	c |= nth < n / 8 ? FIRST_EIGHTH : 0;
	c |= nth < 2 ? FIRST_2 : 0;
	c |= nth < 4 ? FIRST_4 : 0;
	c |= shared >= 4 ? SHARED_4 : 0;
	c |= f->experts >= 4 ? EXPERTS_4 : 0;
	c |= f->experts == 8 ? EXPERTS_8 : NOT_EXPERTS_8;
	c |= t->rank > 2 && t->shape[t->rank - 3] > 1 ? STACKED : 0;
	c |= phi_tensor_row(t) % phi_type_of(m->recipe->base)->elements ? RAGGED : 0;
	c |= f->falcon ? FALCON : NOT_FALCON;
	c |= f->is_70b ? SIZE_70B : 0;
	c |= f->importance ? IMPORTANCE : NO_IMPORTANCE;
	return c;
}

struct phi_pick
phi_mixture_pick(struct phi_mixture *m, const struct phi_tensor *t)
{
	const struct phi_type *const base = phi_type_of(m->recipe->base);
	struct phi_pick pick = { .type = base };
	if (base->class != PHI_CLASS_BLOCK)
		return pick;
	const enum role role = role_of(m, t);
	const uint32_t holds = conditions(m, t, role, count(m, role));
	const uint64_t me = UINT64_C(1) << (m->recipe - phi_recipe_table);
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		const struct rule *const r = &rules[i];
		if (!(r->recipes & me) || (r->role != role && r->role != ROLE_ANY_ROLE) ||
			(r->when & holds) != r->when)
			continue;
		if (r->type == PHI_BASE)
			break;
		pick.type = phi_type_of((enum phi_type_id)r->type);
		pick.role = role_words[r->role];
		pick.when = r->when;
		break;
	}
	return pick;
}

const char *
phi_mixture_words(uint32_t when, char *dst, size_t size)
{
	size_t at = 0;
	dst[0] = '\0';
	for (size_t i = 0; i < sizeof condition_words / sizeof *condition_words && at < size; i++)
		if (when >> i & 1 && condition_words[i][0])
			at += (size_t)snprintf(
				dst + at, size - at, "%s%s", at ? ", " : "", condition_words[i]);
	return dst;
}
