/* Writing a checkpoint folder: side files verbatim, weights as safetensors or pickles, sharded when large.
 */
#ifndef PHI_HF_WRITE_H
#define PHI_HF_WRITE_H

#include "formats/core/format.h"

int phi_hf_complete(struct phi_plan *plan, struct phi_err *err);
int phi_hf_bin_complete(struct phi_plan *plan, struct phi_err *err);

#endif
