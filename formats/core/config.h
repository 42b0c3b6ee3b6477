/* config.json as metadata: flattened with dots, order kept, nulls kept, arrays of one scalar kind
 * kept (numbers of an array that has a real are all F64); other arrays and empty objects are left
 * out.
 *
 *     {"rope_scaling": {"type": "longrope", "long_factor": [1.0, 1.5]}}
 *       rope_scaling.type         string
 *       rope_scaling.long_factor  array of f64
 */
#ifndef PHI_CORE_CONFIG_H
#define PHI_CORE_CONFIG_H

#include "formats/core/model.h"

/* Appends to model->metadata. */
int phi_config_describe(
	struct phi_model *model, const char *text, size_t size, struct phi_err *err);

/* Cuts a member out of the model's config.json, if there is one; the metadata stays. */
int phi_config_cut(struct phi_model *model, const char *name, struct phi_err *err);

#endif
