/* The JSON of a checkpoint folder: an index, config.json. */
#include "formats/core/config.h"
#include "formats/core/json.h"
#include "formats/hf/index.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The members of an object one at a time must be what the whole tree has. */
static void
walk_members(const json_t *tree, const char *text, size_t size)
{
	struct phi_json_members members = { 0 };
	struct phi_err err = { 0 };
	size_t n = 0;
	int more = phi_json_members_begin(&members, text, size, &err) ? -1 : 1;
	while (more > 0) {
		more = phi_json_members_next(&members, &err);
		n += more > 0;
	}
	phi_json_members_end(&members);
	if (json_is_object(tree) && (more != 0 || n != json_object_size(tree)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const text = (const char *)data;
	struct phi_err err = { 0 };
	json_t *const strict = phi_json_parse(text, size, PHI_JSON_NULS, &err);
	walk_members(strict, text, size);
	json_decref(strict);
	json_decref(phi_json_parse(text, size, PHI_JSON_BIG_INTEGERS | PHI_JSON_KEEP_DUPLICATES,
		&err));

	struct phi_model *const model = phi_model_new("hf", &err);
	(void)phi_config_describe(model, text, size, &err);
	struct phi_hf_index index = { 0 };
	(void)phi_hf_index_parse(&index, model->arena, text, size, &err);
	phi_hf_index_free(&index);
	phi_model_free(model);
	return 0;
}
