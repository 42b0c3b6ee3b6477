/* --check and --layout of a folder: of each weight file what its own format says, and what they are
 * together. That index and files name the same tensors in the same places is seen when it is
 * opened. */
#include "formats/hf/read.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/tile.h"

#include <inttypes.h>
#include <string.h>

enum {
	JSON_MAX = 1 << 20
}; /* a tree takes 60 times that; tokenizers are read by the family's check */

/* The bytes of all tensors; those with the bytes of another count in `tied` only. */
static void
sum_tensors(const struct phi_model *model, uint64_t *own, uint64_t *tied)
{
	*own = *tied = 0;
	for (size_t i = 0; i < model->ntensors; i++) {
		uint64_t bytes;
		if (!phi_tensor_bytes(&model->tensors[i], &bytes))
			continue;
		*(model->tensors[i].alias == PHI_NONE ? own : tied) += bytes;
	}
}

static int
check_total(
	const struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	const struct phi_hf *const s = source->state;
	uint64_t own, tied;
	sum_tensors(source->model, &own, &tied);
	if (!s->has_total || s->total == own || s->total == own + tied)
		return 0;
	return phi_finding_emit(findings, PHI_FINDING_INVALID, "hf.total-size", s->index, NULL,
		UINT64_MAX, err,
		"total_size is %" PRIu64 ", but the tensors have %" PRIu64 " bytes", s->total,
		own + tied);
}

static int
check_sides(const struct phi_model *model, const struct phi_findings *findings, struct phi_err *err)
{
	if (!phi_model_side(model, "config.json") &&
		phi_finding_emit(findings, PHI_FINDING_INFO, "hf.configuration", NULL, NULL,
			UINT64_MAX, err, "there is no config.json"))
		return -1;
	for (size_t i = 0; i < model->nsides; i++) {
		const struct phi_side *const side = &model->sides[i];
		const size_t n = strlen(side->name);
		struct phi_err why = { 0 };
		if (n < 5 || strcmp(side->name + n - 5, ".json") != 0 || side->size > JSON_MAX)
			continue;
		json_t *const root = phi_json_parse(side->data, side->size,
			PHI_JSON_BIG_INTEGERS | PHI_JSON_KEEP_DUPLICATES | PHI_JSON_NULS, &why);
		json_decref(root);
		if (!root && phi_finding_emit(findings, PHI_FINDING_INVALID, "hf.json", side->name,
				     NULL, UINT64_MAX, err, "%s", why.text))
			return -1;
	}
	return 0;
}

int
phi_hf_check(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	const struct phi_hf *const s = source->state;
	for (size_t i = 0; i < s->nchildren; i++) {
		struct phi_source *const child = s->children[i].source;
		if (child->ops->check && child->ops->check(child, findings, err))
			return -1;
	}
	return check_total(source, findings, err) || check_sides(source->model, findings, err) ? -1
											       : 0;
}

static int
tile_whole(const struct phi_regions *regions, const char *file, uint64_t size, const char *what,
	struct phi_err *err)
{
	struct phi_tiler tiler = { .regions = regions, .file = file };
	return phi_tile(&tiler, size, what, NULL, err);
}

int
phi_hf_layout(struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	const struct phi_hf *const s = source->state;
	const struct phi_model *const model = source->model;
	for (size_t i = 0; i < s->nchildren; i++) {
		struct phi_source *const child = s->children[i].source;
		if (!child->ops->layout)
			return phi_fail(err, PHI_UNSUPPORTED, "the layout of %s is not shown",
				child->format);
		if (child->ops->layout(child, regions, err))
			return -1;
	}
	for (size_t i = 0; i < model->nsides; i++)
		if (tile_whole(
			    regions, model->sides[i].name, model->sides[i].size, "side file", err))
			return -1;
	return s->index ? tile_whole(regions, s->index, s->index_size, "index", err) : 0;
}
