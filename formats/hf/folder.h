/* What lies in a checkpoint folder, by name. */
#ifndef PHI_HF_FOLDER_H
#define PHI_HF_FOLDER_H

#include "formats/core/format.h"

/* Where the weights are: one file, or an index and its shards. */
struct phi_hf_weights {
	const char *file; /* or NULL */
	const char *index; /* or NULL */
};

/* Finds the weights as transformers does: safetensors before pickles, one file before an index; at
 * last a lone *.safetensors of any name. Both are NULL if there are none. Names are lent by the
 * store. */
int phi_hf_find_weights(
	struct phi_store *store, struct phi_hf_weights *weights, struct phi_err *err);

/* Is `name` a shard by its form, STEM-00001-of-00002.SUFFIX, of the index STEM.SUFFIX.index.json?
 */
bool phi_hf_is_shard(const char *name, const char *index);

#endif
