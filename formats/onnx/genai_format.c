/* The folder of ONNX Runtime GenAI as a format to write: what -f onnx means where -o is a folder. */
#include "formats/onnx/genai.h"

const struct phi_format phi_format_onnx_genai = {
	.name = "onnx-genai",
	.summary = "a folder for ONNX Runtime GenAI: the decoder of a Phi model as ONNX (also -f onnx, -o FOLDER/)",
	.folder_of = "onnx",
	.flags = PHI_FORMAT_FOLDER | PHI_FORMAT_CANONICAL | PHI_FORMAT_FIELDS,
	.lower = phi_onnx_decoder_lower,
	.complete = phi_onnx_decoder_complete,
	.sink = &phi_sink_flat,
};
