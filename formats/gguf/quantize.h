/* What llama-quantize does to a file besides choosing types: which tensors it leaves alone, the
 * order it writes them in, the keys it changes. From src/llama-quant.cpp of llama.cpp 0c1e57098. */
#ifndef PHI_GGUF_QUANTIZE_H
#define PHI_GGUF_QUANTIZE_H

#include "formats/core/format.h"

/* May llama-quantize change the type of this tensor? By its GGUF name and its shape. */
bool phi_gguf_quantizable(const struct phi_tensor *tensor);

/* Makes `lowered` (phi_model_lower_same of a model with GGUF's names) what llama-quantize would
 * write with file type `ftype`: tensors sorted, those it leaves alone fixed at their type, trailing
 * dimensions of 1 (the first of our shape) dropped, general.quantization_version and
 * general.file_type set anew at the end of the keys, then quantize.imatrix.* where importance is given,
 * split.* gone. With options->faults strings end at their first NUL. options may be NULL. */
int phi_gguf_as_quantized(struct phi_model *lowered, uint32_t ftype,
	const struct phi_lower_options *options, struct phi_err *err);

#endif
