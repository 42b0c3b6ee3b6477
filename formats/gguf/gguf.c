#include "formats/gguf/gguf.h"

#include <string.h>

static int
bid(const struct phi_probe *probe)
{
	const bool file = probe->kind == PHI_STORE_FILE || probe->kind == PHI_STORE_PIPE;
	return file && probe->size >= 4 && !memcmp(probe->head, "GGUF", 4) ? 32 : 0;
}

/* llama-quantize lays tensors out by the default, whatever the file says. */
static int
alignment_of(const struct phi_model *lowered, bool faults, uint32_t *alignment, struct phi_err *err)
{
	*alignment = PHI_GGUF_ALIGNMENT;
	return faults ? 0 : phi_gguf_alignment(&lowered->metadata, alignment, err);
}

const struct phi_format phi_format_gguf = {
	.name = "gguf",
	.summary = "llama.cpp's container (versions 1 to 3 read, 3 written)",
	.suffixes = (const char *const[]){ ".gguf", NULL },
	.flags = PHI_FORMAT_FLOWS_IN | PHI_FORMAT_FLOWS_OUT | PHI_FORMAT_SHARDS |
		 PHI_FORMAT_COUNTED,
	.bid = bid,
	.open = phi_gguf_open,
	.scan = phi_gguf_scan,
	.lower = phi_gguf_lower,
	.patch = phi_gguf_patch,
	.alignment = alignment_of,
	.complete = phi_gguf_complete,
	.sink = &phi_sink_flat,
};
