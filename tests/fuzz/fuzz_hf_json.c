/* The JSON of a checkpoint folder: an index, config.json; and the two parsers must agree. */
#include "formats/core/config.h"
#include "formats/core/json.h"
#include "formats/core/json_reader.h"
#include "formats/hf/index.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
reader_accepts(const char *text, size_t size)
{
	struct phi_json_reader r;
	struct phi_err err = { 0 };
	phi_json_reader_init(&r, text, size);
	do {
		if (phi_json_next(&r, &err))
			return false;
	} while (r.token != PHI_JSON_END);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const text = (const char *)data;
	struct phi_err err = { 0 };
	json_t *const json = phi_json_parse(text, size,
		PHI_JSON_BIG_INTEGERS | PHI_JSON_KEEP_DUPLICATES | PHI_JSON_NULS, &err);
	/* jansson refuses more (reals that overflow, scalars alone), never less. */
	if (json && !reader_accepts(text, size))
		abort();
	json_decref(json);

	struct phi_model *const model = phi_model_new("hf", &err);
	(void)phi_config_describe(model, text, size, &err);
	struct phi_hf_index index = { 0 };
	(void)phi_hf_index_parse(&index, model->arena, text, size, &err);
	phi_hf_index_free(&index);
	phi_model_free(model);
	return 0;
}
