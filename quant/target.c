#include "quant/target.h"

#include "formats/core/arena.h"
#include "formats/core/memory.h"
#include "formats/core/survey.h"

#include <string.h>

/* Small to large; the recipe they are the base of; whether they are made only with importance, as llama-quantize has
 * it. */
static const struct {
	enum phi_type_id id;
	const char *type, *recipe;
	bool weighted;
} candidates[] = {
	{ PHI_IQ2_XXS, "iq2_xxs", "iq2_xxs", true },
	{ PHI_IQ2_XS, "iq2_xs", "iq2_xs", true },
	{ PHI_IQ2_S, "iq2_s", "iq2_m", true },
	{ PHI_Q2_K, "q2_k", "q2_k", false },
	{ PHI_IQ3_XXS, "iq3_xxs", "iq3_xxs", true },
	{ PHI_Q3_K, "q3_k", "q3_k_m", false },
	{ PHI_IQ4_XS, "iq4_xs", "iq4_xs", false },
	{ PHI_Q4_K, "q4_k", "q4_k_m", false },
	{ PHI_Q5_K, "q5_k", "q5_k_m", false },
	{ PHI_Q6_K, "q6_k", "q6_k", false },
	{ PHI_Q8_0, "q8_0", "q8_0", false },
	{ PHI_F16, "f16", "f16", false },
	{ PHI_BF16, "bf16", "bf16", false },
};
enum { CANDIDATES = sizeof candidates / sizeof *candidates };

struct phi_target {
	struct phi_arena *arena;
	size_t n; /* surveyed tensors */
	struct phi_rule *rules;
	const struct phi_type **types; /* CANDIDATES for each */
	struct phi_option *options;    /* the same; UINT64_MAX: not on offer */
	size_t *choice;
	uint64_t weights;
	struct phi_budget_point *curve; /* from the smallest types to the largest */
	size_t points, points_capacity;
	struct phi_budget_point chosen;
	struct phi_err *err; /* of note_point */
	bool failed;
};

static bool
is_candidate(size_t k, const struct phi_recipe_options *options)
{
	return options->importance || !candidates[k].weighted;
}

/* Is this a type made only with importance, and the tensor has none? An imatrix seldom covers all: llama-imatrix
 * measures no embedding. */
static bool
lacks_importance(const struct phi_tensor *t)
{
	for (size_t k = 0; k < CANDIDATES && !t->importance; k++)
		if (candidates[k].weighted && candidates[k].id == t->type->id)
			return true;
	return false;
}

/* What choose makes of every tensor when each candidate in turn is asked for: rules, fixed types and rows that do
 * not fit are its affair. `types` has CANDIDATES for each tensor; NULL: not on offer. */
static int
ask_choose(struct phi_model *lowered, const struct phi_recipe_options *options, const struct phi_type **types,
	struct phi_err *err)
{
	for (size_t k = CANDIDATES; k-- > 0;) {
		if (!is_candidate(k, options))
			continue;
		struct phi_recipe_options each = *options;
		each.recipe = candidates[k].type;
		each.pure = true;
		each.from_quantized = true;
		each.lenient = true;
		if (phi_choose(lowered, &each, err) < 0)
			return -1;
		for (size_t i = 0; i < lowered->ntensors; i++)
			if (!lacks_importance(&lowered->tensors[i]))
				types[i * CANDIDATES + k] = lowered->tensors[i].type;
	}
	return 0;
}

/* Strikes out what is not to be surveyed: the settled, the tied, the repeated. */
static void
strike_out(const struct phi_tensor *t, const struct phi_type **types)
{
	unsigned kinds = 0;
	for (size_t k = 0; k < CANDIDATES; k++) {
		for (size_t j = 0; j < k && types[k]; j++)
			if (types[j] == types[k])
				types[k] = NULL;
		kinds += types[k] != NULL;
	}
	if (kinds < 2 || t->alias != PHI_NONE)
		memset(types, 0, CANDIDATES * sizeof *types);
}

/* The tensor gets the first of what is on offer. */
static void
take_smallest(struct phi_tensor *t, const struct phi_type *const *types)
{
	for (size_t k = 0; k < CANDIDATES; k++)
		if (types[k]) {
			t->type = types[k];
			return;
		}
}

static uint64_t
padded_bytes(const struct phi_type *type, uint64_t elements, unsigned alignment)
{
	uint64_t bytes = 0;
	phi_type_size(type, elements, &bytes);
	return (bytes + alignment - 1) / alignment * alignment;
}

/* Takes over what is known of one open tensor. */
static int
take_tensor(struct phi_target *target, const struct phi_tensor *t, const struct phi_type *const *types,
	const struct phi_loss *losses, unsigned alignment, struct phi_err *err)
{
	const size_t i = target->n++, at = i * CANDIDATES;
	uint64_t elements;
	phi_tensor_elements(t, &elements);
	target->rules[i] = (struct phi_rule){ .glob = phi_arena_strdup(target->arena, t->name, err), .kind = PHI_RULE_NAME };
	for (size_t k = 0; k < CANDIDATES; k++) {
		const double signal = losses[k].weighted_signal;
		target->types[at + k] = types[k];
		target->options[at + k].bytes = UINT64_MAX;
		if (!types[k])
			continue;
		target->options[at + k] = (struct phi_option){ padded_bytes(types[k], elements, alignment),
			signal > 0 ? losses[k].weighted_error / signal * (double)elements : 0 };
	}
	target->weights += elements;
	return target->rules[i].glob ? 0 : -1;
}

static int
take_all(struct phi_target *target, const struct phi_model *lowered, const struct phi_type *const *types,
	const struct phi_loss *losses, unsigned alignment, struct phi_err *err)
{
	for (size_t i = 0; i < lowered->ntensors; i++) {
		bool open = false;
		for (size_t k = 0; k < CANDIDATES; k++)
			open |= types[i * CANDIDATES + k] != NULL;
		if (open && take_tensor(target, &lowered->tensors[i], types + i * CANDIDATES, losses + i * CANDIDATES,
				    alignment, err) < 0)
			return -1;
	}
	if (!target->n)
		return phi_fail(err, PHI_UNSUPPORTED, "there is no tensor whose type is open");
	return 0;
}

static void
note_point(void *ctx, const struct phi_budget_point *point)
{
	struct phi_target *const target = ctx;
	target->failed |= phi_grow(&target->curve, &target->points_capacity, target->points, sizeof *target->curve,
		target->err) < 0;
	if (!target->failed)
		target->curve[target->points++] = *point;
}

static int
trace_curve(struct phi_target *target, struct phi_err *err)
{
	target->err = err;
	return phi_budget_choose(target->options, target->n, CANDIDATES, UINT64_MAX, target->choice, note_point, target,
		err) < 0 || target->failed ? -1 : 0;
}

static int
survey(struct phi_target *target, struct phi_source *source, struct phi_model *lowered,
	const struct phi_target_options *options, const struct phi_type **types, struct phi_loss *losses,
	struct phi_err *err)
{
	if (ask_choose(lowered, options->recipe, types, err) < 0)
		return -1;
	for (size_t i = 0; i < lowered->ntensors; i++) {
		strike_out(&lowered->tensors[i], types + i * CANDIDATES);
		take_smallest(&lowered->tensors[i], types + i * CANDIDATES);
	}
	const struct phi_survey_options o = { .size = sizeof o, .jobs = options->jobs,
		.converters = options->converters, .types = types, .ntypes = CANDIDATES,
		.progress = options->progress, .progress_ctx = options->progress_ctx };
	if (phi_survey(source, lowered, &o, losses, err) < 0 ||
		take_all(target, lowered, types, losses, options->alignment, err) < 0)
		return -1;
	return trace_curve(target, err);
}

static int
reserve(struct phi_target *target, size_t n, struct phi_err *err)
{
	target->arena = phi_arena_new(err);
	if (!target->arena)
		return -1;
	target->rules = phi_arena_calloc(target->arena, n, sizeof *target->rules, err);
	target->types = phi_arena_calloc(target->arena, n * CANDIDATES, sizeof *target->types, err);
	target->options = phi_arena_calloc(target->arena, n * CANDIDATES, sizeof *target->options, err);
	target->choice = phi_arena_calloc(target->arena, n, sizeof *target->choice, err);
	return target->rules && target->types && target->options && target->choice ? 0 : -1;
}

struct phi_target *
phi_target_survey(struct phi_source *source, struct phi_model *lowered, const struct phi_target_options *options,
	struct phi_err *err)
{
	const size_t n = lowered->ntensors + 1;
	struct phi_target *target = phi_calloc(1, sizeof *target, err);
	const struct phi_type **const types = phi_calloc(n * CANDIDATES, sizeof *types, err);
	struct phi_loss *const losses = phi_calloc(n * CANDIDATES, sizeof *losses, err);
	if (!target || !types || !losses || reserve(target, n, err) < 0 ||
		survey(target, source, lowered, options, types, losses, err) < 0) {
		phi_target_free(target);
		target = NULL;
	}
	phi_free(types);
	phi_free(losses);
	return target;
}

void
phi_target_free(struct phi_target *target)
{
	if (!target)
		return;
	phi_arena_free(target->arena);
	phi_free(target->curve);
	phi_free(target);
}

uint64_t
phi_target_smallest(const struct phi_target *target)
{
	return target->curve[0].bytes;
}

uint64_t
phi_target_weights(const struct phi_target *target)
{
	return target->weights;
}

int
phi_target_choose(struct phi_target *target, uint64_t bytes, struct phi_err *err)
{
	if (phi_budget_choose(target->options, target->n, CANDIDATES, bytes, target->choice, NULL, NULL, err) < 0)
		return -1;
	target->chosen = (struct phi_budget_point){ 0 };
	for (size_t i = 0; i < target->n; i++) {
		const size_t at = i * CANDIDATES + target->choice[i];
		target->rules[i].type = target->types[at];
		target->chosen.bytes += target->options[at].bytes;
		target->chosen.error += target->options[at].error;
	}
	return 0;
}

const struct phi_rule *
phi_target_rules(const struct phi_target *target, size_t *n)
{
	*n = target->n;
	return target->rules;
}

const char *
phi_target_recipe(const struct phi_target *target)
{
	uint64_t bytes[CANDIDATES] = { 0 };
	size_t most = 0;
	for (size_t i = 0; i < target->n; i++)
		bytes[target->choice[i]] += target->options[i * CANDIDATES + target->choice[i]].bytes;
	for (size_t k = 0; k < CANDIDATES; k++)
		most = bytes[k] > bytes[most] ? k : most;
	return candidates[most].recipe;
}

/* Sums of what steps save may end a little below 0. */
static double
noise_of(const struct phi_target *target, double error)
{
	return error > 0 ? error / (double)target->weights : 0;
}

/* What was chosen, in its place among n points; it may lie beside the curve, for what was left over was used up. */
static size_t
insert_chosen(const struct phi_target *target, struct phi_target_point *points, size_t n)
{
	size_t at = 0;
	while (at < n && points[at].bytes < target->chosen.bytes)
		at++;
	if (at == n || points[at].bytes != target->chosen.bytes)
		memmove(points + at + 1, points + at, (n++ - at) * sizeof *points);
	points[at] = (struct phi_target_point){ target->chosen.bytes, noise_of(target, target->chosen.error), true };
	return n;
}

size_t
phi_target_curve(const struct phi_target *target, struct phi_target_point points[PHI_TARGET_POINTS])
{
	const struct phi_budget_point *const all = target->curve, *const last = &all[target->points - 1];
	size_t n = 0, at = 0;
	for (size_t i = 0; i < PHI_TARGET_POINTS - 1; i++) {
		const double share = (double)i / (PHI_TARGET_POINTS - 2);
		const double bytes = (double)all[0].bytes + share * (double)(last->bytes - all[0].bytes);
		while (at + 1 < target->points && (double)all[at + 1].bytes <= bytes)
			at++;
		if (n && points[n - 1].bytes == all[at].bytes)
			continue;
		points[n++] = (struct phi_target_point){ .bytes = all[at].bytes,
			.noise = noise_of(target, all[at].error) };
	}
	return insert_chosen(target, points, n);
}
