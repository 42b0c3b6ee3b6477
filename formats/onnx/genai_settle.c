/* The weights of a decoder as the checkpoint has them: gate and up fused again, one matrix for queries, keys and values
 * cut in three, by the family's tables. */
#include "formats/onnx/genai_read.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <string.h>

struct settling {
	struct phi_genai *genai;
	struct phi_model *model;
	struct phi_hparams hparams;
	bool has_hparams;
	size_t apart; /* weights that stay in parts */
	const char *first;
	struct phi_err *err;
};

static const struct phi_genai_found *
named(const struct settling *s, const char *canonical)
{
	const uint32_t i = phi_names_find(s->genai->weights, canonical, strlen(canonical));
	return i == PHI_NONE ? NULL : &s->genai->found[i];
}

static int
add(struct settling *s, const char *name, const struct phi_onnx_piece *pieces, unsigned n)
{
	struct phi_tensor made;
	if (phi_onnx_compose(&s->genai->composition, s->model, pieces, n, &made, s->err))
		return -1;
	struct phi_tensor *const t = phi_model_add_tensor(s->model, s->err);
	if (!t)
		return -1;
	*t = made;
	t->name = name;
	t->canonical = NULL;
	t->layer = -1;
	t->alias = PHI_NONE;
	return 0;
}

/* The split that has the weight as its part number *part; a stack's parts are weights of their own. */
static const struct phi_family_split *
split_with(const struct settling *s, const struct phi_genai_found *found, unsigned *part, struct phi_holes *holes)
{
	for (const struct phi_family_split *p = s->model->family->splits; p && p->whole; p++)
		for (*part = 0; *part < 3 && p->parts[*part]; ++*part)
			if (!phi_family_split_experts(p) && phi_family_match(p->parts[*part], found->canonical, holes))
				return p;
	return NULL;
}

/* Parts of several types are not one tensor of any: to be looked at and compared they stay as they are. */
static bool
is_mixed(const struct phi_onnx_piece *pieces, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		if (strcmp(pieces[i].tensor->type->name, pieces[0].tensor->type->name) != 0)
			return true;
	return false;
}

static int
leave_apart(struct settling *s, const char *whole, const char *const *names, const struct phi_onnx_piece *pieces,
	unsigned n)
{
	if (!s->apart++)
		s->first = whole;
	for (unsigned i = 0; i < n; i++)
		if (add(s, names[i], &pieces[i], 1))
			return -1;
	return 0;
}

static int
fuse(struct settling *s, const struct phi_family_split *split, struct phi_holes holes)
{
	const char *names[3];
	struct phi_onnx_piece pieces[3];
	struct phi_quoted q;
	unsigned n = 0;
	for (; n < 3 && split->parts[n]; n++) {
		const char *const name = phi_family_spell(split->parts[n], holes, s->model->arena, s->err);
		const struct phi_genai_found *const f = name ? named(s, name) : NULL;
		if (!name)
			return -1;
		if (!f)
			return phi_fail(s->err, PHI_FORMAT, "tensor %s is missing", phi_quote(&q, name));
		names[n] = name;
		pieces[n] = (struct phi_onnx_piece){ &f->tensor, 0, f->tensor.rank ? f->tensor.shape[0] : 0 };
	}
	const char *const whole = phi_family_spell(split->whole, holes, s->model->arena, s->err);
	if (!whole)
		return -1;
	return is_mixed(pieces, n) ? leave_apart(s, whole, names, pieces, n) : add(s, whole, pieces, n);
}

static const struct phi_family_tensor *
line_of(const struct phi_family *family, const char *pattern)
{
	const struct phi_family_tensor *e = family->tensors;
	while ((e->canonical || e->gguf) && (!e->canonical || strcmp(e->canonical, pattern) != 0))
		e++;
	return e;
}

static int
cut(struct settling *s, const struct phi_genai_found *found, const struct phi_family_split *split,
	struct phi_holes holes)
{
	struct phi_onnx_piece piece = { .tensor = &found->tensor };
	struct phi_quoted q;
	if (!s->has_hparams && phi_family_hparams(s->model, &s->hparams, s->err))
		return -1;
	s->has_hparams = true;
	for (unsigned i = 0; i < 3 && split->parts[i]; i++) {
		const char *const name = phi_family_spell(split->parts[i], holes, s->model->arena, s->err);
		piece.rows = phi_family_extent(line_of(s->model->family, split->parts[i])->shape[0], &s->hparams);
		if (!name || add(s, name, &piece, 1))
			return -1;
		piece.row += piece.rows;
	}
	return piece.row == found->tensor.shape[0] ? 0 : phi_fail(s->err, PHI_FORMAT,
		"tensor %s: other rows than its parts have", phi_quote(&q, found->tensor.name));
}

/* The table's line of a weight that this family has in another form says "elsewhere". */
static int
settle(struct settling *s, const struct phi_genai_found *found)
{
	struct phi_holes holes;
	unsigned part = 0;
	const struct phi_onnx_piece whole = { &found->tensor, 0, found->tensor.rank ? found->tensor.shape[0] : 0 };
	if (found->entry->presence != PHI_ELSEWHERE)
		return add(s, found->canonical, &whole, 1);
	const struct phi_tensor t = { .name = found->canonical, .canonical = found->canonical };
	const struct phi_family_split *split = phi_family_split_of(s->model->family, &t, &holes);
	if (split)
		return cut(s, found, split, holes);
	split = split_with(s, found, &part, &holes);
	if (!split)
		return add(s, found->canonical, &whole, 1);
	return part ? 0 : fuse(s, split, holes);
}

int
phi_genai_settle(struct phi_genai *genai, struct phi_model *model, struct phi_err *err)
{
	struct settling s = { .genai = genai, .model = model, .err = err };
	struct phi_hparams h;
	for (size_t i = 0; i < genai->nfound; i++)
		if (settle(&s, &genai->found[i]))
			return -1;
	if (phi_family_assign(model, err) || phi_family_hparams(model, &h, err))
		return -1;
	if (!s.apart)
		return phi_family_check(model, &h, err);
	return phi_model_warn(model, err, "%zu weight%s that a checkpoint has whole stay%s in parts, which are of several types "
		"here: fit to be looked at and compared, not to be loaded; the first: %s", s.apart, s.apart == 1 ? "" : "s",
		s.apart == 1 ? "s" : "", s.first);
}
