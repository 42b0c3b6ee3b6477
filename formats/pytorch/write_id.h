/* .data/serialization_id: 40 decimal digits that torch derives from the records of a file. */
#ifndef PHI_PYTORCH_WRITE_ID_H
#define PHI_PYTORCH_WRITE_ID_H

#include "formats/core/zip_plan.h"

enum { PHI_TORCH_ID_SIZE = 40 };

/* The digits, as torch computes them. */
phi_zip_seal phi_torch_id;

#endif
