/* External data of a model being opened. Private to the folder. */
#ifndef PHI_ONNX_EXTERNAL_H
#define PHI_ONNX_EXTERNAL_H

#include "formats/onnx/read.h"

/* Finds and checks the range of a weight whose data are external: data.size is known. */
int phi_onnx_external(struct phi_onnx *onnx, struct phi_onnx_weight_data *weight,
	const struct phi_onnx_found *found, struct phi_arena *arena, struct phi_err *err);
/* Which weights have one range: sets `storage` of each to the number of the first that has it. */
int phi_onnx_share(struct phi_onnx *onnx, struct phi_err *err);

#endif
