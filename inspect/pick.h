/* --only and --exclude, where a source's own list of tensors must stay whole: a stream checks its digests
 * by it. */
#ifndef PHI_INSPECT_PICK_H
#define PHI_INSPECT_PICK_H

#include "formats/core/model.h"

/* Does the tensor's name or canonical name match `only` (NULL: any does) and not `exclude` (or NULL)?
 * Both are NULL-ended. */
bool phi_pick_matches(const struct phi_tensor *t, const char *const *only,
	const char *const *exclude);

#endif
