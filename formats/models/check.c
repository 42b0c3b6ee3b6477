/* Do the tensors of a model agree with its configuration? */
#include "formats/core/escape.h"
#include "formats/models/family.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t
phi_family_extent(enum phi_dim dim, const struct phi_hparams *h)
{
	switch (dim) {
	case PHI_DIM_VOCAB:
		return h->vocab;
	case PHI_DIM_HIDDEN:
		return h->hidden;
	case PHI_DIM_FFN:
		return h->ffn;
	case PHI_DIM_FFN_TWICE:
		return 2 * (uint64_t)h->ffn;
	case PHI_DIM_EXPERTS:
		return h->experts;
	case PHI_DIM_KV:
		return (uint64_t)h->kv_heads * h->head_dim;
	case PHI_DIM_HEADS:
		return (uint64_t)h->heads * h->head_dim;
	case PHI_DIM_QKV:
		return (h->heads + 2 * (uint64_t)h->kv_heads) * h->head_dim;
	case PHI_DIM_HALF_ROTARY:
		return h->rotary / 2;
	case PHI_DIM_NONE:
	case PHI_DIM_ANY:
		break;
	}
	return 0;
}

static int
check_shape(const struct phi_tensor *t, const struct phi_family_tensor *e,
	const struct phi_hparams *h, struct phi_err *err)
{
	if (e->shape[0] == PHI_DIM_ANY)
		return 0;
	struct phi_tensor want = { .rank = 0 };
	while (want.rank < 3 && e->shape[want.rank] != PHI_DIM_NONE) {
		want.shape[want.rank] = phi_family_extent(e->shape[want.rank], h);
		want.rank++;
	}
	if (t->rank == want.rank && !memcmp(t->shape, want.shape, want.rank * sizeof *t->shape))
		return 0;
	char have[256], expect[256];
	return phi_fail(err, PHI_FORMAT, "shape %s, but the configuration makes it %s",
		phi_tensor_shape(t, have, sizeof have),
		phi_tensor_shape(&want, expect, sizeof expect));
}

static int
check_tensor(const struct phi_model *model, const struct phi_tensor *t, const struct phi_hparams *h,
	struct phi_err *err)
{
	const struct phi_family_tensor *const e = phi_family_entry(model, t);
	/* What others fuse or keep apart a runtime of GGUF reads, too. */
	if (!e || (e->presence == PHI_ELSEWHERE && !phi_family_from_gguf(model)))
		return phi_fail(err, PHI_FORMAT, "a %s model has no such tensor",
			model->family->name);
	if (t->layer >= 0 && (uint32_t)t->layer >= h->layers)
		return phi_fail(err, PHI_FORMAT, "layer %d, but the configuration has %" PRIu32,
			t->layer, h->layers);
	const int expert = phi_family_expert(model, t);
	if (expert >= 0 && (uint32_t)expert >= h->experts)
		return phi_fail(err, PHI_FORMAT, "expert %d, but the configuration has %" PRIu32,
			expert, h->experts);
	if ((e->presence == PHI_ATTENTION_BIAS && !h->attention_bias) ||
		(e->presence == PHI_HEAD_BIAS && !h->head_bias))
		return phi_fail(err, PHI_FORMAT, "the configuration says that there is no such bias");
	return check_shape(t, e, h, err);
}

static bool
wanted(const struct phi_family_tensor *e, const struct phi_model *model,
	const struct phi_hparams *h)
{
	const bool gguf = phi_family_from_gguf(model);
	if (!(gguf ? e->gguf : e->canonical))
		return false;
	switch (e->presence) {
	case PHI_ALWAYS:
		return true;
	case PHI_UNTIED:
		return !h->tied;
	case PHI_ATTENTION_BIAS:
		return h->attention_bias;
	case PHI_HEAD_BIAS:
		return h->head_bias;
	case PHI_STACKED:
		return gguf;
	case PHI_MAYBE:
	case PHI_ELSEWHERE:
	case PHI_DROPPED:
		break;
	}
	return false;
}

/* A pattern's name with its holes filled. */
static void
fill(const char *pattern, struct phi_holes holes, char *name, size_t size)
{
	const int numbers[] = { holes.layer, holes.expert };
	size_t n = 0;
	for (size_t i = 0; i < 2 && n < size; i++) {
		const char *const hole = strstr(pattern, "{}");
		if (!hole)
			break;
		n += (size_t)snprintf(name + n, size - n, "%.*s%d", (int)(hole - pattern), pattern,
			numbers[i]);
		pattern = hole + 2;
	}
	if (n < size)
		snprintf(name + n, size - n, "%s", pattern);
}

static bool
is_there(const struct phi_family *family, const char *canonical, struct phi_holes holes,
	const struct phi_names *names)
{
	char name[256];
	for (const struct phi_family_tensor *e = family->tensors; e->canonical || e->gguf; e++) {
		if (!e->gguf || !e->canonical || strcmp(e->canonical, canonical) != 0)
			continue;
		fill(e->gguf, holes, name, sizeof name);
		return phi_names_find(names, name, strlen(name)) != PHI_NONE;
	}
	return false;
}

/* Is what is missing in a GGUF there all the same, fused with others, or in parts? */
static bool
is_elsewhere(const struct phi_family_tensor *e, const struct phi_family *family, struct phi_holes holes,
	const struct phi_names *names)
{
	for (const struct phi_family_split *s = family->splits; s && s->whole; s++) {
		const unsigned most = sizeof s->parts / sizeof *s->parts;
		unsigned n = 0, there = 0;
		bool part = false;
		for (; n < most && s->parts[n]; n++) {
			part |= !strcmp(s->parts[n], e->canonical);
			there += is_there(family, s->parts[n], holes, names);
		}
		if ((part && is_there(family, s->whole, holes, names)) ||
			(!strcmp(s->whole, e->canonical) && there == n))
			return true;
	}
	return false;
}

/* One of the table's tensors in all layers, of all experts. It stops at the first that is missing, so
 * the loop is bounded by the tensors there are, whatever the configuration claims. */
static int
check_there(const struct phi_family_tensor *e, const struct phi_model *model,
	const struct phi_hparams *h, const struct phi_names *names, struct phi_err *err)
{
	const bool gguf = phi_family_from_gguf(model);
	const char *const pattern = gguf ? e->gguf : e->canonical;
	const char *const hole = strstr(pattern, "{}");
	const uint64_t experts = hole && strstr(hole + 2, "{}") ? h->experts : 1;
	const uint64_t n = (hole ? h->layers : 1) * experts;
	for (uint64_t i = 0; i < n; i++) {
		const struct phi_holes holes = { (int)(i / experts), (int)(i % experts) };
		char name[256];
		fill(pattern, holes, name, sizeof name);
		if (phi_names_find(names, name, strlen(name)) == PHI_NONE &&
			!(gguf && e->canonical && is_elsewhere(e, model->family, holes, names)))
			return phi_fail(err, PHI_FORMAT, "tensor %s is missing%s", name,
				e->presence == PHI_UNTIED
					? " (and tie_word_embeddings is not true)" : "");
	}
	return 0;
}

/* The names a model is checked by: GGUF's own or the canonical ones. */
static struct phi_names *
index_names(const struct phi_model *model, struct phi_err *err)
{
	struct phi_names *const names = phi_names_new(err);
	const bool gguf = phi_family_from_gguf(model);
	for (size_t i = 0; names && i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		const char *const name = !gguf && t->canonical ? t->canonical : t->name;
		if (phi_names_add(names, name, strlen(name), (uint32_t)i, err) < 0) {
			phi_names_free(names);
			return NULL;
		}
	}
	return names;
}

int
phi_family_check(const struct phi_model *model, const struct phi_hparams *hparams,
	struct phi_err *err)
{
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		struct phi_quoted q;
		if (check_tensor(model, t, hparams, err) < 0)
			return phi_context(err, "tensor %s", phi_quote(&q, t->name));
	}
	struct phi_names *const names = index_names(model, err);
	int result = names ? 0 : -1;
	for (const struct phi_family_tensor *e = model->family->tensors;
		result == 0 && (e->canonical || e->gguf); e++)
		if (wanted(e, model, hparams))
			result = check_there(e, model, hparams, names, err);
	phi_names_free(names);
	return result;
}
