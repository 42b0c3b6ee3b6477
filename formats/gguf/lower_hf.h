/* From a canonical model of a known family to what convert_hf_to_gguf writes: names, metadata,
 * vocabulary, types that the runtime demands. */
#ifndef PHI_GGUF_LOWER_HF_H
#define PHI_GGUF_LOWER_HF_H

#include "formats/core/format.h"

/* `model` has the view "canonical" and a family; it outlives the result. */
struct phi_model *phi_gguf_lower_hf(const struct phi_model *model,
	const struct phi_lower_options *options, struct phi_err *err);

#endif
