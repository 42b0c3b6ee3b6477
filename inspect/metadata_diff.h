/* Metadata side by side: keys of one, of the other, with other values. Where both models speak the same
 * language (the same view), all of it; a config.json has no key in common with a GGUF: there the
 * hyper-parameters that the family reads out of each are compared, as floats, which is what a GGUF
 * holds. */
#ifndef PHI_INSPECT_METADATA_DIFF_H
#define PHI_INSPECT_METADATA_DIFF_H

#include "formats/core/model.h"

struct phi_metadata_difference {
	const char *key;
	const struct phi_value *a, *b; /* NULL: the side has no such key */
};

struct phi_metadata_diff {
	bool comparable; /* false: other languages, and no family that speaks both */
	bool by_family;	 /* items are hyper-parameters */
	struct phi_value *values; /* of them */
	struct phi_metadata_difference *items;
	size_t count;
};

int phi_metadata_diff_take(struct phi_metadata_diff *diff, const struct phi_model *a,
	const struct phi_model *b, struct phi_err *err);
void phi_metadata_diff_free(struct phi_metadata_diff *diff);

#endif
