#include "inspect/view.h"

#include "formats/core/memory.h"
#include "inspect/pick.h"

static int
pick(struct phi_view *v, struct phi_err *err)
{
	const struct phi_model *const m = v->model;
	v->shown = phi_calloc(m->ntensors + 1, sizeof *v->shown, err);
	if (!v->shown)
		return -1;
	for (size_t i = 0; i < m->ntensors; i++)
		if (phi_pick_matches(&m->tensors[i], v->options->only, v->options->exclude))
			v->shown[v->nshown++] = (uint32_t)i;
	if (m->ntensors && !v->nshown)
		return phi_fail(err, PHI_ARGUMENT, "--only and --exclude leave no tensor");
	return 0;
}

static int
describe(struct phi_view *v, struct phi_err *err)
{
	phi_census_take(v->model, v->shown, v->nshown, &v->census);
	for (unsigned i = 0; i < PHI_TYPES + PHI_CENSUS_PACKED; i++)
		if (v->census.of[i].tensors)
			v->types[v->ntypes++] = &v->census.of[i];
	return phi_modules_take(&v->modules, v->model, v->shown, v->nshown, v->options->depth, err) ||
			phi_facts_take(&v->facts, v->model, err)
		? -1
		: 0;
}

static int
read_weights(struct phi_view *v, struct phi_source *source, struct phi_err *err)
{
	const struct phi_inspect_options *const o = v->options;
	const size_t n = v->model->ntensors + 1;
	if (!o->sum && !o->stats)
		return phi_source_finish(source, err);
	/* A pipe is read once. */
	if (o->sum && o->stats && phi_source_settle(source, o->spool, err))
		return -1;
	if (o->sum && (!(v->digests = phi_calloc(n, sizeof *v->digests, err)) ||
			      phi_sum_tensors(source, o, v->digests, err)))
		return -1;
	if (o->stats && (!(v->stats = phi_calloc(n, sizeof *v->stats, err)) ||
				phi_stats_take(source, v->shown, v->nshown, o, v->stats, err)))
		return -1;
	return 0;
}

int
phi_view_take(struct phi_view *v, struct phi_source *source,
	const struct phi_inspect_options *options, struct phi_err *err)
{
	const char *const path = source->outer ? phi_store_path(source->outer) : source->model->name;
	*v = (struct phi_view){.model = source->model, .options = options,
		.path = path ? path : "model",
		.format = source->format ? source->format : source->model->format};
	return pick(v, err) || describe(v, err) || read_weights(v, source, err) ? -1 : 0;
}

void
phi_view_free(struct phi_view *v)
{
	phi_free(v->stats);
	phi_free(v->digests);
	phi_facts_free(&v->facts);
	phi_modules_free(&v->modules);
	phi_free(v->shown);
}
