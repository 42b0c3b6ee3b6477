/* The Hugging Face checkpoint folder: config.json, tokenizer, weights in one file or in shards. */
#include "formats/hf/folder.h"
#include "formats/hf/read.h"
#include "formats/hf/write.h"

#include "formats/core/st_plan.h"
#include "formats/core/zip_plan.h"

#include <string.h>

/* An index of shards, given alone. */
static int
bid_index(const struct phi_probe *probe)
{
	static const char suffix[] = ".index.json", map[] = "\"weight_map\"";
	const size_t n = strlen(probe->name), m = strlen(suffix);
	if (n < m || strcmp(probe->name + n - m, suffix) != 0 || !probe->size)
		return 0;
	return probe->head[0] == '{' && memmem(probe->head, probe->size, map, strlen(map)) ? 40 : 0;
}

/* Other formats' folders hold a config.json too: their own files bid higher. */
static int
bid(const struct phi_probe *probe)
{
	struct phi_hf_weights weights;
	if (probe->kind == PHI_STORE_FILE)
		return bid_index(probe);
	if (probe->kind == PHI_STORE_PIPE)
		return 0;
	const int config = phi_store_has(probe->store, "config.json") ? 8 : 0;
	if (phi_hf_find_weights(probe->store, &weights, NULL))
		return config + 8; /* several .safetensors: open() says what is wrong with that */
	return config + (weights.file || weights.index ? 16 : 0);
}

const struct phi_format phi_format_hf = {
	.name = "hf",
	.summary = "a Hugging Face folder: config.json, tokenizer, safetensors or pickles",
	.flags = PHI_FORMAT_FOLDER | PHI_FORMAT_SHARDS | PHI_FORMAT_STRINGS |
		PHI_FORMAT_MEMBERS | PHI_FORMAT_CANONICAL,
	.bid = bid,
	.open = phi_hf_open,
	.lower = phi_st_lower,
	.complete = phi_hf_complete,
	.sink = &phi_sink_flat,
};

/* The same folder as transformers wrote it before safetensors; read as hf. */
const struct phi_format phi_format_hf_bin = {
	.name = "hf-bin",
	.summary = "a Hugging Face folder whose weights are pickles, pytorch_model.bin",
	.flags = PHI_FORMAT_FOLDER | PHI_FORMAT_SHARDS | PHI_FORMAT_MEMBERS | PHI_FORMAT_CANONICAL,
	.lower = phi_st_lower,
	.complete = phi_hf_bin_complete,
	.sink = &phi_sink_zip,
};
