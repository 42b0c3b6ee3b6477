#include "formats/gguf/lower_hf.h"

struct phi_model *
phi_gguf_lower_hf(const struct phi_model *model, const struct phi_lower_options *options,
	struct phi_err *err)
{
	(void)model;
	(void)options;
	phi_fail(err, PHI_UNSUPPORTED, "a folder of Hugging Face cannot be made a GGUF yet");
	return NULL;
}
