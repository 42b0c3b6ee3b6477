/* The folder of ONNX Runtime GenAI as a format: what -f onnx means where -o is a folder. */
#include "formats/onnx/genai.h"
#include "formats/onnx/genai_read.h"

/* A folder that bids less than one with Hugging Face's weights, 24 bits, and more than one with a config.json. */
static int
bid(const struct phi_probe *probe)
{
	if (probe->kind != PHI_STORE_FOLDER && probe->kind != PHI_STORE_TAR)
		return 0;
	return phi_store_has(probe->store, PHI_GENAI_CONFIG) ? 20 : 0;
}

const struct phi_format phi_format_onnx_genai = {
	.name = "onnx-genai",
	.summary = "a folder for ONNX Runtime GenAI: the decoder of a Phi model as ONNX (also -f onnx, -o FOLDER/)",
	.folder_of = "onnx",
	.flags = PHI_FORMAT_FOLDER | PHI_FORMAT_CANONICAL | PHI_FORMAT_FIELDS,
	.bid = bid,
	.open = phi_onnx_genai_open,
	.lower = phi_onnx_decoder_lower,
	.complete = phi_onnx_decoder_complete,
	.sink = &phi_sink_flat,
};
