#include "inspect/diff_json.h"

#include "inspect/emit.h"

#include <string.h>

static void
emit_type(struct phi_emit *e, const struct phi_tensor *t)
{
	if (t)
		phi_emit_text(e, t->type->name, strlen(t->type->name));
	else
		phi_emit_null(e);
}

static void
emit_distance(struct phi_emit *e, const struct phi_distance *d)
{
	phi_emit_member_real(e, "max_abs", d->max_abs);
	phi_emit_member_u64(e, "max_at", d->max_at);
	phi_emit_member_real(e, "rmse", phi_distance_rmse(d));
	phi_emit_member_real(e, "rel", phi_distance_relative(d));
	phi_emit_member_real(e, "sqnr", phi_distance_sqnr(d));
	phi_emit_member_real(e, "cosine", phi_distance_cosine(d));
	phi_emit_member_u64(e, "nonfinite", d->strange);
}

static void
emit_pair(struct phi_emit *e, const struct phi_comparison *c, const struct phi_pair *pair)
{
	const struct phi_tensor *const a = phi_pair_tensor(c, pair, 0), *const b = phi_pair_tensor(c, pair, 1);
	phi_emit_open(e, '{');
	phi_emit_member(e, "name", phi_pair_name(c, pair));
	phi_emit_member(e, "state", phi_pair_state_name(pair->state));
	phi_emit_key(e, "dtype");
	phi_emit_open(e, '[');
	emit_type(e, a);
	emit_type(e, b);
	phi_emit_close(e, ']');
	phi_emit_key(e, "shape");
	phi_emit_shape(e, a ? a : b);
	if (pair->state == PHI_PAIR_SHAPE) {
		phi_emit_key(e, "shape_b");
		phi_emit_shape(e, b);
	}
	if (pair->state >= PHI_PAIR_DIFFERS && !pair->distance.undecoded)
		emit_distance(e, &pair->distance);
	phi_emit_close(e, '}');
}

static void
emit_metadata(struct phi_emit *e, const struct phi_metadata_diff *metadata)
{
	if (!metadata->comparable) {
		phi_emit_null(e);
		return;
	}
	phi_emit_open(e, '[');
	for (size_t i = 0; i < metadata->count; i++) {
		const struct phi_metadata_difference *const d = &metadata->items[i];
		phi_emit_open(e, '{');
		phi_emit_member(e, "key", d->key);
		if (d->a) {
			phi_emit_key(e, "a");
			phi_emit_value(e, d->a, false);
		}
		if (d->b) {
			phi_emit_key(e, "b");
			phi_emit_value(e, d->b, false);
		}
		phi_emit_close(e, '}');
	}
	phi_emit_close(e, ']');
}

int
phi_diff_emit(const struct phi_comparison *c, const struct phi_metadata_diff *metadata, bool differs,
	FILE *out, struct phi_err *err)
{
	struct phi_emit e;
	phi_emit_begin(&e, out, 2);
	phi_emit_open(&e, '{');
	phi_emit_member_bool(&e, "differs", differs);
	if (!c->options->brief) {
		phi_emit_key(&e, "metadata");
		emit_metadata(&e, metadata);
		phi_emit_key(&e, "tensors");
		phi_emit_open(&e, '[');
		for (size_t i = 0; i < c->npairs; i++)
			emit_pair(&e, c, &c->pairs[i]);
		phi_emit_close(&e, ']');
	}
	phi_emit_close(&e, '}');
	return phi_emit_finish(&e, err);
}
