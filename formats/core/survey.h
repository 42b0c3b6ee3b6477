/* A survey: what each of some types would cost each tensor of a lowered model. Reads rows spread evenly over each
 * tensor, not all of them, so that a large model is surveyed in seconds; the same rows for the same model, whatever
 * -j. */
#ifndef PHI_CORE_SURVEY_H
#define PHI_CORE_SURVEY_H

#include "formats/core/loss.h"
#include "formats/core/source.h"

/* Elements of a tensor that are looked at, but a row at least. */
enum { PHI_SURVEY_ELEMENTS = 128 << 10 };

struct phi_survey_options {
	size_t size;
	unsigned jobs; /* 0: all CPUs */
	const struct phi_converters *converters;
	/* ntypes for each tensor of the model, tensor by tensor; NULL: not asked. */
	const struct phi_type *const *types;
	size_t ntypes;
	/* Called with tensors done and in all, from any thread but never from two; or NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/* Fills one loss for each of options->types, of the elements looked at. The source is random, `lowered` is made of
 * its model, tensors that are asked for are made of parts of its tensors only; their importance counts. */
int phi_survey(struct phi_source *source, const struct phi_model *lowered,
	const struct phi_survey_options *options, struct phi_loss *losses, struct phi_err *err);

#endif
