/* Chooses types: the target's demands first, then the user's rules, then the recipe. */
#include "quant/mixture.h"

#include "formats/core/escape.h"
#include "formats/core/glob.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

struct choice {
	struct phi_model *model;
	const struct phi_recipe_options *options;
	const struct phi_recipe *recipe; /* or NULL: */
	const struct phi_type *type;	 /* what --pure gives every weight, or the recipe's base, or NULL */
	struct phi_mixture mixture;	 /* of the recipe */
	const char *recipe_why;		 /* "recipe q8_0" */
	const char **rule_why;		 /* of each rule: "rule *.weight=F16" */
	size_t requantized;
	const struct phi_tensor *first_requantized;
	const struct phi_type *its_type;
};

/* The last rule that matches, or nrules. */
static size_t
rule_for(const struct choice *c, const struct phi_tensor *t)
{
	for (size_t i = c->options->nrules; i-- > 0;) {
		const char *const glob = c->options->rules[i].glob;
		if (phi_glob_match(glob, t->name) || (t->canonical && phi_glob_match(glob, t->canonical)))
			return i;
	}
	return c->options->nrules;
}

/* The source's type of part i, or NULL if it does not come from a tensor. */
static const struct phi_type *
source_type(const struct phi_model *model, const struct phi_tensor *t, unsigned i)
{
	const struct phi_part *const part = &t->parts[i];
	return part->kind == PHI_PART_TENSOR ? model->origin->tensors[part->tensor].type : NULL;
}

/* Why this tensor's type is not ours to choose, or NULL. */
static const char *
settled(const struct phi_model *model, const struct phi_tensor *t)
{
	if (t->fixed)
		return "fixed by the target";
	for (unsigned i = 0; i < t->nparts; i++) {
		const struct phi_type *const type = source_type(model, t, i);
		if (!type)
			return "made for the target";
		if (type->class != PHI_CLASS_FLOAT && type->class != PHI_CLASS_BLOCK &&
			type->class != PHI_CLASS_PACKED)
			return "no float: left alone";
	}
	return t->nparts ? NULL : "without data";
}

/* What --keep gives: the type all parts have, or the one lowering gave. */
static const struct phi_type *
kept_type(const struct phi_model *model, const struct phi_tensor *t)
{
	const struct phi_type *const first = source_type(model, t, 0);
	for (unsigned i = 1; i < t->nparts; i++)
		if (source_type(model, t, i) != first)
			return t->type;
	return first;
}

/* Sets the type, or what fits the row in its place. */
static int
take(struct choice *c, struct phi_tensor *t, const struct phi_type *type, const char *why,
	struct phi_err *err)
{
	const uint64_t row = phi_tensor_row(t);
	t->type = phi_type_fitting(type, row);
	t->why = why;
	if (t->type != type)
		t->why = phi_arena_printf(c->model->arena, err, "%s; row %" PRIu64 " is no multiple of %u: %s",
			why, row, type->elements, t->type->name);
	return t->why ? 0 : -1;
}

static void
note_requantizing(struct choice *c, const struct phi_tensor *t)
{
	for (unsigned i = 0; i < t->nparts; i++) {
		const struct phi_type *const from = source_type(c->model, t, i);
		if ((from->class != PHI_CLASS_BLOCK && from->class != PHI_CLASS_PACKED) ||
			t->type->class != PHI_CLASS_BLOCK || from == t->type)
			continue;
		if (c->requantized++ == 0) {
			c->first_requantized = t;
			c->its_type = from;
		}
		return;
	}
}

/* What the recipe says. */
static int
take_recipe(struct choice *c, struct phi_tensor *t, const struct phi_pick *pick, struct phi_err *err)
{
	char words[256];
	const char *why = c->recipe_why;
	if (pick->role) {
		phi_mixture_words(pick->when, words, sizeof words);
		why = phi_arena_printf(c->model->arena, err, "%s: %s%s%s", c->recipe_why, pick->role,
			words[0] ? ", " : "", words);
		if (!why)
			return -1;
	}
	return take(c, t, pick->type, why, err);
}

static int
choose_one(struct choice *c, struct phi_tensor *t, struct phi_err *err)
{
	const struct phi_recipe_options *const o = c->options;
	const size_t rule = rule_for(c, t);
	const char *const reason = settled(c->model, t);
	if (reason) {
		t->why = rule == o->nrules ? reason
			: phi_arena_printf(c->model->arena, err, "%s; %s skipped", reason, c->rule_why[rule]);
		return t->why ? 0 : -1;
	}
	/* Also of a tensor that a rule takes: a rule changes what it names and nothing else. */
	struct phi_pick pick = { .type = c->type };
	if (c->recipe)
		pick = phi_mixture_pick(&c->mixture, t);
	if (rule < o->nrules) {
		const struct phi_type *const type = o->rules[rule].type;
		return take(c, t, type ? type : kept_type(c->model, t), c->rule_why[rule], err);
	}
	if (!pick.type)
		return 0;
	/* A target says itself which of its vectors are which; a checkpoint keeps them as they are. */
	if (t->rank < 2 && !o->pure && strcmp(c->model->view, "gguf") != 0) {
		t->why = "a vector: kept";
		return 0;
	}
	return take_recipe(c, t, &pick, err);
}

/* Tensors that share their bytes share their type: the first one's. */
static int
choose_all(struct choice *c, struct phi_err *err)
{
	struct phi_model *const m = c->model;
	for (size_t i = 0; i < m->ntensors; i++) {
		struct phi_tensor *const t = &m->tensors[i];
		if (t->alias != PHI_NONE) {
			t->type = m->tensors[t->alias].type;
			t->why = "tied: the type of the tensor it shares its bytes with";
			continue;
		}
		if (choose_one(c, t, err) < 0)
			return -1;
		if (t->why && !t->fixed && !settled(m, t))
			note_requantizing(c, t);
	}
	return 0;
}

/* Checks the rules and words each once. */
static int
read_rules(struct choice *c, struct phi_err *err)
{
	const struct phi_recipe_options *const o = c->options;
	c->rule_why = phi_arena_calloc(c->model->arena, o->nrules, sizeof *c->rule_why, err);
	if (!c->rule_why)
		return -1;
	for (size_t i = 0; i < o->nrules; i++) {
		const struct phi_rule *const r = &o->rules[i];
		struct phi_quoted q;
		if (r->type && !phi_type_made(r->type))
			return phi_fail(err, PHI_UNSUPPORTED, "rule %s=%s: there is no way to make %s",
				phi_quote(&q, r->glob), r->type->name, r->type->name);
		c->rule_why[i] = r->type
			? phi_arena_printf(c->model->arena, err, "rule %s=%s", r->glob, r->type->name)
			: phi_arena_printf(c->model->arena, err, "kept by --keep %s", r->glob);
		if (!c->rule_why[i])
			return -1;
	}
	return 0;
}

static int
read_recipe(struct choice *c, struct phi_err *err)
{
	const struct phi_recipe_options *const o = c->options;
	if (!o->recipe)
		return 0;
	if (phi_recipe_find(o->recipe, o->pure, &c->recipe, &c->type, err) < 0)
		return -1;
	if (c->recipe)
		phi_mixture_begin(&c->mixture, c->recipe, c->model);
	char *const name = phi_arena_strdup(c->model->arena, o->recipe, err);
	if (!name)
		return -1;
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	c->model->recipe = name;
	c->recipe_why = phi_arena_printf(c->model->arena, err, "recipe %s", name);
	return c->recipe_why ? 0 : -1;
}

static int
warn_requantized(const struct choice *c, struct phi_err *err)
{
	struct phi_quoted q;
	const char *const name = c->requantized ? phi_quote(&q, c->first_requantized->name) : NULL;
	if (c->requantized == 1)
		return phi_model_warn(c->model, err, "1 tensor is quantized already (%s: %s): what it lost "
			"stays lost", name, c->its_type->name);
	if (c->requantized > 1)
		return phi_model_warn(c->model, err, "%zu tensors are quantized already (the first: %s: %s): "
			"what they lost stays lost", c->requantized, name, c->its_type->name);
	return 0;
}

int
phi_choose(struct phi_model *lowered, const struct phi_recipe_options *options, struct phi_err *err)
{
	struct choice c = { .model = lowered, .options = options };
	if (read_rules(&c, err) < 0 || read_recipe(&c, err) < 0 || choose_all(&c, err) < 0)
		return -1;
	return warn_requantized(&c, err);
}
