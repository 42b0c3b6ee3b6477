/* Tensors that the other side keeps in its configuration: the rope factors of a GGUF are numbers in a
 * folder's config.json. They are compared with those, rounded to floats as a converter does, so that a
 * model and its conversion have no name that the other lacks. */
#include "formats/core/memory.h"
#include "formats/models/family.h"
#include "inspect/compare.h"

#include <string.h>

/* The side that has the tensor, 0 or 1, or -1 if both or neither kind applies. */
static int
lone_side(const struct phi_pair *pair)
{
	return pair->state == PHI_PAIR_ONLY_A ? 0 : pair->state == PHI_PAIR_ONLY_B ? 1 : -1;
}

/* The numbers that `model` has for the role, or NULL. */
static const double *
configured(const struct phi_model *model, enum phi_role role, size_t *count)
{
	struct phi_hparams h;
	if (!model->family || phi_family_hparams(model, &h, NULL))
		return NULL;
	*count = role == PHI_ROLE_ROPE_LONG ? h.nlong : h.nshort;
	return role == PHI_ROLE_ROPE_LONG ? h.long_factor : h.short_factor;
}

/* Can the tensor be read now, and all that is compared later still after it? */
static bool
arrives_first(const struct phi_model *model, const struct phi_tensor *t)
{
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const other = &model->tensors[i];
		if (other->role != PHI_ROLE_ROPE_LONG && other->role != PHI_ROLE_ROPE_SHORT &&
			other->nplanes && other->plane[0].storage <= t->plane[0].storage)
			return false;
	}
	return true;
}

/* The tensor's n values are followed by room for as many. */
static void
measure(struct phi_distance *d, float *tensor, const double *numbers, size_t n)
{
	float *const other = tensor + n;
	for (size_t i = 0; i < n; i++)
		other[i] = (float)numbers[i];
	d->n = n;
	phi_distance_add(d, tensor, other, n, 0);
}

static int
compare_one(struct phi_comparison *c, struct phi_pair *pair, unsigned side, struct phi_err *err)
{
	struct phi_source *const source = c->source[side];
	const struct phi_tensor *const t = phi_pair_tensor(c, pair, side);
	size_t n = 0;
	const double *const numbers = configured(c->source[!side]->model, t->role, &n);
	if (!numbers || t->type != phi_type_of(PHI_F32) || t->rank != 1 || t->shape[0] != n ||
		n * sizeof(float) > PHI_PARAMETER_MAX)
		return 0;
	/* Of two pipes one is settled later, which must not have been read by then. */
	if (source->sequential &&
		(c->source[!side]->sequential || !arrives_first(source->model, t)) &&
		phi_source_settle(source, c->options->spool, err))
		return -1;
	float *const values = phi_calloc(2 * n + 1, sizeof *values, err);
	const int result = values ? phi_tensor_read(source, t, false, 0, n, values, err) : -1;
	if (!result) {
		measure(&pair->distance, values, numbers, n);
		pair->state = PHI_PAIR_EQUAL;
	}
	phi_free(values);
	return result;
}

int
phi_comparison_configured(struct phi_comparison *c, struct phi_err *err)
{
	for (size_t i = 0; i < c->npairs; i++) {
		const int side = lone_side(&c->pairs[i]);
		const struct phi_tensor *const t =
			side < 0 ? NULL : phi_pair_tensor(c, &c->pairs[i], (unsigned)side);
		if (t && (t->role == PHI_ROLE_ROPE_LONG || t->role == PHI_ROLE_ROPE_SHORT) &&
			compare_one(c, &c->pairs[i], (unsigned)side, err))
			return -1;
	}
	return 0;
}
