#include "formats/onnx/build_decoder.h"

const char *
phi_onnx_experts(struct phi_onnx_decoder *d, const char *path, const struct phi_op *op)
{
	(void)path;
	(void)op;
	phi_onnx_refuse(d, "experts are not built yet");
	return "";
}
