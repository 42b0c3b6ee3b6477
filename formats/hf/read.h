/* Reading a checkpoint folder, or a tar of one: a source made of the sources of its weight files.
 */
#ifndef PHI_HF_READ_H
#define PHI_HF_READ_H

#include "formats/core/format.h"

/* config.json becomes metadata, the known side files travel along, the tensors are those of the
 * weight files in the order of the files' names, each in its own order. A store that is one index
 * file opens the folder it lies in. Weight files are opened through options->registry. */
struct phi_source *phi_hf_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);

#endif
