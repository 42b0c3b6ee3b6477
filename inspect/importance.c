#include "inspect/importance.h"

#include "formats/core/escape.h"
#include "quant/importance.h"

#include <inttypes.h>
#include <string.h>

static bool
is_imatrix(const struct phi_model *model)
{
	const char *const type =
		phi_value_string(phi_metadata_find(&model->metadata, "general.type"));
	return type && !strcmp(type, "imatrix");
}

static int
emit_unseen(const struct phi_findings *findings, const struct phi_importance_of *of,
	struct phi_err *err)
{
	struct phi_quoted q;
	const char *const name = phi_quote(&q, of->name);
	if (of->experts == 1)
		return phi_finding_emit(findings, PHI_FINDING_INFO, "imatrix.unseen", NULL, NULL,
			UINT64_MAX, err, "%s: no data reached it", name);
	return phi_finding_emit(findings, PHI_FINDING_INFO, "imatrix.unseen", NULL, NULL,
		UINT64_MAX, err, "%s: no data reached %" PRIu64 " of %" PRIu64 " experts", name,
		of->unseen, of->experts);
}

/* What phi_importance_read refuses is a finding; running out of memory is not. */
int
phi_check_importance(
	struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_err why = { 0 };
	int result = 0;
	if (!is_imatrix(source->model))
		return 0;
	struct phi_importance_list *const list = phi_importance_read(source, &why);
	if (!list && why.kind != PHI_FORMAT) {
		*err = why;
		return -1;
	}
	if (!list)
		return phi_finding_emit(findings, PHI_FINDING_INVALID, "imatrix.values", NULL, NULL,
			UINT64_MAX, err, "%s", why.text);
	for (size_t i = 0; !result && i < phi_importance_count(list); i++)
		if (phi_importance_at(list, i)->unseen)
			result = emit_unseen(findings, phi_importance_at(list, i), err);
	phi_importance_free(list);
	return result;
}
