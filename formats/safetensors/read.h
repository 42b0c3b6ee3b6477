/* Reading a safetensors file: described from its header alone. */
#ifndef PHI_SAFETENSORS_READ_H
#define PHI_SAFETENSORS_READ_H

#include "formats/core/format.h"

/* From a file or a pipe; one storage a tensor, in the order of their data. */
struct phi_source *phi_safetensors_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);

#endif
