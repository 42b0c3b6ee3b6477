/* A tied model with a head all the same. transformers ties the two whatever the head holds, llama.cpp takes the head:
 * where they differ nobody can tell which model was meant. */
#include "formats/formats.h"

#include "formats/core/escape.h"
#include "formats/models/family.h"

#include <string.h>

static int
check(struct phi_source *source, const struct phi_tensor *head, const struct phi_tensor *embedding,
	const struct phi_spool_options *spool, struct phi_err *err)
{
	struct phi_quoted q, r;
	/* Either may come first through a pipe, and the other is far behind. */
	if (phi_source_settle(source, spool, err) < 0)
		return -1;
	const int same = phi_tensor_equal(source, head, source, embedding, err);
	if (same < 0)
		return phi_context(err, "tensor %s", phi_quote(&q, head->name));
	return same ? 0 : phi_fail(err, PHI_FORMAT, "tensor %s: other values than %s, to which "
		"tie_word_embeddings ties it", phi_quote(&q, head->name), phi_quote(&r, embedding->name));
}

int
phi_check_tied(struct phi_source *source, const struct phi_spool_options *spool, struct phi_err *err)
{
	const struct phi_model *const model = source->model;
	struct phi_hparams h;
	if (!model->family || strcmp(model->view, "canonical"))
		return 0;
	const struct phi_tensor *const head = phi_model_with_role(model, PHI_ROLE_OUTPUT);
	const struct phi_tensor *const embedding = phi_model_with_role(model, PHI_ROLE_EMBEDDING);
	if (!head || !embedding || phi_family_hparams(model, &h, NULL) < 0 || !h.tied ||
		head->alias == (uint32_t)(embedding - model->tensors) ||
		embedding->alias == (uint32_t)(head - model->tensors))
		return 0;
	return check(source, head, embedding, spool, err);
}
