/* The survey of ranges: one pass over every tensor of a lowered model that is scaled (scaling.h), all of it; then its
 * scales are known. The same for any -j. */
#ifndef PHI_CORE_SURVEY_RANGE_H
#define PHI_CORE_SURVEY_RANGE_H

#include "formats/core/model.h"
#include "formats/core/reduce.h"

/* Does a tensor of the model want it? */
bool phi_survey_range_needed(const struct phi_model *lowered);

/* The source is made random first (spooled), as it is read once more. Fails at numbers that are not finite. Scaled tensors
 * are made of one whole tensor each, of F32. */
int phi_survey_range(struct phi_source *source, struct phi_model *lowered, const struct phi_reduce_options *options,
	struct phi_err *err);

#endif
