#include "quant/attach.h"

#include "formats/core/escape.h"

#include <inttypes.h>
#include <string.h>

/* Some of the model's tensors: how many, and the first. */
struct some {
	const struct phi_tensor *first;
	size_t count;
};

struct attach {
	struct phi_model *model;
	const struct phi_importance_list *list;
	bool q2_needs; /* Q2_K of a q2_k_s file */
	size_t given; /* tensors that have it */
	struct some needy; /* cannot do without */
	struct some lacking; /* can, but others of their kind have it */
	struct some unseen; /* have experts that nothing reached */
	uint64_t experts; /* of those */
};

static void
note(struct some *some, const struct phi_tensor *t)
{
	if (!some->count++)
		some->first = t;
}

/* Is the tensor made of others in this very type? Then nothing is converted. */
static bool
copied(const struct phi_model *model, const struct phi_tensor *t)
{
	for (unsigned i = 0; i < t->nparts; i++)
		if (t->parts[i].kind == PHI_PART_TENSOR &&
			model->origin->tensors[t->parts[i].tensor].type != t->type)
			return false;
	return true;
}

/* llama-quantize refuses these without importance, except for embedding and output
 * (facts/gguf.md 4.5). Some of them can be made without. */
static bool
needs(const struct attach *a, const struct phi_tensor *t)
{
	if (phi_quant_importance(t->type) == PHI_IMPORTANCE_NEEDED)
		return true;
	if (t->role == PHI_ROLE_EMBEDDING || t->role == PHI_ROLE_OUTPUT)
		return false;
	switch (t->type->id) {
	case PHI_IQ1_S:
	case PHI_IQ1_M:
	case PHI_IQ2_XXS:
	case PHI_IQ2_XS:
	case PHI_IQ2_S:
	case PHI_IQ3_XXS:
		return true;
	case PHI_Q2_K:
		return a->q2_needs;
	default:
		return false;
	}
}

static const struct phi_importance_of *
find(const struct attach *a, const struct phi_tensor *t)
{
	if (!a->list)
		return NULL;
	const struct phi_importance_of *const of = phi_importance_find(a->list, t->name);
	return of || !t->canonical ? of : phi_importance_find(a->list, t->canonical);
}

/* A row's columns, or as many for each expert. The embedding's is passed over where it does not
 * fit, as llama-quantize does: a tied output matrix is measured under another name. */
static int
fit(const struct phi_importance_of *of, const struct phi_tensor *t, bool *fits, struct phi_err *err)
{
	const uint64_t columns = phi_tensor_row(t), experts = t->rank > 2 ? t->shape[0] : 1;
	struct phi_quoted q;
	*fits = t->rank <= 3 && of->size % columns == 0 && of->size / columns == experts;
	if (*fits || t->role == PHI_ROLE_EMBEDDING)
		return 0;
	return phi_fail(err, PHI_FORMAT,
		"tensor %s: %" PRIu64 " numbers of importance for %" PRIu64 " columns of %" PRIu64
		" matri%s",
		phi_quote(&q, t->name), of->size, columns, experts, experts == 1 ? "x" : "ces");
}

/* Says of a tensor what it lacks, beside what chose its type. */
static int
explain(struct attach *a, struct phi_tensor *t, const struct phi_importance_of *of,
	struct phi_err *err)
{
	const char *const why = t->why ? t->why : "as it is";
	t->why = of ? phi_arena_printf(a->model->arena, err,
			      "%s; %" PRIu64 " of %" PRIu64 " experts without importance", why,
			      of->unseen, of->experts)
		    : phi_arena_printf(a->model->arena, err, "%s; no importance", why);
	return t->why ? 0 : -1;
}

static int
attach_one(struct attach *a, struct phi_tensor *t, struct phi_err *err)
{
	const struct phi_importance_of *const of = find(a, t);
	const bool needed = needs(a, t);
	bool fits = false;
	if (phi_quant_importance(t->type) == PHI_IMPORTANCE_NONE && !needed)
		return 0;
	if (of && fit(of, t, &fits, err))
		return -1;
	if (fits) {
		t->importance = &of->numbers;
		a->given++;
		if (!of->unseen || of->experts < 2)
			return 0;
		note(&a->unseen, t);
		a->experts += of->unseen;
		return explain(a, t, of, err);
	}
	if (needed)
		note(&a->needy, t);
	else if (a->list && t->role != PHI_ROLE_EMBEDDING && t->role != PHI_ROLE_OUTPUT)
		note(&a->lacking, t);
	return a->list || needed ? explain(a, t, NULL, err) : 0;
}

static int
say_needy(const struct attach *a, bool lenient, struct phi_err *err)
{
	struct phi_quoted q;
	const struct phi_tensor *const t = a->needy.first;
	if (!t)
		return 0;
	const char *const name = phi_quote(&q, t->name);
	if (!lenient && a->list)
		return phi_fail(err, PHI_UNSUPPORTED,
			"tensor %s: %s is not made without importance, and the "
			"imatrix has none of it",
			name, t->type->name);
	if (!lenient)
		return phi_fail(err, PHI_UNSUPPORTED,
			"tensor %s: %s is not made without importance (see "
			"--imatrix)",
			name, t->type->name);
	return phi_model_warn(a->model, err,
		"%zu tensor%s cannot be made without importance (the first: %s: "
		"%s)",
		a->needy.count, a->needy.count == 1 ? "" : "s", name, t->type->name);
}

static int
say_rest(const struct attach *a, struct phi_err *err)
{
	struct phi_quoted q;
	if (a->list && !a->given && !a->lacking.count &&
		phi_model_warn(a->model, err, "importance changes no tensor of this recipe"))
		return -1;
	if (a->lacking.count && phi_model_warn(a->model, err,
					"%zu tensor%s of the model %s no importance "
					"(the first: %s)",
					a->lacking.count, a->lacking.count == 1 ? "" : "s",
					a->lacking.count == 1 ? "has" : "have",
					phi_quote(&q, a->lacking.first->name)))
		return -1;
	if (a->unseen.count &&
		phi_model_warn(a->model, err,
			"%" PRIu64 " expert%s in %zu tensor%s (the first: "
			"%s) got no data: all their columns count alike",
			a->experts, a->experts == 1 ? "" : "s", a->unseen.count,
			a->unseen.count == 1 ? "" : "s", phi_quote(&q, a->unseen.first->name)))
		return -1;
	return 0;
}

int
phi_importance_attach(struct phi_model *lowered, const struct phi_importance_list *list,
	const struct phi_recipe *recipe, bool lenient, struct phi_err *err)
{
	struct attach a = { .model = lowered,
		.list = list,
		.q2_needs = recipe && !strcmp(recipe->name, "q2_k_s") };
	for (size_t i = 0; i < lowered->ntensors; i++) {
		struct phi_tensor *const t = &lowered->tensors[i];
		if (t->alias == PHI_NONE && !copied(lowered, t) && attach_one(&a, t, err))
			return -1;
	}
	return say_needy(&a, lenient, err) ? -1 : say_rest(&a, err);
}
