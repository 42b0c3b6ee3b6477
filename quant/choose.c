/* Chooses types: the target's demands first, then the user's rules, then the recipe. */
#include "quant/attach.h"
#include "quant/mixture.h"
#include "quant/mlx_recipe.h"
#include "quant/onnx_recipe.h"
#include "quant/rules.h"
#include "quant/transcode.h"

#include "formats/core/escape.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

struct choice {
	struct phi_model *model;
	const struct phi_recipe_options *options;
	const struct phi_recipe *recipe; /* or NULL */
	const struct phi_type *type;	 /* of --pure, or the recipe's base, or NULL */
	struct phi_mixture mixture;	 /* of the recipe */
	bool for_mlx;			 /* lowered to MLX: */
	struct phi_mlx_recipe mlx;	 /* its recipe, if it has a name */
	bool for_onnx;			 /* lowered to ONNX: */
	struct phi_onnx_recipe onnx;	 /* its recipe, if it has a name */
	const char *recipe_why;		 /* "recipe q8_0" */
	struct phi_rules *rules;
	size_t fallen; /* tensors whose rows do not fit the type they were to have */
	const char *first_fallen;
	size_t requantized;
	const struct phi_tensor *first_requantized;
	const struct phi_type *its_type;
};

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
		return t->why ? t->why : "fixed by the target";
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

/* The type all parts have, or the one lowering gave. */
static const struct phi_type *
common_type(const struct phi_model *model, const struct phi_tensor *t)
{
	const struct phi_type *const first = source_type(model, t, 0);
	for (unsigned i = 1; i < t->nparts; i++)
		if (source_type(model, t, i) != first)
			return t->type;
	return first;
}

/* What --keep gives: the checkpoint's own type, if it is known; in a checkpoint made of a GGUF the one it had. */
static const struct phi_type *
kept_type(const struct phi_model *model, const struct phi_tensor *t)
{
	return t->native ? t->native : common_type(model, t);
}

/* A lookup of rows takes no zero points that are numbers. */
static const struct phi_type *
twin_in_graph(const struct phi_tensor *t, const struct phi_type *type)
{
	const struct phi_type *const twin = phi_twin_of_onnx(type, t->type);
	struct phi_type_fields fields;
	return t->role == PHI_ROLE_EMBEDDING && phi_type_fields(twin, &fields) && fields.bias ? t->type : twin;
}

/* If codes are to be kept, the target's type for those; other numbers as the target wants them, or where nothing may be
 * lost as they are. */
static const struct phi_type *
kept_or_twin(const struct choice *c, const struct phi_tensor *t)
{
	if (!c->options->keep_codes && !c->options->lossless)
		return kept_type(c->model, t);
	const struct phi_type *const type = common_type(c->model, t);
	if (c->for_onnx)
		return twin_in_graph(t, type);
	return type->class == PHI_CLASS_FLOAT && !c->options->lossless ? t->type : phi_twin(type, c->model->view);
}

/* Gives it a type that its rows are filled up for, if they may be; ONNX Runtime's default leaves the codes there 0. */
static bool
fill(const struct choice *c, struct phi_tensor *t, const struct phi_type *type)
{
	struct phi_part *const part = t->parts;
	struct phi_type_fields fields;
	const uint64_t row = phi_tensor_row(t), over = row % type->elements;
	if (!c->for_onnx || !over || t->nparts != 1 || !part->fillable || t->rank != 2 ||
		!phi_type_fields(type, &fields) || row > UINT64_MAX - type->elements)
		return false;
	part->filled = row + type->elements - over;
	part->clear = !c->options->graph || c->options->graph->algorithm == PHI_ALGORITHM_DEFAULT;
	t->shape[1] = part->filled;
	t->type = type;
	return true;
}

/* Sets the type, or what fits the row in its place. */
static int
take(struct choice *c, struct phi_tensor *t, const struct phi_type *type, const char *why,
	struct phi_err *err)
{
	const uint64_t row = phi_tensor_row(t);
	if (fill(c, t, type)) {
		t->why = phi_arena_printf(c->model->arena, err, "%s; rows of %" PRIu64 " are filled up to %" PRIu64, why, row,
			phi_tensor_row(t));
		return t->why ? 0 : -1;
	}
	/* MLX and ONNX leave such a weight as it is. */
	if (row % type->elements == 0 || (!c->for_mlx && !c->for_onnx))
		t->type = phi_type_fitting(type, row);
	t->why = why;
	if (t->type == type)
		return 0;
	if (!c->fallen++)
		c->first_fallen = t->name;
	t->why = phi_arena_printf(c->model->arena, err,
		"%s; row %" PRIu64 " is no multiple of %u: %s", why, row, type->elements,
		t->type->name);
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
take_recipe(
	struct choice *c, struct phi_tensor *t, const struct phi_pick *pick, struct phi_err *err)
{
	char words[256];
	const char *why = c->recipe_why;
	if (pick->role) {
		phi_mixture_words(pick->when, words, sizeof words);
		why = phi_arena_printf(c->model->arena, err, "%s: %s%s%s", c->recipe_why,
			pick->role, words[0] ? ", " : "", words);
		if (!why)
			return -1;
	}
	return take(c, t, pick->type, why, err);
}

/* --output-type and --embedding-type; llama-quantize asks them first. *why says which. */
static const struct phi_type *
asked_for(const struct choice *c, const struct phi_tensor *t, const char **why)
{
	const struct phi_recipe_options *const o = c->options;
	const bool tied = t->role == PHI_ROLE_EMBEDDING && !c->mixture.facts.untied;
	if (t->role == PHI_ROLE_EMBEDDING && o->embedding_type) {
		*why = "--embedding-type";
		return o->embedding_type;
	}
	if ((t->role == PHI_ROLE_OUTPUT || tied) && o->output_type) {
		*why = "--output-type";
		return o->output_type;
	}
	return NULL;
}

/* What the recipe gives this one. Also a tensor that a rule takes is counted, so that a rule
 * changes what it names and nothing else; llama-quantize counts on without them. */
static struct phi_pick
recipe_pick(struct choice *c, const struct phi_tensor *t, bool ruled)
{
	if (!c->recipe || !c->type)
		return (struct phi_pick){ .type = c->type };
	if (ruled && c->options->compat != PHI_COMPAT_NONE)
		return (struct phi_pick){ .type = NULL };
	return phi_mixture_pick(&c->mixture, t);
}

/* What a recipe of MLX or ONNX gives, or --pure. */
static const struct phi_type *
pick_for_runtime(const struct choice *c, const struct phi_tensor *t, const char **why)
{
	if (c->mlx.name)
		return phi_mlx_recipe_pick(&c->mlx, t, why);
	/* Of a graph of no known family, nobody knows which its head is. */
	if (c->onnx.name)
		return phi_onnx_recipe_pick(&c->onnx, t, c->model->family && !c->mixture.facts.untied, why);
	return (c->for_onnx && t->rank == 2) || (c->for_mlx && phi_mlx_is_module(t)) ? c->type : NULL;
}

static int
choose_for_runtime(struct choice *c, struct phi_tensor *t, struct phi_err *err)
{
	const char *why = NULL;
	const struct phi_type *const type = pick_for_runtime(c, t, &why);
	if (!type) {
		t->why = why;
		return 0;
	}
	if (why)
		why = phi_arena_printf(c->model->arena, err, "%s: %s", c->recipe_why, why);
	return take(c, t, type, why ? why : c->recipe_why, err);
}

static int
choose_one(struct choice *c, struct phi_tensor *t, struct phi_err *err)
{
	const struct phi_rules_hit hit = phi_rules_find(c->rules, t);
	const char *const reason = settled(c->model, t);
	const char *why;
	if (reason) {
		t->why = !hit.why ? reason
				  : phi_arena_printf(c->model->arena, err, "%s; %s skipped", reason,
					    hit.why);
		return t->why ? 0 : -1;
	}
	const struct phi_type *const asked = asked_for(c, t, &why);
	const struct phi_pick pick = c->for_mlx || c->for_onnx ? (struct phi_pick){ .type = NULL }
						: recipe_pick(c, t, asked || hit.why);
	if (asked)
		return take(c, t, asked, why, err);
	if (hit.why)
		return take(c, t, hit.type ? hit.type : kept_or_twin(c, t), hit.why, err);
	if (c->for_mlx || c->for_onnx)
		return choose_for_runtime(c, t, err);
	if (!pick.type)
		return 0;
	/* A target says itself which of its vectors are which; a checkpoint keeps them. */
	if (t->rank < 2 && !c->options->pure && strcmp(c->model->view, "gguf") != 0) {
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
			fill(c, t, t->type);
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

/* A type of an option: can it be made? */
static int
check_made(const struct phi_type *type, const char *option, struct phi_err *err)
{
	if (type && !phi_type_made(type))
		return phi_fail(
			err, PHI_UNSUPPORTED, "%s: there is no way to make %s", option, type->name);
	return 0;
}

/* A name of a recipe, of those of the runtime. */
static int
find_recipe(struct choice *c, struct phi_err *err)
{
	const struct phi_recipe_options *const o = c->options;
	if (c->for_mlx && !o->pure)
		return phi_mlx_recipe_find(o->recipe, o->group, c->model, &c->mlx, err);
	if (c->for_onnx && !o->pure)
		return phi_onnx_recipe_find(o, c->model, &c->onnx, err);
	return phi_recipe_find(o->recipe, o->pure, &c->recipe, &c->type, err);
}

static int
read_recipe(struct choice *c, struct phi_err *err)
{
	const struct phi_recipe_options *const o = c->options;
	if (!o->recipe)
		return 0;
	if (find_recipe(c, err))
		return -1;
	char *const name = phi_arena_strdup(c->model->arena, c->mlx.name ? c->mlx.name : o->recipe, err);
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
		return phi_model_warn(c->model, err,
			"1 tensor is quantized already (%s: %s): what it lost "
			"stays lost",
			name, c->its_type->name);
	if (c->requantized > 1)
		return phi_model_warn(c->model, err,
			"%zu tensors are quantized already (the first: %s: %s): "
			"what they lost stays lost",
			c->requantized, name, c->its_type->name);
	return 0;
}

static int
warn_fallen(const struct choice *c, struct phi_err *err)
{
	struct phi_quoted q;
	if (!c->fallen)
		return 0;
	const char *const name = phi_quote(&q, c->first_fallen);
	if (c->fallen == 1)
		return phi_model_warn(c->model, err,
			"the rows of 1 tensor are no whole blocks of the type it was "
			"to have (%s): it gets another (see --explain)",
			name);
	return phi_model_warn(c->model, err,
		"the rows of %zu tensors are no whole blocks of the types they were "
		"to have (the first: %s): they get others (see --explain)",
		c->fallen, name);
}

/* A graph whose weights are all of a kind that stays, or quantized before. */
static int
warn_unchanged(const struct choice *c, struct phi_err *err)
{
	const struct phi_model *const m = c->model;
	size_t i = 0;
	while (i < m->ntensors && (m->tensors[i].fixed || m->tensors[i].type->class != PHI_CLASS_BLOCK))
		i++;
	return !c->onnx.bits || i < m->ntensors ? 0
		: phi_model_warn(c->model, err, "no weight is quantized by %s (see --explain)", c->recipe_why);
}

static int
choose(struct choice *c, struct phi_err *err)
{
	const struct phi_recipe_options *const o = c->options;
	if (check_made(o->output_type, "--output-type", err) ||
		check_made(o->embedding_type, "--embedding-type", err) || read_recipe(c, err) < 0)
		return -1;
	phi_mixture_begin(&c->mixture, c->recipe, c->model);
	c->mixture.facts.importance = o->importance != NULL;
	c->mixture.facts.fused_apart = o->compat == PHI_COMPAT_LLAMA_2025;
	if (choose_all(c, err) < 0 ||
		phi_importance_attach(c->model, o->importance, c->recipe, o->lenient, err) < 0)
		return -1;
	if (warn_fallen(c, err) < 0 || warn_unchanged(c, err) < 0)
		return -1;
	return o->from_quantized || o->keep_codes || o->lossless ? 0 : warn_requantized(c, err);
}

int
phi_choose(struct phi_model *lowered, const struct phi_recipe_options *options, struct phi_err *err)
{
	struct choice c = { .model = lowered, .options = options, .for_mlx = !strcmp(lowered->view, "mlx"),
		.for_onnx = !strcmp(lowered->view, "onnx") };
	c.rules = phi_rules_read(options->rules, options->nrules, lowered->arena, err);
	const int result = c.rules ? choose(&c, err) : -1;
	phi_rules_free(c.rules);
	return result;
}
